/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of the governor's judgement: reports by the node, evidence from the dataplane, strikes, protection
 * and the order of effects (policy.md V2 to V5, V12, V39, LO-9, LO-10, 2.3). Clock injected, effects
 * recorded, no sleeping.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/governor_world.h"

#define LIGHTHOUSE_FREEZE_S 43200
#define BOOTSTRAP_FREEZE_S  3600

/* Flags of events: evidence; without that flag; evidence of nobody; evidence about a flow that the node
 * opened. */
enum {
	USABLE = EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE,
	TOLD = EVENT_FLAG_PROVEN,
	UNPROVEN = EVENT_FLAG_EVIDENCE,
	DIALLED = USABLE | EVENT_FLAG_OUTBOUND,
};

#define IDLE_CUT .kind = EVENT_FLOW_CLOSED, .closed_by = CLOSED_BY_WEIR, .closed_how = CLOSED_HOW_IDLE

/* V2 */
static void test_actions(void)
{
	static const struct {
		const char *name;
		enum peer_action action;
		unsigned times;
		double score;
		enum score_state state;
		enum source_class class;
	} cases[] = {
		{"one Low is tolerated", PEER_ACTION_LOW, 1, -10, SCORE_STATE_HEALTHY, SOURCE_CLASS_NONE},
		{"two Low disconnect", PEER_ACTION_LOW, 2, -20, SCORE_STATE_DISCONNECT, SOURCE_CLASS_REFUSED},
		{"five Low ban", PEER_ACTION_LOW, 5, -50, SCORE_STATE_BANNED, SOURCE_CLASS_BANNED},
		{"four Mid disconnect", PEER_ACTION_MID, 4, -20, SCORE_STATE_DISCONNECT,
			SOURCE_CLASS_REFUSED},
		{"ten Mid ban", PEER_ACTION_MID, 10, -50, SCORE_STATE_BANNED, SOURCE_CLASS_BANNED},
		{"nineteen High are tolerated", PEER_ACTION_HIGH, 19, -19, SCORE_STATE_HEALTHY,
			SOURCE_CLASS_NONE},
		{"twenty High disconnect", PEER_ACTION_HIGH, 20, -20, SCORE_STATE_DISCONNECT,
			SOURCE_CLASS_REFUSED},
		{"fifty High ban", PEER_ACTION_HIGH, 50, -50, SCORE_STATE_BANNED, SOURCE_CLASS_BANNED},
		{"one Fatal bans", PEER_ACTION_FATAL, 1, -100, SCORE_STATE_BANNED, SOURCE_CLASS_BANNED},
		{"no sum goes below -100", PEER_ACTION_LOW, 30, -100, SCORE_STATE_BANNED,
			SOURCE_CLASS_BANNED},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		world_begin(LIGHTHOUSE_FREEZE_S);
		struct peer_report_result result =
			world_report("198.51.100.7", cases[i].action, cases[i].times, 0);
		CHECK_NEAR(cases[i].name, result.score, cases[i].score, 1e-9);
		CHECK_EQ(cases[i].name, result.state, cases[i].state);
		CHECK_EQ(cases[i].name, result.banned, cases[i].state == SCORE_STATE_BANNED);
		CHECK_EQ(cases[i].name, world_class("198.51.100.7", 0), cases[i].class);
		CHECK_EQ("its neighbour is nobody", world_class("198.51.100.8", 0), SOURCE_CLASS_NONE);
		world_end();
	}
}

/* V4: the same penalty, sooner or later. */
static void test_accumulation(void)
{
	static const double each_minute[] = {-10, -19.3303, -28.0358, -36.1584, -43.7369, -50.808};
	world_begin(LIGHTHOUSE_FREEZE_S);
	for (unsigned i = 0; i < CHECK_COUNT(each_minute); i++) {
		struct peer_report_result result = world_report("192.0.2.1", PEER_ACTION_LOW, 1, 60 * i);
		CHECK_NEAR("a Low every 60 s adds to what is left", result.score, each_minute[i], 1e-4);
		CHECK_EQ("the sixth bans", result.banned, i == 5);
	}
	for (unsigned i = 0; i < 8; i++) {
		struct peer_report_result result =
			world_report("192.0.2.9", PEER_ACTION_LOW, 1, 1000 + 120 * i);
		CHECK_EQ("a Low every 120 s bans with the eighth", result.banned, i == 7);
		if (i == 7)
			CHECK_NEAR("at this score", result.score, -51.7672, 1e-4);
	}
	world_end();
}

