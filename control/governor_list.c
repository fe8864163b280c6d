/* SPDX-License-Identifier: BSD-3-Clause
 * The lists allow, deny and own: who may never, or must always, be kept out. The governor's thread.
 * Must not govern away what is protected: governor_is_protected is asked before every ban.
 */
#include "control/governor_internal.h"

#include <errno.h>

static struct list_record *record_at(const struct governor *governor, uint32_t index)
{
	return record_pool_at(&governor->list_records, index);
}

/** True when an entry of the list covers `prefix` or lies within it. */
static bool intersects(const struct governor *governor, enum governor_list list, const struct prefix *prefix,
	struct prefix *ret_found)
{
	return governor_list_has(governor, list, prefix, ret_found) ||
		prefix_tree_covers_any(&governor->lists[list], prefix, ret_found);
}

bool governor_list_has(const struct governor *governor, enum governor_list list, const struct prefix *prefix,
	struct prefix *ret_found)
{
	int length = prefix->length;
	uint32_t value;
	return governor->lists[list].n != 0 &&
		prefix_tree_next_cover(&governor->lists[list], prefix, &length, ret_found, &value);
}

bool governor_is_protected(const struct governor *governor, const struct prefix *prefix, struct prefix *ret_found)
{
	return intersects(governor, GOVERNOR_LIST_OWN, prefix, ret_found) ||
		intersects(governor, GOVERNOR_LIST_ALLOW, prefix, ret_found);
}

static bool contradicts(const struct governor *governor, enum governor_list list, const struct prefix *prefix,
	struct prefix *ret_conflict)
{
	struct prefix_key key = prefix_key_from(prefix);
	switch (list) {
	case GOVERNOR_LIST_ALLOW:
	case GOVERNOR_LIST_DENY: {
		enum governor_list other = list == GOVERNOR_LIST_ALLOW ? GOVERNOR_LIST_DENY : GOVERNOR_LIST_ALLOW;
		if (prefix_tree_find(&governor->lists[other], &key) != RECORD_NONE) {
			if (ret_conflict != NULL)
				*ret_conflict = *prefix;
			return true;
		}
		return list == GOVERNOR_LIST_DENY && intersects(governor, GOVERNOR_LIST_OWN, prefix, ret_conflict);
	}
	case GOVERNOR_LIST_OWN:
		return intersects(governor, GOVERNOR_LIST_DENY, prefix, ret_conflict);
	}
	return false;
}

static int insert(struct governor *governor, struct prefix_tree *tree, const struct prefix_key *key, const char *reason,
	uint8_t origins)
{
	uint32_t index, text;
	int r = text_pool_hold(&governor->texts, reason, &text);
	if (r < 0)
		return r;
	r = record_pool_take(&governor->list_records, &index);
	if (r < 0)
		goto drop_text;
	*record_at(governor, index) = (struct list_record){.reason = text, .origins = origins};
	r = prefix_tree_put(tree, key, index);
	if (r == 0)
		return 0;
	record_pool_give(&governor->list_records, index);
drop_text:
	text_pool_drop(&governor->texts, text);
	return r;
}

static void store(struct governor *governor, enum governor_list list, const struct prefix *prefix, bool present,
	const char *reason)
{
	if (list != GOVERNOR_LIST_OWN && governor->effects.store_list != NULL)
		governor->effects.store_list(governor->effects.context, prefix, list == GOVERNOR_LIST_ALLOW, present, reason);
}

int governor_list_add(struct governor *governor, enum governor_list list, enum governor_list_origin origin,
	const struct prefix *prefix, const char *reason, int64_t now_ms, struct prefix *ret_conflict)
{
	governor_clock(governor, now_ms);
	struct prefix_tree *tree = &governor->lists[list];
	struct prefix_key key = prefix_key_from(prefix);
	uint8_t bit = (uint8_t)(1u << origin);
	uint32_t index = prefix_tree_find(tree, &key);
	if (index != RECORD_NONE && record_at(governor, index)->origins & bit)
		return -EEXIST;
	if (contradicts(governor, list, prefix, ret_conflict))
		return -EPERM;
	if (index != RECORD_NONE) {
		record_at(governor, index)->origins |= bit;
	} else {
		int r = insert(governor, tree, &key, reason, bit);
		if (r < 0)
			return r;
	}
	if (origin == GOVERNOR_LIST_FROM_OPERATOR)
		store(governor, list, prefix, /* present= */ true, reason != NULL ? reason : "");
	return 0;
}

static void remove_entry(struct governor *governor, struct prefix_tree *tree, const struct prefix_key *key, uint32_t index)
{
	text_pool_drop(&governor->texts, record_at(governor, index)->reason);
	prefix_tree_remove(tree, key);
	record_pool_give(&governor->list_records, index);
}

int governor_list_remove(struct governor *governor, enum governor_list list, const struct prefix *prefix, int64_t now_ms)
{
	governor_clock(governor, now_ms);
	const uint8_t operator_bit = 1u << GOVERNOR_LIST_FROM_OPERATOR;
	struct prefix_tree *tree = &governor->lists[list];
	struct prefix_key key = prefix_key_from(prefix);
	uint32_t index = prefix_tree_find(tree, &key);
	if (index == RECORD_NONE)
		return -ENOENT;
	struct list_record *record = record_at(governor, index);
	if ((record->origins & operator_bit) == 0)
		return -EPERM;
	record->origins &= (uint8_t)~operator_bit;
	if (record->origins == 0)
		remove_entry(governor, tree, &key, index);
	store(governor, list, prefix, /* present= */ false, "");
	return 0;
}

void governor_list_clear(struct governor *governor, enum governor_list_origin origin)
{
	for (unsigned list = 0; list < GOVERNOR_LIST_COUNT; list++) {
		struct prefix_tree *tree = &governor->lists[list];
		struct prefix_cursor cursor = prefix_tree_seek(tree, NULL);
		struct prefix_key key;
		uint32_t index;
		while (prefix_tree_next(tree, &cursor, &key, &index)) {
			struct list_record *record = record_at(governor, index);
			record->origins &= (uint8_t)~(1u << origin);
			if (record->origins != 0)
				continue;
			remove_entry(governor, tree, &key, index);
			cursor = prefix_tree_seek(tree, &key); /* removal moved what the cursor pointed at */
		}
	}
}

void governor_list_each(const struct governor *governor, enum governor_list list,
	bool (*visit)(void *context, const struct prefix *prefix, const char *reason, enum governor_list_origin origin),
	void *context)
{
	struct prefix_cursor cursor = prefix_tree_seek(&governor->lists[list], NULL);
	struct prefix_key key;
	uint32_t index;
	while (prefix_tree_next(&governor->lists[list], &cursor, &key, &index)) {
		const struct list_record *record = record_at(governor, index);
		struct prefix prefix = prefix_key_to(&key);
		/* What stands in the file can only be removed there, so that origin is the one to show. */
		bool from_config = record->origins & 1u << GOVERNOR_LIST_FROM_CONFIG;
		if (!visit(context, &prefix, text_pool_get(&governor->texts, record->reason),
			    from_config ? GOVERNOR_LIST_FROM_CONFIG : GOVERNOR_LIST_FROM_OPERATOR))
			return;
	}
}
