/* SPDX-License-Identifier: BSD-3-Clause
 * The address book (policy.md 5.3 H): endpoints that the node may dial or share, with Spacetime's quality,
 * Stellar's types and backoff, Dugite's categories and order of dialling. A library without I/O; one thread.
 * Bounded: the weakest gives way, and is counted. Every operation is O(log n) in the number of addresses,
 * times the size of its answer; nothing sweeps: what changes with time waits in an ordered queue until it
 * does.
 *
 * Time is int64_t milliseconds of wall clock, passed in. All random choices come from the configured seed.
 */
#ifndef WEIR_CONTROL_ADDRESS_BOOK_H
#define WEIR_CONTROL_ADDRESS_BOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/backoff.h"
#include "control/peer_category.h"
#include "control/peer_counters.h"
#include "shm/prefix.h"

/* One answer, and one list of exclusions, is at most this long: a query's work is bounded by it. */
enum { BOOK_ANSWER_MAX = 1000 };

enum book_type { BOOK_TYPE_INBOUND, BOOK_TYPE_OUTBOUND, BOOK_TYPE_PREFERRED, BOOK_TYPE_COUNT }; /* HE-3 */

enum book_filter {                /* HE-3 */
	BOOK_FILTER_ANY_OUTBOUND, /* not inbound */
	BOOK_FILTER_INBOUND,
	BOOK_FILTER_OUTBOUND,
	BOOK_FILTER_PREFERRED,
	BOOK_FILTER_ANY,
};

enum book_backoff {
	BOOK_BACKOFF_NONE,
	BOOK_BACKOFF_HARD_RESET,
	BOOK_BACKOFF_RESET,
	BOOK_BACKOFF_INCREASE
}; /* HE-8 */

/** What became of an entry; everything after BOOK_REFRESHED is a refusal. */
enum book_verdict {
	BOOK_ADDED,
	BOOK_REFRESHED,
	BOOK_REFUSED_PORT,
	BOOK_REFUSED_KIND, /* private, multicast, ... (address_rule.h) */
	BOOK_REFUSED_OWN,
	BOOK_REFUSED_UNVERIFIED,
	BOOK_REFUSED_SUBNET, /* SP-3: its /24 or /48 has as many as it may */
	BOOK_REFUSED_GROUP,  /* its /16 or /32 has */
	BOOK_REFUSED_SOURCE, /* the buckets of whoever told us are full of better ones */
	BOOK_REFUSED_FULL,   /* nothing in the book may be evicted */
	BOOK_REFUSED_OFF,    /* LO-1: this way of learning addresses is switched off */
	BOOK_REFUSED_MOST,   /* LO-1: as many are known that way as may be */
	BOOK_REFUSED_MEMORY,
	BOOK_VERDICT_COUNT,
};
const char *book_verdict_name(enum book_verdict verdict);

struct book_endpoint {
	struct address address;
	uint16_t port;
};

/** As many addresses of one prefix as `limit` allows; 0: no limit. Lengths count in each family's own bits.
 */
struct book_subnet_limit {
	uint8_t length_v4, length_v6;
	uint32_t limit;
};

struct address_book_config {
	uint32_t capacity;               /* 1..1e7 */
	struct book_subnet_limit subnet; /* SP-3: /24, /48, 10 */
	struct book_subnet_limit group;  /* /16, /32; limit 0: a 32nd of the capacity, at least 64 */
	bool allow_private, allow_doc, require_verified;
	uint32_t sources_off;                    /* LO-1: bit 1 << enum peer_source */
	uint32_t source_most[PEER_SOURCE_COUNT]; /* LO-1: at most so many of each source; 0: no limit */
	bool reset_on_success;                   /* upstream's quality: a success clears the failures (V14) */
	bool backoff_at_attempt;   /* HE-13: the wait grows with every attempt, and success resets it */
	bool share_connected_only; /* DU-20: answer strangers only with outbound peers that are connected */
	bool third_tier;           /* DU-7: trustable addresses with 3 failures or more come last */
	bool keeps_configured;     /* DU-20: no address of the source "config" is evicted; else only local
				      roots and preferred ones are exempt */
	struct backoff_policy backoff;
	struct counter_policy counters;
	int64_t stale_ms; /* SP-6: not seen for so long: forgotten; 0: never */
	int64_t poor_ms;  /* SP-6: poor and not tried again for so long: forgotten; 0: never */
	uint32_t poor_attempts;
	double poor_quality;
	int64_t gossip_refresh_ms; /* SP-10: gossip refreshes an address once in this time */
	uint32_t share_failures;   /* to_send: more failures than this are not shared by default (10) */
	uint32_t ask_max;          /* most addresses for a stranger (10) */
	int64_t sticky_ms; /* who asks again within it gets the same ones (823 s); 0: new ones each time */
	uint64_t seed;
};
/** The defaults of Spacetime, Stellar's backoff, addrman's bounds. */
void address_book_config_default(struct address_book_config *config);

