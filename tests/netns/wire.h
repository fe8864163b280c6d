/* SPDX-License-Identifier: BSD-3-Clause
 * Raw frames on one interface, for the tests that play a stranger or listen at the node. A socket belongs to
 * the network namespace in which it was opened. One thread a socket. Must not be used on a real network: the
 * tests give it the ends of veth pairs that they made.
 */
#ifndef WEIR_TESTS_NETNS_WIRE_H
#define WEIR_TESTS_NETNS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/prefix.h"
#include "tests/frame.h"

enum { WIRE_BATCH = 64, WIRE_FRAME_BYTES = 2048 };

/* What arrived: an IPv4 or IPv6 datagram without extension headers. */
struct wire_packet {
	struct address source, destination;
	uint16_t source_port, destination_port; /* 0 when it is neither TCP nor UDP */
	uint8_t protocol, tcp_flags;
	int64_t time_ns; /* CLOCK_REALTIME, set by the kernel on arrival */
};

/** A socket for sending on `interface`, past any queueing. -errno. */
int wire_open_sender(const char *interface);
/** A socket that hears what arrives on `interface` (not what it sends), with room for 64 MiB. -errno. */
int wire_open_listener(const char *interface);
/** The same in another namespace (a path such as /run/netns/NAME); the thread comes back. -errno. */
int wire_open_in(
	const char *namespace_path, int (*open_socket)(const char *interface), const char *interface);

/** Send them all, waiting when the interface is full. -errno. */
int wire_send(int fd, const struct frame *const frames[], unsigned n);
/** Wait for up to `wait_ms`, then read what is there: number of packets (0: none, or none of IP), -errno. */
int wire_receive(int fd, struct wire_packet packets[WIRE_BATCH], int wait_ms);
/** Frames that the listener had no room for since the last call. */
unsigned wire_lost(int fd);

/** "02:00:00:00:00:01" into bytes. */
bool wire_mac_parse(const char *text, uint8_t ret_mac[6]);
int64_t wire_now_ns(void);

#endif
