/* SPDX-License-Identifier: BSD-3-Clause
 * The flows' memory: a segment that outlives the process, kill -9 included. A successor with the same layout and number of
 * lcores uses it in place; with another number of lcores it takes the live flows out and puts each where its new owner
 * looks. Main opens it; the table thread adopts the flows while no lcore uses its stage.
 */
#ifndef WEIR_DATAPLANE_FLOW_SEGMENT_H
#define WEIR_DATAPLANE_FLOW_SEGMENT_H

#include "dataplane/dispatch.h"
#include "dataplane/flow_table.h"
#include "dataplane/options.h"
#include "dataplane/ruleset.h"
#include "shm/segment.h"

struct flow_segment_service {
	uint16_t port;
	uint8_t protocol;
	uint8_t reserved;
};

/** Payload of the segment. What the numbers in flows mean is written here before any flow uses them. */
struct flow_segment_payload {
	uint64_t n_lcores, flows_log2;
	uint64_t rss_table_size, n_queues; /* how owners were computed: struct dispatch */
	struct hash_key dispatch_key;
	struct hash_key cookie_master; /* so that clients who hold a cookie when the process is killed can still bring it back */
	uint64_t n_nodes, n_services;
	struct address nodes[IMAGE_NODE_ADDRESSES_MAX];
	struct flow_segment_service services[IMAGE_SERVICES_MAX];
	_Alignas(64) struct flow flows[];
};

struct flow_segment {
	struct segment segment;
	struct flow_segment_payload *payload;
	uint32_t capacity; /* flows of one lcore */
	unsigned n_lcores;
	bool adopted; /* once; from then on the stages count these flows */
	/* Flows that must be placed again, and how to read their node and service numbers; malloc. */
	struct flow *moved;
	uint64_t n_moved;
};

/** Take the predecessor's segment over, or make a new one. `ret_key`: the dispatch key to use. 0 or -errno after a sentence. */
int flow_segment_open(const struct options *options, struct flow_segment *ret_segment, struct hash_key *ret_key);
/** The owners are now computed as `dispatch` says: if the flows lie otherwise, take them out to be placed again. -ENOMEM. */
int flow_segment_place(struct flow_segment *segment, const struct dispatch *dispatch);
/** The flows of one lcore. */
struct flow *flow_segment_storage(const struct flow_segment *segment, unsigned lcore);
/** True when the node and service numbers in the flows mean the same under `rules`. */
bool flow_segment_fits(const struct flow_segment *segment, const struct ruleset *rules);
/** Translate the numbers of all flows to those of `rules`, free flows whose node or service is gone, index and count the rest. No
 * lcore may use its stage meanwhile. stages[] is per lcore. Returns how many flows are known. */
uint64_t flow_segment_adopt(struct flow_segment *segment, const struct dispatch *dispatch, const struct ruleset *rules,
	struct stage *const stages[], uint32_t now_ms);
/** The contents stay. */
void flow_segment_close(struct flow_segment *segment);

#endif
