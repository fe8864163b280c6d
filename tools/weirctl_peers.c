/* SPDX-License-Identifier: BSD-3-Clause
 * weirctl peers, book and disconnect: whom the governor knows, which addresses it keeps, and closing a peer's
 * connections. Lists come in pages; nothing is kept between them but the place of the next.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/peer_category.h"
#include "tools/weirctl.h"

/* An answer stays below 1 MiB. A peer's texts are at most 4.7 KiB (ENR and metadata 2 KiB each, agent, id,
 * version, status), six times that when each byte is escaped, and 3 KiB of numbers: 32 of 31 KiB. An address
 * of the book is 512 bytes. */
enum { PEERS_PAGE = 32, BOOK_PAGE = 1000 };

/* One list that comes in pages. */
struct pages {
	const char *method;
	const char *key; /* of the rows in the answer */
	const char *nothing;
	const struct output_column *columns;
	unsigned page;
};

/* "203.0.113.9", "203.0.113.9:30303", "2001:db8::1" or "[2001:db8::1]:30303" into ip and port. False: it is
 * none of these. */
static bool param_endpoint(json_t *params, const char *text, bool *ret_has_port)
{
	char host[PREFIX_TEXT_MAX], canonical[PREFIX_TEXT_MAX];
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	struct address address;
	uint64_t port = 0;

	/* an IPv6 address has colons of its own, so its port needs brackets */
	if (text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
		text++;
		end = colon - 1;
	} else if (text[0] != '[' && colon != NULL && colon == strchr(text, ':')) {
		end = colon;
	} else {
		colon = NULL;
	}
	if ((size_t)(end - text) >= sizeof(host))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)(end - text), text);
	if (address_parse(host, &address) != 0 || (colon && !options_count(colon + 1, 1, 65535, &port)))
		return false;
	json_object_set_new(params, "ip", json_string(address_format(&address, canonical)));
	if (colon)
		json_object_set_new(params, "port", json_integer((json_int_t)port));
	*ret_has_port = colon != NULL;
	return true;
}

/* "id:" says that it is an id even if it looks like an address. */
static void param_peer(json_t *params, const char *text)
{
	bool has_port;

	if (strncmp(text, "id:", 3) == 0)
		json_object_set_new(params, "id", json_string(text + 3));
	else if (!param_endpoint(params, text, &has_port))
		json_object_set_new(params, "id", json_string(text));
}

/* All pages up to --limit; `params` becomes its own. */
static int pages_show(struct weirctl *weirctl, const struct pages *pages, json_t *params)
{
	const char *limit_text = weirctl_option(weirctl, OPTION_LIMIT);
	uint64_t limit = UINT64_MAX;
	json_t *result, *rows, *next, *rest;
	bool more = true;

	if (limit_text && !options_count(limit_text, 1, UINT32_MAX, &limit)) {
		json_decref(params);
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--limit: \"%.64s\" is not a whole number from 1 to %u", limit_text, UINT32_MAX);
	}
	output_rows_begin(weirctl->output, pages->key, pages->columns);
	json_object_set_new(params, "n", json_integer(pages->page));
	while (more && limit > 0) {
		size_t i;
		if (weirctl_call(weirctl, pages->method, json_deep_copy(params), &result) < 0) {
			json_decref(params);
			return -1;
		}
		rows = json_object_get(result, pages->key);
		for (i = 0; i < json_array_size(rows) && limit > 0; i++, limit--)
			output_row(weirctl->output, json_array_get(rows, i));
		next = json_object_get(result, "next");
		more = (next && !json_is_null(next)) || i < json_array_size(rows);
		json_object_set(params, "after", next);
		json_decref(result);
	}
	json_decref(params);
	rest = json_pack("{s:b}", "more", (int)more);
	output_rows_end(weirctl->output, rest, pages->nothing);
	json_decref(rest);
	return 0;
}

/* Checked here, so that a wrong word is wrong usage and its sentence names the option. */
static int param_word(struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key,
	const char *const words[])
{
	const char *text = weirctl_option(weirctl, option);
	char allowed[256];
	size_t n = 0;

	if (!text)
		return 0;
	for (size_t i = 0; words[i]; i++) {
		if (strcmp(words[i], text) == 0) {
			json_object_set_new(params, key, json_string(text));
			return 0;
		}
		n += (size_t)snprintf(allowed + n, sizeof(allowed) - n, "%s%s", i ? ", " : "", words[i]);
	}
	return weirctl_fail(
		weirctl, RPC_CODE_USAGE, "--%s: \"%.64s\" is none (allowed: %s)", key, text, allowed);
}

