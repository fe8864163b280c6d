/* SPDX-License-Identifier: BSD-3-Clause
 * The unix socket on which control rings, asks and notices our death (shm/link.h). Table thread only. It never blocks: an answer
 * that the socket does not take is dropped, and a flow dump goes on when there is room again.
 */
#ifndef WEIR_DATAPLANE_LINK_SERVER_H
#define WEIR_DATAPLANE_LINK_SERVER_H

#include <poll.h>
#include <stdbool.h>

#include "dataplane/flow_segment.h"
#include "dataplane/ruleset.h"
#include "dataplane/stage.h"
#include "shm/link.h"
#include "shm/paths.h"

enum { LINK_SERVER_CLIENTS = 4 };

struct link_client {
	int fd; /* -1: free */
	bool dumping;
	uint64_t dump_cookie;
	uint64_t dump_place; /* next place of the flows' storage to look at */
};

struct link_server {
	int fd;
	char path[PATHS_TEXT_MAX];
	struct link_client clients[LINK_SERVER_CLIENTS];
};

/** What answers are made of; valid for one call. rules may be NULL. */
struct link_server_view {
	const struct stage_shared *shared;
	const struct stage *stage; /* of the first lcore: its service pressure stands for all */
	const struct ruleset *rules;
	const struct flow_segment *flows;
	uint64_t now_ns;
};

/** Listen; mode 0660. A socket left by a killed run is replaced. 0, or -errno after a sentence. */
int link_server_open(struct link_server *server, const char *path);
/** Fill the poll set: 1 + LINK_SERVER_CLIENTS entries. */
void link_server_poll_set(const struct link_server *server, struct pollfd *ret_set);
/** Handle what poll found. Returns true when control rang the doorbell. */
bool link_server_serve(struct link_server *server, const struct pollfd *set, const struct link_server_view *view);
/** Is control connected? */
bool link_server_is_connected(const struct link_server *server);
void link_server_close(struct link_server *server);

#endif