/* V3 and V5: decay and freeze as packets see them. */
static void test_recovery(void)
{
	static const struct {
		const char *name, *address;
		double at_s;
		enum source_class class;
	} cases[] = {
		{"-40 is refused until it has halved", "192.0.2.4", 600, SOURCE_CLASS_REFUSED},
		{"-40 is admitted after 601 s", "192.0.2.4", 601, SOURCE_CLASS_NONE},
		{"-50 is banned until the freeze ends", "192.0.2.1", 43200, SOURCE_CLASS_BANNED},
		{"-50 leaves the ban a second later and is refused", "192.0.2.1", 43201,
			SOURCE_CLASS_REFUSED},
		{"-100 needs a half-life more", "192.0.2.2", 43800, SOURCE_CLASS_BANNED},
		{"-100 then is refused", "192.0.2.2", 43801, SOURCE_CLASS_REFUSED},
		{"-100 is refused until it is above -20", "192.0.2.2", 44593, SOURCE_CLASS_REFUSED},
		{"-100 is admitted then", "192.0.2.2", 44594, SOURCE_CLASS_NONE},
	};
	world_begin(LIGHTHOUSE_FREEZE_S);
	world_report("192.0.2.4", PEER_ACTION_LOW, 4, 0);
	world_report("192.0.2.1", PEER_ACTION_LOW, 5, 0);
	world_report("192.0.2.2", PEER_ACTION_FATAL, 1, 0);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, world_class(cases[i].address, cases[i].at_s), cases[i].class);
	CHECK_NEAR("V5: the score a second after the freeze", world_peer("192.0.2.1", 44594).app_score,
		-50 * exp2(-1394 / 600.0), 1e-8);
	world_end();
}

static void test_freeze(void)
{
	world_begin(LIGHTHOUSE_FREEZE_S);
	world_report("192.0.2.3", PEER_ACTION_LOW, 5, 0);
	CHECK_EQ("a ban freezes the score", world_peer("192.0.2.3", 0).freeze_until_ms,
		WORLD_MS(LIGHTHOUSE_FREEZE_S));
	world_report("192.0.2.3", PEER_ACTION_FATAL, 1, 3600);
	CHECK_EQ("a penalty while banned does not extend the freeze",
		world_peer("192.0.2.3", 3600).freeze_until_ms, WORLD_MS(LIGHTHOUSE_FREEZE_S));
	CHECK_NEAR("but lowers the score", world_peer("192.0.2.3", 3600).app_score, -100, 1e-9);
	CHECK_EQ("and so the ban ends later", world_class("192.0.2.3", 43201), SOURCE_CLASS_BANNED);
	CHECK_EQ("a half-life later", world_class("192.0.2.3", 43801), SOURCE_CLASS_REFUSED);
	world_end();
}

/* V12, LO-9 */
static void test_windows(void)
{
	static const double at_s[] = {0, 60, 120, 180, 301, 302};
	struct peer_report_result result;
	world_begin(BOOTSTRAP_FREEZE_S);
	for (unsigned i = 0; i < CHECK_COUNT(at_s); i++) {
		result = world_report("192.0.2.1", PEER_ACTION_INVALID_MESSAGE, 1, at_s[i]);
		CHECK_EQ("the fifth invalid message within 300 s bans, the one that left the window does not "
			 "count",
			result.banned, i == 5);
	}
	CHECK_EQ("for the length of a temporary ban", result.ban.end_ms, WORLD_MS(302 + 3600));
	CHECK_EQ("with T2", (int)result.ban.tier, BAN_TIER_STRIKE);
	CHECK_EQ("and a strike", result.strikes, 1u);
	result = world_report("192.0.2.2", PEER_ACTION_PROTOCOL_VIOLATION, 1, 400);
	CHECK_EQ("a violation of the protocol bans for ever", result.ban.end_ms, GOVERNOR_NEVER_MS);
	result = world_report("192.0.2.5", PEER_ACTION_MALICIOUS_CONTENT, 1, 400);
	CHECK_EQ("so does malicious content", result.ban.end_ms, GOVERNOR_NEVER_MS);
	for (unsigned i = 0; i < 5; i++)
		result = world_report("192.0.2.3", PEER_ACTION_SPAM, 1, 500);
	CHECK_EQ("spam is banned twice as long", result.ban.end_ms, WORLD_MS(500 + 7200));
	for (unsigned i = 0; i < 10; i++) {
		result = world_report("192.0.2.4", PEER_ACTION_CONNECTION_FAILURE, 1, 600);
		CHECK_EQ("the tenth failed connection bans", result.banned, i == 9);
	}
	world_end();
}

