/* SPDX-License-Identifier: BSD-3-Clause
 * Connections of the roster: who is let in, what an end means, who waits before it comes again, and what a
 * lost event costs. Times are seconds; every wait is the roster's own timer.
 */
#include <stdio.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

static struct roster_opened try_open(const char *ip, uint16_t port, bool inbound, const char *id, double at_s)
{
	struct roster_open open = {.address = roster_world_address(ip),
		.port = port,
		.inbound = inbound,
		.proven = true,
		.rtt_ms = -1,
		.id_or_null = id};
	struct roster_opened opened = {0};
	roster_world_wait(at_s);
	CHECK_EQ(ip, roster_connection_open(roster_world.roster, &open, ROSTER_MS(at_s), &opened), 0);
	return opened;
}

static const char *verdict_of(const char *ip, uint16_t port, bool inbound, const char *id, double at_s)
{
	static char text[80];
	struct roster_opened opened = try_open(ip, port, inbound, id, at_s);
	snprintf(text, sizeof(text), "%s%s%s", roster_verdict_name(opened.verdict),
		opened.reason[0] != '\0' ? " " : "", opened.reason);
	return text;
}

static const char *host(unsigned n)
{
	static char text[32];
	snprintf(text, sizeof(text), "198.%u.%u.%u", 18 + n / 65536, n / 256 % 256, n % 256);
	return text;
}

static const char *identity(unsigned n)
{
	static char text[32];
	snprintf(text, sizeof(text), "peer%u", n);
	return text;
}

/** `n` peers of the lighthouse profile, ten of them outbound, each with an id and an address. */
static void crowd(unsigned n, double at_s)
{
	for (unsigned i = 0; i < n; i++)
		(void)roster_world_open(host(i), 9000, i >= 10, identity(i), at_s);
}

static void disconnect(const char *id, double at_s)
{
	struct peer_name name = {.id = ""};
	uint32_t closed = 0;
	strncpy(name.id, id, sizeof(name.id) - 1);
	roster_world_wait(at_s);
	CHECK_EQ(id, roster_peer_disconnect(roster_world.roster, &name, "", 0, ROSTER_MS(at_s), &closed), 0);
	CHECK_EQ(id, closed, 1u);
}

static void test_throttle(void)
{
	roster_world_begin("lighthouse");
	crowd(51, 0);
	disconnect("peer20", 100);
	CHECK_EQ("we close one of 51: 599 s later it is refused",
		verdict_of(host(20), 9001, true, "peer20", 699), "refuse throttled");
	CHECK_EQ("its address too, since nobody else is there", verdict_of(host(20), 9001, true, NULL, 699),
		"refuse throttled");
	CHECK_EQ("600 s later it is let in", verdict_of(host(20), 9001, true, "peer20", 700), "forward");
	roster_world_check_counts("V9");
	roster_world_end();

	roster_world_begin("lighthouse");
	crowd(50, 0);
	disconnect("peer20", 100);
	CHECK_EQ("we close one of 50: it may come back", verdict_of(host(20), 9001, true, "peer20", 102),
		"forward");
	roster_world_end();

	roster_world_begin("lighthouse");
	crowd(50, 0);
	uint64_t last = roster_world_open("203.0.113.1", 9000, true, "last", 1);
	roster_world_close(last, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 100);
	CHECK_EQ("it closes one of 51 itself: no throttle",
		verdict_of("203.0.113.1", 9001, true, "last", 101), "forward");
	roster_world_end();

	struct roster_config config = roster_world_config("lighthouse");
	config.throttle_any_close = true;
	roster_world_begin_with(&config);
	crowd(50, 0);
	last = roster_world_open("203.0.113.1", 9000, true, "last", 1);
	roster_world_close(last, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 100);
	CHECK_EQ("with throttle.on = any_close it waits", verdict_of("203.0.113.1", 9001, true, "last", 699),
		"refuse throttled");
	CHECK_EQ("for 600 s", verdict_of("203.0.113.1", 9001, true, "last", 700), "forward");
	roster_world_end();
}

