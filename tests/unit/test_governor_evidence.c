/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/governor_dataplane.c: what flows that prove too little may not do, round trips of proxied
 * connections, and floods. The table of what each kind of evidence costs is in test_governor.c. Clock
 * injected.
 */
#include "tests/check.h"
#include "tests/governor_world.h"

#define BOOTSTRAP_FREEZE_S 3600

enum { TOLD = EVENT_FLAG_PROVEN };

/* A cookie that may have been guessed proves too little to hold anything against its address: whatever the
 * flow does and however often, there is no score, failure or ban. */
static void test_doubtful(void)
{
	world_begin(BOOTSTRAP_FREEZE_S);
	for (uint8_t kind = 0; kind < EVENT_KIND_COUNT; kind++) {
		for (uint8_t by = CLOSED_BY_NONE; by <= CLOSED_BY_WEIR; by++) {
			for (uint8_t how = CLOSED_HOW_NONE; how <= CLOSED_HOW_STRAGGLER; how++) {
				struct event_record event = world_event("198.51.100.7", kind);
				event.flags = TOLD;
				event.closed_by = by;
				event.closed_how = how;
				event.duration_ms = 5;
				if (kind != EVENT_FLOW_OUT_RESULT)
					world_tell(&event, 30, 1);
			}
		}
	}
	CHECK_NEAR("no score", world_peer("198.51.100.7", 1).app_score, 0, 0);
	CHECK_EQ("no failure", world_peer("198.51.100.7", 1).fail, 0u);
	CHECK_EQ("no ban and no wait", world_class("198.51.100.7", 1), SOURCE_CLASS_NONE);
	CHECK_EQ("nothing is enforced", governor_world.n[EFFECT_ENFORCE], 0u);
	CHECK_EQ("no early reset is remembered against a flow that is evidence",
		world_peer("198.51.100.7", 1).streak, 0u);
	struct event_record reset = world_event("198.51.100.7", EVENT_FLOW_CLOSED);
	reset.closed_by = CLOSED_BY_CLIENT;
	reset.closed_how = CLOSED_HOW_RST;
	world_tell(&reset, 2, 1);
	CHECK_NEAR("its third would be one", world_peer("198.51.100.7", 1).app_score, 0, 0);
	struct event_record haste = world_event("198.51.100.7", EVENT_SOURCE_OVER_RATE);
	world_tell(&haste, 1, 1);
	CHECK_NEAR("nor does doubtful haste hide haste that is evidence",
		world_peer("198.51.100.7", 1).app_score, -10, 1e-9);
	world_end();
}

/* A proxied flow's first round trip is a sample like a handshake's (V16: EWMA with 0.3). */
static void test_round_trips(void)
{
	static const struct {
		const char *name;
		enum event_kind first, second;
	} cases[] = {
		{"two handshakes", EVENT_FLOW_PROVEN, EVENT_FLOW_PROVEN},
		{"two proxied flows", EVENT_FLOW_RTT, EVENT_FLOW_RTT},
		{"one of each", EVENT_FLOW_PROVEN, EVENT_FLOW_RTT},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct event_record event = world_event("198.51.100.7", cases[i].first);
		world_begin(BOOTSTRAP_FREEZE_S);
		event.rtt_us = 100000;
		world_tell(&event, 1, 1);
		CHECK_NEAR(cases[i].name, world_peer("198.51.100.7", 1).rtt_ms, 100, 1e-3);
		event.kind = (uint8_t)cases[i].second;
		event.rtt_us = 200000;
		world_tell(&event, 1, 2);
		CHECK_NEAR(cases[i].name, world_peer("198.51.100.7", 2).rtt_ms, 130, 1e-3);
		event.rtt_us = 0;
		world_tell(&event, 1, 3);
		CHECK_NEAR("no sample changes nothing", world_peer("198.51.100.7", 3).rtt_ms, 130, 1e-3);
		world_end();
	}
}

static void test_floods(void)
{
	struct event_record event = {.kind = EVENT_FLOOD_ENTER, .service = 255, .detail = 20000};
	world_begin(BOOTSTRAP_FREEZE_S);
	world_tell(&event, 1, 1);
	CHECK_EQ("an lcore's flood is told", (const char *)world_effect(EFFECT_EVENT, 0).name, "flood.enter");
	event.kind = EVENT_FLOOD_LEAVE;
	world_tell(&event, 1, 2);
	CHECK_EQ("and its end", (const char *)world_effect(EFFECT_EVENT, 1).name, "flood.leave");
	event.kind = EVENT_FLOOD_ENTER;
	event.service = 0;
	world_tell(&event, 2, 3);
	CHECK_EQ("floods of lcores are counted", world_stats().floods, 1u);
	CHECK_EQ("and pressure on services", world_stats().pressures, 2u);
	CHECK_EQ("nobody is known by them", world_stats().peers, 0u);
	world_end();
}

static const struct check_test tests[] = {
	{"doubtful flows are held against nobody", test_doubtful},
	{"round trips of both kinds", test_round_trips},
	{"floods are told and counted", test_floods},
};

CHECK_MAIN("governor_evidence", tests)
