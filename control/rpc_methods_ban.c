/* SPDX-License-Identifier: BSD-3-Clause
 * ban.add, ban.remove, ban.list, ban.import. A ban is enforced first, then answered, then durable.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc_private.h"

enum {
	REFUSED_NAMED = 100,
	LIST_DEFAULT = 1000,
	SCAN_MAX = 65536, /* bans that one page looks at, some 7 ms: a filter may match none of millions */
};

uint64_t rpc_log_sequence(const struct rpc_request *request)
{
	struct publisher_status status = {0};
	if (request->control->publisher != NULL)
		publisher_status(request->control->publisher, &status);
	return status.head_sequence;
}

static json_t *optional_int(int64_t value)
{
	return json_integer((json_int_t)value);
}

/* tier, end, reason, evidence, source: what ban.add and ban.import have in common. */
static bool ban_common(struct rpc_request *request, struct ban *ban)
{
	const char *reason = rpc_text(request, "reason"), *evidence = rpc_text(request, "evidence");
	int64_t tier = BAN_TIER_MANUAL;
	rpc_integer(request, "tier", &tier);
	if (tier != BAN_TIER_STRIKE && tier != BAN_TIER_MANUAL) {
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
			"tier: %" PRId64 " is set by Weir itself (allowed: 2 temporary, 5 manual)", tier);
		return false;
	}
	int64_t fallback_ms = tier == BAN_TIER_MANUAL
				      ? GOVERNOR_NEVER_MS
				      : request->control->clock.wall_ms +
						(int64_t)request->control->config.ban_temporary_ms;
	ban->tier = (enum ban_tier)tier;
	snprintf(ban->reason, sizeof(ban->reason), "%s", reason != NULL ? reason : "");
	snprintf(ban->evidence, sizeof(ban->evidence), "%s", evidence != NULL ? evidence : "");
	return rpc_end(request, fallback_ms, &ban->end_ms);
}

static bool same_key(const struct ban *a, const struct ban *b)
{
	if (a->scope != b->scope)
		return false;
	return a->scope == BAN_SCOPE_PEER ? strcmp(a->id, b->id) == 0
					  : prefix_compare(&a->prefix, &b->prefix) == 0;
}

struct in_force {
	const struct ban *key;
	int64_t end_ms;
};

static bool in_force_visit(void *context, const struct ban *ban)
{
	struct in_force *force = context;
	if (!same_key(ban, force->key))
		return false;
	if (ban->tier == force->key->tier)
		force->end_ms = ban->end_ms;
	return true;
}

/* When the ban of this key and tier ends: a longer one that stood before was kept (policy V38). */
static int64_t end_in_force(struct rpc_request *request, const struct ban *ban)
{
	struct in_force force = {ban, ban->end_ms};
	struct peer_name name = {0};
	struct peer_info info;
	if (ban->scope == BAN_SCOPE_PEER) {
		memcpy(name.id, ban->id, sizeof(name.id));
		governor_peer_get(request->control->governor, &name, request->control->clock.wall_ms, &info);
		return info.has_ban && info.ban.tier == ban->tier ? info.ban.end_ms : ban->end_ms;
	}
	struct prefix before = ban->prefix;
	before.length -= before.length > 0;
	governor_ban_each(
		request->control->governor, ban->prefix.length > 0 ? &before : NULL, in_force_visit, &force);
	return force.end_ms;
}

void rpc_ban_add(struct rpc_request *request)
{
	struct ban ban;
	struct prefix conflict;
	char text[PREFIX_TEXT_MAX];
	if (!rpc_ban_key(request, &ban) || !ban_common(request, &ban))
		return;
	snprintf(ban.source, sizeof(ban.source), "operator");
	int error = governor_ban_add(request->control->governor, &ban, rpc_flag(request, "force"),
		request->control->clock.wall_ms, &conflict);
	if (error == -EPERM)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "protected",
			"the ban covers %s, which is allowlisted or our own (force overrides)",
			prefix_format(&conflict, text));
	else if (error == -ENOSPC)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "limit",
			"there are as many bans as ban.bans allows (%" PRIu64 ")",
			request->control->config.bans_max);
	else if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "the ban is not possible: %s",
			strerror(-error));
	if (error != 0)
		return;
	roster_bans_settle(request->control->roster, &ban, request->control->clock.wall_ms);
	request->result = json_pack("{s:i, s:o, s:o}", "tier", (int)ban.tier, "until",
		rpc_time(end_in_force(request, &ban)), "seq",
		optional_int((int64_t)rpc_log_sequence(request)));
	if (rpc_flag(request, "sync"))
		rpc_wait_durable(request);
}