static void test_throttle_newcomer(void)
{
	roster_world_begin("lighthouse");
	crowd(55, 0);
	CHECK_EQ("55 of 50: a newcomer is told so", verdict_of("203.0.113.1", 9000, true, "late", 10),
		"refuse too many peers");
	for (unsigned i = 30; i < 40; i++)
		roster_world_close(roster_connection_at_endpoint(roster_world.roster,
					   &(struct book_endpoint){roster_world_address(host(i)), 9000}),
			CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 20);
	CHECK_EQ("it waits 600 s though there is room", verdict_of("203.0.113.1", 9000, true, "late", 609.9),
		"refuse throttled");
	CHECK_EQ("and no longer", verdict_of("203.0.113.1", 9000, true, "late", 610), "forward");
	roster_world_check_counts("V9");
	roster_world_end();
}

static void test_window(void)
{
	static const struct {
		double at_s;
		const char *verdict;
	} cases[] = {{0, "forward"}, {1, "forward"}, {2, "forward"}, {3, "forward"}, {4, "forward"},
		{5, "refuse rate"}, {59.9, "refuse rate"}, {60, "forward"}, {60.5, "refuse rate"},
		{61, "forward"}};
	roster_world_begin("dugite");
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ("V30: five in 60 s",
			verdict_of("203.0.113.7", (uint16_t)(1000 + i), true, NULL, cases[i].at_s),
			cases[i].verdict);
	CHECK_EQ("another address has its own", verdict_of("203.0.113.8", 1, true, NULL, 61), "forward");
	roster_world_end();

	struct roster_config config = roster_world_config("bootstrap");
	config.concurrency_v4[IMAGE_LEVEL_HOST] = 0; /* eight at once would be all: test_roster_admit.c */
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < 16; i++)
		CHECK_EQ("sixteen at once", verdict_of("203.0.113.7", (uint16_t)(1 + i), true, NULL, 0),
			"forward");
	CHECK_EQ("and no more", verdict_of("203.0.113.7", 17, true, NULL, 0), "refuse rate");
	CHECK_EQ("again", verdict_of("203.0.113.7", 17, true, NULL, 1), "refuse rate");
	CHECK_NEAR("2.3: Low, once in ten seconds", roster_world_peer("203.0.113.7", 1).governor.app_score,
		-10, 0.1);
	roster_world_end();
}

static uint64_t authenticated(const char *ip, const char *id, double at_s, struct roster_opened *ret_opened)
{
	struct roster_opened opened = try_open(ip, 11625, true, id, at_s);
	enum outcome outcome = OUTCOME_NEUTRAL;
	CHECK_TRUE(ip, opened.connection != 0);
	CHECK_EQ(ip,
		roster_connection_auth(roster_world.roster, opened.connection, true, "", ROSTER_MS(at_s),
			&outcome, ret_opened),
		0);
	CHECK_EQ(ip, (int)outcome, (int)OUTCOME_SUCCESS);
	return opened.connection;
}

static void tag_preferred(const char *who, double at_s)
{
	struct roster_tag tag = {.which = ROSTER_TAG_PREFERRED, .values = {.preferred = true}};
	roster_world_tag(who, &tag, at_s);
}

static void test_stellar_pending(void)
{
	roster_world_begin("stellar");
	for (unsigned i = 0; i < 444; i++)
		CHECK_EQ("444 wait", verdict_of(host(i), 11625, true, NULL, 0), "forward");
	CHECK_EQ("V32: an ordinary address is refused", verdict_of(host(500), 11625, true, NULL, 0),
		"refuse pending");
	for (unsigned i = 600; i < 603; i++)
		tag_preferred(host(i), 0);
	CHECK_EQ("a preferred one is not, at 444", verdict_of(host(600), 11625, true, NULL, 0), "forward");
	CHECK_EQ("nor at 445", verdict_of(host(601), 11625, true, NULL, 0), "forward");
	CHECK_EQ("but at 446", verdict_of(host(602), 11625, true, NULL, 0), "refuse pending");
	roster_world_check_counts("V32");
	roster_world_wait(2);
	CHECK_EQ("HE-13: who says nothing for 2 s is gone", roster_world.roster->connections.n_used, 0u);
	CHECK_EQ("each with its event", roster_world_events("peer.disconnected"), 446u);
	roster_world_check_counts("V32");
	roster_world_end();
}

