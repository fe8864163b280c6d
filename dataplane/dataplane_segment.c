// SPDX-License-Identifier: BSD-3-Clause
/* The dataplane's segment (dataplane_segment.h). Main, at start and at the end. */
#include "dataplane/dataplane_segment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static int dataplane_directory_make(const char *path)
{
	if (mkdir(path, 0750) == 0 || errno == EEXIST)
		return 0;
	fprintf(stderr, "weir-dataplane: the directory %s cannot be made (%s); make it, or choose another one.\n", path,
		strerror(errno));
	return -errno;
}

/* Commands that cut flows are done once: the successor must know which its predecessor has done. */
static void dataplane_predecessor_read(const char *path, struct dataplane_segment *segment)
{
	struct dataplane_payload *fixed;
	struct segment_reader reader;
	uint64_t words[2];

	if (segment_reader_open(path, SEGMENT_KIND_DATAPLANE, dataplane_payload_layout_hash(), &reader) != SEGMENT_OK)
		return;
	if (segment_reader_read(&reader, offsetof(struct dataplane_payload, control_instance), words, sizeof(words)) == 0) {
		segment->predecessor_control_instance = words[0];
		segment->predecessor_applied_sequence = words[1];
	}
	_Static_assert(offsetof(struct dataplane_payload, applied_sequence) ==
			       offsetof(struct dataplane_payload, control_instance) + sizeof(fixed->control_instance),
		"both words are read at once");
	segment_reader_close(&reader);
}

int dataplane_segment_open(const struct options *options, struct dataplane_segment *ret_segment)
{
	struct dataplane_segment segment = { 0 };
	uint64_t parameters[8] = { options->n_lcores };
	char path[PATHS_TEXT_MAX], text[512];
	enum segment_error error;
	int rc = dataplane_directory_make(options->shm_dir);

	if (rc == 0)
		rc = dataplane_directory_make(options->run_dir);
	if (rc == 0)
		rc = paths_dataplane_segment(options->shm_dir, options->instance, path);
	if (rc < 0)
		return rc;
	dataplane_predecessor_read(path, &segment);
	error = segment_create(path, SEGMENT_KIND_DATAPLANE, dataplane_payload_layout_hash(),
		dataplane_payload_bytes(options->n_lcores), parameters, &segment.segment);
	if (error != SEGMENT_OK) {
		fprintf(stderr, "weir-dataplane: %s\n", segment_error_text(error, path, text, sizeof(text)));
		return error == SEGMENT_ERROR_BUSY ? -EBUSY : -EIO;
	}
	segment.payload = segment.segment.payload;
	segment.payload->n_lcores = options->n_lcores;
	*ret_segment = segment;
	return 0;
}

void dataplane_segment_close(struct dataplane_segment *segment)
{
	segment_close(&segment->segment, NULL);
	segment->payload = NULL;
}
