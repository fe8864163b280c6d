/* SPDX-License-Identifier: BSD-3-Clause
 * See stage_world.h. Aborts on anything a test cannot mean.
 */
#include "tests/stage_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int error, const char *what)
{
	if (error != 0) {
		fprintf(stderr, "world: %s: error %d\n", what, error);
		abort();
	}
}

static void keep_segment(
	void *context, enum side side, const struct next_hop *hop, const struct reply_tcp *segment)
{
	struct world *world = context;

	if (world->n_segments >= WORLD_SEGMENTS_MAX)
		return;
	world->segment_sides[world->n_segments] = side;
	world->segment_hops[world->n_segments] = hop != NULL;
	world->segments[world->n_segments++] = *segment;
}

static void keep_event(void *context, const struct event_record *event)
{
	struct world *world = context;

	if (world->n_events < WORLD_EVENTS_MAX)
		world->events[world->n_events++] = *event;
}

static struct image_service service(
	const char *name, uint8_t protocol, uint16_t port, enum image_challenge challenge)
{
	struct image_service result = {
		.port = port,
		.protocol = protocol,
		.challenge = (uint8_t)challenge,
		.udp_unanswered_packets = 3,
		.refuse_with_rst = 1,
		.pressure_enter_per_s = 200,
		.pressure_leave_per_s = 50,
		.pressure_half_open = 100,
		.pressure_hold_ms = 5000,
	};

	snprintf(result.name, sizeof(result.name), "%s", name);
	return result;
}

struct world *world_create(void)
{
	struct world *world = calloc(1, sizeof(*world));

	if (world == NULL)
		abort();
	world->policy = (struct image_policy){
		.mode = IMAGE_MODE_ENFORCE,
		.accept_inbound = 1,
		.verify_checksums = 1,
		.replies_per_s = 1000000,
		.icmp_per_s = 1000,
		.infrastructure_per_s = 1000,
		.other_per_s = 100000,
		.half_open_timeout_ms = 5000,
		.auth_timeout_ms = 5000,
		.tcp_idle_timeout_ms = 7800000,
		.udp_idle_timeout_ms = 60000,
		.udp_unanswered_timeout_ms = 10000,
		.closing_timeout_ms = 5000,
		.proven_lifetime_ms = 600000,
		.adopt_window_ms = 1000,
		.adopt_per_s = 1000,
		.start_wait_ms = 1000,
	};
	world->services[WORLD_SERVICE_TCP] = service("tcp", 6, 30303, IMAGE_CHALLENGE_AUTO);
	world->services[WORLD_SERVICE_UDP] = service("udp", 17, 30303, IMAGE_CHALLENGE_OFF);
	world->services[WORLD_SERVICE_UDP].pressure_enter_per_s = 1000000;
	world->services[WORLD_SERVICE_UDP].pressure_leave_per_s = 500000;
	world->services[WORLD_SERVICE_ALWAYS] = service("always", 6, 30304, IMAGE_CHALLENGE_ALWAYS);
	world->services[WORLD_SERVICE_PLAIN] = service("plain", 6, 30305, IMAGE_CHALLENGE_OFF);
	must(image_builder_create(&world->builder), "image_builder_create");
	world->now_ns = UINT64_C(1000000000000); /* any time but 0: 1000 s after boot */
	return world;
}

static void image_compile(struct world *world, struct ruleset **ret_rules)
{
	struct image_stamp stamp = {.instance = 1, .generation = ++world->generation};
	struct image_view view;
	void *block;
	size_t bytes;

	must(image_builder_set_policy(world->builder, &world->policy), "policy");
	if (world->generation == 1) {
		static const char *const nodes[] = {"198.51.100.1", "2001:db8:1::1"};

		for (unsigned i = 0; i < 2; i++) {
			struct address node;

			must(address_parse(nodes[i], &node), "node");
			must(image_builder_add_node_address(world->builder, &node), "node");
		}
		for (unsigned i = 0; i < 4; i++)
			must(image_builder_add_service(world->builder, &world->services[i]), "service");
	}
	must(image_builder_finish(world->builder, &stamp, &block, &bytes), "finish");
	must((int)image_validate(block, bytes, &view), "image_validate");
	must(ruleset_create(&view, world->shared->unproven, world->shared->proven_opens, ret_rules),
		"ruleset_create");
	must(ruleset_tables_create(*ret_rules, &view, 1000, &world->shared->table_key, &table_memory_heap),
		"tables");
	free(block);
}

