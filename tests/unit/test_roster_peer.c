/* SPDX-License-Identifier: BSD-3-Clause
 * What the node says of peers, and what bans and scores do to their connections. Times are seconds; every
 * wait is the roster's own timer.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

static struct roster_bound bind_at(const char *id, const char *ip, uint16_t port, double at_s)
{
	struct roster_bind bind = {.id = id,
		.address = roster_world_address(ip),
		.port = port,
		.agent = "Lighthouse/v5.3.0-abc/x86_64-linux",
		.version = "",
		.enr = "",
		.metadata = ""};
	struct roster_bound bound = {0};
	roster_world_wait(at_s);
	CHECK_EQ(id, roster_peer_bind(roster_world.roster, &bind, ROSTER_MS(at_s), &bound), 0);
	return bound;
}

/** Open without an id, then bind: whoever is refused is refused by id. */
static struct roster_bound come(const char *id, const char *ip, uint16_t port, double at_s)
{
	struct roster_open open = {.address = roster_world_address(ip),
		.port = port,
		.inbound = true,
		.proven = true,
		.rtt_ms = -1};
	struct roster_opened opened = {0};
	roster_world_wait(at_s);
	CHECK_EQ(id, roster_connection_open(roster_world.roster, &open, ROSTER_MS(at_s), &opened), 0);
	if (opened.connection != 0)
		return bind_at(id, ip, port, at_s);
	struct roster_bound bound = {0};
	snprintf(bound.reason, sizeof(bound.reason), "%s", opened.reason);
	return bound;
}

static struct peer_report_result report(const char *who, enum peer_action action, unsigned times, double at_s)
{
	struct peer_report_result result = {0};
	struct peer_name name = roster_world_name(who);
	roster_world_wait(at_s);
	for (unsigned i = 0; i < times; i++)
		CHECK_EQ(who,
			roster_peer_report(
				roster_world.roster, &name, action, "", "", true, ROSTER_MS(at_s), &result),
			0);
	return result;
}

static int status_of(const char *who, double at_s)
{
	return (int)roster_world_peer(who, at_s).state.status;
}

static void unban(const char *id, unsigned tier, double at_s)
{
	struct ban key = {.scope = BAN_SCOPE_PEER};
	strncpy(key.id, id, sizeof(key.id) - 1);
	roster_world_wait(at_s);
	CHECK_EQ(id,
		governor_ban_remove(roster_governor(roster_world.roster), &key, tier, ROSTER_MS(at_s), NULL),
		0);
	roster_world_wait(at_s);
}

static void test_fatal(void)
{
	roster_world_begin("lighthouse");
	CHECK_TRUE("it comes", come("x", "203.0.113.1", 1, 0).accepted);
	roster_world_forget();
	report("#x", PEER_ACTION_FATAL, 1, 1);
	CHECK_EQ("the application is told to say goodbye, once", roster_world_events("peer.disconnect"), 1u);
	CHECK_EQ("with its code", roster_world_events_with("peer.disconnect", "\"code\":251"), 1u);
	CHECK_EQ("LH-10: banned when that is done", status_of("#x", 1.9), (int)PEER_STATUS_DISCONNECTING);
	CHECK_EQ("nothing is cut in the grace", roster_world.cuts, 0u);
	CHECK_EQ("then it is", status_of("#x", 2), (int)PEER_STATUS_BANNED);
	CHECK_EQ("and cut", roster_world.cuts, 1u);
	struct roster_bound bound = come("x", "203.0.113.2", 1, 100);
	CHECK_FALSE("it is turned away wherever it comes from", bound.accepted);
	CHECK_EQ("as banned", (const char *)bound.reason, "banned");
	CHECK_EQ("251", bound.code, 251);
	CHECK_EQ("until", bound.until_ms / 1000, (ROSTER_MS(1) + 43801000) / 1000);
	CHECK_EQ("V5: banned still", status_of("#x", 1 + 43800), (int)PEER_STATUS_BANNED);
	roster_world_forget();
	CHECK_EQ("unbanned", status_of("#x", 1 + 43801), (int)PEER_STATUS_DISCONNECTED);
	CHECK_EQ("told once", roster_world_events("peer.unbanned"), 1u);
	bound = come("x", "203.0.113.3", 1, 1 + 44593);
	CHECK_EQ("but not healthy", (const char *)bound.reason, "score");
	CHECK_EQ("250", bound.code, 250);
	CHECK_TRUE("V5: healthy at 44594", come("x", "203.0.113.4", 1, 1 + 44594).accepted);
	roster_world_end();
}

