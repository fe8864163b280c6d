/* SPDX-License-Identifier: BSD-3-Clause
 * peer.get and peer.list: what is known of a peer, in JSON. Event loop only.
 */
#include <math.h>
#include <string.h>

#include "control/rpc_private.h"

enum { LIST_DEFAULT = 100 };

static const char *const states[] = {"healthy", "disconnect", "banned"};

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

static json_t *text_or_null(const char *text)
{
	return text == NULL || text[0] == '\0' ? json_null() : rpc_string(text);
}

/* What the node said in JSON comes back as JSON. */
static json_t *said_json(const char *text)
{
	json_t *value = text == NULL || text[0] == '\0' ? NULL : json_loads(text, JSON_DECODE_ANY, NULL);
	return value != NULL ? value : text_or_null(text);
}

static json_t *history_json(const struct peer_info *info)
{
	json_t *history = json_array();
	for (unsigned i = 0; i < info->n_history && i < GOVERNOR_HISTORY; i++)
		json_array_append_new(
			history, json_pack("{s:o, s:f, s:o}", "t", rpc_time(info->history[i].t_ms), "score",
					 info->history[i].score, "why", rpc_string(info->history[i].why)));
	return history;
}

static json_t *score_json(const struct roster_peer_info *info)
{
	const struct peer_info *score = &info->governor;
	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "app",
		score->trusted ? json_null() : json_real(score->app_score), "gossip", rpc_real(info->gossip),
		"combined", score->trusted ? json_null() : json_real(info->combined), "state",
		states[info->combined_state], "freeze_until", time_or_null(score->freeze_until_ms),
		"unban_at", time_or_null(score->unban_at_ms), "healthy_at",
		time_or_null(score->healthy_at_ms));
}

static json_t *values_json(const struct roster_peer_info *info)
{
	json_t *lorachain = json_pack("{s:f, s:f, s:f, s:f}", "rel", info->lorachain.reliability, "perf",
		info->lorachain.performance, "beh", info->lorachain.behaviour, "overall",
		info->lorachain.overall);
	return json_pack("{s:f, s:f, s:o, s:f, s:f, s:f, s:f}", "dugite", info->value_dugite, "rank",
		info->value_rank, "lorachain", lorachain, "selection", info->value_selection, "inbound",
		info->value_inbound, "quality", info->quality, "profile", info->value);
}

static json_t *counters_json(const struct roster_peer_info *info)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "ok", (json_int_t)info->counters.ok, "fail",
		(json_int_t)info->counters.fail, "streak", (json_int_t)info->counters.streak, "decayed_fail",
		(json_int_t)info->decayed_fail, "unproven", (json_int_t)info->unproven);
}

static void put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

/** An id that was never seen is nowhere. */
static bool is_somewhere(const struct address *address)
{
	static const struct address nowhere;
	return memcmp(address, &nowhere, sizeof(nowhere)) != 0;
}

static json_t *peer_json(const struct rpc_request *request, const struct roster_peer_info *info)
{
	static const char *const directions[] = {"none", "in", "out"};
	static const char *const circuits[] = {"closed", "open", "half_open"};
	const struct peer_info *governor = &info->governor;
	const char *id = info->id != NULL && info->id[0] != '\0' ? info->id : governor->name.id;
	double rtt_ms = info->counters.rtt_ms >= 0 ? info->counters.rtt_ms : governor->rtt_ms;
	char ip[PREFIX_TEXT_MAX];
	json_t *object = json_object();
	put(object, "id", text_or_null(id));
	put(object, "ip",
		is_somewhere(&governor->name.address) ? json_string(address_format(&governor->name.address, ip))
						      : json_null());
	if (governor->name.port != 0)
		put(object, "port", json_integer(governor->name.port));
	put(object, "known", json_boolean(governor->known || info->known));
	put(object, "status", json_string(peer_status_name(info->state.status)));
	put(object, "n_in", json_integer((json_int_t)info->state.n_in));
	put(object, "n_out", json_integer((json_int_t)info->state.n_out));
	put(object, "direction", json_string(directions[info->state.direction]));
	put(object, "since", time_or_null(info->state.since_ms));
	put(object, "temperature", json_string(temperature_name(info->temperature)));
	put(object, "client", rpc_client_json(&info->client, info->agent));
	put(object, "agent", text_or_null(info->agent));
	put(object, "version", text_or_null(info->version));
	put(object, "enr", said_json(info->enr));
	put(object, "metadata", said_json(info->metadata));
	put(object, "sync_status", text_or_null(info->sync_status));
	put(object, "tags",
		rpc_tags_json(roster_groups(request->control->roster), &info->tags, info->discouraged));
	put(object, "trusted", json_boolean(governor->trusted));
	put(object, "score", score_json(info));
	put(object, "values", values_json(info));
	put(object, "reputation", json_real(info->reputation));
	put(object, "standing",
		json_pack("{s:i, s:i, s:b}", "reputation", (int)info->standing.reputation, "streak",
			(int)info->standing.streak, "blacklisted", (int)info->standing.blacklisted));
	put(object, "counters", counters_json(info));
	put(object, "rtt_ms", rtt_ms < 0 ? json_null() : json_real(rtt_ms));
	put(object, "fetch_ms",
		info->counters.fetch_ms < 0 ? json_null() : json_real(info->counters.fetch_ms));
	put(object, "blocks", json_integer((json_int_t)info->blocks));
	put(object, "circuit",
		json_pack("{s:s, s:o}", "state", circuits[info->circuit], "until",
			time_or_null(info->circuit_until_ms)));
	put(object, "subnet",
		json_pack("{s:I, s:f}", "count", (json_int_t)info->subnet_count, "penalty",
			info->subnet_penalty));
	put(object, "strikes", json_integer((json_int_t)governor->strikes));
	return object;
}

void rpc_peer_get(struct rpc_request *request)
{
	struct roster_peer_info info;
	struct peer_name name;
	if (!rpc_peer(request, &name))
		return;
	roster_peer_get(request->control->roster, &name, request->control->clock.wall_ms, &info);
	if (!info.known && !info.governor.known) {
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "peer", "nothing is known of this peer");
		return;
	}
	request->result = peer_json(request, &info);
	put(request->result, "bans", bans_json(request, &name));
	put(request->result, "history", history_json(&info.governor));
}

struct page {
	const struct rpc_request *request;
	json_t *peers;
	int64_t wanted;
	char last[GOVERNOR_ID_MAX];
	bool more;
};

static bool visit(void *context, const struct roster_peer_info *info)
{
	struct page *page = context;
	page->more = (int64_t)json_array_size(page->peers) == page->wanted;
	if (page->more)
		return false;
	memcpy(page->last, info->cursor, sizeof(page->last));
	json_array_append_new(page->peers, peer_json(page->request, info));
	return true;
}

void rpc_peer_list(struct rpc_request *request)
{
	json_t *banned = json_object_get(request->params, "banned");
	struct page page = {.request = request, .peers = json_array(), .wanted = LIST_DEFAULT};
	struct roster_filter filter = {
		.status = rpc_choice(request, "status"),
		.temperature = rpc_choice(request, "temperature"),
		.category = rpc_category(request),
		.banned = banned == NULL ? -1 : json_is_true(banned),
	};
	rpc_integer(request, "n", &page.wanted);
	roster_peer_each(request->control->roster, &filter, rpc_text(request, "after"),
		request->control->clock.wall_ms, visit, &page);
	request->result = json_pack(
		"{s:o, s:o}", "peers", page.peers, "next", page.more ? rpc_string(page.last) : json_null());
}
