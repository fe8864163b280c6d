/* SPDX-License-Identifier: BSD-3-Clause
 * why: what would happen to an attempt of this address now. Live the dataplane decides, and if it answers in time its own
 * decision is what is told; the governor's truth explains it, and says what would follow when the id is bound. In simulate
 * there is no dataplane: the answer is conn.open's. Each names the rule. Event loop only. Must not move any state.
 */
#include <stdio.h>
#include <string.h>

#include "control/rpc_private.h"

enum { PROBE_TIMEOUT_MS = 50 }; /* fifty times what a command may take; a person does not notice it */

static const char *const state_names[] = {"healthy", "disconnect", "banned"}; /* enum score_state */

struct conclusion {
	const char *verdict, *reason, *rule, *help;
	int64_t until_ms; /* 0: does not apply */
};

/* Of whom it was asked. */
struct subject {
	struct governor_why address;
	bool has_id, blacklisted;
	struct peer_info id;
	const struct ban *ban; /* the strongest in force of both; NULL */
};

static struct conclusion conclusion_of(enum reason reason, const char *rule, int64_t until_ms)
{
	const struct reason_info *info = reason_info(reason);
	return (struct conclusion){verdict_name((enum verdict)info->verdict), info->name, rule, info->help, until_ms};
}

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

/* T1 only delays; among bans the one that ends last (V38). */
static bool ban_is_stronger(const struct ban *a, const struct ban *b)
{
	bool a_bans = a->tier != BAN_TIER_THROTTLE, b_bans = b->tier != BAN_TIER_THROTTLE;
	return a_bans != b_bans ? a_bans : a->end_ms > b->end_ms || (a->end_ms == b->end_ms && a->tier > b->tier);
}

static void subject_fill(struct rpc_request *request, struct subject *subject)
{
	const char *id = rpc_text(request, "id");
	int64_t now_ms = request->control->clock.wall_ms;
	*subject = (struct subject){.has_id = id != NULL};
	governor_why(request->control->governor, &request->address, now_ms, &subject->address);
	if (subject->address.has_ban)
		subject->ban = &subject->address.ban;
	if (id == NULL)
		return;
	struct peer_name name = {0};
	struct roster_peer_info info;
	snprintf(name.id, sizeof(name.id), "%s", id);
	roster_peer_get(request->control->roster, &name, now_ms, &info);
	subject->blacklisted = info.standing.blacklisted;
	subject->id = info.governor;
	if (subject->id.has_ban && (subject->ban == NULL || ban_is_stronger(&subject->id.ban, subject->ban)))
		subject->ban = &subject->id.ban;
}

/* The order of design.md section 3: lists, bans, reputation. */
static struct conclusion conclude_address(const struct governor_why *why)
{
	if (why->allowed || why->own)
		return conclusion_of(REASON_ADMITTED, why->allowed ? "allow" : "own", 0);
	if (why->denied)
		return conclusion_of(REASON_DENIED, "deny", GOVERNOR_NEVER_MS);
	switch (why->class) {
	case SOURCE_CLASS_BANNED:
		return conclusion_of(ban_is_exact(&why->ban) ? REASON_BANNED : REASON_BANNED_PREFIX,
			tier_rule(why->ban.tier), why->ban.end_ms);
	case SOURCE_CLASS_REFUSED:
		return conclusion_of(REASON_REPUTATION, "LH-13", 0);
	case SOURCE_CLASS_THROTTLED:
		return conclusion_of(REASON_THROTTLED, "T1", why->has_ban ? why->ban.end_ms : 0);
	case SOURCE_CLASS_DISCOURAGED:
		return conclusion_of(REASON_DISCOURAGED, "T0", 0);
	default:
		return conclusion_of(REASON_ADMITTED, "design 3 row 12", 0);
	}
}

/* Bans of an id do not reach the dataplane: they hold once the id is bound. */
static struct conclusion conclude_id(const struct subject *subject)
{
	const struct peer_info *id = &subject->id;
	if (id->has_ban)
		return (struct conclusion){"refuse", "banned", tier_rule(id->ban.tier),
			"the peer's id is banned: it is closed when it is bound", id->ban.end_ms};
	if (id->state != SCORE_STATE_HEALTHY)
		return (struct conclusion){"refuse",
			id->state == SCORE_STATE_BANNED ? "banned" : "reputation", "LH-13",
			"the peer's score is below the threshold: it is closed when it is bound",
			id->state == SCORE_STATE_BANNED ? id->unban_at_ms : id->healthy_at_ms};
	if (subject->blacklisted)
		return (struct conclusion){"refuse", "blacklisted", "SP-8",
			"the peer's id is blacklisted: it is closed when it is bound, until ban.remove or a restart", 0};
	return conclusion_of(REASON_ADMITTED, "design 3 row 12", 0);
}

/* What the dataplane would do is what happens; the governor's rule explains it where both agree. */
static struct conclusion conclude_live(const struct subject *subject, const struct link_probe_answer *probe, char row[32])
{
	struct conclusion conclusion = conclude_address(&subject->address);
	const struct reason_info *info = probe != NULL ? reason_info((enum reason)probe->reason) : NULL;
	if (info != NULL && strcmp(info->name, conclusion.reason) != 0) {
		snprintf(row, 32, "design 3 row %u", info->row);
		bool listed = subject->address.allowed || subject->address.own;
		conclusion = conclusion_of((enum reason)probe->reason, listed ? conclusion.rule : row, 0);
	}
	if (subject->has_id && strcmp(conclusion.verdict, "forward") == 0) {
		struct conclusion bound = conclude_id(subject);
		if (strcmp(bound.verdict, "forward") != 0)
			return bound;
	}
	return conclusion;
}

