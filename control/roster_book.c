/* SPDX-License-Identifier: BSD-3-Clause
 * What the roster adds to the address book: events of discovery (LO-15), and the rate at which strangers may
 * ask (SP-13). The caller's thread.
 */
#include "control/roster_private.h"

enum book_verdict roster_book_add(struct roster *roster, const struct book_entry *entry, int64_t now_ms)
{
	struct event_text event;
	enum book_verdict verdict = address_book_add(roster->book, entry, roster_clock(roster, now_ms));
	if (verdict != BOOK_ADDED)
		return verdict;
	roster_event_address(&event, roster, "peer.discovered", &entry->address, (uint16_t)entry->port);
	event_string(&event, "source", peer_source_name(entry->source));
	event_end(&event);
	return verdict;
}

void roster_book_news(struct roster *roster, uint32_t added, int64_t now_ms)
{
	struct event_text event;
	(void)roster_clock(roster, now_ms);
	if (added == 0)
		return;
	event_begin(&event, roster->governor, "discovery.new_peers");
	event_number(&event, "count", added);
	event_end(&event);
}

bool roster_share_allowed(struct roster *roster, const struct address *asker, int64_t now_ms)
{
	int64_t wait_ms;
	if (roster->config.profile.value != PROFILE_VALUE_QUALITY)
		return true;
	return keyed_limiter_allow(&roster->shares, &limiter_peer_exchange,
		keyed_hash_bytes(&roster->key, asker, sizeof(*asker)), 1, roster_clock(roster, now_ms),
		&wait_ms);
}
