/* SPDX-License-Identifier: BSD-3-Clause
 * A growing array of small records and its radix sort: the builder's storage for bans and prefixes. One
 * thread per table. Ten million records of 8 bytes sort in well under a second; records that came in order
 * are not touched.
 */
#ifndef WEIR_SHM_IMAGE_TABLE_H
#define WEIR_SHM_IMAGE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMAGE_TABLE_KEY_BYTES_MAX = 18 };

struct image_table {
	uint8_t *records;
	size_t n, capacity;
	size_t record_bytes; /* 8, 16 or 24 */
	/* offsets inside a record of the bytes of its key, the least significant first */
	uint8_t key_offsets[IMAGE_TABLE_KEY_BYTES_MAX];
	unsigned key_bytes;
	bool sorted;
};

/** Copy one record to the end. -ENOMEM: the table is as before. */
int image_table_push(struct image_table *table, const void *record);
/** Sort by key, keeping the order of equal keys. -ENOMEM: the table is as before. */
int image_table_sort(struct image_table *table);
void image_table_free(struct image_table *table);

#endif
