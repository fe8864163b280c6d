/* SPDX-License-Identifier: BSD-3-Clause
 * What a second hostile review found, of the SYN proxy and of admission under attack: each case is an honest client that was
 * blamed, slowed or locked out before its fix. The clock is injected; frames and cookies are real.
 */
#include <string.h>

#include "tests/check.h"
#include "tests/stage_world.h"

#define CLIENT "203.0.113.7"
#define NODE   "198.51.100.1"
enum { SYN = TCP_FLAG_SYN, ACK = TCP_FLAG_ACK, RST = TCP_FLAG_RST, FIN = TCP_FLAG_FIN };
enum { CLIENT_SEQUENCE = 1000, NODE_SEQUENCE = 70000, PORT = 30304, START_MS = 2000 };

/* MSS 1460, SACK permitted, window scale 7. */
static const uint8_t options[] = {2, 4, 5, 0xb4, 4, 2, 3, 3, 7, 1, 1, 1};

static enum reason from_client(
	struct world *world, uint64_t at_ms, uint8_t flags, uint32_t sequence, uint32_t acknowledgement)
{
	struct frame_spec spec = {.source = CLIENT,
		.destination = NODE,
		.protocol = 6,
		.source_port = 40000,
		.destination_port = PORT,
		.sequence = sequence,
		.acknowledgement = acknowledgement,
		.tcp_flags = flags,
		.tcp_options = options,
		.tcp_options_bytes = flags & SYN ? sizeof(options) : 0};

	return world_send(world, at_ms, SIDE_OUTSIDE, &spec);
}

static enum reason from_node(
	struct world *world, uint64_t at_ms, uint8_t flags, uint32_t sequence, uint16_t window)
{
	struct frame_spec spec = {.source = NODE,
		.destination = CLIENT,
		.protocol = 6,
		.source_port = PORT,
		.destination_port = 40000,
		.sequence = sequence,
		.acknowledgement = CLIENT_SEQUENCE + 1,
		.tcp_flags = flags,
		.window = window,
		.tcp_options = options,
		.tcp_options_bytes = flags & SYN ? sizeof(options) : 0};

	return world_send(world, at_ms, SIDE_INSIDE, &spec);
}

static struct world *world_proxied(void)
{
	struct world *world = world_create();

	world->services[WORLD_SERVICE_ALWAYS].challenge_method = IMAGE_METHOD_PROXY;
	world->policy.half_open_timeout_ms = 20000;
	/* Every SYN is a stranger's. */
	world->policy.proven_lifetime_ms = 1;
	return world;
}

/* A stranger brings the cookie back and the node is dialled; returns the cookie. */
static uint32_t dial(struct world *world, uint64_t at_ms)
{
	uint32_t cookie;

	CHECK_EQ("challenged", from_client(world, at_ms, SYN, CLIENT_SEQUENCE, 0), REASON_CHALLENGED);
	cookie = world->decision.segment.sequence;
	CHECK_EQ("dialled", from_client(world, at_ms + 1, ACK, CLIENT_SEQUENCE + 1, cookie + 1),
		REASON_PROXY_ACCEPTED);
	return cookie;
}

/* The client's answer to its opened window acknowledges the cookie once more, and comes when the node has already reset the connection:
 * a round trip is longer than a node's refusal. It opened another connection, whose RST was held against the client. */
