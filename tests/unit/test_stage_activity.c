/* SPDX-License-Identifier: BSD-3-Clause
 * Idle and straggling flows: what each script of segments is worth to the limits, by when a flow is cut and
 * until when it must live; who is exempt; reloads, restarts and the bound of cuts a second. Real frames,
 * injected clock.
 */
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/stage_world.h"

#define CLIENT "203.0.113.7"
#define NODE   "198.51.100.1"
enum {
	SYN = TCP_FLAG_SYN,
	ACK = TCP_FLAG_ACK,
	FIN = TCP_FLAG_FIN,
	BEGIN_MS = 2000, /* of the connection */
	/* A cut may come so much behind its limit: times are kept in units of 2 s, the table is walked every
	 * 400 ms, and the world steps every 100 ms. */
	LATE_MS = 2000 + 400 + 100 + 100,
};

enum act {
	NOTHING,
	CLIENT_DATA,     /* new bytes; acknowledges nothing new */
	CLIENT_DATA_ACK, /* new bytes; acknowledges all */
	CLIENT_AGAIN,    /* the last byte once more, as a keep-alive probe does */
	CLIENT_ACK,      /* acknowledges all */
	CLIENT_ACK_SOME, /* acknowledges one byte more */
	CLIENT_FIN,      /* acknowledges all */
	NODE_DATA,       /* new bytes; acknowledges all */
	NODE_AGAIN,
	NODE_ACK,
};

/* One connection from both ends. */
struct ends {
	struct world *world;
	uint32_t client_next, node_next, client_has; /* client_has: what it has acknowledged */
};

static enum reason from_client(
	struct ends *ends, uint64_t at_ms, uint8_t flags, uint32_t sequence, uint16_t bytes)
{
	struct frame_spec spec = {.source = CLIENT,
		.destination = NODE,
		.protocol = 6,
		.source_port = 40000,
		.destination_port = 30303,
		.sequence = sequence,
		.acknowledgement = ends->client_has,
		.tcp_flags = flags,
		.payload_bytes = bytes};

	return world_send(ends->world, at_ms, SIDE_OUTSIDE, &spec);
}

static enum reason from_node(struct ends *ends, uint64_t at_ms, uint32_t sequence, uint16_t bytes)
{
	struct frame_spec spec = {.source = NODE,
		.destination = CLIENT,
		.protocol = 6,
		.source_port = 30303,
		.destination_port = 40000,
		.sequence = sequence,
		.acknowledgement = ends->client_next,
		.tcp_flags = ACK,
		.payload_bytes = bytes};

	return world_send(ends->world, at_ms, SIDE_INSIDE, &spec);
}

static enum reason act(struct ends *ends, uint64_t at_ms, enum act what)
{
	enum reason reason = REASON_FLOW;

	if (what == CLIENT_DATA_ACK || what == CLIENT_ACK || what == CLIENT_FIN)
		ends->client_has = ends->node_next;
	switch (what) {
	case CLIENT_DATA:
	case CLIENT_DATA_ACK:
		reason = from_client(ends, at_ms, ACK, ends->client_next, 100);
		ends->client_next += 100;
		break;
	case CLIENT_AGAIN:
		return from_client(ends, at_ms, ACK, ends->client_next - 1, 1);
	case CLIENT_ACK_SOME:
		ends->client_has++;
		return from_client(ends, at_ms, ACK, ends->client_next, 0);
	case CLIENT_ACK:
		return from_client(ends, at_ms, ACK, ends->client_next, 0);
	case CLIENT_FIN:
		reason = from_client(ends, at_ms, ACK | FIN, ends->client_next, 0);
		ends->client_next++;
		break;
	case NODE_DATA:
		reason = from_node(ends, at_ms, ends->node_next, 100);
		ends->node_next += 100;
		break;
	case NODE_AGAIN:
		return from_node(ends, at_ms, ends->node_next - 100, 100);
	case NODE_ACK:
		return from_node(ends, at_ms, ends->node_next, 0);
	case NOTHING:
		break;
	}
	return reason;
}

