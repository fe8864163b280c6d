/* SPDX-License-Identifier: BSD-3-Clause
 * Rows 4 and 5 for TCP: scripts of frames and the reason that each must get, on the stage with real frames
 * and an injected clock.
 */
#include "tests/check.h"
#include "tests/stage_world.h"

enum { CLIENT_ISN = 1000, NODE_ISN = 5000 };
enum from { CLIENT, NODE };

struct step {
	const char *name;
	enum from from;
	uint32_t at_ms;
	uint8_t flags;
	uint32_t sequence, acknowledgement;
	uint16_t payload_bytes;
	enum reason reason;
	enum flow_state state; /* afterwards; FREE: no flow */
};

#define SYN TCP_FLAG_SYN
#define ACK TCP_FLAG_ACK
#define RST TCP_FLAG_RST
#define FIN TCP_FLAG_FIN
#define HANDSHAKE \
	{"the SYN is admitted", CLIENT, 2000, SYN, CLIENT_ISN, 0, 0, REASON_ADMITTED, FLOW_STATE_SYN_SENT}, \
		{"the SYN-ACK passes", NODE, 2010, SYN | ACK, NODE_ISN, CLIENT_ISN + 1, 0, REASON_FLOW, \
			FLOW_STATE_SYN_ACKED}, \
	{ \
		"the matching ACK proves", CLIENT, 2052, ACK, CLIENT_ISN + 1, NODE_ISN + 1, 0, REASON_FLOW, \
			FLOW_STATE_ESTABLISHED \
	}

static enum flow_state state_of(
	struct world *world, const char *client, uint16_t client_port, uint16_t node_port)
{
	struct flow_key key = {.client_port = client_port, .node_port = node_port, .node = 0, .protocol = 6};
	struct flow *flow;

	address_parse(client, &key.client);
	flow = flow_table_lookup(world->flows, &key, flow_table_prefetch(world->flows, &key));
	return flow != NULL ? (enum flow_state)flow->state : FLOW_STATE_FREE;
}

static void play(struct world *world, const struct step *steps, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct step *step = &steps[i];
		struct frame_spec spec = {
			.source = step->from == CLIENT ? "203.0.113.7" : "198.51.100.1",
			.destination = step->from == CLIENT ? "198.51.100.1" : "203.0.113.7",
			.protocol = 6,
			.source_port = step->from == CLIENT ? 40000 : 30303,
			.destination_port = step->from == CLIENT ? 30303 : 40000,
			.sequence = step->sequence,
			.acknowledgement = step->acknowledgement,
			.tcp_flags = step->flags,
			.payload_bytes = step->payload_bytes,
		};
		enum reason reason = world_send(
			world, step->at_ms, step->from == CLIENT ? SIDE_OUTSIDE : SIDE_INSIDE, &spec);

		CHECK_EQ(step->name, reason_info(reason)->name, reason_info(step->reason)->name);
		CHECK_EQ(step->name, (int)state_of(world, "203.0.113.7", 40000, 30303), (int)step->state);
	}
}

#define PLAY(steps) \
	do { \
		struct world *world = world_create(); \
		world_start(world); \
		play(world, steps, CHECK_COUNT(steps)); \
		world_destroy(world); \
	} while (0)

