/* SPDX-License-Identifier: BSD-3-Clause
 * A small valid policy, service and image for tests that need one to start from. Header-only; one thread.
 */
#ifndef WEIR_TESTS_UNIT_IMAGE_FIXTURE_H
#define WEIR_TESTS_UNIT_IMAGE_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "shm/image_builder.h"

static inline struct image_policy image_fixture_policy(void)
{
	return (struct image_policy){
		.accept_inbound = 1,
		.limit_soft = 75,
		.limit_hard = 100,
		.soft_delay_max_ms = 1000,
		.replies_per_s = 1000,
		.half_open_timeout_ms = 10000,
		.auth_timeout_ms = 5000,
		.tcp_idle_timeout_ms = 7800000,
		.udp_idle_timeout_ms = 300000,
		.udp_unanswered_timeout_ms = 30000,
		.closing_timeout_ms = 60000,
		.proven_lifetime_ms = 3600000,
	};
}

static inline struct image_service image_fixture_service(uint16_t port, uint8_t protocol)
{
	struct image_service service = {
		.port = port,
		.protocol = protocol,
		.challenge = protocol == 6 ? IMAGE_CHALLENGE_AUTO : IMAGE_CHALLENGE_OFF,
		.udp_unanswered_packets = 8,
		.pressure_enter_per_s = 256,
		.pressure_leave_per_s = 128,
		.pressure_half_open = 64,
		.pressure_hold_ms = 10000,
	};

	strcpy(service.name, protocol == 6 ? "tcp" : "udp");
	return service;
}

static inline struct prefix image_fixture_prefix(const char *text)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix) != 0)
		abort(); /* the test's own table is wrong */
	return prefix;
}

/** A builder with policy, one node address, a TCP and a UDP service. NULL: no memory. */
static inline struct image_builder *image_fixture_builder(void)
{
	struct image_policy policy = image_fixture_policy();
	struct image_service tcp = image_fixture_service(30303, 6), udp = image_fixture_service(30303, 17);
	struct address node = image_fixture_prefix("192.0.2.1").address;
	struct image_builder *builder;

	if (image_builder_create(&builder) != 0)
		return NULL;
	if (image_builder_set_policy(builder, &policy) != 0 ||
		image_builder_add_node_address(builder, &node) != 0 ||
		image_builder_add_service(builder, &tcp) != 0 ||
		image_builder_add_service(builder, &udp) != 0)
		abort();
	return builder;
}

/** A small image with a bit of everything, which the caller frees. NULL: no memory. */
static inline void *image_fixture_small(size_t *ret_bytes)
{
	static const char *const bans[] = {"203.0.113.5", "203.0.113.7", "198.51.100.0/24", "2001:db8:1::/64",
		"2001:db8:2::1", "2001:db8:3::/48"};
	const struct image_stamp stamp = {.instance = 77, .generation = 3, .covers_sequence = 9};
	struct image_builder *builder = image_fixture_builder();
	struct prefix allow = image_fixture_prefix("198.51.100.128/25"),
		      deny = image_fixture_prefix("2001:db8:3:4::/64");
	void *block = NULL;

	if (!builder)
		return NULL;
	for (size_t i = 0; i < sizeof(bans) / sizeof(bans[0]); i++) {
		struct prefix ban = image_fixture_prefix(bans[i]);

		if (image_builder_add_ban(
			    builder, &ban, ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER)) != 0)
			abort();
	}
	if (image_builder_add_list(builder, IMAGE_LIST_ALLOW, &allow, 0) != 0 ||
		image_builder_add_list(builder, IMAGE_LIST_DENY, &deny, 0) != 0)
		abort();
	if (image_builder_finish(builder, &stamp, &block, ret_bytes) != 0)
		block = NULL;
	image_builder_destroy(builder);
	return block;
}

#endif
