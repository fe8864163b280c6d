// SPDX-License-Identifier: BSD-3-Clause
/* The surviving flows (flow_segment.h). Everything in the segment was written by a predecessor of this very build (the layout
 * hash says so), perhaps killed in the middle of a store: a flow is used only if its state, which is written last, is one that exists.
 */
#include "dataplane/flow_segment.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t flow_segment_layout_hash(void)
{
	/* Bit-fields have no offsets: where they lie shows in the bytes of a flow that has them all set. */
	const struct flow pattern = { .node = 31, .client_shift = 15, .rtt_pending = 1, .window_shift = 15 };
	const uint32_t numbers[] = { sizeof(struct flow), offsetof(struct flow, client_port), offsetof(struct flow, node_port),
		offsetof(struct flow, service), offsetof(struct flow, state), offsetof(struct flow, ban_epoch),
		offsetof(struct flow, client_next), offsetof(struct flow, node_next), offsetof(struct flow, client_acked),
		offsetof(struct flow, node_acked), offsetof(struct flow, handshake_us), offsetof(struct flow, last_ms),
		offsetof(struct flow, born_ms), FLOW_STATE_COUNT, FLOW_STATE_ESTABLISHED, FLOW_STATE_CUT, FLOW_STATE_PROXY_DIAL, FLOW_FLAG_PROVEN,
		FLOW_FLAG_COUNTED, FLOW_FLAG_TRANSLATED, sizeof(struct flow_segment_payload),
		offsetof(struct flow_segment_payload, nodes), offsetof(struct flow_segment_payload, services),
		offsetof(struct flow_segment_payload, flows), IMAGE_NODE_ADDRESSES_MAX, IMAGE_SERVICES_MAX, 0x01020304 };

	return checksum_crc32c(checksum_crc32c(0, numbers, sizeof(numbers)), &pattern, sizeof(pattern));
}

static size_t flow_segment_bytes(uint64_t n_lcores, uint64_t flows_log2)
{
	return offsetof(struct flow_segment_payload, flows) + (n_lcores << flows_log2) * sizeof(struct flow);
}

/* Do the segment's own words agree with its size? */
static bool flow_segment_is_sound(const struct segment *segment)
{
	const struct flow_segment_payload *payload = segment->payload;

	return segment->payload_bytes >= sizeof(*payload) && payload->n_lcores >= 1 && payload->n_lcores <= OPTIONS_LCORES_MAX &&
	       payload->flows_log2 >= 6 && payload->flows_log2 <= 26 && payload->n_nodes <= IMAGE_NODE_ADDRESSES_MAX &&
	       payload->n_services <= IMAGE_SERVICES_MAX &&
	       segment->payload_bytes == flow_segment_bytes(payload->n_lcores, payload->flows_log2);
}

static bool flow_is_live(const struct flow *flow)
{
	return flow->state != FLOW_STATE_FREE && flow->state < FLOW_STATE_COUNT;
}

/* Copy the live flows out and leave their places free. */
static int flow_segment_take_out(struct flow_segment *segment, uint64_t n_places)
{
	struct flow *flows = segment->payload->flows;
	uint64_t n = 0;

	for (uint64_t i = 0; i < n_places; i++)
		n += flow_is_live(&flows[i]);
	segment->n_moved = 0;
	if (n == 0)
		return 0;
	segment->moved = malloc(n * sizeof(struct flow));
	if (!segment->moved)
		return -ENOMEM;
	for (uint64_t i = 0; i < n_places; i++) {
		if (flow_is_live(&flows[i]))
			segment->moved[segment->n_moved++] = flows[i];
		flows[i].state = FLOW_STATE_FREE;
	}
	return 0;
}

/* A predecessor's segment with other sizes becomes one with ours; its numbers and keys are carried over. */
static enum segment_error flow_segment_resize(const char *path, const struct options *options, struct flow_segment *segment)
{
	struct flow_segment_payload old = *segment->payload;
	enum segment_error error;

	if (flow_segment_take_out(segment, old.n_lcores << old.flows_log2) < 0)
		return SEGMENT_ERROR_NO_SPACE;
	segment_close(&segment->segment, NULL);
	error = segment_create(path, SEGMENT_KIND_FLOWS, flow_segment_layout_hash(),
		flow_segment_bytes(options->n_lcores, options->flows_log2), NULL, &segment->segment);
	if (error != SEGMENT_OK)
		return error;
	segment->payload = segment->segment.payload;
	memcpy(segment->payload, &old, sizeof(old));
	segment->payload->n_lcores = options->n_lcores;
	segment->payload->flows_log2 = options->flows_log2;
	return SEGMENT_OK;
}