static void test_disconnect_state(void)
{
	roster_world_begin("lighthouse");
	(void)come("x", "203.0.113.1", 1, 0);
	report("#x", PEER_ACTION_LOW, 1, 1);
	CHECK_EQ("-10 changes nothing", status_of("#x", 1), (int)PEER_STATUS_CONNECTED);
	roster_world_forget();
	report("#x", PEER_ACTION_LOW, 1, 1);
	CHECK_EQ("-20 does", roster_world_events_with("peer.disconnect", "\"code\":250"), 1u);
	CHECK_EQ("once", roster_world_events("peer.disconnect"), 1u);
	CHECK_EQ("and it is not banned", status_of("#x", 3), (int)PEER_STATUS_DISCONNECTED);
	CHECK_EQ(
		"its host is told apart from it", status_of("203.0.113.1", 3), (int)PEER_STATUS_DISCONNECTED);
	roster_world_end();

	roster_world_begin("bootstrap");
	struct roster_opened opened;
	struct roster_open open = {.address = roster_world_address("203.0.113.1"),
		.port = 1,
		.inbound = true,
		.proven = true,
		.rtt_ms = -1};
	CHECK_EQ("open", roster_connection_open(roster_world.roster, &open, ROSTER_MS(0), &opened), 0);
	report("203.0.113.1", PEER_ACTION_FATAL, 1, 1);
	CHECK_EQ("an address without id is closed too", roster_world.roster->connections.n_used, 0u);
	CHECK_EQ("and banned", status_of("203.0.113.1", 1), (int)PEER_STATUS_BANNED);
	CHECK_EQ("open", roster_connection_open(roster_world.roster, &open, ROSTER_MS(2), &opened), 0);
	CHECK_EQ("it is dropped", roster_verdict_name(opened.verdict), "drop");
	roster_world_end();
}

static void test_trusted(void)
{
	struct roster_tag tag = {.which = ROSTER_TAG_TRUSTED, .values = {.trusted = true}};
	roster_world_begin("lighthouse");
	(void)come("x", "203.0.113.1", 1, 0);
	roster_world_tag("203.0.113.1", &tag, 0);
	struct peer_report_result result = report("#x", PEER_ACTION_FATAL, 3, 1);
	CHECK_TRUE("the tag of its address protects it", result.trusted);
	CHECK_FALSE("LH-19: no ban", result.banned);
	CHECK_EQ("it stays", status_of("#x", 10), (int)PEER_STATUS_CONNECTED);
	roster_world_end();
}

static void test_address_ban(void)
{
	char id[16];
	roster_world_begin("lighthouse");
	CHECK_TRUE("a good one is there", come("good", "203.0.113.9", 99, 0).accepted);
	CHECK_TRUE("another was", come("was", "203.0.113.9", 98, 0).accepted);
	(void)roster_world_open("203.0.113.9", 97, true, "", 0);
	struct peer_name name = roster_world_name("#was");
	uint32_t closed;
	CHECK_EQ("was", roster_peer_disconnect(roster_world.roster, &name, "", 1, ROSTER_MS(0), &closed), 0);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(id, sizeof(id), "bad%u", i);
		CHECK_TRUE("five banned ids do not ban the address",
			come(id, "203.0.113.9", (uint16_t)(1 + i), 10).accepted);
		char who[20];
		snprintf(who, sizeof(who), "#%s", id);
		report(who, PEER_ACTION_FATAL, 1, 10);
	}
	struct roster_bound bound = come("new", "203.0.113.9", 50, 20);
	CHECK_EQ("V7: the sixth does", (const char *)bound.reason, "banned");
	CHECK_EQ("LH-21: who behaves there stays", status_of("#good", 20), (int)PEER_STATUS_CONNECTED);
	CHECK_EQ("and may still say who it is", (const char *)bind_at("shy", "203.0.113.9", 97, 20).reason,
		"");
	bound = come("was", "203.0.113.77", 1, 21);
	CHECK_EQ("who was there is not welcome elsewhere", (const char *)bound.reason, "banned_ip");
	CHECK_EQ("252", bound.code, 252);
	unban("bad0", BAN_TIER_SCORE, 30);
	CHECK_TRUE("five left: free again", come("new", "203.0.113.9", 51, 31).accepted);
	roster_world_end();
}