/* LO-10 */
static void test_strikes(void)
{
	double at_s = 0;
	world_begin(BOOTSTRAP_FREEZE_S);
	for (unsigned ban = 1; ban <= 4; ban++, at_s += 4000) {
		struct peer_report_result result =
			world_report("192.0.2.1", PEER_ACTION_INVALID_MESSAGE, 5, at_s);
		CHECK_EQ("every temporary ban is a strike", result.strikes, ban);
		CHECK_EQ("the fourth ban is for ever", result.ban.end_ms == GOVERNOR_NEVER_MS, ban == 4);
		if (ban != 1)
			continue;
		CHECK_EQ("the first is taken back", world_ban_remove("192.0.2.1", BAN_TIER_STRIKE, at_s),
			1 << BAN_TIER_STRIKE);
		CHECK_EQ("its strike stays", world_peer("192.0.2.1", at_s).strikes, 1u);
	}
	CHECK_EQ("strikes are stored each time", governor_world.n[EFFECT_STORE_STRIKE], 4u);
	world_forget();
	at_s += 31 * 86400.0;
	CHECK_EQ("a ban for ever outlives the strikes", world_class("192.0.2.1", at_s), SOURCE_CLASS_BANNED);
	CHECK_EQ("strikes are forgotten after 30 days", world_peer("192.0.2.1", at_s).strikes, 0u);
	CHECK_EQ("on disk too", world_effect(EFFECT_STORE_STRIKE, 0).strikes, 0u);
	CHECK_EQ("once", governor_world.n[EFFECT_STORE_STRIKE], 1u);
	world_end();
}

/* V39 and design.md rule 1 */
static void test_unproven(void)
{
	struct peer_name name = world_name("198.51.100.7");
	world_begin(BOOTSTRAP_FREEZE_S);
	for (unsigned i = 0; i < 10000; i++) {
		uint8_t kind = (uint8_t)(1 + i % (EVENT_KIND_COUNT - 1));
		if (kind == EVENT_FLOOD_ENTER || kind == EVENT_FLOOD_LEAVE)
			continue; /* of a service, not of a source */
		struct event_record event = world_event("198.51.100.7", kind);
		event.flags = EVENT_FLAG_EVIDENCE;
		world_tell(&event, 1, 0);
		if (!CHECK_EQ("an unproven report is refused",
			    governor_report(governor_world.governor, &name, PEER_ACTION_FATAL, "", "",
				    /* proven= */ false, 0, NULL),
			    -EPERM))
			break;
	}
	CHECK_EQ("nothing happens", world_effects(), 0u);
	CHECK_FALSE("nobody is known", world_peer("198.51.100.7", 0).known);
	CHECK_EQ("no memory is used", world_stats().peers, (uint64_t)0);
	CHECK_TRUE("and it is counted", world_stats().unproven_refused > 10000);
	world_end();
}

