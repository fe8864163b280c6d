/* SPDX-License-Identifier: BSD-3-Clause
 * The unix socket between the two processes (SOCK_SEQPACKET). The dataplane listens at
 * RUN_DIR/INSTANCE.dataplane.sock, control connects. It carries a doorbell (look at the log now), questions
 * and answers of fixed size, and its hang-up is how each side learns of the other's death. Both sides use it
 * without ever blocking; losing it loses nothing.
 */
#ifndef WEIR_SHM_LINK_H
#define WEIR_SHM_LINK_H

#include <stdint.h>

enum { LINK_VERSION = 1, LINK_FLOWS_PER_MESSAGE = 64 };

enum link_kind {
	LINK_DOORBELL = 1, /* control: the log or the image has news */
	LINK_PROBE = 2,    /* control: what would happen to an attempt of this source now? */
	LINK_PROBE_ANSWER = 3,
	LINK_FLOW_DUMP =
		4, /* control: send all proven flows that have not ended; answered by LINK_FLOWS messages, the last with n = 0 */
	LINK_FLOWS = 5,
	LINK_KIND_COUNT,
};

struct link_message {
	uint32_t version;
	uint32_t kind;
	uint64_t cookie; /* of the asker, copied into the answer */
};

struct link_probe {
	struct link_message message;
	uint8_t client[16];
	uint16_t port; /* the service's, host order; 0: the first service */
	uint8_t protocol;
	uint8_t reserved[5];
};

struct link_probe_answer {
	struct link_message message;
	uint16_t reason; /* enum reason */
	uint8_t proven;
	uint8_t under_pressure;  /* the service */
	uint32_t concurrency[4]; /* per image_level, now */
	uint32_t reserved;
};

struct link_flow {
	uint8_t client[16];
	uint16_t client_port, node_port;
	uint8_t protocol, service, state, flags; /* flags: enum event_flag */
	uint32_t age_ms, idle_ms;
	uint32_t bytes_in, bytes_out, rtt_us;
	uint32_t born_ms; /* CLOCK_MONOTONIC, low 32 bits of its milliseconds */
};

struct link_flows {
	struct link_message message;
	uint32_t n; /* 0 ends the dump */
	uint32_t reserved;
	struct link_flow flows[LINK_FLOWS_PER_MESSAGE];
};

#endif
