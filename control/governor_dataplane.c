/* SPDX-License-Identifier: BSD-3-Clause
 * Evidence from the dataplane (policy.md 2.1 and 2.3): outcomes of proven flows and the penalties that follow.
 * The governor's thread. Must not act on an unproven event: it would let a spoofer choose whom we ban.
 */
#include "control/governor_internal.h"

#include <string.h>

/* policy.md 2.3: client RST inside 1 s of accept, three times; at most one penalty for rate in 10 s. */
enum { EARLY_RESET_MS = 1000, EARLY_RESETS = 3, OVER_RATE_INTERVAL_MS = 10000 };
/* design.md section 5: RTT is an EWMA with alpha 0.3 (policy.md V16). */
#define RTT_ALPHA 0.3
/* shm/event.h: an event of an lcore, not of one service. */
#define SERVICE_OF_LCORE 255
#define AUTH_TIMEOUT_DEFAULT_MS INT64_C(5000)
/* Without auto_bans dataplane evidence alone stops this far above the ban threshold: one report of the node's decides. */
#define NO_BAN_MARGIN 1.0

static struct address client_of(const struct event_record *event)
{
	struct address address;
	memcpy(address.bytes, event->client, sizeof(address.bytes));
	return address;
}

static void penalise(struct governor *governor, uint32_t index, const struct event_record *event, enum peer_action action,
	const char *reason)
{
	/* An event without the flag tells what happened but may not be used against anybody (design.md section 5). */
	if ((event->flags & EVENT_FLAG_EVIDENCE) == 0 || event->flags & EVENT_FLAG_OUTBOUND)
		return;
	struct address client = client_of(event);
	struct evidence evidence = {.reason = reason, .text = "", .source = "dataplane", .actual = &client, .action = action,
		.event_kind = event->kind};
	double floor = governor->config.auto_bans ? SCORE_MIN : governor->config.threshold_ban + NO_BAN_MARGIN;
	governor_penalise(governor, index, score_action_penalty(action), floor, &evidence);
}

static void outcome_ok(struct peer_record *peer)
{
	peer->ok++;
	peer->streak = 0;
}

static void outcome_fail(struct peer_record *peer)
{
	peer->fail++;
	peer->streak++;
}

static void announce_flow(struct governor *governor, const char *name, const struct event_record *event)
{
	static const char *const by[] = {"", "client", "node", "weir"};
	static const char *const how[] = {"", "fin", "rst", "timeout", "backend_refused", "established",
		"backend_silent", "idle", "straggler"};
	struct event_text text;
	if (governor->driven)
		return; /* the roster knows who it is */
	event_begin(&text, governor, name);
	if (!text.wanted)
		return;
	struct address client = client_of(event);
	struct prefix host = prefix_of(&client, PREFIX_HOST_LENGTH);
	event_prefix(&text, &host);
	event_number(&text, "port", event->client_port);
	event_string(&text, "direction", event->flags & EVENT_FLAG_OUTBOUND ? "out" : "in");
	if (event->closed_by < sizeof(by) / sizeof(by[0]))
		event_string(&text, "by", by[event->closed_by]);
	if (event->closed_how < sizeof(how) / sizeof(how[0]))
		event_string(&text, "how", how[event->closed_how]);
	if (event->rtt_us != 0)
		event_number(&text, "rtt_ms", event->rtt_us / 1000.0);
	if (event->kind == EVENT_FLOW_CLOSED) {
		event_number(&text, "seconds", event->duration_ms / 1000.0);
		event_number(&text, "bytes_in", event->bytes_in);
		event_number(&text, "bytes_out", event->bytes_out);
	}
	event_end(&text);
}

/** A service under pressure, or an lcore in flood mode. */
static void on_flood(struct governor *governor, const struct event_record *event)
{
	struct event_text text;
	bool enter = event->kind == EVENT_FLOOD_ENTER, of_lcore = event->service == SERVICE_OF_LCORE;
	if (enter)
		(*(of_lcore ? &governor->floods : &governor->pressures))++;
	event_begin(&text, governor, enter ? "flood.enter" : "flood.leave");
	event_string(&text, "scope", of_lcore ? "lcore" : "service");
	if (!of_lcore)
		event_number(&text, "service", event->service);
	event_number(&text, enter ? "rate_pps" : "seconds", event->detail);
	event_end(&text);
}

/** T1: a source that Weir itself has just cut waits before it reconnects (LH-6; only closes that we initiated). */
static void throttle(struct governor *governor, const struct peer_record *peer, const struct event_record *event)
{
	bool cut = event->closed_by == CLOSED_BY_WEIR && event->closed_how == CLOSED_HOW_RST;
	if (!cut || governor->driven || !governor->config.auto_bans || governor->config.throttle_ms <= 0 ||
		(event->flags & EVENT_FLAG_OUTBOUND))
		return;
	struct ban ban = {.scope = BAN_SCOPE_PREFIX, .prefix = host_prefix(&peer->address), .tier = BAN_TIER_THROTTLE,
		.start_ms = governor->now_ms, .end_ms = governor->now_ms + governor->config.throttle_ms,
		.reason = "disconnected by Weir", .source = "governor"};
	if (governor_is_protected(governor, &ban.prefix, NULL))
		return;
	(void)governor_ban_put(governor, &ban, /* automatic= */ true); /* full is counted as evicted */
}

static void rtt_take(struct peer_record *peer, const struct event_record *event)
{
	double sample_ms = event->rtt_us / 1000.0;
	if (event->rtt_us != 0)
		peer->rtt_ms = peer->rtt_ms < 0.0 ? sample_ms : peer->rtt_ms + RTT_ALPHA * (sample_ms - peer->rtt_ms);
}

