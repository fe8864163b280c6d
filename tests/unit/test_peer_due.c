/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/peer_due.c and control/error_rule.c: what is due when (LH-26, 5.5.20) and what an error
 * costs (LH-20).
 */
#include <errno.h>
#include <stddef.h>

#include "control/error_rule.h"
#include "control/peer_due.h"
#include "tests/check.h"

#define AT(seconds) ((int64_t)(seconds)*1000)

static void test_due(void)
{
	struct peer_due due;
	const struct peer_due_policy *policy = &peer_due_lighthouse;
	uint64_t seven = 7, eight = 8;
	peer_due_connected(&due, policy, true, AT(100));
	CHECK_EQ("5.5.20: metadata is due on connect", peer_due_take(&due, AT(100)),
		(unsigned)PEER_DUE_METADATA);
	CHECK_EQ("once", peer_due_take(&due, AT(119)), 0u);
	peer_due_metadata_seen(&due, 7);
	CHECK_EQ("LH-26: the next is the ping", peer_due_next_ms(&due), AT(120));
	CHECK_EQ("LH-26: an inbound peer is pinged after 20 s", peer_due_take(&due, AT(120)),
		(unsigned)PEER_DUE_PING);
	CHECK_EQ("told once", peer_due_take(&due, AT(139)), 0u);
	peer_due_ping_seen(&due, policy, &seven, AT(140));
	CHECK_EQ("5.5.20: the same sequence is no news", peer_due_take(&due, AT(141)), 0u);
	peer_due_ping_seen(&due, policy, &eight, AT(145));
	CHECK_EQ("5.5.20: a newer one is", peer_due_take(&due, AT(146)), (unsigned)PEER_DUE_METADATA);
	peer_due_ping_seen(&due, policy, NULL, AT(150));
	CHECK_EQ("no sequence says nothing", peer_due_take(&due, AT(151)), 0u);
	CHECK_EQ("LH-26: status after 300 s, and the ping again", peer_due_take(&due, AT(400)),
		(unsigned)(PEER_DUE_PING | PEER_DUE_STATUS));
	peer_due_status_seen(&due, policy, AT(410));
	CHECK_EQ("LH-26: then 300 s later", peer_due_next_ms(&due), AT(710));
	peer_due_connected(&due, policy, false, AT(0));
	(void)peer_due_take(&due, AT(0));
	CHECK_EQ("LH-26: an outbound peer after 15 s", peer_due_next_ms(&due), AT(15));
	peer_due_disconnected(&due);
	CHECK_EQ("nothing of who is gone", peer_due_take(&due, AT(100000)), 0u);
}

static void test_errors(void)
{
	static const struct {
		const char *error, *protocol;
		bool by_us;
		enum peer_action action;
	} cases[] = {
		{"incomplete_stream", "status", true, PEER_ACTION_MID},
		{"handler_rejected", "status", true, PEER_ACTION_FATAL},
		{"invalid_data", "blocks_by_range", true, PEER_ACTION_FATAL},
		{"ssz_decode", "blocks_by_range", true, PEER_ACTION_FATAL},
		{"io_error", "blocks_by_range", false, PEER_ACTION_HIGH},
		{"resource_unavailable", "blocks_by_range", true, PEER_ACTION_FATAL},
		{"resource_unavailable", "blocks_by_range", false, PEER_ACTION_COUNT},
		{"server_error", "status", true, PEER_ACTION_MID},
		{"invalid_request", "status", false, PEER_ACTION_LOW},
		{"rate_limited", "goodbye", false, PEER_ACTION_LOW},
		{"rate_limited", "metadata", false, PEER_ACTION_LOW},
		{"rate_limited", "status", false, PEER_ACTION_LOW},
		{"rate_limited", "blocks_by_range", false, PEER_ACTION_MID},
		{"rate_limited", "ping", false, PEER_ACTION_MID},
		{"unsupported_protocol", "ping", true, PEER_ACTION_FATAL},
		{"unsupported_protocol", "metadata", true, PEER_ACTION_FATAL},
		{"unsupported_protocol", "status", true, PEER_ACTION_FATAL},
		{"unsupported_protocol", "blocks_by_root", true, PEER_ACTION_COUNT},
		{"stream_timeout", "ping", true, PEER_ACTION_LOW},
		{"stream_timeout", "blocks_by_range", true, PEER_ACTION_MID},
		{"stream_timeout", "blobs_by_root", true, PEER_ACTION_MID},
		{"stream_timeout", "blocks_by_range", false, PEER_ACTION_COUNT},
		{"stream_timeout", "status", true, PEER_ACTION_COUNT},
		{"negotiation_timeout", "status", true, PEER_ACTION_LOW},
		{"disconnected", "status", true, PEER_ACTION_COUNT},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		enum peer_action action = PEER_ACTION_MALICIOUS_CONTENT;
		CHECK_EQ(cases[i].error,
			error_rule_action(cases[i].error, cases[i].protocol, cases[i].by_us, &action), 0);
		CHECK_EQ(cases[i].error, (int)action, (int)cases[i].action);
	}
	enum peer_action action = PEER_ACTION_MID;
	CHECK_EQ(
		"an error that nobody knows", error_rule_action("something", "ping", true, &action), -ENOENT);
	CHECK_EQ("sets nothing", (int)action, (int)PEER_ACTION_MID);
}

static const struct check_test tests[] = {
	{"LH-26: what is due", test_due},
	{"LH-20: what errors cost", test_errors},
};
CHECK_MAIN("peer_due", tests)
