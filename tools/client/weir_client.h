/* SPDX-License-Identifier: BSD-3-Clause
 * A node's connection to Weir: JSON-RPC over the unix socket of weir-control, made for the node's own event
 * loop. One descriptor, never blocks, no thread, no global state, no log. All functions and callbacks run on
 * the caller's thread; one client is used by one thread. Texts are UTF-8 and copied. Methods, parameters and
 * events: control/RPC.md (`weir-control --rpc-reference` prints it).
 *
 *	struct weir_client *weir;
 *	weir_client_create(&options, &weir);
 *	for (;;) {
 *		struct pollfd fd = { weir_client_fd(weir), weir_client_poll_events(weir), 0 };
 *		poll(&fd, 1, weir_client_timeout_ms(weir, now_ms));     (beside the node's own descriptors)
 *		weir_client_run(weir, now_ms);
 *	}
 *
 * weir-control may stop and start at any time: the client connects again by itself and subscribes again; what
 * waited for an answer is answered with WEIR_LOST. Nothing of the node needs to wait for Weir.
 */
#ifndef WEIR_CLIENT_H
#define WEIR_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_client;

/* Codes of answers beside those of the protocol (-32600.., 1 refused, 2 unknown, 3 busy). */
enum { WEIR_OK = 0, WEIR_LOST = 104 /* the connection ended before the answer came */ };

struct weir_answer {
	int code;            /* WEIR_OK, or an error */
	const char *message; /* the sentence of an error; "" */
	const char *json;    /* the result as JSON text; "null" with an error. Valid in the callback only. */
};
/** May call any function of the client but weir_client_destroy. */
typedef void (*weir_answer_callback)(void *context, const struct weir_answer *answer);

struct weir_client_options {
	const char *socket_path; /* NULL: /run/weir/weir.sock */
	void *context;
	/** An event: its name, the peer's id or "", the address or "", and the whole event as JSON text.
	 * NULL: no events. */
	void (*event)(void *context, const char *name, const char *id, const char *ip, const char *json);
	/** Connected (again), or not any more. May be NULL. */
	void (*state)(void *context, bool connected);
};

/** 0, -EINVAL (the path is too long), -ENOMEM. Connecting begins at the first weir_client_run. */
int weir_client_create(const struct weir_client_options *options, struct weir_client **ret_client);
/** What waits is answered with WEIR_LOST. */
void weir_client_destroy(struct weir_client *client);

/** The descriptor to poll, -1 while there is none; it changes when the client connects again. */
int weir_client_fd(const struct weir_client *client);
/** POLLIN, and POLLOUT while something is to be written. */
short weir_client_poll_events(const struct weir_client *client);
/** How long poll may wait, in ms; -1: for ever. `now_ms` counts from any point and never falls. */
int weir_client_timeout_ms(const struct weir_client *client, int64_t now_ms);
/** Connects, writes, reads, calls back. Call it when the descriptor is ready or the timeout has passed. */
void weir_client_run(struct weir_client *client, int64_t now_ms);
bool weir_client_is_connected(const struct weir_client *client);

/** Any method: `parameters` is a JSON object as text, NULL for none. `callback` may be NULL. -EINVAL: not an
 * object; -ENOTCONN; -ENOBUFS: a mebibyte waits to be written or 1024 answers to come; -ENOMEM. */
int weir_call(struct weir_client *client, const char *method, const char *parameters,
	weir_answer_callback callback, void *context);

/* What nearly every node needs; as weir_call with the method in the comment. "" and 0 leave a parameter out.
 */

/** peer.bind: who is behind this connection. Not accepted (field `accepted`): close it with `code`. */
int weir_peer_bind(struct weir_client *client, const char *id, const char *ip, uint16_t port,
	const char *agent, uint16_t listen_port, weir_answer_callback callback, void *context);
/** conn.auth: the login of a connection went well, or did not. */
int weir_conn_auth(struct weir_client *client, const char *ip, uint16_t port, bool ok, const char *reason);
/** peer.report: low, mid, high, fatal, invalid_message, spam, protocol_violation, malicious_content. */
int weir_peer_report(struct weir_client *client, const char *id, const char *action, const char *reason,
	const char *evidence);
/** peer.record: something that the node did with this peer went well, or did not. */
int weir_peer_record(struct weir_client *client, const char *id, bool ok);
/** peer.state: cold, warm, hot, cooling. */
int weir_peer_state(struct weir_client *client, const char *id, const char *to);
/** conn.dial: may the node dial this endpoint now (field `allow`, else `wait_s`)? */
int weir_conn_dial(struct weir_client *client, const char *ip, uint16_t port, weir_answer_callback callback,
	void *context);
/** book.add of one address that was learnt from `source`: gossip, dns, ledger, ... */
int weir_book_add(struct weir_client *client, const char *ip, uint16_t port, const char *source);
/** book.to_connect: whom to dial next (field `addrs`). */
int weir_book_to_connect(
	struct weir_client *client, unsigned n, weir_answer_callback callback, void *context);
/** book.to_send: what to tell a peer that asks (field `addrs`). */
int weir_book_to_send(struct weir_client *client, unsigned n, const char *asker,
	weir_answer_callback callback, void *context);
/** node.up, node.sync_state (caught_up, syncing, pre_syncing). */
int weir_node_up(struct weir_client *client, bool up);
int weir_node_sync_state(struct weir_client *client, const char *state);

#ifdef __cplusplus
}
#endif

#endif