static void test_life(void)
{
	static const struct step steps[] = {
		HANDSHAKE,
		{"the client's request passes", CLIENT, 2060, ACK, 1001, 5001, 100, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
		{"the node's answer passes", NODE, 2061, ACK, 5001, 1101, 200, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
		{"the client's FIN passes", CLIENT, 2070, FIN | ACK, 1101, 5201, 0, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
		{"the node acknowledges the FIN", NODE, 2071, ACK, 5201, 1102, 0, REASON_FLOW,
			FLOW_STATE_FIN_CLIENT},
		{"the node's FIN passes", NODE, 2072, FIN | ACK, 5201, 1102, 0, REASON_FLOW,
			FLOW_STATE_FIN_CLIENT},
		{"the last ACK closes", CLIENT, 2073, ACK, 1102, 5202, 0, REASON_FLOW, FLOW_STATE_CLOSED},
		{"a resent last ACK still passes", CLIENT, 2100, ACK, 1102, 5202, 0, REASON_FLOW,
			FLOW_STATE_CLOSED},
		{"the same ports may begin anew", CLIENT, 2200, SYN, 9000, 0, 0, REASON_ADMITTED,
			FLOW_STATE_SYN_SENT},
	};
	PLAY(steps);
}

static void test_half_open(void)
{
	static const struct step steps[] = {
		{"the SYN is admitted", CLIENT, 2000, SYN, 1000, 0, 0, REASON_ADMITTED, FLOW_STATE_SYN_SENT},
		{"the same SYN again is a resend", CLIENT, 2100, SYN, 1000, 0, 0, REASON_FLOW,
			FLOW_STATE_SYN_SENT},
		{"an ACK before the SYN-ACK is illegal", CLIENT, 2110, ACK, 1001, 1, 0, REASON_FLOW_ILLEGAL,
			FLOW_STATE_SYN_SENT},
		{"data before the SYN-ACK is illegal", CLIENT, 2111, ACK, 1001, 1, 50, REASON_FLOW_ILLEGAL,
			FLOW_STATE_SYN_SENT},
		{"a blind RST with sequence 0 closes nothing", CLIENT, 2112, RST, 0, 0, 0,
			REASON_CHALLENGE_BAD, FLOW_STATE_SYN_SENT},
		{"the SYN-ACK passes", NODE, 2120, SYN | ACK, 5000, 1001, 0, REASON_FLOW,
			FLOW_STATE_SYN_ACKED},
		{"a wrong acknowledgement proves nothing", CLIENT, 2130, ACK, 1001, 5002, 0,
			REASON_FLOW_ILLEGAL, FLOW_STATE_SYN_ACKED},
		{"an old sequence number proves nothing", CLIENT, 2131, ACK, 900, 5001, 0,
			REASON_FLOW_ILLEGAL, FLOW_STATE_SYN_ACKED},
		{"a blind RST is dropped", CLIENT, 2132, RST, 77777, 0, 0, REASON_CHALLENGE_BAD,
			FLOW_STATE_SYN_ACKED},
		{"a blind FIN is illegal", CLIENT, 2133, FIN | ACK, 1001, 77, 0, REASON_FLOW_ILLEGAL,
			FLOW_STATE_SYN_ACKED},
		{"the ACK may come with data", CLIENT, 2140, ACK, 1001, 5001, 10, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
	};
	static const struct step resends[] = {
		{"the SYN is admitted", CLIENT, 2000, SYN, 1000, 0, 0, REASON_ADMITTED, FLOW_STATE_SYN_SENT},
		{"resend 1", CLIENT, 2001, SYN, 1000, 0, 0, REASON_FLOW, FLOW_STATE_SYN_SENT},
		{"resend 2", CLIENT, 2002, SYN, 1000, 0, 0, REASON_FLOW, FLOW_STATE_SYN_SENT},
		{"resend 3", CLIENT, 2003, SYN, 1000, 0, 0, REASON_FLOW, FLOW_STATE_SYN_SENT},
		{"resend 4", CLIENT, 2004, SYN, 1000, 0, 0, REASON_FLOW, FLOW_STATE_SYN_SENT},
		{"resend 5", CLIENT, 2005, SYN, 1000, 0, 0, REASON_FLOW, FLOW_STATE_SYN_SENT},
		{"resend 6", CLIENT, 2006, SYN, 1000, 0, 0, REASON_FLOW, FLOW_STATE_SYN_SENT},
		{"a seventh resend is a flood", CLIENT, 2007, SYN, 1000, 0, 0, REASON_FLOW_ILLEGAL,
			FLOW_STATE_SYN_SENT},
		{"another SYN on the ports is an attempt of its own", CLIENT, 2008, SYN, 4000, 0, 0,
			REASON_ADMITTED, FLOW_STATE_SYN_SENT},
		{"a half-open flow is forgotten after its timeout", CLIENT, 9000, ACK, 4001, 1, 0,
			REASON_NO_FLOW, FLOW_STATE_FREE},
	};
	PLAY(steps);
	PLAY(resends);
}

static void test_blind(void)
{
	static const struct step steps[] = {
		HANDSHAKE,
		{"a SYN inside the flow is dropped", CLIENT, 2060, SYN, 1001, 0, 0, REASON_FLOW_SYN_KNOWN,
			FLOW_STATE_ESTABLISHED},
		{"a RST one beyond is dropped", CLIENT, 2061, RST, 1002, 0, 0, REASON_FLOW_RST_INEXACT,
			FLOW_STATE_ESTABLISHED},
		{"a RST one before is dropped", CLIENT, 2062, RST, 1000, 0, 0, REASON_FLOW_RST_INEXACT,
			FLOW_STATE_ESTABLISHED},
		{"an ACK of what the node never sent is dropped", CLIENT, 2063, ACK, 1001, 5002, 0,
			REASON_FLOW_ILLEGAL, FLOW_STATE_ESTABLISHED},
		{"an ACK from half the space away is dropped", CLIENT, 2064, ACK, 1001, 5001u + (1u << 31), 0,
			REASON_FLOW_ILLEGAL, FLOW_STATE_ESTABLISHED},
		{"a FIN elsewhere passes but does not count", CLIENT, 2065, FIN | ACK, 3000000000u, 5001, 0,
			REASON_FLOW, FLOW_STATE_ESTABLISHED},
		{"the node answers it with what it expects", NODE, 2066, ACK, 5001, 1001, 0, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
		{"data goes on", CLIENT, 2067, ACK, 1001, 5001, 100, REASON_FLOW, FLOW_STATE_ESTABLISHED},
		{"the exact RST closes", CLIENT, 2068, RST, 1101, 0, 0, REASON_FLOW, FLOW_STATE_CLOSED},
	};
	PLAY(steps);
}

static void test_node_word(void)
{
	static const struct step refused[] = {
		{"the SYN is admitted", CLIENT, 2000, SYN, 1000, 0, 0, REASON_ADMITTED, FLOW_STATE_SYN_SENT},
		{"the node refuses", NODE, 2001, RST | ACK, 0, 1001, 0, REASON_FLOW, FLOW_STATE_CLOSED},
	};
	static const struct step reset[] = {
		HANDSHAKE,
		{"the node's RST counts at once", NODE, 2060, RST, 5001, 0, 0, REASON_FLOW,
			FLOW_STATE_CLOSED},
	};
	static const struct step adopted[] = {
		{"the node continues a flow that we do not know", NODE, 5000, ACK, 7000, 300, 10,
			REASON_FLOW_ADOPTED, FLOW_STATE_ADOPTED},
		{"the client's exact answer proves it", CLIENT, 5001, ACK, 300, 7010, 0, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
	};
	static const struct step dialled[] = {
		{"the node dials", NODE, 5000, SYN, 800, 0, 0, REASON_FLOW_FROM_NODE,
			FLOW_STATE_OUT_SYN_SENT},
		{"a SYN-ACK of something else is illegal", CLIENT, 5001, SYN | ACK, 10, 900, 0,
			REASON_FLOW_ILLEGAL, FLOW_STATE_OUT_SYN_SENT},
		{"a blind RST is dropped", CLIENT, 5002, RST | ACK, 0, 900, 0, REASON_FLOW_RST_INEXACT,
			FLOW_STATE_OUT_SYN_SENT},
		{"the far end answers", CLIENT, 5010, SYN | ACK, 10, 801, 0, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
		{"the node completes", NODE, 5011, ACK, 801, 11, 0, REASON_FLOW, FLOW_STATE_ESTABLISHED},
		{"a resent SYN-ACK passes", CLIENT, 5012, SYN | ACK, 10, 801, 0, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
	};
	static const struct step dial_refused[] = {
		{"the node dials", NODE, 5000, SYN, 800, 0, 0, REASON_FLOW_FROM_NODE,
			FLOW_STATE_OUT_SYN_SENT},
		{"the far end refuses", CLIENT, 5010, RST | ACK, 0, 801, 0, REASON_FLOW, FLOW_STATE_CLOSED},
	};
	PLAY(refused);
	PLAY(reset);
	PLAY(adopted);
	PLAY(dialled);
	PLAY(dial_refused);
}

static void test_unknown(void)
{
	static const struct step late[] = {
		{"an ACK without a flow is dropped", CLIENT, 2000, ACK, 300, 7000, 10, REASON_NO_FLOW,
			FLOW_STATE_FREE},
		{"a FIN without a flow is dropped", CLIENT, 2001, FIN | ACK, 300, 7000, 0, REASON_NO_FLOW,
			FLOW_STATE_FREE},
		{"a SYN-ACK without a flow is dropped", CLIENT, 2002, SYN | ACK, 300, 7000, 0, REASON_NO_FLOW,
			FLOW_STATE_FREE},
		{"a RST without a flow is no cookie", CLIENT, 2003, RST, 300, 0, 0, REASON_CHALLENGE_BAD,
			FLOW_STATE_FREE},
	};
	static const struct step early[] = {
		{"in the start-up window an ACK is adopted", CLIENT, 500, ACK, 300, 7000, 10,
			REASON_FLOW_ADOPTED, FLOW_STATE_ADOPTED},
		{"more of it passes, unproven", CLIENT, 501, ACK, 310, 7000, 10, REASON_FLOW,
			FLOW_STATE_ADOPTED},
		{"the node's answer elsewhere proves nothing", NODE, 502, ACK, 9999, 100, 0, REASON_FLOW,
			FLOW_STATE_ADOPTED},
		{"the node's answer in sequence proves", NODE, 503, ACK, 7000, 320, 10, REASON_FLOW,
			FLOW_STATE_ESTABLISHED},
	};
	PLAY(late);
	PLAY(early);
}

static const struct event_record *event_of(const struct world *world, enum event_kind kind)
{
	for (unsigned i = 0; i < world->n_events; i++)
		if (world->events[i].kind == kind)
			return &world->events[i];
	return NULL;
}

static void test_events(void)
{
	static const struct step quiet[] = {HANDSHAKE};
	static const struct step resent[] = {
		{"the SYN is admitted", CLIENT, 0, SYN, 1000, 0, 0, REASON_ADMITTED, FLOW_STATE_SYN_SENT},
		{"the SYN-ACK", NODE, 0, SYN | ACK, 5000, 1001, 0, REASON_FLOW, FLOW_STATE_SYN_ACKED},
		{"is resent", NODE, 1000, SYN | ACK, 5000, 1001, 0, REASON_FLOW, FLOW_STATE_SYN_ACKED},
		{"and acknowledged", CLIENT, 1042, ACK, 1001, 5001, 0, REASON_FLOW, FLOW_STATE_ESTABLISHED},
	};
	struct world *world = world_create();
	const struct event_record *event;

	world_start(world);
	play(world, quiet, CHECK_COUNT(quiet));
	event = event_of(world, EVENT_FLOW_PROVEN);
	CHECK_TRUE("a completed handshake is told", event != NULL);
	CHECK_EQ("V40: SYN-ACK to ACK is the sample", event != NULL ? event->rtt_us : 0, 42000u);
	world_pass(world, 6900);
	CHECK_EQ("nothing is said before the authentication timeout",
		world_events_of(world, EVENT_FLOW_SILENT), 0u);
	world_pass(world, 8000);
	CHECK_EQ("a silent flow is told once", world_events_of(world, EVENT_FLOW_SILENT), 1u);
	world_pass(world, 20000);
	CHECK_EQ("and not again", world_events_of(world, EVENT_FLOW_SILENT), 1u);
	CHECK_EQ("the flow is counted as proven", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	world_pass(world, 7900000);
	CHECK_EQ("an idle established flow lives 2 h 10 min and no longer",
		world_counter(world, COUNTER_FLOWS), (uint64_t)0);
	event = event_of(world, EVENT_FLOW_CLOSED);
	CHECK_EQ("its end is told as a timeout", event != NULL ? event->closed_how : 0,
		(int)CLOSED_HOW_TIMEOUT);
	CHECK_EQ("the place in the concurrency table is free again",
		concurrency_table_total(world->shared->concurrency), (uint64_t)0);
	world_destroy(world);

	world = world_create();
	world->policy.auth_timeout_ms = 0;
	world_start(world);
	play(world, quiet, CHECK_COUNT(quiet));
	world_pass(world, 60000);
	CHECK_EQ("without an authentication timeout silence is never told",
		world_events_of(world, EVENT_FLOW_SILENT), 0u);
	world_destroy(world);

	world = world_create();
	world_start(world);
	play(world, resent, CHECK_COUNT(resent));
	event = event_of(world, EVENT_FLOW_PROVEN);
	CHECK_EQ("V40: no sample after a resent SYN-ACK", event != NULL ? event->rtt_us : 1, 0u);
	world_destroy(world);
}

static void test_cut(void)
{
	static const struct step before[] = {
		HANDSHAKE,
		{"data in flight", CLIENT, 2060, ACK, 1001, 5001, 100, REASON_FLOW, FLOW_STATE_ESTABLISHED},
	};
	static const struct step after[] = {
		{"the client's next segment is answered by a RST", CLIENT, 3000, ACK, 1101, 5001, 5,
			REASON_FLOW_CUT, FLOW_STATE_CUT},
		{"so is the node's", NODE, 3001, ACK, 5001, 1101, 5, REASON_FLOW_CUT, FLOW_STATE_CUT},
		{"a RST is not answered", CLIENT, 3002, RST, 1101, 0, 0, REASON_FLOW_CUT, FLOW_STATE_CUT},
		{"a new attempt meets the ban", CLIENT, 3003, SYN, 1, 0, 0, REASON_BANNED, FLOW_STATE_CUT},
	};
	struct world *world = world_create();
	bool client_exact = false, node_exact = false;

	world_start(world);
	play(world, before, CHECK_COUNT(before));
	world_command(
		world, COMMAND_BAN_SET, "203.0.113.7", ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
	world_pass(world, 2960);
	CHECK_EQ("an idle flow is cut within 900 ms of its ban", world_counter(world, COUNTER_FLOWS_CUT),
		(uint64_t)1);
	for (unsigned i = 0; i < world->n_segments; i++) {
		const struct reply_tcp *segment = &world->segments[i];

		CHECK_TRUE("layer 2 was learnt from the flow", world->segment_hops[i]);
		CHECK_TRUE("it is a RST", (segment->flags & TCP_FLAG_RST) != 0);
		client_exact |= world->segment_sides[i] == SIDE_OUTSIDE && segment->sequence == 5001;
		node_exact |= world->segment_sides[i] == SIDE_INSIDE && segment->sequence == 1101;
	}
	CHECK_TRUE("the client gets a RST at the number it expects", client_exact);
	CHECK_TRUE("the node gets a RST at the number it expects", node_exact);
	CHECK_EQ("a cut flow holds no place", concurrency_table_total(world->shared->concurrency),
		(uint64_t)0);
	play(world, after, CHECK_COUNT(after));
	world_destroy(world);
}

static void test_cut_on_request(void)
{
	static const struct step before[] = {HANDSHAKE};
	struct world *world = world_create();
	struct address client;

	world_start(world);
	play(world, before, CHECK_COUNT(before));
	address_parse("203.0.113.7", &client);
	stage_cut(world->stage, world->rules, &client, 40001, world->now_ns);
	CHECK_EQ("another port's flow is left alone", world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)0);
	stage_cut(world->stage, world->rules, &client, 0, world->now_ns);
	CHECK_EQ("port 0 means all of the address", world_counter(world, COUNTER_FLOWS_CUT), (uint64_t)1);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"a connection lives from SYN to last ACK", test_life},
	{"a half-open flow takes only SYN resends and the matching ACK", test_half_open},
	{"a blind sender changes nothing", test_blind},
	{"the node's word counts", test_node_word},
	{"a segment without a flow is adopted at start only", test_unknown},
	{"proof, silence and end are told", test_events},
	{"a ban cuts the flows of its source at both ends", test_cut},
	{"control can have flows cut", test_cut_on_request},
};
CHECK_MAIN("stage_tcp", tests)
