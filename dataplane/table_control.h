/* SPDX-License-Identifier: BSD-3-Clause
 * Control's segment as the table thread follows it: found, read word by word, noticed when a new control replaces it. Only pread,
 * never a mapping: whatever happens to the file, the answer is a number or "not there". Table thread only.
 */
#ifndef WEIR_DATAPLANE_TABLE_CONTROL_H
#define WEIR_DATAPLANE_TABLE_CONTROL_H

#include "shm/command_log.h"
#include "shm/paths.h"

enum { TABLE_CONTROL_LOOK_MS = 50 /* how often the path is looked at for a new segment */ };

struct table_control {
	char path[PATHS_TEXT_MAX];
	struct segment_reader reader;
	bool open;
	enum segment_error said; /* the last refusal that was reported */
	uint64_t next_look_ns;
	/* As last read */
	uint64_t instance, head_sequence, covered_sequence, image_generation;
};

void table_control_prepare(struct table_control *control, const char *path);
/** Look for a new segment now and then, and read the head words. False: there is none, or it cannot be read. */
bool table_control_follow(struct table_control *control, uint64_t now_ns);
/** How far control has read the event rings of dataplane segment `dataplane_instance`; zeros when it speaks of another one. */
void table_control_consumed_read(const struct table_control *control, uint64_t dataplane_instance,
	uint64_t ret_consumed[CONTROL_RINGS_MAX]);
void table_control_close(struct table_control *control);

#endif