static enum segment_error flow_segment_new(const char *path, const struct options *options, struct flow_segment *segment)
{
	enum segment_error error = segment_create(path, SEGMENT_KIND_FLOWS, flow_segment_layout_hash(),
		flow_segment_bytes(options->n_lcores, options->flows_log2), NULL, &segment->segment);

	if (error != SEGMENT_OK)
		return error;
	segment->payload = segment->segment.payload;
	segment->payload->n_lcores = options->n_lcores;
	segment->payload->flows_log2 = options->flows_log2;
	segment->payload->dispatch_key = (struct hash_key){ .k0 = random_u64(), .k1 = random_u64() };
	segment->payload->cookie_master = (struct hash_key){ .k0 = random_u64(), .k1 = random_u64() };
	return SEGMENT_OK;
}

int flow_segment_open(const struct options *options, struct flow_segment *ret_segment, struct hash_key *ret_key)
{
	struct flow_segment segment = { .capacity = UINT32_C(1) << options->flows_log2, .n_lcores = options->n_lcores };
	char path[PATHS_TEXT_MAX], text[512];
	enum segment_error error;
	int rc = paths_flow_segment(options->shm_dir, options->instance, path);

	if (rc < 0)
		return rc;
	error = segment_take_over(path, SEGMENT_KIND_FLOWS, flow_segment_layout_hash(), &segment.segment);
	if (error == SEGMENT_OK && !flow_segment_is_sound(&segment.segment)) {
		segment_close(&segment.segment, NULL);
		error = SEGMENT_ERROR_LAYOUT;
	}
	segment.payload = segment.segment.payload;
	if (error == SEGMENT_OK) {
		if (segment.payload->n_lcores != options->n_lcores || segment.payload->flows_log2 != options->flows_log2)
			error = flow_segment_resize(path, options, &segment);
	} else if (error != SEGMENT_ERROR_BUSY) {
		if (error != SEGMENT_ERROR_ABSENT)
			fprintf(stderr, "weir-dataplane: earlier flows are forgotten and adopted again as they speak: %s\n",
				segment_error_text(error, path, text, sizeof(text)));
		error = flow_segment_new(path, options, &segment);
	}
	if (error != SEGMENT_OK) {
		fprintf(stderr, "weir-dataplane: %s\n", segment_error_text(error, path, text, sizeof(text)));
		free(segment.moved);
		return error == SEGMENT_ERROR_BUSY ? -EBUSY : -EIO;
	}
	*ret_key = segment.payload->dispatch_key;
	*ret_segment = segment;
	return 0;
}

int flow_segment_place(struct flow_segment *segment, const struct dispatch *dispatch)
{
	struct flow_segment_payload *payload = segment->payload;
	bool same = payload->rss_table_size == dispatch->rss_table_size &&
		    (dispatch->rss_table_size == 0 || payload->n_queues == dispatch->n_queues);
	int rc = 0;

	if (!same && !segment->moved && segment->n_lcores > 1)
		rc = flow_segment_take_out(segment, (uint64_t)segment->n_lcores * segment->capacity);
	if (rc == 0) {
		payload->rss_table_size = dispatch->rss_table_size;
		payload->n_queues = dispatch->n_queues;
	}
	return rc;
}

struct flow *flow_segment_storage(const struct flow_segment *segment, unsigned lcore)
{
	return segment->payload->flows + (size_t)lcore * segment->capacity;
}

bool flow_segment_fits(const struct flow_segment *segment, const struct ruleset *rules)
{
	const struct flow_segment_payload *payload = segment->payload;

	if (payload->n_nodes != rules->n_nodes || payload->n_services != rules->n_services ||
		memcmp(payload->nodes, rules->nodes, rules->n_nodes * sizeof(rules->nodes[0])) != 0)
		return false;
	for (unsigned i = 0; i < rules->n_services; i++)
		if (payload->services[i].port != rules->services[i].port ||
			payload->services[i].protocol != rules->services[i].protocol)
			return false;
	return true;
}

/* The flow's numbers under `rules`. False: its node or service is gone, so its packets are no longer governed as a flow. */
static bool flow_translate(const struct flow_segment_payload *payload, const struct ruleset *rules, struct flow *flow)
{
	int node = flow->node < payload->n_nodes ? ruleset_node_find(rules, &payload->nodes[flow->node]) : -1;

	if (node < 0 || !flow_is_live(flow))
		return false;
	flow->node = (uint8_t)node;
	if (flow->service == SERVICE_NONE)
		return true;
	if (flow->service >= payload->n_services)
		return false;
	flow->service = ruleset_service_find(rules, payload->services[flow->service].protocol, payload->services[flow->service].port);
	return flow->service != SERVICE_NONE;
}