struct book_record {
	struct address address;
	int64_t first_seen_ms, last_seen_ms;
	int64_t last_try_ms, last_ok_ms; /* 0: never */
	int64_t next_try_ms;             /* INT64_MAX: never again */
	struct decayed_count decayed;
	struct circuit circuit;
	uint32_t ok, fail; /* lifetime */
	uint32_t failures; /* HE-2: since the last reset of the backoff */
	uint32_t hash;     /* keyed; orders what is otherwise equal */
	uint32_t bucket, bucket_next,
		bucket_previous; /* RECORD_NONE: not from a stranger, or tried with success */
	float reputation;        /* 0..1, as the governor last said; 0.5 */
	float quality, score;    /* SP-4; DU-7. As of the last change */
	uint16_t port;
	uint8_t type, category, source; /* enum book_type, peer_category, peer_source */
	bool verified, tip_known, connected;
	bool kept;     /* never evicted: the operator's (keeps_configured), a local root, or connected */
	bool ready;    /* next_try_ms has come */
	bool eligible; /* may be dialled: ready or trustable, circuit not open, not connected */
	bool routable; /* may be shared */
	bool over;     /* more failures than share_failures */
	uint8_t tier;  /* DU-7: 0 trustable, 1 others, 2 failing trustable */
};

/** What the caller has to do. Called from inside the book's functions; must not call back into it. Any may be
 * NULL. */
struct address_book_effects {
	void *context;
	void (*changed)(void *context, const struct book_record *record); /* store it */
	void (*removed)(void *context, const struct book_record *record,
		const char *why); /* delete it, tell subscribers */
	void (*cleared)(void *context);
};

struct address_book;
/** -EINVAL: capacity; -ENOMEM. */
int address_book_create(const struct address_book_config *config, const struct address_book_effects *effects,
	struct address_book **ret_book);
void address_book_destroy(struct address_book *book);
/** New constants; a smaller capacity evicts down to it, and the seed stays. What follows from constants in a
 * record (tier, routable, over) follows at its next change. */
void address_book_reconfigure(struct address_book *book, const struct address_book_config *config);
/** DU-20: the node's own addresses, never held. At most 64 are kept. Addresses that are in the book already
 * leave it. */
void address_book_set_own(struct address_book *book, const struct address *addresses, size_t n);

/* Entering and changing */

struct book_entry {
	struct address address;
	uint32_t port;
	enum peer_source source;
	enum peer_category category;
	enum book_type type;        /* HE-2: inbound */
	const struct address *from; /* the stranger who told us; NULL: the node itself */
	int64_t seen_ms;            /* 0, or later than now: now */
	bool verified;              /* LO-2: the node checked a signature */
};
/** A known address is refreshed: seen later, and re-categorised on the node's own word. */
enum book_verdict address_book_add(struct address_book *book, const struct book_entry *entry, int64_t now_ms);

enum {
	BOOK_PUT_NEXT_TRY = 1 << 0,
	BOOK_PUT_FAILURES = 1 << 1,
	BOOK_PUT_TYPE = 1 << 2,
	BOOK_PUT_OK = 1 << 3,
	BOOK_PUT_FAIL = 1 << 4,
	BOOK_PUT_FIRST_SEEN = 1 << 5,
	BOOK_PUT_LAST_SEEN = 1 << 6,
	BOOK_PUT_LAST_OK = 1 << 7,
	BOOK_PUT_LAST_TRY = 1 << 8,
	BOOK_PUT_CATEGORY = 1 << 9,
	BOOK_PUT_SOURCE = 1 << 10,
	BOOK_PUT_VERIFIED = 1 << 11,
	BOOK_PUT_REPUTATION = 1 << 12,
	BOOK_PUT_TIP_KNOWN = 1 << 13,
	BOOK_PUT_CONNECTED = 1 << 14,
	/* What the store keeps: loading puts these. */
	BOOK_PUT_PERSISTED = (1 << 12) - 1,
};
/** Set the fields of `which` (BOOK_PUT_*) from `values`, whose address and port name it; the record is made
 * if it is new, by the rules of address_book_add. `ret_record` may be NULL;
 * valid until the book changes. */
enum book_verdict address_book_put(struct address_book *book, const struct book_record *values,
	unsigned which, int64_t now_ms, const struct book_record **ret_record);
/** SP-5: one record from the store, by the rules of today; the caller deletes it when it is refused. No
 * `changed` effect: it is on disk already. */
