/* SPDX-License-Identifier: BSD-3-Clause
 * weirctl ban import: a whole file is read and checked, against control's allow list and own addresses too,
 * before the first ban is sent. Then batches go out pipelined: while control works on one, the next is
 * written. All of the file or nothing, unless --skip-bad: then the good lines.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/protocol.h"
#include "tools/ban_file.h"
#include "tools/weirctl.h"

enum {
	/* While control works on one batch, one waits in its socket and one is being written. */
	IMPORT_BATCHES_AHEAD = 3,
	REASON_BYTES_MAX = 127, /* of control */
	REFUSED_NAMED = 100,
};

struct import {
	struct weirctl *weirctl;
	const char *path;
	struct ban_file file;
	json_t *lines;            /* [{file,line,message}] of bad lines */
	struct prefix *protected; /* ascending */
	size_t n_protected;
	unsigned lengths[PREFIX_HOST_LENGTH + 1]; /* how many protected prefixes have this length */
	json_t *batch_params; /* of every batch: tier, force and what the command line says of end and reason
			       */
	size_t n_sent_batches, n_answered_batches;
	uint64_t added, refused_n;
	json_t *refused, *sequence;
};

static void line_complain(void *context, uint32_t line, const char *sentence)
{
	struct import *import = context;
	json_t *message = json_string(sentence); /* NULL when the line is not UTF-8 */

	json_array_append_new(import->lines,
		json_pack("{s:s,s:I,s:o}", "file", import->path, "line", (json_int_t)line, "message",
			message ? message : json_string("the line is not UTF-8 and not an address")));
}

