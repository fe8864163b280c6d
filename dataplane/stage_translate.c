// SPDX-License-Identifier: BSD-3-Clause
/* A flow that the SYN proxy has opened: which numbers of a segment move, and by how much, until the flow ends. Flows keep the node's
 * own numbers; only what comes from or goes to the client is converted. Thread: the owning lcore. Must not touch the frame:
 * translate.h does that, on the caller's word.
 */
#include "dataplane/stage_private.h"

static bool is_translated(const struct flow *flow)
{
	return (flow->flags & FLOW_FLAG_TRANSLATED) && flow->state != FLOW_STATE_PROXY_DIAL;
}

static int8_t shift_to_client(const struct flow *flow)
{
	return (int8_t)(flow->shift_is_down ? -(int)flow->window_shift : (int)flow->window_shift);
}

void translate_decide(const struct flow *flow, enum side side, struct decision *decision)
{
	bool blank = (flow->flags & FLOW_FLAG_SACK_BLANKED) != 0;

	if (!is_translated(flow) || decision->rewrite != REWRITE_NONE)
		return;
	decision->rewrite = REWRITE_TRANSLATE;
	if (side == SIDE_OUTSIDE)
		decision->translation = (struct translation){.acknowledgement_add = -flow->handshake_us,
			.window_shift = (int8_t)flow->client_shift,
			.sack_blank = blank};
	else
		decision->translation = (struct translation){
			.sequence_add = flow->handshake_us, .window_shift = shift_to_client(flow), .sack_blank = blank};
}

void translate_quoted_decide(const struct flow *flow, enum side side, struct decision *decision)
{
	if (!is_translated(flow))
		return;
	decision->rewrite = REWRITE_QUOTED;
	/* From outside it quotes what the node sent, from inside what the client sent. */
	if (side == SIDE_OUTSIDE)
		decision->translation = (struct translation){.sequence_add = -flow->handshake_us};
	else
		decision->translation = (struct translation){.acknowledgement_add = flow->handshake_us};
}

enum reason translate_syn_ack_again(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct packet *packet = &work->arrival->packet;
	const struct flow *flow = work->flow;
	int scale = packet->tcp_window_scale != PACKET_WINDOW_SCALE_ABSENT ? packet->tcp_window_scale : 0;
	/* A SYN-ACK's window is not scaled, a later one is, by what the client was promised; and not 0 if it was not. */
	unsigned promised = (unsigned)(scale - shift_to_client(flow)) & 15;
	unsigned window = packet->tcp_window >> promised;
	struct reply_segment open = {
		.sequence = packet->tcp_sequence + 1 + flow->handshake_us,
		.acknowledgement = packet->tcp_acknowledgement,
		.flags = TCP_FLAG_ACK,
		.window = (uint16_t)(window == 0 && packet->tcp_window != 0 ? 1 : window),
	};

	decision->rewrite = REWRITE_SEGMENT;
	decision->segment = open;
	/* One before the window: the client's answer is the ACK that the node waits for, with a window of the client's own. */
	open.sequence--;
	flow_send_segment(stage, moment, flow, SIDE_OUTSIDE, &open);
	return REASON_FLOW;
}

void translate_rtt_take(
	struct stage *stage, const struct moment *moment, struct flow *flow, uint32_t acknowledgement)
{
	uint32_t rtt_us = moment->now_us - flow->node_acked;
	struct event_record event = {
		.time_ns = moment->now_ns,
		.client_port = flow->client_port,
		.kind = EVENT_FLOW_RTT,
		.flags = EVENT_FLAG_PROVEN,
		.service = flow->service,
		.protocol = flow->protocol,
		.rtt_us = rtt_us > 0 ? rtt_us : 1,
	};

	flow->rtt_pending = 0;
	flow->node_acked = acknowledgement;
	memcpy(event.client, flow->client, sizeof(event.client));
	stage->output.event(stage->output.context, &event);
}
