/* SPDX-License-Identifier: BSD-3-Clause
 * weirctl allow and deny: add, del, list. The two lists differ only in their name, the first word of the
 * command.
 */
#include <stdio.h>
#include <string.h>

#include "tools/weirctl.h"

static const char *list_name(const struct weirctl *weirctl)
{
	return strncmp(weirctl->command->name, "allow", 5) == 0 ? "allow" : "deny";
}

static int list_change(struct weirctl *weirctl, const char *method, const char *sentence)
{
	json_t *params, *result;
	struct prefix prefix;
	char text[PREFIX_TEXT_MAX];

	if (weirctl_prefix(weirctl, weirctl->words[0], &prefix) < 0)
		return -1;
	params = json_pack("{s:s,s:s}", "list", list_name(weirctl), "prefix", prefix_format(&prefix, text));
	weirctl_param_text(weirctl, params, OPTION_REASON, "reason");
	weirctl_param_flag(weirctl, params, OPTION_SYNC, "sync");
	if (weirctl_call(weirctl, method, params, &result) < 0)
		return -1;
	output_sentence(weirctl->output, result, "%s is %s the %s list.", text, sentence, list_name(weirctl));
	json_decref(result);
	return 0;
}

int weirctl_list_add(struct weirctl *weirctl)
{
	return list_change(weirctl, "list.add", "on");
}

int weirctl_list_del(struct weirctl *weirctl)
{
	return list_change(weirctl, "list.remove", "off");
}

int weirctl_list_show(struct weirctl *weirctl)
{
	static const struct output_column columns[] = {{"prefix", "PREFIX", OUTPUT_TEXT},
		{"origin", "ORIGIN", OUTPUT_TEXT}, {"reason", "REASON", OUTPUT_TEXT}, {NULL}};
	const char *limit_text = weirctl_option(weirctl, OPTION_LIMIT);
	uint64_t limit = UINT64_MAX;
	json_t *after = NULL, *rest;
	bool more = true;

	if (limit_text && !options_count(limit_text, 1, UINT32_MAX, &limit))
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--limit: \"%.64s\" is not a whole number from 1 to %u", limit_text, UINT32_MAX);
	output_rows_begin(weirctl->output, "entries", columns);
	while (more && limit > 0) {
		json_t *params = json_pack(
			"{s:s,s:i,s:o*}", "list", list_name(weirctl), "n", WEIRCTL_PAGE, "after", after);
		json_t *result, *entries, *next;
		size_t i;
		if (weirctl_call(weirctl, "list.show", params, &result) < 0)
			return -1;
		entries = json_object_get(result, "entries");
		for (i = 0; i < json_array_size(entries) && limit > 0; i++, limit--)
			output_row(weirctl->output, json_array_get(entries, i));
		next = json_object_get(result, "next");
		more = json_is_string(next) || i < json_array_size(entries);
		after = json_is_string(next) && limit > 0 ? json_incref(next) : NULL;
		json_decref(result);
	}
	rest = json_pack("{s:b}", "more", (int)more);
	output_rows_end(weirctl->output, rest, "The list is empty.");
	json_decref(rest);
	return 0;
}
