/* SPDX-License-Identifier: BSD-3-Clause
 * Shared-memory segments: one file, one writing process. The owner maps it; the other process never maps it
 * but reads with pread, so a truncated or replaced file gives an error and never a SIGBUS. The owner holds an
 * open-file-description lock (close-on-exec) for life: a second owner is refused, and the kernel drops it on
 * any death. Must not log; sentences come from segment_error_text.
 */
#ifndef WEIR_SHM_SEGMENT_H
#define WEIR_SHM_SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum segment_kind {
	SEGMENT_KIND_CONTROL = 1,   /* command_log.h; writer: control */
	SEGMENT_KIND_DATAPLANE = 2, /* counters.h, event_ring.h; writer: dataplane */
	SEGMENT_KIND_FLOWS = 3,     /* dataplane/flow_table.h; writer: dataplane, reader: its successor */
};

#define SEGMENT_MAGIC UINT64_C(0x31474553524957) /* "WIRSEG1" */
enum { SEGMENT_VERSION = 1, SEGMENT_HEADER_BYTES = 256 };

/** First bytes of every segment. All but heartbeat_ns is written once, before the magic. */
struct segment_header {
	_Atomic uint64_t magic; /* written last, with release: a segment without it is not finished */
	uint32_t version;
	uint32_t kind;
	uint32_t layout_hash; /* of everything behind the header */
	uint32_t header_bytes;
	uint64_t total_bytes;
	uint64_t instance; /* random, not 0; new at every creation */
	uint64_t created_wall_ns;
	uint32_t owner_pid; /* of the creator; a take-over keeps it */
	uint32_t checksum;  /* crc32c of the fields above but magic, of which the constant counts */
	_Atomic uint64_t heartbeat_ns; /* CLOCK_MONOTONIC; writer: owner, every 100 ms or less */
	uint64_t parameters[8];        /* per kind: counts that decide the layout; checksummed too */
	uint64_t reserved[16];         /* 0; checksummed too */
};
_Static_assert(sizeof(struct segment_header) == SEGMENT_HEADER_BYTES, "header size is part of the format");

enum segment_error {
	SEGMENT_OK,
	SEGMENT_ERROR_ABSENT,
	SEGMENT_ERROR_BUSY, /* another process owns it */
	SEGMENT_ERROR_PERMISSION,
	SEGMENT_ERROR_NO_SPACE,
	SEGMENT_ERROR_SHORT,
	SEGMENT_ERROR_MAGIC, /* foreign, or never finished */
	SEGMENT_ERROR_OLDER,
	SEGMENT_ERROR_NEWER,
	SEGMENT_ERROR_KIND,
	SEGMENT_ERROR_LAYOUT,
	SEGMENT_ERROR_CHECKSUM,
	SEGMENT_ERROR_SYSTEM, /* errno says */
};

/** The owner's side. */
struct segment {
	int fd;
	struct segment_header *header;
	void *payload; /* header + SEGMENT_HEADER_BYTES, page zeroed at creation */
	size_t payload_bytes;
};

/** Create (or replace) the file and own it. The space is allocated (posix_fallocate), mode 0640.
 * parameters: 8 values copied into the header, or NULL. */
enum segment_error segment_create(const char *path, enum segment_kind kind, uint32_t layout_hash,
	size_t payload_bytes, const uint64_t parameters[8], struct segment *ret_segment);
/** Own an existing file as it is, if its header is valid for these arguments; used to take flows over. On any
 * error but BUSY the caller creates a new one. The instance and the contents are kept. */
enum segment_error segment_take_over(
	const char *path, enum segment_kind kind, uint32_t layout_hash, struct segment *ret_segment);
/** Unmap and drop the lock; unlink the file too if asked. */
void segment_close(struct segment *segment, const char *unlink_path_or_null);

/** The reader's side: no mapping, only a descriptor and a validated private copy of the header. */
struct segment_reader {
	int fd;
	struct segment_header header; /* as validated at open */
};
enum segment_error segment_reader_open(
	const char *path, enum segment_kind kind, uint32_t layout_hash, struct segment_reader *ret_reader);
/** Read payload bytes [offset, offset+bytes): 0, or -ENODATA when the file became too short, or -errno.
 * The copy may be torn: check a checksum or read single aligned words only. */
int segment_reader_read(const struct segment_reader *reader, size_t offset, void *to, size_t bytes);
/** The owner's last heartbeat, ns of CLOCK_MONOTONIC; 0 when it cannot be read. */
uint64_t segment_reader_heartbeat_ns(const struct segment_reader *reader);
/** True when the path no longer leads to the file that was opened: a new owner made a new segment. */
bool segment_reader_is_stale(const struct segment_reader *reader, const char *path);
void segment_reader_close(struct segment_reader *reader);

/** A sentence that says what to do; `path` is printed in it. Returns `text`. */
const char *segment_error_text(enum segment_error error, const char *path, char *text, size_t text_bytes);

/** CRC-32C (Castagnoli), hardware where the CPU has it; `seed` is 0 or the result for the bytes before. */
uint32_t checksum_crc32c(uint32_t seed, const void *data, size_t bytes);
/** 64 random bits from getrandom, never 0. */
uint64_t random_u64(void);

#endif