/* policy.md 2.3 */
static void test_evidence(void)
{
	static const struct {
		const char *name;
		struct event_record event;
		unsigned times;
		double score;
		unsigned fail;
	} cases[] = {
		{"a silent connection costs a Mid", {.kind = EVENT_FLOW_SILENT, .flags = USABLE}, 1, -5, 1},
		{"too many connections cost one Low in 10 s",
			{.kind = EVENT_SOURCE_OVER_RATE, .flags = USABLE}, 10, -10, 0},
		{"a malformed segment costs a Low", {.kind = EVENT_FLOW_MALFORMED, .flags = USABLE}, 1, -10,
			0},
		{"two early resets are tolerated",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_CLIENT,
				.closed_how = CLOSED_HOW_RST,
				.duration_ms = 999},
			2, 0, 2},
		{"three early resets cost a Mid",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_CLIENT,
				.closed_how = CLOSED_HOW_RST,
				.duration_ms = 999},
			3, -5, 3},
		{"a reset after a second costs nothing",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_CLIENT,
				.closed_how = CLOSED_HOW_RST,
				.duration_ms = 1000},
			9, 0, 9},
		{"a reset after payload is no failure",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_CLIENT,
				.closed_how = CLOSED_HOW_RST,
				.duration_ms = 10,
				.bytes_in = 1},
			9, 0, 0},
		{"the node's own reset is not the client's fault",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_NODE,
				.closed_how = CLOSED_HOW_RST,
				.duration_ms = 10},
			9, 0, 0},
		{"a handshake costs nothing", {.kind = EVENT_FLOW_PROVEN, .flags = USABLE}, 9, 0, 0},
		{"a failed dial of the node's costs nothing",
			{.kind = EVENT_FLOW_OUT_RESULT, .flags = DIALLED, .closed_how = CLOSED_HOW_TIMEOUT},
			9, 0, 9},
		{"without the flag EVIDENCE silence costs nothing",
			{.kind = EVENT_FLOW_SILENT, .flags = TOLD}, 99, 0, 0},
		{"idle until cut, and nothing sent, costs a Mid", {IDLE_CUT, .flags = USABLE}, 1, -5, 0},
		{"idle after payload costs nothing", {IDLE_CUT, .flags = USABLE, .bytes_in = 1}, 99, 0, 0},
		{"without EVIDENCE idling costs nothing", {IDLE_CUT, .flags = TOLD}, 99, 0, 0},
		{"a straggler costs nothing",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_WEIR,
				.closed_how = CLOSED_HOW_STRAGGLER,
				.bytes_in = 7},
			99, 0, 0},
		{"a node that refuses a proxied connection costs the client nothing",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_NODE,
				.closed_how = CLOSED_HOW_BACKEND_REFUSED,
				.duration_ms = 3},
			99, 0, 0},
		{"a node that is silent neither",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_NODE,
				.closed_how = CLOSED_HOW_BACKEND_SILENT,
				.duration_ms = 10000},
			99, 0, 0},
		{"nor when the client gave up waiting for it",
			{.kind = EVENT_FLOW_CLOSED,
				.flags = USABLE,
				.closed_by = CLOSED_BY_CLIENT,
				.closed_how = CLOSED_HOW_BACKEND_SILENT,
				.duration_ms = 3},
			99, 0, 0},
		{"a round trip costs nothing", {.kind = EVENT_FLOW_RTT, .flags = USABLE, .rtt_us = 90000000}, 9, 0, 0},
		{"without EVIDENCE a malformed segment costs nothing",
			{.kind = EVENT_FLOW_MALFORMED, .flags = TOLD}, 99, 0, 0},
		{"without EVIDENCE haste costs nothing", {.kind = EVENT_SOURCE_OVER_RATE, .flags = TOLD}, 99,
			0, 0},
		{"a flow of the node's own is nobody's fault",
			{.kind = EVENT_FLOW_MALFORMED, .flags = DIALLED}, 99, 0, 0},
		{"an unknown kind is ignored", {.kind = EVENT_KIND_COUNT, .flags = USABLE}, 99, 0, 0},
		{"without the flag PROVEN nothing is counted", {.kind = EVENT_FLOW_SILENT, .flags = UNPROVEN},
			99, 0, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct event_record event = cases[i].event, named = world_event("198.51.100.7", EVENT_NONE);
		memcpy(event.client, named.client, sizeof(event.client));
		world_begin(BOOTSTRAP_FREEZE_S);
		world_tell(&event, cases[i].times, 1);
		struct peer_info info = world_peer("198.51.100.7", 1);
		CHECK_NEAR(cases[i].name, info.app_score, cases[i].score, 1e-9);
		CHECK_EQ(cases[i].name, info.fail, cases[i].fail);
		world_end();
	}
}

