// SPDX-License-Identifier: BSD-3-Clause
/* The stage that bench/decide.c measures (decide_world.h). */
#include "bench/decide_world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/huge_memory.h"
#include "shm/image_builder.h"

enum {
	BURST = 32,
	PORT_CHALLENGED = 30303,
	PORT_OPEN = 30304,
	FRAME_BYTES = 14 + 40 + 40,
	/* Bans begin at 1.0.0.0 and 2000::; 2^24 of them end at 2.0.0.0. Strangers are drawn from 64.0.0.0/2 and 2400::/8. */
	BAN_V4_FIRST = 0x01000000,
	STRANGER_V4 = 0x40000000,
	NS_AN_ATTEMPT = 100,
};
#define BAN_V6_FIRST UINT64_C(0x2000000000000000)
#define PROVEN_V4 0x80000000
#define STRANGER_V6 UINT64_C(0x2400000000000000)
#define PROVEN_V6 UINT64_C(0x2600000000000000)

struct decide_world {
	struct stage_shared *shared;
	struct stage *stage;
	struct ruleset *rules;
	struct flow_table *flows;
	struct flow *storage;
	struct counters counters;
	struct decide_sizes sizes;
	uint64_t now_ns, random, events;
	uint32_t proven_sources;
	unsigned stranger_bits[2]; /* of strangers' addresses and sites that differ */
	bool joined;               /* the shared tables and the rules are another world's */
	uint8_t frame[2][FRAME_BYTES]; /* templates: a Linux client's SYN */
	struct packet packets[2];
	struct arrival arrivals[BURST];
	struct arrival *pointers[BURST];
	struct decision decisions[BURST];
};

const char *decide_mix_name(enum decide_mix mix)
{
	static const char *const names[] = {"banned", "challenged", "admitted", "proven"};

	return names[mix];
}

static uint64_t draw(struct decide_world *world)
{
	uint64_t x = world->random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	world->random = x;
	return x * UINT64_C(0x2545f4914f6cdd1d);
}

static void take_event(void *context, const struct event_record *event)
{
	/* As much as the ring's writer does before its store. */
	((struct decide_world *)context)->events += event->kind;
}

static void drop_segment(void *context, enum side side, const struct next_hop *hop, const struct reply_tcp *segment)
{
	(void)context;
	(void)side;
	(void)hop;
	(void)segment;
}

