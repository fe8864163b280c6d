// SPDX-License-Identifier: BSD-3-Clause
/* How far a connection is: the node's acknowledgement less the client's first sequence number is 1 after the
 * handshake, 1 + request after the request, 2 + request after the FIN (flood_connect.h). Pure, any thread.
 */
#include "bench/flood_connect.h"

#include <errno.h>

static uint64_t tuple_mix(uint64_t seed, const struct address *client, uint16_t port)
{
	uint64_t high, low, state;

	memcpy(&high, client->bytes, 8);
	memcpy(&low, client->bytes + 8, 8);
	state = (high ^ seed) * UINT64_C(0xD1B54A32D192ED03) + (low ^ (uint64_t)port << 16);
	return traffic_random_next(&state);
}

uint32_t connect_sequence(uint64_t seed, const struct address *client, uint16_t port)
{
	return (uint32_t)tuple_mix(seed, client, port);
}

static enum connect_behaviour behaviour_of(const struct connect_plan *plan, uint64_t mix)
{
	if (plan->behaviour != CONNECT_MIXED)
		return plan->behaviour;
	return (enum connect_behaviour)(((mix >> 32) * CONNECT_MIXED) >> 32);
}

/* What follows the handshake; `acknowledge`: nothing has acknowledged the SYN-ACK yet. */
static void handshake_answer(
	enum connect_behaviour behaviour, bool acknowledge, struct connect_answer *answer)
{
	enum connect_segment plain = acknowledge ? CONNECT_SEND_ACK : CONNECT_SEND_NONE;

	switch (behaviour) {
	case CONNECT_SYN_ONLY:
		answer->finished = acknowledge;
		return;
	case CONNECT_SILENT:
		answer->segments[0] = plain;
		answer->finished = true;
		return;
	case CONNECT_RESET:
		/* once: what opens afterwards finds no client */
		answer->segments[0] = plain;
		answer->segments[1] = acknowledge ? CONNECT_SEND_RST : CONNECT_SEND_NONE;
		answer->finished = acknowledge;
		return;
	case CONNECT_HALF:
		answer->segments[0] = CONNECT_SEND_HALF;
		answer->finished = true;
		return;
	default:
		answer->segments[0] = CONNECT_SEND_REQUEST;
	}
}

static void syn_ack_answer(
	enum connect_behaviour behaviour, const struct flood_reply *reply, struct connect_answer *answer)
{
	answer->event = reply->window == 0 ? CONNECT_SHAKEN_CLOSED : CONNECT_SHAKEN;
	answer->acknowledgement = reply->sequence + 1;
	if (reply->window != 0 || behaviour == CONNECT_RESET || behaviour == CONNECT_SYN_ONLY)
		handshake_answer(behaviour, true, answer);
	else
		answer->segments[0] = CONNECT_SEND_ACK; /* nothing may be said into a closed window */
}

static void data_answer(
	enum connect_behaviour behaviour, const struct flood_reply *reply, struct connect_answer *answer)
{
	answer->event = CONNECT_SERVED;
	answer->acknowledgement = reply->sequence + reply->payload_bytes;
	answer->finished = behaviour != CONNECT_COMPLETE;
	if (behaviour == CONNECT_COMPLETE)
		answer->segments[0] = CONNECT_SEND_FIN;
	else if (behaviour == CONNECT_NEVER_CLOSE)
		answer->segments[0] = CONNECT_SEND_ACK;
}

static void fin_answer(
	uint32_t progress, uint32_t closed, const struct flood_reply *reply, struct connect_answer *answer)
{
	answer->event = CONNECT_ENDED;
	answer->finished = true;
	answer->acknowledgement = reply->sequence + reply->payload_bytes + 1;
	/* the node's FIN answers ours, or comes first and wants one */
	answer->segments[0] = progress == closed ? CONNECT_SEND_ACK : CONNECT_SEND_FIN;
}

/* place: hash in the upper 31 bits, then the flag, then the number */
enum { MEMORY_ASKED_BIT = 32, MEMORY_HASH_BIT = 33 };

static uint64_t *memory_place(struct connect_memory *memory, uint64_t mix)
{
	return &memory->places[mix >> (64 - CONNECT_MEMORY_LOG2)];
}

static void memory_keep(struct connect_memory *memory, uint64_t mix, uint32_t sequence)
{
	*memory_place(memory, mix) = mix >> 33 << MEMORY_HASH_BIT | sequence;
}