static void test_last_acknowledgements(void)
{
	static const struct {
		const char *name;
		bool opened;
		uint8_t flags;
		uint32_t back; /* of the client's number */
		enum reason answer;
	} cases[] = {
		{"the ACK of a connection that the node has reset", true, ACK, 0, REASON_FLOW},
		{"its FIN", true, ACK | FIN, 0, REASON_FLOW},
		{"its probe", true, ACK, 1, REASON_FLOW},
		{"the probe of a connection that the node refused", false, ACK, 1, REASON_FLOW},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = world_proxied();
		uint32_t cookie;
		uint64_t dialled;

		world_start(world);
		cookie = dial(world, START_MS);
		if (cases[i].opened)
			CHECK_EQ("opened", from_node(world, START_MS + 2, SYN | ACK, NODE_SEQUENCE, 500),
				REASON_PROXY_OPENED);
		CHECK_EQ("reset by the node",
			from_node(world, START_MS + 3, RST | ACK, cases[i].opened ? NODE_SEQUENCE + 1 : 0, 0), REASON_FLOW);
		dialled = world_counter(world, COUNTER_PROXY_DIALLED);
		CHECK_EQ(cases[i].name,
			from_client(world, START_MS + 50, cases[i].flags, CLIENT_SEQUENCE + 1 - cases[i].back, cookie + 1),
			cases[i].answer);
		CHECK_EQ(cases[i].name, world_counter(world, COUNTER_PROXY_DIALLED), dialled);
		/* A new connection of the same ports is another matter. */
		CHECK_EQ("a new SYN", from_client(world, START_MS + 4000, SYN, CLIENT_SEQUENCE + 900000, 0), REASON_CHALLENGED);
		CHECK_EQ("its ACK",
			from_client(world, START_MS + 4010, ACK, CLIENT_SEQUENCE + 900001, world->decision.segment.sequence + 1),
			REASON_PROXY_ACCEPTED);
		world_destroy(world);
	}
}

/* Cookies outlive the process, and a reload may give the service another number: nobody knows any more which scale was promised. */
static void test_promises_forgotten(void)
{
	struct world *world = world_proxied();
	uint32_t cookie;

	world_start(world);
	/* What the node offers is learnt; the scale is promised from the start. */
	(void)dial(world, START_MS);
	CHECK_EQ("opened", from_node(world, START_MS + 2, SYN | ACK, NODE_SEQUENCE, 500), REASON_PROXY_OPENED);
	CHECK_EQ("ended", from_client(world, START_MS + 3, RST, CLIENT_SEQUENCE + 1, 0), REASON_FLOW);
	world_pass(world, START_MS + 40000); /* into the next slot: what the node offers is promised from there on */
	CHECK_EQ("challenged", from_client(world, START_MS + 40010, SYN, CLIENT_SEQUENCE + 5000, 0), REASON_CHALLENGED);
	CHECK_EQ("a scale is promised", world->decision.segment.options.window_scale, 7);
	cookie = world->decision.segment.sequence;
	memset(world->stage->offers, 0, sizeof(world->stage->offers));
	CHECK_EQ("dialled", from_client(world, START_MS + 40011, ACK, CLIENT_SEQUENCE + 5001, cookie + 1), REASON_PROXY_ACCEPTED);
	{
		struct frame_spec spec = {.source = NODE,
			.destination = CLIENT,
			.protocol = 6,
			.source_port = PORT,
			.destination_port = 40000,
			.sequence = NODE_SEQUENCE,
			.acknowledgement = CLIENT_SEQUENCE + 5001,
			.tcp_flags = SYN | ACK,
			.window = 64000,
			.tcp_options = options,
			.tcp_options_bytes = sizeof(options)};

		CHECK_EQ("opened", world_send(world, START_MS + 40012, SIDE_INSIDE, &spec), REASON_PROXY_OPENED);
		CHECK_EQ("the window that opens", world->decision.segment.window, 64000 >> 7);
		CHECK_EQ("again", world_send(world, START_MS + 40013, SIDE_INSIDE, &spec), REASON_FLOW);
		CHECK_EQ("the window that opens again", world->decision.segment.window, 64000 >> 7);
		spec.tcp_flags = ACK;
		spec.sequence++;
		spec.tcp_options_bytes = 0;
		CHECK_EQ("data of the node", world_send(world, START_MS + 40014, SIDE_INSIDE, &spec), REASON_FLOW);
		CHECK_EQ("windows stay as the node says", world->decision.translation.window_shift, 0);
	}
	world_destroy(world);
}

/* A client tells the node by an ICMP error that its path is narrow: Linux then promises it 512, and all others were held to that for
 * as long as the process lived. */
