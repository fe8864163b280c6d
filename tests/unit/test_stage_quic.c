// SPDX-License-Identifier: BSD-3-Clause
/* QUIC through a whole stage (dataplane/stage_quic.c): what opens a connection, what proves a client, who is
 * known at a new address. Each protection has a case here that fails when it is taken out
 * (tests/mutants.d/quic.py).
 */
#include <string.h>

#include "dataplane/quic.h"
#include "tests/check.h"
#include "tests/stage_world.h"

#define CLIENT   "203.0.113.1"
#define MOVED    "192.0.2.77"
#define NODE     "198.51.100.1"
#define CHOSEN   "client00" /* connection ids, 8 bytes each unless they say otherwise */
#define CHOSEN2  "client02"
#define RETRIED  "retry000"
#define ID       "node0000"
#define ID2      "node0002"
#define SHORT_ID "node000"

enum { PORT = 40000, MOVED_PORT = 50000 };
enum form {
	GREASED_INITIAL,
	INITIAL,
	TOKEN /* an Initial with one */,
	HANDSHAKE,
	RETRY,
	NEGOTIATION,
	OTHER,
	SHORT,
	GREASED /* SHORT without fixed bit */,
	RUBBISH
};

static const struct {
	uint8_t first;
	uint32_t version;
} forms[] = {
	[INITIAL] = {0xc0, QUIC_VERSION_1},
	[GREASED_INITIAL] = {0x80, QUIC_VERSION_1},
	[TOKEN] = {0xc0, QUIC_VERSION_1},
	[HANDSHAKE] = {0xe0, QUIC_VERSION_1},
	[RETRY] = {0xf0, QUIC_VERSION_1},
	[NEGOTIATION] = {0x80, 0},
	[OTHER] = {0xc0, 0xbabababa},
	[SHORT] = {0x40, 0},
	[GREASED] = {0x00, 0},
	[RUBBISH] = {0xc0, QUIC_VERSION_1},
};

static uint32_t put_id(uint8_t *bytes, uint32_t at, const char *id)
{
	bytes[at++] = (uint8_t)strlen(id);
	memcpy(bytes + at, id, strlen(id));
	return at + (uint32_t)strlen(id);
}

/* The rest of the datagram is one packet. */
static void datagram_make(uint8_t *bytes, uint16_t n, enum form form, const char *to, const char *from)
{
	uint32_t at = 5;
	uint16_t rest;

	memset(bytes, 0, n);
	bytes[0] = forms[form].first;
	if (form == SHORT || form == GREASED) {
		memcpy(bytes + 1, to, strlen(to));
		return;
	}
	for (unsigned i = 0; i < 4; i++)
		bytes[1 + i] = (uint8_t)(forms[form].version >> (24 - 8 * i));
	if (form == RUBBISH) {
		bytes[5] = 21; /* an id longer than version 1 has any */
		return;
	}
	at = put_id(bytes, at, to);
	at = put_id(bytes, at, from);
	if (form == TOKEN) {
		bytes[at++] = 4;
		at += 4;
	} else if (form == INITIAL || form == GREASED_INITIAL) {
		at++;
	}
	if (form <= HANDSHAKE) {
		rest = (uint16_t)(n - at - 2);
		bytes[at] = (uint8_t)(0x40 | rest >> 8);
		bytes[at + 1] = (uint8_t)rest;
	}
}

static enum reason says(struct world *world, uint64_t at_ms, enum side side, const char *client,
	uint16_t port, enum form form, const char *to, const char *from, uint16_t bytes)
{
	static uint8_t payload[2048];
	bool outside = side == SIDE_OUTSIDE;
	struct frame_spec spec = {.source = outside ? client : NODE,
		.destination = outside ? NODE : client,
		.protocol = 17,
		.source_port = outside ? port : 30303,
		.destination_port = outside ? 30303 : port,
		.payload = payload,
		.payload_bytes = bytes};

	datagram_make(payload, bytes, form, to, from);
	return world_send(world, at_ms, side, &spec);
}

static enum reason client_says(
	struct world *world, uint64_t at_ms, enum form form, const char *to, uint16_t bytes)
{
	return says(world, at_ms, SIDE_OUTSIDE, CLIENT, PORT, form, to, "me", bytes);
}

