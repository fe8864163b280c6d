/* SPDX-License-Identifier: BSD-3-Clause
 * peer.bind, peer.report, peer.get, peer.disconnect, peer.tag.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc_private.h"

#define SECOND_NS UINT64_C(1000000000)

static const char *const states[] = {"healthy", "disconnect", "banned"};

enum { GOODBYE_BAD_SCORE = 250, GOODBYE_BANNED = 251, GOODBYE_BANNED_IP = 252 }; /* LH-25 */

/* LH-11: the first token of the agent, case-sensitive. */
static const char *client_kind(const char *agent)
{
	static const struct {
		const char *token, *kind;
	} kinds[] = {{"Lighthouse", "Lighthouse"}, {"teku", "Teku"}, {"Prysm", "Prysm"},
		{"github.com", "Prysm"}, {"nimbus", "Nimbus"}, {"nim-libp2p", "Nimbus"},
		{"js-libp2p", "Lodestar"}, {"lodestar", "Lodestar"}, {"Grandine", "Grandine"},
		{"erigon", "Caplin"}, {"caplin", "Caplin"}};
	size_t length = strcspn(agent, "/");
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].token) == length && strncmp(kinds[i].token, agent, length) == 0)
			return kinds[i].kind;
	}
	return "Unknown";
}

/* The second token is the version; the last of three or more the system. */
static json_t *client_json(const char *agent)
{
	char version[64] = "", os[64] = "";
	const char *slash = strchr(agent, '/'), *last = strrchr(agent, '/');
	if (slash != NULL)
		snprintf(version, sizeof(version), "%.*s", (int)strcspn(slash + 1, "/"), slash + 1);
	if (last != slash && last != NULL)
		snprintf(os, sizeof(os), "%s", last + 1);
	return json_pack("{s:s, s:o, s:o}", "kind", client_kind(agent), "version", rpc_string(version), "os",
		rpc_string(os));
}

void rpc_peer_bind(struct rpc_request *request)
{
	struct control *control = request->control;
	struct address address;
	struct peer_info info;
	struct governor_why why;
	struct peer_name name = {0};
	const char *id = rpc_text(request, "id"), *agent = rpc_text(request, "agent");
	int64_t port = 0, now_ms = control->clock.wall_ms, until_ms = 0;
	int code = 0;

	if (!rpc_address(request, "ip", &address))
		return;
	rpc_integer(request, "port", &port);
	agent = agent != NULL ? agent : "";
	int error = governor_bind(control->governor, id, &address, (uint16_t)port, agent, now_ms);
	if (error != 0) {
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "limit", "the peer cannot be bound: %s",
			strerror(-error));
		return;
	}
	snprintf(name.id, sizeof(name.id), "%s", id);
	governor_peer_get(control->governor, &name, now_ms, &info);
	governor_why(control->governor, &address, now_ms, &why);
	if (info.state == SCORE_STATE_BANNED || info.state == SCORE_STATE_DISCONNECT) {
		code = info.state == SCORE_STATE_BANNED ? GOODBYE_BANNED : GOODBYE_BAD_SCORE;
		until_ms = info.state == SCORE_STATE_BANNED ? info.unban_at_ms : info.healthy_at_ms;
	} else if (info.has_ban) {
		code = GOODBYE_BANNED;
		until_ms = info.ban.end_ms;
	} else if (why.class == SOURCE_CLASS_BANNED && !why.allowed && !why.own) {
		code = GOODBYE_BANNED_IP;
		until_ms = why.ban.end_ms;
	}
	request->result = json_pack("{s:b, s:s, s:o, s:o, s:o}", "accepted", code == 0, "reason",
		code == 0                   ? ""
		: code == GOODBYE_BANNED    ? "banned"
		: code == GOODBYE_BAD_SCORE ? "bad_score"
					    : "banned_ip",
		"code", code == 0 ? json_null() : json_integer(code), "until",
		until_ms == 0 ? json_null() : rpc_time(until_ms), "client", client_json(agent));
}