static void test_narrow_path_of_one(void)
{
	static const uint8_t narrow[] = {2, 4, 2, 0}, usual[] = {2, 4, 5, 0xb4};
	static const struct {
		const char *name;
		const uint8_t *offered; /* NULL: the node says nothing */
		uint64_t at_ms;
		uint16_t promised;
	} cases[] = {
		{"nothing is known", NULL, 1000, 1220},
		{"the node's own", usual, 2000, 1460},
		{"the smallest of all", narrow, 3000, 512},
		{"and not the last", usual, 4000, 512},
		{"in the next slot too", usual, 40000, 512},
		{"but not for ever", NULL, 80000, 1460},
		{"what is known stays known", NULL, 400000, 1460},
	};
	struct world *world = world_proxied();

	world_start(world);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame_spec syn = world_syn("203.0.113.50", (uint16_t)(2000 + i), PORT), answer = syn;

		answer.source = NODE;
		answer.destination = "203.0.113.9";
		answer.source_port = PORT;
		answer.destination_port = (uint16_t)(3000 + i);
		answer.tcp_flags = SYN | ACK;
		answer.tcp_options = cases[i].offered;
		answer.tcp_options_bytes = 4;
		syn.tcp_options = options;
		syn.tcp_options_bytes = sizeof(options);
		if (cases[i].offered != NULL)
			(void)world_send(world, cases[i].at_ms, SIDE_INSIDE, &answer);
		CHECK_EQ(cases[i].name, world_send(world, cases[i].at_ms + 1, SIDE_OUTSIDE, &syn), REASON_CHALLENGED);
		CHECK_EQ(cases[i].name, world->decision.segment.options.mss, cases[i].promised);
	}
	world_destroy(world);
}

/* A node whose backlog is full answers the third SYN: until then the client's window was closed and it could not speak. */
static void test_silence_counts_from_opening(void)
{
	struct world *world = world_proxied();

	world_start(world);
	(void)dial(world, START_MS);
	world_pass(world, START_MS + 7000);
	CHECK_EQ("opened late", from_node(world, START_MS + 7000, SYN | ACK, NODE_SEQUENCE, 500), REASON_PROXY_OPENED);
	world_pass(world, START_MS + 7000 + world->policy.auth_timeout_ms - 1000);
	CHECK_EQ("nobody is silent who could not speak", world_events_of(world, EVENT_FLOW_SILENT), 0u);
	world_pass(world, START_MS + 7000 + world->policy.auth_timeout_ms + 1000);
	CHECK_EQ("then it is", world_events_of(world, EVENT_FLOW_SILENT), 1u);
	world_destroy(world);
}

static void test_silence_counts_from_proof(void)
{
	struct world *world = world_proxied();
	struct frame_spec syn = world_syn(CLIENT, 40000, 30305), answer = syn;

	world_start(world);
	CHECK_EQ("admitted", world_send(world, START_MS, SIDE_OUTSIDE, &syn), REASON_ADMITTED);
	answer.source = NODE;
	answer.destination = CLIENT;
	answer.source_port = 30305;
	answer.destination_port = 40000;
	answer.sequence = NODE_SEQUENCE;
	answer.acknowledgement = syn.sequence + 1;
	answer.tcp_flags = SYN | ACK;
	CHECK_EQ("answered late", world_send(world, START_MS + 7000, SIDE_INSIDE, &answer), REASON_FLOW);
	syn.sequence++;
	syn.acknowledgement = NODE_SEQUENCE + 1;
	syn.tcp_flags = ACK;
	CHECK_EQ("proven", world_send(world, START_MS + 7010, SIDE_OUTSIDE, &syn), REASON_FLOW);
	world_pass(world, START_MS + 7010 + world->policy.auth_timeout_ms - 1000);
	CHECK_EQ("proven once", world_events_of(world, EVENT_FLOW_PROVEN), 1u);
	CHECK_EQ("nobody is silent who could not speak", world_events_of(world, EVENT_FLOW_SILENT), 0u);
	world_pass(world, START_MS + 7010 + world->policy.auth_timeout_ms + 1000);
	CHECK_EQ("then it is", world_events_of(world, EVENT_FLOW_SILENT), 1u);
	world_destroy(world);
}

