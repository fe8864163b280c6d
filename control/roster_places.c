/* SPDX-License-Identifier: BSD-3-Clause
 * Concurrency per prefix where there is no dataplane (5.3 E, step 8): how many inbound connections that the node told of are
 * open at each level, and whether one more of an address fits. The roster's thread. Flows of a dataplane are not counted: it
 * keeps these limits itself, before a flow is born.
 */
#include "control/roster_private.h"

static struct prefix_key level_key(const struct address *address, unsigned level)
{
	static const uint8_t v4[IMAGE_LEVEL_COUNT] = {32, 24, 20, 18}, v6[IMAGE_LEVEL_COUNT] = {64, 56, 48, 32};
	uint8_t length = address_is_v4(address) ? (uint8_t)(PREFIX_V4_BASE + v4[level]) : v6[level];
	struct prefix prefix = prefix_of(address, length);
	return prefix_key_from(&prefix);
}

void roster_place_take(struct roster *roster, struct roster_connection *connection)
{
	if (connection->placed || !connection->inbound || connection->service != ROSTER_SERVICE_NONE)
		return;
	for (unsigned level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		struct prefix_key key = level_key(&connection->address, level);
		uint32_t n = prefix_tree_find(&roster->places, &key);
		/* Without memory a prefix counts low: it may have one more than its limit, nothing else. */
		(void)prefix_tree_put(&roster->places, &key, n == RECORD_NONE ? 1 : n + 1);
	}
	connection->placed = true;
}

void roster_place_give(struct roster *roster, const struct roster_connection *connection)
{
	if (!connection->placed)
		return;
	for (unsigned level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		struct prefix_key key = level_key(&connection->address, level);
		uint32_t n = prefix_tree_find(&roster->places, &key);
		if (n == 1)
			(void)prefix_tree_remove(&roster->places, &key);
		else if (n != RECORD_NONE)
			(void)prefix_tree_put(&roster->places, &key, n - 1); /* overwrites: needs no memory */
	}
}

bool roster_place_free(const struct roster *roster, const struct address *address)
{
	const uint32_t *limits =
		address_is_v4(address) ? roster->config.concurrency_v4 : roster->config.concurrency_v6;
	for (unsigned level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		struct prefix_key key = level_key(address, level);
		uint32_t n = limits[level] != 0 ? prefix_tree_find(&roster->places, &key) : RECORD_NONE;
		if (n != RECORD_NONE && n >= limits[level])
			return false;
	}
	return true;
}