static void test_overlap(void)
{
	roster_world_begin("lighthouse");
	CHECK_TRUE("there", come("x", "203.0.113.1", 1, 0).accepted);
	struct ban throttle = {
		.scope = BAN_SCOPE_PEER, .id = "x", .tier = BAN_TIER_THROTTLE, .end_ms = ROSTER_MS(1600)};
	CHECK_EQ("T1 until 1600",
		governor_ban_add(
			roster_governor(roster_world.roster), &throttle, false, ROSTER_MS(999), NULL),
		0);
	report("#x", PEER_ACTION_LOW, 5, 1000);
	CHECK_EQ("V38: the score's ban is not over at 1600",
		(const char *)come("x", "203.0.113.2", 1, 1601).reason, "banned");
	unban("x", BAN_TIER_SCORE, 2000);
	CHECK_TRUE("removed at 2000: admitted", come("x", "203.0.113.3", 1, 2000).accepted);
	roster_world_end();
}

static void test_caps(void)
{
	char id[16], ip[24], who[20];
	struct roster_config config = roster_world_config("lighthouse");
	struct roster_tag tag = {.which = ROSTER_TAG_TRUSTED, .values = {.trusted = true}};
	config.disconnected_max = 3;
	config.banned_max = 2;
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < 6; i++) {
		snprintf(id, sizeof(id), "p%u", i);
		snprintf(who, sizeof(who), "#p%u", i);
		snprintf(ip, sizeof(ip), "203.0.113.%u", i + 1);
		CHECK_TRUE(id, come(id, ip, 1, i).accepted);
		if (i == 0)
			roster_world_tag(who, &tag, i);
		struct peer_name name = roster_world_name(who);
		uint32_t closed;
		CHECK_EQ(id, roster_peer_disconnect(roster_world.roster, &name, "", 1, ROSTER_MS(i), &closed),
			0);
		CHECK_EQ(id, status_of(who, i + 1), (int)PEER_STATUS_DISCONNECTED);
	}
	CHECK_TRUE("LH-22: so many are kept", roster_world.roster->lists[ROSTER_LIST_DISCONNECTED].n <= 3);
	CHECK_TRUE("a trusted one is", roster_world_peer("#p0", 20).known);
	CHECK_TRUE("the last one is", roster_world_peer("#p5", 20).known);
	CHECK_FALSE("older ones are not", roster_world_peer("#p1", 20).known);
	roster_world_forget();
	for (unsigned i = 0; i < 3; i++) {
		snprintf(id, sizeof(id), "b%u", i);
		snprintf(who, sizeof(who), "#b%u", i);
		snprintf(ip, sizeof(ip), "203.0.113.%u", i + 100);
		CHECK_TRUE(id, come(id, ip, 1, 100 + i * 10).accepted);
		report(who, PEER_ACTION_FATAL, 1, 100 + i * 10);
	}
	CHECK_EQ("the oldest ban gives way", status_of("#b0", 140), (int)PEER_STATUS_DISCONNECTED);
	CHECK_EQ("and is told", roster_world_events("peer.unbanned"), 1u);
	CHECK_EQ("the others stand", status_of("#b2", 140), (int)PEER_STATUS_BANNED);
	roster_world_end();
}

