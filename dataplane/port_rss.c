// SPDX-License-Identifier: BSD-3-Clause
/* RSS by the client's address (port_rss.h). Trust in it has three steps: the device's capabilities, reading its configuration
 * back, and comparing the hash of received packets with our own. Only main runs this, but for port_rss_hash. */
#include "dataplane/port_rss.h"

#include <string.h>

#include <rte_byteorder.h>
#include <rte_thash.h>

enum { PORT_RSS_TABLE_MAX = RTE_ETH_RSS_RETA_SIZE_512 };

/* All IP packets alike, whatever their transport: a fragment must hash as its datagram does. */
#define PORT_RSS_TYPES                                                                                       \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP | \
		RTE_ETH_RSS_NONFRAG_IPV4_OTHER | RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_FRAG_IPV6 |                       \
		RTE_ETH_RSS_NONFRAG_IPV6_TCP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_NONFRAG_IPV6_OTHER)

static uint64_t port_rss_only(enum side side)
{
	return side == SIDE_OUTSIDE ? RTE_ETH_RSS_L3_SRC_ONLY : RTE_ETH_RSS_L3_DST_ONLY;
}

void port_rss_key_make(const struct hash_key *key, uint8_t ret_key[PORT_RSS_KEY_BYTES])
{
	for (unsigned i = 0; i < PORT_RSS_KEY_BYTES / sizeof(uint64_t); i++) {
		uint64_t number = i, word = keyed_mac(key, &number, 1); /* the device knows it, and what it does with it shows */

		memcpy(ret_key + i * sizeof(word), &word, sizeof(word));
	}
}

bool port_rss_request(const struct rte_eth_dev_info *info, enum side side, unsigned n_queues, const uint8_t *key,
	struct rte_eth_conf *conf)
{
	uint64_t types = PORT_RSS_TYPES & info->flow_type_rss_offloads, only = port_rss_only(side);

	if (n_queues < 2 || !(info->flow_type_rss_offloads & only) ||
		!(info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_RSS_HASH) || !(types & RTE_ETH_RSS_IPV4) ||
		!(types & RTE_ETH_RSS_IPV6) || info->hash_key_size == 0 || info->hash_key_size > PORT_RSS_KEY_BYTES ||
		info->reta_size == 0 || info->reta_size > PORT_RSS_TABLE_MAX)
		return false;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_RSS_HASH;
	conf->rx_adv_conf.rss_conf = (struct rte_eth_rss_conf){
		.rss_key = (uint8_t *)(uintptr_t)key, .rss_key_len = info->hash_key_size, .rss_hf = types | only };
	return true;
}

static bool port_rss_table_verify(uint16_t port, unsigned size, unsigned n_queues)
{
	struct rte_eth_rss_reta_entry64 table[PORT_RSS_TABLE_MAX / RTE_ETH_RETA_GROUP_SIZE] = { 0 };
	const unsigned group = RTE_ETH_RETA_GROUP_SIZE;

	for (unsigned i = 0; i < size; i++) {
		table[i / group].mask |= UINT64_C(1) << (i % group);
		table[i / group].reta[i % group] = (uint16_t)(i % n_queues);
	}
	if (rte_eth_dev_rss_reta_update(port, table, (uint16_t)size) != 0)
		return false;
	for (unsigned i = 0; i < size; i++)
		table[i / group].reta[i % group] = UINT16_MAX;
	if (rte_eth_dev_rss_reta_query(port, table, (uint16_t)size) != 0)
		return false;
	for (unsigned i = 0; i < size; i++)
		if (table[i / group].reta[i % group] != i % n_queues)
			return false;
	return true;
}

unsigned port_rss_verify(uint16_t port, enum side side, unsigned n_queues, const uint8_t *key)
{
	struct rte_eth_dev_info info;
	uint8_t found[PORT_RSS_KEY_BYTES] = { 0 };
	struct rte_eth_rss_conf conf = { .rss_key = found };
	const uint64_t both = RTE_ETH_RSS_L3_SRC_ONLY | RTE_ETH_RSS_L3_DST_ONLY;

	if (rte_eth_dev_info_get(port, &info) != 0 || info.hash_key_size > PORT_RSS_KEY_BYTES ||
		info.reta_size > PORT_RSS_TABLE_MAX)
		return 0;
	conf.rss_key_len = info.hash_key_size;
	if (rte_eth_dev_rss_hash_conf_get(port, &conf) != 0 || (conf.rss_hf & both) != port_rss_only(side) ||
		memcmp(found, key, info.hash_key_size) != 0)
		return 0;
	return port_rss_table_verify(port, info.reta_size, n_queues) ? info.reta_size : 0;
}

uint32_t port_rss_hash(const struct address *client, const uint8_t *key)
{
	uint32_t words[4];
	unsigned first = address_is_v4(client) ? 3 : 0;

	memcpy(words, client->bytes, sizeof(words));
	for (unsigned i = 0; i < 4; i++)
		words[i] = rte_be_to_cpu_32(words[i]);
	return rte_softrss(words + first, 4 - first, key);
}