void rpc_ban_remove(struct rpc_request *request)
{
	struct ban key;
	int64_t tier = 0;
	unsigned removed = 0;
	if (!rpc_ban_key(request, &key))
		return;
	rpc_integer(request, "tier", &tier);
	int error = governor_ban_remove(
		request->control->governor, &key, (unsigned)tier, request->control->clock.wall_ms, &removed);
	bool lifted = tier == 0 &&
		      roster_blacklist_lift(request->control->roster, &key, request->control->clock.wall_ms);
	if (error == -ENOENT && lifted)
		error = 0;
	if (error == -ENOENT)
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "no_ban", "there is no such ban");
	else if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL, "the ban cannot be removed: %s",
			strerror(-error));
	if (error != 0)
		return;
	roster_bans_settle(request->control->roster, NULL, request->control->clock.wall_ms);
	json_t *tiers = json_array();
	for (int i = BAN_TIER_THROTTLE; i <= BAN_TIER_MANUAL; i++) {
		if (removed & (1u << i))
			json_array_append_new(tiers, json_integer(i));
	}
	if (lifted)
		json_array_append_new(tiers, json_string("blacklist"));
	request->result = json_pack(
		"{s:o, s:o}", "removed", tiers, "seq", optional_int((int64_t)rpc_log_sequence(request)));
	if (rpc_flag(request, "sync"))
		rpc_wait_durable(request);
}

/* A page of bans on its way. */
struct page {
	json_t *bans;
	int64_t n, tier;
	bool (*matches)(const struct page *page, const struct ban *ban);
	struct prefix filter;
	const char *id, *after_id; /* skip ids up to and with after_id */
	bool skipping, full;
	unsigned scanned;
	struct ban last; /* whose key was looked at last; the next page begins behind it */
};

static void key_text(const struct ban *ban, char text[GOVERNOR_ID_MAX + 8])
{
	char prefix[PREFIX_TEXT_MAX];
	if (ban->scope == BAN_SCOPE_PEER)
		snprintf(text, GOVERNOR_ID_MAX + 8, "id:%s", ban->id);
	else
		snprintf(text, GOVERNOR_ID_MAX + 8, "%s", prefix_format(&ban->prefix, prefix));
}

static void last_set(struct page *page, const struct ban *ban)
{
	page->last.scope = ban->scope;
	page->last.prefix = ban->prefix;
	if (ban->scope == BAN_SCOPE_PEER)
		memcpy(page->last.id, ban->id, sizeof(ban->id));
}

static bool page_visit(void *context, const struct ban *ban)
{
	struct page *page = context;
	if (page->skipping) {
		if (ban->scope == BAN_SCOPE_PEER && strcmp(ban->id, page->after_id) == 0)
			page->skipping = false;
		return true;
	}
	if (page->after_id != NULL && strcmp(ban->id, page->after_id) == 0)
		return true; /* another tier of the key that was on the page before */
	if (page->matches != NULL && !page->matches(page, ban))
		return false;
	/* all tiers of one key are on one page, so that its key says where the next begins */
	bool enough = (int64_t)json_array_size(page->bans) >= page->n || page->scanned >= SCAN_MAX;
	if (enough && !same_key(ban, &page->last)) {
		page->full = true;
		return false;
	}
	page->scanned++;
	last_set(page, ban);
	if ((page->tier == 0 || page->tier == (int64_t)ban->tier) &&
		(page->id == NULL || (ban->scope == BAN_SCOPE_PEER && strcmp(ban->id, page->id) == 0)))
		json_array_append_new(page->bans, rpc_ban_json(ban));
	return true;
}

static bool matches_inside(const struct page *page, const struct ban *ban)
{
	return ban->scope == BAN_SCOPE_PREFIX && prefix_covers(&page->filter, &ban->prefix);
}

static bool matches_same(const struct page *page, const struct ban *ban)
{
	return ban->scope == BAN_SCOPE_PREFIX && prefix_compare(&page->filter, &ban->prefix) == 0;
}

/* Visit from `prefix` on: the place just before it in the order is the same address with a length one less.
 */
static void visit_from(struct rpc_request *request, const struct prefix *prefix, struct page *page)
{
	struct prefix before = *prefix;
	const struct prefix *after = NULL;
	if (before.length > 0) {
		before.length--;
		after = &before;
	}
	governor_ban_each(request->control->governor, after, page_visit, page);
}

static void visit_covering(struct rpc_request *request, const struct address *address, struct page *page)
{
	page->matches = matches_same;
	for (int length = 0; length <= PREFIX_HOST_LENGTH; length++) {
		page->filter = prefix_of(address, (uint8_t)length);
		visit_from(request, &page->filter, page);
	}
}

