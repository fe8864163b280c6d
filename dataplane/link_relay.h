/* SPDX-License-Identifier: BSD-3-Clause
 * Passes the loss of a link to the other side of its pair, so that routers and bonds see through the bump. Table thread only,
 * a few times a second.
 */
#ifndef WEIR_DATAPLANE_LINK_RELAY_H
#define WEIR_DATAPLANE_LINK_RELAY_H

#include "dataplane/port.h"

enum {
	LINK_RELAY_INTERVAL_MS = 250,
	/* A device that was started or raised has no link while both ends negotiate: 2 to 4 s over copper at 1 Gbit/s, more than
	 * 10 s at 10 Gbit/s. That is no loss; passed on, it would make the other side negotiate too, and so on for ever. */
	LINK_RELAY_NEGOTIATION_MS = 15000,
};

/** What the relay knows of one pair, by side. Zeroed at first. */
struct link_relay_pair {
	bool held_down[2]; /* by us, because the other side lost its link */
	bool began;
	uint64_t negotiates_until_ns[2]; /* without a link until then: it may still come; 0: it has come */
};

enum link_relay_action { LINK_RELAY_NOTHING, LINK_RELAY_HOLD, LINK_RELAY_RAISE };

struct link_relay {
	const struct port (*pairs)[2];
	unsigned n_pairs;
	uint64_t next_ns;
	struct link_relay_pair states[OPTIONS_PAIRS_MAX];
	bool unsupported_said;
};

/** What a side's link (1: up, 0: none, negative: unknown) means for the other side. Pure but for what it learns. */
enum link_relay_action link_relay_decide(struct link_relay_pair *pair, unsigned side, int link, uint64_t now_ns);
/** The action was done to the other side of `side`. */
void link_relay_done(struct link_relay_pair *pair, unsigned side, enum link_relay_action action, uint64_t now_ns);
void link_relay_step(struct link_relay *relay, uint64_t now_ns);
/** Raise what was held down: at the end the ports are their owner's again. */
void link_relay_end(struct link_relay *relay);

#endif
