/* SPDX-License-Identifier: BSD-3-Clause
 * A stage for a replay, built as weir-control and weir-dataplane build theirs. See replay_stage.h.
 */
#include "tools/replay_stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/snapshot.h"

enum {
	FRAGMENTS = 4096, /* as the dataplane has for an lcore */
	/* A long silence is passed in so many steps: a table of a million flows is then walked in a fraction
	   of a second. */
	SILENCE_STEPS = 64,
	/* Fixed parts of the keys, so that one seed gives three different ones. */
	KEY_TABLES = 1,
	KEY_COOKIES = 2,
	KEY_STAGE = 3,
};
/* As often as a busy lcore polls, rounded up to what a capture can tell. */
#define STEP_NS UINT64_C(1000000)
/* Bounds the stage's own product of elapsed time and flows (2^28 at most) to 64 bits; without flows a step
 * costs nothing. */
#define STEP_MAX_NS UINT64_C(60000000000)

static struct hash_key key_make(uint64_t seed, uint64_t part, uint64_t number)
{
	const struct hash_key fixed = {seed, ~seed};

	return (struct hash_key){
		keyed_hash_3(&fixed, part, number, 0), keyed_hash_3(&fixed, part, number, 1)};
}

static void segment_count(
	void *context, enum side side, const struct next_hop *hop, const struct reply_tcp *segment)
{
	struct replay_stage *replay = context;

	(void)side;
	(void)hop;
	(void)segment;
	replay->segments++;
}

static void event_count(void *context, const struct event_record *event)
{
	struct replay_stage *replay = context;

	if (event->kind < EVENT_KIND_COUNT)
		replay->events[event->kind]++;
}

/* Configuration, lists and bans as one image in memory. 0 or -errno. */
static int image_make(const struct config *config, const struct ban_file *bans, int64_t start_wall_ms,
	void **ret_block, size_t *ret_bytes)
{
	const struct snapshot_clock clock = {.wall_ms = start_wall_ms, .mono_ns = REPLAY_CLOCK_BASE_NS};
	struct snapshot_policy *policy = calloc(1, sizeof(*policy));
	struct snapshot snapshot;
	int error;

	if (!policy)
		return -ENOMEM;
	snapshot_policy_from_config(config, policy);
	error = snapshot_begin(policy, &clock, &snapshot);
	free(policy);
	if (error < 0)
		return error;
	error = snapshot_add_config_lists(&snapshot, config);
	for (size_t i = 0; error == 0 && bans && i < bans->n; i++) {
		const struct ban_entry *entry = &bans->entries[i];
		int64_t end_ms = SNAPSHOT_NEVER_MS;
		if (entry->has_duration && entry->duration_ms != 0)
			end_ms = start_wall_ms + (int64_t)entry->duration_ms;
		error = snapshot_add_ban(&snapshot, &entry->prefix, SOURCE_CLASS_BANNED, end_ms);
	}
	if (error == 0)
		error = snapshot_finish(&snapshot, 1, 1, 0, ret_block, ret_bytes);
	snapshot_free(&snapshot);
	return error;
}

static int tables_make(
	struct replay_stage *replay, const struct config *config, const struct image_view *view)
{
	const struct stage_output output = {
		.context = replay, .send_segment = segment_count, .event = event_count};
	const struct hash_key keys[3] = {key_make(replay->seed, KEY_TABLES, 0),
		key_make(replay->seed, KEY_COOKIES, 0), key_make(replay->seed, KEY_COOKIES, 0)};
	const struct stage_shared_sizes sizes = {.pressure_keys = UINT64_C(1) << config->pressure_keys_log2,
		.proven_sources = UINT64_C(1) << config->proven_log2,
		/* every flow counts at four levels */
		.concurrency_prefixes = (UINT64_C(1) << config->flows_log2) * IMAGE_LEVEL_COUNT};
	const struct stage_sizes stage_sizes = {.fragments = FRAGMENTS};
	uint32_t flows = UINT32_C(1) << config->flows_log2;
	int error;

