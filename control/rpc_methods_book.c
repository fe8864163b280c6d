/* SPDX-License-Identifier: BSD-3-Clause
 * book.*: the address book as the node asks and feeds it. Event loop only.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/rpc_private.h"

enum { LIST_DEFAULT = 100, BEST_DEFAULT = 8 /* SP-9 */ };

static const char *const types[] = {"inbound", "outbound", "preferred"};
static const char *const circuits[] = {"closed", "open", "half_open"};
#define TYPE_WORDS "inbound|outbound|preferred"
/* SP-10: an address that a peer told, by its id */
#define GOSSIP_OF "gossip:"
#define SEEN_MAX  253402300799.0 /* the end of the year 9999, as of every moment */

static json_t *moment_or_null(int64_t ms)
{
	return ms == 0 || ms == INT64_MAX ? json_null() : rpc_time(ms);
}

/* What the book keeps in a float, without the digits that a float does not have. */
static json_t *six_digits(double value)
{
	return json_real(round(value * 1e6) / 1e6);
}

static json_t *record_json(const struct rpc_request *request, const struct book_record *record)
{
	const struct roster_config *config = roster_config(request->control->roster);
	int64_t now_ms = request->control->clock.wall_ms;
	uint32_t decayed =
		config->profile.counters.clock == FAILURE_CLOCK_HALVING
			? decayed_count_at(&record->decayed, config->profile.counters.halving_ms, now_ms)
			: record->failures;
	char ip[PREFIX_TEXT_MAX];
	json_t *object = json_pack("{s:s, s:i, s:s, s:s, s:s}", "ip", address_format(&record->address, ip),
		"port", (int)record->port, "type", types[record->type], "category",
		peer_category_name(record->category), "source", peer_source_name(record->source));
	json_object_set_new(object, "next_attempt", moment_or_null(record->next_try_ms));
	json_object_set_new(object, "ready", json_boolean(record->next_try_ms <= now_ms));
	json_object_set_new(object, "failures", json_integer((json_int_t)record->failures));
	json_object_set_new(object, "decayed_fail", json_integer((json_int_t)decayed));
	json_object_set_new(object, "ok", json_integer((json_int_t)record->ok));
	json_object_set_new(object, "fail", json_integer((json_int_t)record->fail));
	json_object_set_new(
		object, "attempts", json_integer((json_int_t)record->ok + (json_int_t)record->fail));
	json_object_set_new(object, "quality", json_real(value_quality(record->ok, record->fail)));
	json_object_set_new(object, "first_seen", moment_or_null(record->first_seen_ms));
	json_object_set_new(object, "last_seen", moment_or_null(record->last_seen_ms));
	json_object_set_new(object, "last_attempt", moment_or_null(record->last_try_ms));
	json_object_set_new(
		object, "circuit", json_string(circuits[circuit_state_at(&record->circuit, now_ms)]));
	json_object_set_new(object, "reputation", six_digits((double)record->reputation));
	json_object_set_new(object, "verified", json_boolean(record->verified));
	return object;
}

/* The record after a change, or the refusal with its reason. */
static void answer_record(
	struct rpc_request *request, enum book_verdict verdict, const struct book_record *record)
{
	if (verdict > BOOK_REFRESHED)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, book_verdict_name(verdict),
			"the address cannot be kept: %s", book_verdict_name(verdict));
	else
		request->result = record_json(request, record);
}

/* SP-10's "gossip:<id>": whoever is bound to the id told it, as `from` would say. */
static void teller_of(
	struct rpc_request *request, const char *id, struct book_entry *entry, struct address *from)
{
	struct roster_peer_info info;
	struct peer_name name = {0};
	snprintf(name.id, sizeof(name.id), "%s", id);
	roster_peer_get(request->control->roster, &name, request->control->clock.wall_ms, &info);
	if (!info.known && !info.governor.known)
		return;
	*from = info.governor.name.address;
	entry->from = from;
}

/* False: it is no source. */
static bool source_read(
	struct rpc_request *request, const json_t *item, struct book_entry *entry, struct address *from)
{
	const json_t *value = json_object_get(item, "source");
	const char *word = json_string_value(value);
	entry->source = PEER_SOURCE_NODE;
	if (value == NULL || json_is_null(value))
		return true;
	if (word == NULL)
		return false;
	size_t prefix = strlen(GOSSIP_OF), length = strlen(word);
	if (length > prefix && length - prefix < GOVERNOR_ID_MAX && strncmp(word, GOSSIP_OF, prefix) == 0) {
		entry->source = PEER_SOURCE_GOSSIP;
		teller_of(request, word + prefix, entry, from);
		return true;
	}
	int source = peer_source_of(word);
	if (source >= 0)
		entry->source = (enum peer_source)source;
	return source >= 0;
}

