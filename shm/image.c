// SPDX-License-Identifier: BSD-3-Clause
/* Validation of a snapshot image (image.h). Runs in the dataplane's table thread, in weir-replay and in the
 * tests on private memory. It believes nothing: every count, offset, index and field is checked before
 * anybody else may use it. Must not allocate or change the block.
 */
#include "shm/image.h"

#include <string.h>

#include "shm/image_layout.h"
#include "shm/segment.h"

/* Limits of the policy. Counts and rates: 10^9, so that a sum of four fits 32 bits. Times: 30 days, the
 * longest that the configuration takes, which fits 32 bits of milliseconds. */
enum { POLICY_COUNT_MAX = 1000000000, POLICY_BURST_MAX = 1000000 };
#define POLICY_TIME_MAX_MS UINT32_C(2592000000)
#define POLICY_ACTIVITY_MAX_MS UINT32_C(86400000) /* what a flow remembers of what it did */

static const size_t section_record_bytes[IMAGE_SECTION_COUNT] = {
	[IMAGE_SECTION_POLICY] = sizeof(struct image_policy),
	[IMAGE_SECTION_NODE_ADDRESSES] = sizeof(struct address),
	[IMAGE_SECTION_SERVICES] = sizeof(struct image_service),
	[IMAGE_SECTION_LIST_LABELS] = sizeof(struct image_list_label),
	[IMAGE_SECTION_LIST_V4_STARTS] = sizeof(uint32_t),
	[IMAGE_SECTION_LIST_V4_LABELS] = sizeof(uint32_t),
	[IMAGE_SECTION_LIST_V6_STARTS] = sizeof(struct image_v6_start),
	[IMAGE_SECTION_LIST_V6_LABELS] = sizeof(uint32_t),
	[IMAGE_SECTION_BANS_V4] = sizeof(struct image_ban_v4),
	[IMAGE_SECTION_BANS_V6] = sizeof(struct image_ban_v6),
	[IMAGE_SECTION_BANS_EXACT] = sizeof(struct image_ban_exact),
};

size_t image_section_record_bytes(enum image_section section)
{
	return section_record_bytes[section];
}

static bool rates_are_valid(const struct image_rate *rates)
{
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		if (rates[level].burst > POLICY_BURST_MAX || rates[level].per_1000_s > POLICY_COUNT_MAX)
			return false;
		/* A bucket that never refills would refuse for ever after its burst. */
		if (rates[level].burst > 0 && rates[level].per_1000_s == 0)
			return false;
	}
	return true;
}

static bool bytes_are_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool policy_times_are_valid(const struct image_policy *policy)
{
	/* A flow or a proof that ends when it begins is no policy but a mistake. */
	const uint32_t positive_ms[] = {policy->half_open_timeout_ms, policy->tcp_idle_timeout_ms,
		policy->udp_idle_timeout_ms, policy->udp_unanswered_timeout_ms, policy->closing_timeout_ms,
		policy->proven_lifetime_ms};
	/* 0 switches these off. */
	const uint32_t any_ms[] = {policy->auth_timeout_ms, policy->adopt_window_ms, policy->start_wait_ms,
		policy->soft_delay_max_ms};

	for (size_t i = 0; i < sizeof(positive_ms) / sizeof(positive_ms[0]); i++)
		if (positive_ms[i] == 0 || positive_ms[i] > POLICY_TIME_MAX_MS)
			return false;
	for (size_t i = 0; i < sizeof(any_ms) / sizeof(any_ms[0]); i++)
		if (any_ms[i] > POLICY_TIME_MAX_MS)
			return false;
	return policy->payload_idle_timeout_ms <= POLICY_ACTIVITY_MAX_MS &&
	       policy->straggler_timeout_ms <= POLICY_ACTIVITY_MAX_MS;
}

bool image_policy_is_valid(const struct image_policy *policy)
{
	const uint32_t counts[] = {policy->limit_soft, policy->limit_hard, policy->reserved_slots,
		policy->replies_per_s, policy->icmp_per_s, policy->infrastructure_per_s, policy->other_per_s,
		policy->adopt_per_s, policy->flood_per_s, policy->challenge_bad_per_s,
		policy->replies_per_prefix_per_s, policy->clients_per_limit};

	if (policy->mode > IMAGE_MODE_MONITOR || policy->other_policy > IMAGE_OTHER_DROP ||
		policy->accept_inbound > 1 || policy->verify_checksums > 1 || policy->soft_linear > 1)
		return false;
	if (!rates_are_valid(policy->proven_rate_v4) || !rates_are_valid(policy->proven_rate_v6) ||
		!rates_are_valid(policy->unproven_rate_v4) || !rates_are_valid(policy->unproven_rate_v6))
		return false;
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		if (policy->concurrency_v4[level] > POLICY_COUNT_MAX ||
			policy->concurrency_v6[level] > POLICY_COUNT_MAX)
			return false;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		if (counts[i] > POLICY_COUNT_MAX)
			return false;
	if (policy->limit_hard > 0 && policy->limit_soft > policy->limit_hard)
		return false;
	return policy_times_are_valid(policy) &&
	       bytes_are_zero(policy->reserved0, sizeof(policy->reserved0)) &&
	       bytes_are_zero(policy->reserved1, sizeof(policy->reserved1));
}

