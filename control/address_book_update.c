/* SPDX-License-Identifier: BSD-3-Clause
 * Outcomes, types and waits of known addresses (address_book.h; policy.md SP-4, SP-9, HE-6, HE-8, HE-12,
 * DU-5, DU-19). One thread.
 */
#include "control/address_book_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

enum book_type book_type_update(enum book_type stored, enum book_type observed, bool preferred_known)
{
	if (observed == BOOK_TYPE_PREFERRED)
		return BOOK_TYPE_PREFERRED;
	if (stored == BOOK_TYPE_PREFERRED)
		/* V26: what came to us is not evidence that it is still preferred; what we dialled is, unless
		 * the configuration knows better. */
		return observed == BOOK_TYPE_OUTBOUND && !preferred_known ? BOOK_TYPE_PREFERRED
									  : BOOK_TYPE_OUTBOUND;
	return observed == BOOK_TYPE_OUTBOUND ? BOOK_TYPE_OUTBOUND : stored;
}

/** The failures that the wait depends on (5.5.11: where they halve, the halved count). */
static uint32_t retry_failures(
	const struct address_book *book, const struct book_record *record, int64_t now_ms)
{
	if (book->config.counters.clock == FAILURE_CLOCK_HALVING)
		return decayed_count_at(&record->decayed, book->config.counters.halving_ms, now_ms);
	return record->failures;
}

static void wait_after(
	struct address_book *book, struct book_record *record, uint32_t failures, int64_t now_ms)
{
	int64_t delay_ms =
		backoff_delay_ms(&book->config.backoff, failures, keyed_random_next(&book->random));
	if (__builtin_add_overflow(now_ms, delay_ms, &record->next_try_ms))
		record->next_try_ms = INT64_MAX;
}

/** HE-8. Where failures halve with time, nothing else forgives them (DU-10). */
static void failures_clear(const struct address_book *book, struct book_record *record)
{
	record->failures = 0;
	if (book->config.counters.clock != FAILURE_CLOCK_HALVING)
		record->decayed = (struct decayed_count){0};
}

static void backoff_apply(
	struct address_book *book, struct book_record *record, enum book_backoff backoff, int64_t now_ms)
{
	switch (backoff) {
	case BOOK_BACKOFF_HARD_RESET:
		failures_clear(book, record);
		record->next_try_ms = now_ms;
		break;
	case BOOK_BACKOFF_RESET:
		failures_clear(book, record);
		wait_after(book, record, 0, now_ms);
		break;
	case BOOK_BACKOFF_INCREASE:
		record->failures += record->failures != UINT32_MAX;
		wait_after(book, record, record->failures, now_ms);
		break;
	default:
		break;
	}
}

/** Find or make; a new one keeps to the rules of address_book_add. */
static enum book_verdict obtain(
	struct address_book *book, const struct book_entry *entry, int64_t now_ms, uint32_t *ret_index)
{
	enum book_verdict verdict = BOOK_REFRESHED;
	uint32_t index = book_find(book, &entry->address, (uint16_t)entry->port);
	if (index == RECORD_NONE) {
		verdict = address_book_add(book, entry, now_ms);
		if (verdict != BOOK_ADDED)
			return verdict;
		index = book_find(book, &entry->address, (uint16_t)entry->port);
	}
	*ret_index = index;
	return verdict;
}

/** Orders need numbers that compare: whatever is no number is the middle. */
static float unit_of(float value)
{
	return isnan(value) ? 0.5f : fminf(1.0f, fmaxf(0.0f, value));
}

