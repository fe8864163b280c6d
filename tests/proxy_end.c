// SPDX-License-Identifier: BSD-3-Clause
/* See proxy_end.h. */
#include "tests/proxy_end.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/table_support.h"

enum {
	S = TCP_FLAG_SYN,
	A = TCP_FLAG_ACK,
	R = TCP_FLAG_RST,
	F = TCP_FLAG_FIN,
	FIRST_TIMEOUT_MS = 300,
	TIMEOUT_MS_MAX = 4000,
	BURST_SEGMENTS = 6,
};

uint8_t end_byte(const struct end *end, uint32_t i)
{
	uint64_t state = end->data_seed + i / 8;

	return (uint8_t)(random_next(&state) >> i % 8 * 8);
}

static void wrong(struct end *end, const char *what)
{
	if (!end->wrong)
		end->wrong = what;
}

static uint32_t window_of(const struct end *end)
{
	uint32_t field = end->scaling ? end->buffer_bytes >> end->scale : end->buffer_bytes;

	return field < UINT16_MAX ? field : UINT16_MAX;
}

/* MSS, then what is offered; NOPs around. Returns a multiple of 4. */
static uint8_t syn_options(const struct end *end, bool scale, bool sack, uint8_t out[40])
{
	uint8_t n = 0;

	memset(out, 1, 40);
	if (end->mss != 0) {
		memcpy(out, (uint8_t[]){2, 4, (uint8_t)(end->mss >> 8), (uint8_t)end->mss}, 4);
		n = 4;
	}
	if (sack)
		memcpy(out + n, (uint8_t[]){4, 2}, 2), n += 2;
	if (end->offers_timestamps && end->is_client)
		memcpy(out + n, (uint8_t[]){8, 10, 0, 0, 0, 7, 0, 0, 0, 0}, 10), n += 10;
	if (scale)
		memcpy(out + n, (uint8_t[]){3, 3, end->scale}, 3), n += 3;
	return (uint8_t)((n + 3) / 4 * 4);
}

