// SPDX-License-Identifier: BSD-3-Clause
/* The SYN proxy, opening: a SYN is answered with a cookie and forgotten; the ACK that brings the cookie back makes a flow, and the
 * node is dialled with the client's own sequence number; the node's SYN-ACK opens the client's window. From then on the node's numbers
 * are translated by a constant (stage_translate.c). Thread: the owning lcore. Must not remember anything of a client
 * that has not shown a cookie.
 *
 * A flow in FLOW_STATE_PROXY_DIAL keeps what the dial needs where its numbers will be:
 *   handshake_us  the cookie, our initial sequence number towards the client
 *   client_next   the client's initial sequence number + 1; client_acked the same
 *   node_acked    cookie options in bits 0..7, the client's last window field in bits 8..23
 *   node_next     the scale that we promised to the client in bits 0..3, SYNs sent again in bits 4..7, and since
 *                 when we wait, in milliseconds, in bits 8..31
 */
#include "dataplane/stage_private.h"

enum {
	/* Before the node has promised anything: what every IPv6 path carries, and nearly every IPv4 path. */
	PROXY_MSS_UNKNOWN = 1220,
	/* The first SYN is sent again after 1 s, as RFC 6298 2.1 asks, then after 2 and 4 s more: the same as a client's own. */
	PROXY_RESEND_FIRST_MS = 1000,
	PROXY_RESENDS_MAX = 3,
	PROXY_WAIT_MASK = (1 << 24) - 1, /* 4.6 h, and a dial is given up after two minutes at most */
};

static bool is_v6(const struct work *work)
{
	return !address_is_v4(&work->client);
}

/* What is known of the node's options; forgotten when the service's number now means another port. */
static struct proxy_offer *offer_of(struct stage *stage, const struct moment *moment, uint8_t service, bool v6)
{
	struct proxy_offer *offer = &stage->offers[service][v6];
	uint64_t slot = cookie_slot_of(stage_cookie_clock_ns(stage->shared, moment));
	uint16_t port = moment->rules->services[service].port;

	if (offer->port != port)
		*offer = (struct proxy_offer){.slot = slot,
			.port = port,
			.scales = {COOKIE_SCALE_NONE, COOKIE_SCALE_NONE},
			.scale_seen = PROXY_SCALE_UNKNOWN};
	if (offer->slot != slot) {
		offer->slot = slot;
		offer->scales[1] = offer->scales[0];
		offer->scales[0] = offer->scale_seen == PROXY_SCALE_UNKNOWN ? COOKIE_SCALE_NONE : offer->scale_seen;
		/* Linux promises a client less whose path it was told to be narrow, and a client can tell it so: not for ever to
		 * all others. */
		if (offer->mss_now != 0)
			offer->mss = offer->mss_now;
		offer->mss_now = 0;
	}
	return offer;
}

static uint16_t mss_promised(const struct proxy_offer *offer)
{
	if (offer->mss == 0 || offer->mss_now == 0)
		return offer->mss + offer->mss_now != 0 ? (uint16_t)(offer->mss + offer->mss_now) : PROXY_MSS_UNKNOWN;
	return offer->mss < offer->mss_now ? offer->mss : offer->mss_now;
}

static void scale_learn(struct proxy_offer *offer, uint8_t scale)
{
	/* Nobody was promised a scale before the first was seen, so it needs no slot of its own. */
	if (offer->scale_seen == PROXY_SCALE_UNKNOWN)
		offer->scales[0] = offer->scales[1] = scale;
	offer->scale_seen = scale;
}

void proxy_learn(struct stage *stage, const struct moment *moment, const struct flow *flow, const struct packet *syn_ack)
{
	bool v6 = syn_ack->family == 6;
	uint16_t mss = syn_ack->tcp_mss != 0 ? syn_ack->tcp_mss : cookie_mss_of_class(v6 ? 6 : 4, v6 ? 1 : 0);
	struct proxy_offer *offer;

	if (flow->service >= moment->rules->n_services || (flow->flags & FLOW_FLAG_OUTBOUND))
		return;
	offer = offer_of(stage, moment, flow->service, v6);
	if (offer->mss_now == 0 || mss < offer->mss_now)
		offer->mss_now = mss;
	/* What is absent may only not have been asked for. */
	if (syn_ack->tcp_window_scale != PACKET_WINDOW_SCALE_ABSENT)
		scale_learn(offer, syn_ack->tcp_window_scale);
	if (syn_ack->tcp_sack_permitted)
		offer->sack = PROXY_YES;
}

