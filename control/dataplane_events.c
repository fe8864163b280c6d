/* SPDX-License-Identifier: BSD-3-Clause
 * The reader of the event rings. A control that restarts goes on where its predecessor stopped, if the same
 * dataplane runs.
 */
#include "control/dataplane_events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	EVENTS_PER_READ = 256, /* 16 KiB on the stack */
	READS_PER_RING = 16,   /* 4096 events a ring and turn: about 4 ms of the governor at 1 us each */
};

void dataplane_events_init(struct dataplane_events *events, const char *path, struct control_payload *payload)
{
	snprintf(events->path, sizeof(events->path), "%s", path);
	snprintf(events->text, sizeof(events->text), "not looked for yet");
	events->payload = payload;
	events->attached = false;
}

void dataplane_events_detach(struct dataplane_events *events)
{
	if (events->attached)
		segment_reader_close(&events->reader);
	events->attached = false;
}

bool dataplane_events_attach(struct dataplane_events *events)
{
	if (events->attached && !segment_reader_is_stale(&events->reader, events->path))
		return false;
	struct segment_reader reader;
	enum segment_error error = segment_reader_open(
		events->path, SEGMENT_KIND_DATAPLANE, dataplane_payload_layout_hash(), &reader);
	/* a file that was removed under a running dataplane still has its events */
	if (error == SEGMENT_ERROR_ABSENT && events->attached)
		return false;
	dataplane_events_detach(events);
	events->reader = reader;
	if (error != SEGMENT_OK) {
		segment_error_text(error, events->path, events->text, sizeof(events->text));
		return false;
	}
	uint64_t instance = events->reader.header.instance, n = events->reader.header.parameters[0];
	if (n == 0 || n > DATAPLANE_LCORES_MAX) {
		snprintf(events->text, sizeof(events->text), "%s: says it has %llu lcores (allowed: 1..%d)",
			events->path, (unsigned long long)n, DATAPLANE_LCORES_MAX);
		segment_reader_close(&events->reader);
		return false;
	}
	events->attached = true;
	events->n_lcores = (unsigned)n;
	events->text[0] = '\0';
	bool same = events->payload->dataplane_instance == instance;
	for (unsigned i = 0; i < CONTROL_RINGS_MAX; i++) {
		uint64_t consumed =
			atomic_load_explicit(&events->payload->ring_consumed[i], memory_order_relaxed);
		events->cursors[i] = same ? consumed : 0;
		atomic_store_explicit(
			&events->payload->ring_consumed[i], events->cursors[i], memory_order_relaxed);
	}
	events->payload->dataplane_instance = instance;
	return true;
}

static bool ring_read(
	struct dataplane_events *events, unsigned lcore, const struct dataplane_link_callbacks *callbacks)
{
	struct event_record records[EVENTS_PER_READ];
	for (int turn = 0; turn < READS_PER_RING; turn++) {
		uint64_t lost = 0;
		int n = event_ring_read(
			&events->reader, lcore, &events->cursors[lcore], records, EVENTS_PER_READ, &lost);
		events->lost += lost;
		if (n < 0)
			return false;
		for (int i = 0; i < n; i++)
			callbacks->event(callbacks->context, &records[i]);
		events->read += (uint64_t)n;
		/* after the records were used: their places may be written again from here on */
		atomic_store_explicit(
			&events->payload->ring_consumed[lcore], events->cursors[lcore], memory_order_release);
		if (n < EVENTS_PER_READ)
			return false;
	}
	return true;
}

bool dataplane_events_read(struct dataplane_events *events, const struct dataplane_link_callbacks *callbacks)
{
	bool more = false;
	uint64_t dropped = 0;
	if (!events->attached)
		return false;
	for (unsigned lcore = 0; lcore < events->n_lcores; lcore++) {
		uint64_t word = 0;
		more |= ring_read(events, lcore, callbacks);
		size_t offset =
			offsetof(struct dataplane_payload, lcores) + lcore * sizeof(struct dataplane_lcore) +
			offsetof(struct dataplane_lcore, events) + offsetof(struct event_ring, dropped);
		if (segment_reader_read(&events->reader, offset, &word, sizeof(word)) == 0)
			dropped += word;
	}
	if (dropped > events->dropped)
		events->lost += dropped - events->dropped;
	events->dropped = dropped;
	return more;
}

uint64_t dataplane_events_heartbeat_ns(const struct dataplane_events *events)
{
	return events->attached ? segment_reader_heartbeat_ns(&events->reader) : 0;
}

static void counters_sum(struct counters *total, const struct counters *one)
{
	for (int i = 0; i < COUNTER_COUNT; i++)
		counter_add(
			total, (enum counter)i, atomic_load_explicit(&one->values[i], memory_order_relaxed));
	for (int i = 0; i < REASON_COUNT; i++)
		counter_reason_add(
			total, (enum reason)i, atomic_load_explicit(&one->reasons[i], memory_order_relaxed));
}

void dataplane_events_status(
	struct dataplane_events *events, uint64_t mono_ns, struct dataplane_status *ret_status)
{
	struct counters one;
	ret_status->attached = events->attached;
	ret_status->events = events->read;
	ret_status->events_lost = events->lost;
	ret_status->events_dropped = events->dropped;
	snprintf(ret_status->text, sizeof(ret_status->text), "%s", events->text);
	if (!events->attached)
		return;
	uint64_t beat_ns = segment_reader_heartbeat_ns(&events->reader);
	ret_status->heartbeat_age_ms = beat_ns == 0 || beat_ns > mono_ns ? 0 : (mono_ns - beat_ns) / 1000000;
	ret_status->instance = events->reader.header.instance;
	ret_status->pid = events->reader.header.owner_pid;
	ret_status->lcores = events->n_lcores;
	if (dataplane_payload_read(&events->reader, &ret_status->payload) != 0)
		memset(&ret_status->payload, 0, sizeof(ret_status->payload));
	for (unsigned i = 0; i < events->n_lcores; i++) {
		if (dataplane_counters_read(&events->reader, i, &one) == 0)
			counters_sum(&ret_status->total, &one);
	}
}