/* The world's clock begins at second 1000: with this much added, 2^16 units of 2 s are full 8 s into the
 * tests' time. */
#define WRAP_MS UINT64_C(130064000)

static struct world *world_limited(uint64_t base_ms, uint32_t idle_ms, uint32_t straggler_ms)
{
	struct world *world = world_create();

	world->policy.payload_idle_timeout_ms = idle_ms;
	world->policy.straggler_timeout_ms = straggler_ms;
	world->now_ns += base_ms * 1000000;
	return world;
}

static const struct event_record *closed_event(const struct world *world)
{
	for (unsigned i = 0; i < world->n_events; i++)
		if (world->events[i].kind == EVENT_FLOW_CLOSED)
			return &world->events[i];
	return NULL;
}

struct row {
	const char *name;
	uint32_t idle_ms, straggler_ms;
	struct {
		uint32_t at_ms;
		enum act act;
	} acts[8];
	uint32_t due_ms; /* when the limit is reached; 0: never */
	enum closed_how how;
};

static const struct row rows[] = {
	{"a flow that says nothing is idle from its proof", 10000, 0, {{0}}, BEGIN_MS + 10000,
		CLOSED_HOW_IDLE},
	{"the client's data begins its time anew", 10000, 0, {{8700, CLIENT_DATA}}, 18700, CLOSED_HOW_IDLE},
	{"the node's data does too", 10000, 0, {{8700, NODE_DATA}, {8710, CLIENT_ACK}}, 18700,
		CLOSED_HOW_IDLE},
	{"acknowledgements are no payload", 10000, 0,
		{{5000, CLIENT_ACK}, {7000, NODE_ACK}, {9000, CLIENT_ACK}, {11000, CLIENT_ACK}},
		BEGIN_MS + 10000, CLOSED_HOW_IDLE},
	{"nor is a keep-alive probe with an old byte", 10000, 0,
		{{2100, CLIENT_DATA}, {5000, CLIENT_AGAIN}, {9000, CLIENT_AGAIN}, {11000, CLIENT_AGAIN}},
		12100, CLOSED_HOW_IDLE},
	{"nor what the node sends again", 10000, 0,
		{{2100, NODE_DATA}, {5000, NODE_AGAIN}, {11000, NODE_AGAIN}}, 12100, CLOSED_HOW_IDLE},
	{"who speaks in time is left alone", 10000, 0,
		{{9000, CLIENT_DATA}, {17000, NODE_DATA}, {25000, CLIENT_DATA}, {33000, CLIENT_DATA},
			{41000, CLIENT_DATA}},
		51000, CLOSED_HOW_IDLE},
	{"half closed is no excuse", 10000, 0, {{3000, CLIENT_FIN}, {3001, NODE_ACK}, {9000, CLIENT_ACK}},
		BEGIN_MS + 10000, CLOSED_HOW_IDLE},
	{"no limits, no cut", 0, 0, {{3000, NODE_DATA}, {4000, NODE_AGAIN}}, 0, CLOSED_HOW_NONE},

	{"what the client never acknowledges makes a straggler", 0, 10000,
		{{4300, NODE_DATA}, {5000, NODE_AGAIN}, {8000, NODE_AGAIN}, {12000, NODE_AGAIN}}, 14300,
		CLOSED_HOW_STRAGGLER},
	{"more of it does not begin its time anew", 0, 10000,
		{{4300, NODE_DATA}, {8000, NODE_DATA}, {12000, NODE_DATA}}, 14300, CLOSED_HOW_STRAGGLER},
	{"nor does the client's own data", 0, 10000,
		{{4300, NODE_DATA}, {8000, CLIENT_DATA}, {13000, CLIENT_DATA}}, 14300, CLOSED_HOW_STRAGGLER},
	{"an acknowledgement of some of it does", 0, 10000, {{4300, NODE_DATA}, {12500, CLIENT_ACK_SOME}},
		22500, CLOSED_HOW_STRAGGLER},
	{"the same acknowledgement twice does it once", 0, 10000,
		{{4300, NODE_DATA}, {9000, CLIENT_ACK_SOME}, {15000, CLIENT_DATA}}, 19000,
		CLOSED_HOW_STRAGGLER},
	{"who has acknowledged all is none, however long he is silent", 0, 10000,
		{{4000, NODE_DATA}, {4500, CLIENT_ACK}}, 0, CLOSED_HOW_NONE},
	{"and has his whole time when the node speaks again", 0, 10000,
		{{4000, NODE_DATA}, {4500, CLIENT_ACK}, {30600, NODE_DATA}}, 40600, CLOSED_HOW_STRAGGLER},
	{"where nothing was sent nobody straggles", 0, 10000, {{0}}, 0, CLOSED_HOW_NONE},
	{"the shorter limit decides: straggler", 20000, 10000, {{4300, NODE_DATA}}, 14300,
		CLOSED_HOW_STRAGGLER},
	{"the shorter limit decides: idle", 8000, 20000, {{4300, NODE_DATA}}, 12300, CLOSED_HOW_IDLE},
};