void world_start(struct world *world)
{
	static const struct stage_shared_sizes sizes = {
		.pressure_keys = 1 << 16, .proven_sources = 1 << 14, .concurrency_prefixes = 1 << 14};
	static const struct hash_key keys[3] = {{1, 2}, {3, 4}, {5, 6}};
	struct stage_output output = {.context = world, .send_segment = keep_segment, .event = keep_event};
	struct stage_sizes stage_sizes = {.fragments = 1024};

	must(stage_shared_create(&sizes, keys, &table_memory_heap, &world->shared), "stage_shared_create");
	world->storage = aligned_alloc(64, WORLD_FLOWS * sizeof(*world->storage));
	if (world->storage == NULL)
		abort();
	memset(world->storage, 0, WORLD_FLOWS * sizeof(*world->storage));
	must(flow_table_create(world->storage, WORLD_FLOWS, &keys[0], &table_memory_heap, &world->flows),
		"flow_table_create");
	must(stage_create(world->shared, world->flows, &world->counters, &output, &stage_sizes,
		     &table_memory_heap, 42, world->now_ns, &world->stage),
		"stage_create");
	image_compile(world, &world->rules);
}

void world_reload(struct world *world)
{
	struct ruleset *old = world->rules;

	image_compile(world, &world->rules);
	ruleset_tables_destroy(old);
	ruleset_destroy(old);
	stage_shared_all_moved(world->shared);
}

void world_destroy(struct world *world)
{
	if (world->stage != NULL) {
		ruleset_tables_destroy(world->rules);
		ruleset_destroy(world->rules);
		stage_destroy(world->stage, &table_memory_heap);
		flow_table_destroy(world->flows);
		stage_shared_destroy(world->shared, &table_memory_heap);
		free(world->storage);
	}
	image_builder_destroy(world->builder);
	free(world);
}

static struct prefix parse(const char *text)
{
	struct prefix prefix;

	must(prefix_parse(text, &prefix), text);
	return prefix;
}

void world_ban(struct world *world, const char *prefix, enum source_class class, uint32_t end_s)
{
	struct prefix parsed = parse(prefix);

	must(image_builder_add_ban(world->builder, &parsed, ban_meta_make(class, end_s)), prefix);
}

void world_list(struct world *world, enum image_list_kind kind, const char *prefix)
{
	struct prefix parsed = parse(prefix);

	must(image_builder_add_list(world->builder, kind, &parsed, 0), prefix);
}

void world_command(struct world *world, enum command_kind kind, const char *text, uint32_t meta)
{
	struct prefix prefix = parse(text);
	bool ban = kind == COMMAND_BAN_SET || kind == COMMAND_BAN_CLEAR;

	if (ban && prefix_is_v4(&prefix) && prefix.length == PREFIX_HOST_LENGTH) {
		struct ban_key key = {address_v4(&prefix.address), 0};

		must(kind == COMMAND_BAN_SET ? ban_table_set(world->rules->bans_v4, key, meta)
					     : ban_table_clear(world->rules->bans_v4, key),
			text);
	} else if (ban && prefix.length == PREFIX_V6_SITE_LENGTH) {
		struct ban_key key = {address_v6_site(&prefix.address), 0};

		must(kind == COMMAND_BAN_SET ? ban_table_set(world->rules->bans_v6, key, meta)
					     : ban_table_clear(world->rules->bans_v6, key),
			text);
	} else {
		must(lists_apply(world->rules->lists, kind, &prefix, meta), text);
	}
	if (ban)
		stage_shared_ban_moved(world->shared, &prefix);
	else
		stage_shared_all_moved(world->shared);
}

void world_pass(struct world *world, uint64_t to_ms)
{
	uint64_t to_ns = UINT64_C(1000000000000) + to_ms * 1000000;

	/* In steps of 100 ms, as polls would. */
	while (world->now_ns < to_ns) {
		world->now_ns = world->now_ns + 100000000 < to_ns ? world->now_ns + 100000000 : to_ns;
		stage_step(world->stage, world->rules, world->now_ns, WORLD_FLOWS);
	}
}

