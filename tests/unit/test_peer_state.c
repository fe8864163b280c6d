/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/peer_state.c: every transition of LH-10, sessions of several connections, temperatures
 * (DU-1, 5.5.15), and random occasions, after which counts are never negative and a ban is never lost. Fixed
 * seeds.
 */
#include <errno.h>

#include "control/keyed_random.h"
#include "control/peer_state.h"
#include "tests/check.h"

#define AT(seconds) ((int64_t)(seconds)*1000)

static void test_transitions(void)
{
	static const struct {
		const char *name;
		struct peer_state before;
		enum peer_occasion occasion;
		enum peer_status status;
		bool to_ban;
		enum peer_operation operation;
	} cases[] = {
		{"LH-10: unknown, dialled", {PEER_STATUS_UNKNOWN}, PEER_OCCASION_DIAL, PEER_STATUS_DIALING,
			false, PEER_OPERATION_NONE},
		{"LH-10: disconnected, dialled", {PEER_STATUS_DISCONNECTED}, PEER_OCCASION_DIAL,
			PEER_STATUS_DIALING, false, PEER_OPERATION_NONE},
		{"a ban is not dialled away", {PEER_STATUS_BANNED}, PEER_OCCASION_DIAL, PEER_STATUS_BANNED,
			false, PEER_OPERATION_NONE},
		{"dialling fails", {PEER_STATUS_DIALING}, PEER_OCCASION_DIAL_FAILED, PEER_STATUS_DISCONNECTED,
			false, PEER_OPERATION_NONE},
		{"LH-10: unknown, connects", {PEER_STATUS_UNKNOWN}, PEER_OCCASION_CONNECTED_IN,
			PEER_STATUS_CONNECTED, false, PEER_OPERATION_NONE},
		{"LH-10: dialled, connects", {PEER_STATUS_DIALING}, PEER_OCCASION_CONNECTED_OUT,
			PEER_STATUS_CONNECTED, false, PEER_OPERATION_NONE},
		{"LH-10: disconnected, connects", {PEER_STATUS_DISCONNECTED}, PEER_OCCASION_CONNECTED_IN,
			PEER_STATUS_CONNECTED, false, PEER_OPERATION_NONE},
		{"banned, connects: closed, and banned again", {PEER_STATUS_BANNED},
			PEER_OCCASION_CONNECTED_IN, PEER_STATUS_DISCONNECTING, true,
			PEER_OPERATION_DISCONNECT},
		{"LH-10: we close", {PEER_STATUS_CONNECTED, .n_in = 1}, PEER_OCCASION_DISCONNECT,
			PEER_STATUS_DISCONNECTING, false, PEER_OPERATION_DISCONNECT},
		{"we close what is closing", {PEER_STATUS_DISCONNECTING, .n_in = 1}, PEER_OCCASION_DISCONNECT,
			PEER_STATUS_DISCONNECTING, false, PEER_OPERATION_DISCONNECTING},
		{"we close what is not there", {PEER_STATUS_DISCONNECTED}, PEER_OCCASION_DISCONNECT,
			PEER_STATUS_DISCONNECTED, false, PEER_OPERATION_NONE},
		{"LH-10: closed by us", {PEER_STATUS_DISCONNECTING, .by_us = true, .n_in = 1},
			PEER_OCCASION_CLOSED_IN, PEER_STATUS_DISCONNECTED, false, PEER_OPERATION_THROTTLE},
		{"LH-6: closed by the remote", {PEER_STATUS_CONNECTED, .n_in = 1}, PEER_OCCASION_CLOSED_IN,
			PEER_STATUS_DISCONNECTED, false, PEER_OPERATION_NONE},
		{"LH-10: closed for a ban", {PEER_STATUS_DISCONNECTING, true, .n_out = 1},
			PEER_OCCASION_CLOSED_OUT, PEER_STATUS_BANNED, false, PEER_OPERATION_BAN},
		{"LH-10: connected, banned", {PEER_STATUS_CONNECTED, .n_in = 1}, PEER_OCCASION_BAN,
			PEER_STATUS_DISCONNECTING, true, PEER_OPERATION_DISCONNECT},
		{"LH-10: dialled, banned", {PEER_STATUS_DIALING}, PEER_OCCASION_BAN,
			PEER_STATUS_DISCONNECTING, true, PEER_OPERATION_DISCONNECT},
		{"LH-10: disconnected, banned", {PEER_STATUS_DISCONNECTED}, PEER_OCCASION_BAN,
			PEER_STATUS_BANNED, false, PEER_OPERATION_BAN},
		{"LH-10: unknown, banned", {PEER_STATUS_UNKNOWN}, PEER_OCCASION_BAN, PEER_STATUS_BANNED,
			false, PEER_OPERATION_BAN},
		{"LH-10: closing, banned", {PEER_STATUS_DISCONNECTING, .by_us = true, .n_in = 1},
			PEER_OCCASION_BAN, PEER_STATUS_DISCONNECTING, true, PEER_OPERATION_DISCONNECTING},
		{"banned twice", {PEER_STATUS_BANNED}, PEER_OCCASION_BAN, PEER_STATUS_BANNED, false,
			PEER_OPERATION_NONE},
		{"LH-10: banned, unbanned", {PEER_STATUS_BANNED}, PEER_OCCASION_UNBAN,
			PEER_STATUS_DISCONNECTED, false, PEER_OPERATION_UNBAN},
		{"unbanned before it was closed", {PEER_STATUS_DISCONNECTING, true, .n_in = 1},
			PEER_OCCASION_UNBAN, PEER_STATUS_DISCONNECTING, false, PEER_OPERATION_UNBAN},
		{"unbanned without a ban", {PEER_STATUS_CONNECTED, .n_in = 1}, PEER_OCCASION_UNBAN,
			PEER_STATUS_CONNECTED, false, PEER_OPERATION_NONE},
		{"a close that nobody opened", {PEER_STATUS_DISCONNECTED}, PEER_OCCASION_CLOSED_IN,
			PEER_STATUS_DISCONNECTED, false, PEER_OPERATION_NONE},
		{"one of two connections closes", {PEER_STATUS_CONNECTED, .n_in = 1, .n_out = 1},
			PEER_OCCASION_CLOSED_IN, PEER_STATUS_CONNECTED, false, PEER_OPERATION_NONE},
		{"one of two closes for a ban", {PEER_STATUS_DISCONNECTING, true, .n_in = 2},
			PEER_OCCASION_CLOSED_IN, PEER_STATUS_DISCONNECTING, true, PEER_OPERATION_NONE},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct peer_state state = cases[i].before;
		CHECK_EQ(cases[i].name, (int)peer_state_change(&state, cases[i].occasion, AT(9)),
			(int)cases[i].operation);
		CHECK_EQ(cases[i].name, peer_status_name(state.status), peer_status_name(cases[i].status));
		CHECK_EQ(cases[i].name, state.to_ban, cases[i].to_ban);
	}
}

