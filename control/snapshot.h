/* SPDX-License-Identifier: BSD-3-Clause
 * From configuration, lists and bans to a snapshot image in memory (shm/image.h). Used by weir-control's
 * publisher on its worker thread and by weir-replay. Pure: clocks come in as arguments, nothing is written.
 * One thread per snapshot.
 */
#ifndef WEIR_CONTROL_SNAPSHOT_H
#define WEIR_CONTROL_SNAPSHOT_H

#include "control/config.h"
#include "shm/image_builder.h"

/** Both clocks read at one moment; ends of bans are wall clock in control and monotonic in the image. */
struct snapshot_clock {
	int64_t wall_ms;
	uint64_t mono_ns;
};

struct snapshot_price {
	struct prefix prefix;
	uint32_t price; /* 1..IMAGE_PRICE_MAX */
};

/** The part of a configuration that an image carries, without the lists that change while control runs: plain
 * data, copied freely. */
struct snapshot_policy {
	struct image_policy policy;
	struct image_service services[IMAGE_SERVICES_MAX];
	struct address node_addresses[IMAGE_NODE_ADDRESSES_MAX];
	struct snapshot_price prices[CONFIG_PRICES_MAX];
	size_t n_services, n_node_addresses, n_prices;
};

struct snapshot {
	struct image_builder *builder;
	struct snapshot_clock clock;
};

#define SNAPSHOT_NEVER_MS INT64_MAX

void snapshot_policy_from_config(const struct config *config, struct snapshot_policy *ret_policy);

/** A ban's meta word: its wall-clock end on the monotonic clock, rounded up to whole seconds and clamped to
 * what the word holds. 0 (SOURCE_CLASS_NONE) when it has ended. SNAPSHOT_NEVER_MS never ends. */
uint32_t snapshot_meta(enum source_class class, int64_t end_wall_ms, const struct snapshot_clock *clock);

/** -ENOMEM; -EINVAL: a value of the policy that no image may carry. snapshot_free after any success. */
int snapshot_begin(const struct snapshot_policy *policy, const struct snapshot_clock *clock,
	struct snapshot *ret_snapshot);
int snapshot_add_allow(struct snapshot *snapshot, const struct prefix *prefix);
int snapshot_add_deny(struct snapshot *snapshot, const struct prefix *prefix);
/** allow and deny of a configuration. */
int snapshot_add_config_lists(struct snapshot *snapshot, const struct config *config);
/** A ban that has ended, or class NONE, is left out and 0 returned. */
int snapshot_add_ban(
	struct snapshot *snapshot, const struct prefix *prefix, enum source_class class, int64_t end_wall_ms);
/** The block is aligned to 64 and freed by the caller with free(). */
int snapshot_finish(struct snapshot *snapshot, uint64_t instance, uint64_t generation,
	uint64_t covers_sequence, void **ret_block, size_t *ret_bytes);
void snapshot_free(struct snapshot *snapshot);

#endif
