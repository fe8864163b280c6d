// SPDX-License-Identifier: BSD-3-Clause
/* Event rings (event_ring.h). Writer: one lcore per ring, wait-free: a checksum, two cache lines, no system
 * call. Reader: control, by pread. As in the command log a record proves itself by its sequence and checksum;
 * the head is a hint. Must never block or overwrite what the reader has not read.
 */
#include "shm/event_ring.h"

#include <errno.h>
#include <string.h>

uint32_t dataplane_payload_layout_hash(void)
{
	/* The names too: two builds that count other things under the same number must not read each other.
	 */
	static const char names[] = ""
#define COUNTER(id, name, kind, unit, help) #id ","
#include "shm/counters.def"
#undef COUNTER
#define REASON(id, name, verdict, action, row, help) #id ","
#include "shm/reasons.def"
#undef REASON
		;
	static const uint32_t numbers[] = {
		sizeof(struct dataplane_payload),
		offsetof(struct dataplane_payload, control_instance),
		offsetof(struct dataplane_payload, applied_sequence),
		offsetof(struct dataplane_payload, loaded_generation),
		offsetof(struct dataplane_payload, state),
		offsetof(struct dataplane_payload, started_mono_ns),
		offsetof(struct dataplane_payload, first_governed_mono_ns),
		offsetof(struct dataplane_payload, bans_v4),
		offsetof(struct dataplane_payload, image_rejected),
		offsetof(struct dataplane_payload, last_image_error),
		offsetof(struct dataplane_payload, n_lcores),
		offsetof(struct dataplane_payload, offload_bans),
		offsetof(struct dataplane_payload, lcores),
		sizeof(struct dataplane_lcore),
		offsetof(struct dataplane_lcore, events),
		offsetof(struct counters, reasons),
		offsetof(struct event_ring, dropped),
		offsetof(struct event_ring, records),
		sizeof(struct event_record),
		offsetof(struct event_record, client),
		offsetof(struct event_record, kind),
		offsetof(struct event_record, service),
		offsetof(struct event_record, rtt_us),
		offsetof(struct event_record, bytes_out),
		offsetof(struct event_record, checksum),
		EVENT_RING_RECORDS,
		EVENT_KIND_COUNT,
		DATAPLANE_LCORES_MAX,
		DATAPLANE_STATE_STOPPED,
		0x01020304,
	};

	return checksum_crc32c(checksum_crc32c(0, names, sizeof(names)), numbers, sizeof(numbers));
}

size_t dataplane_payload_bytes(unsigned n_lcores)
{
	return offsetof(struct dataplane_payload, lcores) + n_lcores * sizeof(struct dataplane_lcore);
}

static uint32_t event_record_checksum(const struct event_record *event)
{
	struct event_record copy = *event;

	copy.checksum = 0;
	return checksum_crc32c(0, &copy, sizeof(copy));
}

int event_ring_push(struct event_ring *ring, uint64_t consumed_sequence, const struct event_record *event)
{
	/* Relaxed: this lcore is the only writer of both words. */
	uint64_t head = atomic_load_explicit(&ring->head_sequence, memory_order_relaxed);
	struct event_record copy = *event;

	/* The reader's word is not trusted: what cannot be true frees no place. */
	if (consumed_sequence > head)
		consumed_sequence = 0;
	if (head - consumed_sequence >= EVENT_RING_RECORDS) {
		uint64_t dropped = atomic_load_explicit(&ring->dropped, memory_order_relaxed);

		atomic_store_explicit(&ring->dropped, dropped + 1, memory_order_relaxed);
		return -ENOBUFS;
	}
	copy.sequence = head + 1;
	copy.checksum = event_record_checksum(&copy);
	ring->records[head % EVENT_RING_RECORDS] = copy;
	/* Release: pairs with the acquire fence in event_ring_read. Who sees this head sees the record. */
	atomic_store_explicit(&ring->head_sequence, head + 1, memory_order_release);
	return 0;
}

