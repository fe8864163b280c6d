/* SPDX-License-Identifier: BSD-3-Clause
 * Bans in the device, from a banned packet to a rule and back: the stage, the tables and the choice are the
 * real ones; the device is a model at the boundary of rte_flow, because no driver of the build machine has
 * rules. It keeps what it was told and says which packets it would drop, and it can refuse. Injected clock.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>

#include "dataplane/table_offload.h"
#include "tests/check.h"
#include "tests/stage_world.h"

enum { RULES_MAX = 4096, DEVICES = 2 };

struct rte_flow {
	bool used, v4;
	uint16_t device;
	uint8_t address[2][16], mask[2][16]; /* source, destination */
	uint8_t protocol, protocol_mask;
};

static struct device_model {
	struct rte_flow rules[RULES_MAX];
	unsigned n, creates, room;
	bool unable, keeps, keeps_all;
} model;

static int refuse(struct rte_flow_error *error, const char *message, int code)
{
	error->message = message;
	rte_errno = code;
	return -code;
}

int rte_flow_validate(uint16_t device, const struct rte_flow_attr *attributes,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	(void)device;
	if (model.unable || !attributes->ingress || pattern[0].type != RTE_FLOW_ITEM_TYPE_ETH ||
		actions[0].type != RTE_FLOW_ACTION_TYPE_DROP || actions[1].type != RTE_FLOW_ACTION_TYPE_END)
		return refuse(error, "the model has no rules", ENOSYS);
	return 0;
}

static void rule_read(struct rte_flow *rule, const struct rte_flow_item *item)
{
	if (item->type == RTE_FLOW_ITEM_TYPE_IPV4) {
		const struct rte_flow_item_ipv4 *spec = item->spec, *mask = item->mask;

		rule->v4 = true;
		memcpy(rule->address[0], &spec->hdr.src_addr, 4);
		memcpy(rule->address[1], &spec->hdr.dst_addr, 4);
		memcpy(rule->mask[0], &mask->hdr.src_addr, 4);
		memcpy(rule->mask[1], &mask->hdr.dst_addr, 4);
		rule->protocol = spec->hdr.next_proto_id;
		rule->protocol_mask = mask->hdr.next_proto_id;
	} else {
		const struct rte_flow_item_ipv6 *spec = item->spec, *mask = item->mask;

		memcpy(rule->address[0], spec->hdr.src_addr, 16);
		memcpy(rule->address[1], spec->hdr.dst_addr, 16);
		memcpy(rule->mask[0], mask->hdr.src_addr, 16);
		memcpy(rule->mask[1], mask->hdr.dst_addr, 16);
		rule->protocol = spec->hdr.proto;
		rule->protocol_mask = mask->hdr.proto;
	}
}

struct rte_flow *rte_flow_create(uint16_t device, const struct rte_flow_attr *attributes,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	model.creates++;
	if (rte_flow_validate(device, attributes, pattern, actions, error) != 0)
		return NULL;
	for (unsigned i = 0; i < RULES_MAX && model.n < model.room; i++) {
		if (model.rules[i].used)
			continue;
		memset(&model.rules[i], 0, sizeof(model.rules[i]));
		model.rules[i].used = true;
		model.rules[i].device = device;
		rule_read(&model.rules[i], &pattern[1]);
		model.n++;
		return &model.rules[i];
	}
	refuse(error, "the model is full", ENOSPC);
	return NULL;
}

int rte_flow_destroy(uint16_t device, struct rte_flow *rule, struct rte_flow_error *error)
{
	if (model.keeps)
		return refuse(error, "the model keeps it", EIO);
	if (!rule->used || rule->device != device)
		CHECK_FAIL("a rule is removed once, from its device", "device %u", device);
	rule->used = false;
	model.n--;
	return 0;
}

int rte_flow_flush(uint16_t device, struct rte_flow_error *error)
{
	if (model.keeps_all)
		return refuse(error, "the model keeps them all", EIO);
	for (unsigned i = 0; i < RULES_MAX; i++)
		if (model.rules[i].used && model.rules[i].device == device) {
			model.rules[i].used = false;
			model.n--;
		}
	return 0;
}

