// SPDX-License-Identifier: BSD-3-Clause
/* Fuzz target: image_validate on any bytes, then once more with header, layout hash and checksum put right,
 * so that the rules behind them are reached. What validation accepts must be safe to walk: every label chain
 * ends, every index is in range.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "shm/image_layout.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* More steps than 129 lengths of 3 kinds and label 0 can have mean that validation let a loop through. */
enum { CHAIN_MAX = 129 * 3 + 1 };

static uint32_t walk_chain(const struct image_view *view, uint32_t label)
{
	uint32_t sum = 0;
	int steps = 0;

	while (label != 0) {
		sum += view->list_labels[label].meta + view->list_labels[label].length;
		label = view->list_labels[label].parent;
		if (++steps > CHAIN_MAX)
			abort();
	}
	return sum;
}

static void walk(const struct image_view *view)
{
	volatile uint64_t sum = 0; /* volatile: the reads must happen for ASan to see them */

	for (uint64_t i = 0; i < view->n_list_v4; i++)
		sum += view->list_v4_starts[i] + walk_chain(view, view->list_v4_labels[i]);
	for (uint64_t i = 0; i < view->n_list_v6; i++)
		sum += view->list_v6_starts[i].low + walk_chain(view, view->list_v6_labels[i]);
	for (uint64_t i = 0; i < view->n_bans_v4; i++)
		sum += view->bans_v4[i].address;
	for (uint64_t i = 0; i < view->n_bans_v6; i++)
		sum += view->bans_v6[i].site;
	for (uint64_t i = 0; i < view->n_bans_exact; i++)
		sum += view->bans_exact[i].high;
	for (uint64_t i = 0; i < view->n_node_addresses; i++)
		sum += view->node_addresses[i].bytes[15];
	for (uint64_t i = 0; i < view->n_services; i++)
		sum += strlen(view->services[i].name);
	sum += view->policy->limit_hard;
	(void)sum;
}

static void validate(const void *block, size_t bytes)
{
	struct image_view view;
	enum image_error error = image_validate(block, bytes, &view);
	const char *text = image_error_text(error);

	if (text[strlen(text) - 1] != '.')
		abort();
	if (error == IMAGE_OK)
		walk(&view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct image_header *header;
	uint8_t *block;

	if (posix_memalign((void **)&block, 64, bytes ? bytes : 1) != 0)
		return 0;
	if (bytes)
		memcpy(block, data, bytes);
	validate(block, bytes);
	if (bytes >= sizeof(*header)) {
		header = (struct image_header *)block;
		header->magic = IMAGE_MAGIC;
		header->version = IMAGE_VERSION;
		header->layout_hash = image_layout_hash();
		header->total_bytes = bytes;
		header->checksum = image_checksum(block, bytes);
		validate(block, bytes);
	}
	free(block);
	return 0;
}