static void test_over_rate_interval(void)
{
	struct event_record event = world_event("198.51.100.7", EVENT_SOURCE_OVER_RATE);
	world_begin(BOOTSTRAP_FREEZE_S);
	for (unsigned at_s = 0; at_s < 10; at_s++)
		world_tell(&event, 1, at_s);
	CHECK_NEAR("one penalty in ten seconds", world_peer("198.51.100.7", 9).app_score,
		-10 * exp2(-9 / 600.0), 1e-9);
	world_tell(&event, 1, 10);
	CHECK_NEAR("and the next after them", world_peer("198.51.100.7", 10).app_score,
		-10 * exp2(-10 / 600.0) - 10, 1e-9);
	world_end();
}

static void test_site(void)
{
	struct event_record event = world_event("2001:db8:1:2::aa", EVENT_FLOW_MALFORMED);
	world_begin(BOOTSTRAP_FREEZE_S);
	world_tell(&event, 5, 10);
	CHECK_EQ("an IPv6 source is its /64", world_class("2001:db8:1:2:ffff::1", 10), SOURCE_CLASS_BANNED);
	CHECK_EQ("the next /64 is not", world_class("2001:db8:1:3::aa", 10), SOURCE_CLASS_NONE);
	CHECK_EQ("what is enforced is the /64", world_effect(EFFECT_ENFORCE, 0).prefix.length,
		(uint8_t)PREFIX_V6_SITE_LENGTH);
	world_end();
}

static void test_automatic_bans_off(void)
{
	struct event_record event = world_event("198.51.100.9", EVENT_FLOW_MALFORMED);
	struct event_record cut = world_event("198.51.100.9", EVENT_FLOW_CLOSED);
	world_begin(BOOTSTRAP_FREEZE_S);
	governor_world.config.auto_bans = false;
	world_reconfigure(0);
	world_tell(&event, 50, 1);
	CHECK_EQ("the dataplane's evidence alone never bans", world_class("198.51.100.9", 1),
		SOURCE_CLASS_REFUSED);
	CHECK_NEAR(
		"it stops a point above the threshold", world_peer("198.51.100.9", 1).app_score, -49, 1e-9);
	cut.closed_by = CLOSED_BY_WEIR;
	cut.closed_how = CLOSED_HOW_RST;
	world_tell(&cut, 1, 1);
	CHECK_EQ("nor throttles", world_stats().bans[BAN_TIER_THROTTLE], (uint64_t)0);
	CHECK_TRUE("a report of the node's then decides",
		world_report("198.51.100.9", PEER_ACTION_HIGH, 1, 1).banned);
	world_end();
}

static void test_throttle(void)
{
	static const struct {
		const char *name;
		uint8_t flags, by, how;
		enum source_class class;
	} cases[] = {
		{"a source that Weir has cut waits", USABLE, CLOSED_BY_WEIR, CLOSED_HOW_RST,
			SOURCE_CLASS_THROTTLED},
		{"a flow that Weir forgot does not make it wait", USABLE, CLOSED_BY_WEIR, CLOSED_HOW_TIMEOUT,
			SOURCE_CLASS_NONE},
		{"a client that leaves does not wait", USABLE, CLOSED_BY_CLIENT, CLOSED_HOW_FIN,
			SOURCE_CLASS_NONE},
		{"a client that the node left does not wait", USABLE, CLOSED_BY_NODE, CLOSED_HOW_RST,
			SOURCE_CLASS_NONE},
		{"a peer that the node dialled does not wait", DIALLED, CLOSED_BY_WEIR, CLOSED_HOW_RST,
			SOURCE_CLASS_NONE},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct event_record event = world_event("198.51.100.7", EVENT_FLOW_CLOSED);
		event.flags = cases[i].flags;
		event.closed_by = cases[i].by;
		event.closed_how = cases[i].how;
		world_begin(BOOTSTRAP_FREEZE_S);
		world_tell(&event, 1, 100);
		CHECK_EQ(cases[i].name, world_class("198.51.100.7", 159.999), cases[i].class);
		CHECK_EQ("T1 lasts a minute", world_class("198.51.100.7", 160), SOURCE_CLASS_NONE);
		CHECK_EQ("and is not stored", governor_world.n[EFFECT_STORE_BAN], 0u);
		world_end();
	}
}