static bool is_proxied(const struct image_service *service)
{
	return service->protocol == 6 && service->challenge != IMAGE_CHALLENGE_OFF &&
	       service->challenge_method == IMAGE_METHOD_PROXY && !service->server_first;
}

bool proxy_challenge(struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct packet *syn = &work->arrival->packet;
	int mss_class = cookie_mss_class_of(syn->family, syn->tcp_mss);
	struct cookie_options agreed;
	struct proxy_offer *offer;

	if (!is_proxied(&moment->rules->services[work->service]) || mss_class < 0)
		return false;
	offer = offer_of(stage, moment, work->service, is_v6(work));
	agreed = (struct cookie_options){
		.mss_class = (uint8_t)mss_class,
		.window_scale = offer->scales[0] == COOKIE_SCALE_NONE ? COOKIE_SCALE_NONE : cookie_scale_of(syn),
		.sack = syn->tcp_sack_permitted && offer->sack == PROXY_YES,
	};
	decision->segment = (struct reply_segment){
		/* Data in the SYN is not taken: there is nobody yet to give it to. The client sends it again. */
		.acknowledgement = syn->tcp_sequence + 1,
		.window = 0,
		.options =
			{
				.mss = mss_promised(offer),
				.has_window_scale = agreed.window_scale != COOKIE_SCALE_NONE,
				.window_scale = offer->scales[0],
				.sack_permitted = agreed.sack,
			},
	};
	cookie_burst_add(&stage->cookies, syn, cookie_options_pack(&agreed), stage_cookie_clock_ns(stage->shared, moment),
		&decision->segment.sequence);
	return true;
}

/* The options with which the node is dialled: those that the cookie recorded. What the node never was asked for is asked for in a way
 * that binds the client to nothing: a scale of 0 leaves its windows as they are, SACK blocks are blanked. */
static struct reply_options dial_options(struct stage *stage, const struct moment *moment, const struct flow *flow)
{
	struct address client = flow_client(flow);
	bool v6 = !address_is_v4(&client);
	struct cookie_options agreed = cookie_options_unpack((uint8_t)flow->node_acked);
	const struct proxy_offer *offer = offer_of(stage, moment, flow->service, v6);
	bool scaled = agreed.window_scale != COOKIE_SCALE_NONE;

	return (struct reply_options){
		.mss = cookie_mss_of_class(v6 ? 6 : 4, agreed.mss_class),
		.has_window_scale = scaled || offer->scale_seen == PROXY_SCALE_UNKNOWN,
		.window_scale = scaled ? agreed.window_scale : 0,
		.sack_permitted = agreed.sack || offer->sack == PROXY_UNKNOWN,
	};
}

/* The SYN to the node. Its window is not scaled (RFC 7323 2.2). */
static struct reply_segment dial_segment(struct stage *stage, const struct moment *moment, const struct flow *flow)
{
	struct cookie_options agreed = cookie_options_unpack((uint8_t)flow->node_acked);
	unsigned shift = agreed.window_scale == COOKIE_SCALE_NONE ? 0 : agreed.window_scale;
	uint32_t window = (flow->node_acked >> 8 & UINT16_MAX) << shift;

	return (struct reply_segment){
		.sequence = flow->client_next - 1,
		.flags = TCP_FLAG_SYN,
		.window = window < UINT16_MAX ? (uint16_t)window : UINT16_MAX,
		.options = dial_options(stage, moment, flow),
	};
}

static void wait_since(struct flow *flow, const struct moment *moment)
{
	flow->node_next = (flow->node_next & 0xff) | (moment->now_ms & PROXY_WAIT_MASK) << 8;
}

static void window_remember(struct flow *flow, const struct packet *packet)
{
	flow->node_acked = (flow->node_acked & 0xff) | (uint32_t)packet->tcp_window << 8;
}

/* Fingerprint of a client of which only a cookie is known; 0, any, where the node offers so little that the cookie cannot tell. */
static uint8_t proof_fingerprint(
	struct stage *stage, const struct moment *moment, const struct work *work, const struct cookie_proof *proof)
{
	const struct proxy_offer *offer = offer_of(stage, moment, work->service, is_v6(work));

