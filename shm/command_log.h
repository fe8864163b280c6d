/* SPDX-License-Identifier: BSD-3-Clause
 * The command log: what cannot wait for the next image. Lives in control's segment with the pace-maker words.
 * Writer: control's event loop. Reader: the dataplane's table thread, by pread. A record's place is reused
 * only when a published image covers it, so image plus log is always the whole truth. Nobody ever blocks.
 */
#ifndef WEIR_SHM_COMMAND_LOG_H
#define WEIR_SHM_COMMAND_LOG_H

#include "shm/command.h"
#include "shm/segment.h"

enum { COMMAND_LOG_RECORDS = 1 << 16, CONTROL_RINGS_MAX = 64 };

/** Payload of the control segment. */
struct control_payload {
	_Atomic uint64_t head_sequence;    /* last record written; release after the record */
	_Atomic uint64_t covered_sequence; /* image_generation covers every record up to this; records above
					      it are readable */
	_Atomic uint64_t image_generation; /* newest published image, 0 = none yet */
	uint64_t reserved0[5];
	_Atomic uint64_t
		ring_consumed[CONTROL_RINGS_MAX]; /* event rings: last sequence control has read, per ring */
	uint64_t dataplane_instance;              /* whose rings the numbers above belong to */
	uint64_t reserved1[7];
	struct command_record records[COMMAND_LOG_RECORDS]; /* record s is at (s - 1) % COMMAND_LOG_RECORDS */
};

uint32_t control_payload_layout_hash(void);

/* Writer */
/** Append; fills sequence, checksum. -ENOBUFS: the log is full of records that no image covers: publish an
 * image, then try again; the change itself is in control's own state meanwhile. -EINVAL: no such kind, host
 * bits set behind the prefix's length, or a ban without a class. */
int command_log_append(
	struct control_payload *payload, const struct command_record *record, uint64_t *ret_sequence);
/** An image that covers `covers_sequence` is in place: its records may be reused. */
void command_log_cover(struct control_payload *payload, uint64_t generation, uint64_t covers_sequence);

/* Reader */
struct command_log_cursor {
	uint64_t applied_sequence;
};
enum command_log_result {
	COMMAND_LOG_EMPTY, /* nothing new */
	COMMAND_LOG_RECORDS_READ,
	COMMAND_LOG_BEHIND,  /* the next record is gone: load the newest image first */
	COMMAND_LOG_DAMAGED, /* a record's checksum or sequence is wrong twice: load the newest image */
	COMMAND_LOG_LOST,    /* the segment cannot be read */
};
/** Copy up to `max` records after the cursor into `records`; advances the cursor over what was copied. */
enum command_log_result command_log_read(const struct segment_reader *reader,
	struct command_log_cursor *cursor, struct command_record *records, unsigned max, unsigned *ret_n);

#endif
