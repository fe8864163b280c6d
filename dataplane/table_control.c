// SPDX-License-Identifier: BSD-3-Clause
/* Following control's segment (table_control.h). A control that was killed leaves its segment behind, and its commands stay
 * readable in it: nothing is closed because its owner is dead, only because a new file is at the path.
 */
#include "dataplane/table_control.h"

#include <stdio.h>
#include <string.h>

void table_control_prepare(struct table_control *control, const char *path)
{
	memset(control, 0, sizeof(*control));
	snprintf(control->path, sizeof(control->path), "%s", path);
	control->reader.fd = -1;
}

static void table_control_open(struct table_control *control)
{
	enum segment_error error =
		segment_reader_open(control->path, SEGMENT_KIND_CONTROL, control_payload_layout_hash(), &control->reader);
	char text[512];

	if (error == SEGMENT_OK) {
		control->open = true;
		control->instance = control->reader.header.instance;
	} else if (error != SEGMENT_ERROR_ABSENT && error != control->said) {
		fprintf(stderr, "weir-dataplane: %s\n", segment_error_text(error, control->path, text, sizeof(text)));
	}
	control->said = error;
}

bool table_control_follow(struct table_control *control, uint64_t now_ns)
{
	uint64_t words[3];

	_Static_assert(offsetof(struct control_payload, image_generation) ==
			       offsetof(struct control_payload, head_sequence) + 2 * sizeof(uint64_t),
		"the three words are read at once");
	if (now_ns >= control->next_look_ns) {
		control->next_look_ns = now_ns + TABLE_CONTROL_LOOK_MS * UINT64_C(1000000);
		/* A file that is gone without a successor is still the last word: the open descriptor keeps it. */
		if (!control->open) {
			table_control_open(control);
		} else if (segment_reader_is_stale(&control->reader, control->path)) {
			struct table_control successor = *control;

			successor.open = false;
			table_control_open(&successor);
			if (successor.open) {
				segment_reader_close(&control->reader);
				*control = successor;
			}
		}
	}
	if (!control->open || segment_reader_read(&control->reader, offsetof(struct control_payload, head_sequence), words, sizeof(words)) != 0)
		return false;
	control->head_sequence = words[0];
	control->covered_sequence = words[1];
	control->image_generation = words[2];
	return true;
}

void table_control_consumed_read(const struct table_control *control, uint64_t dataplane_instance,
	uint64_t ret_consumed[CONTROL_RINGS_MAX])
{
	uint64_t instance = 0;

	memset(ret_consumed, 0, CONTROL_RINGS_MAX * sizeof(uint64_t));
	if (!control->open ||
		segment_reader_read(&control->reader, offsetof(struct control_payload, dataplane_instance), &instance,
			sizeof(instance)) != 0 ||
		instance != dataplane_instance)
		return;
	if (segment_reader_read(&control->reader, offsetof(struct control_payload, ring_consumed), ret_consumed,
		    CONTROL_RINGS_MAX * sizeof(uint64_t)) != 0)
		memset(ret_consumed, 0, CONTROL_RINGS_MAX * sizeof(uint64_t));
}

void table_control_close(struct table_control *control)
{
	if (control->open)
		segment_reader_close(&control->reader);
	control->open = false;
}