	if (offer->scales[proof->last_slot] == COOKIE_SCALE_NONE || offer->sack != PROXY_YES)
		return 0;
	return cookie_fingerprint(proof->packed, work->arrival->packet.ttl);
}

/* A valid cookie, and nothing against its source: the flow is born proven. */
static enum reason proxy_dial(struct stage *stage, const struct moment *moment, struct work *work,
	struct decision *decision, const struct cookie_proof *proof, bool allowed)
{
	const struct packet *packet = &work->arrival->packet;
	uint8_t fingerprint = proof_fingerprint(stage, moment, work, proof);
	struct flow *flow;

	if (work->flow != NULL)
		flow_forget(stage, moment, work->flow, CLOSED_HOW_TIMEOUT);
	flow = flow_birth(stage, moment, work, /* proven = */ true);
	if (flow == NULL)
		return REASON_FLOW_TABLE_FULL;
	flow->flags = FLOW_FLAG_TRANSLATED | (allowed ? FLOW_FLAG_ALLOWED : 0);
	gauge_add(stage, COUNTER_FLOWS_TRANSLATED, 1);
	if (challenge_is_doubtful(stage, moment)) {
		flow->flags |= FLOW_FLAG_DOUBTED;
		counter_add(stage->counters, COUNTER_EVIDENCE_WITHHELD, 1);
	}
	flow->handshake_us = proof->cookie;
	flow->client_next = flow->client_acked = proof->client_sequence + 1;
	flow->node_acked = proof->packed;
	flow->node_next =
		offer_of(stage, moment, work->service, is_v6(work))->scales[proof->last_slot];
	window_remember(flow, packet);
	wait_since(flow, moment);
	flow_set_state(stage, flow, FLOW_STATE_PROXY_DIAL);
	flow_touch(stage, moment, work, flow);
	flow_inside_hop_guess(stage, flow, work->arrival);
	flow_take_place(stage, moment, flow, fingerprint);
	counter_add(stage->counters, COUNTER_PROXY_DIALLED, 1);
	counter_add(stage->counters, COUNTER_PROOFS_CHALLENGE, 1);
	decision->rewrite = REWRITE_SEGMENT;
	decision->segment = dial_segment(stage, moment, flow);
	return REASON_PROXY_ACCEPTED;
}

bool proxy_expects_cookies(const struct moment *moment, const struct work *work)
{
	return work->service != SERVICE_NONE && is_proxied(&moment->rules->services[work->service]);
}

enum reason proxy_answer(struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	struct cookie_proof proof;
	enum reason reason;
	bool allowed;

	if (!proxy_expects_cookies(moment, work) ||
		!cookie_proxy_check(stage_cookie_secrets(stage->shared), &work->arrival->packet,
			stage_cookie_clock_ns(stage->shared, moment), &proof))
		return REASON_COUNT;
	reason = stage_judge_proven(stage, moment, work, &allowed);
	if (reason != REASON_COUNT)
		return reason;
	return proxy_dial(stage, moment, work, decision, &proof, allowed);
}

/* The dial is over without an answer that gave the node a sequence number: it is taken to be 0, so that what the flow still answers for
 * is translated like any other. */
static void dial_settle(struct flow *flow)
{
	flow->node_next = flow->node_acked = 1;
}

/* A RST at exactly the number that the client expects. */
static struct reply_segment reset_to_client(const struct flow *flow)
{
	return (struct reply_segment){
		.sequence = flow->handshake_us + 1,
		.acknowledgement = flow->client_next,
		.flags = TCP_FLAG_RST | TCP_FLAG_ACK,
	};
}

