/* SPDX-License-Identifier: BSD-3-Clause
 * Allow, deny, prefix bans and prices: the labelled interval LPM of the image, plus an overlay for commands that came
 * after it. Writer: the table thread. Readers: lcores inside an RCU read-side section. A new image means a
 * new object, swapped by RCU. Labels' meta words change in place (one 32-bit store); overlay entries are
 * published by a release store of their count.
 */
#ifndef WEIR_DATAPLANE_LISTS_H
#define WEIR_DATAPLANE_LISTS_H

#include "dataplane/ban_table.h"
#include "shm/image.h"

enum { LISTS_OVERLAY_MAX = COMMAND_OVERLAY_MAX };

struct lists;

/** What the lists say of an address. */
struct lists_answer {
	bool allowed;
	bool denied;
	uint32_t ban_meta; /* strongest ban in force among the covering prefixes; 0 = none */
	uint8_t ban_length;
	uint16_t price; /* of the most specific covering prefix that has one, in 1/16; else IMAGE_PRICE_USUAL */
};

/** Copy the lists of a validated image into own memory. -ENOMEM. */
int lists_create(const struct image_view *image, const struct hash_key *key,
	const struct table_memory *memory, struct lists **ret_lists);
void lists_destroy(struct lists *lists);
/** Table thread: one command (BAN_SET/CLEAR of a prefix that is not a host, ALLOW_*, DENY_* of any prefix).
 * -ENOSPC: the overlay is full: the next image will carry it; the caller asks for one. Clearing what is in
 * the compiled lists marks its label dead. */
int lists_apply(struct lists *lists, enum command_kind kind, const struct prefix *prefix, uint32_t meta);
/** Lcore. */
void lists_lookup(const struct lists *lists, const struct address *address, uint32_t now_s,
	struct lists_answer *ret_answer);
/** Table thread. May any address of this IPv6 /64 (address_v6_site) be allowed: by a prefix that covers it, by one within, or because
 * there are too many prefixes within to look at each? */
bool lists_allow_in_site(const struct lists *lists, uint64_t site);
uint64_t lists_label_count(const struct lists *lists);

#endif