/* Bans of peers known by id come behind those of prefixes; this is the last prefix. */
static struct prefix behind_prefixes(void)
{
	struct prefix last;
	memset(&last, 0xff, sizeof(last));
	last.length = PREFIX_HOST_LENGTH;
	return last;
}

/* Where to go on: a prefix, or "id:ID". False after rpc_fail. */
static bool page_after(
	struct rpc_request *request, struct page *page, struct prefix *after, const struct prefix **ret_after)
{
	const char *text = rpc_text(request, "after");
	*ret_after = NULL;
	if (text == NULL)
		return true;
	*ret_after = after;
	if (strncmp(text, "id:", 3) == 0) {
		*after = behind_prefixes();
		page->after_id = text + 3;
		page->skipping = true;
		return true;
	}
	if (!rpc_prefix(request, "after", text, after))
		return false;
	return true;
}

/* Having taken all tiers of `after`, its own key is not visited again: governor_ban_each starts behind it. */
void rpc_ban_list(struct rpc_request *request)
{
	struct page page = {.n = LIST_DEFAULT};
	struct prefix after, host;
	const struct prefix *from;
	const char *prefix = rpc_text(request, "prefix"), *ip = rpc_text(request, "ip");
	struct ban key = {0};
	char last[GOVERNOR_ID_MAX + 8] = "";

	rpc_integer(request, "n", &page.n);
	rpc_integer(request, "tier", &page.tier);
	page.id = rpc_text(request, "id");
	if ((prefix != NULL || ip != NULL || page.id != NULL) && !rpc_ban_key(request, &key))
		return;
	if (rpc_flag(request, "ended")) {
		rpc_ban_list_ended(request, prefix != NULL || ip != NULL || page.id != NULL ? &key : NULL, page.n);
		return;
	}
	if (!page_after(request, &page, &after, &from))
		return;
	page.bans = json_array();
	if (ip != NULL) {
		host = key.prefix;
		visit_covering(request, &host.address, &page);
	} else if (prefix != NULL) {
		page.filter = key.prefix;
		page.matches = matches_inside;
		if (from != NULL && prefix_compare(from, &page.filter) >= 0)
			governor_ban_each(request->control->governor, from, page_visit, &page);
		else
			visit_from(request, &page.filter, &page);
	} else {
		if (page.id != NULL && from == NULL) {
			after = behind_prefixes();
			from = &after;
		}
		governor_ban_each(request->control->governor, from, page_visit, &page);
	}
	if (page.skipping) {
		json_decref(page.bans);
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "after",
			"after: this peer is banned no more, so its place is lost: list anew from the start, "
			"or "
			"without after by id");
		return;
	}
	if (page.full)
		key_text(&page.last, last);
	request->result = json_pack(
		"{s:o, s:o}", "bans", page.bans, "next", page.full ? rpc_string(last) : json_null());
}

static const char *import_error(int error)
{
	switch (error) {
	case -EPERM:
		return "covers an allowlisted or own address";
	case -ENOSPC:
		return "there are as many bans as ban.bans allows";
	case -ERANGE:
		return "length out of range";
	case -EDOM:
		return "bits are set behind the length";
	case -ENOMEM:
		return "not enough memory";
	default:
		return "not an address or a prefix";
	}
}

void rpc_ban_import(struct rpc_request *request)
{
	struct ban ban = {.scope = BAN_SCOPE_PREFIX, .source = "import"};
	struct prefix conflict;
	json_t *prefixes = json_object_get(request->params, "prefixes"), *item, *refused;
	size_t i, added = 0, refused_n = 0;
	bool force = rpc_flag(request, "force");

	if (!ban_common(request, &ban))
		return;
	refused = json_array();
	json_array_foreach(prefixes, i, item)
	{
		ban.start_ms = 0;
		int error = prefix_parse(json_string_value(item), &ban.prefix);
		if (error == 0)
			error = governor_ban_add(request->control->governor, &ban, force,
				request->control->clock.wall_ms, &conflict);
		added += error == 0;
		refused_n += error != 0;
		if (error != 0 && refused_n <= REFUSED_NAMED)
			json_array_append_new(refused,
				json_pack("{s:O, s:s}", "prefix", item, "reason", import_error(error)));
	}
	roster_bans_settle(request->control->roster, NULL, request->control->clock.wall_ms);
	request->result = json_pack("{s:o, s:o, s:o, s:o}", "added", optional_int((int64_t)added),
		"refused_n", optional_int((int64_t)refused_n), "refused", refused, "seq",
		optional_int((int64_t)rpc_log_sequence(request)));
	if (rpc_flag(request, "sync"))
		rpc_wait_durable(request);
}