static enum reason node_says(
	struct world *world, uint64_t at_ms, enum form form, const char *from, uint16_t bytes)
{
	return says(world, at_ms, SIDE_INSIDE, CLIENT, PORT, form, "me", from, bytes);
}

static enum reason moved_says(
	struct world *world, uint64_t at_ms, enum form form, const char *to, uint16_t bytes)
{
	return says(world, at_ms, SIDE_OUTSIDE, MOVED, MOVED_PORT, form, to, "me", bytes);
}

static struct world *quic_world(void)
{
	struct world *world = world_create();
	struct image_service *service = &world->services[WORLD_SERVICE_UDP];

	service->quic = 1;
	service->amplification_limit = 3;
	return world;
}

/* A connection opened at 1000 ms and proven 25 ms after the node's first answer. */
static struct world *proven_world(void)
{
	struct world *world = quic_world();

	world_start(world);
	CHECK_EQ("an Initial opens", client_says(world, 1000, INITIAL, CHOSEN, 1200), REASON_ADMITTED);
	CHECK_EQ("the node answers", node_says(world, 1001, INITIAL, ID, 1200), REASON_FLOW);
	CHECK_EQ("the client finishes", client_says(world, 1026, HANDSHAKE, ID, 100), REASON_FLOW);
	CHECK_EQ("that is one proof", world_counter(world, COUNTER_PROOFS_CONNECTION_ID), UINT64_C(1));
	return world;
}

static void test_attempts(void)
{
	static const struct {
		const char *name;
		enum form form;
		const char *to;
		uint16_t bytes;
		enum reason expected;
	} cases[] = {
		{"an Initial in 1200 bytes opens", INITIAL, CHOSEN, 1200, REASON_ADMITTED},
		{"in 1199 bytes it does not", INITIAL, CHOSEN, 1199, REASON_QUIC_SHORT_INITIAL},
		{"an id of 7 bytes is no beginning", INITIAL, SHORT_ID, 1200, REASON_QUIC_MALFORMED},
		{"nor is one without the fixed bit", GREASED_INITIAL, CHOSEN, 1200, REASON_QUIC_MALFORMED},
		{"but one that a Retry named", TOKEN, SHORT_ID, 1200, REASON_ADMITTED},
		{"another version is for the node to negotiate", OTHER, CHOSEN, 1200, REASON_ADMITTED},
		{"in a large datagram", OTHER, CHOSEN, 1199, REASON_QUIC_SHORT_INITIAL},
		{"an unknown Handshake is of no connection", HANDSHAKE, ID, 1200, REASON_QUIC_NO_CONNECTION},
		{"nor is a Retry", RETRY, ID, 1200, REASON_QUIC_NO_CONNECTION},
		{"nor a negotiation", NEGOTIATION, ID, 29, REASON_QUIC_NO_CONNECTION},
		{"nor a short header", SHORT, ID, 1200, REASON_QUIC_NO_CONNECTION},
		{"a small one without id too", SHORT, "", 21, REASON_QUIC_NO_CONNECTION},
		{"without the fixed bit it is anything", GREASED, ID, 1200, REASON_QUIC_MALFORMED},
		{"a header of no version is refused", RUBBISH, "", 1200, REASON_QUIC_MALFORMED},
		{"so is one too short for anything", SHORT, "", 20, REASON_QUIC_MALFORMED},
	};
	struct world *world = quic_world();

	world_start(world);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name,
			says(world, 1000, SIDE_OUTSIDE, CLIENT, (uint16_t)(PORT + i), cases[i].form,
				cases[i].to, "me", cases[i].bytes),
			cases[i].expected);
	CHECK_EQ("nothing of it is a proof", world_counter(world, COUNTER_PROOFS_CONNECTION_ID), UINT64_C(0));
	world_command(world, COMMAND_BAN_SET, CLIENT, ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
	CHECK_EQ("a banned source is told apart", client_says(world, 1100, SHORT, ID, 100), REASON_BANNED);
	world_destroy(world);
}

static void test_fragments(void)
{
	static uint8_t payload[1400];
	struct world *world = quic_world();
	struct frame_spec spec = world_syn(CLIENT, PORT, 30303);

	world_start(world);
	/* Whole in its first 1200 bytes, which are the first fragment. */
	datagram_make(payload, 1200, INITIAL, CHOSEN, "me");
	spec.protocol = 17;
	spec.payload = payload;
	spec.payload_bytes = sizeof(payload);
	spec.more_fragments = true;
	spec.fragment_bytes = 1208;
	CHECK_EQ("QUIC is never fragmented", world_send(world, 1000, SIDE_OUTSIDE, &spec),
		REASON_QUIC_MALFORMED);
	world_destroy(world);
}

