/* SPDX-License-Identifier: BSD-3-Clause
 * The part of segment.h that owner and reader share: the header's checksum and its validation from a
 * descriptor. Used by shm's own files and tests only.
 */
#ifndef WEIR_SHM_SEGMENT_HEADER_H
#define WEIR_SHM_SEGMENT_HEADER_H

#include "shm/segment.h"

/** CRC-32C over the magic constant and every field of the header but magic, checksum and heartbeat_ns. */
uint32_t segment_header_checksum(const struct segment_header *header);
/** Read the header with pread, check every field and the file's size. Fills *ret_header on SEGMENT_OK only.
 */
enum segment_error segment_header_read(
	int fd, enum segment_kind kind, uint32_t layout_hash, struct segment_header *ret_header);

#endif
