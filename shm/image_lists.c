// SPDX-License-Identifier: BSD-3-Clause
/* One sweep over sorted prefixes (image_lists.h). Prefixes nest or are apart, so those that cover the point
 * of the sweep are a stack; an interval begins where a prefix begins and where one has ended. O(n), one
 * thread.
 */
#include "shm/image_lists.h"

/* The stack holds one prefix per length: 0 to 128. */
enum { LISTS_DEPTH_MAX = 129 };

struct lists_sweep {
	struct image_lists_output *output;
	unsigned __int128 family_last;
	struct {
		unsigned __int128 last; /* address of the prefix */
		uint32_t label;         /* the chain of its kinds begins here */
	} stack[LISTS_DEPTH_MAX];
	unsigned depth;
};

static unsigned __int128 entry_first(const struct image_list_entry *entry)
{
	return (unsigned __int128)entry->high << 64 | entry->low;
}

static unsigned __int128 entry_last(const struct image_list_entry *entry)
{
	/* A shift by 128 is undefined: /0 is the whole. */
	if (entry->length == 0)
		return ~(unsigned __int128)0;
	return entry_first(entry) | (((unsigned __int128)1 << (PREFIX_HOST_LENGTH - entry->length)) - 1);
}

static bool entry_is_same_prefix(const struct image_list_entry *a, const struct image_list_entry *b)
{
	return a->high == b->high && a->low == b->low && a->length == b->length;
}

/* An interval that would be empty, because another begins at the same address, is replaced by the later one.
 */
static void sweep_emit(struct lists_sweep *sweep, unsigned __int128 first, uint32_t label)
{
	struct image_lists_output *output = sweep->output;
	uint64_t n = output->n_intervals;
	uint64_t high = (uint64_t)(first >> 64), low = (uint64_t)first;

	if (output->v4_starts) {
		if (n > 0 && output->v4_starts[n - 1] == (uint32_t)low)
			n--;
		output->v4_starts[n] = (uint32_t)low;
	} else {
		if (n > 0 && output->v6_starts[n - 1].high == high && output->v6_starts[n - 1].low == low)
			n--;
		output->v6_starts[n] = (struct image_v6_start){.high = high, .low = low};
	}
	output->interval_labels[n] = label;
	output->n_intervals = n + 1;
}

static uint32_t sweep_label(const struct lists_sweep *sweep)
{
	return sweep->depth ? sweep->stack[sweep->depth - 1].label : 0;
}

/* The innermost prefix has ended: behind it the one around it goes on, unless the family ends there as well.
 */
static void sweep_pop(struct lists_sweep *sweep)
{
	unsigned __int128 last = sweep->stack[--sweep->depth].last;

	if (last != sweep->family_last)
		sweep_emit(sweep, last + 1, sweep_label(sweep));
}

static uint32_t sweep_add_label(
	struct lists_sweep *sweep, const struct image_list_entry *entry, uint32_t parent)
{
	struct image_lists_output *output = sweep->output;
	uint32_t index = (uint32_t)output->n_labels++;

	output->labels[index] = (struct image_list_label){
		.parent = parent,
		.meta = entry->kind == IMAGE_LIST_BAN || entry->kind == IMAGE_LIST_PRICE ? entry->meta : 0,
		.kind = entry->kind,
		.length = entry->length,
		.any_allow = entry->kind == IMAGE_LIST_ALLOW || output->labels[parent].any_allow,
	};
	return index;
}

/* All entries of one prefix: one label per kind, chained. Of two bans the greater meta word is the stronger
 * class, then the later end; of two prices the higher. Returns how many entries it took. */
static size_t sweep_push(struct lists_sweep *sweep, const struct image_list_entry *entries, size_t n)
{
	uint32_t label = sweep_label(sweep);
	size_t i = 0;

	do {
		struct image_list_entry entry = entries[i++];

		while (i < n && entry_is_same_prefix(&entries[i], &entry) && entries[i].kind == entry.kind) {
			if (entries[i].meta > entry.meta)
				entry.meta = entries[i].meta;
			i++;
		}
		label = sweep_add_label(sweep, &entry, label);
	} while (i < n && entry_is_same_prefix(&entries[i], &entries[0]));
	sweep->stack[sweep->depth].last = entry_last(&entries[0]);
	sweep->stack[sweep->depth++].label = label;
	sweep_emit(sweep, entry_first(&entries[0]), label);
	return i;
}

void image_lists_compile(const struct image_list_entry *entries, size_t n, struct image_lists_output *output)
{
	struct lists_sweep sweep = {
		.output = output,
		.family_last = output->v4_starts ? (unsigned __int128)UINT32_MAX : ~(unsigned __int128)0,
	};

	sweep_emit(&sweep, 0, 0);
	for (size_t i = 0; i < n;) {
		while (sweep.depth && sweep.stack[sweep.depth - 1].last < entry_first(&entries[i]))
			sweep_pop(&sweep);
		i += sweep_push(&sweep, entries + i, n - i);
	}
	while (sweep.depth)
		sweep_pop(&sweep);
}
