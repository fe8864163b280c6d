/* SPDX-License-Identifier: BSD-3-Clause
 * why: what would happen to an attempt of this address now, from the governor's truth and, if it answers in
 * time, the dataplane's own decision. Each answer names the rule.
 */
#include <stdio.h>
#include <string.h>

#include "control/rpc_private.h"

enum { PROBE_TIMEOUT_MS = 50 }; /* fifty times what a command may take; a person does not notice it */

static const char *const state_names[] = {"healthy", "disconnect", "banned"}; /* enum score_state */

struct conclusion {
	const char *verdict;
	enum reason reason;
	const char *rule;
	int64_t until_ms; /* 0: does not apply */
};

static const char *tier_rule(enum ban_tier tier)
{
	static const char *const rules[] = {"", "T1", "T2", "T3", "T4", "T5"};
	return tier <= BAN_TIER_MANUAL ? rules[tier] : "";
}

/* Entries of the exact tables are BANNED, prefixes of the lists BANNED_PREFIX: IPv6 sources are identified by
 * their /64. */
static bool ban_is_exact(const struct ban *ban)
{
	uint8_t length = ban->prefix.length;
	return ban->scope == BAN_SCOPE_PREFIX &&
	       (length == PREFIX_HOST_LENGTH ||
		       (length == PREFIX_V6_SITE_LENGTH && !prefix_is_v4(&ban->prefix)));
}

/* The order of design.md section 3: lists, bans, reputation. */
static struct conclusion conclude(const struct governor_why *why)
{
	struct conclusion conclusion = {"forward", REASON_ADMITTED, "design 3 row 12", 0};
	if (why->allowed || why->own) {
		conclusion.rule = why->allowed ? "allow" : "own";
	} else if (why->denied) {
		conclusion = (struct conclusion){"drop", REASON_DENIED, "deny", GOVERNOR_NEVER_MS};
	} else if (why->class == SOURCE_CLASS_BANNED) {
		bool host = ban_is_exact(&why->ban);
		conclusion = (struct conclusion){"drop", host ? REASON_BANNED : REASON_BANNED_PREFIX,
			tier_rule(why->ban.tier), why->ban.end_ms};
	} else if (why->class == SOURCE_CLASS_REFUSED) {
		conclusion = (struct conclusion){"refuse", REASON_REPUTATION, "LH-13", 0};
	} else if (why->class == SOURCE_CLASS_THROTTLED) {
		conclusion = (struct conclusion){
			"refuse", REASON_THROTTLED, "T1", why->has_ban ? why->ban.end_ms : 0};
	} else if (why->class == SOURCE_CLASS_DISCOURAGED) {
		conclusion = (struct conclusion){"refuse", REASON_DISCOURAGED, "T0", 0};
	}
	return conclusion;
}

static json_t *dataplane_json(const struct link_probe_answer *answer)
{
	const struct reason_info *info = reason_info((enum reason)answer->reason);
	return json_pack("{s:s, s:s, s:b, s:b, s:[I,I,I,I]}", "reason", info->name, "verdict",
		verdict_name((enum verdict)info->verdict), "proven", answer->proven != 0, "under_pressure",
		answer->under_pressure != 0, "concurrency", (json_int_t)answer->concurrency[0],
		(json_int_t)answer->concurrency[1], (json_int_t)answer->concurrency[2],
		(json_int_t)answer->concurrency[3]);
}

static void answer_make(struct rpc_request *request, const struct link_probe_answer *probe)
{
	struct governor_why why;
	char row[32], list[PREFIX_TEXT_MAX];
	governor_why(request->control->governor, &request->address, request->control->clock.wall_ms, &why);
	struct conclusion conclusion = conclude(&why);
	/* What the dataplane would do is what happens; the governor's rule explains it where both agree. */
	if (probe != NULL && probe->reason != conclusion.reason) {
		const struct reason_info *info = reason_info((enum reason)probe->reason);
		snprintf(row, sizeof(row), "design 3 row %u", info->row);
		conclusion.reason = (enum reason)probe->reason;
		conclusion.verdict = verdict_name((enum verdict)info->verdict);
		if (!why.allowed && !why.own)
			conclusion = (struct conclusion){conclusion.verdict, conclusion.reason, row, 0};
	}
	json_t *tiers = json_array();
	for (int i = BAN_TIER_THROTTLE; i <= BAN_TIER_MANUAL; i++) {
		if (why.tiers & (1u << i))
			json_array_append_new(tiers, json_integer(i));
	}
	bool monitor = request->control->config.mode == IMAGE_MODE_MONITOR;
	request->result = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:f, s:s, s:o, s:o, s:o}", "verdict",
		conclusion.verdict, "reason", reason_info(conclusion.reason)->name, "rule", conclusion.rule,
		"until", conclusion.until_ms == 0 ? json_null() : rpc_time(conclusion.until_ms), "tiers",
		tiers, "help", reason_info(conclusion.reason)->help, "mode", monitor ? "monitor" : "enforce",
		"score", why.score, "state", state_names[why.state], "list",
		why.allowed || why.denied || why.own ? json_string(prefix_format(&why.list_prefix, list))
						     : json_null(),
		"ban", why.has_ban ? rpc_ban_json(&why.ban) : json_null(), "dataplane",
		probe != NULL ? dataplane_json(probe) : json_null());
}