/* Rule 4: whoever floods in the name of an allowlisted network spends its replies. */
static void test_allowed_gets_its_challenge(void)
{
	static const struct {
		const char *name;
		bool allowed;
		enum reason answer;
	} cases[] = {
		{"a stranger of a flooded network waits", false, REASON_REPLY_PREFIX_CAP},
		{"one on the allow list is challenged all the same", true, REASON_CHALLENGED},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = world_proxied();

		world->policy.replies_per_prefix_per_s = 10;
		if (cases[i].allowed)
			world_list(world, IMAGE_LIST_ALLOW, CLIENT "/32");
		world_start(world);
		for (unsigned n = 0; n < 500; n++) {
			struct frame_spec spec = world_syn("203.0.113.99", (uint16_t)(1024 + n), PORT);

			(void)world_send(world, START_MS, SIDE_OUTSIDE, &spec);
		}
		CHECK_EQ(cases[i].name, from_client(world, START_MS, SYN, CLIENT_SEQUENCE, 0), cases[i].answer);
		world_destroy(world);
	}
}

/* The service is not under pressure any more, and the connection is over but for its last acknowledgements. */
static void test_ports_of_an_end(void)
{
	struct world *world = world_proxied();
	uint32_t cookie;

	world->services[WORLD_SERVICE_ALWAYS].challenge = IMAGE_CHALLENGE_ALWAYS;
	world_start(world);
	cookie = dial(world, START_MS);
	CHECK_EQ("the node answers", from_node(world, START_MS + 1, SYN | ACK, NODE_SEQUENCE, 64000), REASON_PROXY_OPENED);
	CHECK_EQ("and resets the connection", from_node(world, START_MS + 2, RST | ACK, NODE_SEQUENCE + 1, 0), REASON_FLOW);
	world->rules->services[WORLD_SERVICE_ALWAYS].challenge = IMAGE_CHALLENGE_AUTO;
	CHECK_EQ("a SYN of these ports does not replace it, whoever sent it",
		from_client(world, START_MS + 3, SYN, CLIENT_SEQUENCE + 100000, 0), REASON_CHALLENGED);
	cookie = world->decision.segment.sequence;
	CHECK_EQ("its client begins anew with a cookie",
		from_client(world, START_MS + 4, ACK, CLIENT_SEQUENCE + 100001, cookie + 1), REASON_PROXY_ACCEPTED);
	world_destroy(world);
}

/* A connection whose flow was lost with an earlier dataplane. The node expects CLIENT_SEQUENCE + 1 and sends NODE_SEQUENCE. */
static void test_adopted_by_a_stranger(void)
{
	static const struct {
		const char *name;
		uint32_t sequence, acknowledgement;
		bool reset;
	} cases[] = {
		{"a blind ACK does not reset the connection that it names", 900000, 0x90000000, false},
		{"one that guesses the window does not either", CLIENT_SEQUENCE + 2, 0x90000000, false},
		{"the client's own, whose numbers were translated, has both ends reset", CLIENT_SEQUENCE + 1, 0x90000000, true},
		{"the client's own, whose numbers were not, goes on", CLIENT_SEQUENCE + 1, NODE_SEQUENCE, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = world_proxied();

		world->services[WORLD_SERVICE_ALWAYS].challenge = IMAGE_CHALLENGE_OFF;
		world_start(world);
		CHECK_EQ(cases[i].name, from_client(world, 500, ACK, cases[i].sequence, cases[i].acknowledgement),
			REASON_FLOW_ADOPTED);
		CHECK_EQ(cases[i].name, from_node(world, 501, ACK, NODE_SEQUENCE, 64000),
			cases[i].reset ? REASON_FLOW_CUT : REASON_FLOW);
		CHECK_EQ(cases[i].name, world->n_segments != 0, cases[i].reset);
		world_destroy(world);
	}
}

static const struct check_test tests[] = {
	{"the last acknowledgements of a proxied connection open no other", test_last_acknowledgements},
	{"a promise that nobody remembers is taken to be the node's", test_promises_forgotten},
	{"the narrow path of one client is not promised to all for ever", test_narrow_path_of_one},
	{"the client's silence counts from the moment when it could speak", test_silence_counts_from_opening},
	{"the client's silence counts from its proof where nothing is proxied", test_silence_counts_from_proof},
	{"the ports of a proxied connection that has ended are its client's", test_ports_of_an_end},
	{"nobody but its client has a lost connection reset", test_adopted_by_a_stranger},
	{"allowlisted sources are challenged however many replies their network had", test_allowed_gets_its_challenge},
};

CHECK_MAIN("stage_hostile", tests)
