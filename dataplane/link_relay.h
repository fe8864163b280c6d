/* SPDX-License-Identifier: BSD-3-Clause
 * Passes the loss of a link to the other side of its pair, so that routers and bonds see through the bump. Table thread only,
 * a few times a second.
 */
#ifndef WEIR_DATAPLANE_LINK_RELAY_H
#define WEIR_DATAPLANE_LINK_RELAY_H

#include "dataplane/port.h"

enum { LINK_RELAY_INTERVAL_MS = 250 };

struct link_relay {
	const struct port (*pairs)[2];
	unsigned n_pairs;
	uint64_t next_ns;
	bool held_down[OPTIONS_PAIRS_MAX][2]; /* by us, because the other side lost its link */
	bool unsupported_said;
};

void link_relay_step(struct link_relay *relay, uint64_t now_ns);
/** Raise what was held down: at the end the ports are their owner's again. */
void link_relay_end(struct link_relay *relay);

#endif