static void test_failures_ban(void)
{
	struct roster_open open = {.address = roster_world_address("203.0.113.1"),
		.inbound = true,
		.proven = true,
		.rtt_ms = -1};
	struct roster_opened opened;
	roster_world_begin("stellar");
	for (unsigned i = 0; i < 10; i++) {
		CHECK_FALSE("nine failures are no ban",
			roster_world_peer("203.0.113.1", i * 10).governor.has_ban);
		open.port = (uint16_t)(i + 1);
		CHECK_EQ("open",
			roster_connection_open(roster_world.roster, &open, ROSTER_MS(i * 10), &opened), 0);
		CHECK_TRUE("let in", opened.connection != 0);
		roster_world_wait(i * 10 + 3);
	}
	struct roster_peer_info info = roster_world_peer("203.0.113.1", 95);
	CHECK_EQ("ten are counted", info.counters.fail, 10u);
	CHECK_TRUE("HE-14: banned", info.governor.has_ban);
	CHECK_EQ("T2", (int)info.governor.ban.tier, (int)BAN_TIER_STRIKE);
	CHECK_EQ("for 300 s", info.governor.ban.end_ms, ROSTER_MS(392));
	CHECK_EQ("it is dropped", roster_connection_open(roster_world.roster, &open, ROSTER_MS(200), &opened),
		0);
	CHECK_EQ("it is dropped", roster_verdict_name(opened.verdict), "drop");
	roster_world_end();
}

static void test_blacklist(void)
{
	struct roster_record record;
	roster_world_begin("spacetime");
	(void)come("x", "203.0.113.1", 1, 0);
	for (unsigned i = 0; i < 4; i++)
		CHECK_EQ("fail", roster_peer_record(roster_world.roster, "x", false, ROSTER_MS(1), &record),
			0);
	CHECK_FALSE("V14: not at the fourth", record.blacklisted);
	CHECK_EQ("fail", roster_peer_record(roster_world.roster, "x", false, ROSTER_MS(1), &record), 0);
	CHECK_TRUE("at the fifth", record.blacklisted);
	CHECK_EQ("SP-9: it is disconnected", status_of("#x", 2), (int)PEER_STATUS_DISCONNECTED);
	CHECK_EQ("and not let in again", (const char *)come("x", "203.0.113.2", 1, 3).reason, "blacklisted");
	CHECK_EQ("its connection is closed", roster_world.roster->connections.n_used, 0u);
	roster_world_end();
}

static void test_per_peer(void)
{
	roster_world_begin("lighthouse");
	CHECK_TRUE("one", come("x", "203.0.113.1", 1, 0).accepted);
	struct roster_bound bound = come("x", "203.0.113.1", 2, 0);
	CHECK_FALSE("LH-7: one connection a peer", bound.accepted);
	CHECK_EQ("129", bound.code, 129);
	roster_world_wait(2);
	CHECK_EQ("the second is closed", roster_world.roster->connections.n_used, 1u);
	CHECK_EQ("the first stays", status_of("#x", 2), (int)PEER_STATUS_CONNECTED);
	roster_world_end();
}

