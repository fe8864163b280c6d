// SPDX-License-Identifier: BSD-3-Clause
/* Huge pages for benchmarks (huge_memory.h). */
#include "bench/huge_memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE_BYTES = 2 << 20 };

static bool any_transparent, any_small;
static size_t mapped_bytes;

const struct table_memory huge_memory = {.allocate = huge_memory_allocate, .free = huge_memory_free};

const char *huge_memory_kind(void)
{
	return any_small ? "small" : any_transparent ? "transparent" : "huge";
}

size_t huge_memory_bytes(void)
{
	return mapped_bytes;
}

static size_t rounded(size_t bytes)
{
	return (bytes + HUGE_BYTES - 1) / HUGE_BYTES * HUGE_BYTES;
}

/* Aligned by hand: the kernel makes huge only what lies on their borders. */
static void *map_transparent(size_t bytes)
{
	uint8_t *wide = mmap(NULL, bytes + HUGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t before;

	if (wide == MAP_FAILED)
		return NULL;
	before = (HUGE_BYTES - (uintptr_t)wide % HUGE_BYTES) % HUGE_BYTES;
	if (before != 0)
		munmap(wide, before);
	munmap(wide + before + bytes, HUGE_BYTES - before);
	if (madvise(wide + before, bytes, MADV_HUGEPAGE) == 0)
		any_transparent = true;
	else
		any_small = true;
	return wide + before;
}

void *huge_memory_allocate(void *context, size_t bytes)
{
	void *block;

	(void)context;
	/* Small things share pages with nobody and gain nothing. */
	if (bytes < HUGE_BYTES) {
		block = aligned_alloc(64, (bytes + 63) / 64 * 64);
		return block ? memset(block, 0, bytes) : NULL;
	}
	bytes = rounded(bytes);
	block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
	if (block == MAP_FAILED)
		block = map_transparent(bytes);
	if (!block)
		return NULL;
	mapped_bytes += bytes;
	/* Every page is there before the clock runs. */
	return memset(block, 0, bytes);
}

void huge_memory_free(void *context, void *block, size_t bytes)
{
	(void)context;
	if (!block)
		return;
	if (bytes < HUGE_BYTES) {
		free(block);
		return;
	}
	mapped_bytes -= rounded(bytes);
	munmap(block, rounded(bytes));
}
