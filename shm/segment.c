// SPDX-License-Identifier: BSD-3-Clause
/* Segments (segment.h). The owner creates under a lock: it opens (or makes) the file at the path, locks it,
 * builds the new one beside it and renames it into place, so readers of the old file keep a whole old file
 * and see by its inode that it is stale. Runs in start-up and in the reader's thread; no packet path comes
 * here.
 */
#include "shm/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shm/segment_header.h"

enum { SEGMENT_PATH_MAX = 4096, SEGMENT_LOCK_TRIES = 16 };

uint64_t random_u64(void)
{
	uint64_t value = 0;

	while (value == 0) {
		ssize_t n = getrandom(&value, sizeof(value), 0);

		/* Without random numbers nothing that is keyed by them is safe: no fallback. EINTR only
		 * before the pool is ready. */
		if (n < 0 && errno != EINTR)
			abort();
		if (n != (ssize_t)sizeof(value))
			value = 0;
	}
	return value;
}

static enum segment_error segment_error_of_errno(void)
{
	switch (errno) {
	case ENOENT:
	case ENOTDIR:
		return SEGMENT_ERROR_ABSENT;
	case EACCES:
	case EPERM:
	case EROFS:
	case ELOOP: /* O_NOFOLLOW met a symbolic link */
		return SEGMENT_ERROR_PERMISSION;
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		return SEGMENT_ERROR_NO_SPACE;
	default:
		return SEGMENT_ERROR_SYSTEM;
	}
}

static void segment_close_fd(int fd)
{
	int saved_errno = errno;

	close(fd);
	errno = saved_errno;
}

/* Write lock on the whole file, bound to this open file description; never waits. */
static enum segment_error segment_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
		return SEGMENT_OK;
	return errno == EAGAIN || errno == EACCES ? SEGMENT_ERROR_BUSY : segment_error_of_errno();
}

static bool segment_is_at(int fd, const char *path)
{
	struct stat mine, named;

	return fstat(fd, &mine) == 0 && lstat(path, &named) == 0 && mine.st_dev == named.st_dev &&
	       mine.st_ino == named.st_ino;
}

/* Open the file at the path and lock it. Between the two, an owner may have replaced or unlinked it: then the
 * lock is on a file that nobody will find again, and we try the new one. */
static enum segment_error segment_open_locked(const char *path, int flags, int *ret_fd)
{
	for (int i = 0; i < SEGMENT_LOCK_TRIES; i++) {
		int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0640);
		enum segment_error error;

		if (fd < 0)
			return segment_error_of_errno();
		error = segment_lock(fd);
		if (error == SEGMENT_OK && segment_is_at(fd, path)) {
			*ret_fd = fd;
			return SEGMENT_OK;
		}
		segment_close_fd(fd);
		if (error != SEGMENT_OK)
			return error;
	}
	return SEGMENT_ERROR_BUSY; /* somebody else creates and removes it all the time */
}

static uint64_t segment_wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Everything allocated before it is mapped: a hole in a full file system would be a SIGBUS on first touch. */
static enum segment_error segment_map(int fd, size_t total_bytes, struct segment *ret_segment)
{
	int rc = posix_fallocate(fd, 0, (off_t)total_bytes);
	void *base;