static const struct address node_v4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 18, 0, 1}};
static const struct address node_v6 = {{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

static struct address site_address(uint64_t site)
{
	struct address address = {{0}};

	for (unsigned i = 0; i < 8; i++)
		address.bytes[i] = (uint8_t)(site >> (56 - 8 * i));
	address.bytes[15] = 1;
	return address;
}

static struct address address_of(uint8_t family, uint64_t v4_base, uint64_t v6_base, uint64_t number)
{
	return family == 4 ? address_from_v4((uint32_t)(v4_base + number)) : site_address(v6_base + number);
}

static int image_fill(struct image_builder *builder, const struct decide_sizes *sizes)
{
	struct image_policy policy = {.mode = IMAGE_MODE_ENFORCE,
		.accept_inbound = 1,
		.replies_per_s = 1000000000,
		.icmp_per_s = 1000,
		.infrastructure_per_s = 1000,
		.other_per_s = 1000,
		.half_open_timeout_ms = 10000,
		.auth_timeout_ms = 5000,
		.tcp_idle_timeout_ms = 7800000,
		.udp_idle_timeout_ms = 60000,
		.udp_unanswered_timeout_ms = 10000,
		.closing_timeout_ms = 1000,
		.proven_lifetime_ms = 3600000,
		.adopt_per_s = 1};
	struct image_service services[2] = {{.name = "challenged",
						    .port = PORT_CHALLENGED,
						    .protocol = 6,
						    .challenge = IMAGE_CHALLENGE_ALWAYS,
						    .challenge_method = IMAGE_METHOD_PROXY},
		{.name = "open", .port = PORT_OPEN, .protocol = 6, .challenge = IMAGE_CHALLENGE_OFF}};
	int error;

	for (unsigned level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		/* Limits are looked up and never reached. */
		policy.unproven_rate_v4[level] = policy.unproven_rate_v6[level] =
			(struct image_rate){1000000, 1000000000};
		policy.proven_rate_v4[level] = policy.proven_rate_v6[level] = (struct image_rate){1000000, 1000000000};
	}
	error = image_builder_set_policy(builder, &policy);
	if (error == 0)
		error = image_builder_add_node_address(builder, &node_v4);
	if (error == 0)
		error = image_builder_add_node_address(builder, &node_v6);
	for (unsigned i = 0; i < 2 && error == 0; i++)
		error = image_builder_add_service(builder, &services[i]);
	for (uint64_t i = 0; i < sizes->bans && error == 0; i++) {
		struct prefix v4 = {address_from_v4((uint32_t)(BAN_V4_FIRST + i)), PREFIX_HOST_LENGTH};
		struct prefix v6 = {site_address(BAN_V6_FIRST + i), PREFIX_V6_SITE_LENGTH};

		v6.address.bytes[15] = 0;
		error = image_builder_add_ban(builder, &v4, ban_meta_make(SOURCE_CLASS_BANNED, 4000000));
		if (error == 0)
			error = image_builder_add_ban(builder, &v6, ban_meta_make(SOURCE_CLASS_BANNED, 4000000));
	}
	return error;
}

static int rules_create(struct decide_world *world)
{
	struct image_stamp stamp = {.instance = 1, .generation = 1};
	struct image_builder *builder;
	struct image_view view;
	void *block = NULL;
	size_t bytes;
	int error = image_builder_create(&builder);

	if (error != 0)
		return error;
	error = image_fill(builder, &world->sizes);
	if (error == 0)
		error = image_builder_finish(builder, &stamp, &block, &bytes);
	image_builder_destroy(builder);
	if (error == 0 && image_validate(block, bytes, &view) != IMAGE_OK)
		error = -EINVAL;
	if (error == 0)
		error = ruleset_create(&view, world->shared->unproven, world->shared->proven_opens, &world->rules);
	if (error == 0)
		error = ruleset_tables_create(world->rules, &view, 1000, &world->shared->table_key, &huge_memory);
	free(block);
	return error;
}

/* MSS, SACK, timestamps, window scale: what Linux sends. The addresses and ports are filled in for each attempt. */
static int templates_make(struct decide_world *world)
{
	static const uint8_t options[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7};

	for (unsigned six = 0; six < 2; six++) {
		uint8_t *frame = world->frame[six], *ip = frame + 14, *tcp = ip + (six ? 40 : 20);
		uint32_t bytes = 14 + (six ? 40 : 20) + 40;

		memcpy(frame, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
		frame[12] = six ? 0x86 : 0x08;
		frame[13] = six ? 0xdd : 0x00;
		if (six) {
			ip[0] = 0x60;
			ip[5] = 40;
			ip[6] = 6;
			ip[7] = 64;
			memcpy(ip + 8, site_address(STRANGER_V6).bytes, 16);
			memcpy(ip + 24, node_v6.bytes, 16);
		} else {
			ip[0] = 0x45;
			ip[3] = 60;
			ip[8] = 64;
			ip[9] = 6;
			memcpy(ip + 12, "\100\0\0\1", 4);
			memcpy(ip + 16, node_v4.bytes + 12, 4);
		}
		tcp[0] = 0x80;
		tcp[2] = PORT_CHALLENGED >> 8;
		tcp[3] = PORT_CHALLENGED & 0xff;
		tcp[12] = 0xa0;
		tcp[13] = TCP_FLAG_SYN;
		memcpy(tcp + 20, options, sizeof(options));
		if (packet_parse(frame, bytes, NULL, 0, bytes, 0, &world->packets[six]) != REASON_COUNT)
			return -EINVAL;
	}
	return 0;
}

static const struct hash_key keys[3] = {{1, 2}, {3, 4}, {5, 6}};

/* With the tables that `owner` shares, or with its own. */
static int world_create(
	const struct decide_sizes *sizes, uint64_t seed, const struct decide_world *owner, struct decide_world **ret_world)
{
	const struct stage_shared_sizes shared_sizes = {.pressure_keys = UINT64_C(1) << sizes->pressure_log2,
		.proven_sources = UINT64_C(1) << sizes->proven_log2,
		.concurrency_prefixes = UINT64_C(4) << sizes->flows_log2};
	const struct stage_sizes stage_sizes = {.fragments = 1024};
	uint32_t flows = UINT32_C(1) << sizes->flows_log2;
	struct decide_world *world = huge_memory_allocate(NULL, sizeof(*world));
	struct stage_output output = {.context = world, .send_segment = drop_segment, .event = take_event};
	int error;

	if (!world)
		return -ENOMEM;
	world->sizes = *sizes;
	world->random = seed != 0 ? seed : 1;
	world->now_ns = UINT64_C(1000000000000);
	/* 2^30 IPv4 addresses, 2^56 IPv6 sites: hardly one comes twice. */
	world->stranger_bits[0] = 30;
	world->stranger_bits[1] = 56;
	if (owner) {
		world->joined = true;
		world->shared = owner->shared;
		world->rules = owner->rules;
		world->now_ns = owner->now_ns;
	}
	for (unsigned i = 0; i < BURST; i++)
		world->pointers[i] = &world->arrivals[i];
	error = templates_make(world);
	if (error == 0 && !owner)
		error = stage_shared_create(&shared_sizes, keys, &huge_memory, &world->shared);
	if (error == 0)
		world->storage = huge_memory_allocate(NULL, flows * sizeof(struct flow));
	if (error == 0)
		error = world->storage ? flow_table_create(world->storage, flows, &keys[0], &huge_memory, &world->flows)
				       : -ENOMEM;
	if (error == 0)
		error = stage_create(world->shared, world->flows, &world->counters, &output, &stage_sizes,
			&huge_memory, seed, world->now_ns, &world->stage);
	if (error == 0 && !owner)
		error = rules_create(world);
	if (error != 0) {
		decide_world_destroy(world);
		return error;
	}
	*ret_world = world;
	return 0;
}

int decide_world_create(const struct decide_sizes *sizes, uint64_t seed, struct decide_world **ret_world)
{
	return world_create(sizes, seed, NULL, ret_world);
}

int decide_world_join(struct decide_world *owner, uint64_t seed, struct decide_world **ret_world)
{
	int error = world_create(&owner->sizes, seed, owner, ret_world);

	if (error == 0) {
		owner->stage->lcores++;
		(*ret_world)->stage->lcores = owner->stage->lcores;
		(*ret_world)->proven_sources = owner->proven_sources;
	}
	return error;
}

void decide_world_heat(struct decide_world *world, unsigned bits)
{
	world->stranger_bits[0] = bits < 30 ? bits : 30;
	world->stranger_bits[1] = bits < 56 ? bits : 56;
}

uint64_t decide_world_accounted(const struct decide_world *world)
{
	uint64_t sum = 0;

	for (unsigned reason = 0; reason < REASON_COUNT; reason++)
		sum += atomic_load_explicit(&world->counters.reasons[reason], memory_order_relaxed);
	return sum;
}

void decide_world_align(struct decide_world *a, struct decide_world *b)
{
	a->now_ns = b->now_ns = a->now_ns > b->now_ns ? a->now_ns : b->now_ns;
}

void decide_world_destroy(struct decide_world *world)
{
	if (!world)
		return;
	if (world->rules && !world->joined) {
		ruleset_tables_destroy(world->rules);
		ruleset_destroy(world->rules);
	}
	if (world->stage)
		stage_destroy(world->stage, &huge_memory);
	if (world->flows)
		flow_table_destroy(world->flows);
	huge_memory_free(NULL, world->storage, sizeof(struct flow) << world->sizes.flows_log2);
	if (world->shared && !world->joined)
		stage_shared_destroy(world->shared, &huge_memory);
	huge_memory_free(NULL, world, sizeof(*world));
}

/* Spread, as real clients are: neighbours would share the budgets of their prefixes. Odd multipliers permute. */
static uint64_t scattered(uint64_t number, unsigned bits)
{
	return number * UINT64_C(0x9e3779b1) & ((UINT64_C(1) << bits) - 1);
}

static struct address source_draw(struct decide_world *world, enum decide_mix mix, uint8_t family)
{
	uint64_t random = draw(world);

	switch (mix) {
	case DECIDE_BANNED:
		return address_of(family, BAN_V4_FIRST, BAN_V6_FIRST, (random >> 16) % world->sizes.bans);
	case DECIDE_PROVEN:
		random = (random >> 16) % world->proven_sources;
		return family == 4 ? address_from_v4(PROVEN_V4 | (uint32_t)scattered(random, 30))
				   : site_address(PROVEN_V6 | scattered(random, 30) << 24);
	default:
		return family == 4 ? address_from_v4(STRANGER_V4 | (uint32_t)(random >> (64 - world->stranger_bits[0])))
				   : site_address(STRANGER_V6 | random >> (64 - world->stranger_bits[1]));
	}
}

/* A SYN that the parser has seen but for its source. */
static void arrival_fill(struct decide_world *world, struct arrival *arrival, enum decide_mix mix, uint8_t family)
{
	bool six = family == 6;

	arrival->frame = world->frame[six];
	arrival->frame_bytes = world->packets[six].wire_bytes;
	arrival->malformed = REASON_COUNT;
	arrival->side = SIDE_OUTSIDE;
	arrival->packet = world->packets[six];
	arrival->packet.source = source_draw(world, mix, family);
	/* A source that comes again uses its old flow's place, or flows that linger would fill the table. */
	arrival->packet.source_port = mix == DECIDE_PROVEN ? 40000 : (uint16_t)(draw(world) >> 48 | 0x8000);
	arrival->packet.destination_port = mix == DECIDE_CHALLENGED ? PORT_CHALLENGED : PORT_OPEN;
}

static void burst_decide(struct decide_world *world)
{
	stage_decide_burst(world->stage, world->rules, world->pointers, BURST, world->now_ns, world->decisions);
}

/* The same 32 segments go on: the node's SYN-ACKs, the clients' ACKs, and RSTs that end them. */
static void burst_go_on(struct decide_world *world, enum side side, uint8_t flags, bool swap)
{
	for (unsigned i = 0; i < BURST; i++) {
		struct packet *packet = &world->arrivals[i].packet;
		struct address source = packet->source;
		uint16_t port = packet->source_port;

		world->arrivals[i].side = side;
		if (swap) {
			packet->source = packet->destination;
			packet->source_port = packet->destination_port;
			packet->destination = source;
			packet->destination_port = port;
		}
		packet->tcp_flags = flags;
		packet->tcp_sequence = side == SIDE_INSIDE ? 5000 : 1;
		packet->tcp_acknowledgement = side == SIDE_INSIDE ? 1 : 5001;
	}
	burst_decide(world);
}

static uint64_t burst_count(const struct decide_world *world, enum reason reason)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < BURST; i++)
		n += world->decisions[i].reason == reason;
	return n;
}

static uint64_t burst_run(struct decide_world *world, enum decide_mix mix, uint8_t family)
{
	static const enum reason meant[] = {REASON_BANNED, REASON_CHALLENGED, REASON_ADMITTED, REASON_ADMITTED};
	uint64_t n;

	for (unsigned i = 0; i < BURST; i++)
		arrival_fill(world, &world->arrivals[i], mix, family);
	burst_decide(world);
	n = burst_count(world, meant[mix]);
	if (mix == DECIDE_PROVEN) {
		burst_go_on(world, SIDE_INSIDE, TCP_FLAG_SYN | TCP_FLAG_ACK, true);
		burst_go_on(world, SIDE_OUTSIDE, TCP_FLAG_ACK, true);
		burst_go_on(world, SIDE_OUTSIDE, TCP_FLAG_RST, false);
	}
	world->now_ns += (uint64_t)BURST * NS_AN_ATTEMPT;
	stage_step(world->stage, world->rules, world->now_ns, 16384);
	return n;
}

void decide_world_idle(struct decide_world *world, enum decide_mix mix, uint8_t family, uint64_t attempts)
{
	for (uint64_t i = 0; i < attempts; i++)
		arrival_fill(world, &world->arrivals[i % BURST], mix, family);
	/* The compiler must not see that nobody reads them. */
	__asm__ volatile("" : : "r"(world->arrivals) : "memory");
}

uint64_t decide_world_run(struct decide_world *world, enum decide_mix mix, uint8_t family, uint64_t attempts)
{
	uint64_t right = 0;

	for (uint64_t i = 0; i < attempts; i += BURST)
		right += burst_run(world, mix, family);
	return right;
}

const char *decide_world_outcomes(const struct decide_world *world, char text[256])
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned reason = 0; reason < REASON_COUNT && n < 200; reason++) {
		uint64_t count = atomic_load_explicit(&world->counters.reasons[reason], memory_order_relaxed);

		if (count != 0)
			n += (size_t)snprintf(text + n, 256 - n, "%s %lu ", reason_info((enum reason)reason)->name, count);
	}
	return text;
}

void decide_world_prove(struct decide_world *world, uint8_t family, uint32_t sources)
{
	world->proven_sources = sources;
	(void)decide_world_run(world, DECIDE_PROVEN, family, (uint64_t)sources * 2);
}
