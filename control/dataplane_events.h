/* SPDX-License-Identifier: BSD-3-Clause
 * Reading of the dataplane's segment: event rings and counters. Event loop only, by pread: whatever the file
 * holds, control stays alive. Inside dataplane_link only.
 */
#ifndef WEIR_CONTROL_DATAPLANE_EVENTS_H
#define WEIR_CONTROL_DATAPLANE_EVENTS_H

#include "control/dataplane_link.h"

struct dataplane_events {
	char path[128];
	struct segment_reader reader;
	bool attached;
	unsigned n_lcores;
	struct control_payload *payload;
	uint64_t cursors[DATAPLANE_LCORES_MAX];
	uint64_t read, lost, dropped;
	char text[192];
};

void dataplane_events_init(
	struct dataplane_events *events, const char *path, struct control_payload *payload);
/** Open the segment, or again when a new dataplane made a new one. True if the rings are other ones than
 * before. */
bool dataplane_events_attach(struct dataplane_events *events);
void dataplane_events_detach(struct dataplane_events *events);
/** Bounded; true when more wait. */
bool dataplane_events_read(struct dataplane_events *events, const struct dataplane_link_callbacks *callbacks);
uint64_t dataplane_events_heartbeat_ns(const struct dataplane_events *events);
void dataplane_events_status(
	struct dataplane_events *events, uint64_t mono_ns, struct dataplane_status *ret_status);

#endif
