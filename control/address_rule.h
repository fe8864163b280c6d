/* SPDX-License-Identifier: BSD-3-Clause
 * Which addresses may be in the book, dialled or shared (policy.md SP-2, DU-20, HE-15, V41; issue
 * sigp/lighthouse#3006: dialling private addresses costs hosting contracts). Pure functions, any thread.
 * Connections are never judged by this (5.5.18).
 */
#ifndef WEIR_CONTROL_ADDRESS_RULE_H
#define WEIR_CONTROL_ADDRESS_RULE_H

#include <stdbool.h>

#include "shm/prefix.h"

enum address_kind {
	ADDRESS_KIND_PUBLIC,
	ADDRESS_KIND_PRIVATE, /* RFC 1918, fc00::/7 */
	ADDRESS_KIND_SHARED,  /* 100.64/10 */
	ADDRESS_KIND_LOOPBACK,
	ADDRESS_KIND_LINK_LOCAL,
	ADDRESS_KIND_UNSPECIFIED, /* 0/8, :: */
	ADDRESS_KIND_MULTICAST,
	ADDRESS_KIND_RESERVED, /* 240/4, broadcast, what no route leads to */
	ADDRESS_KIND_DOCUMENTATION,
	ADDRESS_KIND_COUNT,
};

enum address_kind address_kind(const struct address *address);
/** "private", "loopback", ...; "public" for those. */
const char *address_kind_name(enum address_kind kind);
/** May the book hold it? `allow_private` lifts private, shared, loopback and link-local addresses,
 * `allow_doc` the ranges of documentation; nothing lifts the rest. */
bool address_kind_allowed(enum address_kind kind, bool allow_private, bool allow_doc);

#endif