static void play(const struct row *row, uint64_t base_ms)
{
	struct world *world = world_limited(base_ms, row->idle_ms, row->straggler_ms);
	struct ends ends = {.world = world, .client_next = 1001, .node_next = 5001, .client_has = 5001};
	uint64_t due_ms = base_ms + (row->due_ms != 0 ? row->due_ms : 120000);
	const struct event_record *event;

	world_start(world);
	CHECK_EQ(row->name, world_connect(world, base_ms + BEGIN_MS, CLIENT, 40000), REASON_ADMITTED);
	for (unsigned i = 0; i < CHECK_COUNT(row->acts) && row->acts[i].act != NOTHING; i++)
		CHECK_EQ(row->name, act(&ends, base_ms + row->acts[i].at_ms, row->acts[i].act), REASON_FLOW);
	world_pass(world, due_ms - 1);
	event = closed_event(world);
	CHECK_TRUE(row->name, event == NULL);
	if (row->due_ms != 0) {
		world_pass(world, due_ms + LATE_MS);
		event = closed_event(world);
		if (!CHECK_TRUE(row->name, event != NULL))
			return;
		CHECK_EQ(row->name, event->closed_by, (uint8_t)CLOSED_BY_WEIR);
		CHECK_EQ(row->name, event->closed_how, (uint8_t)row->how);
		CHECK_EQ(row->name, world_counter(world, COUNTER_FLOWS_IDLE),
			(uint64_t)(row->how == CLOSED_HOW_IDLE));
		CHECK_EQ(row->name, world_counter(world, COUNTER_FLOWS_STRAGGLING),
			(uint64_t)(row->how == CLOSED_HOW_STRAGGLER));
		CHECK_EQ(row->name, world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)0);
		CHECK_TRUE(row->name, world->n_segments >= 2 && world->segment_sides[0] == SIDE_OUTSIDE);
		CHECK_EQ(row->name, world->segment_sides[world->n_segments - 1], SIDE_INSIDE);
		CHECK_EQ(row->name, act(&ends, due_ms + LATE_MS, CLIENT_DATA), REASON_FLOW_CUT);
	}
	world_destroy(world);
}

static void test_rows(void)
{
	for (size_t i = 0; i < CHECK_COUNT(rows); i++)
		play(&rows[i], 0);
}

static void test_wrap(void)
{
	for (size_t i = 0; i < CHECK_COUNT(rows); i++)
		play(&rows[i], WRAP_MS);
}

enum exemption { NONE, ALLOWED, ADOPTED_ALLOWED, OUTBOUND, UDP, MONITOR, HALF_OPEN };

