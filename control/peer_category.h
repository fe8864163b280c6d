/* SPDX-License-Identifier: BSD-3-Clause
 * What a peer or an address is to the node, and how it came to be known (policy.md DU-2, HE-3, LO-1). Type,
 * category and source are independent of each other (5.5.14). Pure data, any thread.
 */
#ifndef WEIR_CONTROL_PEER_CATEGORY_H
#define WEIR_CONTROL_PEER_CATEGORY_H

#include <stdbool.h>

enum peer_category {
	PEER_CATEGORY_NONE,
	PEER_CATEGORY_LOCAL_ROOT,
	PEER_CATEGORY_PUBLIC_ROOT,
	PEER_CATEGORY_BIG_LEDGER,
	PEER_CATEGORY_LEDGER,
	PEER_CATEGORY_SHARED,
	PEER_CATEGORY_BOOTSTRAP,
	PEER_CATEGORY_COUNT,
};

enum peer_source {
	PEER_SOURCE_NODE, /* the node's word, nothing more said */
	PEER_SOURCE_CONFIG,
	PEER_SOURCE_GOSSIP, /* peer exchange, peer sharing */
	PEER_SOURCE_LEDGER,
	PEER_SOURCE_INBOUND, /* it came to us */
	PEER_SOURCE_DNS,
	PEER_SOURCE_MDNS,
	PEER_SOURCE_MESH,
	PEER_SOURCE_COUNT,
};

/** DU-7: those that the operator chose come first. */
static inline bool peer_category_is_trustable(enum peer_category category)
{
	return category == PEER_CATEGORY_LOCAL_ROOT || category == PEER_CATEGORY_BOOTSTRAP;
}

#endif