static void on_proven(struct governor *governor, struct peer_record *peer, const struct event_record *event)
{
	governor_flows_event(governor, peer, event);
	rtt_take(peer, event);
	announce_flow(governor, "peer.connected", event);
}

/** The node refused or was silent: the connection that the client was promised never was. Neutral (2.1): a node that is down must
 * cost nobody anything, nor the client who gave up waiting for it. */
static bool never_opened(const struct event_record *event)
{
	return event->closed_how == CLOSED_HOW_BACKEND_REFUSED || event->closed_how == CLOSED_HOW_BACKEND_SILENT;
}

static void on_closed(
	struct governor *governor, uint32_t index, struct peer_record *peer, const struct event_record *event, bool is_evidence)
{
	int64_t auth_timeout_ms = governor->config.auth_timeout_ms;
	if (auth_timeout_ms <= 0)
		auth_timeout_ms = AUTH_TIMEOUT_DEFAULT_MS;
	if (never_opened(event)) {
		announce_flow(governor, "conn.failed", event);
		return;
	}
	governor_flows_event(governor, peer, event);
	bool inbound = (event->flags & EVENT_FLAG_OUTBOUND) == 0 && is_evidence;
	bool reset = event->closed_by == CLOSED_BY_CLIENT && event->closed_how == CLOSED_HOW_RST && event->bytes_in == 0;
	/* After auth_timeout the silence was a failure already, told by its own event. All else is neutral (2.1). */
	if (inbound && reset && event->duration_ms < auth_timeout_ms)
		outcome_fail(peer);
	if (inbound && reset && event->duration_ms < EARLY_RESET_MS && ++peer->early_resets >= EARLY_RESETS) {
		peer->early_resets = 0;
		penalise(governor, index, event, PEER_ACTION_MID, "reset within a second of connecting, three times");
	}
	/* 2.3. Who sent something and then fell silent, or acknowledges nothing more, broke no rule: our own limit ended it. */
	if (inbound && event->closed_how == CLOSED_HOW_IDLE && event->bytes_in == 0)
		penalise(governor, index, event, PEER_ACTION_MID, "idle until it was cut, and sent nothing");
	announce_flow(governor, "peer.disconnected", event);
	if (is_evidence)
		throttle(governor, peer, event);
}

static void on_out_result(struct governor *governor, struct peer_record *peer, const struct event_record *event)
{
	if (event->closed_how == CLOSED_HOW_ESTABLISHED) {
		outcome_ok(peer);
		return;
	}
	outcome_fail(peer);
	announce_flow(governor, "conn.failed", event);
}

static void on_over_rate(struct governor *governor, uint32_t index, struct peer_record *peer, const struct event_record *event)
{
	if (peer->last_over_rate_ms != INT64_MIN && governor->now_ms - peer->last_over_rate_ms < OVER_RATE_INTERVAL_MS)
		return;
	peer->last_over_rate_ms = governor->now_ms;
	penalise(governor, index, event, PEER_ACTION_LOW, "connections faster than the per-source limit");
}

void governor_dataplane_event(struct governor *governor, const struct event_record *event, int64_t now_ms)
{
	governor_clock(governor, now_ms);
	if (event->kind == EVENT_FLOOD_ENTER || event->kind == EVENT_FLOOD_LEAVE) {
		on_flood(governor, event);
		return;
	}
	if (event->kind == EVENT_NONE || event->kind >= EVENT_KIND_COUNT)
		return;
	if ((event->flags & EVENT_FLAG_PROVEN) == 0) {
		governor->unproven_refused++;
		return;
	}
	struct address client = client_of(event);
	uint32_t index;
	if (governor_peer_obtain(governor, NULL, &client, &index) < 0)
		return; /* no memory, or all places are held by trusted peers: this source stays unscored */
	struct peer_record *peer = peer_table_at(&governor->peers, index);
	bool is_protected = governor_peer_protected(governor, peer, &client);
	/* A protected source is counted but never penalised: clearing the flag is enough for every rule below. */
	struct event_record seen = *event;
	if (is_protected)
		seen.flags &= (uint8_t)~EVENT_FLAG_EVIDENCE;
	/* A flow whose cookie may have been guessed is perhaps a spoofer's: not even a failure is held against its address. */
	bool is_evidence = (event->flags & EVENT_FLAG_EVIDENCE) != 0;
	switch (event->kind) {
	case EVENT_FLOW_PROVEN:
		on_proven(governor, peer, &seen);
		break;
	case EVENT_FLOW_PAYLOAD:
		outcome_ok(peer);
		break;
	case EVENT_FLOW_RTT:
		rtt_take(peer, &seen);
		break;
	case EVENT_FLOW_SILENT:
		if (is_evidence)
			outcome_fail(peer);
		penalise(governor, index, &seen, PEER_ACTION_MID, "connected and sent nothing");
		break;
	case EVENT_FLOW_CLOSED:
		on_closed(governor, index, peer, &seen, is_evidence);
		break;
	case EVENT_SOURCE_OVER_RATE:
		if (is_evidence)
			on_over_rate(governor, index, peer, &seen);
		break;
	case EVENT_FLOW_OUT_RESULT:
		on_out_result(governor, peer, &seen);
		break;
	case EVENT_FLOW_MALFORMED:
		penalise(governor, index, &seen, PEER_ACTION_LOW, "malformed segment inside a proven flow");
		break;
	default:
		break;
	}
	governor_peer_touch(governor, index);
}