void rpc_peer_report(struct rpc_request *request)
{
	static const char *const actions[PEER_ACTION_COUNT] = {"fatal", "low", "mid", "high",
		"invalid_message", "connection_failure", "spam", "protocol_violation", "malicious_content"};
	struct peer_report_result result;
	struct peer_name name;
	const char *word = rpc_text(request, "action"), *evidence = rpc_text(request, "evidence");
	json_t *proven = json_object_get(request->params, "proven");
	int action = 0;

	if (!rpc_peer(request, &name))
		return;
	while (action < PEER_ACTION_COUNT - 1 && strcmp(actions[action], word) != 0)
		action++;
	int error = governor_report(request->control->governor, &name, (enum peer_action)action,
		rpc_text(request, "reason"), evidence != NULL ? evidence : "",
		proven == NULL || json_is_true(proven), request->control->clock.wall_ms, &result);
	if (error == -ENOENT)
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "peer",
			"no such peer: bind it, or name it by its address");
	else if (error == -EPERM)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "unproven",
			"the source is not proven: nothing was changed");
	else if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "limit", "the report cannot be taken: %s",
			strerror(-error));
	if (error != 0)
		return;
	json_t *ban = !result.banned ? json_null()
				     : json_pack("{s:i, s:o, s:i}", "tier", (int)result.ban.tier, "until",
					       rpc_time(result.ban.end_ms), "strikes", (int)result.strikes);
	request->result = json_pack("{s:o, s:s, s:o, s:b}", "score",
		result.trusted ? json_null() : json_real(result.score), "state", states[result.state], "ban",
		ban, "trusted", (int)result.trusted);
}

struct bans_of {
	json_t *bans;
	const char *id;
	const struct prefix *prefix;
};

static bool ban_of_prefix(void *context, const struct ban *ban)
{
	struct bans_of *of = context;
	if (ban->scope != BAN_SCOPE_PREFIX || prefix_compare(&ban->prefix, of->prefix) != 0)
		return false;
	json_array_append_new(of->bans, rpc_ban_json(ban));
	return true;
}

static bool ban_of_id(void *context, const struct ban *ban)
{
	struct bans_of *of = context;
	if (ban->scope == BAN_SCOPE_PEER && strcmp(ban->id, of->id) == 0)
		json_array_append_new(of->bans, rpc_ban_json(ban));
	return true;
}

static json_t *bans_json(struct rpc_request *request, const struct peer_name *name)
{
	struct bans_of of = {.bans = json_array(), .id = name->id};
	struct prefix before, own = prefix_of(&name->address, PREFIX_HOST_LENGTH);
	struct prefix site = prefix_of(&name->address, PREFIX_V6_SITE_LENGTH);
	if (name->id[0] != '\0') {
		/* ids stand behind every prefix */
		memset(&before, 0xff, sizeof(before));
		before.length = PREFIX_HOST_LENGTH;
		governor_ban_each(request->control->governor, &before, ban_of_id, &of);
		return of.bans;
	}
	/* Weir itself bans an IPv6 source by its /64, an operator perhaps the address */
	const struct prefix *keys[] = {address_is_v4(&name->address) ? &own : &site, &own};
	for (size_t i = address_is_v4(&name->address) ? 1 : 0; i < 2; i++) {
		of.prefix = keys[i];
		before = *of.prefix;
		before.length--;
		governor_ban_each(request->control->governor, &before, ban_of_prefix, &of);
	}
	return of.bans;
}

static json_t *time_or_null(int64_t ms)
{
	return ms == 0 ? json_null() : rpc_time(ms);
}

