// SPDX-License-Identifier: BSD-3-Clause
/* Image files (image_file.h): publish by rename, read by pread. Control's publisher thread writes, the
 * dataplane's table thread reads; neither maps the file, so nothing that happens to it can raise a signal.
 */
#include "shm/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/image.h"

static int image_file_write(int fd, const uint8_t *block, size_t bytes)
{
	int rc = posix_fallocate(fd, 0, (off_t)bytes);

	if (rc != 0)
		return -rc;
	if (fchmod(fd, 0640) != 0)
		return -errno;
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pwrite(fd, block + done, bytes - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

int image_file_publish(const char *path, const void *block, size_t bytes)
{
	char new_path[PATH_MAX];
	int fd, rc;

	if (bytes == 0)
		return -EINVAL;
	if ((size_t)snprintf(new_path, sizeof(new_path), "%s.new", path) >= sizeof(new_path))
		return -ENAMETOOLONG;
	unlink(new_path); /* of a publisher that was killed */
	fd = open(new_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	rc = image_file_write(fd, block, bytes);
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && rename(new_path, path) != 0)
		rc = -errno;
	if (rc < 0)
		unlink(new_path);
	return rc;
}

/* All `bytes`, or -ENODATA when the file ends before. */
static int image_file_fill(int fd, uint8_t *block, size_t bytes)
{
	for (size_t done = 0; done < bytes;) {
		ssize_t n = pread(fd, block + done, bytes - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		done += (size_t)n;
	}
	return 0;
}

static int image_file_read_fd(int fd, void **ret_block, size_t *ret_bytes)
{
	struct stat file;
	size_t bytes;
	void *block;
	int rc;

	if (fstat(fd, &file) != 0)
		return -errno;
	if (!S_ISREG(file.st_mode))
		return -EINVAL;
	if (file.st_size < (off_t)sizeof(struct image_header))
		return -ENODATA;
	if ((uint64_t)file.st_size > IMAGE_BYTES_MAX)
		return -EFBIG;
	bytes = (size_t)file.st_size;
	block = aligned_alloc(64, (bytes + 63) / 64 * 64);
	if (!block)
		return -ENOMEM;
	rc = image_file_fill(fd, block, bytes);
	if (rc < 0) {
		free(block);
		return rc;
	}
	*ret_block = block;
	*ret_bytes = bytes;
	return 0;
}

int image_file_read(const char *path, void **ret_block, size_t *ret_bytes)
{
	/* O_NONBLOCK: a FIFO put at the path must not hold us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK), rc;

	if (fd < 0)
		return -errno;
	rc = image_file_read_fd(fd, ret_block, ret_bytes);
	close(fd);
	return rc;
}