static void test_stellar_full(void)
{
	struct roster_opened opened;
	roster_world_begin("stellar");
	for (unsigned i = 0; i < 64; i++) {
		(void)authenticated(host(i), identity(i), 0, &opened);
		CHECK_EQ("64 have a place", opened.n_evicted, 0u);
	}
	CHECK_EQ("V32: they are authenticated", roster_world.roster->counts.in, 64u);
	struct roster_opened late = try_open("203.0.113.1", 11625, true, "late", 0);
	CHECK_EQ("a newcomer gets PEERS", roster_verdict_name(late.verdict), "courtesy");
	CHECK_TRUE("and a connection", late.connection != 0);
	CHECK_EQ("that takes no place", roster_world.roster->counts.in, 64u);
	roster_world_check_counts("courtesy");
	roster_world_wait(1.9);
	CHECK_EQ("for a while", roster_world.roster->n_courtesy, 1u);
	roster_world_wait(2);
	CHECK_EQ("then it is closed", roster_world.roster->n_courtesy, 0u);
	tag_preferred("203.0.113.2", 3);
	(void)authenticated("203.0.113.2", "friend", 3, &opened);
	CHECK_EQ("a preferred newcomer displaces exactly one", opened.n_evicted, 1u);
	CHECK_EQ("and 64 stay", roster_world.roster->counts.in, 64u);
	CHECK_EQ("it is among them", (int)roster_world_peer("#friend", 3).state.status,
		(int)PEER_STATUS_CONNECTED);
	roster_world_check_counts("HE-13");
	roster_world_end();
}

static void set_value(const char *id, double overall, double at_s)
{
	/* 0.4 of reliability, which is 100 * 0.4 of uptime and so on: equal ratios of one value give that
	 * value. */
	struct roster_metrics metrics = roster_world_metrics();
	double value;
	metrics.uptime = metrics.conn_success = metrics.delivery = metrics.throughput = metrics.compliance =
		overall;
	CHECK_EQ(id, roster_peer_metrics(roster_world.roster, id, &metrics, ROSTER_MS(at_s), &value), 0);
}

static void test_margin(void)
{
	struct roster_config config = roster_world_config("lorachain");
	config.profile.limits.total = config.profile.limits.in = 3;
	roster_world_begin_with(&config);
	uint64_t first = roster_world_open(host(9), 1, true, "newcomer", 0);
	roster_world_close(first, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 0);
	for (unsigned i = 0; i < 3; i++) {
		(void)roster_world_open(host(i), 1, true, identity(i), 0);
		set_value(identity(i), 0.6 + 0.1 * i, 0);
	}
	double lowest = roster_world_peer("#peer0", 0).value;
	set_value("newcomer", 0.6, 0);
	CHECK_EQ("V13: equal to the lowest is not enough", verdict_of(host(9), 2, true, "newcomer", 0),
		"refuse in");
	set_value("newcomer", 1.0, 0);
	CHECK_TRUE("worth more by more than ten", roster_world_peer("#newcomer", 0).value > lowest + 10);
	struct roster_opened opened = try_open(host(9), 2, true, "newcomer", 0);
	CHECK_EQ("it is let in", roster_verdict_name(opened.verdict), "forward");
	CHECK_EQ("for one", opened.n_evicted, 1u);
	CHECK_EQ("the lowest", (int)roster_world_peer("#peer0", 0).state.status,
		(int)PEER_STATUS_DISCONNECTED);
	CHECK_EQ("three are there", roster_world.roster->counts.in, 3u);
	roster_world_check_counts("V13");
	roster_world_end();

	roster_world_begin("spacetime");
	for (unsigned i = 0; i < 50; i++)
		CHECK_EQ("SP-14: fifty", verdict_of(host(i), 1, true, NULL, 0), "forward");
	CHECK_EQ("and no more", verdict_of(host(50), 1, true, NULL, 0), "refuse total");
	roster_world_end();
}

static void test_soft(void)
{
	struct roster_config config = roster_world_config("ouroboros");
	config.profile.limits.soft = (struct target_soft){TARGET_SOFT_LINEAR, 3, 4, 5};
	config.profile.limits.soft.hard = 5;
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ("below and at the soft limit nobody waits", verdict_of(host(i), 1, true, NULL, 0),
			"forward");
	struct roster_opened opened = try_open(host(4), 1, true, NULL, 0);
	CHECK_EQ("V23: above it there is a pace", roster_verdict_name(opened.verdict), "pace");
	CHECK_TRUE("linear between the two", opened.delay_ms == 2500.0);
	CHECK_TRUE("and a connection", opened.connection != 0);
	CHECK_EQ("at the hard limit nobody comes", verdict_of(host(5), 1, true, NULL, 0), "refuse hard");
	roster_world_end();
}

static struct book_dial dial(const char *ip, uint16_t port, double at_s)
{
	struct book_dial answer;
	struct address address = roster_world_address(ip);
	roster_world_wait(at_s);
	roster_connection_dial(roster_world.roster, &address, port, ROSTER_MS(at_s), &answer);
	return answer;
}