static void test_sessions(void)
{
	struct peer_state state = {0};
	(void)peer_state_change(&state, PEER_OCCASION_DIAL, AT(1));
	(void)peer_state_change(&state, PEER_OCCASION_CONNECTED_OUT, AT(2));
	CHECK_TRUE("LH-9: we dialled, nothing else", peer_state_is_outbound_only(&state));
	(void)peer_state_change(&state, PEER_OCCASION_CONNECTED_IN, AT(3));
	CHECK_FALSE("LH-9: it came to us too", peer_state_is_outbound_only(&state));
	CHECK_EQ("LH-10: the direction is that of the first", (int)state.direction, (int)PEER_DIRECTION_OUT);
	CHECK_EQ("LH-9: since the first", state.since_ms, AT(2));
	(void)peer_state_change(&state, PEER_OCCASION_CLOSED_OUT, AT(4));
	CHECK_EQ("still connected", (int)state.status, (int)PEER_STATUS_CONNECTED);
	(void)peer_state_change(&state, PEER_OCCASION_CLOSED_IN, AT(5));
	(void)peer_state_change(&state, PEER_OCCASION_CONNECTED_IN, AT(6));
	CHECK_EQ("LH-10: a new session has its own", (int)state.direction, (int)PEER_DIRECTION_IN);
	CHECK_EQ("and its own time", state.since_ms, AT(6));
}

static void test_random(void)
{
	struct keyed_random random = keyed_random_from_seed(8, 8);
	struct peer_state state = {0};
	bool banned = false; /* by what was asked */
	for (unsigned i = 0; i < 200000; i++) {
		enum peer_occasion occasion =
			(enum peer_occasion)keyed_random_below(&random, PEER_OCCASION_UNBAN + 1);
		uint32_t before = state.n_in + state.n_out;
		enum peer_operation operation = peer_state_change(&state, occasion, AT(i));
		if (occasion == PEER_OCCASION_BAN)
			banned = true;
		if (occasion == PEER_OCCASION_UNBAN)
			banned = false;
		uint32_t after = state.n_in + state.n_out;
		bool good = CHECK_TRUE("counts move by one and are never negative",
			after <= before + 1 && before <= after + 1);
		good = good && CHECK_TRUE("a ban holds until it is lifted",
				       banned == (state.status == PEER_STATUS_BANNED || state.to_ban));
		good = good && CHECK_TRUE("connected means connections",
				       state.status != PEER_STATUS_CONNECTED || after != 0);
		good = good &&
		       CHECK_TRUE("banned means none", state.status != PEER_STATUS_BANNED || after == 0);
		good = good && CHECK_TRUE("a throttle is for what we closed",
				       operation != PEER_OPERATION_THROTTLE ||
					       (state.status == PEER_STATUS_DISCONNECTED && !banned));
		if (!good)
			return;
	}
}