static void put_u32(uint8_t *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* Up to three blocks of what came out of order, behind as many NOPs as chance wants. */
static uint8_t sack_options(const struct end *end, uint8_t out[40])
{
	uint8_t n = (uint8_t)(1 + random_next(end->random) % 3), at, blocks = 0;
	uint32_t i = end->rx_next;

	memset(out, 1, 40);
	at = n;
	n += 2;
	while (i <= end->peer->tx_bytes && blocks < 3) {
		uint32_t begin;

		while (i <= end->peer->tx_bytes && !end->got[i])
			i++;
		begin = i;
		while (i <= end->peer->tx_bytes && end->got[i])
			i++;
		if (begin == i || begin <= end->rx_next)
			continue;
		put_u32(out + n, end->irs + begin);
		put_u32(out + n + 4, end->irs + i);
		n += 8;
		blocks++;
	}
	if (blocks == 0)
		return 0;
	out[at] = 5;
	out[at + 1] = (uint8_t)(2 + 8 * blocks);
	return (uint8_t)((n + 3) / 4 * 4);
}

static void emit(struct end *end, uint8_t flags, uint32_t rel, const uint8_t *data, uint32_t bytes)
{
	uint8_t options[40];
	struct frame_spec spec = {
		.source = end->address,
		.destination = end->peer_address,
		.protocol = 6,
		.source_port = end->port,
		.destination_port = end->peer_port,
		.sequence = end->iss + rel,
		.acknowledgement = flags & A ? end->irs + end->rx_next : 0,
		.tcp_flags = flags,
		.tcp_options = options,
		.payload = data,
		.payload_bytes = (uint16_t)bytes,
	};
	struct frame frame;
	uint32_t window = window_of(end), reach;

	if (flags & S)
		spec.tcp_options_bytes =
			syn_options(end, end->scale != END_SCALE_NONE && (end->is_client || end->scaling),
				end->offers_sack && (end->is_client || end->sack), options);
	else if (end->sack && (flags & A) && !(flags & R))
		spec.tcp_options_bytes = sack_options(end, options);
	if (flags & S)
		window = end->buffer_bytes < UINT16_MAX ? end->buffer_bytes : UINT16_MAX;
	spec.window = (uint16_t)window;
	frame_make(&spec, &frame);
	if (window == 0) {
		frame_put_u16(&frame, frame.l4 + 14, 0);
		frame_checksum(&frame, 6);
	}
	reach = (end->rx_next != 0 ? end->rx_next : 1) +
		(end->scaling && !(flags & S) ? window << end->scale : window);
	if ((flags & (A | S)) && reach > end->rx_edge)
		end->rx_edge = reach;
	rel += bytes + (flags & S ? 1 : 0) + (flags & F ? 1 : 0);
	if (rel > end->max && !(flags & R))
		end->max = rel;
	end->send(end->context, end, &frame);
}

static void emit_data(struct end *end, uint32_t rel, uint32_t bytes, bool fin)
{
	uint8_t data[2048];

	for (uint32_t i = 0; i < bytes; i++)
		data[i] = end_byte(end, rel - 1 + i);
	emit(end, (uint8_t)(A | (fin ? F : 0)), rel, data, bytes);
}

static void timer_set(struct end *end, uint64_t now_ms)
{
	end->timer_ms = now_ms + end->backoff_ms;
}

/* As much as the window allows, a burst at a time. */
static void transmit(struct end *end, uint64_t now_ms)
{
	uint32_t fin_rel = end->tx_bytes + 1, most = end->una + BURST_SEGMENTS * end->mss_now;

	while (end->state == END_OPEN && end->next <= fin_rel && end->next < end->edge && end->next < most) {
		uint32_t bytes = fin_rel - end->next, room = end->edge - end->next;
		bool fin;

		if (bytes > room)
			bytes = room;
		if (bytes > end->mss_now)
			bytes = end->mss_now;
		fin = end->next + bytes == fin_rel && room > bytes;
		if (bytes == 0 && !fin)
			break;
		emit_data(end, end->next, bytes, fin);
		end->next += bytes + (fin ? 1 : 0);
	}
	timer_set(end, now_ms);
}

void end_open(struct end *client, uint64_t now_ms)
{
	uint8_t data[2048];

	client->state = END_SYN_SENT;
	client->backoff_ms = 1000;
	for (uint32_t i = 0; i < client->syn_data_bytes; i++)
		data[i] = end_byte(client, i);
	emit(client, (uint8_t)(S | (client->ecn ? TCP_FLAG_ECE | TCP_FLAG_CWR : 0)), 0, data,
		client->resent == 0 ? client->syn_data_bytes : 0);
	client->next = client->una = 0;
	timer_set(client, now_ms);
}

static void probe(struct end *end)
{
	/* Where the SYN was there is no byte of the stream to send again. */
	uint8_t before = end->una == 1 ? 0x5a : end_byte(end, end->una - 2);

	/* RFC 9293 3.8.6.1 with the next byte, Linux without any, older stacks with one before the window. */
	if (end->probes_with_byte && end->una <= end->tx_bytes)
		emit_data(end, end->una, 1, false);
	else if (end->resent % 4 == 3)
		emit(end, A, end->una - 1, &before, 1);
	else
		emit(end, A, end->una - 1, NULL, 0);
}

void end_tick(struct end *end, uint64_t now_ms)
{
	if (now_ms < end->timer_ms || end->state <= END_LISTEN || end->state == END_RESET)
		return;
	if (end->state == END_OPEN && end->una == end->tx_bytes + 2)
		return;
	end->resent++;
	if (end->state == END_SYN_SENT) {
		uint64_t backoff_ms = end->backoff_ms;

		end_open(end, now_ms);
		end->backoff_ms = backoff_ms * 2;
	} else if (end->state == END_SYN_RECEIVED) {
		emit(end, S | A, 0, NULL, 0);
	} else if (end->edge <= end->una) {
		probe(end);
	} else {
		end->next = end->una;
		transmit(end, now_ms);
	}
	end->backoff_ms = end->backoff_ms * 2 < TIMEOUT_MS_MAX ? end->backoff_ms * 2 : TIMEOUT_MS_MAX;
	timer_set(end, now_ms);
}

void end_abort(struct end *end)
{
	emit(end, R | A, end->next, NULL, 0);
	end->state = END_RESET;
}

bool end_done(const struct end *end)
{
	return end->state == END_OPEN && end->una == end->tx_bytes + 2 && end->fin_at != 0 &&
	       end->rx_next == end->fin_at + 1;
}

/* Everything that a segment claims, against what the peer knows to be true. */
static void check_claims(struct end *end, const struct packet *packet, const uint8_t *frame)
{
	const struct end *peer = end->peer;
	uint32_t rel = packet->tcp_sequence - end->irs, claimed = packet->tcp_acknowledgement - end->iss;
	uint32_t length = packet_tcp_sequence_length(packet), sent = peer->max > 1 ? peer->max : 1;
	/* Weir acknowledges the client's SYN before the node does. */
	uint32_t received = peer->rx_next > 1 ? peer->rx_next : 1;
	/* An opening window is at least 1 in the promised scale (stage_proxy.c). */
	uint32_t window = (uint32_t)packet->tcp_window
			  << (packet->tcp_flags & S || !end->scaling ? 0 : end->peer_scale);
	const uint8_t *option = frame + packet->l4_offset + 20, *options_end = frame + packet->payload_offset;

	if ((int32_t)rel < 0 || rel > sent ||
		rel + length > sent + (rel == 0 && packet->payload_bytes == 1 ? 1 : 0))
		wrong(end, packet->tcp_flags & R ? "a RST at a number that was never used"
						 : "a segment of numbers that were never sent");
	for (uint32_t i = 0; i < packet->payload_bytes && rel > 0; i++)
		if (frame[packet->payload_offset + i] != end_byte(peer, rel - 1 + i)) {
			wrong(end, "corrupt data");
			break;
		}
	if (!(packet->tcp_flags & A))
		return;
	if ((int32_t)claimed < 0 || claimed > end->max || claimed > received)
		wrong(end, "an acknowledgement of what the peer has not received");
	else if (claimed + window > peer->rx_edge && window > 1u << end->peer_scale &&
		 !(packet->tcp_flags & R))
		wrong(end, "a window that the peer never opened");
	while (option + 1 < options_end && *option != 0) {
		if (*option == 5 && !end->sack)
			wrong(end, "SACK blocks that were not agreed on");
		for (unsigned i = 2; *option == 5 && i + 8 <= option[1]; i += 8) {
			uint32_t begin = ((uint32_t)option[i] << 24 | option[i + 1] << 16 |
						 option[i + 2] << 8 | option[i + 3]) -
					 end->iss;
			uint32_t stop = ((uint32_t)option[i + 4] << 24 | option[i + 5] << 16 |
						option[i + 6] << 8 | option[i + 7]) -
					end->iss;

			if (begin == 0 || begin >= stop || stop > end->max)
				wrong(end, "a SACK block of what was never sent");
			for (uint32_t j = begin; j < stop && j <= end->tx_bytes && !end->wrong; j++)
				if (!peer->got[j])
					wrong(end, "a SACK block of what never came");
		}
		option += *option == 1 ? 1 : option[1];
	}
}

static void learn_syn(struct end *end, const struct packet *packet)
{
	bool scale = packet->tcp_window_scale != PACKET_WINDOW_SCALE_ABSENT && end->scale != END_SCALE_NONE;
	uint16_t mss = packet->tcp_mss != 0 ? packet->tcp_mss : packet->family == 6 ? 1220 : 536;

	end->irs = packet->tcp_sequence;
	end->rx_next = 1;
	end->scaling = scale;
	end->peer_scale = scale ? packet->tcp_window_scale : 0;
	end->sack = packet->tcp_sack_permitted && end->offers_sack;
	end->mss_now = mss < 1400 ? mss : 1400;
	if (mss > end->peer->mss && end->peer->mss != 0)
		wrong(end, "an MSS larger than the peer's");
	if (packet->tcp_timestamps && end->is_client)
		wrong(end, "timestamps that nobody will translate");
}

static void refuse(struct end *end, const struct packet *packet)
{
	struct frame_spec spec = {.source = end->address,
		.destination = end->peer_address,
		.protocol = 6,
		.source_port = end->port,
		.destination_port = end->peer_port,
		.tcp_flags = R};
	struct frame frame;

	if (packet->tcp_flags & R)
		return;
	if (packet->tcp_flags & A) {
		spec.sequence = packet->tcp_acknowledgement;
	} else {
		spec.tcp_flags = R | A;
		spec.acknowledgement = packet->tcp_sequence + packet_tcp_sequence_length(packet);
	}
	frame_make(&spec, &frame);
	end->send(end->context, end, &frame);
}

static void take_acknowledgement(struct end *end, const struct packet *packet, uint64_t now_ms)
{
	uint32_t claimed = packet->tcp_acknowledgement - end->iss;
	uint32_t window = (uint32_t)packet->tcp_window
			  << (packet->tcp_flags & S || !end->scaling ? 0 : end->peer_scale);

	if (claimed > end->max || claimed < end->una)
		return;
	if (claimed > end->una) {
		end->una = claimed;
		end->backoff_ms = FIRST_TIMEOUT_MS;
		end->resent = 0;
		timer_set(end, now_ms);
	}
	if (end->next < end->una)
		end->next = end->una;
	end->edge = claimed + window;
}

static void take_data(struct end *end, const struct packet *packet)
{
	uint32_t rel = packet->tcp_sequence - end->irs;

	for (uint32_t i = 0; i < packet->payload_bytes; i++)
		if (rel + i >= end->rx_next && rel + i <= end->peer->tx_bytes && rel + i < end->rx_edge)
			end->got[rel + i] = 1;
	while (end->rx_next <= end->peer->tx_bytes && end->got[end->rx_next])
		end->rx_next++;
	if ((packet->tcp_flags & F) && rel + packet->payload_bytes == end->peer->tx_bytes + 1)
		end->fin_at = rel + packet->payload_bytes;
	if (end->fin_at != 0 && end->rx_next == end->fin_at)
		end->rx_next++;
}

static void receive_open(struct end *end, const struct packet *packet, uint64_t now_ms)
{
	uint32_t rel = packet->tcp_sequence - end->irs, length = packet_tcp_sequence_length(packet),
		 una = end->una;
	/* RFC 9293 3.10.7.4: a part of it in the window, or it is answered and forgotten. */
	bool acceptable = (int32_t)(rel + length - end->rx_next) >= 0 && (int32_t)(rel - end->rx_edge) <= 0;

	if (packet->tcp_flags & R) {
		/* RFC 5961 3.2 */
		if (rel == end->rx_next) {
			end->resets_heard++;
			end->state = END_RESET;
		}
		return;
	}
	if (!acceptable || (packet->tcp_flags & S) || (length == 0 && (int32_t)(rel - end->rx_next) < 0)) {
		emit(end, A, end->next, NULL, 0);
		return;
	}
	if (!(packet->tcp_flags & A) || packet->tcp_acknowledgement - end->iss > end->max)
		return;
	take_acknowledgement(end, packet, now_ms);
	take_data(end, packet);
	if (length != 0)
		emit(end, A, end->next, NULL, 0);
	if (end->una != una || end->next < end->edge)
		transmit(end, now_ms);
}

void end_receive(struct end *end, const uint8_t *frame, uint32_t bytes, bool stranger, uint64_t now_ms)
{
	struct packet packet;

	if (packet_parse(frame, bytes, NULL, 0, bytes, PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &packet) !=
		REASON_COUNT) {
		wrong(end, "a frame that does not parse");
		return;
	}
	if (packet.kind != PACKET_KIND_TCP || packet.destination_port != end->port ||
		packet.source_port != end->peer_port)
		return;
	switch (end->state) {
	case END_CLOSED:
		refuse(end, &packet);
		return;
	case END_RESET:
		refuse(end, &packet);
		return;
	case END_LISTEN:
		if (!packet_is_attempt_tcp(&packet)) {
			refuse(end, &packet);
			return;
		}
		if (!stranger && packet.tcp_sequence != end->peer->iss)
			wrong(end, "a SYN that is not the client's");
		if (packet.tcp_fast_open || packet.payload_bytes != 0 || packet.tcp_timestamps)
			wrong(end, "a SYN with what nobody agreed on");
		learn_syn(end, &packet);
		end->edge = packet.tcp_window;
		end->state = END_SYN_RECEIVED;
		end->backoff_ms = 1000;
		emit(end, S | A, 0, NULL, 0);
		end->next = 1;
		timer_set(end, now_ms);
		return;
	case END_SYN_SENT:
		if ((packet.tcp_flags & A) && (packet.tcp_acknowledgement != end->iss + 1)) {
			refuse(end, &packet);
			return;
		}
		if (packet.tcp_flags & R) {
			end->resets_heard++;
			end->state = END_RESET;
			return;
		}
		if ((packet.tcp_flags & (S | A)) != (S | A))
			return;
		learn_syn(end, &packet);
		end->una = end->next = 1;
		end->edge = 1u + packet.tcp_window;
		end->state = END_OPEN;
		end->backoff_ms = FIRST_TIMEOUT_MS;
		end->resent = 0;
		end->syn_ack_seen = true;
		emit(end, A, 1, NULL, 0);
		transmit(end, now_ms);
		return;
	case END_SYN_RECEIVED:
		if (!stranger)
			check_claims(end, &packet, frame);
		if (packet.tcp_flags & S) {
			if (packet.tcp_sequence == end->irs)
				emit(end, S | A, 0, NULL, 0);
			return;
		}
		if (packet.tcp_flags & R) {
			if (packet.tcp_sequence - end->irs == end->rx_next) {
				end->resets_heard++;
				end->state = END_RESET;
			}
			return;
		}
		if (!(packet.tcp_flags & A) || packet.tcp_acknowledgement != end->iss + 1)
			return;
		end->state = END_OPEN;
		end->una = end->next = 1;
		end->backoff_ms = FIRST_TIMEOUT_MS;
		receive_open(end, &packet, now_ms);
		return;
	case END_OPEN:
		if (!stranger)
			check_claims(end, &packet, frame);
		receive_open(end, &packet, now_ms);
		return;
	}
}
