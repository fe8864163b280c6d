/* SPDX-License-Identifier: BSD-3-Clause
 * weirctl ban add, del, list and export. Import has its own file.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tools/weirctl.h"

int weirctl_ban_add(struct weirctl *weirctl)
{
	json_t *params = json_object(), *result;
	char until[64];
	int rc;

	if (weirctl_param_target(weirctl, params, weirctl->words[0]) < 0 ||
		weirctl_param_seconds(weirctl, params, OPTION_FOR, "for") < 0 ||
		weirctl_param_count(weirctl, params, OPTION_TIER, "tier", 1, 5) < 0) {
		json_decref(params);
		return -1;
	}
	weirctl_param_text(weirctl, params, OPTION_REASON, "reason");
	weirctl_param_flag(weirctl, params, OPTION_FORCE, "force");
	weirctl_param_flag(weirctl, params, OPTION_SYNC, "sync");
	rc = weirctl_call(weirctl, "ban.add", params, &result);
	if (rc < 0)
		return rc;
	output_format(json_object_get(result, "until"), OUTPUT_TIME, until, sizeof(until));
	output_sentence(weirctl->output, result, "%s is banned%s%s.", weirctl->words[0],
		json_is_null(json_object_get(result, "until")) ? " for ever" : " until ",
		json_is_null(json_object_get(result, "until")) ? "" : until);
	json_decref(result);
	return 0;
}

int weirctl_ban_del(struct weirctl *weirctl)
{
	json_t *params = json_object(), *result;
	char tiers[64];

	if (weirctl_param_target(weirctl, params, weirctl->words[0]) < 0 ||
		weirctl_param_count(weirctl, params, OPTION_TIER, "tier", 1, 5) < 0) {
		json_decref(params);
		return -1;
	}
	weirctl_param_flag(weirctl, params, OPTION_SYNC, "sync");
	if (weirctl_call(weirctl, "ban.remove", params, &result) < 0)
		return -1;
	output_format(json_object_get(result, "removed"), OUTPUT_LIST, tiers, sizeof(tiers));
	if (strcmp(tiers, "blacklist") == 0)
		output_sentence(weirctl->output, result, "%s: taken off the blacklist.", weirctl->words[0]);
	else
		output_sentence(weirctl->output, result, "%s: the ban of tier %s is lifted.",
			weirctl->words[0], tiers);
	json_decref(result);
	return 0;
}

/* All pages of ban.list; `take` gets each ban. `params` becomes its own; `limit` 0: no limit. *ret_more:
 * there were further bans. */
static int bans_each(struct weirctl *weirctl, json_t *params, uint64_t limit,
	void (*take)(void *context, json_t *ban), void *context, bool *ret_more)
{
	uint64_t taken = 0;
	bool more = true;

	json_object_set_new(params, "n", json_integer(WEIRCTL_PAGE));
	while (more && (limit == 0 || taken < limit)) {
		json_t *result, *next, *ban;
		size_t i;
		if (weirctl_call(weirctl, "ban.list", json_deep_copy(params), &result) < 0) {
			json_decref(params);
			return -1;
		}
		json_array_foreach(json_object_get(result, "bans"), i, ban)
		{
			if (limit != 0 && taken == limit)
				break;
			take(context, ban);
			taken++;
		}
		next = json_object_get(result, "next");
		more = json_is_string(next) || i < json_array_size(json_object_get(result, "bans"));
		if (json_is_string(next))
			json_object_set(params, "after", next);
		json_decref(result);
	}
	json_decref(params);
	*ret_more = more;
	return 0;
}

static void row_take(void *context, json_t *ban)
{
	output_row(context, ban);
}