	if (rc != 0) {
		errno = rc;
		return segment_error_of_errno();
	}
	base = mmap(NULL, total_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (base == MAP_FAILED)
		return errno == ENOMEM ? SEGMENT_ERROR_NO_SPACE : segment_error_of_errno();
	*ret_segment = (struct segment){.fd = fd,
		.header = base,
		.payload = (uint8_t *)base + SEGMENT_HEADER_BYTES,
		.payload_bytes = total_bytes - SEGMENT_HEADER_BYTES};
	return SEGMENT_OK;
}

/* A new, locked, mapped file with a finished header at `path`. Removed again on failure. */
static enum segment_error segment_build(const char *path, enum segment_kind kind, uint32_t layout_hash,
	size_t payload_bytes, const uint64_t parameters[8], struct segment *ret_segment)
{
	struct segment segment = {0};
	enum segment_error error;
	int fd, saved_errno;

	unlink(path); /* of a creator that died; the caller holds the lock that makes us the only one */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return segment_error_of_errno();
	error = fchmod(fd, 0640) == 0 ? segment_lock(fd) : segment_error_of_errno();
	if (error == SEGMENT_OK)
		error = segment_map(fd, SEGMENT_HEADER_BYTES + payload_bytes, &segment);
	if (error != SEGMENT_OK) {
		saved_errno = errno;
		unlink(path);
		close(fd);
		errno = saved_errno;
		return error;
	}
	segment.header->version = SEGMENT_VERSION;
	segment.header->kind = kind;
	segment.header->layout_hash = layout_hash;
	segment.header->header_bytes = SEGMENT_HEADER_BYTES;
	segment.header->total_bytes = SEGMENT_HEADER_BYTES + payload_bytes;
	segment.header->instance = random_u64();
	segment.header->created_wall_ns = segment_wall_ns();
	segment.header->owner_pid = (uint32_t)getpid();
	if (parameters)
		memcpy(segment.header->parameters, parameters, sizeof(segment.header->parameters));
	segment.header->checksum = segment_header_checksum(segment.header);
	/* Release: pairs with the acquire fence of segment_header_read. Whoever sees the magic sees the
	 * header. */
	atomic_store_explicit(&segment.header->magic, SEGMENT_MAGIC, memory_order_release);
	*ret_segment = segment;
	return SEGMENT_OK;
}

enum segment_error segment_create(const char *path, enum segment_kind kind, uint32_t layout_hash,
	size_t payload_bytes, const uint64_t parameters[8], struct segment *ret_segment)
{
	char new_path[SEGMENT_PATH_MAX];
	struct segment segment;
	enum segment_error error;
	struct stat old;
	int old_fd, saved_errno;

	if (payload_bytes > SIZE_MAX / 2 - SEGMENT_HEADER_BYTES ||
		(size_t)snprintf(new_path, sizeof(new_path), "%s.new", path) >= sizeof(new_path)) {
		errno = EINVAL;
		return SEGMENT_ERROR_SYSTEM;
	}
	error = segment_open_locked(path, O_CREAT, &old_fd);
	if (error != SEGMENT_OK)
		return error;
	error = segment_build(new_path, kind, layout_hash, payload_bytes, parameters, &segment);
	if (error == SEGMENT_OK && rename(new_path, path) != 0) {
		error = segment_error_of_errno();
		saved_errno = errno;
		segment_close(&segment, new_path);
		errno = saved_errno;
	}
	/* The empty file that only served as a lock goes too; an old segment stays as it was. */
	if (error != SEGMENT_OK) {
		saved_errno = errno;
		if (fstat(old_fd, &old) == 0 && old.st_size == 0)
			unlink(path);
		errno = saved_errno;
	}
	segment_close_fd(old_fd);
	if (error == SEGMENT_OK)
		*ret_segment = segment;
	return error;
}

enum segment_error segment_take_over(
	const char *path, enum segment_kind kind, uint32_t layout_hash, struct segment *ret_segment)
{
	struct segment_header header;
	enum segment_error error;
	int fd;

	error = segment_open_locked(path, 0, &fd);
	if (error != SEGMENT_OK)
		return error;
	error = segment_header_read(fd, kind, layout_hash, &header);
	if (error == SEGMENT_OK)
		error = segment_map(fd, header.total_bytes, ret_segment);
	if (error != SEGMENT_OK)
		segment_close_fd(fd);
	return error;
}

void segment_close(struct segment *segment, const char *unlink_path_or_null)
{
	if (!segment->header)
		return;
	/* Unlink while the lock is held, and only our own file: a successor may have put its own there. */
	if (unlink_path_or_null && segment_is_at(segment->fd, unlink_path_or_null))
		unlink(unlink_path_or_null);
	munmap(segment->header, SEGMENT_HEADER_BYTES + segment->payload_bytes);
	close(segment->fd);
	*segment = (struct segment){.fd = -1};
}
