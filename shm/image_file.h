/* SPDX-License-Identifier: BSD-3-Clause
 * Images as files: written beside the old one and renamed over it, read with pread into private memory.
 * Writer: control, one publisher at a time (it owns the control segment). Reader: the dataplane's table
 * thread, or a tool.
 */
#ifndef WEIR_SHM_IMAGE_FILE_H
#define WEIR_SHM_IMAGE_FILE_H

#include <stddef.h>

/** Write `bytes` of `block` to PATH.new and rename it to `path`; mode 0640. The space is allocated first. On
 * any error (-ENOSPC, -EACCES,
 * ...) the old image stays in place and PATH.new is removed. Not synced: the run directory is a tmpfs. */
int image_file_publish(const char *path, const void *block, size_t bytes);
/** Read the whole file into a block aligned to 64 that the caller frees with free(). It may be replaced or
 * truncated meanwhile: the result is one file's bytes, or an error; only image_validate makes it an image.
 * -ENODATA: shorter than an image header, or truncated while read; -EFBIG: longer than IMAGE_BYTES_MAX;
 * -EINVAL: not a regular file; -ENOENT, -ENOMEM, other -errno. */
int image_file_read(const char *path, void **ret_block, size_t *ret_bytes);

#endif