static void begin_exempt(struct world *world, enum exemption exemption)
{
	struct frame_spec dial = {.source = NODE,
		.destination = CLIENT,
		.protocol = 6,
		.source_port = 30303,
		.destination_port = 40000,
		.sequence = 5000,
		.tcp_flags = SYN};
	struct frame_spec answer = world_syn(CLIENT, 40000, 30303);
	struct ends ends = {.world = world, .client_next = 1001, .node_next = 5001, .client_has = 5001};

	answer.tcp_flags = SYN | ACK;
	answer.acknowledgement = 5001;
	switch (exemption) {
	case OUTBOUND:
		CHECK_EQ("the node dials", world_send(world, BEGIN_MS, SIDE_INSIDE, &dial),
			REASON_FLOW_FROM_NODE);
		CHECK_EQ("and is answered", world_send(world, BEGIN_MS + 1, SIDE_OUTSIDE, &answer),
			REASON_FLOW);
		return;
	case UDP:
		CHECK_EQ(
			"a datagram", world_send_udp(world, BEGIN_MS, CLIENT, 40000, 30303), REASON_ADMITTED);
		return;
	case HALF_OPEN:
		CHECK_EQ("a SYN", world_send_syn(world, BEGIN_MS, CLIENT, 40000, 30303), REASON_ADMITTED);
		return;
	case ADOPTED_ALLOWED:
		CHECK_EQ("a client goes on with a flow that is older than Weir", act(&ends, 500, CLIENT_DATA),
			REASON_FLOW_ADOPTED);
		CHECK_EQ("which its node confirms", act(&ends, 501, NODE_DATA), REASON_FLOW);
		CHECK_EQ("and so proves", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
		return;
	default:
		CHECK_EQ("a connection", world_connect(world, BEGIN_MS, CLIENT, 40000), REASON_ADMITTED);
	}
}

static void test_exempt(void)
{
	static const struct {
		const char *name;
		enum exemption exemption;
		uint64_t cut;
	} cases[] = {
		{"without an exemption it is cut", NONE, 1},
		{"a source on the allow list may be idle", ALLOWED, 0},
		{"so may one whose flow was adopted", ADOPTED_ALLOWED, 0},
		{"a flow that the node opened may be idle", OUTBOUND, 0},
		{"UDP has a time-out of its own", UDP, 0},
		{"in monitor mode nothing is cut", MONITOR, 0},
		{"a half-open flow has a time-out of its own", HALF_OPEN, 0},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = world_limited(0, 3000, 0);

		world->policy.half_open_timeout_ms = 60000;
		if (cases[i].exemption == ALLOWED || cases[i].exemption == ADOPTED_ALLOWED)
			world_list(world, IMAGE_LIST_ALLOW, CLIENT "/32");
		if (cases[i].exemption == MONITOR)
			world->policy.mode = IMAGE_MODE_MONITOR;
		world_start(world);
		begin_exempt(world, cases[i].exemption);
		world_pass(world, BEGIN_MS + 20000);
		CHECK_EQ(cases[i].name, world_counter(world, COUNTER_FLOWS_IDLE), cases[i].cut);
		CHECK_EQ(cases[i].name, world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)0);
		CHECK_TRUE(cases[i].name, world_counter(world, COUNTER_CUTS_PUT_OFF) == 0);
		world_destroy(world);
	}
}

static struct flow *only_flow(struct world *world)
{
	struct flow_key key = {.client_port = 40000, .node_port = 30303, .node = 0, .protocol = 6};

	address_parse(CLIENT, &key.client);
	return flow_table_lookup(world->flows, &key, flow_table_prefetch(world->flows, &key));
}

