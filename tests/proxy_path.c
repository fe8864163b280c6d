// SPDX-License-Identifier: BSD-3-Clause
/* See proxy_path.h. The order of things is that of packet_io_apply in dataplane/packet_io.c. */
#include "tests/proxy_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void path_flush(struct path *path, unsigned mark)
{
	/* Whose link does not matter to the ends: they look at layers 3 and 4. */
	static const struct next_hop hop = {
		.destination_mac = {2, 0, 0, 0, 0, 9}, .source_mac = {2, 0, 0, 0, 0, 8}, .valid = 1};
	struct world *world = path->world;
	unsigned n = world->n_segments;

	for (unsigned i = 0; i < n; i++) {
		uint8_t frame[REPLY_BYTES_MAX];
		unsigned bytes =
			world->segment_hops[i] ? reply_tcp_segment(&hop, &world->segments[i], frame) : 0;

		if (bytes != 0)
			path->leave(
				path->context, world->segment_sides[i], frame, bytes, PATH_ORIGINATED, mark);
	}
	world->n_segments = 0;
}

static void answer(
	struct path *path, const struct arrival *arrival, const struct decision *decision, unsigned mark)
{
	const struct packet *packet = &arrival->packet;
	uint8_t reply[REPLY_BYTES_MAX];
	unsigned bytes = 0;

	if (decision->action == WIRE_ACTION_COOKIE)
		bytes = reply_syn_ack(arrival->frame, packet, &decision->segment, reply);
	else if (decision->action == WIRE_ACTION_RST)
		bytes = reply_rst(arrival->frame, packet, reply);
	else if (decision->action == WIRE_ACTION_ICMP)
		bytes = reply_icmp_prohibited(arrival->frame, arrival->frame_bytes, packet, reply);
	if (bytes == 0)
		return;
	path->answers++;
	if (arrival->side == SIDE_OUTSIDE && bytes > (unsigned)packet->l3_offset + packet->l3_bytes)
		path->answers_too_long++;
	path->leave(path->context, arrival->side, reply, bytes, PATH_ANSWER, mark);
}

enum reason path_send(struct path *path, enum side side, uint8_t *frame, uint32_t bytes, unsigned mark)
{
	struct world *world = path->world;
	struct arrival arrival = {.frame = frame, .frame_bytes = bytes, .side = side}, *pointer = &arrival;
	enum side other = side == SIDE_OUTSIDE ? SIDE_INSIDE : SIDE_OUTSIDE;
	uint8_t segment[REPLY_BYTES_MAX];
	struct decision decision;

	arrival.malformed = packet_parse(
		frame, bytes, NULL, 0, bytes, PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &arrival.packet);
	stage_decide_burst(world->stage, world->rules, &pointer, 1, world->now_ns, &decision);
	/* What the stage says itself is queued before the frame goes out. */
	path_flush(path, mark);
	if (decision.verdict != VERDICT_FORWARD) {
		answer(path, &arrival, &decision, mark);
		return (enum reason)decision.reason;
	}
	if (decision.rewrite == REWRITE_TRANSLATE)
		translate_segment(frame, &arrival.packet, &decision.translation);
	if (decision.rewrite == REWRITE_QUOTED)
		translate_quoted(frame, bytes, &arrival.packet, &decision.translation);
	if (decision.rewrite == REWRITE_SEGMENT) {
		bytes = reply_in_place(frame, &arrival.packet, &decision.segment, segment);
		frame = segment;
	}
	if (bytes != 0)
		path->leave(path->context, other, frame, bytes, PATH_FORWARDED, mark);
	return (enum reason)decision.reason;
}

void path_step(struct path *path)
{
	stage_step(path->world->stage, path->world->rules, path->world->now_ns, WORLD_FLOWS);
	path_flush(path, 0);
}

static bool keep_all(void *context, const struct flow *flow)
{
	(void)context;
	(void)flow;
	return true;
}

void path_restart(struct path *path)
{
	static const struct hash_key key = {7, 8};
	static const struct stage_sizes sizes = {.fragments = 1024};
	struct world *world = path->world;
	struct stage_output output = world->stage->output;

	stage_destroy(world->stage, &table_memory_heap);
	flow_table_destroy(world->flows);
	memset(&world->counters, 0, sizeof(world->counters));
	if (flow_table_create(world->storage, WORLD_FLOWS, &key, &table_memory_heap, &world->flows) != 0 ||
		stage_create(world->shared, world->flows, &world->counters, &output, &sizes,
			&table_memory_heap, 43, world->now_ns, &world->stage) != 0) {
		fprintf(stderr, "path: no memory\n");
		abort();
	}
	flow_table_adopt_all(world->flows, keep_all, NULL);
	stage_recount(world->stage, world->rules);
}