/* False: it is no category. */
static bool category_read(const json_t *item, struct book_entry *entry)
{
	const json_t *value = json_object_get(item, "category");
	int category = json_is_string(value) ? peer_category_of(json_string_value(value)) : -1;
	bool given = value != NULL && !json_is_null(value);
	entry->category = given && category >= 0 ? (enum peer_category)category : PEER_CATEGORY_NONE;
	return !given || category >= 0;
}

static bool seen_read(const json_t *item, struct book_entry *entry)
{
	const json_t *value = json_object_get(item, "seen");
	double seen = json_number_value(value);
	if (value == NULL || json_is_null(value))
		return true;
	if (!json_is_number(value) || !(seen >= 0 && seen <= SEEN_MAX))
		return false;
	entry->seen_ms = rpc_moment_of(seen);
	return true;
}

/* One entry of book.add, or the name of what is wrong with it. `from` is the room for entry->from. */
static const char *entry_flaw(
	struct rpc_request *request, const json_t *item, struct book_entry *entry, struct address *from)
{
	const json_t *port = json_object_get(item, "port"), *teller = json_object_get(item, "from");
	const char *ip = json_string_value(json_object_get(item, "ip"));
	int type = BOOK_TYPE_INBOUND;
	*entry = (struct book_entry){0};
	if (ip == NULL || address_parse(ip, &entry->address) != 0)
		return "ip";
	/* whatever the number is, the book judges it (V41): 0 and 65536 are refused there */
	if (!json_is_integer(port) || json_integer_value(port) < 0 || json_integer_value(port) > UINT32_MAX)
		return "port";
	entry->port = (uint32_t)json_integer_value(port);
	if (!source_read(request, item, entry, from))
		return "source";
	if (!category_read(item, entry))
		return "category";
	if (!rpc_member_word(item, "type", TYPE_WORDS, &type))
		return "type";
	if (!seen_read(item, entry))
		return "seen";
	entry->type = (enum book_type)type;
	entry->verified = json_is_true(json_object_get(item, "verified"));
	if (json_is_string(teller) && address_parse(json_string_value(teller), from) == 0)
		entry->from = from;
	return NULL;
}

/* Each entry has its own answer: one that is wrong takes nothing from the others. */
void rpc_book_add(struct rpc_request *request)
{
	json_t *entries = json_object_get(request->params, "entries"), *item, *results = json_array();
	struct book_entry entry;
	struct address from;
	uint32_t added = 0;
	size_t i;
	json_array_foreach(entries, i, item)
	{
		const char *why = entry_flaw(request, item, &entry, &from);
		bool kept = false;
		if (why == NULL) {
			enum book_verdict verdict = roster_book_add(
				request->control->roster, &entry, request->control->clock.wall_ms);
			why = book_verdict_name(verdict);
			kept = verdict <= BOOK_REFRESHED;
			added += verdict == BOOK_ADDED;
		}
		json_array_append_new(results, json_pack("{s:b, s:s}", "added", (int)kept, "why", why));
	}
	roster_book_news(request->control->roster, added, request->control->clock.wall_ms);
	request->result = json_pack("{s:o}", "results", results);
}

static unsigned put_moment(struct rpc_request *request, const char *name, unsigned bit, int64_t *ret_ms)
{
	return rpc_moment(request, name, ret_ms) ? bit : 0;
}

static unsigned put_count(struct rpc_request *request, const char *name, unsigned bit, uint32_t *ret_value)
{
	int64_t value = 0;
	bool given = rpc_integer(request, name, &value);
	if (given)
		*ret_value = (uint32_t)value;
	return given ? bit : 0;
}

static unsigned put_kind(int kind, unsigned bit, uint8_t *ret_value)
{
	if (kind >= 0)
		*ret_value = (uint8_t)kind;
	return kind >= 0 ? bit : 0;
}