static int prefix_order(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

/* Every allowlisted and own prefix. */
static int protected_fetch(struct import *import, const char *list)
{
	json_t *after = NULL, *result, *entry, *next;
	size_t i;

	do {
		json_t *params = json_pack("{s:s,s:i,s:o*}", "list", list, "n", WEIRCTL_PAGE, "after", after);
		if (weirctl_call(import->weirctl, "list.show", params, &result) < 0)
			return -1;
		json_array_foreach(json_object_get(result, "entries"), i, entry)
		{
			struct prefix *larger =
				reallocarray(import->protected, import->n_protected + 1, sizeof(*larger));
			if (!larger) {
				json_decref(result);
				return weirctl_fail(import->weirctl, RPC_CODE_FAILED, "out of memory");
			}
			import->protected = larger;
			if (prefix_parse(json_string_value(json_object_get(entry, "prefix")),
				    &larger[import->n_protected]) == 0)
				import->lengths[larger[import->n_protected++].length]++;
		}
		next = json_object_get(result, "next");
		after = json_is_string(next) ? json_incref(next) : NULL;
		json_decref(result);
	} while (after);
	return 0;
}

/* The protected prefix that lies in `prefix` or covers it, or NULL: as control itself judges. */
static const struct prefix *protected_find(const struct import *import, const struct prefix *prefix)
{
	size_t low = 0, high = import->n_protected;

	for (int length = 0; length <= prefix->length; length++) {
		struct prefix cover = prefix_of(&prefix->address, (uint8_t)length);
		const struct prefix *found;
		if (import->lengths[length] == 0)
			continue;
		found = bsearch(&cover, import->protected, import->n_protected, sizeof(cover), prefix_order);
		if (found && prefix_covers(found, prefix))
			return found;
	}
	/* What lies in it comes directly behind it in the order. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (prefix_compare(&import->protected[middle], prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < import->n_protected && prefix_covers(prefix, &import->protected[low]))
		return &import->protected[low];
	return NULL;
}

/* Take protected prefixes out of the entries, complaining. */
static int protected_check(struct import *import)
{
	char text[PREFIX_TEXT_MAX], cover[PREFIX_TEXT_MAX], sentence[BAN_FILE_SENTENCE_MAX];
	size_t kept = 0;

	if (weirctl_option(import->weirctl, OPTION_FORCE))
		return 0;
	if (protected_fetch(import, "allow") < 0 || protected_fetch(import, "own") < 0)
		return -1;
	if (import->n_protected == 0)
		return 0;
	qsort(import->protected, import->n_protected, sizeof(*import->protected), prefix_order);
	for (size_t i = 0; i < import->file.n; i++) {
		struct ban_entry *entry = &import->file.entries[i];
		const struct prefix *found = protected_find(import, &entry->prefix);
		if (!found) {
			import->file.entries[kept++] = *entry;
			continue;
		}
		snprintf(sentence, sizeof(sentence),
			"%s and %s, which is allowlisted or our own, overlap (--force bans it all the same)",
			prefix_format(&entry->prefix, text), prefix_format(found, cover));
		line_complain(import, entry->line, sentence);
		import->file.bad++;
	}
	import->file.n = kept;
	return 0;
}

/* By end and reason, which a batch shares, then by prefix, which control stores faster in order. */
static int entry_order(const void *a, const void *b)
{
	const struct ban_entry *one = a, *other = b;
	int order;

	if (one->has_duration != other->has_duration)
		return one->has_duration ? 1 : -1;
	if (one->duration_ms != other->duration_ms)
		return one->duration_ms < other->duration_ms ? -1 : 1;
	order = strcmp(one->comment ? one->comment : "", other->comment ? other->comment : "");
	return order ? order : prefix_compare(&one->prefix, &other->prefix);
}

static bool entries_share(const struct ban_entry *a, const struct ban_entry *b)
{
	return a->has_duration == b->has_duration && a->duration_ms == b->duration_ms &&
	       strcmp(a->comment ? a->comment : "", b->comment ? b->comment : "") == 0;
}

/* The reason of a batch: at most 127 bytes, cut between characters; none when it is not UTF-8. */
static json_t *reason_make(const char *comment)
{
	size_t n = comment ? strlen(comment) : 0;

	if (n > REASON_BYTES_MAX) {
		for (n = REASON_BYTES_MAX; n > 0 && ((unsigned char)comment[n] & 0xc0) == 0x80;)
			n--;
	}
	return n ? json_stringn(comment, n) : NULL;
}

static int batch_answer(struct import *import)
{
	json_t *result, *refused, *item;
	int64_t id;
	size_t i;

	if (rpc_client_receive(import->weirctl->client, &id, &result, &import->weirctl->error) < 0)
		return -1;
	import->n_answered_batches++;
	import->added += (uint64_t)json_integer_value(json_object_get(result, "added"));
	import->refused_n += (uint64_t)json_integer_value(json_object_get(result, "refused_n"));
	refused = json_object_get(result, "refused");
	json_array_foreach(refused, i, item)
	{
		if (json_array_size(import->refused) < REFUSED_NAMED)
			json_array_append(import->refused, item);
	}
	json_decref(import->sequence);
	import->sequence = json_incref(json_object_get(result, "seq"));
	json_decref(result);
	return 0;
}

static int batch_send(struct import *import, const struct ban_entry *entries, size_t n)
{
	json_t *params = json_copy(import->batch_params), *prefixes = json_array(), *reason;
	char text[PREFIX_TEXT_MAX];
	int64_t id;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(prefixes, json_string(prefix_format(&entries[i].prefix, text)));
	json_object_set_new(params, "prefixes", prefixes);
	/* A line's own end and reason are nearer to the truth than the command's. */
	if (entries->has_duration) {
		json_object_del(params, "for");
		if (entries->duration_ms != 0)
			json_object_set_new(params, "for", json_real((double)entries->duration_ms / 1000));
	}
	reason = reason_make(entries->comment);
	if (reason)
		json_object_set_new(params, "reason", reason);
	if (import->n_sent_batches - import->n_answered_batches >= IMPORT_BATCHES_AHEAD &&
		batch_answer(import) < 0) {
		json_decref(params);
		return -1;
	}
	import->n_sent_batches++;
	return rpc_client_send(import->weirctl->client, "ban.import", params, &id, &import->weirctl->error);
}

static int batches_send(struct import *import)
{
	const struct ban_entry *entries = import->file.entries;
	size_t n = import->file.n;

	if (n > 0)
		qsort(import->file.entries, n, sizeof(*entries), entry_order);
	for (size_t from = 0, to; from < n; from = to) {
		for (to = from + 1; to < n && to - from < PROTOCOL_IMPORT_MAX &&
				    entries_share(&entries[from], &entries[to]);)
			to++;
		if (batch_send(import, &entries[from], to - from) < 0)
			return -1;
	}
	while (import->n_answered_batches < import->n_sent_batches) {
		if (batch_answer(import) < 0)
			return -1;
	}
	return 0;
}

static int import_params(struct import *import)
{
	struct weirctl *weirctl = import->weirctl;

	if (weirctl_param_seconds(weirctl, import->batch_params, OPTION_FOR, "for") < 0 ||
		weirctl_param_count(weirctl, import->batch_params, OPTION_TIER, "tier", 1, 5) < 0)
		return -1;
	weirctl_param_text(weirctl, import->batch_params, OPTION_REASON, "reason");
	weirctl_param_flag(weirctl, import->batch_params, OPTION_FORCE, "force");
	return 0;
}

static int import_read(struct import *import)
{
	struct weirctl *weirctl = import->weirctl;
	const char *name = weirctl->words[0];
	int rc = ban_file_read(name, line_complain, import, &import->file);

	if (rc == -EFBIG)
		return weirctl_fail(
			weirctl, RPC_CODE_FAILED, "%s: larger than 1 GiB; split it", import->path);
	if (rc < 0)
		return weirctl_fail(
			weirctl, RPC_CODE_FAILED, "%s: cannot be read: %s", import->path, strerror(-rc));
	if (protected_check(import) < 0)
		return -1;
	if (import->file.bad && !weirctl_option(weirctl, OPTION_SKIP_BAD)) {
		weirctl->error_lines = json_incref(import->lines);
		return weirctl_fail(weirctl, RPC_CODE_FAILED,
			"%zu bad lines of %s: nothing was imported (--skip-bad imports the other %zu)",
			import->file.bad, import->path, import->file.n);
	}
	return 0;
}

static int import_run(struct import *import)
{
	struct weirctl *weirctl = import->weirctl;
	json_t *result;

	if (import_params(import) < 0 || weirctl_connect(weirctl) < 0 || import_read(import) < 0)
		return -1;
	if (batches_send(import) < 0) {
		/* control may have taken batches before the connection or a batch failed. */
		char why[RPC_MESSAGE_MAX];
		snprintf(why, sizeof(why), "%s", weirctl->error.message);
		return weirctl_fail(weirctl, weirctl->error.code,
			"%.300s (%llu of %zu bans are in force; import the file again)", why,
			(unsigned long long)import->added, import->file.n);
	}
	if (weirctl_option(weirctl, OPTION_SYNC)) {
		if (weirctl_call(weirctl, "sync", NULL, &result) < 0)
			return -1;
		json_decref(result);
	}
	/* Only what changed between the check and the import, or the limit ban.bans, can end here. */
	if (import->refused_n && !weirctl_option(weirctl, OPTION_SKIP_BAD)) {
		json_t *first = json_array_get(import->refused, 0);
		return weirctl_fail(weirctl, 1, "%llu bans were added, %llu refused: the first is %s: %s",
			(unsigned long long)import->added, (unsigned long long)import->refused_n,
			json_string_value(json_object_get(first, "prefix")),
			json_string_value(json_object_get(first, "reason")));
	}
	result = json_pack("{s:I,s:I,s:O,s:I,s:O,s:O}", "added", (json_int_t)import->added, "refused_n",
		(json_int_t)import->refused_n, "refused", import->refused, "bad_lines",
		(json_int_t)import->file.bad, "bad", import->lines, "seq", import->sequence);
	output_sentence(weirctl->output, result,
		"%llu bans are in force from %s; %zu bad lines and %llu refused bans were left out.",
		(unsigned long long)import->added, import->path, import->file.bad,
		(unsigned long long)import->refused_n);
	json_decref(result);
	return 0;
}

int weirctl_ban_import(struct weirctl *weirctl)
{
	struct import import = {.weirctl = weirctl};
	int rc;

	import.path = strcmp(weirctl->words[0], "-") == 0 ? "standard input" : weirctl->words[0];
	import.lines = json_array();
	import.refused = json_array();
	import.sequence = json_null();
	import.batch_params = json_object();
	rc = import_run(&import);
	ban_file_done(&import.file);
	free(import.protected);
	json_decref(import.lines);
	json_decref(import.refused);
	json_decref(import.sequence);
	json_decref(import.batch_params);
	return rc;
}
