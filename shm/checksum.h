/* SPDX-License-Identifier: BSD-3-Clause
 * The scalar twin of checksum_crc32c (segment.h), seen so that tests and benchmarks can hold both against
 * each other. Pure function, any thread; everybody else calls checksum_crc32c.
 */
#ifndef WEIR_SHM_CHECKSUM_H
#define WEIR_SHM_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/** CRC-32C by table, the same result as checksum_crc32c on every input. */
uint32_t checksum_crc32c_scalar(uint32_t seed, const void *data, size_t bytes);

#endif
