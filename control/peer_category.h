/* SPDX-License-Identifier: BSD-3-Clause
 * What a peer or an address is to the node, and how it came to be known (policy.md DU-2, HE-3, LO-1). Type,
 * category and source are independent of each other (5.5.14). The one table of their words. Pure data, any
 * thread.
 */
#ifndef WEIR_CONTROL_PEER_CATEGORY_H
#define WEIR_CONTROL_PEER_CATEGORY_H

#include <stdbool.h>

/* row(kind, "word"): in the order of their numbers, which the store keeps. */
/* clang-format off */
#define PEER_CATEGORIES(row) \
	row(NONE, "none") \
	row(LOCAL_ROOT, "local_root") \
	row(PUBLIC_ROOT, "public_root") \
	row(BIG_LEDGER, "big_ledger") \
	row(LEDGER, "ledger") \
	row(SHARED, "shared") \
	row(BOOTSTRAP, "bootstrap")
/* NODE: the node's word, nothing more said. INBOUND: it came to us. */
#define PEER_SOURCES(row) \
	row(NODE, "node") \
	row(CONFIG, "config") \
	row(GOSSIP, "gossip") \
	row(LEDGER, "ledger") \
	row(INBOUND, "inbound") \
	row(DNS, "dns") \
	row(MDNS, "mdns") \
	row(MESH, "mesh")
/* What DU-2 and LO-1 call the same; understood, never said. */
#define PEER_CATEGORY_ALIASES(row) \
	row(BIG_LEDGER, "big_ledger_peer") \
	row(LEDGER, "ledger_peer")
#define PEER_SOURCE_ALIASES(row) \
	row(GOSSIP, "peer_sharing") \
	row(GOSSIP, "peer_exchange")
/* clang-format on */

#define PEER_CATEGORY_ENUMERATOR(kind, word) PEER_CATEGORY_##kind,
#define PEER_SOURCE_ENUMERATOR(kind, word)   PEER_SOURCE_##kind,
enum peer_category { PEER_CATEGORIES(PEER_CATEGORY_ENUMERATOR) PEER_CATEGORY_COUNT };
enum peer_source { PEER_SOURCES(PEER_SOURCE_ENUMERATOR) PEER_SOURCE_COUNT };

/* All that is understood, as "a|b|c". */
#define PEER_WORD_BEHIND(kind, word) "|" word
#define PEER_CATEGORY_WORDS \
	(&("" PEER_CATEGORIES(PEER_WORD_BEHIND) PEER_CATEGORY_ALIASES(PEER_WORD_BEHIND))[1])
#define PEER_SOURCE_WORDS (&("" PEER_SOURCES(PEER_WORD_BEHIND) PEER_SOURCE_ALIASES(PEER_WORD_BEHIND))[1])

const char *peer_category_name(enum peer_category category);
const char *peer_source_name(enum peer_source source);
/** What a word of PEER_CATEGORY_WORDS or PEER_SOURCE_WORDS means; -1: it is none. */
int peer_category_of(const char *word);
int peer_source_of(const char *word);

/** DU-7: those that the operator chose come first. */
static inline bool peer_category_is_trustable(enum peer_category category)
{
	return category == PEER_CATEGORY_LOCAL_ROOT || category == PEER_CATEGORY_BOOTSTRAP;
}

#endif