/* Not empty, ended by a NUL, printable: it goes to terminals, JSON and metrics as it is. */
static bool service_name_is_valid(const char *name)
{
	size_t n = strnlen(name, IMAGE_SERVICE_NAME_BYTES);

	if (n == 0 || n == IMAGE_SERVICE_NAME_BYTES)
		return false;
	for (size_t i = 0; i < n; i++)
		if (name[i] < 0x20 || name[i] > 0x7e)
			return false;
	return true;
}

bool image_service_is_valid(const struct image_service *service)
{
	bool udp = service->protocol == 17;

	if (!service_name_is_valid(service->name) || service->port == 0)
		return false;
	if (service->protocol != 6 && !udp)
		return false;
	if (service->challenge > (udp ? IMAGE_CHALLENGE_OFF : IMAGE_CHALLENGE_ALWAYS) ||
		service->challenge_method > IMAGE_METHOD_PROXY || service->refuse_with_rst > 1)
		return false;
	if (udp && service->udp_unanswered_packets == 0)
		return false;
	if (service->pressure_enter_per_s > POLICY_COUNT_MAX ||
		service->pressure_leave_per_s > service->pressure_enter_per_s ||
		service->pressure_half_open > POLICY_COUNT_MAX ||
		service->pressure_hold_ms > POLICY_TIME_MAX_MS ||
		service->udp_idle_timeout_ms > POLICY_TIME_MAX_MS)
		return false;
	if (service->server_first > 1 || service->quic > 1 || service->paced_per_s > POLICY_COUNT_MAX ||
		(!udp && (service->quic != 0 || service->amplification_limit != 0)))
		return false;
	return bytes_are_zero(service->reserved1, sizeof(service->reserved1));
}

static bool services_are_valid(const struct image_service *services, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		if (!image_service_is_valid(&services[i]))
			return false;
		for (uint64_t j = 0; j < i; j++)
			if (services[i].port == services[j].port &&
				services[i].protocol == services[j].protocol)
				return false;
	}
	return true;
}

static bool ban_meta_is_valid(uint32_t meta)
{
	return ban_meta_class(meta) > SOURCE_CLASS_NONE && ban_meta_class(meta) <= SOURCE_CLASS_BANNED;
}

static bool label_meta_is_valid(const struct image_list_label *label)
{
	if (label->kind == IMAGE_LIST_BAN)
		return ban_meta_is_valid(label->meta);
	if (label->kind == IMAGE_LIST_PRICE)
		return label->meta >= 1 && label->meta <= IMAGE_PRICE_MAX;
	return label->meta == 0;
}

static bool label_is_valid(const struct image_list_label *labels, uint64_t index)
{
	const struct image_list_label *label = &labels[index], *parent;

	if (index == 0)
		return label->parent == 0 && label->meta == 0 && label->kind == IMAGE_LIST_NONE &&
		       label->length == 0 && label->any_allow == 0 && label->reserved == 0;
	if (label->parent >= index || label->kind < IMAGE_LIST_ALLOW || label->kind > IMAGE_LIST_PRICE ||
		label->length > PREFIX_HOST_LENGTH || label->reserved != 0)
		return false;
	parent = &labels[label->parent];
	/* Lengths and kinds fall strictly towards label 0: this is what bounds a walk by 129 * 4 steps. */
	if (label->parent != 0 && (parent->length > label->length ||
					  (parent->length == label->length && parent->kind >= label->kind)))
		return false;
	if (!label_meta_is_valid(label))
		return false;
	return label->any_allow == (label->kind == IMAGE_LIST_ALLOW || parent->any_allow);
}