static enum outcome end_dial(const char *ip, uint16_t port, enum closed_how how, double at_s)
{
	struct roster_close close = {.address = roster_world_address(ip),
		.port = port,
		.by = CLOSED_BY_CLIENT,
		.how = how,
		.reason = ""};
	enum outcome outcome = OUTCOME_NEUTRAL;
	const char *why;
	roster_world_wait(at_s);
	CHECK_EQ(
		ip, roster_connection_close(roster_world.roster, &close, ROSTER_MS(at_s), &outcome, &why), 0);
	return outcome;
}

static void circuit_sequence(const char *ip)
{
	static const double failures[] = {0, 5, 15};
	for (size_t i = 0; i < CHECK_COUNT(failures); i++) {
		(void)dial(ip, 3001, failures[i]);
		CHECK_EQ("a refused dial is a failure", (int)end_dial(ip, 3001, CLOSED_HOW_RST, failures[i]),
			(int)OUTCOME_FAILURE);
	}
	CHECK_FALSE("V22: at 74 it is denied", dial(ip, 3001, 74).allow);
	struct book_dial probe = dial(ip, 3001, 75);
	CHECK_TRUE("at 75 a probe is allowed", probe.allow);
	CHECK_EQ("half open", (int)probe.circuit, (int)CIRCUIT_HALF_OPEN);
	CHECK_FALSE("one only", dial(ip, 3001, 75.5).allow);
	CHECK_EQ("it fails", (int)end_dial(ip, 3001, CLOSED_HOW_TIMEOUT, 76), (int)OUTCOME_FAILURE);
	CHECK_FALSE("at 195 it is denied", dial(ip, 3001, 195).allow);
	CHECK_TRUE("at 196 allowed", dial(ip, 3001, 196).allow);
	CHECK_EQ("197", (int)end_dial(ip, 3001, CLOSED_HOW_RST, 197), (int)OUTCOME_FAILURE);
	CHECK_FALSE("open until 437", dial(ip, 3001, 436).allow);
	CHECK_TRUE("at 437 allowed", dial(ip, 3001, 437).allow);
	uint64_t connection = roster_world_open(ip, 3001, false, "", 438);
	CHECK_TRUE("it answers", connection != 0);
	roster_world_close(connection, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 440);
	CHECK_EQ("and the circuit is closed", (int)dial(ip, 3001, 441).circuit, (int)CIRCUIT_CLOSED);
}

static void test_circuit(void)
{
	roster_world_begin("dugite");
	roster_world_book("203.0.113.5", 3001, PEER_SOURCE_LEDGER, 0);
	circuit_sequence("203.0.113.5");
	roster_world_check_counts("V22");
	roster_world_end();

	roster_world_begin("dugite");
	circuit_sequence("203.0.113.6"); /* of which the book knows nothing */
	roster_world_end();
}

static void test_dial_given_up(void)
{
	roster_world_begin("lighthouse");
	CHECK_TRUE("allowed", dial("203.0.113.5", 9000, 0).allow);
	CHECK_EQ("it is being dialled", (int)roster_world_peer("203.0.113.5", 1).state.status,
		(int)PEER_STATUS_DIALING);
	CHECK_EQ("one", roster_world.roster->n_dialing, 1u);
	roster_world_wait(14.9);
	CHECK_EQ("for 15 s", roster_world.roster->n_dialing, 1u);
	roster_world_wait(15);
	CHECK_EQ("LH-1: then it is cleaned up", roster_world.roster->n_dialing, 0u);
	CHECK_EQ("and held against nobody", roster_world_peer("203.0.113.5", 16).counters.fail, 0u);
	roster_world_check_counts("LH-1");
	roster_world_end();
}

static void test_dials_bounded(void)
{
	roster_world_begin("lighthouse");
	for (unsigned i = 0; i < 16; i++)
		CHECK_TRUE("LH-7: sixteen dials", dial(host(i), 9000, 0).allow);
	struct book_dial more = dial(host(16), 9000, 0);
	CHECK_FALSE("and no more", more.allow);
	CHECK_EQ("as pending", more.reason, "pending");
	CHECK_TRUE("15 s later there is room", dial(host(16), 9000, 15).allow);
	roster_world_end();

	struct roster_config config = roster_world_config("dugite");
	config.outbound_only = true;
	roster_world_begin_with(&config);
	CHECK_EQ("DU-9: an initiator lets nobody in", verdict_of(host(1), 1, true, NULL, 0), "drop inbound");
	CHECK_EQ("and goes out", verdict_of(host(1), 1, false, NULL, 0), "forward");
	roster_world_end();
}