	replay->counters = aligned_alloc(64, (sizeof(*replay->counters) + 63) / 64 * 64);
	/* Ordinary zeroed memory costs only the pages that are used. */
	replay->storage =
		table_memory_heap.allocate(table_memory_heap.context, (size_t)flows * sizeof(struct flow));
	if (!replay->counters || !replay->storage)
		return -ENOMEM;
	memset(replay->counters, 0, sizeof(*replay->counters));
	error = stage_shared_create(&sizes, keys, &table_memory_heap, &replay->shared);
	if (error == 0)
		error = flow_table_create(
			replay->storage, flows, &keys[0], &table_memory_heap, &replay->flows);
	if (error == 0)
		error = stage_create(replay->shared, replay->flows, replay->counters, &output, &stage_sizes,
			&table_memory_heap, key_make(replay->seed, KEY_STAGE, 0).k0, REPLAY_CLOCK_BASE_NS,
			&replay->stage);
	if (error == 0)
		error = ruleset_create(
			view, replay->shared->unproven, replay->shared->proven_opens, &replay->rules);
	if (error == 0)
		error = ruleset_tables_create(replay->rules, view, 0, &keys[0], &table_memory_heap);
	return error;
}

int replay_stage_create(const struct config *config, const struct ban_file *bans, int64_t start_wall_ms,
	uint64_t seed, char *sentence, size_t sentence_bytes, struct replay_stage **ret_replay)
{
	struct replay_stage *replay = calloc(1, sizeof(*replay));
	struct image_view view;
	enum image_error wrong = IMAGE_OK;
	size_t bytes = 0;
	int error = -ENOMEM;

	if (replay) {
		replay->seed = seed;
		replay->now_ns = replay->stepped_ns = REPLAY_CLOCK_BASE_NS;
		replay->flows_bytes = sizeof(struct flow) << config->flows_log2;
		error = image_make(config, bans, start_wall_ms, &replay->image, &bytes);
	}
	if (error == 0) {
		wrong = image_validate(replay->image, bytes, &view);
		error = wrong == IMAGE_OK ? tables_make(replay, config, &view) : -EINVAL;
	}
	if (error == 0) {
		*ret_replay = replay;
		return 0;
	}
	if (wrong != IMAGE_OK)
		snprintf(sentence, sentence_bytes, "%s", image_error_text(wrong));
	else
		snprintf(sentence, sentence_bytes, "the stage cannot be built: %s", strerror(-error));
	replay_stage_destroy(replay);
	return error;
}

void replay_stage_destroy(struct replay_stage *replay)
{
	if (!replay)
		return;
	if (replay->rules) {
		ruleset_tables_destroy(replay->rules);
		ruleset_destroy(replay->rules);
	}
	stage_destroy(replay->stage, &table_memory_heap);
	flow_table_destroy(replay->flows);
	stage_shared_destroy(replay->shared, &table_memory_heap);
	if (replay->storage)
		table_memory_heap.free(table_memory_heap.context, replay->storage, replay->flows_bytes);
	free(replay->counters);
	free(replay->image);
	free(replay);
}

/* The key of an epoch follows from the seed. */
static void secrets_advance(struct replay_stage *replay)
{
	uint64_t epoch = cookie_epoch_of(replay->now_ns);
	struct hash_key key;

	if (epoch == replay->cookie_epoch)
		return;
	replay->cookie_epoch = epoch;
	key = key_make(replay->seed, KEY_COOKIES, epoch);
	stage_shared_set_cookie_key(replay->shared, epoch, &key);
}

void replay_stage_advance(struct replay_stage *replay, uint64_t now_ns)
{
	uint64_t silence_ns, step_ns;

	if (now_ns > replay->now_ns)
		replay->now_ns = now_ns;
	secrets_advance(replay);
	silence_ns = replay->now_ns - replay->stepped_ns;
	if (silence_ns < STEP_NS)
		return;
	step_ns = silence_ns / SILENCE_STEPS;
	if (step_ns < STEP_NS)
		step_ns = STEP_NS;
	if (step_ns > STEP_MAX_NS)
		step_ns = STEP_MAX_NS;
	while (replay->now_ns - replay->stepped_ns >= step_ns) {
		replay->stepped_ns += step_ns;
		stage_step(
			replay->stage, replay->rules, replay->stepped_ns, flow_table_capacity(replay->flows));
	}
}
