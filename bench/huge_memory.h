/* SPDX-License-Identifier: BSD-3-Clause
 * Memory for benchmarks of tables: 2 MiB pages where the kernel gives them, else transparent ones, else small; it says which. One
 * thread. Not for the product: there EAL owns the pages.
 */
#ifndef WEIR_BENCH_HUGE_MEMORY_H
#define WEIR_BENCH_HUGE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "dataplane/ban_table.h"

/** How the blocks so far were mapped: "huge", "transparent", or "small" as soon as one was. */
const char *huge_memory_kind(void);
/** Bytes mapped now. */
size_t huge_memory_bytes(void);
/** Zeroed, aligned to 2 MiB where larger; NULL: no memory. */
void *huge_memory_allocate(void *context, size_t bytes);
void huge_memory_free(void *context, void *block, size_t bytes);
extern const struct table_memory huge_memory;

#endif
