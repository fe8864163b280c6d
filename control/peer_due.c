/* SPDX-License-Identifier: BSD-3-Clause
 * Times of pings, statuses and metadata (peer_due.h). Pure functions, any thread.
 */
#include "control/peer_due.h"

#include <stddef.h>

const struct peer_due_policy peer_due_lighthouse = {20000, 15000, 300000};

static int64_t ping_ms(const struct peer_due *due, const struct peer_due_policy *policy)
{
	return due->inbound ? policy->ping_in_ms : policy->ping_out_ms;
}

void peer_due_connected(
	struct peer_due *due, const struct peer_due_policy *policy, bool inbound, int64_t now_ms)
{
	*due = (struct peer_due){.inbound = inbound, .metadata_due = true};
	due->ping_ms = now_ms + ping_ms(due, policy);
	due->status_ms = now_ms + policy->status_ms;
}

void peer_due_disconnected(struct peer_due *due)
{
	*due = (struct peer_due){.ping_ms = INT64_MAX, .status_ms = INT64_MAX};
}

void peer_due_ping_seen(struct peer_due *due, const struct peer_due_policy *policy,
	const uint64_t *sequence_or_null, int64_t now_ms)
{
	due->ping_ms = now_ms + ping_ms(due, policy);
	if (sequence_or_null != NULL && (!due->has_metadata || *sequence_or_null > due->sequence))
		due->metadata_due = true;
}

void peer_due_status_seen(struct peer_due *due, const struct peer_due_policy *policy, int64_t now_ms)
{
	due->status_ms = now_ms + policy->status_ms;
}

void peer_due_metadata_seen(struct peer_due *due, uint64_t sequence)
{
	due->has_metadata = true;
	due->sequence = sequence;
	due->metadata_due = false;
}

unsigned peer_due_take(struct peer_due *due, int64_t now_ms)
{
	unsigned what = 0;
	if (due->ping_ms <= now_ms) {
		what |= PEER_DUE_PING;
		due->ping_ms = INT64_MAX;
	}
	if (due->status_ms <= now_ms) {
		what |= PEER_DUE_STATUS;
		due->status_ms = INT64_MAX;
	}
	if (due->metadata_due) {
		what |= PEER_DUE_METADATA;
		due->metadata_due = false;
	}
	return what;
}

int64_t peer_due_next_ms(const struct peer_due *due)
{
	if (due->metadata_due)
		return INT64_MIN; /* at once */
	return due->ping_ms < due->status_ms ? due->ping_ms : due->status_ms;
}
