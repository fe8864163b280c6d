// SPDX-License-Identifier: BSD-3-Clause
/* Commands on the lists (lists.h: lists_apply) and the overlay that holds prefixes which the compiled part
 * does not have. Writer: the table thread. Readers: lcores; one probe for each prefix length in use, nothing
 * at all while the overlay is empty.
 */
#include <errno.h>

#include "dataplane/lists.h"
#include "dataplane/lists_private.h"

static uint32_t slot_first(const struct lists *lists, uint64_t high, uint64_t low, unsigned length)
{
	return (uint32_t)(keyed_hash_3(&lists->key, high, low, length) % LISTS_OVERLAY_SLOTS);
}

/* The entry of a prefix, or NULL and the slot where it would be. Half of the slots are empty, so the probe
 * ends. */
static struct lists_overlay_entry *entry_find(
	const struct lists *lists, uint64_t high, uint64_t low, unsigned length, uint32_t *ret_slot)
{
	uint32_t slot = slot_first(lists, high, low, length);

	for (unsigned i = 0; i < LISTS_OVERLAY_SLOTS; i++) {
		unsigned number = atomic_load_explicit(&lists->overlay.slots[slot], memory_order_acquire);
		const struct lists_overlay_entry *entry;

		if (!number)
			break;
		entry = &lists->overlay.entries[number - 1];
		if (entry->high == high && entry->low == low && entry->length == length)
			return (struct lists_overlay_entry *)entry;
		slot = (slot + 1) % LISTS_OVERLAY_SLOTS;
	}
	*ret_slot = slot;
	return NULL;
}

static uint64_t mask_high(unsigned length)
{
	return length == 0 ? 0 : length >= 64 ? UINT64_MAX : UINT64_MAX << (64 - length);
}

static uint64_t mask_low(unsigned length)
{
	return length <= 64 ? 0 : UINT64_MAX << (128 - length);
}

void lists_overlay_lookup(
	const struct lists *lists, const struct address *address, uint32_t now_s, struct lists_answer *answer)
{
	const _Atomic uint64_t *lengths = lists->overlay.lengths[address_is_v4(address)];
	struct image_v6_start start = v6_start_of(address);
	uint32_t slot;

	for (unsigned word = 0; word < LISTS_LENGTH_WORDS; word++) {
		uint64_t bits = atomic_load_explicit(&lengths[word], memory_order_acquire);

		for (; bits; bits &= bits - 1) {
			unsigned length = word * 64 + (unsigned)__builtin_ctzll(bits);
			const struct lists_overlay_entry *entry = entry_find(lists,
				start.high & mask_high(length), start.low & mask_low(length), length, &slot);
			uint64_t state =
				entry ? atomic_load_explicit(&entry->state, memory_order_relaxed) : 0;

			answer->allowed |= (state & LISTS_STATE_ALLOW) != 0;
			answer->denied |= (state & LISTS_STATE_DENY) != 0;
			lists_answer_ban(
				answer, (uint32_t)(state & LISTS_STATE_META), (uint8_t)length, now_s);
		}
	}
}

bool lists_overlay_allow_in_site(const struct lists *lists, uint64_t site)
{
	uint32_t count = atomic_load_explicit(&lists->overlay.count, memory_order_acquire);

	for (uint32_t i = 0; i < count; i++) {
		const struct lists_overlay_entry *entry = &lists->overlay.entries[i];
		uint64_t mask = mask_high(entry->length);

		if ((atomic_load_explicit(&entry->state, memory_order_relaxed) & LISTS_STATE_ALLOW) &&
			(entry->high & mask) == (site & mask))
			return true;
	}
	return false;
}

/* The compiled label of exactly this prefix and kind, dead or alive; 0 = none. It covers the prefix's first
 * address, so it is on that address's chain. */