int weirctl_peers_list(struct weirctl *weirctl)
{
	static const struct output_column columns[] = {{"id", "PEER", OUTPUT_TEXT},
		{"ip", "ADDRESS", OUTPUT_TEXT}, {"port", "PORT", OUTPUT_COUNT},
		{"status", "STATUS", OUTPUT_TEXT}, {"direction", "WAY", OUTPUT_TEXT},
		{"temperature", "TEMPERATURE", OUTPUT_TEXT}, {"score.combined", "SCORE", OUTPUT_NUMBER},
		{"score.state", "STATE", OUTPUT_TEXT}, {"client.kind", "CLIENT", OUTPUT_TEXT},
		{"tags.category", "CATEGORY", OUTPUT_TEXT}, {"since", "SINCE", OUTPUT_TIME}, {NULL}};
	static const char *const statuses[] = {
		"unknown", "dialing", "connected", "disconnecting", "disconnected", "banned", NULL};
	static const char *const temperatures[] = {"cold", "warm", "hot", "cooling", NULL};
#define CATEGORY_WORD(kind, word) word,
	static const char *const categories[] = {PEER_CATEGORIES(CATEGORY_WORD) NULL};
	static const struct pages pages = {
		"peer.list", "peers", "No peer is known that matches.", columns, PEERS_PAGE};
	json_t *params = json_object();

	if (param_word(weirctl, params, OPTION_STATUS, "status", statuses) < 0 ||
		param_word(weirctl, params, OPTION_TEMPERATURE, "temperature", temperatures) < 0 ||
		param_word(weirctl, params, OPTION_CATEGORY, "category", categories) < 0) {
		json_decref(params);
		return -1;
	}
	weirctl_param_flag(weirctl, params, OPTION_BANNED, "banned");
	return pages_show(weirctl, &pages, params);
}

int weirctl_peers_show(struct weirctl *weirctl)
{
	static const struct output_column peer[] = {{"id", "peer", OUTPUT_TEXT},
		{"ip", "address", OUTPUT_TEXT}, {"port", NULL, OUTPUT_COUNT}, {"status", NULL, OUTPUT_TEXT},
		{"since", NULL, OUTPUT_TIME}, {"direction", NULL, OUTPUT_TEXT},
		{"n_in", "inbound", OUTPUT_COUNT}, {"n_out", "outbound", OUTPUT_COUNT},
		{"temperature", NULL, OUTPUT_TEXT}, {"client.kind", "client", OUTPUT_TEXT},
		{"agent", NULL, OUTPUT_TEXT}, {"sync_status", "sync status", OUTPUT_TEXT},
		{"tags.category", "category", OUTPUT_TEXT}, {"trusted", NULL, OUTPUT_YES_NO},
		{"rtt_ms", "round trip", OUTPUT_SPAN_MS}, {"circuit.state", "circuit", OUTPUT_TEXT},
		{"strikes", NULL, OUTPUT_COUNT}, {NULL}};
	static const struct output_column score[] = {{"app", "by reports", OUTPUT_NUMBER},
		{"gossip", NULL, OUTPUT_NUMBER}, {"combined", NULL, OUTPUT_NUMBER},
		{"state", NULL, OUTPUT_TEXT}, {NULL}};
	static const struct output_column values[] = {{"profile", "of this profile", OUTPUT_NUMBER},
		{"dugite", NULL, OUTPUT_NUMBER}, {"rank", NULL, OUTPUT_NUMBER},
		{"lorachain.overall", "lorachain", OUTPUT_NUMBER}, {"selection", NULL, OUTPUT_NUMBER},
		{"inbound", NULL, OUTPUT_NUMBER}, {NULL}};
	static const struct output_column bans[] = {{"key", "BANNED", OUTPUT_TEXT},
		{"tier", "TIER", OUTPUT_COUNT}, {"until", "UNTIL", OUTPUT_TIME},
		{"reason", "REASON", OUTPUT_TEXT}, {NULL}};
	static const struct output_column history[] = {{"t", "WHEN", OUTPUT_TIME},
		{"score", "SCORE", OUTPUT_NUMBER}, {"why", "WHY", OUTPUT_TEXT}, {NULL}};
	static const struct output_view views[] = {{"", NULL, peer, false}, {"score", "Score", score, false},
		{"values", "Values", values, false}, {"counters", "Outcomes", NULL, false},
		{"bans", "Bans", bans, true}, {"history", "What moved the score", history, true}, {NULL}};
	json_t *params = json_object(), *result;

	param_peer(params, weirctl->words[0]);
	if (weirctl_call(weirctl, "peer.get", params, &result) < 0)
		return -1;
	output_answer(weirctl->output, result, views);
	json_decref(result);
	return 0;
}