static void test_protected(void)
{
	static const struct {
		const char *name, *address;
		enum governor_list list;
		const char *prefix;
	} cases[] = {
		{"an allowed address", "203.0.113.5", GOVERNOR_LIST_ALLOW, "203.0.113.5"},
		{"an address of an allowed prefix", "203.0.113.5", GOVERNOR_LIST_ALLOW, "203.0.113.0/24"},
		{"an own address", "203.0.113.5", GOVERNOR_LIST_OWN, "203.0.113.5"},
		{"an allowed /64", "2001:db8:1:2::5", GOVERNOR_LIST_ALLOW, "2001:db8:1:2::/64"},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct event_record event = world_event(cases[i].address, EVENT_FLOW_MALFORMED);
		world_begin(BOOTSTRAP_FREEZE_S);
		CHECK_EQ(cases[i].name, world_list(cases[i].list, cases[i].prefix, 0), 0);
		world_forget();
		world_tell(&event, 50, 1);
		CHECK_NEAR(cases[i].name, world_peer(cases[i].address, 1).app_score, 0, 0.0);
		event.kind = EVENT_FLOW_CLOSED;
		event.closed_by = CLOSED_BY_WEIR;
		event.closed_how = CLOSED_HOW_RST;
		world_tell(&event, 1, 1);
		for (int action = 0; action < PEER_ACTION_COUNT; action++)
			CHECK_TRUE(cases[i].name, world_report(cases[i].address, action, 20, 1).trusted);
		CHECK_EQ(cases[i].name, world_class(cases[i].address, 1), SOURCE_CLASS_NONE);
		CHECK_EQ("no ban is even stored", governor_world.n[EFFECT_STORE_BAN], 0u);
		CHECK_EQ("nothing is cut", governor_world.n[EFFECT_CUT], 0u);
		world_end();
	}
}

/** A neighbour of a protected address shares its IPv6 identity: its misdeeds must not ban the protected one.
 */
static void test_protected_neighbour(void)
{
	world_begin(BOOTSTRAP_FREEZE_S);
	world_list(GOVERNOR_LIST_ALLOW, "2001:db8:1:2::5", 0);
	world_report("2001:db8:1:2::6", PEER_ACTION_FATAL, 1, 1);
	world_report("2001:db8:1:2::6", PEER_ACTION_PROTOCOL_VIOLATION, 1, 1);
	world_report("2001:db8:1:2::6", PEER_ACTION_SPAM, 5, 1);
	CHECK_EQ(
		"a strike that can have no ban is not counted", world_peer("2001:db8:1:2::6", 1).strikes, 0u);
	CHECK_EQ("the /64 of a protected address is left alone", world_class("2001:db8:1:2::5", 1),
		SOURCE_CLASS_NONE);
	world_end();
}

static void test_families(void)
{
	world_begin(BOOTSTRAP_FREEZE_S);
	CHECK_EQ("all of IPv6 may be allowed", world_list(GOVERNOR_LIST_ALLOW, "::/0", 0), 0);
	CHECK_TRUE("that does not protect IPv4", world_report("192.0.2.1", PEER_ACTION_FATAL, 1, 0).banned);
	CHECK_TRUE("but IPv6", world_report("2001:db8::1", PEER_ACTION_FATAL, 1, 0).trusted);
	world_end();
	world_begin(BOOTSTRAP_FREEZE_S);
	CHECK_EQ("all of IPv4 may be allowed", world_list(GOVERNOR_LIST_ALLOW, "0.0.0.0/0", 0), 0);
	CHECK_TRUE("that does not protect IPv6", world_report("2001:db8::1", PEER_ACTION_FATAL, 1, 0).banned);
	CHECK_TRUE("but IPv4", world_report("192.0.2.1", PEER_ACTION_FATAL, 1, 0).trusted);
	world_end();
}

