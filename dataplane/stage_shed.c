/* SPDX-License-Identifier: BSD-3-Clause
 * The shed (stage_shed, stage.h): while bans are what most of the traffic hits, attempts of banned sources are dropped from
 * their unparsed frames, a burst at a time. Takes only what the stage itself would drop as REASON_BANNED; whatever is not
 * plain, or of which nothing is certain, is left to it. Thread: owning lcore, RCU online. No clock, lock or allocation.
 */
#include "dataplane/stage_private.h"

#include "dataplane/packet_private.h"

enum {
	/* Packets from outside after which the share of the banned is looked at again: 0.1 ms of a flood, and what one more or
	 * less of a burst of 32 is does not matter. */
	SHED_WINDOW = 1024,
	/* Shares at which to begin and to end. Looking at a frame in vain costs 23 cycles, taking it saves 100 of 131 (IPv4; IPv6: 39 and
	 * 150): a fifth of the traffic pays for the looks at all of it. */
	SHED_BEGIN_DIVISOR = 4,
	SHED_END_DIVISOR = 6,
	IPV4_PLAIN = 0x45,	/* version 4, a header without options */
	IPV4_FRAGMENT = 0x3fff, /* more fragments, or an offset */
	IPV4_L4_OFFSET = ETHERNET_HEADER_BYTES + IPV4_HEADER_BYTES,
	IPV6_L4_OFFSET = ETHERNET_HEADER_BYTES + IPV6_HEADER_BYTES,
};

/* Frames of one family that may be banned. */
struct suspects {
	unsigned n;
	uint8_t places[STAGE_BURST_MAX]; /* in the burst */
	struct ban_key keys[STAGE_BURST_MAX];
	uint32_t metas[STAGE_BURST_MAX];
};

bool stage_shed_pays(struct stage *stage, unsigned n)
{
	struct shed *shed = &stage->shed;
	uint64_t banned;

	shed->seen += n;
	if (shed->seen >= SHED_WINDOW) {
		banned = atomic_load_explicit(&stage->counters->reasons[REASON_BANNED], memory_order_relaxed);
		shed->on = banned - shed->banned >= shed->seen / (shed->on ? SHED_END_DIVISOR : SHED_BEGIN_DIVISOR);
		shed->banned = banned;
		shed->seen = 0;
	}
	return shed->on;
}

/* An attempt as the stage means it, as far as can be seen without its options and checksums. */
static inline bool is_attempt(uint8_t protocol, const uint8_t *l4)
{
	if (protocol == IP_PROTOCOL_TCP)
		return (l4[13] & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST)) == TCP_FLAG_SYN;
	return protocol == IP_PROTOCOL_UDP;
}

static inline bool is_plain_ipv4(const struct shed_frame *frame)
{
	const uint8_t *data = frame->data;

	return frame->bytes >= IPV4_L4_OFFSET + TCP_HEADER_BYTES && load_u16(data + 12) == ETHERTYPE_IPV4 && data[14] == IPV4_PLAIN &&
	       (load_u16(data + 20) & IPV4_FRAGMENT) == 0 && is_attempt(data[23], data + IPV4_L4_OFFSET);
}

static inline bool is_plain_ipv6(const struct shed_frame *frame)
{
	const uint8_t *data = frame->data;

	return frame->bytes >= IPV6_L4_OFFSET + TCP_HEADER_BYTES && load_u16(data + 12) == ETHERTYPE_IPV6 && data[14] >> 4 == 6 &&
	       is_attempt(data[20], data + IPV6_L4_OFFSET);
}

static void suspects_collect(const struct ruleset *rules, const struct shed_frame frames[], unsigned n, struct suspects *v4,
	struct suspects *v6)
{
	v4->n = v6->n = 0;
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *data = frames[i].data;
		struct address destination;

		if (is_plain_ipv4(&frames[i])) {
			load_v4(data + 30, &destination);
			v4->places[v4->n] = (uint8_t)i;
			v4->keys[v4->n] = (struct ban_key){load_u32(data + 26), 0};
			v4->n += ruleset_node_find(rules, &destination) >= 0;
		} else if (is_plain_ipv6(&frames[i])) {
			memcpy(&destination, data + 38, sizeof(destination));
			v6->places[v6->n] = (uint8_t)i;
			v6->keys[v6->n] = (struct ban_key){load_u64(data + 22), load_u64(data + 30)};
			v6->n += ruleset_node_find(rules, &destination) >= 0;
		}
	}
}