static void put_fields(struct book_record *next, const struct book_record *values, unsigned which)
{
	if (which & BOOK_PUT_NEXT_TRY)
		next->next_try_ms = values->next_try_ms;
	if (which & BOOK_PUT_FAILURES)
		next->failures = values->failures;
	if (which & BOOK_PUT_TYPE)
		next->type = values->type;
	if (which & BOOK_PUT_OK)
		next->ok = values->ok;
	if (which & BOOK_PUT_FAIL)
		next->fail = values->fail;
	if (which & BOOK_PUT_FIRST_SEEN)
		next->first_seen_ms = values->first_seen_ms;
	if (which & BOOK_PUT_LAST_SEEN)
		next->last_seen_ms = values->last_seen_ms;
	if (which & BOOK_PUT_LAST_OK)
		next->last_ok_ms = values->last_ok_ms;
	if (which & BOOK_PUT_LAST_TRY)
		next->last_try_ms = values->last_try_ms;
	if (which & BOOK_PUT_CATEGORY)
		next->category = values->category;
	if (which & BOOK_PUT_SOURCE)
		next->source = values->source;
	if (which & BOOK_PUT_VERIFIED)
		next->verified = values->verified;
	if (which & BOOK_PUT_REPUTATION)
		next->reputation = unit_of(values->reputation);
	if (which & BOOK_PUT_TIP_KNOWN)
		next->tip_known = values->tip_known;
	if (which & BOOK_PUT_CONNECTED)
		next->connected = values->connected;
}

enum book_verdict address_book_put(struct address_book *book, const struct book_record *values,
	unsigned which, int64_t now_ms, const struct book_record **ret_record)
{
	struct book_entry entry = {.address = values->address,
		.port = values->port,
		.source = which & BOOK_PUT_SOURCE ? values->source : PEER_SOURCE_NODE,
		.category = which & BOOK_PUT_CATEGORY ? values->category : PEER_CATEGORY_NONE,
		.type = which & BOOK_PUT_TYPE ? values->type : BOOK_TYPE_INBOUND,
		.verified = which & BOOK_PUT_VERIFIED && values->verified};
	uint32_t index = RECORD_NONE;
	enum book_verdict verdict = obtain(book, &entry, now_ms, &index);
	if (verdict > BOOK_REFRESHED)
		return verdict;
	struct book_record next = *book_at(book, index);
	put_fields(&next, values, which);
	book_change(book, index, &next, now_ms, true);
	if (ret_record != NULL)
		*ret_record = book_at(book, index);
	return verdict;
}

enum book_verdict address_book_load(
	struct address_book *book, const struct book_record *values, int64_t now_ms)
{
	struct address_book_effects effects = book->effects;
	enum book_verdict verdict;
	book->effects.changed = NULL;
	verdict = address_book_put(book, values, BOOK_PUT_PERSISTED, now_ms, NULL);
	book->effects = effects;
	return verdict;
}

enum book_verdict address_book_update(struct address_book *book, const struct book_endpoint *endpoint,
	enum book_type observed, bool preferred_known, enum book_backoff backoff, int64_t now_ms,
	const struct book_record **ret_record)
{
	struct book_entry entry = {.address = endpoint->address, .port = endpoint->port};
	uint32_t index = RECORD_NONE;
	enum book_verdict verdict = obtain(book, &entry, now_ms, &index);
	if (verdict > BOOK_REFRESHED)
		return verdict;
	struct book_record next = *book_at(book, index);
	if (observed != BOOK_TYPE_COUNT)
		next.type = (uint8_t)book_type_update(next.type, observed, preferred_known);
	backoff_apply(book, &next, backoff, now_ms);
	book_change(book, index, &next, now_ms, true);
	if (ret_record != NULL)
		*ret_record = book_at(book, index);
	return verdict;
}

static void succeed(struct address_book *book, struct book_record *next, uint32_t index, int64_t now_ms)
{
	next->ok += next->ok != UINT32_MAX;
	next->last_ok_ms = next->last_seen_ms = now_ms;
	circuit_success(&next->circuit);
	if (book->config.reset_on_success)
		next->fail = 0;
	/* Tried with success: it is no longer a stranger's word. */
	book_bucket_leave(book, next, index);
	if (book->config.counters.clock == FAILURE_CLOCK_CLEAR_ON_SUCCESS)
		backoff_apply(book, next, BOOK_BACKOFF_RESET, now_ms);
	else
		next->next_try_ms = now_ms;
}

static void fail(struct address_book *book, struct book_record *next, int64_t now_ms)
{
	const struct counter_policy *policy = &book->config.counters;
	next->fail += next->fail != UINT32_MAX;
	decayed_count_add(
		&next->decayed, policy->clock == FAILURE_CLOCK_HALVING ? policy->halving_ms : 0, now_ms);
	circuit_failure(&next->circuit, &policy->circuit, now_ms);
	/* HE-13: where the attempt itself was charged, its failure is not charged again. */
	if (book->config.backoff_at_attempt)
		return;
	next->failures += next->failures != UINT32_MAX;
	wait_after(book, next, retry_failures(book, next, now_ms), now_ms);
}

