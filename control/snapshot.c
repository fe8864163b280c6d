/* SPDX-License-Identifier: BSD-3-Clause
 * Snapshot building: the clock conversion and the order in which image_builder is fed.
 */
#include "control/snapshot.h"

#include <errno.h>
#include <string.h>

void snapshot_policy_from_config(const struct config *config, struct snapshot_policy *ret_policy)
{
	memset(ret_policy, 0, sizeof(*ret_policy));
	config_to_policy(config, &ret_policy->policy);
	ret_policy->n_services = config_to_services(config, ret_policy->services);
	ret_policy->n_node_addresses = config_to_node_addresses(config, ret_policy->node_addresses);
	for (size_t i = 0; i < config->n_prices; i++)
		ret_policy->prices[i] = (struct snapshot_price){
			config->prices[i].prefix, config_price_to_image(config->prices[i].price)};
	ret_policy->n_prices = config->n_prices;
}

uint32_t snapshot_meta(enum source_class class, int64_t end_wall_ms, const struct snapshot_clock *clock)
{
	if (class == SOURCE_CLASS_NONE || end_wall_ms <= clock->wall_ms)
		return 0;
	if (end_wall_ms == SNAPSHOT_NEVER_MS)
		return ban_meta_make(class, BAN_META_NEVER);
	/* The subtraction cannot overflow: both are times after 1970 and end > now. */
	uint64_t remaining_ms = (uint64_t)(end_wall_ms - clock->wall_ms);
	uint64_t end_s = remaining_ms / 1000 + (clock->mono_ns / 1000000 + remaining_ms % 1000 + 999) / 1000;
	/* The last value means never: a ban of more than 17 years of uptime ends one second before that. */
	return ban_meta_make(class, end_s >= BAN_META_NEVER ? BAN_META_NEVER - 1 : (uint32_t)end_s);
}

int snapshot_begin(const struct snapshot_policy *policy, const struct snapshot_clock *clock,
	struct snapshot *ret_snapshot)
{
	struct snapshot snapshot = {.clock = *clock};
	int error = image_builder_create(&snapshot.builder);
	if (error != 0)
		return error;
	error = image_builder_set_policy(snapshot.builder, &policy->policy);
	for (size_t i = 0; i < policy->n_node_addresses && error == 0; i++)
		error = image_builder_add_node_address(snapshot.builder, &policy->node_addresses[i]);
	for (size_t i = 0; i < policy->n_services && error == 0; i++)
		error = image_builder_add_service(snapshot.builder, &policy->services[i]);
	for (size_t i = 0; i < policy->n_prices && error == 0; i++)
		error = image_builder_add_list(snapshot.builder, IMAGE_LIST_PRICE, &policy->prices[i].prefix,
			policy->prices[i].price);
	if (error != 0) {
		image_builder_destroy(snapshot.builder);
		return error;
	}
	*ret_snapshot = snapshot;
	return 0;
}

int snapshot_add_allow(struct snapshot *snapshot, const struct prefix *prefix)
{
	return image_builder_add_list(snapshot->builder, IMAGE_LIST_ALLOW, prefix, 0);
}

int snapshot_add_deny(struct snapshot *snapshot, const struct prefix *prefix)
{
	return image_builder_add_list(snapshot->builder, IMAGE_LIST_DENY, prefix, 0);
}

int snapshot_add_config_lists(struct snapshot *snapshot, const struct config *config)
{
	int error = 0;
	for (size_t i = 0; i < config->allow.n && error == 0; i++)
		error = snapshot_add_allow(snapshot, &config->allow.items[i].prefix);
	for (size_t i = 0; i < config->deny.n && error == 0; i++)
		error = snapshot_add_deny(snapshot, &config->deny.items[i].prefix);
	return error;
}

int snapshot_add_ban(
	struct snapshot *snapshot, const struct prefix *prefix, enum source_class class, int64_t end_wall_ms)
{
	uint32_t meta = snapshot_meta(class, end_wall_ms, &snapshot->clock);
	return meta == 0 ? 0 : image_builder_add_ban(snapshot->builder, prefix, meta);
}

int snapshot_finish(struct snapshot *snapshot, uint64_t instance, uint64_t generation,
	uint64_t covers_sequence, void **ret_block, size_t *ret_bytes)
{
	struct image_stamp stamp = {
		.instance = instance,
		.generation = generation,
		.covers_sequence = covers_sequence,
		.built_mono_ns = snapshot->clock.mono_ns,
		.built_wall_ns = (uint64_t)snapshot->clock.wall_ms * 1000000,
	};
	return image_builder_finish(snapshot->builder, &stamp, ret_block, ret_bytes);
}

void snapshot_free(struct snapshot *snapshot)
{
	image_builder_destroy(snapshot->builder);
	snapshot->builder = NULL;
}
