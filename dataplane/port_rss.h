/* SPDX-License-Identifier: BSD-3-Clause
 * Receive-side scaling on the client's address alone: source on outside ports, destination on inside ports, so that both
 * directions and all fragments of a client meet one lcore. Configured and read back by main; what packets
 * carry is checked by the lcores (dispatch.h). A device that cannot do it is served by software dispatch.
 */
#ifndef WEIR_DATAPLANE_PORT_RSS_H
#define WEIR_DATAPLANE_PORT_RSS_H

#include <rte_ethdev.h>

#include "dataplane/keyed_hash.h"
#include "dataplane/stage.h"

enum { PORT_RSS_KEY_BYTES = 64 /* the largest of known devices is 52 */ };

/** The Toeplitz key, a pure function of the dispatch key, so that a successor places flows alike. */
void port_rss_key_make(const struct hash_key *key, uint8_t ret_key[PORT_RSS_KEY_BYTES]);
/** Ask for it in `conf` if the device says it can. Returns whether it was asked for. */
bool port_rss_request(const struct rte_eth_dev_info *info, enum side side, unsigned n_queues, const uint8_t *key,
	struct rte_eth_conf *conf);
/** After the port was started: write the indirection table (entry i leads to queue i % n_queues) and read everything
 * back. Returns the table's size, or 0: the device does not do what was asked. */
unsigned port_rss_verify(uint16_t port, enum side side, unsigned n_queues, const uint8_t *key);
/** The hash that the device must give a packet of this client. */
uint32_t port_rss_hash(const struct address *client, const uint8_t *key);

#endif