/* What conn.open says beside bans and lists (roster_admit.c), and where that is written. */
static const struct conclusion refusals[] = {
	{NULL, "blacklisted", "SP-8", "the peer failed too often in a row: refused until ban.remove or a restart", 0},
	{NULL, "inbound", "DU-9", "the configuration accepts no inbound connections", 0},
	{NULL, "rate", "design 3 row 7", "the address opened connections faster than it may", 0},
	{NULL, "concurrency", "design 3 row 9", "a prefix has as many connections as it may have", 0},
	{NULL, "pending", "HE-13", "as many connections wait for authentication as may", 0},
	{NULL, "soft", "DU-14", "between the soft and the hard limit: accepted after a delay", 0},
	{NULL, "hard", "DU-14", "the node has as many connections as it may have", 0},
	{NULL, "too many peers", "LH-8", "as many peers are connected as the target allows", 0},
};

static struct conclusion conclude_opened(const struct subject *subject, const struct roster_opened *opened)
{
	struct conclusion conclusion = {
		NULL, opened->reason, "LH-7", "the pool is full, and nobody gives way to it", opened->until_ms};
	bool banned = strcmp(opened->reason, "banned") == 0, throttled = strcmp(opened->reason, "throttled") == 0;
	if (strcmp(opened->reason, "denied") == 0) {
		conclusion = conclusion_of(REASON_DENIED, "deny", GOVERNOR_NEVER_MS);
	} else if ((banned || throttled) && subject->ban != NULL) {
		bool exact = subject->ban->scope == BAN_SCOPE_PEER || ban_is_exact(subject->ban);
		conclusion = conclusion_of(throttled ? REASON_THROTTLED : exact ? REASON_BANNED : REASON_BANNED_PREFIX,
			tier_rule(subject->ban->tier), subject->ban->end_ms);
	} else if (strcmp(opened->reason, "score") == 0) {
		conclusion = conclusion_of(REASON_REPUTATION, "LH-13", subject->has_id ? subject->id.healthy_at_ms : 0);
	}
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (strcmp(opened->reason, refusals[i].reason) != 0)
			continue;
		conclusion.rule = refusals[i].rule;
		conclusion.help = refusals[i].help;
	}
	conclusion.verdict = roster_verdict_name(opened->verdict);
	return conclusion;
}

/* What conn.open would say of a connection from a port of its own. */
static struct conclusion conclude_simulated(
	struct rpc_request *request, const struct subject *subject, struct roster_opened *opened)
{
	struct roster_open open = {.address = request->address,
		.inbound = true,
		.proven = true,
		.rtt_ms = -1,
		.id_or_null = rpc_text(request, "id")};
	struct conclusion conclusion = conclude_address(&subject->address);
	if (roster_connection_ask(
		    request->control->roster, &open, request->control->clock.wall_ms, opened) != 0)
		return conclusion; /* no memory for the question */
	if (opened->verdict != ROSTER_FORWARD)
		return conclude_opened(subject, opened);
	if (strcmp(conclusion.verdict, "forward") != 0) /* its tags protect it from what holds for its address */
		return conclusion_of(REASON_ADMITTED, "LH-19", 0);
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

static json_t *tiers_json(unsigned tiers)
{
	json_t *array = json_array();
	for (int i = BAN_TIER_THROTTLE; i <= BAN_TIER_MANUAL; i++) {
		if (tiers & (1u << i))
			json_array_append_new(array, json_integer(i));
	}
	return array;
}

static void answer_make(struct rpc_request *request, const struct link_probe_answer *probe)
{
	struct subject subject;
	struct roster_opened opened;
	char row[32], list[PREFIX_TEXT_MAX];
	subject_fill(request, &subject);
	const struct governor_why *why = &subject.address;
	struct conclusion conclusion = request->control->simulated ? conclude_simulated(request, &subject, &opened)
								   : conclude_live(&subject, probe, row);
	bool monitor = request->control->config.mode == IMAGE_MODE_MONITOR;
	request->result = json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:f, s:s, s:o, s:o, s:o}", "verdict",
		conclusion.verdict, "reason", conclusion.reason, "rule", conclusion.rule, "until",
		conclusion.until_ms == 0 ? json_null() : rpc_time(conclusion.until_ms), "tiers",
		tiers_json(why->tiers | subject.id.tiers), "help", conclusion.help, "mode",
		monitor ? "monitor" : "enforce", "score", subject.has_id ? subject.id.app_score : why->score,
		"state", state_names[subject.has_id ? subject.id.state : why->state], "list",
		why->allowed || why->denied || why->own ? json_string(prefix_format(&why->list_prefix, list))
							: json_null(),
		"ban", subject.ban != NULL ? rpc_ban_json(subject.ban) : json_null(), "dataplane",
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

void rpc_why(struct rpc_request *request)
{
	int64_t port = 0;
	const char *protocol = rpc_text(request, "protocol");
	if (!rpc_address(request, "ip", &request->address))
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