static void test_off(void)
{
	struct world *world = world_limited(0, 0, 0);
	struct ends ends = {.world = world, .client_next = 1001, .node_next = 5001, .client_has = 5001};
	const struct flow_activity *activity;

	world_start(world);
	CHECK_EQ("a connection", world_connect(world, BEGIN_MS, CLIENT, 40000), REASON_ADMITTED);
	act(&ends, 3000, NODE_DATA);
	act(&ends, 3001, CLIENT_DATA_ACK);
	activity = flow_table_activity(world->flows, only_flow(world));
	CHECK_TRUE("without a limit no packet writes an activity",
		activity->payload_at == 0 && activity->progress_at == 0);
	world_pass(world, 100000);
	world->policy.payload_idle_timeout_ms = 10000;
	world->policy.straggler_timeout_ms = 20000;
	world_reload(world);
	world_pass(world, 109900);
	CHECK_EQ("a limit that comes by reload counts from the reload",
		world_counter(world, COUNTER_FLOWS_IDLE), (uint64_t)0);
	world_pass(world, 110000 + LATE_MS);
	CHECK_EQ("and then cuts", world_counter(world, COUNTER_FLOWS_IDLE), (uint64_t)1);
	world_destroy(world);

	world = world_limited(0, 10000, 0);
	ends = (struct ends){.world = world, .client_next = 1001, .node_next = 5001, .client_has = 5001};
	world_start(world);
	CHECK_EQ(
		"a connection under a limit", world_connect(world, BEGIN_MS, CLIENT, 40000), REASON_ADMITTED);
	world_pass(world, 8000);
	world->policy.payload_idle_timeout_ms = 0;
	world_reload(world);
	world_pass(world, 50000);
	CHECK_EQ("a limit that a reload takes away cuts nobody", act(&ends, 50000, CLIENT_DATA), REASON_FLOW);
	world_pass(world, 70000);
	world->policy.payload_idle_timeout_ms = 10000;
	world_reload(world);
	world_pass(world, 79900);
	CHECK_EQ("and back, it does not know what it did not watch", world_counter(world, COUNTER_FLOWS_IDLE),
		(uint64_t)0);
	world_pass(world, 80000 + LATE_MS);
	CHECK_EQ("but counts from then", world_counter(world, COUNTER_FLOWS_IDLE), (uint64_t)1);
	world_destroy(world);
}

static void test_bound(void)
{
	enum { FLOWS = 3000, A_SECOND = 1000, AT_ONCE = 100 };
	struct world *world = world_limited(0, 1000000, 0);
	uint64_t cut;

	world->services[WORLD_SERVICE_TCP].challenge = IMAGE_CHALLENGE_OFF;
	world->services[WORLD_SERVICE_TCP].pressure_enter_per_s = 1000000;
	world_start(world);
	for (unsigned i = 0; i < FLOWS; i++) {
		char source[32];

		world_numbered(source, i);
		(void)world_connect(world, BEGIN_MS, source, (uint16_t)(20000 + i));
	}
	CHECK_EQ("thousands of connections", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)FLOWS);
	world_pass(world, 60000);
	world->policy.payload_idle_timeout_ms = 10000;
	world_reload(world);
	for (unsigned second = 1; second <= 2; second++) {
		world_pass(world, 60000 + second * 1000);
		cut = world_counter(world, COUNTER_FLOWS_IDLE);
		/* A quarter of the table is free, so a quarter of the walk finds nobody to cut. */
		CHECK_TRUE("a reload that puts them beyond a limit cuts so many a second",
			cut <= second * A_SECOND + AT_ONCE && cut >= second * A_SECOND * 7 / 10);
	}
	CHECK_TRUE("the others are counted", world_counter(world, COUNTER_CUTS_PUT_OFF) > 0);
	world_pass(world, 100000);
	CHECK_EQ("all are cut at last", world_counter(world, COUNTER_FLOWS_IDLE), (uint64_t)FLOWS);
	world_destroy(world);
}

