// SPDX-License-Identifier: BSD-3-Clause
/* The image builder (image_builder.h): collects compact records, sorts each table once, merges duplicates and
 * lays everything out in one block. Runs in control's publisher thread or in a tool; must not read clocks or
 * decide policy.
 */
#include "shm/image_builder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "shm/image_layout.h"
#include "shm/image_lists.h"
#include "shm/image_table.h"

struct image_builder {
	struct image_policy policy;
	bool has_policy;
	unsigned n_node_addresses, n_services;
	struct address node_addresses[IMAGE_NODE_ADDRESSES_MAX];
	struct image_service services[IMAGE_SERVICES_MAX];
	struct image_table lists_v4, lists_v6; /* struct image_list_entry */
	struct image_table bans_v4, bans_v6, bans_exact;
};

/* Compiled lists on their way into the block. */
struct builder_lists {
	struct image_lists_output v4, v6;
	struct image_list_label *labels;
	uint64_t n_labels;
};

/* Append the bytes of a number at `offset` of the record to its key. */
static void builder_key(struct image_table *table, size_t offset, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		table->key_offsets[table->key_bytes++] = (uint8_t)(offset + i);
}

static void builder_lists_key(struct image_table *table)
{
	table->record_bytes = sizeof(struct image_list_entry);
	builder_key(table, offsetof(struct image_list_entry, kind), 1);
	builder_key(table, offsetof(struct image_list_entry, length), 1);
	builder_key(table, offsetof(struct image_list_entry, low), 8);
	builder_key(table, offsetof(struct image_list_entry, high), 8);
}

int image_builder_create(struct image_builder **ret_builder)
{
	struct image_builder *builder = calloc(1, sizeof(*builder));

	if (!builder)
		return -ENOMEM;
	builder_lists_key(&builder->lists_v4);
	builder_lists_key(&builder->lists_v6);
	builder->bans_v4.record_bytes = sizeof(struct image_ban_v4);
	builder_key(&builder->bans_v4, offsetof(struct image_ban_v4, address), 4);
	builder->bans_v6.record_bytes = sizeof(struct image_ban_v6);
	builder_key(&builder->bans_v6, offsetof(struct image_ban_v6, site), 8);
	builder->bans_exact.record_bytes = sizeof(struct image_ban_exact);
	builder_key(&builder->bans_exact, offsetof(struct image_ban_exact, low), 8);
	builder_key(&builder->bans_exact, offsetof(struct image_ban_exact, high), 8);
	*ret_builder = builder;
	return 0;
}

void image_builder_destroy(struct image_builder *builder)
{
	if (!builder)
		return;
	image_table_free(&builder->lists_v4);
	image_table_free(&builder->lists_v6);
	image_table_free(&builder->bans_v4);
	image_table_free(&builder->bans_v6);
	image_table_free(&builder->bans_exact);
	free(builder);
}

int image_builder_set_policy(struct image_builder *builder, const struct image_policy *policy)
{
	if (!image_policy_is_valid(policy))
		return -EINVAL;
	builder->policy = *policy;
	builder->has_policy = true;
	return 0;
}

int image_builder_add_node_address(struct image_builder *builder, const struct address *address)
{
	for (unsigned i = 0; i < builder->n_node_addresses; i++)
		if (address_compare(&builder->node_addresses[i], address) == 0)
			return 0;
	if (builder->n_node_addresses == IMAGE_NODE_ADDRESSES_MAX)
		return -ENOSPC;
	builder->node_addresses[builder->n_node_addresses++] = *address;
	return 0;
}

int image_builder_add_service(struct image_builder *builder, const struct image_service *service)
{
	if (!image_service_is_valid(service))
		return -EINVAL;
	for (unsigned i = 0; i < builder->n_services; i++)
		if (builder->services[i].port == service->port &&
			builder->services[i].protocol == service->protocol)
			return -EEXIST;
	if (builder->n_services == IMAGE_SERVICES_MAX)
		return -ENOSPC;
	builder->services[builder->n_services++] = *service;
	return 0;
}

static uint64_t builder_word(const struct address *address, int first)
{
	uint64_t word = 0;

	for (int i = 0; i < 8; i++)
		word = word << 8 | address->bytes[first + i];
	return word;
}

static bool builder_prefix_is_valid(const struct prefix *prefix)
{
	struct prefix cut;

	if (prefix->length > PREFIX_HOST_LENGTH)
		return false;
	cut = prefix_of(&prefix->address, prefix->length);
	return address_compare(&cut.address, &prefix->address) == 0;
}

static bool builder_ban_is_valid(uint32_t meta)
{
	return ban_meta_class(meta) > SOURCE_CLASS_NONE && ban_meta_class(meta) <= SOURCE_CLASS_BANNED;
}

int image_builder_add_list(
	struct image_builder *builder, enum image_list_kind kind, const struct prefix *prefix, uint32_t meta)
{
	struct image_list_entry entry = {.kind = (uint8_t)kind, .length = prefix->length};

