/* SPDX-License-Identifier: BSD-3-Clause
 * When the node should ping a peer, ask its status and its metadata (policy.md LH-26, 5.5.20). Pure, any
 * thread; who waits for the next due time is the caller. Both sides of a connection have different intervals,
 * so that they do not ping at once.
 */
#ifndef WEIR_CONTROL_PEER_DUE_H
#define WEIR_CONTROL_PEER_DUE_H

#include <stdbool.h>
#include <stdint.h>

enum { PEER_DUE_PING = 1 << 0, PEER_DUE_STATUS = 1 << 1, PEER_DUE_METADATA = 1 << 2 };

struct peer_due_policy {
	int64_t ping_in_ms, ping_out_ms, status_ms;
};
extern const struct peer_due_policy peer_due_lighthouse; /* 20 s, 15 s, 300 s */

struct peer_due {
	int64_t ping_ms, status_ms; /* when it is due; INT64_MAX: not connected, or told already */
	uint64_t sequence;          /* of the metadata we have */
	bool inbound, has_metadata, metadata_due;
};
void peer_due_connected(
	struct peer_due *due, const struct peer_due_policy *policy, bool inbound, int64_t now_ms);
void peer_due_disconnected(struct peer_due *due);
/** A ping came or was answered; with the sequence number of the peer's metadata, if it said one. */
void peer_due_ping_seen(struct peer_due *due, const struct peer_due_policy *policy,
	const uint64_t *sequence_or_null, int64_t now_ms);
void peer_due_status_seen(struct peer_due *due, const struct peer_due_policy *policy, int64_t now_ms);
void peer_due_metadata_seen(struct peer_due *due, uint64_t sequence);
/** PEER_DUE_* that are due now; each is told once until it is seen. */
unsigned peer_due_take(struct peer_due *due, int64_t now_ms);
int64_t peer_due_next_ms(const struct peer_due *due);

#endif
