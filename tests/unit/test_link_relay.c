// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/link_relay.h as far as it decides: two devices whose links need seconds to come up, with an injected clock.
 * A loss is passed on once and taken back once; negotiating is no loss.
 */
#include "dataplane/link_relay.h"

#include <string.h>

#include "tests/check.h"

enum { STEP_MS = LINK_RELAY_INTERVAL_MS, TRAINING_MS = 12000 /* 10GBASE-T at its slowest */ };

/* Both sides of a pair: a cable that is in or out, a device that we raise or hold down, and a link that comes TRAINING_MS after both are. */
struct wires {
	struct link_relay_pair state;
	bool cable[2], raised[2];
	uint64_t link_at_ms[2], now_ms;
	unsigned holds[2], raises[2]; /* what was done to each side */
};

static bool has_link(const struct wires *wires, unsigned side)
{
	return wires->cable[side] && wires->raised[side] && wires->now_ms >= wires->link_at_ms[side];
}

static void cable_set(struct wires *wires, unsigned side, bool in)
{
	wires->cable[side] = in;
	wires->link_at_ms[side] = wires->now_ms + TRAINING_MS;
}

static void device_set(struct wires *wires, unsigned side, bool raised)
{
	wires->raised[side] = raised;
	wires->link_at_ms[side] = wires->now_ms + TRAINING_MS;
	wires->holds[side] += !raised;
	wires->raises[side] += raised;
}

static void pass(struct wires *wires, unsigned ms)
{
	for (uint64_t end_ms = wires->now_ms + ms; wires->now_ms < end_ms; wires->now_ms += STEP_MS)
		for (unsigned side = 0; side < 2; side++) {
			uint64_t now_ns = wires->now_ms * UINT64_C(1000000);
			enum link_relay_action action =
				link_relay_decide(&wires->state, side, has_link(wires, side), now_ns);

			if (action == LINK_RELAY_NOTHING)
				continue;
			device_set(wires, 1 - side, action == LINK_RELAY_RAISE);
			link_relay_done(&wires->state, side, action, now_ns);
		}
}

static struct wires wires_make(bool outside, bool inside)
{
	struct wires wires = {.raised = {true, true}, .now_ms = 1000};

	cable_set(&wires, SIDE_OUTSIDE, outside);
	cable_set(&wires, SIDE_INSIDE, inside);
	return wires;
}

static void test_start(void)
{
	struct wires wires = wires_make(true, true);

	pass(&wires, 60000);
	CHECK_EQ("devices that negotiate at the start are left alone: outside", wires.holds[SIDE_OUTSIDE], 0u);
	CHECK_EQ("and inside", wires.holds[SIDE_INSIDE], 0u);
	CHECK_TRUE("both have their link", has_link(&wires, 0) && has_link(&wires, 1));
	wires = wires_make(false, true);
	pass(&wires, LINK_RELAY_NEGOTIATION_MS);
	CHECK_EQ("a link that is missing at the start is awaited", wires.holds[SIDE_INSIDE], 0u);
	pass(&wires, 2 * STEP_MS);
	CHECK_EQ("but not for ever", wires.holds[SIDE_INSIDE], 1u);
	CHECK_EQ("it is passed on to the other side only", wires.holds[SIDE_OUTSIDE], 0u);
}

static void test_loss(void)
{
	for (unsigned side = 0; side < 2; side++) {
		struct wires wires = wires_make(true, true);

		pass(&wires, TRAINING_MS + 2 * STEP_MS);
		cable_set(&wires, side, false);
		pass(&wires, 2 * STEP_MS);
		CHECK_EQ("a loss is passed on at once, as soon as there was a link", wires.holds[1 - side], 1u);
		pass(&wires, 60000);
		CHECK_EQ("once", wires.holds[1 - side], 1u);
		CHECK_EQ("and never comes back to where it was lost", wires.holds[side], 0u);
		cable_set(&wires, side, true);
		pass(&wires, TRAINING_MS + 2 * STEP_MS);
		CHECK_EQ("the other side is raised with the link", wires.raises[1 - side], 1u);
		pass(&wires, 120000);
		CHECK_EQ("while it negotiates, nothing is held down", wires.holds[side], 0u);
		CHECK_EQ("nor later", wires.holds[1 - side], 1u);
		CHECK_TRUE("both have their link", has_link(&wires, 0) && has_link(&wires, 1));
	}
}

static void test_raised_in_vain(void)
{
	struct wires wires = wires_make(true, true);

	pass(&wires, 30000);
	cable_set(&wires, SIDE_OUTSIDE, false);
	pass(&wires, 2000);
	cable_set(&wires, SIDE_INSIDE, false); /* while it is held down */
	cable_set(&wires, SIDE_OUTSIDE, true);
	pass(&wires, TRAINING_MS + LINK_RELAY_NEGOTIATION_MS);
	CHECK_EQ("a side that stays without a link when it is raised is awaited", wires.holds[SIDE_OUTSIDE], 0u);
	pass(&wires, 1000);
	CHECK_EQ("and then passed on", wires.holds[SIDE_OUTSIDE], 1u);
}

static void test_unknown(void)
{
	struct link_relay_pair state = {.began = false};

	for (uint64_t s = 1; s < 60; s++)
		CHECK_EQ("a link that nobody knows means nothing",
			link_relay_decide(&state, SIDE_OUTSIDE, -1, s * UINT64_C(1000000000)), LINK_RELAY_NOTHING);
}

static const struct check_test tests[] = {
	{"negotiating at the start is no loss", test_start},
	{"a loss is passed on once and taken back once", test_loss},
	{"a side that is raised in vain", test_raised_in_vain},
	{"an unknown link", test_unknown},
};

int main(int argc, char **argv)
{
	return check_main("link_relay", tests, CHECK_COUNT(tests), argc, argv);
}