void world_send_burst(struct world *world, uint64_t at_ms, enum side side, const struct frame_spec specs[],
	unsigned n, enum reason reasons[])
{
	static struct frame frames[STAGE_BURST_MAX];
	struct arrival arrivals[STAGE_BURST_MAX], *pointers[STAGE_BURST_MAX];
	struct decision decisions[STAGE_BURST_MAX];

	world_pass(world, at_ms);
	for (unsigned i = 0; i < n; i++) {
		struct arrival *arrival = &arrivals[i];

		frame_make(&specs[i], &frames[i]);
		memset(arrival, 0, sizeof(*arrival));
		arrival->frame = frames[i].bytes;
		arrival->frame_bytes = frames[i].n;
		arrival->side = side;
		arrival->malformed = packet_parse(frames[i].bytes, frames[i].n, NULL, 0, frames[i].n,
			PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &arrival->packet);
		pointers[i] = arrival;
	}
	stage_decide_burst(world->stage, world->rules, pointers, n, world->now_ns, decisions);
	for (unsigned i = 0; i < n; i++)
		reasons[i] = (enum reason)decisions[i].reason;
	world->decision = decisions[n - 1];
	world->frame = frames[n - 1];
	world->packet = arrivals[n - 1].packet;
}

enum reason world_send(struct world *world, uint64_t at_ms, enum side side, const struct frame_spec *spec)
{
	enum reason reason;

	world_send_burst(world, at_ms, side, spec, 1, &reason);
	return reason;
}

uint64_t world_counter(const struct world *world, enum counter counter)
{
	return atomic_load(&world->counters.values[counter]);
}

uint64_t world_reason(const struct world *world, enum reason reason)
{
	return atomic_load(&world->counters.reasons[reason]);
}

unsigned world_events_of(const struct world *world, enum event_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < world->n_events; i++)
		n += world->events[i].kind == kind;
	return n;
}

enum reason world_connect(struct world *world, uint64_t at_ms, const char *source, uint16_t port)
{
	const char *node = strchr(source, ':') != NULL ? "2001:db8:1::1" : "198.51.100.1";
	struct frame_spec syn = {.source = source,
		.destination = node,
		.protocol = 6,
		.source_port = port,
		.destination_port = 30303,
		.sequence = 1000,
		.tcp_flags = TCP_FLAG_SYN};
	struct frame_spec syn_ack = {.source = node,
		.destination = source,
		.protocol = 6,
		.source_port = 30303,
		.destination_port = port,
		.sequence = 5000,
		.acknowledgement = 1001,
		.tcp_flags = TCP_FLAG_SYN | TCP_FLAG_ACK};
	struct frame_spec ack = {.source = source,
		.destination = node,
		.protocol = 6,
		.source_port = port,
		.destination_port = 30303,
		.sequence = 1001,
		.acknowledgement = 5001,
		.tcp_flags = TCP_FLAG_ACK};
	enum reason reason = world_send(world, at_ms, SIDE_OUTSIDE, &syn);
	enum reason next;

	if (reason != REASON_ADMITTED)
		return reason;
	next = world_send(world, at_ms, SIDE_INSIDE, &syn_ack);
	if (next != REASON_FLOW)
		return next;
	next = world_send(world, at_ms, SIDE_OUTSIDE, &ack);
	return next == REASON_FLOW ? reason : next;
}

struct frame_spec world_syn(const char *source, uint16_t port, uint16_t to_port)
{
	return (struct frame_spec){
		.source = source,
		.destination = strchr(source, ':') != NULL ? "2001:db8:1::1" : "198.51.100.1",
		.protocol = 6,
		.source_port = port,
		.destination_port = to_port,
		.sequence = 1000,
		.tcp_flags = TCP_FLAG_SYN,
	};
}

enum reason world_send_syn(
	struct world *world, uint64_t at_ms, const char *source, uint16_t port, uint16_t to_port)
{
	struct frame_spec spec = world_syn(source, port, to_port);

	return world_send(world, at_ms, SIDE_OUTSIDE, &spec);
}

enum reason world_send_udp(
	struct world *world, uint64_t at_ms, const char *source, uint16_t port, uint16_t to_port)
{
	struct frame_spec spec = world_syn(source, port, to_port);

	spec.protocol = 17;
	spec.payload_bytes = 20;
	return world_send(world, at_ms, SIDE_OUTSIDE, &spec);
}

void world_numbered(char text[32], unsigned i)
{
	snprintf(text, 32, "%u.%u.%u.%u", 11 + i % 80, i / 80 % 256, i * 7 % 256, 1 + i % 250);
}
