/* SPDX-License-Identifier: BSD-3-Clause
 * The enforced set: append, sort, merge. See enforced_set.h for who may call what.
 */
#include "control/enforced_set.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

uint32_t enforced_end_s(int64_t end_wall_ms)
{
	if (end_wall_ms <= 0)
		return 0;
	/* 2106 and later are never: the word's range, 80 years from now */
	if (end_wall_ms > (int64_t)(ENFORCED_NEVER_S - 1) * 1000)
		return ENFORCED_NEVER_S;
	return (uint32_t)((end_wall_ms + 999) / 1000);
}

int64_t enforced_end_ms(uint32_t end_wall_s)
{
	return end_wall_s == ENFORCED_NEVER_S ? INT64_MAX : (int64_t)end_wall_s * 1000;
}

static int entries_reserve(struct enforced_entries *entries, size_t n)
{
	if (n <= entries->capacity)
		return 0;
	size_t capacity = entries->capacity < 1024 ? 1024 : entries->capacity * 2;
	if (capacity < n)
		capacity = n;
	struct enforced_entry *items = realloc(entries->items, capacity * sizeof(*items));
	if (items == NULL)
		return -ENOMEM;
	entries->items = items;
	entries->capacity = capacity;
	return 0;
}

static void entries_free(struct enforced_entries *entries)
{
	free(entries->items);
	memset(entries, 0, sizeof(*entries));
}

int enforced_set_change(
	struct enforced_set *set, const struct prefix *prefix, enum source_class class, int64_t end_wall_ms)
{
	int error = entries_reserve(&set->changes, set->changes.n + 1);
	if (error != 0)
		return error;
	struct enforced_entry *entry = &set->changes.items[set->changes.n++];
	memcpy(entry->address, prefix->address.bytes, sizeof(entry->address));
	entry->length = prefix->length;
	entry->class = (uint8_t) class;
	entry->reserved = 0;
	entry->end_wall_s = enforced_end_s(end_wall_ms);
	return 0;
}

void enforced_set_freeze(struct enforced_set *set)
{
	set->frozen = set->changes;
	memset(&set->changes, 0, sizeof(set->changes));
}

/* Address, then length: they are neighbours in the struct, so one comparison of 17 bytes orders both. */
static int entry_compare(const struct enforced_entry *a, const struct enforced_entry *b)
{
	_Static_assert(offsetof(struct enforced_entry, length) == sizeof(a->address), "compared as one");
	return memcmp(a, b, sizeof(a->address) + 1);
}

static bool entries_are_sorted(const struct enforced_entry *items, size_t n)
{
	size_t i = 1;
	while (i < n && entry_compare(&items[i - 1], &items[i]) <= 0)
		i++;
	return i >= n;
}

/* Stable merge sort: of several changes of one prefix the last must stay last. A start loads millions in
 * order. */
static void entries_sort(struct enforced_entry *items, struct enforced_entry *scratch, size_t n)
{
	if (entries_are_sorted(items, n))
		return;
	struct enforced_entry *from = items, *to = scratch;
	for (size_t width = 1; width < n; width *= 2) {
		for (size_t start = 0; start < n; start += 2 * width) {
			size_t left = start, middle = start + width < n ? start + width : n;
			size_t right = middle, end = middle + width < n ? middle + width : n;
			for (size_t k = start; k < end; k++) {
				bool take_left =
					left < middle &&
					(right >= end || entry_compare(&from[left], &from[right]) <= 0);
				to[k] = take_left ? from[left++] : from[right++];
			}
		}
		struct enforced_entry *swap = from;
		from = to;
		to = swap;
	}
	if (from != items)
		memcpy(items, from, n * sizeof(*items));
}

static bool entry_is_in_force(const struct enforced_entry *entry, uint32_t now_wall_s)
{
	return entry->class != SOURCE_CLASS_NONE && entry->end_wall_s > now_wall_s;
}

int enforced_set_merge(struct enforced_set *set, uint32_t now_wall_s, struct enforced_entries *ret_merged)
{
	struct enforced_entries merged = {0};
	size_t n_changes = set->frozen.n, i = 0, j = 0;
	if (entries_reserve(&merged, set->base.n + n_changes + 1) != 0)
		return -ENOMEM;
	/* The place for the result is the sort's scratch before it is filled: its capacity covers the
	 * changes. */
	entries_sort(set->frozen.items, merged.items, n_changes);
	while (i < set->base.n || j < n_changes) {
		int order = i == set->base.n ? 1
			    : j == n_changes ? -1
					     : entry_compare(&set->base.items[i], &set->frozen.items[j]);
		const struct enforced_entry *entry;
		if (order < 0) {
			entry = &set->base.items[i++];
		} else {
			i += order == 0;
			while (j + 1 < n_changes &&
				entry_compare(&set->frozen.items[j], &set->frozen.items[j + 1]) == 0)
				j++;
			entry = &set->frozen.items[j++];
		}
		if (entry_is_in_force(entry, now_wall_s))
			merged.items[merged.n++] = *entry;
	}
	*ret_merged = merged;
	return 0;
}

void enforced_set_commit(struct enforced_set *set, struct enforced_entries *merged)
{
	entries_free(&set->base);
	entries_free(&set->frozen);
	set->base = *merged;
	memset(merged, 0, sizeof(*merged));
}

int enforced_set_rollback(struct enforced_set *set)
{
	if (set->changes.n == 0) {
		entries_free(&set->changes);
		set->changes = set->frozen;
		memset(&set->frozen, 0, sizeof(set->frozen));
		return 0;
	}
	int error = entries_reserve(&set->frozen, set->frozen.n + set->changes.n);
	if (error != 0)
		return error;
	memcpy(set->frozen.items + set->frozen.n, set->changes.items,
		set->changes.n * sizeof(*set->changes.items));
	set->frozen.n += set->changes.n;
	entries_free(&set->changes);
	set->changes = set->frozen;
	memset(&set->frozen, 0, sizeof(set->frozen));
	return 0;
}

void enforced_set_free(struct enforced_set *set)
{
	entries_free(&set->base);
	entries_free(&set->changes);
	entries_free(&set->frozen);
}
