// SPDX-License-Identifier: BSD-3-Clause
/* Allow, deny, prefix bans and prices (lists.h): the compiled part, which is the image's intervals and labels in own
 * memory behind an index by the top 16 address bits, and what readers do with both parts. Readers only load;
 * the overlay lives in lists_overlay.c.
 */
#include "dataplane/lists.h"

#include <errno.h>
#include <string.h>

#include "dataplane/lists_private.h"

static void *copy(struct lists *lists, const void *from, size_t bytes)
{
	void *to = lists->memory.allocate(lists->memory.context, bytes ? bytes : 1);

	if (to && bytes)
		memcpy(to, from, bytes);
	return to;
}

static bool labels_copy(struct lists *lists, const struct image_view *image)
{
	lists->labels = lists->memory.allocate(
		lists->memory.context, (image->n_list_labels + 1) * sizeof(*lists->labels));
	if (!lists->labels)
		return false;
	for (uint64_t i = 0; i < image->n_list_labels; i++) {
		const struct image_list_label *label = &image->list_labels[i];

		lists->labels[i] = (struct lists_label){
			.parent = label->parent,
			.meta = label->meta,
			.kind = label->kind,
			.length = label->length,
			.alive = label->kind != IMAGE_LIST_NONE,
		};
	}
	return true;
}

/* index[t] = the interval that holds the first address of block t; so the interval of any address of the
 * block is one of index[t] .. index[t + 1]. */
static void v4_index_fill(struct lists *lists)
{
	uint64_t interval = 0;

	for (uint32_t block = 0; block < LISTS_BLOCKS; block++) {
		while (interval + 1 < lists->n_v4 && lists->v4_starts[interval + 1] <= block << 16)
			interval++;
		lists->v4_index[block] = (uint32_t)interval;
	}
	lists->v4_index[LISTS_BLOCKS] = lists->n_v4 ? (uint32_t)(lists->n_v4 - 1) : 0;
}

static void v6_index_fill(struct lists *lists)
{
	uint64_t interval = 0;

	for (uint64_t block = 0; block < LISTS_BLOCKS; block++) {
		struct image_v6_start first = {block << 48, 0};

		while (interval + 1 < lists->n_v6 && !v6_start_after(&lists->v6_starts[interval + 1], &first))
			interval++;
		lists->v6_index[block] = (uint32_t)interval;
	}
	lists->v6_index[LISTS_BLOCKS] = lists->n_v6 ? (uint32_t)(lists->n_v6 - 1) : 0;
}

int lists_create(const struct image_view *image, const struct hash_key *key,
	const struct table_memory *memory, struct lists **ret_lists)
{
	struct lists *lists = memory->allocate(memory->context, sizeof(*lists));

	if (!lists)
		return -ENOMEM;
	lists->memory = *memory;
	lists->key = *key;
	lists->n_labels = image->n_list_labels;
	lists->n_v4 = image->n_list_v4;
	lists->n_v6 = image->n_list_v6;
	lists->v4_starts = copy(lists, image->list_v4_starts, lists->n_v4 * sizeof(*lists->v4_starts));
	lists->v4_labels = copy(lists, image->list_v4_labels, lists->n_v4 * sizeof(*lists->v4_labels));
	lists->v6_starts = copy(lists, image->list_v6_starts, lists->n_v6 * sizeof(*lists->v6_starts));
	lists->v6_labels = copy(lists, image->list_v6_labels, lists->n_v6 * sizeof(*lists->v6_labels));
	if (!labels_copy(lists, image) || !lists->v4_starts || !lists->v4_labels || !lists->v6_starts ||
		!lists->v6_labels) {
		lists_destroy(lists);
		return -ENOMEM;
	}
	v4_index_fill(lists);
	v6_index_fill(lists);
	*ret_lists = lists;
	return 0;
}

static void release(struct lists *lists, void *block, size_t bytes)
{
	if (block)
		lists->memory.free(lists->memory.context, block, bytes ? bytes : 1);
}

void lists_destroy(struct lists *lists)
{
	struct table_memory memory;

	if (!lists)
		return;
	release(lists, lists->labels, (lists->n_labels + 1) * sizeof(*lists->labels));
	release(lists, lists->v4_starts, lists->n_v4 * sizeof(*lists->v4_starts));
	release(lists, lists->v4_labels, lists->n_v4 * sizeof(*lists->v4_labels));
	release(lists, lists->v6_starts, lists->n_v6 * sizeof(*lists->v6_starts));
	release(lists, lists->v6_labels, lists->n_v6 * sizeof(*lists->v6_labels));
	memory = lists->memory;
	memory.free(memory.context, lists, sizeof(*lists));
}