/* Another process takes the flows over: its own clock of activities begins. */
static void restart(struct world *world)
{
	static const struct hash_key key = {1, 2};
	struct stage_output output = world->stage->output;
	struct stage_sizes sizes = {.fragments = 1024};

	stage_destroy(world->stage, &table_memory_heap);
	flow_table_destroy(world->flows);
	CHECK_EQ("another process",
		flow_table_create(world->storage, WORLD_FLOWS, &key, &table_memory_heap, &world->flows), 0);
	CHECK_EQ("its stage",
		stage_create(world->shared, world->flows, &world->counters, &output, &sizes,
			&table_memory_heap, 42, world->now_ns, &world->stage),
		0);
	CHECK_TRUE("takes a flow over", flow_table_adopt_all(world->flows, NULL, NULL) > 0);
	stage_recount(world->stage, world->rules);
}

static void test_restart(void)
{
	static const struct {
		const char *name;
		uint64_t base_ms;
		uint32_t idle_ms, straggler_ms;
		bool node_speaks;
		enum counter counter;
	} cases[] = {
		{"idle time begins with the new process", 0, 10000, 0, false, COUNTER_FLOWS_IDLE},
		{"also around the wrap of times", WRAP_MS, 10000, 0, false, COUNTER_FLOWS_IDLE},
		{"what was unacknowledged has its time again", 0, 0, 10000, true, COUNTER_FLOWS_STRAGGLING},
		{"also around the wrap", WRAP_MS, 0, 10000, true, COUNTER_FLOWS_STRAGGLING},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world =
			world_limited(cases[i].base_ms, cases[i].idle_ms, cases[i].straggler_ms);
		struct ends ends = {
			.world = world, .client_next = 1001, .node_next = 5001, .client_has = 5001};

		world_start(world);
		CHECK_EQ("a connection", world_connect(world, cases[i].base_ms + BEGIN_MS, CLIENT, 40000),
			REASON_ADMITTED);
		if (cases[i].node_speaks)
			act(&ends, cases[i].base_ms + BEGIN_MS + 100, NODE_DATA);
		world_pass(world, cases[i].base_ms + 9000);
		restart(world);
		world_pass(world, cases[i].base_ms + 18900);
		CHECK_EQ(cases[i].name, world_counter(world, cases[i].counter), (uint64_t)0);
		world_pass(world, cases[i].base_ms + 19000 + LATE_MS);
		CHECK_EQ(cases[i].name, world_counter(world, cases[i].counter), (uint64_t)1);
		world_destroy(world);
	}
}

/* Open a connection through the SYN proxy: the node answers at at_ms. Sequence numbers as the client sees
 * them. */
static void connect_proxied(struct world *world, uint64_t at_ms, struct ends *ends)
{
	struct frame_spec syn = world_syn(CLIENT, 40000, 30303);
	struct frame_spec syn_ack = {.source = NODE,
		.destination = CLIENT,
		.protocol = 6,
		.source_port = 30303,
		.destination_port = 40000,
		.sequence = 5000,
		.acknowledgement = 1001,
		.tcp_flags = SYN | ACK};

	CHECK_EQ("a SYN is challenged", world_send(world, at_ms, SIDE_OUTSIDE, &syn), REASON_CHALLENGED);
	*ends = (struct ends){.world = world,
		.client_next = 1001,
		.node_next = 5001,
		.client_has = world->decision.segment.sequence + 1};
	CHECK_EQ("its cookie comes back", from_client(ends, at_ms, ACK, 1001, 0), REASON_PROXY_ACCEPTED);
	CHECK_EQ("the node answers", world_send(world, at_ms, SIDE_INSIDE, &syn_ack), REASON_PROXY_OPENED);
}