int weirctl_disconnect(struct weirctl *weirctl)
{
	json_t *params = json_object(), *result;
	json_int_t closed;

	param_peer(params, weirctl->words[0]);
	weirctl_param_text(weirctl, params, OPTION_REASON, "reason");
	if (weirctl_call(weirctl, "peer.disconnect", params, &result) < 0)
		return -1;
	closed = json_integer_value(json_object_get(result, "closed"));
	output_sentence(weirctl->output, result, "%s: %" JSON_INTEGER_FORMAT " connection%s closed.",
		weirctl->words[0], closed, closed == 1 ? "" : "s");
	json_decref(result);
	return 0;
}

int weirctl_book_list(struct weirctl *weirctl)
{
	static const struct output_column columns[] = {{"ip", "ADDRESS", OUTPUT_TEXT},
		{"port", "PORT", OUTPUT_COUNT}, {"type", "TYPE", OUTPUT_TEXT},
		{"category", "CATEGORY", OUTPUT_TEXT}, {"source", "SOURCE", OUTPUT_TEXT},
		{"quality", "QUALITY", OUTPUT_NUMBER}, {"failures", "FAILURES", OUTPUT_COUNT},
		{"ready", "READY", OUTPUT_YES_NO}, {"circuit", "CIRCUIT", OUTPUT_TEXT},
		{"last_seen", "SEEN", OUTPUT_TIME}, {NULL}};
	static const struct pages pages = {
		"book.list", "records", "The address book is empty.", columns, BOOK_PAGE};

	return pages_show(weirctl, &pages, json_object());
}

int weirctl_book_best(struct weirctl *weirctl)
{
	static const struct output_column columns[] = {
		{"ip", "ADDRESS", OUTPUT_TEXT}, {"port", "PORT", OUTPUT_COUNT}, {NULL}};
	const char *limit_text = weirctl_option(weirctl, OPTION_LIMIT);
	json_t *params = json_object(), *result, *row;
	uint64_t limit;
	size_t i;

	if (limit_text && !options_count(limit_text, 1, BOOK_PAGE, &limit)) {
		json_decref(params);
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--limit: \"%.64s\" is not a whole number from 1 to %d", limit_text, BOOK_PAGE);
	}
	if (limit_text)
		json_object_set_new(params, "n", json_integer((json_int_t)limit));
	if (weirctl_call(weirctl, "book.best", params, &result) < 0)
		return -1;
	output_rows_begin(weirctl->output, "addrs", columns);
	json_array_foreach(json_object_get(result, "addrs"), i, row) output_row(weirctl->output, row);
	output_rows_end(weirctl->output, NULL, "The address book has none.");
	json_decref(result);
	return 0;
}

int weirctl_book_add(struct weirctl *weirctl)
{
	json_t *entry = json_object(), *result, *kept;
	const char *why;
	bool has_port = false;

	if (!param_endpoint(entry, weirctl->words[0], &has_port) || !has_port) {
		json_decref(entry);
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"\"%.64s\" is not an address with a port (like 203.0.113.9:30303 or "
			"[2001:db8::1]:30303)",
			weirctl->words[0]);
	}
	json_object_set_new(entry, "source", json_string("config"));
	if (weirctl_call(weirctl, "book.add", json_pack("{s:[o]}", "entries", entry), &result) < 0)
		return -1;
	kept = json_array_get(json_object_get(result, "results"), 0);
	why = json_string_value(json_object_get(kept, "why"));
	if (!json_is_true(json_object_get(kept, "added"))) {
		weirctl_fail(weirctl, 1, "%.64s: the book does not take it: %.64s", weirctl->words[0],
			why ? why : "no reason given");
		json_decref(result);
		return -1;
	}
	output_sentence(weirctl->output, result, "%s is in the address book.", weirctl->words[0]);
	json_decref(result);
	return 0;
}

int weirctl_book_remove_failed(struct weirctl *weirctl)
{
	json_t *result;
	uint64_t least;

	if (!options_count(weirctl->words[0], 1, UINT32_MAX, &least))
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"\"%.64s\" is not a number of failures (a whole number from 1 to %u)",
			weirctl->words[0], UINT32_MAX);
	if (weirctl_call(
		    weirctl, "book.remove_failed", json_pack("{s:I}", "min", (json_int_t)least), &result) < 0)
		return -1;
	output_sentence(weirctl->output, result, "Addresses forgotten: %" JSON_INTEGER_FORMAT ".",
		json_integer_value(json_object_get(result, "removed")));
	json_decref(result);
	return 0;
}