static bool lists_are_valid(const struct image_view *view)
{
	const struct image_list_label *labels = view->list_labels;

	for (uint64_t i = 0; i < view->n_list_labels; i++)
		if (!label_is_valid(labels, i))
			return false;
	if (view->list_v4_starts[0] != 0 || view->list_v6_starts[0].high != 0 ||
		view->list_v6_starts[0].low != 0)
		return false;
	for (uint64_t i = 0; i < view->n_list_v4; i++) {
		uint32_t label = view->list_v4_labels[i];

		if (i > 0 && view->list_v4_starts[i] <= view->list_v4_starts[i - 1])
			return false;
		if (label >= view->n_list_labels || (label != 0 && labels[label].length < PREFIX_V4_BASE))
			return false;
	}
	for (uint64_t i = 0; i < view->n_list_v6; i++) {
		const struct image_v6_start *start = &view->list_v6_starts[i], *before = start - 1;

		if (i > 0 && (start->high < before->high ||
				     (start->high == before->high && start->low <= before->low)))
			return false;
		if (view->list_v6_labels[i] >= view->n_list_labels)
			return false;
	}
	return true;
}

static bool bans_are_valid(const struct image_view *view)
{
	for (uint64_t i = 0; i < view->n_bans_v4; i++)
		if ((i > 0 && view->bans_v4[i].address <= view->bans_v4[i - 1].address) ||
			!ban_meta_is_valid(view->bans_v4[i].meta))
			return false;
	for (uint64_t i = 0; i < view->n_bans_v6; i++)
		if ((i > 0 && view->bans_v6[i].site <= view->bans_v6[i - 1].site) ||
			!ban_meta_is_valid(view->bans_v6[i].meta) || view->bans_v6[i].reserved != 0)
			return false;
	for (uint64_t i = 0; i < view->n_bans_exact; i++) {
		const struct image_ban_exact *ban = &view->bans_exact[i], *before = ban - 1;

		if (i > 0 &&
			(ban->high < before->high || (ban->high == before->high && ban->low <= before->low)))
			return false;
		if (!ban_meta_is_valid(ban->meta) || ban->reserved != 0)
			return false;
	}
	return true;
}

/* Inside the image, aligned, no two on the same bytes, and as many records as the section may have. */
static bool sections_are_valid(const struct image_section_entry *sections, uint64_t bytes)
{
	for (int i = 0; i < IMAGE_SECTION_COUNT; i++) {
		uint64_t offset = sections[i].offset_bytes, end;

		if (offset % 64 != 0 || offset < sizeof(struct image_header) || offset > bytes ||
			sections[i].count > (bytes - offset) / section_record_bytes[i])
			return false;
		end = offset + sections[i].count * section_record_bytes[i];
		for (int j = 0; j < i; j++) {
			uint64_t other = sections[j].offset_bytes;

			if (offset < other + sections[j].count * section_record_bytes[j] && other < end)
				return false;
		}
	}
	return sections[IMAGE_SECTION_POLICY].count == 1 &&
	       sections[IMAGE_SECTION_NODE_ADDRESSES].count <= IMAGE_NODE_ADDRESSES_MAX &&
	       sections[IMAGE_SECTION_SERVICES].count <= IMAGE_SERVICES_MAX &&
	       sections[IMAGE_SECTION_LIST_LABELS].count >= 1 &&
	       sections[IMAGE_SECTION_LIST_LABELS].count <= IMAGE_LIST_LABELS_MAX &&
	       sections[IMAGE_SECTION_LIST_V4_STARTS].count >= 1 &&
	       sections[IMAGE_SECTION_LIST_V4_STARTS].count == sections[IMAGE_SECTION_LIST_V4_LABELS].count &&
	       sections[IMAGE_SECTION_LIST_V6_STARTS].count >= 1 &&
	       sections[IMAGE_SECTION_LIST_V6_STARTS].count == sections[IMAGE_SECTION_LIST_V6_LABELS].count;
}

static const void *section_at(const void *block, enum image_section section)
{
	const struct image_header *header = block;

	return (const uint8_t *)block + header->sections[section].offset_bytes;
}

static void image_view_fill(const void *block, struct image_view *view)
{
	const struct image_header *header = block;
	const struct image_section_entry *sections = header->sections;

	*view = (struct image_view){
		.header = header,
		.policy = section_at(block, IMAGE_SECTION_POLICY),
		.node_addresses = section_at(block, IMAGE_SECTION_NODE_ADDRESSES),
		.services = section_at(block, IMAGE_SECTION_SERVICES),
		.list_labels = section_at(block, IMAGE_SECTION_LIST_LABELS),
		.list_v4_starts = section_at(block, IMAGE_SECTION_LIST_V4_STARTS),
		.list_v4_labels = section_at(block, IMAGE_SECTION_LIST_V4_LABELS),
		.list_v6_starts = section_at(block, IMAGE_SECTION_LIST_V6_STARTS),
		.list_v6_labels = section_at(block, IMAGE_SECTION_LIST_V6_LABELS),
		.bans_v4 = section_at(block, IMAGE_SECTION_BANS_V4),
		.bans_v6 = section_at(block, IMAGE_SECTION_BANS_V6),
		.bans_exact = section_at(block, IMAGE_SECTION_BANS_EXACT),
		.n_node_addresses = sections[IMAGE_SECTION_NODE_ADDRESSES].count,
		.n_services = sections[IMAGE_SECTION_SERVICES].count,
		.n_list_labels = sections[IMAGE_SECTION_LIST_LABELS].count,
		.n_list_v4 = sections[IMAGE_SECTION_LIST_V4_STARTS].count,
		.n_list_v6 = sections[IMAGE_SECTION_LIST_V6_STARTS].count,
		.n_bans_v4 = sections[IMAGE_SECTION_BANS_V4].count,
		.n_bans_v6 = sections[IMAGE_SECTION_BANS_V6].count,
		.n_bans_exact = sections[IMAGE_SECTION_BANS_EXACT].count,
	};
}

