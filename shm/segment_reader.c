// SPDX-License-Identifier: BSD-3-Clause
/* The reader's side of segments (segment.h): validation and pread, never a mapping. Runs in the other process
 * than the owner's; everything that it copies is untrusted until a checksum, a sequence or a range says
 * otherwise.
 */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/segment_header.h"

uint32_t segment_header_checksum(const struct segment_header *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	uint64_t magic = SEGMENT_MAGIC;
	size_t first = offsetof(struct segment_header, version),
	       parameters = offsetof(struct segment_header, parameters);
	uint32_t crc = checksum_crc32c(0, &magic, sizeof(magic));

	crc = checksum_crc32c(crc, bytes + first, offsetof(struct segment_header, checksum) - first);
	return checksum_crc32c(crc, bytes + parameters, sizeof(*header) - parameters);
}

/* 0, -ENODATA at the end of the file, or -errno. */
static int segment_pread(int fd, uint64_t offset, void *to, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = pread(fd, (uint8_t *)to + done, bytes - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

static enum segment_error segment_header_check(const struct segment_header *header, enum segment_kind kind,
	uint32_t layout_hash, uint64_t file_bytes)
{
	if (atomic_load_explicit(&header->magic, memory_order_relaxed) != SEGMENT_MAGIC)
		return SEGMENT_ERROR_MAGIC;
	/* The version comes before the checksum: another version may compute it differently. */
	if (header->version < SEGMENT_VERSION)
		return SEGMENT_ERROR_OLDER;
	if (header->version > SEGMENT_VERSION)
		return SEGMENT_ERROR_NEWER;
	if (header->checksum != segment_header_checksum(header) || header->instance == 0)
		return SEGMENT_ERROR_CHECKSUM;
	if (header->kind != (uint32_t)kind)
		return SEGMENT_ERROR_KIND;
	if (header->layout_hash != layout_hash || header->header_bytes != SEGMENT_HEADER_BYTES)
		return SEGMENT_ERROR_LAYOUT;
	if (header->total_bytes < SEGMENT_HEADER_BYTES || header->total_bytes != file_bytes)
		return SEGMENT_ERROR_SHORT;
	return SEGMENT_OK;
}

enum segment_error segment_header_read(
	int fd, enum segment_kind kind, uint32_t layout_hash, struct segment_header *ret_header)
{
	struct segment_header header;
	enum segment_error error;
	struct stat file;
	int rc;

	rc = segment_pread(fd, offsetof(struct segment_header, magic), &header.magic, sizeof(header.magic));
	/* Acquire: pairs with the release of the magic in segment_build. The kernel's copy is a load of this
	 * thread, so the fence orders it before the copy of the rest. */
	atomic_thread_fence(memory_order_acquire);
	if (rc == 0)
		rc = segment_pread(fd, 0, &header, sizeof(header));
	if (rc == 0 && fstat(fd, &file) != 0)
		rc = -errno;
	if (rc == -ENODATA)
		return SEGMENT_ERROR_SHORT;
	if (rc < 0) {
		errno = -rc;
		return SEGMENT_ERROR_SYSTEM;
	}
	error = segment_header_check(&header, kind, layout_hash, (uint64_t)file.st_size);
	if (error == SEGMENT_OK)
		*ret_header = header;
	return error;
}

enum segment_error segment_reader_open(
	const char *path, enum segment_kind kind, uint32_t layout_hash, struct segment_reader *ret_reader)
{
	struct segment_reader reader;
	enum segment_error error;
	int saved_errno;

	/* O_NONBLOCK: a FIFO put at the path must not hold us. */
	reader.fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (reader.fd < 0) {
		if (errno == ENOENT || errno == ENOTDIR)
			return SEGMENT_ERROR_ABSENT;
		return errno == EACCES || errno == EPERM || errno == ELOOP ? SEGMENT_ERROR_PERMISSION
									   : SEGMENT_ERROR_SYSTEM;
	}
	error = segment_header_read(reader.fd, kind, layout_hash, &reader.header);
	if (error == SEGMENT_OK) {
		*ret_reader = reader;
		return SEGMENT_OK;
	}
	saved_errno = errno;
	close(reader.fd);
	errno = saved_errno;
	return error;
}

int segment_reader_read(const struct segment_reader *reader, size_t offset, void *to, size_t bytes)
{
	uint64_t payload_bytes = reader->header.total_bytes - SEGMENT_HEADER_BYTES;

	if (offset > payload_bytes || bytes > payload_bytes - offset)
		return -ENODATA;
	return segment_pread(reader->fd, SEGMENT_HEADER_BYTES + offset, to, bytes);
}

uint64_t segment_reader_heartbeat_ns(const struct segment_reader *reader)
{
	uint64_t heartbeat_ns;

	if (segment_pread(reader->fd, offsetof(struct segment_header, heartbeat_ns), &heartbeat_ns,
		    sizeof(heartbeat_ns)) != 0)
		return 0;
	return heartbeat_ns;
}

bool segment_reader_is_stale(const struct segment_reader *reader, const char *path)
{
	struct stat mine, named;

	/* The open descriptor keeps our inode from being reused. */
	return fstat(reader->fd, &mine) != 0 || lstat(path, &named) != 0 || mine.st_dev != named.st_dev ||
	       mine.st_ino != named.st_ino;
}

void segment_reader_close(struct segment_reader *reader)
{
	if (reader->fd >= 0)
		close(reader->fd);
	reader->fd = -1;
}

const char *segment_error_text(enum segment_error error, const char *path, char *text, size_t text_bytes)
{
	static const char *const formats[] = {
		[SEGMENT_OK] = "%s: the segment is good.",
		[SEGMENT_ERROR_ABSENT] = "%s: there is no such segment; start the process that owns it, or "
					 "check the run directory.",
		[SEGMENT_ERROR_BUSY] = "%s: another process owns this segment; stop the other instance, or "
				       "give this one another name.",
		[SEGMENT_ERROR_PERMISSION] = "%s: permission denied (or a symbolic link lies there); run as "
					     "a user who may use the run directory.",
		[SEGMENT_ERROR_NO_SPACE] = "%s: no memory or no space left for the segment; free some on "
					   "that file system, or configure smaller tables.",
		[SEGMENT_ERROR_SHORT] = "%s: the file's size is not what its header says, or it is too short "
					"for a header; restart its owner, which makes a new one.",
		[SEGMENT_ERROR_MAGIC] = "%s: this is not a Weir segment, or its owner died while making it; "
					"move the file away and restart its owner.",
		[SEGMENT_ERROR_OLDER] =
			"%s: the segment was made by an older Weir; restart its owner with this version.",
		[SEGMENT_ERROR_NEWER] = "%s: the segment was made by a newer Weir; upgrade this process, or "
					"restart its owner with this version.",
		[SEGMENT_ERROR_KIND] = "%s: the segment is of another kind than expected; check the run "
				       "directory and the instance's name.",
		[SEGMENT_ERROR_LAYOUT] = "%s: the segment's layout differs from this build's; restart both "
					 "processes from the same build.",
		[SEGMENT_ERROR_CHECKSUM] =
			"%s: the segment's header is damaged; restart its owner, which makes a new one.",
	};
	int saved_errno = errno;

	if ((unsigned)error < sizeof(formats) / sizeof(formats[0])) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, text_bytes, formats[error], path);
#pragma GCC diagnostic pop
	} else {
		snprintf(text, text_bytes, "%s: the system refused: %s; look into that first.", path,
			strerror(saved_errno));
	}
	errno = saved_errno;
	return text;
}