static void test_bind(void)
{
	struct roster_bind bind = {.id = "", .connection = 0};
	struct roster_bound bound;
	roster_world_begin("lighthouse");
	CHECK_EQ("an id is needed", roster_peer_bind(roster_world.roster, &bind, ROSTER_MS(0), &bound),
		-EINVAL);
	bind.id = "x";
	bind.connection = 77;
	CHECK_EQ("and a connection that is there",
		roster_peer_bind(roster_world.roster, &bind, ROSTER_MS(0), &bound), -ENOENT);
	uint64_t connection = roster_world_open("203.0.113.1", 5555, true, "", 0);
	(void)roster_connection_data(roster_world.roster, connection, 100, 7, 30, ROSTER_MS(1));
	CHECK_EQ("its host is connected", status_of("203.0.113.1", 1), (int)PEER_STATUS_CONNECTED);
	bind.connection = connection;
	bind.agent = "Lighthouse/v5.3.0-abc/x86_64-linux";
	bind.listen_port = 9000;
	CHECK_EQ("bound", roster_peer_bind(roster_world.roster, &bind, ROSTER_MS(2), &bound), 0);
	CHECK_EQ("its client is known", (int)bound.client.kind, (int)CLIENT_KIND_LIGHTHOUSE);
	struct roster_peer_info info = roster_world_peer("#x", 2);
	CHECK_EQ("the connection is the peer's", (int)info.state.status, (int)PEER_STATUS_CONNECTED);
	CHECK_EQ("inbound", (int)info.state.direction, (int)PEER_DIRECTION_IN);
	CHECK_NEAR("with what was measured", (double)info.counters.rtt_ms, 30, 1e-6);
	CHECK_EQ("its host has none of its own", status_of("203.0.113.1", 2), (int)PEER_STATUS_DISCONNECTED);
	struct book_endpoint endpoint = {roster_world_address("203.0.113.1"), 9000};
	const struct book_record *record = address_book_find(roster_book(roster_world.roster), &endpoint);
	CHECK_TRUE("HE-12: where it listens is in the book", record != NULL);
	if (record != NULL)
		CHECK_EQ("as inbound", record->type, BOOK_TYPE_INBOUND);
	roster_world_close(connection, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 3);
	CHECK_EQ("the success is the peer's", roster_world_peer("#x", 3).counters.ok, 1u);
	CHECK_EQ("disconnected", status_of("#x", 3), (int)PEER_STATUS_DISCONNECTED);
	CHECK_EQ("nobody is left", roster_world.roster->lists[ROSTER_LIST_CONNECTED].n, 0u);
	/* Live the node's word may come before the dataplane's event. */
	CHECK_TRUE("bound before it is known", bind_at("early", "203.0.113.5", 7, 10).accepted);
	struct event_record event = {.kind = EVENT_FLOW_PROVEN,
		.client_port = 7,
		.flags = EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE,
		.protocol = 6};
	memcpy(event.client, roster_world_address("203.0.113.5").bytes, sizeof(event.client));
	roster_dataplane_event(roster_world.roster, &event, ROSTER_MS(10.1));
	CHECK_EQ("it is that peer's connection", status_of("#early", 10.2), (int)PEER_STATUS_CONNECTED);
	roster_world_end();
}

static void test_temperature(void)
{
	enum temperature from, to;
	roster_world_begin("dugite");
	(void)roster_world_open("203.0.113.1", 3001, false, "x", 0);
	struct roster *roster = roster_world.roster;
	CHECK_EQ("warm is who is connected", (int)roster_temperature(roster, roster_peer_find(roster, "x")),
		(int)TEMPERATURE_WARM);
	CHECK_EQ("hot", roster_peer_temperature(roster, "x", TEMPERATURE_HOT, ROSTER_MS(1), &from, &to), 0);
	CHECK_EQ("from warm", (int)from, (int)TEMPERATURE_WARM);
	CHECK_EQ("one is hot", roster->n_hot, 1u);
	CHECK_EQ("cold leads to cooling while it is open",
		roster_peer_temperature(roster, "x", TEMPERATURE_COLD, ROSTER_MS(2), &from, &to), 0);
	CHECK_EQ("cooling", (int)to, (int)TEMPERATURE_COOLING);
	CHECK_EQ("DU-1: from there to cold only",
		roster_peer_temperature(roster, "x", TEMPERATURE_HOT, ROSTER_MS(3), &from, &to), -EPERM);
	CHECK_EQ("none is hot", roster->n_hot, 0u);
	CHECK_EQ("unknown", roster_peer_temperature(roster, "y", TEMPERATURE_HOT, ROSTER_MS(3), &from, &to),
		-ENOENT);
	roster_world_close(roster_connection_at_endpoint(roster,
				   &(struct book_endpoint){roster_world_address("203.0.113.1"), 3001}),
		CLOSED_BY_NODE, CLOSED_HOW_FIN, 4);
	CHECK_EQ("who is not connected cannot be warm",
		roster_peer_temperature(roster, "x", TEMPERATURE_WARM, ROSTER_MS(5), &from, &to), -EPERM);
	CHECK_EQ("none is warm", roster->n_warm, 0u);

	uint64_t inbound = roster_world_open("203.0.113.2", 5, true, "in", 10);
	uint32_t peer = roster_peer_find(roster, "in");
	(void)roster_connection_data(roster, inbound, 10, 0, -1, ROSTER_MS(11));
	CHECK_EQ("5.5.15: hot by its payload", (int)roster_temperature(roster, peer), (int)TEMPERATURE_HOT);
	CHECK_EQ("warm by the node's word",
		roster_peer_temperature(roster, "in", TEMPERATURE_WARM, ROSTER_MS(12), &from, &to), 0);
	CHECK_EQ("which counts for more", (int)roster_temperature(roster, peer), (int)TEMPERATURE_WARM);
	roster_world_end();
}

