/* SPDX-License-Identifier: BSD-3-Clause
 * How many replies the prefixes that look like their victims were sent: an IPv4 /24 and an IPv6 /56 each have
 * a token bucket. One table per lcore, of fixed size: 5 prefixes a cache line, one line a prefix; where a
 * line is full the one whose bucket is fullest goes, so a prefix that is being flooded stays however many
 * others come. When more than REPLY_CAP_PREFIXES prefixes are over the cap at once, the least busy of them
 * get more than it says, and the lcore's reply budget is what bounds them. Thread: owning lcore.
 */
#ifndef WEIR_DATAPLANE_REPLY_CAP_H
#define WEIR_DATAPLANE_REPLY_CAP_H

#include "dataplane/ban_table.h"
#include "dataplane/token_bucket.h"
#include "shm/prefix.h"

/* 64 KiB, so that it stays in the second-level cache beside everything else that an lcore touches. */
enum { REPLY_CAP_LINES = 1024, REPLY_CAP_WAYS = 5, REPLY_CAP_PREFIXES = REPLY_CAP_LINES * REPLY_CAP_WAYS };

struct reply_cap;

/** -ENOMEM. */
int reply_cap_create(
	const struct hash_key *key, const struct table_memory *memory, struct reply_cap **ret_cap);
void reply_cap_destroy(struct reply_cap *cap);
/** May one more reply go to the prefix of `address`? Takes a token if so. A profile without limit: always,
 * and nothing is touched. */
bool reply_cap_take(struct reply_cap *cap, const struct token_bucket_profile *profile,
	const struct address *address, uint64_t now_ns);

#endif
