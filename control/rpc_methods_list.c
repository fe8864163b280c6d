/* SPDX-License-Identifier: BSD-3-Clause
 * list.add, list.remove, list.show.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/rpc_private.h"

enum { LIST_DEFAULT = 1000 };

static void list_result(struct rpc_request *request)
{
	request->result = json_pack("{s:I}", "seq", (json_int_t)rpc_log_sequence(request));
	if (rpc_flag(request, "sync"))
		rpc_wait_durable(request);
}

void rpc_list_add(struct rpc_request *request)
{
	bool allow = strcmp(rpc_text(request, "list"), "allow") == 0;
	const char *reason = rpc_text(request, "reason");
	struct prefix prefix, conflict;
	char text[PREFIX_TEXT_MAX];
	if (!rpc_prefix(request, "prefix", rpc_text(request, "prefix"), &prefix))
		return;
	int error =
		control_list_add(request->control, allow, &prefix, reason != NULL ? reason : "", &conflict);
	if (error == -EPERM)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "contradiction", "it contradicts %s, which is %s",
			prefix_format(&conflict, text),
			allow ? "on the deny list" : "allowlisted or our own");
	else if (error != 0 && error != -EEXIST)
		rpc_fail(
			request, PROTOCOL_ERROR_BUSY, "memory", "the list cannot grow: %s", strerror(-error));
	else
		list_result(request);
}

void rpc_list_remove(struct rpc_request *request)
{
	bool allow = strcmp(rpc_text(request, "list"), "allow") == 0;
	struct prefix prefix;
	if (!rpc_prefix(request, "prefix", rpc_text(request, "prefix"), &prefix))
		return;
	int error = control_list_remove(request->control, allow, &prefix);
	if (error == -ENOENT)
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "no_entry", "the prefix is not on the list");
	else if (error == -EPERM)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "configuration",
			"it stands in the configuration file; remove it there");
	else if (error != 0)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "memory", "the entry cannot be removed: %s",
			strerror(-error));
	else
		list_result(request);
}

struct list_page {
	json_t *entries;
	int64_t n;
	const struct prefix *after;
	struct prefix last;
	bool full;
};

static bool list_visit(
	void *context, const struct prefix *prefix, const char *reason, enum governor_list_origin origin)
{
	struct list_page *page = context;
	char text[PREFIX_TEXT_MAX];
	if (page->after != NULL && prefix_compare(prefix, page->after) <= 0)
		return true;
	/* an entry of both origins is visited twice in a row, and both are on one page */
	bool same = json_array_size(page->entries) > 0 && prefix_compare(prefix, &page->last) == 0;
	if ((int64_t)json_array_size(page->entries) >= page->n && !same) {
		page->full = true;
		return false;
	}
	page->last = *prefix;
	json_array_append_new(
		page->entries, json_pack("{s:s, s:o, s:s}", "prefix", prefix_format(prefix, text), "reason",
				       rpc_string(reason != NULL ? reason : ""), "origin",
				       origin == GOVERNOR_LIST_FROM_CONFIG ? "configuration" : "operator"));
	return true;
}

void rpc_list_show(struct rpc_request *request)
{
	const char *name = rpc_text(request, "list"), *after_text = rpc_text(request, "after");
	enum governor_list list = strcmp(name, "allow") == 0  ? GOVERNOR_LIST_ALLOW
				  : strcmp(name, "deny") == 0 ? GOVERNOR_LIST_DENY
							      : GOVERNOR_LIST_OWN;
	struct list_page page = {.n = LIST_DEFAULT};
	struct prefix after;
	char text[PREFIX_TEXT_MAX];
	rpc_integer(request, "n", &page.n);
	if (after_text != NULL) {
		if (!rpc_prefix(request, "after", after_text, &after))
			return;
		page.after = &after;
	}
	page.entries = json_array();
	governor_list_each(request->control->governor, list, list_visit, &page);
	request->result = json_pack("{s:o, s:o}", "entries", page.entries, "next",
		page.full ? json_string(prefix_format(&page.last, text)) : json_null());
}
