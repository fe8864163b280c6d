/* SPDX-License-Identifier: BSD-3-Clause
 * Compiles prefixes of one address family into the labelled intervals of an image. Used by the builder only.
 * Pure but for the arrays that it fills; one thread per compilation.
 */
#ifndef WEIR_SHM_IMAGE_LISTS_H
#define WEIR_SHM_IMAGE_LISTS_H

#include "shm/image.h"

/** One prefix as the builder keeps it. IPv4 stands in the low 32 bits, without the mapped mark. */
struct image_list_entry {
	uint64_t low, high; /* host order */
	uint32_t meta;
	uint8_t kind;
	uint8_t length; /* in the 16-byte form */
	uint16_t reserved;
};
_Static_assert(sizeof(struct image_list_entry) == 24, "compact: millions of them are sorted");

/** What is filled. The arrays belong to the caller: labels for all entries of both families and label 0,
 * starts and interval labels for twice the entries of the family and one. */
struct image_lists_output {
	struct image_list_label *labels; /* [0] is label 0 already; both families append */
	uint64_t n_labels;
	uint32_t *v4_starts; /* one of the two, the other NULL */
	struct image_v6_start *v6_starts;
	uint32_t *interval_labels;
	uint64_t n_intervals;
};

/** Entries sorted by address, length, kind; duplicates allowed. The output starts with an interval at 0. */
void image_lists_compile(const struct image_list_entry *entries, size_t n, struct image_lists_output *output);

#endif