static bool why_poll(struct rpc_request *request, bool timed_out)
{
	if (!request->probe_answered && !timed_out)
		return false;
	answer_make(request, request->probe_answered ? &request->probe : NULL);
	return true;
}

void rpc_probe_answer(void *context, const struct link_probe_answer *answer)
{
	struct rpc *rpc = context;
	for (struct rpc_request *request = rpc->pending; request != NULL; request = request->next) {
		if (request->cookie != 0 && request->cookie == answer->message.cookie) {
			request->probe = *answer;
			request->probe_answered = true;
		}
	}
}

/* SP-8's blacklist is no ban: it has no tier and no end. */
static bool id_is_blacklisted(struct rpc_request *request, const struct peer_name *name, double score)
{
	struct roster_peer_info info;
	roster_peer_get(request->control->roster, name, request->control->clock.wall_ms, &info);
	if (!info.standing.blacklisted)
		return false;
	request->result = json_pack("{s:s, s:s, s:s, s:n, s:[], s:s, s:s, s:f, s:s, s:n, s:n, s:n}",
		"verdict", "refuse", "reason", "blacklisted", "rule", "SP-8", "until", "tiers", "help",
		"the peer's id is blacklisted: it is closed when it is bound, until ban.remove or a restart",
		"mode", request->control->config.mode == IMAGE_MODE_MONITOR ? "monitor" : "enforce", "score",
		score, "state", state_names[SCORE_STATE_HEALTHY], "list", "ban", "dataplane");
	return true;
}

/* Bans of an id do not reach the dataplane: they hold once the id is bound. */
static bool id_is_refused(struct rpc_request *request)
{
	struct peer_name name = {0};
	struct peer_info info;
	const char *id = rpc_text(request, "id");
	if (id == NULL)
		return false;
	snprintf(name.id, sizeof(name.id), "%s", id);
	governor_peer_get(request->control->governor, &name, request->control->clock.wall_ms, &info);
	if (info.state == SCORE_STATE_HEALTHY && !info.has_ban)
		return id_is_blacklisted(request, &name, info.app_score);
	bool banned = info.has_ban || info.state == SCORE_STATE_BANNED;
	int64_t until_ms = info.has_ban ? info.ban.end_ms : banned ? info.unban_at_ms : info.healthy_at_ms;
	json_t *tiers = json_array();
	if (info.has_ban)
		json_array_append_new(tiers, json_integer(info.ban.tier));
	request->result = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:f, s:s, s:n, s:o, s:n}", "verdict",
		"refuse", "reason", banned ? "banned" : "reputation", "rule",
		info.has_ban ? tier_rule(info.ban.tier) : "LH-13", "until", rpc_time(until_ms), "tiers",
		tiers, "help",
		info.has_ban ? "the peer's id is banned: it is closed when it is bound"
			     : "the peer's score is below the threshold: it is closed when it is bound",
		"mode", request->control->config.mode == IMAGE_MODE_MONITOR ? "monitor" : "enforce", "score",
		info.app_score, "state", state_names[info.state], "list", "ban",
		info.has_ban ? rpc_ban_json(&info.ban) : json_null(), "dataplane");
	return true;
}

void rpc_why(struct rpc_request *request)
{
	int64_t port = 0;
	const char *protocol = rpc_text(request, "protocol");
	if (!rpc_address(request, "ip", &request->address) || id_is_refused(request))
		return;
	rpc_integer(request, "port", &port);
	request->cookie = ++request->rpc->next_cookie;
	if (request->control->link != NULL &&
		dataplane_link_probe(request->control->link, &request->address, (uint16_t)port,
			protocol != NULL && strcmp(protocol, "udp") == 0 ? 17 : 6, request->cookie) == 0)
		rpc_wait(request, why_poll, PROBE_TIMEOUT_MS);
	else
		answer_make(request, NULL);
}