static void test_trusted(void)
{
	struct peer_name name = world_name("192.0.2.1");
	world_begin(BOOTSTRAP_FREEZE_S);
	CHECK_EQ("a peer is trusted", governor_tag_trusted(governor_world.governor, &name, true, 0), 0);
	struct peer_report_result result = world_report("192.0.2.1", PEER_ACTION_FATAL, 1, 0);
	CHECK_TRUE("the answer says so", result.trusted);
	CHECK_FALSE("it is not banned", result.banned);
	CHECK_EQ("trust ends", governor_tag_trusted(governor_world.governor, &name, false, 1), 0);
	CHECK_TRUE("and then it is judged", world_report("192.0.2.1", PEER_ACTION_FATAL, 1, 1).banned);
	CHECK_EQ("an unknown id cannot be trusted",
		governor_tag_trusted(governor_world.governor, &(struct peer_name){.id = "nobody"}, true, 2),
		-ENOENT);
	CHECK_EQ("nor judged",
		governor_report(governor_world.governor, &(struct peer_name){.id = "nobody"}, PEER_ACTION_LOW,
			"", "", true, 2, NULL),
		-ENOENT);
	world_end();
}

static void test_score_off(void)
{
	struct governor_config config = world_config(BOOTSTRAP_FREEZE_S);
	config.score_off = true;
	world_begin_with(&config);
	struct peer_report_result result = world_report("192.0.2.1", PEER_ACTION_LOW, 9, 0);
	CHECK_NEAR("5.4: a report takes off no points", result.score, 0, 1e-9);
	struct event_record event = world_event("192.0.2.2", EVENT_FLOW_SILENT);
	event.flags = USABLE;
	governor_dataplane_event(governor_world.governor, &event, WORLD_MS(1));
	CHECK_NEAR("nor does silence", world_peer("192.0.2.2", 1).app_score, 0, 1e-9);
	CHECK_TRUE("a violation of the protocol still bans",
		world_report("192.0.2.1", PEER_ACTION_PROTOCOL_VIOLATION, 1, 2).banned);
	world_end();
}

/** Enforcement comes before the cut, or the peer would be back before its ban; the record is stored; then all
 * is told. */
static void test_effects(void)
{
	world_begin(BOOTSTRAP_FREEZE_S);
	world_report("192.0.2.1", PEER_ACTION_LOW, 2, 0);
	struct effect effect = world_effect(EFFECT_ENFORCE, 0);
	CHECK_EQ("the disconnect state refuses", effect.class, SOURCE_CLASS_REFUSED);
	CHECK_EQ("until the score is above it", effect.end_ms, WORLD_MS(1));
	CHECK_EQ("its flows are cut once", governor_world.n[EFFECT_CUT], 1u);
	CHECK_EQ("it is not a ban, so nothing is stored", governor_world.n[EFFECT_STORE_BAN], 0u);
	world_forget();
	world_report("192.0.2.1", PEER_ACTION_FATAL, 1, 0);
	unsigned enforce = 0, cut = 0;
	for (unsigned i = 0; i < world_effects(); i++) {
		if (governor_world.effects[i].kind == EFFECT_ENFORCE && enforce == 0)
			enforce = i + 1;
		if (governor_world.effects[i].kind == EFFECT_CUT)
			cut = i + 1;
	}
	CHECK_TRUE("the ban is in force before flows are cut", enforce != 0 && enforce < cut);
	effect = world_effect(EFFECT_ENFORCE, 0);
	CHECK_EQ("it is a ban", effect.class, SOURCE_CLASS_BANNED);
	CHECK_EQ("until freeze and decay have passed", effect.end_ms, WORLD_MS(BOOTSTRAP_FREEZE_S + 601));
	effect = world_effect(EFFECT_STORE_BAN, 0);
	CHECK_EQ("T3 is stored", effect.tier, (unsigned)BAN_TIER_SCORE);
	CHECK_EQ("with its end", effect.end_ms, WORLD_MS(BOOTSTRAP_FREEZE_S + 601));
	world_forget();
	CHECK_EQ("nothing is due before the end", world_class("192.0.2.1", BOOTSTRAP_FREEZE_S + 600.999),
		SOURCE_CLASS_BANNED);
	CHECK_EQ("so nothing happens", world_effects(), 0u);
	CHECK_EQ("the next thing due is that end", governor_next_due_ms(governor_world.governor),
		WORLD_MS(BOOTSTRAP_FREEZE_S + 601));
	CHECK_EQ("at it the source is only refused", world_class("192.0.2.1", BOOTSTRAP_FREEZE_S + 601),
		SOURCE_CLASS_REFUSED);
	CHECK_EQ("the dataplane is told", world_effect(EFFECT_ENFORCE, 0).class, SOURCE_CLASS_REFUSED);
	CHECK_EQ("subscribers too", world_effect(EFFECT_EVENT, 0).name, "peer.unbanned");
	CHECK_EQ("the store prunes by itself", governor_world.n[EFFECT_DELETE_BAN], 0u);
	world_forget();
	CHECK_EQ("in the end it is free", world_class("192.0.2.1", BOOTSTRAP_FREEZE_S + 601 + 800),
		SOURCE_CLASS_NONE);
	CHECK_EQ("and the dataplane is told", world_effect(EFFECT_ENFORCE, 0).class, SOURCE_CLASS_NONE);
	world_end();
}