static void test_rpc_error(void)
{
	struct peer_report_result result;
	enum peer_action action;
	roster_world_begin("lighthouse");
	(void)come("x", "203.0.113.1", 1, 0);
	CHECK_EQ("LH-20",
		roster_peer_rpc_error(roster_world.roster, "x", "ServerError", "ping", true, ROSTER_MS(1),
			&action, &result),
		0);
	CHECK_EQ("a server's error is Mid", (int)action, (int)PEER_ACTION_MID);
	CHECK_NEAR("and costs five", result.score, -5, 1e-9);
	CHECK_EQ("unknown peer",
		roster_peer_rpc_error(roster_world.roster, "y", "ServerError", "ping", true, ROSTER_MS(1),
			&action, &result),
		-ENOENT);
	CHECK_EQ("unknown error",
		roster_peer_rpc_error(
			roster_world.roster, "x", "Nonsense", "ping", true, ROSTER_MS(1), &action, &result),
		-EDOM);
	roster_world_end();
}

static void test_disconnect(void)
{
	struct peer_name name = roster_world_name("#x");
	uint32_t closed = 9;
	roster_world_begin("lighthouse");
	CHECK_EQ("nobody", roster_peer_disconnect(roster_world.roster, &name, "", 0, ROSTER_MS(0), &closed),
		-ENOENT);
	(void)come("x", "203.0.113.1", 1, 0);
	roster_world_forget();
	CHECK_EQ("there",
		roster_peer_disconnect(roster_world.roster, &name, "tired", 3, ROSTER_MS(1), &closed), 0);
	CHECK_EQ("one", closed, 1u);
	CHECK_EQ("the goodbye has its code", roster_world_events_with("peer.disconnect", "\"code\":3"), 1u);
	CHECK_EQ("again",
		roster_peer_disconnect(roster_world.roster, &name, "tired", 3, ROSTER_MS(1), &closed), 0);
	CHECK_EQ("nothing is left to close", closed, 0u);
	roster_world_wait(2);
	CHECK_EQ("it is cut after the grace", roster_world.cuts, 1u);
	CHECK_EQ("remove", roster_peer_remove(roster_world.roster, "x", ROSTER_MS(3)), 0);
	CHECK_FALSE("it is forgotten", roster_world_peer("#x", 3).known);
	CHECK_EQ("once", roster_peer_remove(roster_world.roster, "x", ROSTER_MS(3)), -ENOENT);
	(void)come("z", "203.0.113.2", 1, 4);
	CHECK_EQ("remove", roster_peer_remove(roster_world.roster, "z", ROSTER_MS(5)), 0);
	CHECK_EQ("its connection stays, unbound", status_of("203.0.113.2", 5), (int)PEER_STATUS_CONNECTED);
	CHECK_EQ("one", roster_world.roster->lists[ROSTER_LIST_CONNECTED].n, 1u);
	roster_world_end();
}

