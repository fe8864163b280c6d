/* SPDX-License-Identifier: BSD-3-Clause
 * Builds a snapshot image (image.h) from policy, services, lists and bans given in any order. Used by
 * control's publisher, off its event loop, and by weir-replay. One thread per builder; nothing is shared
 * between builders. Must not read clocks, log or decide policy: whether a ban covers an own or allowlisted
 * address is its caller's matter.
 */
#ifndef WEIR_SHM_IMAGE_BUILDER_H
#define WEIR_SHM_IMAGE_BUILDER_H

#include "shm/image.h"

struct image_builder;

/** What the header says of when and where an image was made. */
struct image_stamp {
	uint64_t instance;   /* of the control segment; any number but 0 for an image that stays in memory */
	uint64_t generation; /* 1, 2, 3, ... */
	uint64_t covers_sequence; /* every command up to this one is contained */
	uint64_t built_mono_ns;
	uint64_t built_wall_ns;
};

/** -ENOMEM. The builder starts with no policy, no addresses, no services, no lists and no bans. */
int image_builder_create(struct image_builder **ret_builder);
void image_builder_destroy(struct image_builder *builder);

/** Copied. -EINVAL: image_policy_is_valid says no. */
int image_builder_set_policy(struct image_builder *builder, const struct image_policy *policy);
/** -ENOSPC: more than IMAGE_NODE_ADDRESSES_MAX. Adding one twice is no error. */
int image_builder_add_node_address(struct image_builder *builder, const struct address *address);
/** Copied; its index is the order of adding. -EINVAL: image_service_is_valid says no; -EEXIST: protocol and
 * port are taken; -ENOSPC: more than IMAGE_SERVICES_MAX. */
int image_builder_add_service(struct image_builder *builder, const struct image_service *service);
/** A prefix of the lists, of any length, hosts included. `meta` is for IMAGE_LIST_BAN and
 * IMAGE_LIST_PRICE (else ignored). The same kind and prefix twice is one entry; of two bans the stronger class
 * wins, then the later end; of two prices the higher. Any
 * nesting is accepted: an address's chain has at most one label per length and kind. -EINVAL: kind, meta or
 * prefix is wrong (host bits set too); -ENOMEM. */
int image_builder_add_list(
	struct image_builder *builder, enum image_list_kind kind, const struct prefix *prefix, uint32_t meta);
/** A ban: an IPv4 host, an IPv6 /64 or an IPv6 host goes into the exact tables, every other length into the
 * lists as IMAGE_LIST_BAN. Twice: as above. Adding in ascending order saves the sort. -EINVAL, -ENOMEM as
 * above. */
int image_builder_add_ban(struct image_builder *builder, const struct prefix *prefix, uint32_t meta);

/** Compile everything into one block of *ret_bytes, allocated aligned to 64; the caller frees it with free().
 * The builder stays usable: add more and finish again. O(n) when sorted, else one radix sort per table; the
 * peak is about three times the entries. -EINVAL: no policy yet, instance or generation 0; -E2BIG: more than
 * IMAGE_LIST_LABELS_MAX labels or IMAGE_BYTES_MAX bytes; -ENOMEM. */
int image_builder_finish(
	struct image_builder *builder, const struct image_stamp *stamp, void **ret_block, size_t *ret_bytes);

#endif
