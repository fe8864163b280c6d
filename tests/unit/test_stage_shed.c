/* SPDX-License-Identifier: BSD-3-Clause
 * The shed against the stage without it: twins see the same random bursts of both sides, one of them with the shed always on.
 * Whatever is shed must be what the other drops, with the same reason but for the differences that stage.h names. Then
 * cases by name, and when the shed begins and ends. Seeds are fixed and printed.
 */
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/stage_world.h"
#include "tests/unit/table_support.h"

enum { BURST = 32, BURSTS = 3000, STEP_MS = 1000 };

#define NODE_V4 "198.51.100.1"
#define NODE_V6 "2001:db8:1::1"

/* Each is another case of row 6. */
static const char *const clients[] = {
	"203.0.113.1",    /* banned */
	"203.0.113.2",    /* banned and allowed */
	"203.0.113.3",    /* banned and denied */
	"203.0.113.4",    /* throttled */
	"203.0.113.5",    /* its ban ends */
	"203.0.113.6",    /* nothing, then commands */
	"192.0.2.1",      /* in a banned prefix */
	"192.0.2.2",      /* banned, in a banned prefix */
	"2001:db8:2::1",  /* its /64 is banned */
	"2001:db8:3::1",  /* banned exactly */
	"2001:db8:3::2",  /* its neighbour */
	"2001:db8:4::1",  /* its /64 is throttled, it is banned exactly */
	"2001:db8:5::1",  /* its /64 is banned and allowed */
	"2001:db8:6::1",  /* nothing, then commands */
	NODE_V4,          /* a banned address of the node's own: somebody pretends */
};

