// SPDX-License-Identifier: BSD-3-Clause
/* Frames in and out (packet_io.h), on the lcore that owns them. A frame that is forwarded is not touched: the same mbuf leaves on
 * the other port of its pair. A reply is written into the mbuf of the frame that it answers.
 */
#include "dataplane/packet_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_ether.h>
#include <rte_prefetch.h>

int packet_io_create(unsigned lcore, const struct port (*pairs)[2], unsigned n_pairs, struct rte_mempool *pool,
	struct dispatch *dispatch, struct counters *counters, struct packet_io **ret_io)
{
	unsigned max = n_pairs * 2 * dispatch->n_queues + dispatch->n_lcores;
	struct packet_io *io = aligned_alloc(64, (sizeof(*io) + 63) / 64 * 64);
	struct packet_io_source *sources = calloc(max, sizeof(*sources));

	if (!io || !sources) {
		free(io);
		free(sources);
		return -ENOMEM;
	}
	memset(io, 0, sizeof(*io));
	io->lcore = lcore;
	io->pairs = pairs;
	io->n_pairs = n_pairs;
	io->pool = pool;
	io->dispatch = dispatch;
	io->counters = counters;
	io->sources = sources;
	for (unsigned pair = 0; pair < n_pairs; pair++)
		for (unsigned queue = lcore; queue < dispatch->n_queues; queue += dispatch->n_lcores)
			for (unsigned side = 0; side < 2; side++)
				sources[io->n_sources++] = (struct packet_io_source){ .port = &pairs[pair][side], .queue = (uint16_t)queue };
	for (unsigned from = 0; from < dispatch->n_lcores; from++)
		if (from != lcore)
			sources[io->n_sources++] = (struct packet_io_source){ .ring = dispatch->frames[from][lcore] };
	for (unsigned i = 0; i < STAGE_BURST_MAX; i++)
		io->pointers[i] = &io->arrivals[i];
	*ret_io = io;
	return 0;
}

void packet_io_destroy(struct packet_io *io)
{
	if (!io)
		return;
	free(io->sources);
	free(io);
}

static const struct port *packet_io_port(const struct packet_io *io, uint16_t id)
{
	/* Frames carry their place instead of the device's number (packet_io_receive). */
	return &io->pairs[id / 2][id % 2];
}

/* Tags that the device or the kernel took out go back into the bytes: the far side must get the frame that came. */
static bool packet_io_tags_restore(struct rte_mbuf **frame)
{
	uint64_t flags = (*frame)->ol_flags;
	uint16_t outer = (*frame)->vlan_tci_outer;

	if (likely(!(flags & (RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ_STRIPPED))))
		return true;
	if (rte_vlan_insert(frame) != 0)
		return false;
	if (flags & RTE_MBUF_F_RX_QINQ_STRIPPED) {
		(*frame)->vlan_tci = outer;
		if (rte_vlan_insert(frame) != 0)
			return false;
		rte_pktmbuf_mtod(*frame, struct rte_ether_hdr *)->ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_QINQ);
	}
	(*frame)->ol_flags &= ~(RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED | RTE_MBUF_F_RX_QINQ | RTE_MBUF_F_RX_QINQ_STRIPPED);
	return true;
}

