/* SPDX-License-Identifier: BSD-3-Clause
 * A whole dataplane put together: segments, EAL, ports, dispatch, stages, workers and the table thread, in the order in which they
 * need each other, and taken apart in reverse. Main only.
 */
#ifndef WEIR_DATAPLANE_DATAPLANE_H
#define WEIR_DATAPLANE_DATAPLANE_H

#include "dataplane/table_thread.h"

struct dataplane {
	struct options options;
	struct dataplane_segment segment;
	struct flow_segment flows;
	struct hash_key cookie_secret; /* of options.cookie_secret */
	struct rte_mempool *pool;
	struct port pairs[OPTIONS_PAIRS_MAX][2];
	struct dispatch dispatch;
	struct stage_shared *stage_shared;
	struct worker_shared shared;
	struct worker workers[OPTIONS_LCORES_MAX];
	struct link_relay relay;
	struct table_offload *offload;
	struct table_thread table;
	bool eal_runs, table_runs;
};

/** 0, or -errno after a sentence; then nothing is left behind. */
int dataplane_start(const struct options *options, struct dataplane *dataplane);
/** After every worker has ended. Ports are stopped, XDP is detached, the socket is gone; segments stay for a successor. */
void dataplane_stop(struct dataplane *dataplane);

#endif
