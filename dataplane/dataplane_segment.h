/* SPDX-License-Identifier: BSD-3-Clause
 * The dataplane's own segment (shm/event_ring.h): made new at every start, kept at the end so that the last counters can be
 * read. Its lock is what refuses a second dataplane of the same instance. Main opens and closes it.
 */
#ifndef WEIR_DATAPLANE_DATAPLANE_SEGMENT_H
#define WEIR_DATAPLANE_DATAPLANE_SEGMENT_H

#include "dataplane/options.h"
#include "shm/event_ring.h"

struct dataplane_segment {
	struct segment segment;
	struct dataplane_payload *payload;
	/* What the segment of the predecessor said: commands up to this one were in force. 0: there was none. */
	uint64_t predecessor_control_instance, predecessor_applied_sequence;
};

/** Also makes shm_dir and run_dir (mode 0750). 0, or -errno after a sentence. */
int dataplane_segment_open(const struct options *options, struct dataplane_segment *ret_segment);
void dataplane_segment_close(struct dataplane_segment *segment);

#endif