enum reason proxy_dial_from_client(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct packet *packet = &work->arrival->packet;
	struct flow *flow = work->flow;
	int32_t ahead = sequence_after(packet->tcp_sequence, flow->client_next);

	if (packet->tcp_flags & TCP_FLAG_RST) {
		if (packet->tcp_sequence != flow->client_next)
			return REASON_FLOW_RST_INEXACT;
		dial_settle(flow);
		flow_close(stage, moment, flow, CLOSED_BY_CLIENT, CLOSED_HOW_RST);
		decision->rewrite = REWRITE_SEGMENT;
		decision->segment = (struct reply_segment){.sequence = flow->client_next, .flags = TCP_FLAG_RST};
		return REASON_FLOW;
	}
	/* The client's own SYN, late, or a stranger's in its name: the cookie has spoken. */
	if (packet->tcp_flags & TCP_FLAG_SYN)
		return packet->tcp_sequence + 1 == flow->client_next ? REASON_PROXY_WAITING : REASON_FLOW_SYN_KNOWN;
	/* The window is closed: nothing comes but the ACK again, a probe, or a first segment of a stack that does not mind. */
	if (packet->tcp_acknowledgement != flow->handshake_us + 1 || ahead < -1 || ahead > UINT16_MAX)
		return REASON_FLOW_ILLEGAL;
	window_remember(flow, packet);
	flow_touch(stage, moment, work, flow);
	return REASON_PROXY_WAITING;
}

static unsigned scale_of_node(const struct packet *syn_ack)
{
	return syn_ack->tcp_window_scale != PACKET_WINDOW_SCALE_ABSENT ? syn_ack->tcp_window_scale : 0;
}

/* The scale that the client reads windows with. A cookie outlives the memory of what was promised with it, when the process ends or a
 * reload gives the service another number: then it is taken to be what the node still says. */
static unsigned scale_promised(const struct flow *flow, const struct packet *syn_ack)
{
	unsigned promised = flow->node_next & 15;

	if (cookie_options_unpack((uint8_t)flow->node_acked).window_scale == COOKIE_SCALE_NONE)
		return 0;
	return promised != COOKIE_SCALE_NONE ? promised : scale_of_node(syn_ack);
}

/* How windows and SACK blocks must change because of what was promised and what the node now says. */
static void translation_agree(struct flow *flow, const struct packet *syn_ack)
{
	struct cookie_options agreed = cookie_options_unpack((uint8_t)flow->node_acked);
	bool scaled = agreed.window_scale != COOKIE_SCALE_NONE;
	bool node_scales = syn_ack->tcp_window_scale != PACKET_WINDOW_SCALE_ABSENT;
	int shift = (int)scale_of_node(syn_ack) - (int)scale_promised(flow, syn_ack);

	flow->shift_is_down = shift < 0;
	flow->window_shift = (uint16_t)(shift < 0 ? -shift : shift);
	/* The client scales, but the node takes its windows as they are. */
	flow->client_shift = scaled && !node_scales ? agreed.window_scale : 0;
	if (agreed.sack != syn_ack->tcp_sack_permitted)
		flow->flags |= FLOW_FLAG_SACK_BLANKED;
}

/* What the node lacks although it was asked for. */
static void refusals_learn(struct stage *stage, const struct moment *moment, const struct flow *flow, const struct packet *syn_ack,
	const struct reply_options *dialled)
{
	struct proxy_offer *offer = offer_of(stage, moment, flow->service, syn_ack->family == 6);

	if (dialled->has_window_scale && syn_ack->tcp_window_scale == PACKET_WINDOW_SCALE_ABSENT)
		scale_learn(offer, COOKIE_SCALE_NONE);
	if (dialled->sack_permitted && !syn_ack->tcp_sack_permitted)
		offer->sack = PROXY_NO;
}

/* The window of a SYN-ACK, which is never scaled, as the client reads a later segment's. Not 0 if it is not: the client would wait
 * for an update that nobody sends. */
static uint16_t opening_window(const struct packet *syn_ack, unsigned promised)
{
	unsigned window = syn_ack->tcp_window;

	return (uint16_t)(window >> promised == 0 && window != 0 ? 1 : window >> promised);
}

/* The frame becomes the client's window update; the node gets its ACK; and a segment one before the window makes the client answer at
 * once (RFC 9293 3.10.7.4): its round trip, which the stateless handshake could not measure. */
static void proxy_open(
	struct stage *stage, const struct moment *moment, struct flow *flow, const struct packet *syn_ack, struct decision *decision)
{
	uint32_t cookie = flow->handshake_us, window = flow->node_acked >> 8 & UINT16_MAX;
	struct reply_segment open = {
		.sequence = cookie + 1,
		.acknowledgement = flow->client_next,
		.flags = TCP_FLAG_ACK,
		.window = opening_window(syn_ack, scale_promised(flow, syn_ack)),
	};
	struct reply_segment acknowledge = {
		.sequence = flow->client_next, .acknowledgement = syn_ack->tcp_sequence + 1, .flags = TCP_FLAG_ACK};
	struct reply_segment ask = open;

