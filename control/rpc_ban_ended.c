/* SPDX-License-Identifier: BSD-3-Clause
 * ban.list with ended: bans that are no more, the latest first (ban_history.h), with the filters of those in force. Event loop
 * only. Must not change anything.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc_private.h"

/* What `after` takes here: the number of the last one of the page before, whatever ended since. */
#define CURSOR_FORMAT "ended:%" PRIu64

struct page {
	json_t *bans;
	int64_t n, tier;
	const struct ban *key_or_null;
	bool covering; /* the key is an address: those that covered it, not those inside it */
	uint64_t last; /* number of the last one that was looked at */
	bool full;
};

static bool is_of_key(const struct page *page, const struct ban *ban)
{
	const struct ban *key = page->key_or_null;
	if (key == NULL)
		return true;
	if (key->scope != ban->scope)
		return false;
	if (key->scope == BAN_SCOPE_PEER)
		return strcmp(key->id, ban->id) == 0;
	return page->covering ? prefix_covers(&ban->prefix, &key->prefix)
			      : prefix_covers(&key->prefix, &ban->prefix);
}

static bool page_visit(void *context, const struct ban_ended *ended)
{
	struct page *page = context;
	if ((page->tier != 0 && page->tier != (int64_t)ended->ban.tier) || !is_of_key(page, &ended->ban))
		return true;
	if ((int64_t)json_array_size(page->bans) >= page->n) {
		page->full = true;
		return false;
	}
	json_t *ban = rpc_ban_json(&ended->ban);
	json_object_set_new(ban, "ended", rpc_time(ended->ended_ms));
	json_object_set_new(ban, "why", json_string(ended->why));
	json_array_append_new(page->bans, ban);
	page->last = ended->number;
	return true;
}

/* The number in `after`, 0 without it. False after rpc_fail. */
static bool page_before(struct rpc_request *request, uint64_t *ret_before)
{
	const char *text = rpc_text(request, "after");
	char again[32] = "";
	*ret_before = 0;
	if (text == NULL)
		return true;
	if (sscanf(text, "ended:%20" SCNu64, ret_before) == 1)
		snprintf(again, sizeof(again), CURSOR_FORMAT, *ret_before);
	if (*ret_before != 0 && strcmp(text, again) == 0)
		return true;
	rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
		"after: not a place in the list of ended bans (allowed: next of the page before)");
	return false;
}

void rpc_ban_list_ended(struct rpc_request *request, const struct ban *key_or_null, int64_t n)
{
	struct page page = {.n = n, .key_or_null = key_or_null, .covering = rpc_text(request, "ip") != NULL};
	char next[32];
	uint64_t before;
	if (!page_before(request, &before))
		return;
	rpc_integer(request, "tier", &page.tier);
	page.bans = json_array();
	governor_ban_ended_each(request->control->governor, before, page_visit, &page);
	snprintf(next, sizeof(next), CURSOR_FORMAT, page.last);
	request->result = json_pack(
		"{s:o, s:o}", "bans", page.bans, "next", page.full ? json_string(next) : json_null());
}
