// SPDX-License-Identifier: BSD-3-Clause
/* The layout hash of images: every size and offset of image.h, in its order. A field that is added, moved or
 * resized must appear here; the numbers themselves mean nothing. Pure function, any thread.
 */
#include "shm/image_layout.h"

#include "shm/segment.h"

uint32_t image_layout_hash(void)
{
	static const uint32_t numbers[] = {
		sizeof(struct image_section_entry), offsetof(struct image_section_entry, offset_bytes),
		offsetof(struct image_section_entry, count), sizeof(struct image_header),
		offsetof(struct image_header, magic), offsetof(struct image_header, version),
		offsetof(struct image_header, layout_hash), offsetof(struct image_header, total_bytes),
		offsetof(struct image_header, instance), offsetof(struct image_header, generation),
		offsetof(struct image_header, covers_sequence), offsetof(struct image_header, built_mono_ns),
		offsetof(struct image_header, built_wall_ns), offsetof(struct image_header, sections),
		offsetof(struct image_header, checksum), offsetof(struct image_header, reserved),
		sizeof(struct image_rate), offsetof(struct image_rate, burst),
		offsetof(struct image_rate, per_1000_s), sizeof(struct image_policy),
		offsetof(struct image_policy, mode), offsetof(struct image_policy, other_policy),
		offsetof(struct image_policy, accept_inbound),
		offsetof(struct image_policy, verify_checksums),
		offsetof(struct image_policy, proven_rate_v4), offsetof(struct image_policy, proven_rate_v6),
		offsetof(struct image_policy, unproven_rate_v4),
		offsetof(struct image_policy, unproven_rate_v6),
		offsetof(struct image_policy, concurrency_v4), offsetof(struct image_policy, concurrency_v6),
		offsetof(struct image_policy, limit_soft), offsetof(struct image_policy, limit_hard),
		offsetof(struct image_policy, soft_delay_max_ms), offsetof(struct image_policy, soft_linear),
		offsetof(struct image_policy, reserved0), offsetof(struct image_policy, reserved_slots),
		offsetof(struct image_policy, replies_per_s), offsetof(struct image_policy, icmp_per_s),
		offsetof(struct image_policy, infrastructure_per_s),
		offsetof(struct image_policy, other_per_s),
		offsetof(struct image_policy, half_open_timeout_ms),
		offsetof(struct image_policy, auth_timeout_ms),
		offsetof(struct image_policy, tcp_idle_timeout_ms),
		offsetof(struct image_policy, udp_idle_timeout_ms),
		offsetof(struct image_policy, udp_unanswered_timeout_ms),
		offsetof(struct image_policy, closing_timeout_ms),
		offsetof(struct image_policy, proven_lifetime_ms),
		offsetof(struct image_policy, adopt_window_ms), offsetof(struct image_policy, adopt_per_s),
		offsetof(struct image_policy, start_wait_ms), offsetof(struct image_policy, flood_per_s),
		offsetof(struct image_policy, challenge_bad_per_s),
		offsetof(struct image_policy, replies_per_prefix_per_s),
		offsetof(struct image_policy, payload_idle_timeout_ms),
		offsetof(struct image_policy, straggler_timeout_ms),
		offsetof(struct image_policy, clients_per_limit), offsetof(struct image_policy, reserved1),
		sizeof(struct image_service), offsetof(struct image_service, name),
		offsetof(struct image_service, port), offsetof(struct image_service, protocol),
		offsetof(struct image_service, challenge), offsetof(struct image_service, challenge_method),
		offsetof(struct image_service, udp_unanswered_packets),
		offsetof(struct image_service, refuse_with_rst), offsetof(struct image_service, server_first),
		offsetof(struct image_service, pressure_enter_per_s),
		offsetof(struct image_service, pressure_leave_per_s),
		offsetof(struct image_service, pressure_half_open),
		offsetof(struct image_service, pressure_hold_ms),
		offsetof(struct image_service, udp_idle_timeout_ms),
		offsetof(struct image_service, paced_per_s), offsetof(struct image_service, quic),
		offsetof(struct image_service, amplification_limit),
		offsetof(struct image_service, reserved1), sizeof(struct image_list_label),
		offsetof(struct image_list_label, parent), offsetof(struct image_list_label, meta),
		offsetof(struct image_list_label, kind), offsetof(struct image_list_label, length),
		offsetof(struct image_list_label, any_allow), offsetof(struct image_list_label, reserved),
		sizeof(struct image_v6_start), offsetof(struct image_v6_start, high),
		offsetof(struct image_v6_start, low), sizeof(struct image_ban_v4),
		offsetof(struct image_ban_v4, address), offsetof(struct image_ban_v4, meta),
		sizeof(struct image_ban_v6), offsetof(struct image_ban_v6, site),
		offsetof(struct image_ban_v6, meta), offsetof(struct image_ban_v6, reserved),
		sizeof(struct image_ban_exact), offsetof(struct image_ban_exact, high),
		offsetof(struct image_ban_exact, low), offsetof(struct image_ban_exact, meta),
		offsetof(struct image_ban_exact, reserved), IMAGE_SECTION_COUNT, IMAGE_LEVEL_COUNT,
		IMAGE_SERVICE_NAME_BYTES, IMAGE_LIST_PRICE, IMAGE_PRICE_MAX, IMAGE_MODE_MONITOR, IMAGE_OTHER_DROP,
		IMAGE_CHALLENGE_ALWAYS, IMAGE_METHOD_PROXY, BAN_META_END_BITS, SOURCE_CLASS_BANNED,
		sizeof(struct address), 0x01020304, /* as bytes it differs between byte orders */
	};

	return checksum_crc32c(0, numbers, sizeof(numbers));
}