static size_t event_ring_offset(unsigned lcore)
{
	return offsetof(struct dataplane_payload, lcores) + lcore * sizeof(struct dataplane_lcore) +
	       offsetof(struct dataplane_lcore, events);
}

static bool event_record_is(const struct event_record *event, uint64_t sequence)
{
	return event->sequence == sequence && event->checksum == event_record_checksum(event) &&
	       event->kind > EVENT_NONE && event->kind < EVENT_KIND_COUNT;
}

/* Copy events first .. first + n - 1, in two parts when they wrap. */
static int event_ring_copy(const struct segment_reader *reader, unsigned lcore, uint64_t first,
	struct event_record *events, unsigned n)
{
	size_t base = event_ring_offset(lcore) + offsetof(struct event_ring, records);
	size_t index = (first - 1) % EVENT_RING_RECORDS;
	size_t upper = EVENT_RING_RECORDS - index < n ? EVENT_RING_RECORDS - index : n;
	int rc = segment_reader_read(reader, base + index * sizeof(*events), events, upper * sizeof(*events));

	if (rc == 0 && upper < n)
		rc = segment_reader_read(reader, base, events + upper, (n - upper) * sizeof(*events));
	return rc;
}

static bool event_ring_has_lcore(const struct segment_reader *reader, unsigned lcore)
{
	return lcore < reader->header.parameters[0] && lcore < DATAPLANE_LCORES_MAX;
}

int event_ring_read(const struct segment_reader *reader, unsigned lcore, uint64_t *cursor,
	struct event_record *events, unsigned max, uint64_t *ret_lost)
{
	uint64_t head, first, lost = 0;
	unsigned n, good = 0;
	int rc;

	if (!event_ring_has_lcore(reader, lcore))
		return -EINVAL;
	rc = segment_reader_read(reader,
		event_ring_offset(lcore) + offsetof(struct event_ring, head_sequence), &head, sizeof(head));
	if (rc < 0)
		return rc;
	/* Acquire: pairs with the release in event_ring_push. The kernel copies in this thread, so the fence
	 * stands between its load of the head and its loads of the records. */
	atomic_thread_fence(memory_order_acquire);
	if (head < *cursor) {
		/* A head never goes back: the cursor is of another instance or something is damaged. Going on
		 * from the head repeats no event, and "lost" makes the caller reconcile. */
		*cursor = head;
		*ret_lost += 1;
		return 0;
	}
	first = *cursor + 1;
	if (head - *cursor > EVENT_RING_RECORDS) {
		first = head - EVENT_RING_RECORDS + 1;
		lost = first - 1 - *cursor;
	}
	if (max > INT32_MAX)
		max = INT32_MAX;
	n = head + 1 - first < max ? (unsigned)(head + 1 - first) : max;
	rc = event_ring_copy(reader, lcore, first, events, n);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; i < n; i++) {
		if (event_record_is(&events[i], first + i))
			events[good++] = events[i];
		else
			lost++;
	}
	*cursor = first - 1 + n;
	*ret_lost += lost;
	return (int)good;
}

int dataplane_payload_read(const struct segment_reader *reader, struct dataplane_payload *ret_fixed_part)
{
	struct dataplane_payload copy;
	int rc = segment_reader_read(reader, 0, &copy, sizeof(copy));

	if (rc < 0)
		return rc;
	memcpy(ret_fixed_part, &copy, sizeof(copy));
	return 0;
}

int dataplane_counters_read(
	const struct segment_reader *reader, unsigned lcore, struct counters *ret_counters)
{
	struct counters copy;
	int rc;

	if (!event_ring_has_lcore(reader, lcore))
		return -EINVAL;
	rc = segment_reader_read(reader,
		offsetof(struct dataplane_payload, lcores) + lcore * sizeof(struct dataplane_lcore) +
			offsetof(struct dataplane_lcore, counters),
		&copy, sizeof(copy));
	if (rc < 0)
		return rc;
	memcpy(ret_counters, &copy, sizeof(copy));
	return 0;
}