static void test_unproven(void)
{
	struct address address = roster_world_address("198.51.100.7");
	struct roster_attempts attempts;
	struct roster_opened opened;
	struct roster_open open = {
		.address = address, .port = 1, .inbound = true, .proven = false, .rtt_ms = -1};
	struct event_record event = {
		.kind = EVENT_FLOW_SILENT, .client_port = 7, .flags = EVENT_FLAG_EVIDENCE};
	roster_world_begin("dugite");
	memcpy(event.client, address.bytes, sizeof(event.client));
	roster_connection_attempt(roster_world.roster, &address, 10000, false, ROSTER_MS(1), &attempts);
	CHECK_EQ("every attempt is answered", attempts.forward + attempts.challenge, 10000u);
	CHECK_TRUE("few go forward", attempts.forward < 20);
	(void)roster_connection_open(roster_world.roster, &open, ROSTER_MS(2), &opened);
	CHECK_EQ("an unproven one is no connection", opened.connection, (uint64_t)0);
	roster_dataplane_event(roster_world.roster, &event, ROSTER_MS(3));
	event.kind = EVENT_FLOW_PROVEN; /* whatever it says of itself */
	roster_dataplane_event(roster_world.roster, &event, ROSTER_MS(3));
	struct roster_peer_info info = roster_world_peer("198.51.100.7", 4);
	CHECK_FALSE("V39: nobody is known", info.known || info.governor.known);
	CHECK_EQ("no failure", info.counters.fail, 0u);
	CHECK_NEAR("no score", info.governor.app_score, 0, 0);
	CHECK_FALSE("no ban", info.governor.has_ban);
	CHECK_EQ("the circuit is closed", (int)info.circuit, (int)CIRCUIT_CLOSED);
	CHECK_EQ("there is no record", roster_world.roster->peers.n_used, 0u);
	roster_world_end();
}

static void test_silence(void)
{
	roster_world_begin("bootstrap");
	(void)roster_world_open("203.0.113.1", 1, true, "", 0);
	roster_world_wait(4.9);
	CHECK_NEAR("not yet", roster_world_peer("203.0.113.1", 4.9).governor.app_score, 0, 0);
	struct roster_peer_info info = roster_world_peer("203.0.113.1", 5);
	CHECK_NEAR("2.3: Mid for who says nothing", info.governor.app_score, -5, 1e-9);
	CHECK_EQ("a failure", info.counters.fail, 1u);
	info = roster_world_peer("203.0.113.1", 30);
	CHECK_EQ("once a connection", info.counters.fail, 1u);
	CHECK_TRUE("and no more", info.governor.app_score > -5);
	roster_world_wait(60);
	CHECK_EQ("idle it is closed", roster_world.roster->connections.n_used, 0u);
	CHECK_EQ("the failure was booked", roster_world_peer("203.0.113.1", 60).counters.fail, 1u);
	roster_world_check_counts("silent");
	roster_world_end();

	roster_world_begin("bootstrap");
	uint64_t connection = roster_world_open("203.0.113.1", 1, true, "", 0);
	CHECK_EQ("it speaks",
		roster_connection_data(roster_world.roster, connection, 10, 10, 12, ROSTER_MS(4)), 0);
	CHECK_NEAR("its round trip is known", (double)roster_world_peer("203.0.113.1", 5).counters.rtt_ms, 12,
		1e-6);
	roster_world_wait(63.9);
	CHECK_EQ("60 s are counted from there", roster_world.roster->connections.n_used, 1u);
	roster_world_wait(64);
	CHECK_EQ("then it is idle", roster_world.roster->connections.n_used, 0u);
	info = roster_world_peer("203.0.113.1", 64);
	CHECK_NEAR("which costs nothing", info.governor.app_score, 0, 0);
	CHECK_EQ("no failure", info.counters.fail, 0u);
	roster_world_end();
}

static struct roster_close closing(
	uint64_t connection, enum closed_by by, enum closed_how how, const char *reason)
{
	return (struct roster_close){.connection = connection, .by = by, .how = how, .reason = reason};
}

