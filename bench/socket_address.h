/* SPDX-License-Identifier: BSD-3-Clause
 * From Weir's 16-byte addresses to the kernel's socket names and "ADDRESS:PORT" texts. Pure, any thread.
 */
#ifndef WEIR_BENCH_SOCKET_ADDRESS_H
#define WEIR_BENCH_SOCKET_ADDRESS_H

#include <stdint.h>
#include <sys/socket.h>

#include "shm/prefix.h"

/** Fill an AF_INET name for an IPv4 address, AF_INET6 otherwise. Returns its size in bytes. */
socklen_t socket_address_fill(const struct address *address, uint16_t port, struct sockaddr_storage *ret_name);
/** The address of an AF_INET or AF_INET6 name; untouched for other families. */
void socket_address_read(const struct sockaddr_storage *name, struct address *ret_address);
/** "192.0.2.1:30303" or "[2001:db8::1]:30303". -EINVAL. */
int socket_address_parse(const char *text, struct address *ret_address, uint16_t *ret_port);

#endif