void rpc_book_put(struct rpc_request *request)
{
	struct book_record values = {0};
	const struct book_record *record = NULL;
	struct book_endpoint endpoint;
	double reputation = rpc_number(request, "reputation");
	json_t *tip = json_object_get(request->params, "tip_known");
	unsigned which = 0;
	if (!rpc_endpoint(request, request->params, "", true, &endpoint))
		return;
	values.address = endpoint.address;
	values.port = endpoint.port;
	which |= put_moment(request, "next_attempt", BOOK_PUT_NEXT_TRY, &values.next_try_ms);
	which |= put_moment(request, "first_seen", BOOK_PUT_FIRST_SEEN, &values.first_seen_ms);
	which |= put_moment(request, "last_seen", BOOK_PUT_LAST_SEEN, &values.last_seen_ms);
	which |= put_count(request, "failures", BOOK_PUT_FAILURES, &values.failures);
	which |= put_count(request, "ok", BOOK_PUT_OK, &values.ok);
	which |= put_count(request, "fail", BOOK_PUT_FAIL, &values.fail);
	which |= put_kind(rpc_choice(request, "type"), BOOK_PUT_TYPE, &values.type);
	which |= put_kind(rpc_category(request), BOOK_PUT_CATEGORY, &values.category);
	which |= put_kind(rpc_source(request), BOOK_PUT_SOURCE, &values.source);
	if (!isnan(reputation)) {
		values.reputation = (float)reputation;
		which |= BOOK_PUT_REPUTATION;
	}
	if (tip != NULL) {
		values.tip_known = json_is_true(tip);
		which |= BOOK_PUT_TIP_KNOWN;
	}
	enum book_verdict verdict = address_book_put(roster_book(request->control->roster), &values, which,
		request->control->clock.wall_ms, &record);
	answer_record(request, verdict, record);
}

void rpc_book_update(struct rpc_request *request)
{
	const struct book_record *record = NULL;
	struct book_endpoint endpoint;
	int observed = rpc_choice(request, "observed");
	if (!rpc_endpoint(request, request->params, "", true, &endpoint))
		return;
	/* the choices stand in the order of the enumerations; no choice is -1, so NONE */
	enum book_verdict verdict = address_book_update(roster_book(request->control->roster), &endpoint,
		observed < 0 ? BOOK_TYPE_COUNT : (enum book_type)observed,
		rpc_flag(request, "preferred_known"), (enum book_backoff)(rpc_choice(request, "backoff") + 1),
		request->control->clock.wall_ms, &record);
	answer_record(request, verdict, record);
}

void rpc_book_record(struct rpc_request *request)
{
	struct address_book *book = roster_book(request->control->roster);
	struct book_endpoint endpoint;
	if (!rpc_endpoint(request, request->params, "", true, &endpoint))
		return;
	if (address_book_outcome(book, &endpoint, rpc_flag(request, "ok"), request->control->clock.wall_ms) !=
		0)
		rpc_fail(request, PROTOCOL_ERROR_UNKNOWN, "address", "the book does not have this address");
	else
		request->result = record_json(request, address_book_find(book, &endpoint));
}

void rpc_book_get(struct rpc_request *request)
{
	struct book_endpoint endpoint;
	if (!rpc_endpoint(request, request->params, "", true, &endpoint))
		return;
	const struct book_record *record =
		address_book_find(roster_book(request->control->roster), &endpoint);
	request->result = record != NULL ? record_json(request, record) : json_null();
}

void rpc_book_list(struct rpc_request *request)
{
	const struct book_record *records[BOOK_ANSWER_MAX];
	json_t *after = json_object_get(request->params, "after"), *rows = json_array(), *next = NULL;
	struct book_endpoint from;
	int64_t n = LIST_DEFAULT;
	rpc_integer(request, "n", &n);
	if (after != NULL && !rpc_endpoint(request, after, "after", true, &from)) {
		json_decref(rows);
		return;
	}
	size_t found = address_book_list(
		roster_book(request->control->roster), (size_t)n, after != NULL ? &from : NULL, records);
	for (size_t i = 0; i < found; i++)
		json_array_append_new(rows, record_json(request, records[i]));
	if (found == (size_t)n) {
		struct book_endpoint last = {records[found - 1]->address, records[found - 1]->port};
		next = rpc_endpoint_json(&last);
	}
	request->result = json_pack("{s:o, s:o}", "records", rows, "next", next != NULL ? next : json_null());
}

static json_t *endpoints_json(const struct book_endpoint *endpoints, size_t n)
{
	json_t *array = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, rpc_endpoint_json(&endpoints[i]));
	return array;
}