static uint32_t label_of_prefix(
	const struct lists *lists, const struct prefix *prefix, enum image_list_kind kind)
{
	uint32_t i = lists_label_find(lists, &prefix->address);

	while (i != 0 && !(lists->labels[i].length == prefix->length && lists->labels[i].kind == kind))
		i = lists->labels[i].parent;
	return i;
}

static int overlay_add(struct lists *lists, const struct prefix *prefix, uint32_t slot, uint64_t state)
{
	struct lists_overlay *overlay = &lists->overlay;
	uint32_t count = atomic_load_explicit(&overlay->count, memory_order_relaxed);
	struct image_v6_start start = v6_start_of(&prefix->address);
	struct lists_overlay_entry *entry;

	if (count == LISTS_OVERLAY_MAX)
		return -ENOSPC;
	entry = &overlay->entries[count];
	entry->high = start.high;
	entry->low = start.low;
	entry->length = prefix->length;
	atomic_store_explicit(&entry->state, state, memory_order_relaxed);
	atomic_store_explicit(&overlay->slots[slot], (uint16_t)(count + 1), memory_order_release);
	atomic_fetch_or_explicit(&overlay->lengths[prefix_is_v4(prefix)][prefix->length / 64],
		UINT64_C(1) << (prefix->length % 64), memory_order_release);
	atomic_store_explicit(&overlay->count, count + 1, memory_order_release);
	return 0;
}

/* Change the bits of `mask` of the prefix to `bits`. A clear of what is not there is done. */
static int overlay_change(struct lists *lists, const struct prefix *prefix, uint64_t mask, uint64_t bits)
{
	struct image_v6_start start = v6_start_of(&prefix->address);
	uint32_t slot = 0;
	struct lists_overlay_entry *entry = entry_find(lists, start.high, start.low, prefix->length, &slot);
	uint64_t state;

	if (!entry)
		return bits ? overlay_add(lists, prefix, slot, bits) : 0;
	state = atomic_load_explicit(&entry->state, memory_order_relaxed);
	atomic_store_explicit(&entry->state, (state & ~mask) | bits, memory_order_release);
	return 0;
}

static const struct {
	uint8_t list; /* enum image_list_kind; 0 = not a command on lists */
	bool set;
	uint64_t mask, bit;
} actions[COMMAND_KIND_COUNT] = {
	[COMMAND_BAN_SET] = {IMAGE_LIST_BAN, true, LISTS_STATE_META, 0},
	[COMMAND_BAN_CLEAR] = {IMAGE_LIST_BAN, false, LISTS_STATE_META, 0},
	[COMMAND_ALLOW_SET] = {IMAGE_LIST_ALLOW, true, LISTS_STATE_ALLOW, LISTS_STATE_ALLOW},
	[COMMAND_ALLOW_CLEAR] = {IMAGE_LIST_ALLOW, false, LISTS_STATE_ALLOW, 0},
	[COMMAND_DENY_SET] = {IMAGE_LIST_DENY, true, LISTS_STATE_DENY, LISTS_STATE_DENY},
	[COMMAND_DENY_CLEAR] = {IMAGE_LIST_DENY, false, LISTS_STATE_DENY, 0},
};

int lists_apply(struct lists *lists, enum command_kind kind, const struct prefix *prefix, uint32_t meta)
{
	uint32_t i;

	if ((unsigned)kind >= COMMAND_KIND_COUNT || !actions[kind].list ||
		prefix->length > PREFIX_HOST_LENGTH)
		return -EINVAL;
	i = label_of_prefix(lists, prefix, actions[kind].list);
	if (!i)
		return overlay_change(lists, prefix, actions[kind].mask,
			kind == COMMAND_BAN_SET ? meta : actions[kind].bit);
	if (kind == COMMAND_BAN_SET)
		atomic_store_explicit(&lists->labels[i].meta, meta, memory_order_relaxed);
	/* Release: a reader that sees the label alive sees its meta. */
	atomic_store_explicit(&lists->labels[i].alive, actions[kind].set, memory_order_release);
	return 0;
}