static void rules_fill(struct world *world)
{
	world_ban(world, "203.0.113.1", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "203.0.113.2", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_list(world, IMAGE_LIST_ALLOW, "203.0.113.2");
	world_ban(world, "203.0.113.3", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_list(world, IMAGE_LIST_DENY, "203.0.113.3");
	world_ban(world, "203.0.113.4", SOURCE_CLASS_THROTTLED, BAN_META_NEVER);
	world_ban(world, "203.0.113.5", SOURCE_CLASS_BANNED, 1000 + BURSTS * STEP_MS / 1000 / 2);
	world_ban(world, "192.0.2.0/24", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "192.0.2.2", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "2001:db8:2::/64", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "2001:db8:3::1", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "2001:db8:4::/64", SOURCE_CLASS_THROTTLED, BAN_META_NEVER);
	world_ban(world, "2001:db8:4::1", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "2001:db8:5::/64", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_list(world, IMAGE_LIST_ALLOW, "2001:db8:5::/64");
	world_ban(world, NODE_V4, SOURCE_CLASS_BANNED, BAN_META_NEVER);
	/* Later than a flow that only its next packet or the walk cuts is looked at, and never at a burst. */
	world->policy.closing_timeout_ms = 4 * STEP_MS + 100;
	world->services[WORLD_SERVICE_UDP].quic = 0;
}

static const uint8_t router_alert[4] = {148, 4, 0, 0}, padding[6] = {1, 4, 0, 0, 0, 0};

static struct frame_spec random_spec(uint64_t *random, enum side side)
{
	static const uint8_t flags[] = {TCP_FLAG_SYN, TCP_FLAG_SYN, TCP_FLAG_SYN | TCP_FLAG_ECE | TCP_FLAG_CWR,
		TCP_FLAG_SYN | TCP_FLAG_ACK, TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_FIN | TCP_FLAG_ACK, TCP_FLAG_SYN | TCP_FLAG_FIN};
	static const uint8_t protocols[] = {6, 6, 6, 17, 17, 1, 47};
	static const uint16_t node_ports[] = {30303, 30304, 30305, 22};
	const char *client = clients[random_next(random) % CHECK_COUNT(clients)];
	const char *node = strchr(client, ':') != NULL ? NODE_V6 : NODE_V4;
	uint16_t client_port = (uint16_t)(40000 + random_next(random) % 3), node_port = node_ports[random_next(random) % 4];
	bool outside = side == SIDE_OUTSIDE, is_v4 = node[0] == '1';
	unsigned odd = (unsigned)(random_next(random) % 16);
	struct frame_spec spec = {
		.source = outside ? client : node,
		.destination = outside ? client == clients[CHECK_COUNT(clients) - 1] ? "198.51.100.9" : node : client,
		.protocol = protocols[random_next(random) % CHECK_COUNT(protocols)],
		.source_port = outside ? client_port : node_port,
		.destination_port = outside ? node_port : client_port,
		.sequence = 1000,
		/* Read four bytes too early, the second is where the flags would be. */
		.acknowledgement = random_next(random) % 2 ? 1001 : (uint32_t)TCP_FLAG_SYN << 16,
		.tcp_flags = flags[random_next(random) % CHECK_COUNT(flags)],
		.icmp_type = is_v4 ? 8 : 128,
		.payload_bytes = (uint16_t)(random_next(random) % 3 * 40),
	};

	if (odd == 0)
		spec.n_vlans = 1;
	else if (odd == 1 && outside)
		spec.destination = is_v4 ? "198.51.100.77" : "2001:db8:1::77"; /* not the node */
	else if (odd == 2 && is_v4)
		spec.ip_options = router_alert, spec.ip_options_bytes = sizeof(router_alert);
	else if (odd == 2)
		spec.n_extensions = 1, spec.extensions[0] = (struct frame_extension){.type = 60, .body = padding, .body_bytes = 6};
	else if (odd == 3)
		spec.more_fragments = true, spec.payload_bytes = 160, spec.fragment_bytes = 80;
	else if (odd == 4)
		spec.payload_bytes = 160, spec.fragment_offset = 80;
	return spec;
}

/* Wrong bytes behind the addresses, lengths and checksums included, and short frames. */
static void damage(struct frame *frame, uint64_t *random)
{
	uint64_t what = random_next(random);

	if (what % 8 == 0)
		frame->bytes[12 + (what >> 8) % (frame->n - 12)] ^= (uint8_t)(1u << (what >> 32) % 8);
	else if (what % 8 == 1)
		frame_cut(frame, (uint32_t)((what >> 8) % frame->n));
}

struct burst {
	struct frame frames[BURST];
	enum side side;
};

static void burst_make(struct burst *burst, uint64_t *random)
{
	burst->side = random_next(random) % 4 != 0 ? SIDE_OUTSIDE : SIDE_INSIDE;
	for (unsigned i = 0; i < BURST; i++) {
		struct frame_spec spec = random_spec(random, burst->side);

		frame_make(&spec, &burst->frames[i]);
		if (random_next(random) % 4 == 0)
			damage(&burst->frames[i], random);
	}
}

static void arrival_make(const struct frame *frame, enum side side, struct arrival *arrival)
{
	memset(arrival, 0, sizeof(*arrival));
	arrival->frame = frame->bytes;
	arrival->frame_bytes = frame->n;
	arrival->side = side;
	arrival->malformed =
		packet_parse(frame->bytes, frame->n, NULL, 0, frame->n, PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &arrival->packet);
}

/* What is shed gets REASON_BANNED; returns which. */
static uint64_t decide(struct world *world, const struct burst *burst, bool shed, struct decision decisions[BURST])
{
	struct arrival arrivals[BURST], *pointers[BURST];
	struct shed_frame heads[BURST];
	struct decision rest[BURST];
	unsigned n = 0;
	uint64_t banned = 0;

	for (unsigned i = 0; i < BURST; i++)
		heads[i] = (struct shed_frame){.data = burst->frames[i].bytes, .bytes = burst->frames[i].n};
	if (shed && burst->side == SIDE_OUTSIDE)
		banned = stage_shed(world->stage, world->rules, heads, BURST, world->now_ns);
	for (unsigned i = 0; i < BURST; i++) {
		arrival_make(&burst->frames[i], burst->side, &arrivals[i]);
		if (!(banned >> i & 1))
			pointers[n++] = &arrivals[i];
	}
	stage_decide_burst(world->stage, world->rules, pointers, n, world->now_ns, rest);
	n = 0;
	for (unsigned i = 0; i < BURST; i++)
		decisions[i] = banned >> i & 1 ? (struct decision){.reason = REASON_BANNED, .verdict = VERDICT_DROP} : rest[n++];
	return banned;
}

/* A frame that is shed though the stage gives another reason. */
static bool difference_is_named(enum reason reason)
{
	return reason_info(reason)->row == 1 || reason == REASON_FLOW_CUT;
}

struct tally {
	uint64_t shed, differ[REASON_COUNT], wrong;
};

static void burst_compare(const struct decision plain[BURST], const struct decision twin[BURST], uint64_t banned, struct tally *tally)
{
	for (unsigned i = 0; i < BURST; i++) {
		enum reason reason = (enum reason)plain[i].reason;

		tally->shed += banned >> i & 1;
		if (twin[i].reason == reason && twin[i].verdict == plain[i].verdict && twin[i].action == plain[i].action)
			continue;
		if ((banned >> i & 1) && plain[i].verdict != VERDICT_FORWARD && difference_is_named(reason))
			tally->differ[reason]++;
		else
			tally->wrong++;
	}
}

static void random_command(struct world *worlds[2], uint64_t *random)
{
	static const char *const prefixes[] = {"203.0.113.6", "2001:db8:6::/64", "203.0.113.6/31", "2001:db8:6::/63"};
	const char *prefix = prefixes[random_next(random) % CHECK_COUNT(prefixes)];
	uint32_t meta = ban_meta_make(SOURCE_CLASS_BANNED, (uint32_t)(worlds[0]->now_ns / 1000000000) + 20);
	bool allow = random_next(random) % 4 == 0;

	for (unsigned w = 0; w < 2; w++) {
		world_command(worlds[w], allow ? COMMAND_ALLOW_SET : COMMAND_BAN_SET, prefix, allow ? 0 : meta);
		if (allow)
			world_command(worlds[w], COMMAND_ALLOW_CLEAR, prefix, 0);
	}
}

static void counters_compare(const char *name, struct world *worlds[2], const struct tally *tally)
{
	uint64_t moved = 0;

	for (unsigned r = 0; r < REASON_COUNT; r++) {
		moved += tally->differ[r];
		if (r != REASON_BANNED)
			CHECK_EQ(reason_info((enum reason)r)->name,
				world_reason(worlds[0], (enum reason)r) - world_reason(worlds[1], (enum reason)r), tally->differ[r]);
	}
	CHECK_EQ(name, world_reason(worlds[1], REASON_BANNED) - world_reason(worlds[0], REASON_BANNED), moved);
	for (unsigned c = 0; c < COUNTER_COUNT; c++) {
		uint64_t a = world_counter(worlds[0], (enum counter)c), b = world_counter(worlds[1], (enum counter)c);

		if (c == COUNTER_ATTEMPTS)
			CHECK_TRUE("a malformed attempt of a banned source counts as one", b >= a && b - a <= moved);
		else
			CHECK_EQ(counter_info((enum counter)c)->name, b, a);
	}
}

static void twins_play(uint64_t seed, uint8_t mode)
{
	struct world *worlds[2] = {world_create(), world_create()};
	struct tally tally = {0};
	static struct burst burst;
	uint64_t random = seed;
	char name[64];

	snprintf(name, sizeof(name), "seed %llu", (unsigned long long)seed);
	for (unsigned w = 0; w < 2; w++) {
		rules_fill(worlds[w]);
		worlds[w]->policy.mode = mode;
		world_start(worlds[w]);
	}
	for (unsigned i = 0; i < BURSTS; i++) {
		struct decision decisions[2][BURST];
		uint64_t banned = 0;

		if (random_next(&random) % 16 == 0)
			random_command(worlds, &random);
		burst_make(&burst, &random);
		for (unsigned w = 0; w < 2; w++) {
			world_pass(worlds[w], (uint64_t)(i + 1) * STEP_MS);
			worlds[w]->n_events = worlds[w]->n_segments = 0;
			banned = decide(worlds[w], &burst, w == 1, decisions[w]);
		}
		burst_compare(decisions[0], decisions[1], banned, &tally);
	}
	for (unsigned w = 0; w < 2; w++)
		world_pass(worlds[w], (uint64_t)BURSTS * STEP_MS + 8000000);
	CHECK_EQ(name, tally.wrong, (uint64_t)0);
	counters_compare(name, worlds, &tally);
	if (mode == IMAGE_MODE_MONITOR)
		CHECK_EQ("monitor mode sheds nothing", tally.shed, (uint64_t)0);
	else
		CHECK_TRUE("much was shed, some of it malformed", tally.shed > BURSTS && tally.differ[REASON_BAD_TCP_CHECKSUM] > 0);
	for (unsigned w = 0; w < 2; w++)
		world_destroy(worlds[w]);
}

static void test_twins(void)
{
	for (uint64_t seed = 1; seed <= 3; seed++)
		twins_play(seed, IMAGE_MODE_ENFORCE);
	twins_play(4, IMAGE_MODE_MONITOR);
}

static bool is_shed(struct world *world, const struct frame_spec *spec)
{
	struct frame frame;
	struct shed_frame head;

	frame_make(spec, &frame);
	head = (struct shed_frame){.data = frame.bytes, .bytes = frame.n};
	return stage_shed(world->stage, world->rules, &head, 1, world->now_ns) != 0;
}

static void test_cases(void)
{
	const struct {
		const char *name;
		struct frame_spec spec;
		bool shed;
	} cases[] = {
		{"a SYN of a banned address is shed", world_syn("203.0.113.1", 1, 30303), true},
		{"to a port without a service as well", world_syn("203.0.113.1", 1, 22), true},
		{"of an address in a banned /64", world_syn("2001:db8:2::1", 1, 30303), true},
		{"of an IPv6 address that is banned alone", world_syn("2001:db8:3::1", 1, 30303), true},
		{"of one whose /64 has a weaker entry", world_syn("2001:db8:4::1", 1, 30303), true},
		{"of one that is banned twice over", world_syn("192.0.2.2", 1, 30303), true},
		{"its neighbour's is not", world_syn("2001:db8:3::2", 1, 30303), false},
		{"nor that of an allowed address", world_syn("203.0.113.2", 1, 30303), false},
		{"nor that of an allowed /64", world_syn("2001:db8:5::1", 1, 30303), false},
		{"the deny list has a reason of its own", world_syn("203.0.113.3", 1, 30303), false},
		{"a weaker entry is no ban", world_syn("203.0.113.4", 1, 30303), false},
		{"a banned prefix is left to the stage", world_syn("192.0.2.1", 1, 30303), false},
		{"so is a segment that is no attempt",
			{.source = "203.0.113.1", .destination = NODE_V4, .protocol = 6, .tcp_flags = TCP_FLAG_ACK}, false},
		{"and ICMP", {.source = "203.0.113.1", .destination = NODE_V4, .protocol = 1, .icmp_type = 8, .payload_bytes = 40}, false},
		{"and a datagram to a QUIC service",
			{.source = "203.0.113.1", .destination = NODE_V4, .protocol = 17, .payload_bytes = 40}, false},
		{"but any other datagram is an attempt",
			{.source = "203.0.113.1", .destination = NODE_V4, .protocol = 17, .destination_port = 53, .payload_bytes = 40}, true},
		{"a first fragment is left to the stage",
			{.source = "203.0.113.1", .destination = NODE_V4, .protocol = 17, .destination_port = 53, .payload_bytes = 160,
				.more_fragments = true, .fragment_bytes = 80},
			false},
		{"and so is a later one, which has no ports",
			{.source = "203.0.113.1", .destination = NODE_V4, .protocol = 17, .payload_bytes = 160, .fragment_offset = 80}, false},
		{"what goes to somebody else is not ours",
			{.source = "203.0.113.1", .destination = "198.51.100.2", .protocol = 6, .tcp_flags = TCP_FLAG_SYN}, false},
	};
	struct world *world = world_create();

	rules_fill(world);
	world->services[WORLD_SERVICE_UDP].quic = 1;
	world_start(world);
	for (size_t c = 0; c < CHECK_COUNT(cases); c++)
		CHECK_EQ(cases[c].name, is_shed(world, &cases[c].spec), cases[c].shed);
	CHECK_EQ("each is counted once", world_reason(world, REASON_BANNED), (uint64_t)7);
	world_destroy(world);
}

/* Neither family's header is whole in the piece that the shed is shown. */
static void test_short(void)
{
	static const char *const sources[] = {"203.0.113.1", "2001:db8:2::1"};
	struct world *world = world_create();

	rules_fill(world);
	world_start(world);
	for (unsigned i = 0; i < 2; i++) {
		struct frame_spec syn = world_syn(sources[i], 1, 30303);
		struct shed_frame head;
		struct frame frame;

		frame_make(&syn, &frame);
			head = (struct shed_frame){.data = frame.bytes, .bytes = frame.l4 + 19};
		CHECK_EQ(sources[i], stage_shed(world->stage, world->rules, &head, 1, world->now_ns), (uint64_t)0);
		head.bytes++;
		CHECK_EQ(sources[i], stage_shed(world->stage, world->rules, &head, 1, world->now_ns), (uint64_t)1);
	}
	world_destroy(world);
}

static void test_closed(void)
{
	struct world *world = world_create();
	struct frame_spec syn = world_syn("203.0.113.1", 1, 30303);

	rules_fill(world);
	world->policy.accept_inbound = 0;
	world_start(world);
	CHECK_FALSE("a closed node answers the banned like all", is_shed(world, &syn));
	world_destroy(world);
}

/* An established connection of a source that has just been banned, which goes on sending SYNs. */
static void test_cut(void)
{
	struct world *world = world_create();
	struct frame_spec syn = world_syn("203.0.113.6", 1, 30303);

	world_start(world);
	CHECK_EQ("it connects", world_connect(world, 10, "203.0.113.6", 1), REASON_ADMITTED);
	world_command(world, COMMAND_BAN_SET, "203.0.113.6", ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
	CHECK_TRUE("its SYNs are shed", is_shed(world, &syn));
	CHECK_EQ("which cuts nothing", world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)0);
	world_pass(world, 520);
	CHECK_EQ("the walk cuts its connection", world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)1);
	CHECK_EQ("with a RST to both ends", world->n_segments, 2u);
	world_destroy(world);
}

/* `banned` of 32 in each burst, until a window is over. Does the shed take any of the last one, with which the next begins? */
static bool window_play(struct world *world, unsigned banned)
{
	enum reason reasons[BURST];
	struct frame_spec specs[BURST];
	struct frame frames[BURST];
	struct shed_frame heads[BURST];
	bool took = false;

	for (unsigned n = 0; n < 1024; n += BURST) {
		for (unsigned i = 0; i < BURST; i++) {
			specs[i] = world_syn(i < banned ? "203.0.113.1" : "203.0.113.6", (uint16_t)(1 + n + i), 30303);
			frame_make(&specs[i], &frames[i]);
			heads[i] = (struct shed_frame){.data = frames[i].bytes, .bytes = frames[i].n};
		}
		took = stage_shed_pays(world->stage, BURST) &&
		       stage_shed(world->stage, world->rules, heads, BURST, world->now_ns) != 0;
		if (took)
			world_send_burst(world, 10, SIDE_OUTSIDE, specs + banned, BURST - banned, reasons);
		else
			world_send_burst(world, 10, SIDE_OUTSIDE, specs, BURST, reasons);
	}
	return took;
}

static void test_share(void)
{
	static const struct {
		const char *name;
		unsigned banned;
		bool on;
	} steps[] = {
		{"a fifth of the traffic is banned: nothing is shed", 6, false},
		{"still nothing", 6, false},
		{"half of it: from the end of this window on", 16, true},
		{"and in the next", 16, true},
		{"a fifth is enough to go on", 6, true},
		{"for ever", 6, true},
		{"a sixteenth is not: it ends with the window", 2, false},
		{"and a fifth does not bring it back", 6, false},
		{"nor after a window of them", 6, false},
	};
	struct world *world = world_create();

	rules_fill(world);
	world->services[WORLD_SERVICE_TCP].challenge = IMAGE_CHALLENGE_OFF;
	world_start(world);
	for (size_t s = 0; s < CHECK_COUNT(steps); s++)
		CHECK_EQ(steps[s].name, window_play(world, steps[s].banned), steps[s].on);
	world_destroy(world);
}

static void test_heavy(void)
{
	struct heavy_bans heavy = {.skip = 3};
	struct world *world = world_create();
	struct frame_spec syn = world_syn("203.0.113.1", 1, 30303);
	struct heavy_ban bans[HEAVY_BANS_PLACES];

	rules_fill(world);
	world_start(world);
	world->stage->heavy = &heavy;
	for (unsigned i = 0; i < 64 * HEAVY_BANS_SAMPLING; i++)
		CHECK_TRUE("shed", is_shed(world, &syn));
	CHECK_EQ("who is shed most is known to those who fill devices",
		heavy_bans_read(&heavy, (uint32_t)(world->now_ns / 1000000000), bans), 1u);
	CHECK_TRUE("in its weight", bans[0].weight > 48 && bans[0].weight < 90);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"with the shed and without it, the same happens to random traffic", test_twins},
	{"what is shed and what is left to the stage", test_cases},
	{"a piece without the whole TCP header sheds nothing", test_short},
	{"a closed node sheds nothing", test_closed},
	{"shed SYNs do not save a connection", test_cut},
	{"the shed begins when a quarter is banned and ends below a sixth", test_share},
	{"the heaviest of the shed are sampled", test_heavy},
};
CHECK_MAIN("stage_shed", tests)