static void flow_segment_numbers_write(struct flow_segment_payload *payload, const struct ruleset *rules)
{
	payload->n_nodes = rules->n_nodes;
	payload->n_services = rules->n_services;
	memcpy(payload->nodes, rules->nodes, sizeof(payload->nodes));
	for (unsigned i = 0; i < rules->n_services; i++)
		payload->services[i] = (struct flow_segment_service){ .port = rules->services[i].port,
			.protocol = rules->services[i].protocol };
}

static void flow_segment_insert_moved(struct flow_segment *segment, const struct dispatch *dispatch, struct stage *const stages[],
	uint32_t now_ms)
{
	for (uint64_t i = 0; i < segment->n_moved; i++) {
		struct flow *moved = &segment->moved[i], *flow, evicted;
		struct flow_key key = flow_key_of(moved);
		struct flow_table *table = stages[dispatch_owner(dispatch, &key.client)]->flows;
		uint8_t state = moved->state;

		if (state == FLOW_STATE_FREE)
			continue;
		flow = flow_table_insert(table, &key, flow_table_prefetch(table, &key), now_ms, (moved->flags & FLOW_FLAG_PROVEN) != 0,
			&evicted);
		if (!flow)
			continue;
		moved->state = FLOW_STATE_FREE;
		*flow = *moved;
		__atomic_store_n(&flow->state, state, __ATOMIC_RELEASE);
	}
	free(segment->moved);
	segment->moved = NULL;
	segment->n_moved = 0;
}

/* Take back what stage_recount and the stages have counted, before all is counted again. */
static void flow_segment_uncount(struct flow_segment *segment, struct stage *const stages[])
{
	static const enum counter gauges[] = { COUNTER_FLOWS, COUNTER_FLOWS_PROVEN, COUNTER_FLOWS_HALF_OPEN, COUNTER_FLOWS_TRANSLATED };

	for (unsigned lcore = 0; lcore < segment->n_lcores; lcore++) {
		struct flow *flows = flow_segment_storage(segment, lcore);

		for (uint32_t i = 0; i < segment->capacity; i++) {
			struct address client;

			if (!flow_is_live(&flows[i]) || !(flows[i].flags & FLOW_FLAG_COUNTED))
				continue;
			memcpy(client.bytes, flows[i].client, sizeof(client.bytes));
			concurrency_table_remove(stages[lcore]->shared->concurrency, &client, (uint8_t)flows[i].tally);
		}
		for (unsigned i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
			atomic_store_explicit(&stages[lcore]->counters->values[gauges[i]], 0, memory_order_relaxed);
		for (unsigned i = 0; i < IMAGE_SERVICES_MAX; i++)
			stages[lcore]->services[i].half_open = 0;
	}
}

static void flow_segment_translate(struct flow_segment *segment, const struct ruleset *rules)
{
	const struct flow_segment_payload old = *segment->payload;
	struct flow *flows = segment->payload->flows;
	uint64_t n_places = (uint64_t)segment->n_lcores * segment->capacity;

	/* Killed while some numbers are old and some new, we leave flows that a successor must not believe: no node, no flow. */
	segment->payload->n_nodes = 0;
	atomic_signal_fence(memory_order_seq_cst);
	for (uint64_t i = 0; i < n_places; i++)
		if (flows[i].state != FLOW_STATE_FREE && !flow_translate(&old, rules, &flows[i]))
			flows[i].state = FLOW_STATE_FREE;
	for (uint64_t i = 0; i < segment->n_moved; i++)
		if (!flow_translate(&old, rules, &segment->moved[i]))
			segment->moved[i].state = FLOW_STATE_FREE;
	atomic_signal_fence(memory_order_seq_cst);
	flow_segment_numbers_write(segment->payload, rules);
}

uint64_t flow_segment_adopt(struct flow_segment *segment, const struct dispatch *dispatch, const struct ruleset *rules,
	struct stage *const stages[], uint32_t now_ms)
{
	uint64_t known = 0;

	if (segment->adopted)
		flow_segment_uncount(segment, stages);
	segment->adopted = true;
	if (!flow_segment_fits(segment, rules))
		flow_segment_translate(segment, rules);
	for (unsigned lcore = 0; lcore < segment->n_lcores; lcore++)
		flow_table_adopt_all(stages[lcore]->flows, NULL, NULL);
	flow_segment_insert_moved(segment, dispatch, stages, now_ms);
	for (unsigned lcore = 0; lcore < segment->n_lcores; lcore++) {
		stage_recount(stages[lcore], rules);
		known += flow_table_count(stages[lcore]->flows);
	}
	return known;
}

void flow_segment_close(struct flow_segment *segment)
{
	free(segment->moved);
	segment->moved = NULL;
	segment_close(&segment->segment, NULL);
}
