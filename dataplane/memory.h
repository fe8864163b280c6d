/* SPDX-License-Identifier: BSD-3-Clause
 * Memory of the tables: mapped directly, in huge pages where the system has them, so that tables neither compete with
 * DPDK's heap nor need to know its size. Any thread; never called on a packet path.
 */
#ifndef WEIR_DATAPLANE_MEMORY_H
#define WEIR_DATAPLANE_MEMORY_H

#include "dataplane/ban_table.h"

/** Zeroed, aligned to a page, touched before it is returned. Huge pages are tried first when `huge` was set. */
extern struct table_memory memory_tables;

/** Say once, before any allocation, whether huge pages shall be tried. */
void memory_configure(bool huge);

#endif