static void test_temperatures(void)
{
	static const struct {
		const char *name;
		enum temperature from, to;
		bool connected;
		int result;
		enum temperature after;
	} cases[] = {
		{"DU-1: cold to warm", TEMPERATURE_COLD, TEMPERATURE_WARM, true, 0, TEMPERATURE_WARM},
		{"DU-1: never cold to hot", TEMPERATURE_COLD, TEMPERATURE_HOT, true, -EPERM,
			TEMPERATURE_COLD},
		{"DU-1: warm to hot", TEMPERATURE_WARM, TEMPERATURE_HOT, true, 0, TEMPERATURE_HOT},
		{"DU-1: hot to warm", TEMPERATURE_HOT, TEMPERATURE_WARM, true, 0, TEMPERATURE_WARM},
		{"DU-1: warm to cold, closed", TEMPERATURE_WARM, TEMPERATURE_COLD, false, 0,
			TEMPERATURE_COLD},
		{"DU-1: warm to cold, still open", TEMPERATURE_WARM, TEMPERATURE_COLD, true, 0,
			TEMPERATURE_COOLING},
		{"DU-1: hot to cold, still open", TEMPERATURE_HOT, TEMPERATURE_COLD, true, 0,
			TEMPERATURE_COOLING},
		{"DU-1: cooling is not taken up again", TEMPERATURE_COOLING, TEMPERATURE_WARM, true, -EPERM,
			TEMPERATURE_COOLING},
		{"DU-1: nor made hot", TEMPERATURE_COOLING, TEMPERATURE_HOT, true, -EPERM,
			TEMPERATURE_COOLING},
		{"cooling ends when it is closed", TEMPERATURE_COOLING, TEMPERATURE_COLD, false, 0,
			TEMPERATURE_COLD},
		{"and not before", TEMPERATURE_COOLING, TEMPERATURE_COLD, true, 0, TEMPERATURE_COOLING},
		{"cold does not cool", TEMPERATURE_COLD, TEMPERATURE_COOLING, false, -EPERM,
			TEMPERATURE_COLD},
		{"where it is it stays", TEMPERATURE_HOT, TEMPERATURE_HOT, true, 0, TEMPERATURE_HOT},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct temperature_state state = {cases[i].from, AT(1)};
		CHECK_EQ(cases[i].name, temperature_change(&state, cases[i].to, cases[i].connected, AT(5)),
			cases[i].result);
		CHECK_EQ(
			cases[i].name, temperature_name(state.temperature), temperature_name(cases[i].after));
		CHECK_EQ("since the change", state.since_ms, cases[i].after != cases[i].from ? AT(5) : AT(1));
	}
	struct temperature_state state = {TEMPERATURE_HOT, AT(1)};
	CHECK_EQ("no end is waited for", temperature_cold_ms(&state), INT64_MAX);
	CHECK_EQ("closing", temperature_change(&state, TEMPERATURE_COLD, true, AT(100)), 0);
	CHECK_EQ("DU-1: waits for 600 s", temperature_cold_ms(&state), AT(700));
	temperature_closed(&state, AT(200));
	CHECK_EQ("and is cold before, when it is closed", temperature_name(state.temperature), "cold");
	CHECK_EQ("5.5.15: the node says hot", temperature_name(temperature_inbound(true, 0, AT(100))), "hot");
	CHECK_EQ("5.5.15: payload within 60 s", temperature_name(temperature_inbound(false, AT(41), AT(100))),
		"hot");
	CHECK_EQ("5.5.15: and not longer", temperature_name(temperature_inbound(false, AT(40), AT(100))),
		"warm");
	CHECK_EQ("5.5.15: never any", temperature_name(temperature_inbound(false, 0, AT(10))), "warm");
}

static const struct check_test tests[] = {
	{"transitions", test_transitions},
	{"sessions of several connections", test_sessions},
	{"random occasions", test_random},
	{"temperatures", test_temperatures},
};
CHECK_MAIN("peer_state", tests)