uint32_t image_checksum(const void *block, size_t bytes)
{
	const uint8_t *data = block;
	static const uint8_t zeros[sizeof(uint32_t)];
	size_t at = offsetof(struct image_header, checksum), behind = at + sizeof(zeros);
	uint32_t crc = checksum_crc32c(0, data, at);

	crc = checksum_crc32c(crc, zeros, sizeof(zeros));
	return checksum_crc32c(crc, data + behind, bytes - behind);
}

enum image_error image_validate(const void *block, size_t bytes, struct image_view *ret_view)
{
	const struct image_header *header = block;
	struct image_view view;

	if (bytes < sizeof(*header))
		return IMAGE_ERROR_SHORT;
	if (header->magic != IMAGE_MAGIC)
		return IMAGE_ERROR_MAGIC;
	if (header->version < IMAGE_VERSION)
		return IMAGE_ERROR_OLDER;
	if (header->version > IMAGE_VERSION)
		return IMAGE_ERROR_NEWER;
	if (header->layout_hash != image_layout_hash())
		return IMAGE_ERROR_LAYOUT;
	if (header->total_bytes != bytes)
		return IMAGE_ERROR_SIZE;
	if (header->checksum != image_checksum(block, bytes))
		return IMAGE_ERROR_CHECKSUM;
	if (header->reserved != 0 || header->instance == 0 || header->generation == 0 ||
		!sections_are_valid(header->sections, bytes))
		return IMAGE_ERROR_SECTION;
	image_view_fill(block, &view);
	if (!image_policy_is_valid(view.policy))
		return IMAGE_ERROR_POLICY;
	if (!services_are_valid(view.services, view.n_services))
		return IMAGE_ERROR_SERVICE;
	if (!lists_are_valid(&view))
		return IMAGE_ERROR_LISTS;
	if (!bans_are_valid(&view))
		return IMAGE_ERROR_BANS;
	*ret_view = view;
	return IMAGE_OK;
}

const char *image_error_text(enum image_error error)
{
	static const char *const texts[] = {
		[IMAGE_OK] = "The image is good.",
		[IMAGE_ERROR_SHORT] =
			"The image is shorter than its header; restart weir-control, which writes a new one.",
		[IMAGE_ERROR_MAGIC] = "This file is not a Weir image; move it away and restart weir-control, "
				      "which writes a new one.",
		[IMAGE_ERROR_OLDER] =
			"The image was written by an older Weir; restart weir-control with this version.",
		[IMAGE_ERROR_NEWER] = "The image was written by a newer Weir; upgrade weir-dataplane, or "
				      "restart weir-control with this version.",
		[IMAGE_ERROR_LAYOUT] = "The image's layout differs from this build's; restart weir-control "
				       "and weir-dataplane from the same build.",
		[IMAGE_ERROR_SIZE] = "The image is not as long as its header says; restart weir-control, "
				     "which writes a new one.",
		[IMAGE_ERROR_CHECKSUM] = "The image is damaged: its checksum is wrong; restart weir-control, "
					 "which writes a new one.",
		[IMAGE_ERROR_SECTION] = "The image's header or its table of sections is wrong; report this, "
					"and restart weir-control with the same version as weir-dataplane.",
		[IMAGE_ERROR_POLICY] = "A field of the image's policy is out of range; run `weirctl config "
				       "check`, correct it and reload weir-control.",
		[IMAGE_ERROR_SERVICE] = "A service in the image is wrong or there twice; run `weirctl config "
					"check`, correct it and reload weir-control.",
		[IMAGE_ERROR_LISTS] = "The image's compiled lists are out of order; report this, and restart "
				      "weir-control, which writes a new image.",
		[IMAGE_ERROR_BANS] = "The image's bans are out of order or of no known class; report this, "
				     "and restart weir-control, which writes a new image.",
	};

	if ((unsigned)error >= sizeof(texts) / sizeof(texts[0]))
		return "The image was refused for a reason that this version does not know; run the same "
		       "version everywhere.";
	return texts[error];
}