static void test_outcomes(void)
{
	static const struct {
		const char *name;
		uint64_t bytes_in;
		enum closed_by by;
		enum closed_how how;
		const char *reason;
		bool node_up;
		enum outcome outcome;
	} cases[] = {
		{"payload and FIN", 10, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, "", true, OUTCOME_SUCCESS},
		{"FIN at once", 0, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, "", true, OUTCOME_NEUTRAL},
		{"RST before payload", 0, CLOSED_BY_CLIENT, CLOSED_HOW_RST, "", true, OUTCOME_FAILURE},
		{"the node is down", 0, CLOSED_BY_CLIENT, CLOSED_HOW_RST, "", false, OUTCOME_NEUTRAL},
		{"the node refused", 0, CLOSED_BY_NODE, CLOSED_HOW_BACKEND_REFUSED, "", true,
			OUTCOME_NEUTRAL},
		{"too many", 0, CLOSED_BY_NODE, CLOSED_HOW_FIN, "too_many_peers", true, OUTCOME_NEUTRAL},
		{"for its fault", 10, CLOSED_BY_NODE, CLOSED_HOW_FIN, "fault", true, OUTCOME_FAILURE},
		{"by Weir", 10, CLOSED_BY_WEIR, CLOSED_HOW_RST, "", true, OUTCOME_NEUTRAL},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		enum outcome outcome = OUTCOME_NEUTRAL;
		const char *why = NULL;
		roster_world_begin("bootstrap");
		uint64_t connection = roster_world_open("203.0.113.1", 1, true, "", 0);
		roster_node_up(roster_world.roster, cases[i].node_up, ROSTER_MS(0));
		if (cases[i].bytes_in != 0)
			(void)roster_connection_data(
				roster_world.roster, connection, cases[i].bytes_in, 0, -1, ROSTER_MS(1));
		struct roster_close close = closing(connection, cases[i].by, cases[i].how, cases[i].reason);
		CHECK_EQ(cases[i].name,
			roster_connection_close(roster_world.roster, &close, ROSTER_MS(2), &outcome, &why),
			0);
		CHECK_EQ(cases[i].name, (int)outcome, (int)cases[i].outcome);
		CHECK_TRUE(cases[i].name, why != NULL && why[0] != '\0');
		struct roster_peer_info info = roster_world_peer("203.0.113.1", 2);
		CHECK_EQ(cases[i].name, info.counters.ok, (uint32_t)(cases[i].outcome == OUTCOME_SUCCESS));
		CHECK_EQ(cases[i].name, info.counters.fail, (uint32_t)(cases[i].outcome == OUTCOME_FAILURE));
		CHECK_EQ(cases[i].name,
			roster_connection_close(roster_world.roster, &close, ROSTER_MS(2), &outcome, &why),
			-2);
		roster_world_check_counts(cases[i].name);
		roster_world_end();
	}
}

static void test_no_room(void)
{
	struct roster_config config = roster_world_config("stellar");
	config.connections_max = 3;
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < 4; i++)
		CHECK_TRUE("each has a record", try_open(host(i), 1, true, NULL, 0.1 * i).connection != 0);
	CHECK_EQ("the oldest of those that wait gave way", roster_world.roster->connections.n_used, 3u);
	CHECK_EQ("it is known which",
		roster_connection_at_endpoint(
			roster_world.roster, &(struct book_endpoint){roster_world_address(host(0)), 1}),
		(uint64_t)0);
	roster_world_check_counts("no room");
	roster_world_end();
}

static const struct check_test tests[] = {
	{"V9: we close one of 51", test_throttle},
	{"V9: a newcomer to 55 of 50 waits too", test_throttle_newcomer},
	{"V30: the exact window of proven opens", test_window},
	{"V32: pending places of Stellar", test_stellar_pending},
	{"V32: a full pool of Stellar, courtesy and preference", test_stellar_full},
	{"V13: a full pool yields to who is worth ten more", test_margin},
	{"V23: a soft limit paces, a hard one refuses", test_soft},
	{"V22: the circuit follows dials", test_circuit},
	{"LH-1: a dial that nobody heard of is cleaned up", test_dial_given_up},
	{"V39: unproven changes nothing", test_unproven},
	{"LH-7, DU-9: dials are bounded, an initiator is closed", test_dials_bounded},
	{"2.3: silence costs once, idleness closes", test_silence},
	{"2.1: what an end means", test_outcomes},
	{"the records of connections are bounded", test_no_room},
};
CHECK_MAIN("roster_connection", tests)
