// SPDX-License-Identifier: BSD-3-Clause
/* Radix sort of small records (image_table.h): one counting pass over everything, then one stable scatter for
 * each byte of the key that is not the same in all records. One thread per table.
 */
#include "shm/image_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Key offsets name bytes of numbers in memory: the first is the least significant one. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the image format is little-endian");

enum { IMAGE_TABLE_FIRST_CAPACITY = 64 };

static int image_table_compare(const struct image_table *table, const uint8_t *a, const uint8_t *b)
{
	for (unsigned k = table->key_bytes; k-- > 0;) {
		unsigned offset = table->key_offsets[k];

		if (a[offset] != b[offset])
			return a[offset] < b[offset] ? -1 : 1;
	}
	return 0;
}

int image_table_push(struct image_table *table, const void *record)
{
	uint8_t *place;

	if (table->n == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : IMAGE_TABLE_FIRST_CAPACITY;
		uint8_t *records = reallocarray(table->records, capacity, table->record_bytes);

		if (!records)
			return -ENOMEM;
		table->records = records;
		table->capacity = capacity;
	}
	place = table->records + table->n * table->record_bytes;
	memcpy(place, record, table->record_bytes);
	if (table->n == 0)
		table->sorted = true;
	else if (table->sorted && image_table_compare(table, place - table->record_bytes, place) > 0)
		table->sorted = false;
	table->n++;
	return 0;
}

/* Inlined with a constant size, so that a record moves as one to three words. */
static inline __attribute__((always_inline)) void image_table_scatter(
	const uint8_t *from, uint8_t *to, size_t n, unsigned offset, size_t *positions, size_t record_bytes)
{
	for (size_t i = 0; i < n; i++, from += record_bytes)
		memcpy(to + positions[from[offset]]++ * record_bytes, from, record_bytes);
}

static void image_table_pass(const struct image_table *table, const uint8_t *from, uint8_t *to,
	unsigned offset, const size_t counts[256])
{
	size_t positions[256], sum = 0;

	for (int digit = 0; digit < 256; digit++) {
		positions[digit] = sum;
		sum += counts[digit];
	}
	switch (table->record_bytes) {
	case 8:
		image_table_scatter(from, to, table->n, offset, positions, 8);
		break;
	case 16:
		image_table_scatter(from, to, table->n, offset, positions, 16);
		break;
	case 24:
		image_table_scatter(from, to, table->n, offset, positions, 24);
		break;
	}
}

int image_table_sort(struct image_table *table)
{
	size_t(*counts)[256];
	uint8_t *other;

	if (table->sorted || table->n < 2)
		return 0;
	counts = calloc(table->key_bytes, sizeof(*counts));
	other = reallocarray(NULL, table->capacity, table->record_bytes);
	if (!counts || !other) {
		free(counts);
		free(other);
		return -ENOMEM;
	}
	for (size_t i = 0; i < table->n; i++)
		for (unsigned k = 0; k < table->key_bytes; k++)
			counts[k][table->records[i * table->record_bytes + table->key_offsets[k]]]++;
	for (unsigned k = 0; k < table->key_bytes; k++) {
		uint8_t *from = table->records;

		if (counts[k][from[table->key_offsets[k]]] == table->n)
			continue; /* the same byte everywhere */
		image_table_pass(table, from, other, table->key_offsets[k], counts[k]);
		table->records = other;
		other = from;
	}
	free(other);
	free(counts);
	table->sorted = true;
	return 0;
}

void image_table_free(struct image_table *table)
{
	free(table->records);
	table->records = NULL;
	table->n = table->capacity = 0;
}
