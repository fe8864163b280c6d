/* SPDX-License-Identifier: BSD-3-Clause
 * JSON-RPC 2.0, one message a line, apart from any socket: a line goes in, lines come out through the
 * client's sink, at once or later. Methods are rows of one table (rpc_table.c). Event loop only; must not
 * block, read clocks or own descriptors.
 */
#ifndef WEIR_CONTROL_RPC_H
#define WEIR_CONTROL_RPC_H

#include <stdio.h>

#include "control/control.h"
#include "control/protocol.h"

struct rpc;
struct rpc_client;

/** Where answers and events of a client go: whole lines, newline included. May not call back into rpc. */
struct rpc_sink {
	void *context;
	void (*send)(void *context, const char *line, size_t bytes);
};

/** What only the process around can do. */
struct rpc_host {
	void *context;
	/** Reload the configuration file: 0, or -errno and the sentence in `text`. On success `text` may say
	 * what needs a restart. */
	int (*reload)(void *context, char *text, size_t bytes);
};

/** Registers itself as control's listener. -ENOMEM. */
int rpc_create(struct control *control, const struct rpc_host *host, struct rpc **ret_rpc);
/** Also removes its clients. */
void rpc_destroy(struct rpc *rpc);

/** -ENOMEM. may_write: methods that change are allowed. */
int rpc_client_add(
	struct rpc *rpc, const struct rpc_sink *sink, bool may_write, struct rpc_client **ret_client);
/** Its pending requests are forgotten; what they asked for happens nevertheless. */
void rpc_client_remove(struct rpc *rpc, struct rpc_client *client);

/** As events.subscribe without names, but without an answer (in simulate all are on). */
void rpc_client_subscribe_all(struct rpc *rpc, struct rpc_client *client);

/** One line without its newline, any bytes. Answers with a result, an error, nothing (a notification), or
 * later. */
void rpc_line(struct rpc *rpc, struct rpc_client *client, const char *line, size_t bytes);
/** A line longer than PROTOCOL_LINE_BYTES_MAX was thrown away. */
void rpc_line_too_long(struct rpc_client *client);
/** Looks at every pending request: durable, published, answered or timed out. At least every 20 ms. */
void rpc_tick(struct rpc *rpc);
/** How many requests wait, of all clients or of one. */
unsigned rpc_pending(const struct rpc *rpc);
unsigned rpc_client_pending(const struct rpc_client *client);

/** The reference page, from the table that dispatches. */
void rpc_reference(FILE *file);

#endif
