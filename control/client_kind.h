/* SPDX-License-Identifier: BSD-3-Clause
 * Which client a peer says it is (policy.md LH-11, V10), from the agent string of its identification. For
 * display and statistics only: whoever lies about it gains nothing. Pure functions, any thread.
 */
#ifndef WEIR_CONTROL_CLIENT_KIND_H
#define WEIR_CONTROL_CLIENT_KIND_H

enum client_kind {
	CLIENT_KIND_UNKNOWN,
	CLIENT_KIND_LIGHTHOUSE,
	CLIENT_KIND_NIMBUS,
	CLIENT_KIND_TEKU,
	CLIENT_KIND_PRYSM,
	CLIENT_KIND_LODESTAR,
	CLIENT_KIND_GRANDINE,
	CLIENT_KIND_CAPLIN,
	CLIENT_KIND_COUNT,
};
/** "Lighthouse", ..., "Unknown". */
const char *client_kind_name(enum client_kind kind);

enum { CLIENT_TEXT_MAX = 64 };
struct client {
	enum client_kind kind;
	char version[CLIENT_TEXT_MAX], os[CLIENT_TEXT_MAX]; /* "": not said; longer ones are cut */
};
/** An unknown client is told by its whole agent string, which the caller has. */
void client_parse(const char *agent, struct client *ret_client);

#endif
