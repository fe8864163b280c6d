/* SPDX-License-Identifier: BSD-3-Clause
 * The unix socket in front of rpc.h: connections, their buffers and their rights. Event loop only. A client
 * that sends without end, reads nothing or says nonsense costs a bounded amount of memory and is then
 * disconnected. Must not know methods.
 */
#ifndef WEIR_CONTROL_RPC_SERVER_H
#define WEIR_CONTROL_RPC_SERVER_H

#include "control/event_loop.h"
#include "control/rpc.h"

struct rpc_server;

/** Listen at `path` (an old socket there is replaced: the caller holds the instance's lock), mode 0660, group
 * `group` if not "". Members of admin_group, root and our own uid may write. -errno with a sentence. */
int rpc_server_open(struct event_loop *loop, struct rpc *rpc, const struct config *config,
	struct rpc_server **ret_server, char *error_text, size_t error_bytes);
/** Removes the socket. Before rpc_destroy. */
void rpc_server_close(struct rpc_server *server);
/** When the socket's file was removed under us: listen anew; connections stay. Now and then. */
void rpc_server_restore(struct rpc_server *server);
/** Runs the requests that were read, one of each client in turn, for 5 ms at most; what is left is run in the
 * next turn, which comes at once. After the handlers of a turn and before rpc_tick. */
void rpc_server_run(struct rpc_server *server);
/** Writes what waits and closes what is done; at the end of each turn. */
void rpc_server_turn_end(struct rpc_server *server);

#endif