static bool bytes_match(const struct rte_flow *rule, unsigned side, const struct address *address)
{
	const uint8_t *bytes = rule->v4 ? address->bytes + 12 : address->bytes;

	for (unsigned i = 0; i < (rule->v4 ? 4u : 16u); i++)
		if ((bytes[i] ^ rule->address[side][i]) & rule->mask[side][i])
			return false;
	return true;
}

/* On how many devices would this packet be dropped? */
static unsigned drops(const char *from, const char *to, uint8_t protocol)
{
	struct address source, destination;
	bool by[DEVICES] = {false};
	unsigned n = 0;

	if (address_parse(from, &source) != 0 || address_parse(to, &destination) != 0)
		CHECK_FAIL("addresses", "%s %s", from, to);
	for (unsigned i = 0; i < RULES_MAX; i++) {
		const struct rte_flow *rule = &model.rules[i];

		if (rule->used && rule->v4 == address_is_v4(&source) && bytes_match(rule, 0, &source) &&
			bytes_match(rule, 1, &destination) &&
			!((rule->protocol ^ protocol) & rule->protocol_mask))
			by[rule->device] = true;
	}
	for (unsigned i = 0; i < DEVICES; i++)
		n += by[i];
	return n;
}

#define NODE    "198.51.100.1"
#define NODE_V6 "2001:db8:1::1"
#define BANNED  "203.0.113.1"

struct rig {
	struct world *world;
	struct options options;
	struct port pairs[2][2];
	struct dataplane_payload payload;
	struct table_offload *offload;
	uint64_t at_ms;
};