int weirctl_ban_list(struct weirctl *weirctl)
{
	static const struct output_column columns[] = {{"key", "BANNED", OUTPUT_TEXT},
		{"tier", "TIER", OUTPUT_COUNT}, {"until", "UNTIL", OUTPUT_TIME},
		{"start", "SINCE", OUTPUT_TIME}, {"source", "SOURCE", OUTPUT_TEXT},
		{"reason", "REASON", OUTPUT_TEXT}, {NULL}};
	static const struct output_column ended_columns[] = {{"key", "BANNED", OUTPUT_TEXT},
		{"tier", "TIER", OUTPUT_COUNT}, {"ended", "ENDED", OUTPUT_TIME}, {"why", "WHY", OUTPUT_TEXT},
		{"start", "SINCE", OUTPUT_TIME}, {"source", "SOURCE", OUTPUT_TEXT},
		{"reason", "REASON", OUTPUT_TEXT}, {NULL}};
	const char *limit_text = weirctl_option(weirctl, OPTION_LIMIT);
	bool ended = weirctl_option(weirctl, OPTION_ENDED) != NULL;
	json_t *params = json_object(), *rest;
	uint64_t limit = 0;
	bool more;
	int rc = 0;

	if (limit_text && !options_count(limit_text, 1, UINT32_MAX, &limit))
		rc = weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--limit: \"%.64s\" is not a whole number from 1 to %u", limit_text, UINT32_MAX);
	if (rc == 0)
		rc = weirctl_param_count(weirctl, params, OPTION_TIER, "tier", 1, 5);
	if (rc == 0 && weirctl->n_words) {
		rc = weirctl_param_target(weirctl, params, weirctl->words[0]);
		/* An address asks which bans cover it, a prefix which lie inside. */
		if (rc == 0 && json_object_get(params, "prefix") && !strchr(weirctl->words[0], '/')) {
			json_object_set(params, "ip", json_object_get(params, "prefix"));
			json_object_del(params, "prefix");
		}
	}
	if (rc < 0) {
		json_decref(params);
		return rc;
	}
	if (ended)
		json_object_set_new(params, "ended", json_true());
	output_rows_begin(weirctl->output, "bans", ended ? ended_columns : columns);
	if (bans_each(weirctl, params, limit, row_take, weirctl->output, &more) < 0)
		return -1;
	rest = json_pack("{s:b}", "more", (int)more);
	output_rows_end(weirctl->output, rest, ended ? "None ended." : "No bans.");
	json_decref(rest);
	return 0;
}

/* What ipset(8) takes, some 24 days; it would refuse the whole file otherwise. */
enum { IPSET_TIMEOUT_MAX = 2147483 };

struct export
{
	struct output *output;
	double now_s;
	bool ipset;
	uint64_t peers; /* bans of ids have no address and stay out */
};

/* Seconds left, rounded up so that a round trip never shortens a ban; 0: for ever. */
static uint64_t seconds_left(const struct export *export, const json_t *ban)
{
	const json_t *until = json_object_get(ban, "until");
	double left = ceil(json_number_value(until) - export->now_s);

	if (!json_is_number(until))
		return 0;
	return left < 1 ? 1 : (uint64_t)left;
}

/* Comments must not end the line or the quotes. */
static void comment_clean(const json_t *ban, char text[160])
{
	snprintf(text, 160, "%s", json_string_value(json_object_get(ban, "reason")));
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == '"' || *at == '\\')
			*at = ' ';
	}
}

static void export_take(void *context, json_t *ban)
{
	struct export *export = context;
	const char *key = json_string_value(json_object_get(ban, "key"));
	uint64_t left = seconds_left(export, ban);
	char comment[160];

	if (strcmp(json_string_value(json_object_get(ban, "scope")), "peer") == 0) {
		export->peers++;
		return;
	}
	comment_clean(ban, comment);
	if (export->ipset) {
		if (left > IPSET_TIMEOUT_MAX)
			left = IPSET_TIMEOUT_MAX;
		output_text(export->output, "add weir%d %s timeout %llu", strchr(key, ':') ? 6 : 4, key,
			(unsigned long long)left);
		if (comment[0])
			output_text(export->output, " comment \"%s\"", comment);
		output_text(export->output, "\n");
		return;
	}
	output_text(export->output, "%s", key);
	if (left != 0)
		output_text(export->output, " %llus", (unsigned long long)left);
	output_text(export->output, "%s%s\n", comment[0] ? " # " : "", comment);
}

int weirctl_ban_export(struct weirctl *weirctl)
{
	const char *format = weirctl_option(weirctl, OPTION_FORMAT);
	struct export export = {.output = weirctl->output};
	json_t *params = json_object(), *status;
	bool more;

	export.ipset = format && strcmp(format, "ipset") == 0;
	json_object_set_new(params, "tier", json_integer(5));
	if (format && !export.ipset && strcmp(format, "plain") != 0) {
		json_decref(params);
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--format: \"%.64s\" is not a format (allowed: plain, ipset)", format);
	}
	if (weirctl_param_count(weirctl, params, OPTION_TIER, "tier", 1, 5) < 0 ||
		weirctl_call(weirctl, "status", NULL, &status) < 0) {
		json_decref(params);
		return -1;
	}
	/* control's clock, so that durations are right on another machine too */
	export.now_s = json_number_value(json_object_get(status, "t"));
	json_decref(status);
	/* maxelem: ipset's default of 65536 would refuse a long list */
	if (export.ipset)
		output_text(weirctl->output,
			"create weir4 hash:net family inet maxelem 16777216 timeout 0 comment\n"
			"create weir6 hash:net family inet6 maxelem 16777216 timeout 0 comment\n");
	if (bans_each(weirctl, params, 0, export_take, &export, &more) < 0)
		return -1;
	if (export.peers && !export.ipset)
		output_text(weirctl->output, "# %llu bans of peer ids have no address and are left out\n",
			(unsigned long long)export.peers);
	output_text_end(weirctl->output, "text");
	return 0;
}
