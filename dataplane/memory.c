// SPDX-License-Identifier: BSD-3-Clause
/* Table memory (memory.h): MAP_HUGETLB, else ordinary pages with transparent huge pages asked for. Populated at
 * once, so that no lcore takes a page fault on a packet. */
#include "dataplane/memory.h"

#include <sys/mman.h>

enum { MEMORY_PAGE_BYTES = 4096, MEMORY_HUGE_BYTES = 2 << 20 };

static bool memory_huge;

/* Both kinds are rounded alike, so that free needs not know which one a block is: munmap of huge pages wants whole ones. */
static size_t memory_round(size_t bytes)
{
	size_t unit = bytes >= MEMORY_HUGE_BYTES ? (size_t)MEMORY_HUGE_BYTES : (size_t)MEMORY_PAGE_BYTES;

	return (bytes + unit - 1) / unit * unit;
}

static void *memory_allocate(void *context, size_t bytes)
{
	size_t rounded = memory_round(bytes);
	void *block = MAP_FAILED;

	(void)context;
	if (bytes == 0 || rounded < bytes)
		return NULL;
	if (memory_huge && bytes >= MEMORY_HUGE_BYTES)
		block = mmap(NULL, rounded, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (block != MAP_FAILED)
		return block;
	block = mmap(NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (block == MAP_FAILED)
		return NULL;
	/* Advice only: without transparent huge pages, or without MADV_POPULATE_WRITE (Linux 5.14), it is slower and right. */
	if (bytes >= MEMORY_HUGE_BYTES)
		madvise(block, rounded, MADV_HUGEPAGE);
	madvise(block, rounded, MADV_POPULATE_WRITE);
	return block;
}

static void memory_free(void *context, void *block, size_t bytes)
{
	(void)context;
	if (block)
		munmap(block, memory_round(bytes));
}

struct table_memory memory_tables = { .allocate = memory_allocate, .free = memory_free };

void memory_configure(bool huge)
{
	memory_huge = huge;
}