	if (kind < IMAGE_LIST_ALLOW || kind > IMAGE_LIST_PRICE || !builder_prefix_is_valid(prefix) ||
		(kind == IMAGE_LIST_BAN && !builder_ban_is_valid(meta)) ||
		(kind == IMAGE_LIST_PRICE && (meta < 1 || meta > IMAGE_PRICE_MAX)))
		return -EINVAL;
	if (kind == IMAGE_LIST_BAN || kind == IMAGE_LIST_PRICE)
		entry.meta = meta;
	if (prefix_is_v4(prefix)) {
		entry.low = address_v4(&prefix->address);
		return image_table_push(&builder->lists_v4, &entry);
	}
	entry.high = builder_word(&prefix->address, 0);
	entry.low = builder_word(&prefix->address, 8);
	return image_table_push(&builder->lists_v6, &entry);
}

int image_builder_add_ban(struct image_builder *builder, const struct prefix *prefix, uint32_t meta)
{
	bool host = prefix->length == PREFIX_HOST_LENGTH, v4 = prefix_is_v4(prefix);

	if (!host && (v4 || prefix->length != PREFIX_V6_SITE_LENGTH))
		return image_builder_add_list(builder, IMAGE_LIST_BAN, prefix, meta);
	if (!builder_prefix_is_valid(prefix) || !builder_ban_is_valid(meta))
		return -EINVAL;
	if (v4) {
		struct image_ban_v4 ban = {.address = address_v4(&prefix->address), .meta = meta};

		return image_table_push(&builder->bans_v4, &ban);
	}
	if (!host) {
		struct image_ban_v6 ban = {.site = address_v6_site(&prefix->address), .meta = meta};

		return image_table_push(&builder->bans_v6, &ban);
	}
	struct image_ban_exact ban = {.high = builder_word(&prefix->address, 0),
		.low = builder_word(&prefix->address, 8),
		.meta = meta};

	return image_table_push(&builder->bans_exact, &ban);
}

/* Sorted tables keep one ban per key: the greater meta word is the stronger class, then the later end. */
static void builder_merge_v4(struct image_table *table)
{
	struct image_ban_v4 *bans = (void *)table->records;
	size_t kept = 0;

	for (size_t i = 0; i < table->n; i++) {
		if (kept > 0 && bans[kept - 1].address == bans[i].address) {
			if (bans[i].meta > bans[kept - 1].meta)
				bans[kept - 1].meta = bans[i].meta;
			continue;
		}
		bans[kept++] = bans[i];
	}
	table->n = kept;
}

static void builder_merge_v6(struct image_table *table)
{
	struct image_ban_v6 *bans = (void *)table->records;
	size_t kept = 0;

	for (size_t i = 0; i < table->n; i++) {
		if (kept > 0 && bans[kept - 1].site == bans[i].site) {
			if (bans[i].meta > bans[kept - 1].meta)
				bans[kept - 1].meta = bans[i].meta;
			continue;
		}
		bans[kept++] = bans[i];
	}
	table->n = kept;
}

static void builder_merge_exact(struct image_table *table)
{
	struct image_ban_exact *bans = (void *)table->records;
	size_t kept = 0;

	for (size_t i = 0; i < table->n; i++) {
		if (kept > 0 && bans[kept - 1].high == bans[i].high && bans[kept - 1].low == bans[i].low) {
			if (bans[i].meta > bans[kept - 1].meta)
				bans[kept - 1].meta = bans[i].meta;
			continue;
		}
		bans[kept++] = bans[i];
	}
	table->n = kept;
}

static int builder_sort(struct image_builder *builder)
{
	struct image_table *const tables[] = {&builder->lists_v4, &builder->lists_v6, &builder->bans_v4,
		&builder->bans_v6, &builder->bans_exact};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		int rc = image_table_sort(tables[i]);

		if (rc < 0)
			return rc;
	}
	builder_merge_v4(&builder->bans_v4);
	builder_merge_v6(&builder->bans_v6);
	builder_merge_exact(&builder->bans_exact);
	return 0;
}

static void builder_lists_free(struct builder_lists *lists)
{
	free(lists->labels);
	free(lists->v4.v4_starts);
	free(lists->v4.interval_labels);
	free(lists->v6.v6_starts);
	free(lists->v6.interval_labels);
}