static void rig_make(struct rig *rig, unsigned n_pairs, unsigned max)
{
	memset(rig, 0, sizeof(*rig));
	memset(&model, 0, sizeof(model));
	model.room = RULES_MAX;
	rig->world = world_create();
	world_ban(rig->world, BANNED, SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(rig->world, "203.0.113.2", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(rig->world, "2001:db8:2:1::/64", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	for (unsigned i = 0; i < 64; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.7.%u", i);
		world_ban(rig->world, text, SOURCE_CLASS_BANNED, BAN_META_NEVER);
	}
	world_start(rig->world);
	rig->options.n_pairs = n_pairs;
	rig->options.n_lcores = 1;
	rig->options.offload_bans = max;
	for (unsigned pair = 0; pair < n_pairs; pair++)
		for (unsigned side = 0; side < 2; side++) {
			struct port *port = &rig->pairs[pair][side];

			port->side = (uint8_t)side;
			port->device = "the model";
			port->n_devices = 1;
			port->devices[0].id = (uint16_t)(side == SIDE_OUTSIDE ? pair : 99);
		}
	CHECK_EQ("bans may go to the device",
		table_offload_create(&rig->options, (const struct port(*)[2])rig->pairs, &rig->world->stage,
			&rig->payload, &rig->offload),
		0);
	table_offload_follow(rig->offload, rig->world->rules, rig->world->now_ns);
	rig->at_ms = 2000;
}

static void rig_end(struct rig *rig)
{
	table_offload_destroy(rig->offload);
	CHECK_EQ("no rule is left behind", model.n, 0u);
	CHECK_PTR_EQ("nor a sketch", rig->world->stage->heavy, NULL);
	world_destroy(rig->world);
}

static void flood(struct rig *rig, const char *source, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ("a banned source floods",
			world_send_syn(rig->world, rig->at_ms, source, (uint16_t)(1024 + i), 30303),
			REASON_BANNED);
}

/* Turns of the table thread, one a millisecond. */
static void turns(struct rig *rig, unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		rig->at_ms++;
		world_pass(rig->world, rig->at_ms);
		table_offload_step(rig->offload, rig->world->rules, rig->world->now_ns);
	}
}

static uint64_t number(const _Atomic uint64_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void test_install(void)
{
	static const struct {
		const char *name, *from, *to;
		uint8_t protocol;
		unsigned devices;
	} cases[] = {
		{"TCP from the banned source", BANNED, NODE, IPPROTO_TCP, 2},
		{"UDP from it", BANNED, NODE, IPPROTO_UDP, 2},
		{"its ICMP errors, which may speak of flows of others", BANNED, NODE, IPPROTO_ICMP, 0},
		{"what it sends to others behind the wire", BANNED, "198.51.100.2", IPPROTO_TCP, 0},
		{"its neighbour", "203.0.113.0", NODE, IPPROTO_TCP, 0},
		{"a banned source that sends little", "203.0.113.2", NODE, IPPROTO_TCP, 0},
		{"any host of the banned site", "2001:db8:2:1:ffff::9", NODE_V6, IPPROTO_TCP, 2},
		{"also by UDP", "2001:db8:2:1::1", NODE_V6, IPPROTO_UDP, 2},
		{"its neighbour site", "2001:db8:2:2::1", NODE_V6, IPPROTO_TCP, 0},
		{"its ICMPv6", "2001:db8:2:1::1", NODE_V6, IPPROTO_ICMPV6, 0},
	};
	struct rig rig;

	rig_make(&rig, 2, 16);
	flood(&rig, BANNED, 4000);
	flood(&rig, "2001:db8:2:1::77", 4000);
	flood(&rig, "203.0.113.2", 300);
	CHECK_EQ("nothing is dropped before the table thread looks", drops(BANNED, NODE, IPPROTO_TCP), 0u);
	turns(&rig, 100);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, drops(cases[i].from, cases[i].to, cases[i].protocol),
			cases[i].devices);
	CHECK_EQ("two bans, two protocols, two ports, one node address of each family", model.n, 8u);
	CHECK_EQ("they are counted", number(&rig.payload.offload_bans), (uint64_t)2);
	CHECK_EQ("as installed", number(&rig.payload.offload_installed), (uint64_t)2);
	CHECK_EQ("and not as refused", number(&rig.payload.offload_refused), (uint64_t)0);
	rig_end(&rig);
}

static void command(struct rig *rig, enum command_kind kind, const char *text)
{
	struct command_record record = {.kind = (uint8_t)kind};
	struct prefix prefix;

	if (prefix_parse(text, &prefix) != 0)
		CHECK_FAIL("a prefix", "%s", text);
	record.prefix_length = prefix.length;
	memcpy(record.address, prefix.address.bytes, sizeof(record.address));
	table_offload_command(rig->offload, &record);
}

static void test_commands(void)
{
	static const struct {
		const char *name;
		enum command_kind kind;
		const char *prefix;
		unsigned v4, v6; /* devices that still drop */
	} cases[] = {
		{"an unban of it", COMMAND_BAN_CLEAR, BANNED, 0, 1},
		{"an unban of its site", COMMAND_BAN_CLEAR, "2001:db8:2:1::/64", 1, 0},
		{"an unban of another", COMMAND_BAN_CLEAR, "203.0.113.2", 1, 1},
		{"leave for its prefix", COMMAND_ALLOW_SET, "203.0.113.0/24", 0, 1},
		{"leave for a host of its site", COMMAND_ALLOW_SET, "2001:db8:2:1::5", 1, 0},
		{"leave for everybody of IPv4", COMMAND_ALLOW_SET, "0.0.0.0/0", 0, 1},
		{"a shorter or weaker ban", COMMAND_BAN_SET, BANNED, 0, 1},
		{"a ban of another", COMMAND_BAN_SET, "192.0.2.9", 1, 1},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct rig rig;

		rig_make(&rig, 1, 16);
		flood(&rig, BANNED, 4000);
		flood(&rig, "2001:db8:2:1::77", 4000);
		turns(&rig, 100);
		CHECK_TRUE("both are dropped", drops(BANNED, NODE, IPPROTO_TCP) == 1 &&
						       drops("2001:db8:2:1::77", NODE_V6, IPPROTO_UDP) == 1);
		command(&rig, cases[i].kind, cases[i].prefix);
		CHECK_EQ(cases[i].name, drops(BANNED, NODE, IPPROTO_TCP), cases[i].v4);
		CHECK_EQ(cases[i].name, drops("2001:db8:2:1::77", NODE_V6, IPPROTO_UDP), cases[i].v6);
		CHECK_EQ("the number follows", number(&rig.payload.offload_bans),
			(uint64_t)(cases[i].v4 + cases[i].v6));
		rig_end(&rig);
	}
}

static void test_lease(void)
{
	struct rig rig;

	rig_make(&rig, 1, 16);
	flood(&rig, BANNED, 4000);
	turns(&rig, 100);
	CHECK_EQ("it is dropped", drops(BANNED, NODE, IPPROTO_TCP), 1u);
	turns(&rig, OFFLOAD_LEASE_S * 1000 - 1200);
	CHECK_EQ("for a lease", drops(BANNED, NODE, IPPROTO_TCP), 1u);
	turns(&rig, 1500);
	CHECK_EQ("then it is seen again", drops(BANNED, NODE, IPPROTO_TCP), 0u);
	turns(&rig, 5000);
	CHECK_EQ("and stays in software when it sends nothing", model.n, 0u);
	flood(&rig, BANNED, 4000);
	turns(&rig, 1100);
	CHECK_EQ("but comes back when it does", drops(BANNED, NODE, IPPROTO_TCP), 1u);
	rig_end(&rig);
}

static void test_image(void)
{
	struct rig rig;

	rig_make(&rig, 1, 16);
	flood(&rig, BANNED, 4000);
	turns(&rig, 100);
	table_offload_follow(rig.offload, rig.world->rules, rig.world->now_ns);
	CHECK_EQ("the same image again leaves the device alone", drops(BANNED, NODE, IPPROTO_TCP), 1u);
	world_list(rig.world, IMAGE_LIST_ALLOW, "203.0.113.0/24");
	world_reload(rig.world);
	table_offload_follow(rig.offload, rig.world->rules, rig.world->now_ns);
	CHECK_EQ("an image that allows it takes it out", model.n, 0u);
	rig_end(&rig);

	rig_make(&rig, 1, 16);
	flood(&rig, BANNED, 4000);
	turns(&rig, 100);
	rig.world->policy.mode = IMAGE_MODE_MONITOR;
	world_reload(rig.world);
	table_offload_follow(rig.offload, rig.world->rules, rig.world->now_ns);
	CHECK_EQ("monitor mode takes all out", model.n, 0u);
	turns(&rig, 1500);
	CHECK_EQ("and puts nothing in", model.n, 0u);
	rig_end(&rig);

	rig_make(&rig, 1, 16);
	flood(&rig, BANNED, 4000);
	turns(&rig, 100);
	rig.world->rules->nodes[0] = address_from_v4(0xc6336463);
	table_offload_follow(rig.offload, rig.world->rules, rig.world->now_ns);
	CHECK_EQ("rules of an address that the node no longer has go", model.n, 0u);
	CHECK_EQ("all are forgotten", number(&rig.payload.offload_bans), (uint64_t)0);
	rig_end(&rig);
}

static void test_bounds(void)
{
	struct rig rig;
	unsigned before;

	rig_make(&rig, 1, 20);
	for (unsigned i = 0; i < 64; i++) {
		char text[32];

		snprintf(text, sizeof(text), "198.18.7.%u", i);
		flood(&rig, text, 2500);
	}
	turns(&rig, 1);
	before = model.creates;
	turns(&rig, 200);
	CHECK_TRUE("at most 50 bans a second go in", model.creates - before <= 2 * 10 + 2);
	turns(&rig, 800);
	CHECK_EQ("and as many as were allowed in all", number(&rig.payload.offload_bans), (uint64_t)20);
	CHECK_EQ("with two rules each", model.n, 40u);
	rig_end(&rig);
}

static void test_refusals(void)
{
	struct rig rig;

	rig_make(&rig, 1, 16);
	model.room = 1;
	flood(&rig, BANNED, 4000);
	turns(&rig, 100);
	CHECK_EQ("a ban goes in whole or not at all", model.n, 0u);
	CHECK_EQ("the refusal is counted", number(&rig.payload.offload_refused), (uint64_t)1);
	CHECK_EQ("and no ban", number(&rig.payload.offload_bans), (uint64_t)0);
	model.room = RULES_MAX;
	for (unsigned second = 0; second < OFFLOAD_LEASE_S - 5; second++) {
		flood(&rig, BANNED, 2000);
		turns(&rig, 1000);
	}
	CHECK_EQ("who has refused is left alone", model.n, 0u);
	for (unsigned second = 0; second < 10; second++) {
		flood(&rig, BANNED, 2000);
		turns(&rig, 1000);
	}
	CHECK_EQ("for a while", drops(BANNED, NODE, IPPROTO_TCP), 1u);
	rig_end(&rig);

	rig_make(&rig, 1, 16);
	flood(&rig, BANNED, 4000);
	flood(&rig, "2001:db8:2:1::77", 4000);
	turns(&rig, 100);
	CHECK_EQ("two bans", number(&rig.payload.offload_bans), (uint64_t)2);
	model.keeps = true;
	command(&rig, COMMAND_BAN_CLEAR, BANNED);
	CHECK_EQ("a rule that cannot be removed alone goes with all others", model.n, 0u);
	CHECK_EQ("which are forgotten", number(&rig.payload.offload_bans), (uint64_t)0);
	model.keeps = false;
	flood(&rig, "2001:db8:2:1::77", 4000);
	turns(&rig, 1100);
	CHECK_EQ("and may come back", drops("2001:db8:2:1::77", NODE_V6, IPPROTO_TCP), 1u);
	model.keeps = model.keeps_all = true;
	command(&rig, COMMAND_BAN_CLEAR, "2001:db8:2:1::/64");
	model.keeps = model.keeps_all = false;
	flood(&rig, "203.0.113.2", 4000);
	turns(&rig, 1100);
	CHECK_EQ("a device that removes nothing gets nothing more", drops("203.0.113.2", NODE, IPPROTO_TCP),
		0u);
	memset(&model, 0, sizeof(model)); /* its rules stay until it is started again, as was said */
	rig_end(&rig);
}

static void test_off(void)
{
	static const struct {
		const char *name;
		unsigned max;
		bool unable;
	} cases[] = {
		{"switched off", 0, false},
		{"a device without rules", 16, true},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct rig rig;

		rig_make(&rig, 1, 16);
		table_offload_destroy(rig.offload);
		rig.options.offload_bans = cases[i].max;
		model.unable = cases[i].unable;
		model.creates = 0;
		CHECK_EQ(cases[i].name,
			table_offload_create(&rig.options, (const struct port(*)[2])rig.pairs,
				&rig.world->stage, &rig.payload, &rig.offload),
			0);
		CHECK_PTR_EQ(cases[i].name, rig.offload, NULL);
		CHECK_PTR_EQ("lcores note nothing", rig.world->stage->heavy, NULL);
		flood(&rig, BANNED, 2000);
		turns(&rig, 100);
		command(&rig, COMMAND_BAN_CLEAR, BANNED);
		table_offload_follow(rig.offload, rig.world->rules, rig.world->now_ns);
		CHECK_EQ("the device is not asked", model.creates, 0u);
		rig_end(&rig);
	}
}

static const struct check_test tests[] = {
	{"a heavy ban becomes rules that match it and nothing else", test_install},
	{"whatever lifts a ban takes it out of the device first", test_commands},
	{"a ban is lent to the device and seen again", test_lease},
	{"an image takes out what it does not ban", test_image},
	{"changes and places are bounded", test_bounds},
	{"a device may refuse anything", test_refusals},
	{"nothing happens where nothing can", test_off},
};
CHECK_MAIN("table_offload", tests)
