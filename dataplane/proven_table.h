/* SPDX-License-Identifier: BSD-3-Clause
 * Proven sources: who has shown to hear what is sent to it. Key: source identity (v4 address, v6 full
 * address) and the fingerprint seen at proof. Bounded, expiring, 4 entries of 16 bytes a cache line, two
 * choices, the one that expires soonest is replaced. Writers and readers: lcores, relaxed atomics. Each entry
 * has a budget (token bucket): spent means "treat as unproven", never "drop". The port of the last valid
 * cookie passes once without budget, so a spoofer in the same name cannot spend a challenge's reward.
 */
#ifndef WEIR_DATAPLANE_PROVEN_TABLE_H
#define WEIR_DATAPLANE_PROVEN_TABLE_H

#include "dataplane/ban_table.h"
#include "dataplane/token_bucket.h"

struct proven_table;

enum proven_answer {
	PROVEN_NO,     /* unknown, expired or another fingerprint */
	PROVEN_SPENT,  /* known, but its budget is spent: challenge */
	PROVEN_YES,    /* known; the budget was charged */
	PROVEN_TICKET, /* this very port answered a challenge just now; the ticket is used up */
};

/** capacity entries, 2^8..2^24, 16 bytes each. */
int proven_table_create(uint64_t capacity, const struct hash_key *key, const struct table_memory *memory,
	struct proven_table **ret_table);
void proven_table_destroy(struct proven_table *table);
void proven_table_prefetch(
	const struct proven_table *table, const struct address *source, uint64_t *ret_hash);
/** An attempt: is the source proven? Charges its budget if so. fingerprint 0 matches any (UDP, or a proof
 * that saw no SYN). */
enum proven_answer proven_table_charge(struct proven_table *table, uint64_t hash, uint8_t fingerprint,
	uint16_t port, const struct token_bucket_profile *budget, uint64_t now_ns);
/** As charge, but changes nothing. */
enum proven_answer proven_table_peek(const struct proven_table *table, uint64_t hash, uint8_t fingerprint,
	uint16_t port, const struct token_bucket_profile *budget, uint64_t now_ns);
/** Any proof of this source, whatever its fingerprint. */
bool proven_table_has(const struct proven_table *table, uint64_t hash, uint64_t now_ns);
/** A proof was seen. ticket_port: the port that may pass once (0: none). Returns true if another entry was
 * replaced. */
bool proven_table_add(struct proven_table *table, uint64_t hash, uint8_t fingerprint, uint16_t ticket_port,
	uint32_t lifetime_ms, uint64_t now_ns);
/** As add. *ret_quiet_s: seconds since the proof before this one, PROVEN_QUIET_NEW: there was none that still counts. Of
 * lcores that prove one source in the same moment, one learns the time and the others 0. */
#define PROVEN_QUIET_NEW UINT32_MAX
bool proven_table_add_timed(struct proven_table *table, uint64_t hash, uint8_t fingerprint, uint16_t ticket_port,
	uint32_t lifetime_ms, uint64_t now_ns, uint32_t *ret_quiet_s);
size_t proven_table_bytes(const struct proven_table *table);

#endif