void rpc_book_best(struct rpc_request *request)
{
	struct book_endpoint found[BOOK_ANSWER_MAX], *exclude;
	struct book_exclude excluded;
	int64_t n = BEST_DEFAULT;
	rpc_integer(request, "n", &n);
	if (!rpc_endpoints(request, "exclude", &exclude, &excluded.n))
		return;
	excluded.endpoints = exclude;
	size_t answered = address_book_best(roster_book(request->control->roster), (size_t)n, &excluded,
		request->control->clock.wall_ms, found);
	free(exclude);
	request->result = json_pack("{s:o}", "addrs", endpoints_json(found, answered));
}

/* A whole number, null (any), or nothing: ten. False after rpc_fail. */
static bool max_failures(struct rpc_request *request, uint32_t *ret_most)
{
	json_t *value = json_object_get(request->params, "max_failures");
	*ret_most = roster_config(request->control->roster)->profile.book.share_failures;
	if (value == NULL)
		return true;
	if (json_is_null(value)) {
		*ret_most = UINT32_MAX;
		return true;
	}
	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
		json_integer_value(value) < UINT32_MAX) {
		*ret_most = (uint32_t)json_integer_value(value);
		return true;
	}
	rpc_fail(request, PROTOCOL_ERROR_PARAMETER, NULL,
		"max_failures: wrong type or out of range (allowed: integer 0..4294967294, or null for any)");
	return false;
}

void rpc_book_random(struct rpc_request *request)
{
	struct book_endpoint found[BOOK_ANSWER_MAX];
	json_t *ready = json_object_get(request->params, "ready");
	int filter = rpc_choice(request, "filter");
	int64_t n = 1;
	uint32_t most;
	rpc_integer(request, "n", &n);
	if (!max_failures(request, &most))
		return;
	size_t answered = address_book_random(roster_book(request->control->roster), (size_t)n,
		filter < 0 ? BOOK_FILTER_ANY_OUTBOUND : (enum book_filter)filter,
		ready == NULL || json_is_true(ready), most, request->control->clock.wall_ms, found);
	request->result = json_pack("{s:o}", "addrs", endpoints_json(found, answered));
}

void rpc_book_to_send(struct rpc_request *request)
{
	struct book_endpoint found[BOOK_ANSWER_MAX], *exclude;
	struct book_exclude excluded;
	struct address asker;
	bool asked = rpc_text(request, "asker") != NULL;
	int64_t n = 1;
	uint32_t most;
	rpc_integer(request, "n", &n);
	if (!max_failures(request, &most) || (asked && !rpc_address(request, "asker", &asker)) ||
		!rpc_endpoints(request, "exclude", &exclude, &excluded.n))
		return;
	excluded.endpoints = exclude;
	bool limited = asked && !roster_share_allowed(
					request->control->roster, &asker, request->control->clock.wall_ms);
	size_t answered =
		limited ? 0
			: address_book_to_send(roster_book(request->control->roster), (size_t)n, &excluded,
				  asked ? &asker : NULL, most, request->control->clock.wall_ms, found);
	free(exclude);
	request->result =
		json_pack("{s:o, s:b}", "addrs", endpoints_json(found, answered), "limited", (int)limited);
}

void rpc_book_to_connect(struct rpc_request *request)
{
	struct book_target found[BOOK_ANSWER_MAX];
	json_t *rows = json_array();
	int64_t n = 1;
	rpc_integer(request, "n", &n);
	size_t answered = address_book_to_connect(
		roster_book(request->control->roster), (size_t)n, request->control->clock.wall_ms, found);
	for (size_t i = 0; i < answered; i++) {
		json_t *row = rpc_endpoint_json(&found[i].endpoint);
		json_object_set_new(row, "tier", json_integer(found[i].tier));
		json_object_set_new(row, "score", six_digits(found[i].score));
		json_array_append_new(rows, row);
	}
	request->result = json_pack("{s:o}", "addrs", rows);
}

void rpc_book_remove_failed(struct rpc_request *request)
{
	int64_t least = 0;
	rpc_integer(request, "min", &least);
	uint32_t removed = address_book_remove_failed(
		roster_book(request->control->roster), (uint32_t)least, request->control->clock.wall_ms);
	request->result = json_pack("{s:I}", "removed", (json_int_t)removed);
}

void rpc_book_clear(struct rpc_request *request)
{
	struct address_book *book = roster_book(request->control->roster);
	uint32_t removed = address_book_count(book);
	address_book_clear(book);
	request->result = json_pack("{s:I}", "removed", (json_int_t)removed);
}

void rpc_book_count(struct rpc_request *request)
{
	request->result = json_pack(
		"{s:I}", "count", (json_int_t)address_book_count(roster_book(request->control->roster)));
}
