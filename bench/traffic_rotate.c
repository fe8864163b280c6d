// SPDX-License-Identifier: BSD-3-Clause
/* Slots and their index (traffic_rotate.h). Its keys are addresses of our own choice, so the hash needs no
 * secret. One thread.
 */
#include "bench/traffic_rotate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/traffic_pieces.h"

static uint32_t place_of(const struct traffic_rotate *rotate, const struct address *address)
{
	uint64_t high, low, state;

	memcpy(&high, address->bytes, 8);
	memcpy(&low, address->bytes + 8, 8);
	/* the words are in the wire's order: what differs stands in their upper bits, which a multiplication
	 * alone leaves there */
	state = high * UINT64_C(0x9E3779B97F4A7C15) ^ low;
	return (uint32_t)traffic_random_next(&state) & rotate->index_mask;
}

static void index_insert(struct traffic_rotate *rotate, uint32_t slot)
{
	uint32_t at = place_of(rotate, &rotate->slots[slot].address);

	while (rotate->index[at] != 0)
		at = (at + 1) & rotate->index_mask;
	rotate->index[at] = slot + 1;
}

/* Close the gap: what came behind it by probing moves forward, unless it already stands at or behind its own
 * place. */
static void index_remove(struct traffic_rotate *rotate, uint32_t slot)
{
	uint32_t hole = place_of(rotate, &rotate->slots[slot].address);

	while (rotate->index[hole] != slot + 1)
		hole = (hole + 1) & rotate->index_mask;
	for (uint32_t at = (hole + 1) & rotate->index_mask; rotate->index[at] != 0;
		at = (at + 1) & rotate->index_mask) {
		uint32_t wanted = place_of(rotate, &rotate->slots[rotate->index[at] - 1].address);

		if (((at - wanted) & rotate->index_mask) < ((at - hole) & rotate->index_mask))
			continue;
		rotate->index[hole] = rotate->index[at];
		hole = at;
	}
	rotate->index[hole] = 0;
}

int traffic_rotate_create(struct traffic_rotate *ret_rotate, uint32_t n, uint32_t patience)
{
	struct traffic_rotate rotate = {.n = n, .patience = patience};
	uint32_t places = 4;

	while (places < 4 * n)
		places *= 2;
	rotate.index_mask = places - 1;
	rotate.slots = calloc(n, sizeof(rotate.slots[0]));
	rotate.index = calloc(places, sizeof(rotate.index[0]));
	if (rotate.slots == NULL || rotate.index == NULL) {
		traffic_rotate_done(&rotate);
		return -ENOMEM;
	}
	*ret_rotate = rotate;
	return 0;
}

void traffic_rotate_done(struct traffic_rotate *rotate)
{
	free(rotate->slots);
	free(rotate->index);
	*rotate = (struct traffic_rotate){0};
}

static void turn_take(struct traffic_rotate *rotate)
{
	rotate->slots[rotate->turn].unanswered++;
	rotate->turn = rotate->turn + 1 == rotate->n ? 0 : rotate->turn + 1;
}

bool traffic_rotate_next(struct traffic_rotate *rotate, struct address *ret_address)
{
	const struct traffic_rotate_slot *slot = &rotate->slots[rotate->turn];

	if (!slot->used || slot->unanswered >= rotate->patience)
		return false;
	*ret_address = slot->address;
	turn_take(rotate);
	return true;
}

void traffic_rotate_move(struct traffic_rotate *rotate, const struct address *address)
{
	struct traffic_rotate_slot *slot = &rotate->slots[rotate->turn];

	if (slot->used) {
		index_remove(rotate, rotate->turn);
		rotate->moves++;
	}
	*slot = (struct traffic_rotate_slot){.address = *address, .used = true};
	index_insert(rotate, rotate->turn);
	turn_take(rotate);
}

void traffic_rotate_answered(struct traffic_rotate *rotate, const struct address *address)
{
	for (uint32_t at = place_of(rotate, address); rotate->index[at] != 0;
		at = (at + 1) & rotate->index_mask) {
		struct traffic_rotate_slot *slot = &rotate->slots[rotate->index[at] - 1];

		if (memcmp(&slot->address, address, sizeof(*address)) == 0) {
			slot->unanswered = 0;
			return;
		}
	}
}
