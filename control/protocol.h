/* SPDX-License-Identifier: BSD-3-Clause
 * What a client of weir-control's socket must know beside the method table (`weir-control --rpc-reference`):
 * JSON-RPC 2.0, one object a line, UTF-8, on a SOCK_STREAM unix socket at RUN_DIR/INSTANCE.sock. Constants
 * only.
 */
#ifndef WEIR_CONTROL_PROTOCOL_H
#define WEIR_CONTROL_PROTOCOL_H

enum {
	PROTOCOL_VERSION = 1,              /* `status` tells it */
	PROTOCOL_LINE_BYTES_MAX = 1 << 20, /* longer requests are answered with PROTOCOL_ERROR_REQUEST */
	PROTOCOL_IMPORT_MAX = 10000,       /* prefixes in one ban.import: some 20 ms of the event loop */
	PROTOCOL_PAGE_MAX = 10000,         /* rows in one answer of ban.list and list.show */
};

/** error.code of an answer. error.message is one sentence. */
enum protocol_error {
	PROTOCOL_ERROR_REQUEST = -32600,   /* not JSON, not a request, too long */
	PROTOCOL_ERROR_METHOD = -32601,    /* no such method */
	PROTOCOL_ERROR_PARAMETER = -32602, /* the sentence names the field and its range */
	PROTOCOL_ERROR_REFUSED =
		1, /* against a rule; error.data.reason is a word: "protected", "permission", "limit", ... */
	PROTOCOL_ERROR_UNKNOWN = 2, /* unknown peer, ban or list entry */
	PROTOCOL_ERROR_BUSY = 3,    /* try again: too many requests wait, or the disk does not answer */
};

/* Events reach a subscriber as {"jsonrpc":"2.0","method":"event","params":{"event":NAME,"t":SECONDS,...}}. */
#define PROTOCOL_EVENT_METHOD "event"

#endif
