/* SPDX-License-Identifier: BSD-3-Clause
 * A small TCP endpoint as a model: one connection, data that both ends know beforehand, no congestion control. It
 * checks every segment that reaches it against what its peer really sent and received, in numbers relative to the
 * initial ones; the real peer is asked, not the wire. Independent of the dataplane's code but for the parser. One thread.
 */
#ifndef WEIR_TESTS_PROXY_END_H
#define WEIR_TESTS_PROXY_END_H

#include "dataplane/packet.h"
#include "tests/frame.h"

enum { END_STREAM_BYTES_MAX = 24000, END_SCALE_NONE = 255 };
enum end_state { END_CLOSED, END_LISTEN, END_SYN_SENT, END_SYN_RECEIVED, END_OPEN, END_RESET };

struct end {
	/* What it is */
	bool is_client;
	struct end *peer;
	const char *address, *peer_address;
	uint16_t port, peer_port;
	uint64_t *random;
	uint64_t data_seed;
	uint32_t tx_bytes, buffer_bytes; /* what it sends; how much it can hold of what it receives */
	uint16_t mss;
	uint8_t scale; /* offered; END_SCALE_NONE */
	bool offers_sack, offers_timestamps, ecn;
	uint32_t syn_data_bytes; /* client: data in the SYN */
	bool probes_with_byte;   /* zero-window probes carry a byte */
	/* What happens: numbers are relative to iss or irs; the SYN has 0, data begin at 1 */
	enum end_state state;
	uint32_t iss, irs;
	uint32_t una, next, max, edge;    /* sent: oldest unacknowledged, next, highest ever, right edge of the peer's window */
	uint32_t rx_next, rx_edge;        /* received in order up to; right edge ever offered */
	uint32_t fin_at;                  /* received FIN's number, 0: none */
	uint8_t got[END_STREAM_BYTES_MAX + 2];
	uint32_t mss_now;
	uint8_t peer_scale; /* 0 where none */
	bool scaling, sack;
	uint64_t timer_ms, backoff_ms;
	unsigned resent;
	bool syn_ack_seen; /* client: it has sent an ACK that may carry a cookie */
	unsigned resets_heard;
	/* The first thing that was wrong, NULL: nothing. */
	const char *wrong;
	/* Send a frame. */
	void *context;
	void (*send)(void *context, struct end *end, const struct frame *frame);
};

void end_open(struct end *client, uint64_t now_ms);
/** A frame reaches this end. `stranger`: nobody vouches for it; it is taken by RFC 9293's rules without being held against anybody. */
void end_receive(struct end *end, const uint8_t *frame, uint32_t bytes, bool stranger, uint64_t now_ms);
void end_tick(struct end *end, uint64_t now_ms);
/** Give up: a RST at the next number. */
void end_abort(struct end *end);
/** All sent, acknowledged and received, both FINs too. */
bool end_done(const struct end *end);
/** Byte i of the stream that `end` sends. */
uint8_t end_byte(const struct end *end, uint32_t i);

#endif