static void test_proxied(void)
{
	static const struct {
		const char *name;
		bool node_speaks, restarts, client_speaks;
		uint32_t node_at_ms;
		uint32_t due_ms; /* straggler, limit 10 s; 0: none */
	} cases[] = {
		{"a proxied client that never speaks although the node did", true, false, false, 4300, 14300},
		{"the node spoke at the same time as it answered", true, false, false, BEGIN_MS + 50,
			BEGIN_MS + 10050},
		{"neither has spoken", false, false, false, 0, 0},
		{"neither has spoken, and the process changed", false, true, false, 0, 0},
		{"the process changed between the node's answer and its first word", true, true, false, 9000,
			19000},
		{"the client has acknowledged it", true, false, true, 4300, 0},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = world_limited(0, 0, 10000);
		struct ends ends;

		world->services[WORLD_SERVICE_TCP].challenge = IMAGE_CHALLENGE_ALWAYS;
		world->services[WORLD_SERVICE_TCP].challenge_method = IMAGE_METHOD_PROXY;
		world_start(world);
		connect_proxied(world, BEGIN_MS, &ends);
		if (cases[i].restarts) {
			world_pass(world, 5000);
			restart(world);
		}
		if (cases[i].node_speaks)
			CHECK_EQ(
				cases[i].name, from_node(&ends, cases[i].node_at_ms, 5001, 100), REASON_FLOW);
		if (cases[i].client_speaks) {
			ends.client_has += 100;
			CHECK_EQ(cases[i].name, from_client(&ends, cases[i].node_at_ms + 300, ACK, 1001, 0),
				REASON_FLOW);
		}
		world_pass(world, cases[i].due_ms != 0 ? cases[i].due_ms - 1 : 60000);
		CHECK_EQ(cases[i].name, world_counter(world, COUNTER_FLOWS_STRAGGLING), (uint64_t)0);
		if (cases[i].due_ms != 0) {
			world_pass(world, cases[i].due_ms + LATE_MS);
			CHECK_EQ(cases[i].name, world_counter(world, COUNTER_FLOWS_STRAGGLING), (uint64_t)1);
		}
		world_destroy(world);
	}
}

static void test_cut_once(void)
{
	struct world *world = world_limited(0, 0, 0);
	struct ends ends = {.world = world, .client_next = 1001, .node_next = 5001, .client_has = 5001};
	struct address client;
	unsigned segments, events;

	address_parse(CLIENT, &client);
	world_start(world);
	CHECK_EQ("a connection", world_connect(world, BEGIN_MS, CLIENT, 40000), REASON_ADMITTED);
	world_pass(world, 3000);
	stage_cut(world->stage, world->rules, &client, 0, world->now_ns);
	CHECK_EQ("it is cut on request", world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)1);
	CHECK_EQ("with the old word for it", closed_event(world)->closed_how, (uint8_t)CLOSED_HOW_RST);
	segments = world->n_segments;
	events = world->n_events;
	for (unsigned i = 1; i <= 4; i++) {
		world_pass(world, 3000 + i * 1000);
		stage_cut(world->stage, world->rules, &client, 0, world->now_ns);
	}
	CHECK_EQ("again, it is not cut again", world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)1);
	CHECK_TRUE("nothing is sent or told", world->n_segments == segments && world->n_events == events);
	world_pass(world, 3000 + 5000 + LATE_MS);
	CHECK_PTR_EQ("and it lives no longer for it", only_flow(world), NULL);

	CHECK_EQ("another connection", world_connect(world, 20000, CLIENT, 40000), REASON_ADMITTED);
	CHECK_EQ("that its client ends", from_client(&ends, 20001, TCP_FLAG_RST, 1001, 0), REASON_FLOW);
	segments = world->n_segments;
	stage_cut(world->stage, world->rules, &client, 0, world->now_ns);
	CHECK_EQ("an ended flow is not cut", world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)1);
	CHECK_EQ("nobody is reset for it", world->n_segments, segments);
	CHECK_EQ("but its last segments stop", act(&ends, 20002, NODE_ACK), REASON_FLOW_CUT);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"each script is cut at its time and not before", test_rows},
	{"also while times wrap", test_wrap},
	{"who is exempt is not cut", test_exempt},
	{"limits come and go by reload", test_off},
	{"cuts a second are bounded and the rest is counted", test_bound},
	{"after a restart activity begins anew", test_restart},
	{"proxied flows straggle when they should", test_proxied},
	{"a flow is cut once", test_cut_once},
};
CHECK_MAIN("stage_activity", tests)