uint64_t lists_label_count(const struct lists *lists)
{
	uint64_t compiled = lists->n_labels ? lists->n_labels - 1 : 0;

	return compiled + atomic_load_explicit(&lists->overlay.count, memory_order_relaxed);
}

/* The last interval that starts at or before the address, between `low` and `high`. Each step is a compare
 * and a conditional move; both ends are known to the index, so 32 steps are the most. */
static uint32_t v4_label(const struct lists *lists, uint32_t address)
{
	uint32_t low, n;

	/* Nothing is listed, as with most operators: the index would be a line of its own for each address. */
	if (lists->n_v4 <= 1)
		return lists->n_v4 != 0 ? lists->v4_labels[0] : 0;
	low = lists->v4_index[address >> 16];
	n = lists->v4_index[(address >> 16) + 1] - low + 1;
	while (n > 1) {
		uint32_t half = n / 2;

		low = lists->v4_starts[low + half] <= address ? low + half : low;
		n -= half;
	}
	return lists->v4_labels[low];
}

static uint32_t v6_interval(const struct lists *lists, const struct image_v6_start *address)
{
	uint32_t block = (uint32_t)(address->high >> 48);
	uint32_t low = lists->v6_index[block], n = lists->v6_index[block + 1] - low + 1;

	while (n > 1) {
		uint32_t half = n / 2;

		low = v6_start_after(&lists->v6_starts[low + half], address) ? low : low + half;
		n -= half;
	}
	return low;
}

uint32_t lists_label_find(const struct lists *lists, const struct address *address)
{
	struct image_v6_start start;

	if (address_is_v4(address))
		return v4_label(lists, address_v4(address));
	if (lists->n_v6 <= 1)
		return lists->n_v6 != 0 ? lists->v6_labels[0] : 0;
	start = v6_start_of(address);
	return lists->v6_labels[v6_interval(lists, &start)];
}

static bool is_allowed_by(const struct lists *lists, uint32_t label)
{
	for (; label != 0; label = lists->labels[label].parent)
		if (lists->labels[label].kind == IMAGE_LIST_ALLOW &&
			atomic_load_explicit(&lists->labels[label].alive, memory_order_acquire))
			return true;
	return false;
}

bool lists_allow_in_site(const struct lists *lists, uint64_t site)
{
	struct image_v6_start start = {site, 0};
	uint64_t interval = lists->n_v6 ? v6_interval(lists, &start) : 0, n = 0;

	do {
		if (n++ == LISTS_SITE_INTERVALS_MAX || (lists->n_v6 && is_allowed_by(lists, lists->v6_labels[interval])))
			return true;
	} while (++interval < lists->n_v6 && lists->v6_starts[interval].high == site);
	return lists_overlay_allow_in_site(lists, site);
}

void lists_answer_ban(struct lists_answer *answer, uint32_t meta, uint8_t length, uint32_t now_s)
{
	enum source_class class = ban_meta_class_at(meta, now_s);

	if (class == SOURCE_CLASS_NONE)
		return;
	/* A meta's upper bits are its class and its lower ones its end, so the larger word is the stronger
	 * and longer ban. */
	if (meta <= answer->ban_meta)
		return;
	answer->ban_meta = meta;
	answer->ban_length = length;
}

/* The image's any_allow is not used: an allow may die or come after the image, and the walk sees each label
 * anyway. Parents have lower numbers (the image was validated), so the walk ends. It goes from the longest
 * prefix to the shortest, so the first price is the most specific one; no command makes or changes a price. */
void lists_lookup(const struct lists *lists, const struct address *address, uint32_t now_s,
	struct lists_answer *ret_answer)
{
	struct lists_answer answer = {.allowed = false};

	for (uint32_t i = lists_label_find(lists, address); i != 0; i = lists->labels[i].parent) {
		const struct lists_label *label = &lists->labels[i];

		if (!atomic_load_explicit(&label->alive, memory_order_acquire))
			continue;
		if (label->kind == IMAGE_LIST_ALLOW)
			answer.allowed = true;
		else if (label->kind == IMAGE_LIST_DENY)
			answer.denied = true;
		else if (label->kind == IMAGE_LIST_PRICE)
			answer.price = answer.price ? answer.price : (uint16_t)label->meta;
		else
			lists_answer_ban(&answer, atomic_load_explicit(&label->meta, memory_order_relaxed),
				label->length, now_s);
	}
	if (!answer.price)
		answer.price = IMAGE_PRICE_USUAL;
	if (atomic_load_explicit(&lists->overlay.count, memory_order_acquire))
		lists_overlay_lookup(lists, address, now_s, &answer);
	*ret_answer = answer;
}