/* What client and node say, in order, and how many proofs there are then. */
struct step {
	const char *name;
	enum side side;
	enum form form;
	const char *id; /* the client's destination, the node's source */
	uint16_t bytes;
	unsigned proofs;
};
enum { STEPS_MAX = 6 };

static void test_proofs(void)
{
	static const struct {
		const char *name;
		struct step steps[STEPS_MAX];
	} cases[] = {
		{"a long header with the node's id proves",
			{{"", SIDE_INSIDE, INITIAL, ID, 1200, 0}, {"", SIDE_OUTSIDE, HANDSHAKE, ID, 100, 1}}},
		{"a short one too",
			{{"", SIDE_INSIDE, INITIAL, ID, 1200, 0}, {"", SIDE_OUTSIDE, SHORT, ID, 100, 1}}},
		{"the node's Initial need not have the fixed bit",
			{{"", SIDE_INSIDE, GREASED_INITIAL, ID, 1200, 0},
				{"", SIDE_OUTSIDE, HANDSHAKE, ID, 100, 1}}},
		{"once", {{"", SIDE_INSIDE, INITIAL, ID, 1200, 0}, {"", SIDE_OUTSIDE, SHORT, ID, 100, 1},
				 {"", SIDE_OUTSIDE, SHORT, ID, 100, 1},
				 {"", SIDE_INSIDE, INITIAL, ID2, 1200, 1},
				 {"", SIDE_OUTSIDE, SHORT, ID2, 100, 1}}},
		{"an id longer than 8 bytes proves by its first 8",
			{{"", SIDE_INSIDE, INITIAL, ID "more", 1200, 0},
				{"", SIDE_OUTSIDE, HANDSHAKE, ID "more", 100, 1}}},
		{"Retry is answered with its id", {{"", SIDE_INSIDE, RETRY, RETRIED, 100, 0},
							  {"", SIDE_OUTSIDE, TOKEN, RETRIED, 1200, 1}}},
		{"before the node has answered nothing proves", {{"", SIDE_OUTSIDE, HANDSHAKE, ID, 100, 0}}},
		{"another id does not prove", {{"", SIDE_INSIDE, INITIAL, ID, 1200, 0},
						      {"", SIDE_OUTSIDE, HANDSHAKE, ID2, 100, 0}}},
		{"the client's own id sent again does not",
			{{"", SIDE_INSIDE, INITIAL, ID, 1200, 0},
				{"", SIDE_OUTSIDE, INITIAL, CHOSEN, 1200, 0}}},
		{"nor where the node took it for its own",
			{{"", SIDE_INSIDE, INITIAL, CHOSEN, 1200, 0},
				{"", SIDE_OUTSIDE, HANDSHAKE, CHOSEN, 100, 0}}},
		{"nor does a negotiation, which repeats it",
			{{"", SIDE_INSIDE, NEGOTIATION, CHOSEN2, 25, 0},
				{"", SIDE_OUTSIDE, HANDSHAKE, CHOSEN2, 100, 0}}},
		{"an id of 7 bytes proves nothing", {{"", SIDE_INSIDE, INITIAL, SHORT_ID, 1200, 0},
							    {"", SIDE_OUTSIDE, HANDSHAKE, SHORT_ID, 100, 0}}},
		{"the node's short headers choose nothing",
			{{"", SIDE_INSIDE, SHORT, ID, 1200, 0}, {"", SIDE_OUTSIDE, HANDSHAKE, ID, 100, 0}}},
		{"an answer that was too large was not heard",
			{{"", SIDE_INSIDE, INITIAL, CHOSEN, 1200, 0},
				{"", SIDE_INSIDE, INITIAL, CHOSEN, 1200, 0},
				{"", SIDE_INSIDE, INITIAL, CHOSEN, 1200, 0},
				{"", SIDE_INSIDE, INITIAL, ID, 1200, 0},
				{"", SIDE_OUTSIDE, HANDSHAKE, ID, 100, 0}}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = quic_world();

		world_start(world);
		CHECK_EQ(cases[i].name, client_says(world, 1000, INITIAL, CHOSEN, 1200), REASON_ADMITTED);
		for (unsigned j = 0; j < STEPS_MAX && cases[i].steps[j].name != NULL; j++) {
			const struct step *step = &cases[i].steps[j];

			(void)says(world, 1001 + j, step->side, CLIENT, PORT, step->form,
				step->side == SIDE_OUTSIDE ? step->id : "me",
				step->side == SIDE_OUTSIDE ? "me" : step->id, step->bytes);
			CHECK_EQ(cases[i].name, world_counter(world, COUNTER_PROOFS_CONNECTION_ID),
				(uint64_t)step->proofs);
		}
		CHECK_EQ(cases[i].name, world_events_of(world, EVENT_FLOW_PROVEN),
			(unsigned)world_counter(world, COUNTER_PROOFS_CONNECTION_ID));
		CHECK_EQ(cases[i].name, world_counter(world, COUNTER_FLOWS_PROVEN),
			world_counter(world, COUNTER_PROOFS_CONNECTION_ID));
		world_destroy(world);
	}
}

static const struct event_record *event_last(const struct world *world)
{
	return &world->events[world->n_events - 1];
}

static void test_told(void)
{
	struct world *world = proven_world();
	struct address client;

	(void)address_parse(CLIENT, &client);
	CHECK_EQ("a proof is told with its round trip", event_last(world)->rtt_us, 25000u);
	CHECK_EQ("as evidence", event_last(world)->flags, EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE);
	CHECK_EQ("it takes a place",
		concurrency_table_count(world->shared->concurrency, &client, IMAGE_LEVEL_HOST), 1u);
	CHECK_EQ("its source is proven",
		stage_probe(world->shared, world->stage, world->rules, &client, WORLD_SERVICE_ALWAYS,
			world->now_ns),
		REASON_ADMITTED);
	CHECK_EQ("the node may say as much as it likes", node_says(world, 1030, SHORT, "me", 1400),
		REASON_FLOW);
	for (unsigned i = 0; i < 300; i++)
		(void)client_says(world, 1031, SHORT, ID, 1200);
	CHECK_EQ("and so may the client", client_says(world, 1032, SHORT, ID, 1200), REASON_FLOW);
	world_pass(world, 1032 + 61000);
	CHECK_EQ("idle, it ends", event_last(world)->kind, (uint8_t)EVENT_FLOW_CLOSED);
	CHECK_EQ("by nobody", event_last(world)->closed_by, (uint8_t)CLOSED_BY_NONE);
	CHECK_EQ("in silence", event_last(world)->closed_how, (uint8_t)CLOSED_HOW_TIMEOUT);
	CHECK_TRUE("with its bytes",
		event_last(world)->bytes_in > 300 * 1200 && event_last(world)->bytes_out > 2000);
	CHECK_EQ("its place is free",
		concurrency_table_count(world->shared->concurrency, &client, IMAGE_LEVEL_HOST), 0u);
	CHECK_EQ("its id is forgotten", world_counter(world, COUNTER_CONNECTION_IDS), UINT64_C(0));
	world_destroy(world);
}

static void test_doubt(void)
{
	struct world *world = quic_world();

	world_start(world);
	(void)client_says(world, 1000, INITIAL, CHOSEN, 1200);
	(void)client_says(world, 1001, INITIAL, CHOSEN2, 1200);
	(void)node_says(world, 1002, INITIAL, ID, 1200);
	CHECK_EQ("who began twice may come in", client_says(world, 1003, HANDSHAKE, ID, 100), REASON_FLOW);
	CHECK_EQ("proven", world_counter(world, COUNTER_PROOFS_CONNECTION_ID), UINT64_C(1));
	CHECK_EQ("but nothing is held against him", event_last(world)->flags, EVENT_FLAG_PROVEN);
	CHECK_EQ("which is counted", world_counter(world, COUNTER_EVIDENCE_WITHHELD), UINT64_C(1));
	world_destroy(world);

	world = quic_world();
	world_start(world);
	(void)client_says(world, 1000, INITIAL, CHOSEN, 1200);
	(void)node_says(world, 1001, INITIAL, ID, 1200);
	(void)node_says(world, 1501, INITIAL, ID, 1200);
	(void)client_says(world, 1510, HANDSHAKE, ID, 100);
	CHECK_EQ("a proof after a second sending", world_events_of(world, EVENT_FLOW_PROVEN), 1u);
	CHECK_EQ("has no round trip", event_last(world)->rtt_us, 0u);
	world_destroy(world);
}

static void test_small_initial_in_flow(void)
{
	struct world *world = quic_world();

	world_start(world);
	(void)client_says(world, 1000, INITIAL, CHOSEN, 1200);
	CHECK_EQ("a small Initial is none in a flow either", client_says(world, 1001, INITIAL, CHOSEN, 1000),
		REASON_QUIC_SHORT_INITIAL);
	CHECK_EQ("a large one passes", client_says(world, 1002, INITIAL, CHOSEN, 1200), REASON_FLOW);
	world_destroy(world);
}

static void test_migration(void)
{
	struct world *world = proven_world();
	struct address moved;

	(void)address_parse(MOVED, &moved);
	CHECK_EQ("its id is known", world_counter(world, COUNTER_CONNECTION_IDS), UINT64_C(1));
	CHECK_EQ(
		"an unknown one is not", moved_says(world, 2000, SHORT, ID2, 100), REASON_QUIC_NO_CONNECTION);
	CHECK_EQ("a client with a new address is known by it", moved_says(world, 2001, SHORT, ID, 100),
		REASON_QUIC_MIGRATED);
	CHECK_EQ("and goes on", moved_says(world, 2002, SHORT, ID, 100), REASON_FLOW);
	CHECK_EQ("proven", world_counter(world, COUNTER_FLOWS_PROVEN), UINT64_C(2));
	CHECK_EQ("which is told", world_events_of(world, EVENT_FLOW_PROVEN), 2u);
	CHECK_EQ("without evidence", event_last(world)->flags, EVENT_FLAG_PROVEN);
	CHECK_EQ("in nobody's place",
		concurrency_table_count(world->shared->concurrency, &moved, IMAGE_LEVEL_HOST), 0u);
	(void)says(world, 2002, SIDE_INSIDE, MOVED, MOVED_PORT, SHORT, "me", "", 600);
	CHECK_EQ("while the node sends three times what came",
		concurrency_table_count(world->shared->concurrency, &moved, IMAGE_LEVEL_HOST), 0u);
	(void)says(world, 2002, SIDE_INSIDE, MOVED, MOVED_PORT, SHORT, "me", "", 100);
	CHECK_EQ("in a place of its own once the node trusts the path",
		concurrency_table_count(world->shared->concurrency, &moved, IMAGE_LEVEL_HOST), 1u);
	CHECK_EQ("the address itself is no proven source",
		stage_probe(world->shared, world->stage, world->rules, &moved, WORLD_SERVICE_ALWAYS,
			world->now_ns),
		REASON_CHALLENGED);
	CHECK_EQ("one id names no second address at once",
		says(world, 2003, SIDE_OUTSIDE, "192.0.2.78", PORT, SHORT, ID, "me", 100),
		REASON_QUIC_NO_CONNECTION);
	CHECK_EQ("but later", says(world, 12001, SIDE_OUTSIDE, "192.0.2.78", PORT, SHORT, ID, "me", 100),
		REASON_QUIC_MIGRATED);
	for (unsigned i = 0; i < 10; i++)
		CHECK_EQ("the last address speaks on",
			says(world, 20000 + 10000 * i, SIDE_OUTSIDE, "192.0.2.78", PORT, SHORT, ID, "me",
				100),
			REASON_FLOW);
	CHECK_EQ("so the others' end leaves the id known", world_counter(world, COUNTER_CONNECTION_IDS),
		UINT64_C(1));
	CHECK_EQ("to move again", moved_says(world, 111000, SHORT, ID, 100), REASON_QUIC_MIGRATED);
	world_destroy(world);
}

/* Whoever has connections may show their ids in anybody's name. */
static void test_migration_in_a_name(void)
{
	static const char *const ids[] = {"node0010", "node0011", "node0012", "node0013"};
	struct world *world = quic_world();

	world->policy.concurrency_v4[IMAGE_LEVEL_HOST] = 2;
	world_start(world);
	for (unsigned i = 0; i < 4; i++) {
		char attacker[16] = "203.0.113.10";

		attacker[11] = (char)('0' + i);
		CHECK_EQ("his own",
			says(world, 1000, SIDE_OUTSIDE, attacker, PORT, INITIAL, CHOSEN, "me", 1200),
			REASON_ADMITTED);
		(void)says(world, 1001, SIDE_INSIDE, attacker, PORT, INITIAL, "me", ids[i], 1200);
		(void)says(world, 1002, SIDE_OUTSIDE, attacker, PORT, HANDSHAKE, ids[i], "me", 100);
	}
	CHECK_EQ("they are proven", world_counter(world, COUNTER_PROOFS_CONNECTION_ID), UINT64_C(4));
	for (uint16_t i = 0; i < 4; i++)
		CHECK_EQ("in the victim's name",
			says(world, 2000, SIDE_OUTSIDE, MOVED, (uint16_t)(MOVED_PORT + i), SHORT, ids[i],
				"me", 100),
			REASON_QUIC_MIGRATED);
	CHECK_EQ("the victim connects", world_connect(world, 3000, MOVED, 40000), REASON_ADMITTED);
	world_destroy(world);
}

static void test_migration_judged(void)
{
	static const struct {
		const char *name;
		bool ban_source; /* the new address, else the old one */
		enum reason expected;
	} cases[] = {
		{"a banned address does not get in by an id", true, REASON_BANNED},
		{"nor does a connection whose client was banned", false, REASON_QUIC_NO_CONNECTION},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = proven_world();

		world_command(world, COMMAND_BAN_SET, cases[i].ban_source ? MOVED : CLIENT,
			ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
		world_pass(world, 2000);
		CHECK_EQ(cases[i].name, moved_says(world, 2001, SHORT, ID, 100), cases[i].expected);
		CHECK_EQ(cases[i].name, world_events_of(world, EVENT_FLOW_CLOSED),
			cases[i].ban_source ? 0u : 1u);
		world_destroy(world);
	}
}

static void test_lifetime(void)
{
	struct world *world = proven_world();

	CHECK_EQ("a connection is heard of", client_says(world, 30000, SHORT, ID, 100), REASON_FLOW);
	CHECK_EQ("and known for as long as it may be idle", moved_says(world, 89000, SHORT, ID, 100),
		REASON_QUIC_MIGRATED);
	world_destroy(world);
	world = proven_world();
	world_pass(world, 70000);
	CHECK_EQ("ended, it is forgotten", moved_says(world, 70001, SHORT, ID, 100),
		REASON_QUIC_NO_CONNECTION);
	world_destroy(world);
}

static void test_new_ids(void)
{
	struct world *world = quic_world();

	world_start(world);
	(void)client_says(world, 1000, INITIAL, CHOSEN, 1200);
	(void)node_says(world, 1001, RETRY, RETRIED, 100);
	CHECK_EQ("proven by Retry", client_says(world, 1002, TOKEN, RETRIED, 1200), REASON_FLOW);
	(void)node_says(world, 1003, INITIAL, ID, 1200);
	CHECK_EQ("one id is known", world_counter(world, COUNTER_CONNECTION_IDS), UINT64_C(1));
	CHECK_EQ("not the one of Retry", moved_says(world, 2000, SHORT, RETRIED, 100),
		REASON_QUIC_NO_CONNECTION);
	CHECK_EQ("but the one that came after it", moved_says(world, 2001, SHORT, ID, 100),
		REASON_QUIC_MIGRATED);
	world_destroy(world);
}

static void test_restart(void)
{
	struct world *world = proven_world();
	uint64_t id;

	/* As another process with empty tables would find it. */
	memcpy(&id, ID, sizeof(id));
	CHECK_EQ("the id was known", connection_table_remove(world->shared->connections, id, UINT32_MAX / 4),
		1u);
	stage_recount(world->stage, world->rules);
	CHECK_TRUE("flows bring their ids back", connection_table_may_move(world->shared->connections, id, 60,
							 (uint32_t)(world->now_ns / 1000000000)));
	world_destroy(world);
}

/* Initials of strangers, each from an address of its own, while one connection is open. */
static void test_flood(void)
{
	struct world *world = quic_world();
	unsigned refused = 0;

	world->services[WORLD_SERVICE_UDP].pressure_enter_per_s = 1000;
	world->services[WORLD_SERVICE_UDP].pressure_leave_per_s = 500;
	world_start(world);
	(void)client_says(world, 1000, INITIAL, CHOSEN, 1200);
	(void)node_says(world, 1001, INITIAL, ID, 1200);
	(void)client_says(world, 1002, HANDSHAKE, ID, 100);
	for (unsigned i = 0; i < 3 * WORLD_FLOWS; i++) {
		char text[32];

		world_numbered(text, i);
		refused += says(world, 2000 + i / 10, SIDE_OUTSIDE, text, (uint16_t)(1024 + i), INITIAL,
				   CHOSEN, "me", 1200) == REASON_PRESSURE;
		if (i % 8 == 0)
			(void)says(world, 2000 + i / 10, SIDE_INSIDE, text, (uint16_t)(1024 + i), INITIAL,
				"me", ID2, 1200);
	}
	CHECK_TRUE("a flood of Initials is refused", refused > WORLD_FLOWS);
	CHECK_EQ("what is open stays open", client_says(world, 4000, SHORT, ID, 1200), REASON_FLOW);
	CHECK_EQ("strangers' ids are not kept", world_counter(world, COUNTER_CONNECTION_IDS), UINT64_C(1));
	CHECK_EQ("and who moves now is known", moved_says(world, 4001, SHORT, ID, 100), REASON_QUIC_MIGRATED);
	world_destroy(world);
}

/* Nodes behind a balancer begin all their ids alike. */
static void test_long_ids(void)
{
	struct world *world = quic_world();

	world_start(world);
	(void)says(world, 1000, SIDE_OUTSIDE, CLIENT, PORT, INITIAL, CHOSEN, "me", 1200);
	(void)says(world, 1010, SIDE_INSIDE, CLIENT, PORT, HANDSHAKE, "me", "server00AAAAAAAA", 200);
	(void)says(world, 1020, SIDE_OUTSIDE, CLIENT, PORT, HANDSHAKE, "server00BBBBBBBB", "me", 200);
	CHECK_EQ("an id that only begins like the node's proves nothing",
		world_counter(world, COUNTER_PROOFS_CONNECTION_ID), (uint64_t)0);
	(void)says(world, 1030, SIDE_OUTSIDE, CLIENT, PORT, SHORT, "server00AAAAAAAA", "", 200);
	CHECK_EQ("the whole id proves, also where the header does not say its length",
		world_counter(world, COUNTER_PROOFS_CONNECTION_ID), (uint64_t)1);
	CHECK_EQ("and is known at a new address",
		says(world, 20000, SIDE_OUTSIDE, MOVED, MOVED_PORT, SHORT, "server00AAAAAAAA", "", 200), REASON_QUIC_MIGRATED);
	world_destroy(world);
}

/* RFC 8999 allows unknown versions ids of 255 bytes: no short header of ours may be read with one. */
static void test_overlong_ids(void)
{
	static const char overlong[] = "0123456789012345678901234567890123456789";
	struct world *world = quic_world();

	world_start(world);
	(void)says(world, 1000, SIDE_OUTSIDE, CLIENT, PORT, OTHER, CHOSEN, "me", 1200);
	(void)says(world, 1010, SIDE_INSIDE, CLIENT, PORT, OTHER, "me", overlong, 200);
	CHECK_EQ("the length of a short header's id stays one that its versions have",
		atomic_load(&world->shared->quic_id_bytes[WORLD_SERVICE_UDP]), 0);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"only an Initial or an unknown version opens", test_attempts},
	{"a fragment is no Initial", test_fragments},
	{"an Initial is large in a flow too", test_small_initial_in_flow},
	{"an id of the node proves, and nothing else", test_proofs},
	{"a long id proves by all its bytes", test_long_ids},
	{"an overlong id teaches no length", test_overlong_ids},
	{"control is told of proof and end", test_told},
	{"what may be an echo is no evidence", test_doubt},
	{"a client is known at a new address", test_migration},
	{"who shows ids in another's name takes no place from him", test_migration_in_a_name},
	{"bans hold for clients who move", test_migration_judged},
	{"an id lives as long as its connection", test_lifetime},
	{"the node's last id counts", test_new_ids},
	{"ids outlive a restart with their flows", test_restart},
	{"a flood of Initials disturbs nobody", test_flood},
};

CHECK_MAIN("stage_quic", tests)