/* A segment without data that acknowledges the handshake and no more. */
static void bare_answer(struct connect_memory *memory, enum connect_behaviour behaviour, uint64_t mix,
	const struct flood_reply *reply, struct connect_answer *answer)
{
	uint64_t *place = memory_place(memory, mix);
	bool known = *place >> MEMORY_HASH_BIT == mix >> 33;

	if (known && (uint32_t)*place != reply->sequence) {
		answer->event = CONNECT_PROBED;
		answer->acknowledgement = (uint32_t)*place;
		if (behaviour != CONNECT_SYN_ONLY && behaviour != CONNECT_RESET)
			answer->segments[0] = CONNECT_SEND_ACK;
		return;
	}
	if (reply->window == 0 || (known && (*place >> MEMORY_ASKED_BIT & 1)))
		return;
	if (known)
		*place |= UINT64_C(1) << MEMORY_ASKED_BIT;
	answer->event = CONNECT_OPENED;
	handshake_answer(behaviour, false, answer);
}

void connect_answer_find(const struct connect_plan *plan, struct connect_memory *memory,
	const struct flood_reply *reply, struct connect_answer *ret_answer)
{
	uint64_t mix = tuple_mix(plan->seed, &reply->to, reply->to_port);
	enum connect_behaviour behaviour = behaviour_of(plan, mix);
	uint32_t progress = reply->acknowledgement - (uint32_t)mix, asked = 1u + plan->request_bytes;
	struct connect_answer answer = {.event = CONNECT_NOTHING,
		.segments = {CONNECT_SEND_NONE, CONNECT_SEND_NONE},
		.sequence = reply->acknowledgement,
		.acknowledgement = reply->sequence};

	if (reply->flags & FLOOD_REPLY_RST) {
		answer.event = CONNECT_REFUSED;
		answer.finished = true;
	} else if (!(reply->flags & FLOOD_REPLY_ACK) || progress == 0 || progress > asked + 1) {
		answer.event = CONNECT_STRAY;
	} else if ((reply->flags & FLOOD_REPLY_SYN) && progress == 1) {
		syn_ack_answer(behaviour, reply, &answer);
		if (answer.event == CONNECT_SHAKEN_CLOSED)
			memory_keep(memory, mix, reply->sequence + 1);
	} else if (reply->flags & FLOOD_REPLY_SYN) {
		answer.event = CONNECT_STRAY;
	} else if (reply->flags & FLOOD_REPLY_FIN) {
		fin_answer(progress, asked + 1, reply, &answer);
	} else if (reply->payload_bytes != 0 && progress == asked) {
		data_answer(behaviour, reply, &answer);
	} else if (reply->payload_bytes == 0 && progress == 1) {
		bare_answer(memory, behaviour, mix, reply, &answer);
	}
	*ret_answer = answer;
}

static const char *const behaviour_names[CONNECT_BEHAVIOURS] = {
	[CONNECT_COMPLETE] = "complete",
	[CONNECT_SYN_ONLY] = "syn-only",
	[CONNECT_SILENT] = "silent",
	[CONNECT_RESET] = "reset",
	[CONNECT_NEVER_ACK] = "never-ack",
	[CONNECT_NEVER_CLOSE] = "never-close",
	[CONNECT_HALF] = "half",
	[CONNECT_MIXED] = "mixed",
};

static const char *const event_names[CONNECT_EVENTS] = {
	[CONNECT_NOTHING] = "nothing",
	[CONNECT_SHAKEN] = "shaken",
	[CONNECT_SHAKEN_CLOSED] = "shaken_closed",
	[CONNECT_OPENED] = "opened",
	[CONNECT_SERVED] = "served",
	[CONNECT_ENDED] = "ended",
	[CONNECT_REFUSED] = "refused",
	[CONNECT_PROBED] = "probed",
	[CONNECT_STRAY] = "stray",
};

const char *connect_behaviour_name(enum connect_behaviour behaviour)
{
	return behaviour_names[behaviour];
}

const char *connect_event_name(enum connect_event event)
{
	return event_names[event];
}

int connect_behaviour_parse(const char *text, enum connect_behaviour *ret_behaviour)
{
	for (unsigned i = 0; i < CONNECT_BEHAVIOURS; i++) {
		if (strcmp(text, behaviour_names[i]) == 0) {
			*ret_behaviour = (enum connect_behaviour)i;
			return 0;
		}
	}
	return -EINVAL;
}