static struct address shed_client(const uint8_t *data, bool is_v4)
{
	struct address client;

	if (is_v4)
		load_v4(data + 26, &client);
	else
		memcpy(&client, data + 22, sizeof(client));
	return client;
}

/* Row 6 asks the allow and deny lists before the bans. */
static bool is_listed(const struct ruleset *rules, const struct address *client, uint32_t now_s)
{
	struct lists_answer answer;

	if (lists_label_count(rules->lists) == 0)
		return false;
	lists_lookup(rules->lists, client, now_s, &answer);
	return answer.allowed || answer.denied;
}

/* Not QUIC: its attempts are those that the datagram's own bytes say. */
static bool counts_as_attempt(const struct ruleset *rules, const uint8_t *data, bool is_v4, bool *ret_is_quic)
{
	uint8_t protocol = data[is_v4 ? 23 : 20];
	uint8_t service = ruleset_service_find(rules, protocol, load_u16(data + (is_v4 ? IPV4_L4_OFFSET : IPV6_L4_OFFSET) + 2));

	*ret_is_quic = service != SERVICE_NONE && rules->services[service].quic;
	return service != SERVICE_NONE;
}

static uint64_t suspects_judge(struct stage *stage, const struct moment *moment, const struct shed_frame frames[],
	const struct suspects *suspects, bool is_v4)
{
	unsigned attempts = 0, n = 0;
	uint64_t banned = 0;

	for (unsigned i = 0; i < suspects->n; i++) {
		const uint8_t *data = frames[suspects->places[i]].data;
		struct address client;
		bool is_quic, is_attempt;

		if (ban_meta_class_at(suspects->metas[i], moment->now_s) != SOURCE_CLASS_BANNED)
			continue;
		client = shed_client(data, is_v4);
		is_attempt = counts_as_attempt(moment->rules, data, is_v4, &is_quic);
		if (is_quic || is_listed(moment->rules, &client, moment->now_s))
			continue;
		if (stage->heavy != NULL && heavy_bans_is_due(stage->heavy))
			heavy_bans_sample(stage->heavy, &client, moment->now_s, stage_random(stage));
		attempts += is_attempt;
		n++;
		banned |= UINT64_C(1) << suspects->places[i];
	}
	counter_add(stage->counters, COUNTER_ATTEMPTS, attempts);
	counter_reason_add(stage->counters, REASON_BANNED, n);
	return banned;
}

/* The stronger of a source's two bans: of its /64 and of its address. */
static void suspects_look_v6(const struct ruleset *rules, struct suspects *suspects, uint32_t now_s)
{
	uint32_t exact[STAGE_BURST_MAX];

	ban_table_lookup_burst(rules->bans_exact, suspects->keys, suspects->n, exact);
	for (unsigned i = 0; i < suspects->n; i++)
		suspects->keys[i].low = 0;
	ban_table_lookup_burst(rules->bans_v6, suspects->keys, suspects->n, suspects->metas);
	for (unsigned i = 0; i < suspects->n; i++)
		if (ban_meta_class_at(exact[i], now_s) > ban_meta_class_at(suspects->metas[i], now_s))
			suspects->metas[i] = exact[i];
}

uint64_t stage_shed(struct stage *stage, const struct ruleset *rules, const struct shed_frame frames[], unsigned n, uint64_t now_ns)
{
	struct suspects v4, v6;
	struct moment moment;
	uint64_t banned = 0;

	if (n > STAGE_BURST_MAX)
		n = STAGE_BURST_MAX;
	/* A node that is closed answers every attempt in one way, banned or not. */
	if (rules->policy.mode == IMAGE_MODE_MONITOR || !rules->policy.accept_inbound)
		return 0;
	moment = moment_make(rules, now_ns);
	suspects_collect(rules, frames, n, &v4, &v6);
	if (v4.n != 0) {
		ban_table_lookup_burst(rules->bans_v4, v4.keys, v4.n, v4.metas);
		banned |= suspects_judge(stage, &moment, frames, &v4, true);
	}
	if (v6.n != 0) {
		suspects_look_v6(rules, &v6, moment.now_s);
		banned |= suspects_judge(stage, &moment, frames, &v6, false);
	}
	return banned;
}