int address_book_outcome(
	struct address_book *book, const struct book_endpoint *endpoint, bool ok, int64_t now_ms)
{
	uint32_t index = book_find(book, &endpoint->address, endpoint->port);
	if (index == RECORD_NONE)
		return -ENOENT;
	struct book_record next = *book_at(book, index);
	next.last_try_ms = now_ms;
	if (ok)
		succeed(book, &next, index, now_ms);
	else
		fail(book, &next, now_ms);
	book_change(book, index, &next, now_ms, true);
	if (!ok && !next.kept && !book_is_root(&next) &&
		backoff_forgets(&book->config.backoff, next.failures)) {
		book->stats.forgotten++;
		book_drop(book, index, "failures");
	}
	return 0;
}

int address_book_neutral(struct address_book *book, const struct book_endpoint *endpoint, int64_t now_ms)
{
	uint32_t index = book_find(book, &endpoint->address, endpoint->port);
	if (index == RECORD_NONE)
		return -ENOENT;
	struct book_record next = *book_at(book, index);
	circuit_neutral(&next.circuit, now_ms);
	book_change(book, index, &next, now_ms, false);
	return 0;
}

void address_book_dial(struct address_book *book, const struct book_endpoint *endpoint, int64_t now_ms,
	struct book_dial *ret_dial)
{
	*ret_dial = (struct book_dial){.allow = true, .reason = ""};
	uint32_t index = book_find(book, &endpoint->address, endpoint->port);
	if (index == RECORD_NONE)
		return;
	struct book_record next = *book_at(book, index);
	bool bypass = peer_category_is_trustable(next.category);
	ret_dial->circuit = circuit_state_at(&next.circuit, now_ms);
	ret_dial->allow = false;
	if (next.connected) {
		ret_dial->reason = "connected";
	} else if (next.next_try_ms == INT64_MAX) {
		ret_dial->reason = "never";
		ret_dial->wait_ms = INT64_MAX;
	} else if (next.next_try_ms > now_ms && !bypass) {
		ret_dial->reason = "backoff";
		ret_dial->wait_ms = next.next_try_ms - now_ms;
	} else if (!circuit_allow(&next.circuit, now_ms)) {
		ret_dial->reason = "circuit";
		ret_dial->wait_ms = next.circuit.until_ms - now_ms;
	} else {
		ret_dial->allow = true;
		next.last_try_ms = now_ms;
		if (book->config.backoff_at_attempt)
			backoff_apply(book, &next, BOOK_BACKOFF_INCREASE, now_ms);
		ret_dial->circuit = circuit_state_at(&next.circuit, now_ms);
		book_change(book, index, &next, now_ms, true);
	}
}

int address_book_remove(struct address_book *book, const struct book_endpoint *endpoint, const char *why)
{
	uint32_t index = book_find(book, &endpoint->address, endpoint->port);
	if (index == RECORD_NONE)
		return -ENOENT;
	book_drop(book, index, why);
	return 0;
}

uint32_t address_book_remove_failed(struct address_book *book, uint32_t min, int64_t now_ms)
{
	const struct rank_tree *order = &book->orders[BOOK_ORDER_TYPE];
	uint32_t removed = 0;
	(void)address_book_advance(book, now_ms, BOOK_QUERY_BUDGET);
	for (unsigned range = 0; range < BOOK_TYPE_COUNT * 2; range++) {
		struct book_record probe = {
			.type = (uint8_t)(range / 2), .ready = range % 2 == 1, .failures = min};
		uint32_t from = rank_tree_before(order, &probe);
		for (;;) {
			uint32_t index = rank_tree_at(order, from);
			if (index == RECORD_NONE || book_at(book, index)->type != probe.type ||
				book_at(book, index)->ready != probe.ready)
				break;
			book_drop(book, index, "failures");
			removed++;
		}
	}
	return removed;
}