static int builder_lists_compile(struct image_builder *builder, struct builder_lists *lists)
{
	size_t n_v4 = builder->lists_v4.n, n_v6 = builder->lists_v6.n;

	*lists = (struct builder_lists){0};
	/* Duplicates shrink the labels, by far not from here to the maximum; label numbers have 32 bits. */
	if (n_v4 + n_v6 >= UINT32_MAX)
		return -E2BIG;
	lists->labels = calloc(n_v4 + n_v6 + 1, sizeof(*lists->labels));
	lists->v4.v4_starts = calloc(2 * n_v4 + 1, sizeof(*lists->v4.v4_starts));
	lists->v4.interval_labels = calloc(2 * n_v4 + 1, sizeof(*lists->v4.interval_labels));
	lists->v6.v6_starts = calloc(2 * n_v6 + 1, sizeof(*lists->v6.v6_starts));
	lists->v6.interval_labels = calloc(2 * n_v6 + 1, sizeof(*lists->v6.interval_labels));
	if (!lists->labels || !lists->v4.v4_starts || !lists->v4.interval_labels || !lists->v6.v6_starts ||
		!lists->v6.interval_labels) {
		builder_lists_free(lists);
		return -ENOMEM;
	}
	lists->v4.labels = lists->labels;
	lists->v4.n_labels = 1; /* label 0 is all zero */
	image_lists_compile((const void *)builder->lists_v4.records, n_v4, &lists->v4);
	lists->v6.labels = lists->labels;
	lists->v6.n_labels = lists->v4.n_labels;
	image_lists_compile((const void *)builder->lists_v6.records, n_v6, &lists->v6);
	lists->n_labels = lists->v6.n_labels;
	return 0;
}

/* What each section holds. */
struct builder_part {
	const void *records;
	uint64_t count;
};

static int builder_block(const struct builder_part parts[IMAGE_SECTION_COUNT],
	const struct image_stamp *stamp, void **ret_block, size_t *ret_bytes)
{
	uint64_t bytes = (sizeof(struct image_header) + 63) / 64 * 64;
	struct image_header *header;
	uint8_t *block;

	for (int i = 0; i < IMAGE_SECTION_COUNT; i++)
		bytes += (parts[i].count * image_section_record_bytes((enum image_section)i) + 63) / 64 * 64;
	if (bytes > IMAGE_BYTES_MAX)
		return -E2BIG;
	block = aligned_alloc(64, bytes);
	if (!block)
		return -ENOMEM;
	header = (struct image_header *)block;
	*header = (struct image_header){.magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.layout_hash = image_layout_hash(),
		.total_bytes = bytes,
		.instance = stamp->instance,
		.generation = stamp->generation,
		.covers_sequence = stamp->covers_sequence,
		.built_mono_ns = stamp->built_mono_ns,
		.built_wall_ns = stamp->built_wall_ns};
	uint64_t at = sizeof(*header), offset = (at + 63) / 64 * 64;

	for (int i = 0; i < IMAGE_SECTION_COUNT; i++) {
		uint64_t part_bytes = parts[i].count * image_section_record_bytes((enum image_section)i);

		memset(block + at, 0, offset - at);
		if (part_bytes > 0)
			memcpy(block + offset, parts[i].records, part_bytes);
		header->sections[i] =
			(struct image_section_entry){.offset_bytes = offset, .count = parts[i].count};
		at = offset + part_bytes;
		offset = (at + 63) / 64 * 64;
	}
	memset(block + at, 0, bytes - at);
	header->checksum = image_checksum(block, bytes);
	*ret_block = block;
	*ret_bytes = bytes;
	return 0;
}

int image_builder_finish(
	struct image_builder *builder, const struct image_stamp *stamp, void **ret_block, size_t *ret_bytes)
{
	struct builder_lists lists;
	int rc;

	if (!builder->has_policy || stamp->instance == 0 || stamp->generation == 0)
		return -EINVAL;
	rc = builder_sort(builder);
	if (rc < 0)
		return rc;
	rc = builder_lists_compile(builder, &lists);
	if (rc < 0)
		return rc;
	const struct builder_part parts[IMAGE_SECTION_COUNT] = {
		[IMAGE_SECTION_POLICY] = {&builder->policy, 1},
		[IMAGE_SECTION_NODE_ADDRESSES] = {builder->node_addresses, builder->n_node_addresses},
		[IMAGE_SECTION_SERVICES] = {builder->services, builder->n_services},
		[IMAGE_SECTION_LIST_LABELS] = {lists.labels, lists.n_labels},
		[IMAGE_SECTION_LIST_V4_STARTS] = {lists.v4.v4_starts, lists.v4.n_intervals},
		[IMAGE_SECTION_LIST_V4_LABELS] = {lists.v4.interval_labels, lists.v4.n_intervals},
		[IMAGE_SECTION_LIST_V6_STARTS] = {lists.v6.v6_starts, lists.v6.n_intervals},
		[IMAGE_SECTION_LIST_V6_LABELS] = {lists.v6.interval_labels, lists.v6.n_intervals},
		[IMAGE_SECTION_BANS_V4] = {builder->bans_v4.records, builder->bans_v4.n},
		[IMAGE_SECTION_BANS_V6] = {builder->bans_v6.records, builder->bans_v6.n},
		[IMAGE_SECTION_BANS_EXACT] = {builder->bans_exact.records, builder->bans_exact.n},
	};

	if (lists.n_labels > IMAGE_LIST_LABELS_MAX)
		rc = -E2BIG;
	else
		rc = builder_block(parts, stamp, ret_block, ret_bytes);
	builder_lists_free(&lists);
	return rc;
}
