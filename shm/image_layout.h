/* SPDX-License-Identifier: BSD-3-Clause
 * What the validator and the builder of images share and nobody else needs. Pure functions, any thread.
 */
#ifndef WEIR_SHM_IMAGE_LAYOUT_H
#define WEIR_SHM_IMAGE_LAYOUT_H

#include "shm/image.h"

/** Bytes of one record of a section. */
size_t image_section_record_bytes(enum image_section section);
/** CRC-32C of the whole image with its checksum field taken as zero; `bytes` >= sizeof(struct image_header).
 */
uint32_t image_checksum(const void *block, size_t bytes);

#endif