static void test_gossip_ban(void)
{
	struct roster_gossip gossip = {.id = "x", .score = -16000};
	size_t updated;
	struct roster_config config = roster_world_config("lighthouse");
	config.ignore_negative = 0;
	roster_world_begin_with(&config);
	(void)come("x", "203.0.113.1", 1, 0);
	(void)come("other", "203.0.113.2", 1, 0);
	report("#x", PEER_ACTION_HIGH, 1, 1);
	roster_world_forget();
	CHECK_EQ("gossip", roster_peer_gossip(roster_world.roster, &gossip, 1, true, ROSTER_MS(1), &updated),
		0);
	CHECK_EQ("V1: -1 and -16000 disconnect", roster_world_events_with("peer.disconnect", "\"code\":250"),
		1u);
	roster_world_end();
}

static void test_restart(void)
{
	roster_world_begin("lighthouse");
	(void)come("x", "203.0.113.1", 1, 0);
	report("#x", PEER_ACTION_LOW, 5, 1);
	CHECK_EQ("forget", roster_forget_runtime(roster_world.roster, ROSTER_MS(10)), 0);
	CHECK_EQ("5.5.16: nobody is connected", roster_world.roster->connections.n_used, 0u);
	CHECK_FALSE("nor known", roster_world_peer("#x", 10).known);
	CHECK_TRUE("and the roster works", come("y", "203.0.113.2", 1, 11).accepted);
	roster_world_end();
}

#ifdef __SANITIZE_ADDRESS__
enum { KNOWN_PEERS = 20000 }; /* a sanitizer's allocator needs several times as much, and does not tell */
#else
enum { KNOWN_PEERS = 1000000 };
#endif

static size_t heap_used(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static void test_memory(void)
{
	char id[32];
	struct roster_config config = roster_world_config("bootstrap");
	config.peers_max = config.governor.peers_max = KNOWN_PEERS;
	roster_world_begin_with(&config);
	size_t before = heap_used();
	struct roster_bind bind = {
		.agent = "Lighthouse/v5.3.0-abc/x86_64-linux", .version = "", .enr = "", .metadata = ""};
	struct roster_bound bound;
	for (unsigned i = 0; i < KNOWN_PEERS; i++) {
		snprintf(id, sizeof(id), "16Uiu2HAm%013u", i);
		bind.id = id;
		bind.address = address_from_v4(0xc6120000u + i);
		bind.port = (uint16_t)(1 + i % 60000);
		if (roster_peer_bind(roster_world.roster, &bind, ROSTER_MS(1), &bound) != 0) {
			CHECK_FAIL("every peer is known", "at %u", i);
			break;
		}
	}
	size_t each = (heap_used() - before) / KNOWN_PEERS;
	printf("a known peer takes %zu bytes, the governor's record included\n", each);
	CHECK_EQ("all are known", roster_world.roster->peers.n_used, (uint32_t)KNOWN_PEERS);
	CHECK_TRUE("a known peer takes less than 400 bytes", each < 400);
	roster_world_end();
}

static const struct check_test tests[] = {
	{"V5, LH-10: a fatal report bans after the goodbye", test_fatal},
	{"LH-13: the disconnect state closes and refuses", test_disconnect_state},
	{"LH-19: trusted by address", test_trusted},
	{"V7, LH-21: six banned ids of one address", test_address_ban},
	{"V38: bans overlap", test_overlap},
	{"LH-22: caps, oldest first", test_caps},
	{"HE-14: ten failures are a temporary ban", test_failures_ban},
	{"SP-8: the blacklist disconnects and stays", test_blacklist},
	{"LH-7: one connection a peer", test_per_peer},
	{"a bound connection is the peer's", test_bind},
	{"DU-1: temperatures by the node's word", test_temperature},
	{"LH-20: errors of requests", test_rpc_error},
	{"disconnect and remove", test_disconnect},
	{"LH-12: gossip may disconnect", test_gossip_ban},
	{"a new start forgets the runtime", test_restart},
	{"a million known peers fit", test_memory},
};
CHECK_MAIN("roster_peer", tests)