	translation_agree(flow, syn_ack);
	window <<= flow->client_shift;
	acknowledge.window = window < UINT16_MAX ? (uint16_t)window : UINT16_MAX;
	flow->handshake_us = cookie - syn_ack->tcp_sequence;
	flow->node_next = syn_ack->tcp_sequence + 1;
	flow->node_acked = moment->now_us;
	flow->rtt_pending = 1;
	activity_begin(stage, moment, flow);
	/* Until now the client's window was closed: nothing of its silence was its own. */
	flow->last_ms = flow->born_ms = moment->now_ms;
	flow_set_state(stage, flow, FLOW_STATE_ESTABLISHED);
	flow_event(stage, moment, flow, EVENT_FLOW_PROVEN, CLOSED_BY_NONE, CLOSED_HOW_NONE, 0);
	decision->rewrite = REWRITE_SEGMENT;
	decision->segment = open;
	flow_send_segment(stage, moment, flow, SIDE_INSIDE, &acknowledge);
	ask.sequence = cookie;
	flow_send_segment(stage, moment, flow, SIDE_OUTSIDE, &ask);
}

enum reason proxy_dial_from_node(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct packet *packet = &work->arrival->packet;
	struct flow *flow = work->flow;
	struct reply_options dialled;

	flow_touch(stage, moment, work, flow);
	if (packet->tcp_flags & TCP_FLAG_RST) {
		counter_add(stage->counters, COUNTER_PROXY_REFUSED, 1);
		dial_settle(flow);
		flow_close(stage, moment, flow, CLOSED_BY_NODE, CLOSED_HOW_BACKEND_REFUSED);
		decision->rewrite = REWRITE_SEGMENT;
		decision->segment = reset_to_client(flow);
		return REASON_FLOW;
	}
	/* The node dials the client at the same moment: it answers our SYN as well, and that decides. */
	if (!(packet->tcp_flags & TCP_FLAG_ACK))
		return REASON_PROXY_WAITING;
	if (!(packet->tcp_flags & TCP_FLAG_SYN) || packet->tcp_acknowledgement != flow->client_next) {
		/* The node remembers an earlier connection of these ports. It is told what the client would say (RFC 9293
		 * 3.10.7.3), and dialled again. */
		flow_send_segment(stage, moment, flow, SIDE_INSIDE,
			&(struct reply_segment){.sequence = packet->tcp_acknowledgement, .flags = TCP_FLAG_RST});
		return REASON_PROXY_WAITING;
	}
	dialled = dial_options(stage, moment, flow);
	proxy_learn(stage, moment, flow, packet);
	refusals_learn(stage, moment, flow, packet, &dialled);
	proxy_open(stage, moment, flow, packet, decision);
	return REASON_PROXY_OPENED;
}

void proxy_dial_end(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	struct reply_segment to_client = reset_to_client(flow);
	struct reply_segment to_node = {.sequence = flow->client_next, .flags = TCP_FLAG_RST};

	flow_send_segment(stage, moment, flow, SIDE_OUTSIDE, &to_client);
	flow_send_segment(stage, moment, flow, SIDE_INSIDE, &to_node);
	dial_settle(flow);
}

void proxy_step(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	uint32_t resends = flow->node_next >> 4 & 15;
	uint32_t waited_ms = (moment->now_ms - (flow->node_next >> 8)) & PROXY_WAIT_MASK;
	struct reply_segment dial;

	if (moment->now_ms - flow->born_ms >= moment->rules->policy.half_open_timeout_ms) {
		counter_add(stage->counters, COUNTER_PROXY_SILENT, 1);
		proxy_dial_end(stage, moment, flow);
		flow_close(stage, moment, flow, CLOSED_BY_NODE, CLOSED_HOW_BACKEND_SILENT);
		return;
	}
	if (resends >= PROXY_RESENDS_MAX || waited_ms < (uint32_t)PROXY_RESEND_FIRST_MS << resends ||
		flow->service >= moment->rules->n_services)
		return;
	flow->node_next += 1u << 4;
	wait_since(flow, moment);
	dial = dial_segment(stage, moment, flow);
	counter_add(stage->counters, COUNTER_PROXY_RESENT, 1);
	flow_send_segment(stage, moment, flow, SIDE_INSIDE, &dial);
}