/** The weakest record makes room, is counted, and trust is never evicted. */
static void test_peers_max(void)
{
	struct governor_config config = world_config(BOOTSTRAP_FREEZE_S);
	char address[32];
	config.peers_max = 100;
	world_begin_with(&config);
	struct peer_name trusted = world_name("192.0.2.1");
	governor_tag_trusted(governor_world.governor, &trusted, true, 0);
	world_report("192.0.2.2", PEER_ACTION_FATAL, 1, 1);
	for (unsigned i = 0; i < 98; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		world_report(address, PEER_ACTION_HIGH, 1, 2 + i);
	}
	CHECK_EQ("the table is full", world_stats().peers, (uint64_t)100);
	CHECK_EQ("nobody was evicted yet", world_stats().evicted, (uint64_t)0);
	world_report("10.0.1.0", PEER_ACTION_HIGH, 1, 200);
	CHECK_EQ("one more does not make it larger", world_stats().peers, (uint64_t)100);
	CHECK_EQ("an eviction is counted", world_stats().evicted, (uint64_t)1);
	CHECK_FALSE("the one that would be forgotten first went", world_peer("10.0.0.0", 200).known);
	CHECK_TRUE("the next stayed", world_peer("10.0.0.1", 200).known);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(address, sizeof(address), "10.1.%u.%u", i / 256, i % 256);
		world_report(address, PEER_ACTION_HIGH, 1, 201);
	}
	CHECK_EQ("five hundred more change nothing", world_stats().peers, (uint64_t)100);
	CHECK_TRUE("the trusted one stayed", world_peer("192.0.2.1", 201).trusted);
	CHECK_NEAR("the banned one's score is kept by its ban", world_peer("192.0.2.2", 201).app_score, -100,
		1e-9);
	CHECK_EQ("the ban too", world_class("192.0.2.2", 201), SOURCE_CLASS_BANNED);
	world_end();
}

static const struct check_test tests[] = {
	{"actions add up to states (V2)", test_actions},
	{"penalties add to what decay has left (V4)", test_accumulation},
	{"a source recovers at the computed moment (V3, V5)", test_recovery},
	{"a penalty does not extend the freeze (V5)", test_freeze},
	{"counted misdeeds ban in their windows (V12)", test_windows},
	{"strikes survive an unban and the fourth is for ever (LO-10)", test_strikes},
	{"the unproven changes nothing (V39)", test_unproven},
	{"the dataplane's evidence has its prices (2.3)", test_evidence},
	{"haste is punished once in ten seconds", test_over_rate_interval},
	{"an IPv6 source is its /64", test_site},
	{"automatic bans can be off", test_automatic_bans_off},
	{"a source that was cut is throttled", test_throttle},
	{"who is protected is never punished", test_protected},
	{"a protected address protects its /64", test_protected_neighbour},
	{"an allowed family is that family", test_families},
	{"trust holds while it is given", test_trusted},
	{"without a score nothing takes off points (5.4)", test_score_off},
	{"effects come in order and in time", test_effects},
	{"the number of scored sources is bounded", test_peers_max},
};
CHECK_MAIN("governor", tests)