enum book_verdict address_book_load(
	struct address_book *book, const struct book_record *values, int64_t now_ms);
/** HE-6: the stored type after `observed`; `preferred_known`: the configuration says who is preferred. */
enum book_type book_type_update(enum book_type stored, enum book_type observed, bool preferred_known);
/** HE-12: load or make, change type and backoff. `observed` BOOK_TYPE_COUNT: no observation. */
enum book_verdict address_book_update(struct address_book *book, const struct book_endpoint *endpoint,
	enum book_type observed, bool preferred_known, enum book_backoff backoff, int64_t now_ms,
	const struct book_record **ret_record);
/** SP-4, SP-9: the outcome of an attempt (outcome.h; neutral ones do not come here, but
 * address_book_neutral). -ENOENT. */
int address_book_outcome(
	struct address_book *book, const struct book_endpoint *endpoint, bool ok, int64_t now_ms);
int address_book_neutral(struct address_book *book, const struct book_endpoint *endpoint, int64_t now_ms);

struct book_dial {
	bool allow;
	const char *reason; /* "backoff", "circuit", "connected", "never"; "" when allowed */
	int64_t wait_ms;    /* INT64_MAX: never */
	enum circuit_state circuit;
};
/** May the node dial it now? Takes the probe of a half-open circuit. Unknown addresses are allowed. */
void address_book_dial(struct address_book *book, const struct book_endpoint *endpoint, int64_t now_ms,
	struct book_dial *ret_dial);

/* Asking. Answers are arrays of the caller, of at least min(n, BOOK_ANSWER_MAX); the number found is
 * returned. */

/** NULL if unknown; valid until the book changes. */
const struct book_record *address_book_find(
	const struct address_book *book, const struct book_endpoint *endpoint);
uint32_t address_book_count(const struct address_book *book);
struct book_exclude {
	const struct book_endpoint *endpoints;
	size_t n; /* those beyond BOOK_ANSWER_MAX are not looked at */
};
/** SP-7: best quality first, then seen last. */
size_t address_book_best(struct address_book *book, size_t n, const struct book_exclude *exclude,
	int64_t now_ms, struct book_endpoint *ret_endpoints);
/** HE-9: `n` of all that match, each set equally likely, in random order. `max_failures` UINT32_MAX: any. */
size_t address_book_random(struct address_book *book, size_t n, enum book_filter filter, bool ready,
	uint32_t max_failures, int64_t now_ms, struct book_endpoint *ret_endpoints);
/** HE-11: what is sent to peers: preferred, outbound, inbound, each shuffled. `asker` (NULL: the node itself
 * asks) is left out, bounds the answer to ask_max, and gets the same addresses for sticky_ms, so that asking
 * often does not read the book out. */
size_t address_book_to_send(struct address_book *book, size_t n, const struct book_exclude *exclude,
	const struct address *asker, uint32_t max_failures, int64_t now_ms,
	struct book_endpoint *ret_endpoints);
struct book_target {
	struct book_endpoint endpoint;
	uint8_t tier;
	double score;
};
/** DU-7: whom to dial next, best first. */
size_t address_book_to_connect(
	struct address_book *book, size_t n, int64_t now_ms, struct book_target *ret_targets);
/** V37: whom to forget first: never connected, then connected longest ago, then lowest reputation; never the
 * kept ones. */
size_t address_book_coldest(
	struct address_book *book, size_t n, int64_t now_ms, struct book_endpoint *ret_endpoints);
/** In order of address and port, after `after` (NULL: from the first). */
size_t address_book_list(const struct address_book *book, size_t n, const struct book_endpoint *after,
	const struct book_record **ret_records);

/** -ENOENT. `why` is a literal for the event. */
int address_book_remove(struct address_book *book, const struct book_endpoint *endpoint, const char *why);
/** HE-10: all with at least `min` failures. Returns how many. */
uint32_t address_book_remove_failed(struct address_book *book, uint32_t min, int64_t now_ms);
void address_book_clear(struct address_book *book);

/* Time */
/** INT64_MAX: nothing is due. O(1). */
int64_t address_book_next_due_ms(const struct address_book *book);
/** What has come due up to now, at most `budget` records; true if more are due. Queries do a part of it
 * themselves. */
bool address_book_advance(struct address_book *book, int64_t now_ms, unsigned budget);

struct address_book_stats {
	uint64_t verdicts[BOOK_VERDICT_COUNT];
	uint64_t evicted, stale, poor, forgotten; /* forgotten: by the backoff's rule (DU-19) */
};
void address_book_stats(const struct address_book *book, struct address_book_stats *ret_stats);

#endif
