// SPDX-License-Identifier: BSD-3-Clause
/* Table memory from the C heap (ban_table.h: table_memory_heap), for tools, tests and tables that need no
 * huge pages. Called at start and by the table thread, never on a packet path.
 */
#include <stdint.h>
#include <stdlib.h>

#include "dataplane/ban_table.h"

enum { TABLE_MEMORY_ALIGN = 64 };

/* calloc and not aligned_alloc with memset: fresh pages are zero already, and a sparse table need not touch
 * them. The block calloc gave is remembered in the word before the aligned one: rounding base + 64 down
 * leaves at least 16 bytes there, because malloc aligns to 16. */
static void *heap_allocate(void *context, size_t bytes)
{
	uintptr_t base;
	void **block;

	(void)context;
	if (bytes > SIZE_MAX - TABLE_MEMORY_ALIGN)
		return NULL;
	base = (uintptr_t)calloc(1, bytes + TABLE_MEMORY_ALIGN);
	if (!base)
		return NULL;
	block = (void **)((base + TABLE_MEMORY_ALIGN) & ~(uintptr_t)(TABLE_MEMORY_ALIGN - 1));
	block[-1] = (void *)base;
	return block;
}
_Static_assert(sizeof(void *) <= 16 && _Alignof(max_align_t) >= 16, "room for one pointer before the block");

static void heap_free(void *context, void *block, size_t bytes)
{
	(void)context;
	(void)bytes;
	if (block)
		free(((void **)block)[-1]);
}

const struct table_memory table_memory_heap = {.allocate = heap_allocate, .free = heap_free};
