/* SPDX-License-Identifier: BSD-3-Clause
 * Layout of the lists, shared by lists.c (compiled part, readers) and lists_overlay.c (commands, overlay).
 * Not for others.
 */
#ifndef WEIR_DATAPLANE_LISTS_PRIVATE_H
#define WEIR_DATAPLANE_LISTS_PRIVATE_H

#include <stdatomic.h>

#include "dataplane/lists.h"

enum {
	LISTS_BLOCKS = 1 << 16,                      /* of the top 16 address bits */
	LISTS_OVERLAY_SLOTS = 2 * LISTS_OVERLAY_MAX, /* half full at most, so probes are short and end */
	LISTS_LENGTHS = 129,
	LISTS_SITE_INTERVALS_MAX = 64, /* within one /64 that are looked at; who lists more hosts of one site means to keep some */
	LISTS_LENGTH_WORDS = (LISTS_LENGTHS + 63) / 64,
};

struct lists_label {
	uint32_t parent;
	_Atomic uint32_t meta;
	uint8_t kind; /* enum image_list_kind, never changed: a dead label can live again */
	uint8_t length;
	_Atomic bool alive; /* cleared and set by commands with one store */
};
_Static_assert(sizeof(struct lists_label) == 12, "12 bytes a label");

/* A prefix of the overlay. Made once, never moved or removed; a command changes the state word with one
 * store. */
struct lists_overlay_entry {
	uint64_t high, low;     /* address, host order */
	_Atomic uint64_t state; /* allow and deny bits | ban meta */
	uint8_t length;
};
#define LISTS_STATE_ALLOW (UINT64_C(1) << 32)
#define LISTS_STATE_DENY  (UINT64_C(1) << 33)
#define LISTS_STATE_META  UINT64_C(0xffffffff)

/* IPv4 prefixes are mapped, so lengths 96..128 of both families share a bitmap of their own family. Published
 * in this order, each with release: entry, slot, length bit, count; read in the opposite order with acquire.
 */
struct lists_overlay {
	_Atomic uint32_t count;
	_Atomic uint64_t lengths[2][LISTS_LENGTH_WORDS]; /* [is v4][length / 64]: lengths in use */
	_Atomic uint16_t slots[LISTS_OVERLAY_SLOTS];     /* entry + 1; 0 = empty */
	struct lists_overlay_entry entries[LISTS_OVERLAY_MAX];
};
_Static_assert(LISTS_OVERLAY_MAX < UINT16_MAX, "a slot holds entry + 1");

struct lists {
	struct lists_label *labels;
	uint32_t *v4_starts, *v4_labels;
	struct image_v6_start *v6_starts;
	uint32_t *v6_labels;
	uint64_t n_labels, n_v4, n_v6;
	struct hash_key key;
	struct table_memory memory;
	uint32_t v4_index[LISTS_BLOCKS + 1], v6_index[LISTS_BLOCKS + 1];
	struct lists_overlay overlay;
};

static inline struct image_v6_start v6_start_of(const struct address *address)
{
	struct image_v6_start start = {0, 0};

	for (int i = 0; i < 8; i++) {
		start.high = start.high << 8 | address->bytes[i];
		start.low = start.low << 8 | address->bytes[8 + i];
	}
	return start;
}
static inline bool v6_start_after(const struct image_v6_start *a, const struct image_v6_start *b)
{
	return a->high != b->high ? a->high > b->high : a->low > b->low;
}

/** The label of the most specific compiled prefix that covers the address; 0 = none. */
uint32_t lists_label_find(const struct lists *lists, const struct address *address);
/** Take this ban into the answer if it is in force and stronger than the one there. */
void lists_answer_ban(struct lists_answer *answer, uint32_t meta, uint8_t length, uint32_t now_s);
/** Is there an allow in the overlay for any address of this /64? Looks at every entry. */
bool lists_overlay_allow_in_site(const struct lists *lists, uint64_t site);
/** Add what the overlay says. */
void lists_overlay_lookup(const struct lists *lists, const struct address *address, uint32_t now_s,
	struct lists_answer *answer);

#endif
