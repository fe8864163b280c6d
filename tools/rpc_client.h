/* SPDX-License-Identifier: BSD-3-Clause
 * A JSON-RPC 2.0 client of weir-control's socket: one message a line, at most 1 MiB. One thread, no state but
 * the connection. Requests can be pipelined; while it writes it also reads, so that neither side waits for
 * the other.
 */
#ifndef WEIR_TOOLS_RPC_CLIENT_H
#define WEIR_TOOLS_RPC_CLIENT_H

#include <jansson.h>
#include <stdint.h>

enum {
	RPC_LINE_BYTES_MAX = 1 << 20,
	RPC_MESSAGE_MAX = 512,
	/* Own codes, outside of those of rpc.md. */
	RPC_CODE_FAILED = 101, /* something here went wrong */
	RPC_CODE_USAGE = 102,
	RPC_CODE_NOT_RUNNING = 103, /* nobody listens at the socket */
	RPC_CODE_LOST = 104,        /* the connection ended, or no answer came in time */
};

struct rpc_error {
	int code; /* of control (rpc.md), or one of the above */
	char message[RPC_MESSAGE_MAX];
};

struct rpc_client;

/** Connect. -1 with ret_error filled. */
int rpc_client_open(
	const char *socket_path, int timeout_ms, struct rpc_client **ret_client, struct rpc_error *ret_error);
void rpc_client_close(struct rpc_client *client);

/** One request and its answer; `params` (may be NULL) becomes the client's. 0 and *ret_result (the caller's),
 * or -1 and ret_error. Notifications that come in between are kept for rpc_client_notification. */
int rpc_client_call(struct rpc_client *client, const char *method, json_t *params, json_t **ret_result,
	struct rpc_error *ret_error);

/** Pipelined: write one request; answers that come meanwhile are kept. 0 and its id, or -1. */
int rpc_client_send(struct rpc_client *client, const char *method, json_t *params, int64_t *ret_id,
	struct rpc_error *ret_error);
/** The next answer, in the order in which control sent them: 0 with *ret_id and *ret_result; -1 with
 * ret_error
 * (*ret_id is then the request's, or -1 when the connection itself failed). */
int rpc_client_receive(
	struct rpc_client *client, int64_t *ret_id, json_t **ret_result, struct rpc_error *ret_error);

/** The next notification (its whole message, the caller's); waits without limit. -1: the connection ended. */
int rpc_client_notification(struct rpc_client *client, json_t **ret_message, struct rpc_error *ret_error);

#endif