static unsigned packet_io_checks(const struct rte_mbuf *frame, enum side side, bool verify)
{
	unsigned checks = 0;

	/* What the device calls bad is computed again here: it costs only the attacker's packets and names the right reason. */
	if ((frame->ol_flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) != RTE_MBUF_F_RX_IP_CKSUM_GOOD)
		checks |= PACKET_CHECK_IP;
	if (verify && side == SIDE_OUTSIDE &&
		(frame->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) != RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		checks |= PACKET_CHECK_TRANSPORT;
	return checks;
}

/* A chain of mbufs: its pieces, and its head in one piece. */
static unsigned packet_io_gather(struct packet_io *io, struct rte_mbuf *frame, struct arrival *arrival,
	struct packet_segment segments[PACKET_SEGMENTS_MAX])
{
	uint8_t *scratch = io->scratch[arrival - io->arrivals];
	unsigned n = 0;

	if (frame->nb_segs > PACKET_SEGMENTS_MAX)
		return 0;
	for (struct rte_mbuf *piece = frame; piece && n < PACKET_SEGMENTS_MAX; piece = piece->next)
		segments[n++] = (struct packet_segment){ .data = rte_pktmbuf_mtod(piece, uint8_t *), .bytes = piece->data_len };
	arrival->frame = segments[0].data;
	arrival->frame_bytes = segments[0].bytes;
	if (segments[0].bytes >= PACKET_HEADER_BYTES_MAX)
		return n;
	arrival->frame = scratch;
	arrival->frame_bytes = 0;
	for (unsigned i = 0; i < n && arrival->frame_bytes < PACKET_HEADER_BYTES_MAX; i++) {
		uint32_t room = PACKET_HEADER_BYTES_MAX - arrival->frame_bytes;
		uint32_t bytes = RTE_MIN(segments[i].bytes, room);

		memcpy(scratch + arrival->frame_bytes, segments[i].data, bytes);
		arrival->frame_bytes += bytes;
	}
	return n;
}

static void packet_io_parse(struct packet_io *io, struct rte_mbuf *frame, const struct port *port, bool verify, struct arrival *arrival)
{
	struct packet_segment segments[PACKET_SEGMENTS_MAX];
	enum side side = (enum side)port->side;
	unsigned n_segments = 0;

	arrival->side = side;
	arrival->frame = rte_pktmbuf_mtod(frame, const uint8_t *);
	arrival->frame_bytes = frame->data_len;
	if (unlikely(frame->nb_segs > 1)) {
		n_segments = packet_io_gather(io, frame, arrival, segments);
		if (n_segments == 0) {
			memset(&arrival->packet, 0, sizeof(arrival->packet));
			arrival->malformed = REASON_NO_BUFFER;
			return;
		}
	}
	arrival->malformed = packet_parse(arrival->frame, arrival->frame_bytes, segments, n_segments, frame->pkt_len,
		packet_io_checks(frame, side, verify), &arrival->packet);
	arrival->packet.port_pair = port->pair;
}

/* Parse into the next place of the burst; keep it if it is ours. */
static void packet_io_take(struct packet_io *io, struct rte_mbuf *frame, const struct port *port, bool verify, bool owned)
{
	struct arrival *arrival = &io->arrivals[io->n];
	unsigned owner = io->lcore;

	packet_io_parse(io, frame, port, verify, arrival);
	if (!owned && arrival->malformed == REASON_COUNT)
		owner = dispatch_owner_of(io->dispatch, io->lcore, &arrival->packet, arrival->side, io->counters);
	if (owner == io->lcore)
		io->frames[io->n++] = frame;
	else
		io->handed[owner][io->n_handed[owner]++] = frame;
}

/* Frames of banned sources are freed unparsed; the others move up. Returns how many are left. */
static unsigned packet_io_shed(const struct packet_io_moment *moment, struct rte_mbuf *frames[], unsigned n)
{
	struct rte_mbuf *dropped[PACKET_IO_RECEIVE_MAX];
	struct shed_frame heads[PACKET_IO_RECEIVE_MAX];
	unsigned n_dropped = 0, kept = 0;
	uint64_t banned;

	for (unsigned j = 0; j < n; j++)
		heads[j] = (struct shed_frame){ .data = rte_pktmbuf_mtod(frames[j], const uint8_t *), .bytes = frames[j]->data_len };
	banned = stage_shed(moment->stage, moment->rules, heads, n, moment->now_ns);
	if (banned == 0)
		return n;
	for (unsigned j = 0; j < n; j++)
		if (banned >> j & 1)
			dropped[n_dropped++] = frames[j];
		else
			frames[kept++] = frames[j];
	rte_pktmbuf_free_bulk(dropped, n_dropped);
	return kept;
}

static void packet_io_parse_burst(struct packet_io *io, const struct packet_io_moment *moment, const struct packet_io_source *source,
	struct rte_mbuf *frames[], unsigned n)
{
	bool verify = moment->rules && moment->rules->policy.verify_checksums;

	for (unsigned j = 0; j < n; j++) {
		const struct port *port = source->port ? source->port : packet_io_port(io, frames[j]->port);

		frames[j]->port = (uint16_t)(port->pair * 2u + port->side);
		if (packet_io_tags_restore(&frames[j])) {
			packet_io_take(io, frames[j], port, verify, !source->port);
		} else {
			counter_reason_add(io->counters, REASON_NO_BUFFER, 1);
			rte_pktmbuf_free(frames[j]);
		}
	}
}

unsigned packet_io_receive(struct packet_io *io, unsigned i, const struct packet_io_moment *moment)
{
	const struct packet_io_source *source = &io->sources[i];
	struct rte_mbuf *frames[PACKET_IO_RECEIVE_MAX];
	uint64_t bytes = 0;
	unsigned n, kept;

	if (source->port)
		n = rte_eth_rx_burst(source->port->queues[source->queue].device, source->port->queues[source->queue].queue, frames,
			PACKET_IO_RECEIVE_MAX);
	else
		n = rte_ring_sc_dequeue_burst(source->ring, (void **)frames, PACKET_IO_RECEIVE_MAX, NULL);
	if (n == 0)
		return 0;
	for (unsigned j = 0; j < n; j++) {
		rte_prefetch0(rte_pktmbuf_mtod(frames[j], void *));
		bytes += frames[j]->pkt_len;
	}
	kept = n;
	if (source->port && source->port->side == SIDE_OUTSIDE && moment->rules && stage_shed_pays(moment->stage, n))
		kept = packet_io_shed(moment, frames, n);
	packet_io_parse_burst(io, moment, source, frames, kept);
	if (!source->port)
		return n;
	counter_add(io->counters, source->port->side == SIDE_OUTSIDE ? COUNTER_RX_OUTSIDE : COUNTER_RX_INSIDE, n);
	counter_add(io->counters, COUNTER_RX_BYTES, bytes);
	for (unsigned to = 0; to < io->dispatch->n_lcores; to++)
		if (io->n_handed[to] != 0) {
			dispatch_frames(io->dispatch, io->lcore, to, io->handed[to], io->n_handed[to], io->counters);
			io->n_handed[to] = 0;
		}
	return n;
}

static void packet_io_queue_flush(struct packet_io *io, unsigned pair, unsigned side)
{
	struct packet_io_send_queue *queue = &io->send[pair][side];
	const struct port_queue *out = &io->pairs[pair][side].queues[io->lcore];
	unsigned sent = rte_eth_tx_burst(out->device, out->queue, queue->frames, (uint16_t)queue->n);

	/* Once more: the first call may only have collected what the device had finished sending. */
	if (sent < queue->n)
		sent += rte_eth_tx_burst(out->device, out->queue, queue->frames + sent, (uint16_t)(queue->n - sent));
	counter_add(io->counters, side == SIDE_OUTSIDE ? COUNTER_TX_OUTSIDE : COUNTER_TX_INSIDE, sent);
	if (sent < queue->n) {
		counter_add(io->counters, COUNTER_TX_REFUSED, queue->n - sent);
		rte_pktmbuf_free_bulk(queue->frames + sent, queue->n - sent);
	}
	queue->n = 0;
}

static void packet_io_send(struct packet_io *io, unsigned pair, unsigned side, struct rte_mbuf *frame)
{
	struct packet_io_send_queue *queue = &io->send[pair][side];

	if (queue->n == STAGE_BURST_MAX)
		packet_io_queue_flush(io, pair, side);
	queue->frames[queue->n++] = frame;
}

void packet_io_flush(struct packet_io *io)
{
	for (unsigned pair = 0; pair < io->n_pairs; pair++)
		for (unsigned side = 0; side < 2; side++)
			if (io->send[pair][side].n != 0)
				packet_io_queue_flush(io, pair, side);
}

static unsigned packet_io_reply_build(const struct arrival *arrival, const struct decision *decision, uint8_t reply[REPLY_BYTES_MAX])
{
	switch (decision->action) {
	case WIRE_ACTION_COOKIE:
		return reply_syn_ack(arrival->frame, &arrival->packet, &decision->segment, reply);
	case WIRE_ACTION_RST:
		return reply_rst(arrival->frame, &arrival->packet, reply);
	case WIRE_ACTION_ICMP:
		return reply_icmp_prohibited(arrival->frame, arrival->frame_bytes, &arrival->packet, reply);
	default:
		return 0;
	}
}

/* What a burst adds to the counters, once. */
struct packet_io_sums {
	uint64_t originated, originated_bytes;
	struct rte_mbuf *dropped[STAGE_BURST_MAX];
	unsigned n_dropped;
};

/* Write a frame of our own over one that came. False: no room, the frame is freed. */
static bool packet_io_overwrite(
	struct packet_io *io, struct packet_io_sums *sums, struct rte_mbuf *frame, const uint8_t *reply, unsigned bytes)
{
	char *data;

	if (frame->nb_segs > 1) {
		rte_pktmbuf_free(frame->next);
		frame->next = NULL;
		frame->nb_segs = 1;
		frame->pkt_len = frame->data_len;
	}
	rte_pktmbuf_trim(frame, frame->data_len);
	data = rte_pktmbuf_append(frame, (uint16_t)bytes);
	if (unlikely(!data)) {
		counter_add(io->counters, COUNTER_TX_REFUSED, 1);
		rte_pktmbuf_free(frame);
		return false;
	}
	memcpy(data, reply, bytes);
	frame->ol_flags = 0;
	sums->originated++;
	sums->originated_bytes += bytes;
	return true;
}

/* A flood's commonest answer needs no copy: the SYN's own bytes become the SYN-ACK's, and those are never more. */
static bool packet_io_cookie(struct packet_io_sums *sums, struct rte_mbuf *frame, const struct arrival *arrival,
	const struct decision *decision)
{
	unsigned bytes;

	if (unlikely(frame->nb_segs > 1))
		return false;
	bytes = reply_syn_ack_over(rte_pktmbuf_mtod(frame, uint8_t *), &arrival->packet, &decision->segment);
	if (unlikely(bytes == 0))
		return false;
	frame->data_len = (uint16_t)bytes;
	frame->pkt_len = bytes;
	frame->ol_flags = 0;
	sums->originated++;
	sums->originated_bytes += bytes;
	return true;
}

/* What was changed in the copy of a chain's head goes back into its pieces. */
static void packet_io_scatter(struct rte_mbuf *frame, const uint8_t *head, uint32_t bytes)
{
	for (struct rte_mbuf *piece = frame; piece && bytes != 0; piece = piece->next) {
		uint32_t part = RTE_MIN(bytes, (uint32_t)piece->data_len);

		memcpy(rte_pktmbuf_mtod(piece, uint8_t *), head, part);
		head += part;
		bytes -= part;
	}
}

/* The segments of a proxied flow change on their way. False: the frame was freed. */
static bool packet_io_rewrite(struct packet_io *io, struct packet_io_sums *sums, struct rte_mbuf *frame,
	struct arrival *arrival, const struct decision *decision)
{
	/* Either the mbuf's own bytes or our copy of a chain's head; both may be written. */
	uint8_t *head = arrival->frame == io->scratch[arrival - io->arrivals] ? io->scratch[arrival - io->arrivals]
									      : rte_pktmbuf_mtod(frame, uint8_t *);
	uint8_t segment[REPLY_BYTES_MAX];
	unsigned bytes;

	switch ((enum rewrite)decision->rewrite) {
	case REWRITE_TRANSLATE:
		translate_segment(head, &arrival->packet, &decision->translation);
		break;
	case REWRITE_QUOTED:
		translate_quoted(head, arrival->frame_bytes, &arrival->packet, &decision->translation);
		break;
	case REWRITE_SEGMENT:
		bytes = reply_in_place(head, &arrival->packet, &decision->segment, segment);
		if (bytes != 0)
			return packet_io_overwrite(io, sums, frame, segment, bytes);
		rte_pktmbuf_free(frame);
		return false;
	case REWRITE_NONE:
		break;
	}
	if (frame->nb_segs > 1)
		packet_io_scatter(frame, head, arrival->frame_bytes);
	return true;
}

static void packet_io_refuse(struct packet_io *io, struct packet_io_sums *sums, unsigned i)
{
	const struct decision *decision = &io->decisions[i];
	struct rte_mbuf *frame = io->frames[i];
	const struct port *port = packet_io_port(io, frame->port);
	uint8_t reply[REPLY_BYTES_MAX];
	unsigned bytes;

	if (decision->action == WIRE_ACTION_COOKIE && packet_io_cookie(sums, frame, &io->arrivals[i], decision)) {
		packet_io_send(io, port->pair, port->side, frame);
		return;
	}
	bytes = decision->action == WIRE_ACTION_NONE ? 0 : packet_io_reply_build(&io->arrivals[i], decision, reply);
	if (bytes == 0)
		sums->dropped[sums->n_dropped++] = frame;
	else if (packet_io_overwrite(io, sums, frame, reply, bytes))
		packet_io_send(io, port->pair, port->side, frame);
}

void packet_io_apply(struct packet_io *io)
{
	struct packet_io_sums sums;

	sums.originated = sums.originated_bytes = 0;
	sums.n_dropped = 0;
	for (unsigned i = 0; i < io->n; i++) {
		const struct decision *decision = &io->decisions[i];
		struct rte_mbuf *frame = io->frames[i];
		const struct port *port;

		if (decision->verdict != VERDICT_FORWARD) {
			packet_io_refuse(io, &sums, i);
			continue;
		}
		port = packet_io_port(io, frame->port);
		if (decision->rewrite == REWRITE_NONE || packet_io_rewrite(io, &sums, frame, &io->arrivals[i], decision))
			packet_io_send(io, port->pair, 1u - port->side, frame);
	}
	/* All at once: the pool's cache is looked up once a burst. */
	if (sums.n_dropped != 0)
		rte_pktmbuf_free_bulk(sums.dropped, sums.n_dropped);
	if (sums.originated != 0) {
		counter_add(io->counters, COUNTER_TX_ORIGINATED, sums.originated);
		counter_add(io->counters, COUNTER_BYTES_ORIGINATED, sums.originated_bytes);
	}
	io->n = 0;
}

void packet_io_send_segment(void *context, enum side side, const struct next_hop *hop, const struct reply_tcp *segment)
{
	struct packet_io *io = context;
	struct rte_mbuf *frame = hop && hop->port_pair < io->n_pairs ? rte_pktmbuf_alloc(io->pool) : NULL;
	uint8_t reply[REPLY_BYTES_MAX];
	unsigned bytes;
	char *data;

	if (!frame) {
		counter_add(io->counters, COUNTER_TX_REFUSED, 1);
		return;
	}
	bytes = reply_tcp_segment(hop, segment, reply);
	data = bytes != 0 ? rte_pktmbuf_append(frame, (uint16_t)bytes) : NULL;
	if (!data) {
		counter_add(io->counters, COUNTER_TX_REFUSED, 1);
		rte_pktmbuf_free(frame);
		return;
	}
	memcpy(data, reply, bytes);
	counter_add(io->counters, COUNTER_TX_ORIGINATED, 1);
	counter_add(io->counters, COUNTER_BYTES_ORIGINATED, bytes);
	packet_io_send(io, hop->port_pair, side, frame);
}