void rpc_peer_get(struct rpc_request *request)
{
	struct peer_name name;
	struct peer_info info;
	char ip[PREFIX_TEXT_MAX];
	if (!rpc_peer(request, &name))
		return;
	governor_peer_get(request->control->governor, &name, request->control->clock.wall_ms, &info);
	if (!info.known) {
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "peer", "nothing is known of this peer");
		return;
	}
	json_t *history = json_array();
	for (unsigned i = 0; i < info.n_history && i < GOVERNOR_HISTORY; i++)
		json_array_append_new(
			history, json_pack("{s:o, s:f, s:o}", "t", rpc_time(info.history[i].t_ms), "score",
					 info.history[i].score, "why", rpc_string(info.history[i].why)));
	json_t *score = json_pack("{s:o, s:s, s:o, s:o, s:o}", "app",
		info.trusted ? json_null() : json_real(info.app_score), "state", states[info.state],
		"freeze_until", time_or_null(info.freeze_until_ms), "unban_at",
		time_or_null(info.unban_at_ms), "healthy_at", time_or_null(info.healthy_at_ms));
	json_t *counters = json_pack("{s:I, s:I, s:I}", "ok", (json_int_t)info.ok, "fail",
		(json_int_t)info.fail, "streak", (json_int_t)info.streak);
	request->result = json_pack("{s:o, s:o, s:b, s:o, s:b, s:i, s:o, s:I, s:o, s:o, s:o}", "id",
		info.name.id[0] != '\0' ? rpc_string(info.name.id) : json_null(), "ip",
		json_string(address_format(&info.name.address, ip)), "known", (int)info.known, "score", score,
		"trusted", (int)info.trusted, "strikes", (int)info.strikes, "counters", counters, "n_in",
		(json_int_t)info.connections_now, "rtt_ms",
		info.rtt_ms < 0 ? json_null() : json_real(info.rtt_ms), "bans", bans_json(request, &name),
		"history", history);
	if (request->result != NULL && info.agent[0] != '\0')
		json_object_set_new(request->result, "client", client_json(info.agent));
	if (request->result != NULL && info.name.port != 0)
		json_object_set_new(request->result, "port", json_integer(info.name.port));
}

/* One of limits.disconnects_per_s, which all may be used at once. */
static bool disconnect_take(struct control *control)
{
	uint64_t per_s = control->config.disconnects_per_s, now_ns = control->clock.mono_ns;
	uint64_t full_ns = control->disconnect_full_ns > now_ns ? control->disconnect_full_ns : now_ns;
	if (per_s == 0)
		return true;
	full_ns += SECOND_NS / per_s;
	if (full_ns > now_ns + SECOND_NS)
		return false;
	control->disconnect_full_ns = full_ns;
	return true;
}

void rpc_peer_disconnect(struct rpc_request *request)
{
	struct control *control = request->control;
	const char *reason = rpc_text(request, "reason");
	struct peer_name name;
	uint32_t closed = 0;
	if (!rpc_peer(request, &name))
		return;
	if (!disconnect_take(control)) {
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "rate",
			"more than %llu peers a second: try again in a second",
			(unsigned long long)control->config.disconnects_per_s);
		return;
	}
	int error = governor_disconnect(
		control->governor, &name, reason != NULL ? reason : "", control->clock.wall_ms, &closed);
	if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "peer",
			"no such peer: bind it, or name it by its address");
	else
		request->result = json_pack("{s:I}", "closed", (json_int_t)closed);
}

void rpc_peer_tag(struct rpc_request *request)
{
	struct peer_name name;
	bool trusted = rpc_flag(request, "trusted");
	if (!rpc_peer(request, &name))
		return;
	int error = governor_tag_trusted(
		request->control->governor, &name, trusted, request->control->clock.wall_ms);
	if (error == -ENOENT)
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "peer",
			"no such peer: bind it, or name it by its address");
	else if (error != 0)
		rpc_fail(
			request, PROTOCOL_ERROR_BUSY, "limit", "the tag cannot be set: %s", strerror(-error));
	else
		request->result = json_pack("{s:{s:b}}", "tags", "trusted", (int)trusted);
}
