// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/cookie.h for the proxy: a client's ACK is accepted for two slots and nothing else is,
 * and what the cookie says of the SYN comes back.
 */
#include "dataplane/cookie.h"
#include "tests/check.h"
#include "tests/frame_parse.h"

#define SLOT_NS (UINT64_C(1000000) * COOKIE_SLOT_MS)

static const struct cookie_secrets both = {{{1, 2}, {3, 4}}};
static const struct cookie_secrets next_epoch_gone = {{{1, 2}, {5, 6}}}, this_epoch_gone = {{{5, 6}, {3, 4}}};

static struct packet parse(const struct frame_spec *spec)
{
	struct frame frame;
	struct packet packet;

	frame_make(spec, &frame);
	CHECK_EQ("the frame is well formed", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	return packet;
}

#define V6 .source = "2001:db8::1", .destination = "2001:db8::2"

enum { CLIENT_ISN = 0x89abcdef, PACKED = 5 << 5 | 1 << 4 | 7 /* MSS 1460, SACK, scale 7 */ };

/* An ACK of the same ends whose number is one after the cookie, as the client's stack sends it. */
static struct packet ack_of(struct frame_spec spec, uint32_t sequence, uint32_t cookie)
{
	spec.tcp_flags = spec.tcp_flags ? spec.tcp_flags : TCP_FLAG_ACK;
	spec.sequence = sequence;
	spec.acknowledgement = cookie + 1;
	return parse(&spec);
}

static void test_options_round_trip(void)
{
	bool seen[256] = {false};

	for (unsigned mss_class = 0; mss_class < COOKIE_MSS_CLASSES; mss_class++) {
		for (unsigned scale = 0; scale <= COOKIE_SCALE_NONE; scale++) {
			for (unsigned sack = 0; sack < 2; sack++) {
				struct cookie_options options = {
					(uint8_t)mss_class, (uint8_t)scale, sack != 0};
				uint8_t packed = cookie_options_pack(&options);
				struct cookie_options again = cookie_options_unpack(packed);

				CHECK_FALSE("each combination has a byte of its own", seen[packed]);
				seen[packed] = true;
				CHECK_EQ("the class comes back", again.mss_class, mss_class);
				CHECK_EQ("the scale comes back", again.window_scale, scale);
				CHECK_EQ("SACK comes back", again.sack, sack != 0);
			}
		}
	}
}

static void test_mss_classes(void)
{
	static const struct {
		const char *name;
		uint8_t family;
		uint16_t mss;
		int told; /* MSS that the node is told of; -1: cannot be remembered */
	} cases[] = {
		{"none over IPv4 is 536", 4, 0, 536},
		{"none over IPv6 is 1220", 6, 0, 1220},
		{"1", 4, 1, -1},
		{"just below the smallest", 4, 535, -1},
		{"just below the smallest over IPv6", 6, 535, -1},
		{"the smallest", 4, 536, 536},
		{"IPv6's least MTU over IPv4", 4, 1220, 1220},
		{"one below it", 4, 1219, 536},
		{"a tunnel", 4, 1380, 1360},
		{"PPPoE", 4, 1452, 1440},
		{"Ethernet", 4, 1460, 1460},
		{"Ethernet over IPv6", 6, 1440, 1440},
		{"one below Ethernet over IPv6", 6, 1439, 1420},
		{"a veth under XDP", 4, 3466, 3400},
		{"jumbo frames", 4, 8960, 8960},
		{"jumbo frames over IPv6", 6, 8940, 8940},
		{"the loopback's", 4, 65495, 8960},
		{"the largest number", 6, 65535, 8940},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		int class = cookie_mss_class_of(cases[i].family, cases[i].mss);

		CHECK_EQ(cases[i].name,
			class < 0 ? -1 : cookie_mss_of_class(cases[i].family, (uint8_t) class),
			cases[i].told);
	}
	for (unsigned family = 4; family <= 6; family += 2) {
		for (uint32_t mss = 536; mss <= UINT16_MAX; mss++) {
			int class = cookie_mss_class_of((uint8_t)family, (uint16_t)mss);
			bool legal = class >= 0 && class < COOKIE_MSS_CLASSES;

			if (!legal || cookie_mss_of_class((uint8_t)family, (uint8_t) class) > mss ||
				(class + 1 < COOKIE_MSS_CLASSES &&
					cookie_mss_of_class((uint8_t)family, (uint8_t)(class + 1)) <= mss))
				CHECK_FAIL("the largest class that fits", "family %u, MSS %u: class %d",
					family, mss, class);
		}
		for (uint8_t class = 0; class < COOKIE_MSS_CLASSES; class ++)
			CHECK_EQ("a class is its own",
				cookie_mss_class_of(
					(uint8_t)family, cookie_mss_of_class((uint8_t)family, class)),
				class);
	}
}

static void test_proxy_accepted(void)
{
	static const struct {
		const char *name;
		const struct cookie_secrets *secrets;
		uint64_t made_ns, checked_ns;
		bool accepted, last_slot;
	} cases[] = {
		{"at once", &both, 10 * SLOT_NS, 10 * SLOT_NS, true, false},
		{"at the end of its slot", &both, 10 * SLOT_NS, 11 * SLOT_NS - 1, true, false},
		{"at the start of the next slot", &both, 10 * SLOT_NS, 11 * SLOT_NS, true, true},
		{"at the end of the next slot", &both, 11 * SLOT_NS - 1, 12 * SLOT_NS - 1, true, true},
		{"two slots later", &both, 10 * SLOT_NS, 12 * SLOT_NS, false, false},
		{"a slot earlier", &both, 10 * SLOT_NS, 10 * SLOT_NS - 1, false, false},
		{"from the last slot of an epoch", &both, 31 * SLOT_NS, 32 * SLOT_NS, true, true},
		{"from there with the epoch's own secret gone", &this_epoch_gone, 31 * SLOT_NS, 32 * SLOT_NS,
			false, false},
		{"whatever the other epoch's secret is", &next_epoch_gone, 10 * SLOT_NS, 11 * SLOT_NS, true,
			true},
		{"in the very first slot", &both, 0, 5, true, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases) * 2; i++) {
		struct frame_spec ends = i % 2 ? (struct frame_spec){V6} : (struct frame_spec){0};
		struct frame_spec syn_spec = ends;
		struct cookie_proof proof = {.cookie = 99};
		struct packet syn, ack;
		uint32_t cookie;

		syn_spec.sequence = CLIENT_ISN;
		syn = parse(&syn_spec);
		cookie = cookie_proxy_make(&both, &syn, PACKED, cases[i / 2].made_ns);
		ack = ack_of(ends, CLIENT_ISN + 1, cookie);
		CHECK_EQ(cases[i / 2].name,
			cookie_proxy_check(cases[i / 2].secrets, &ack, cases[i / 2].checked_ns, &proof),
			cases[i / 2].accepted);
		CHECK_EQ(cases[i / 2].name, proof.cookie, cases[i / 2].accepted ? cookie : 99);
		if (!cases[i / 2].accepted)
			continue;
		CHECK_EQ(cases[i / 2].name, proof.client_sequence, CLIENT_ISN);
		CHECK_EQ(cases[i / 2].name, proof.packed, PACKED);
		CHECK_EQ(cases[i / 2].name, proof.last_slot, cases[i / 2].last_slot);
	}
}

/* What an honest stack may send with a cookie, and what nobody may. */
static void test_proxy_bound(void)
{
	enum { S = TCP_FLAG_SYN, A = TCP_FLAG_ACK, R = TCP_FLAG_RST, F = TCP_FLAG_FIN, P = TCP_FLAG_PSH };
	static const struct {
		const char *name;
		struct frame_spec ack;
		int32_t sequence_add; /* to the client's initial sequence number */
		uint32_t flip;        /* of the cookie */
		bool accepted;
	} cases[] = {
		{"the client's ACK", {0}, 1, 0, true},
		{"a zero-window probe without data", {0}, 0, 0, true},
		{"a zero-window probe with a byte", {.payload_bytes = 1, .tcp_flags = A}, 1, 0, true},
		{"a probe with a byte before the window", {.payload_bytes = 1, .tcp_flags = A}, 0, 0, true},
		{"an ACK with data", {.payload_bytes = 500, .tcp_flags = A | P}, 1, 0, true},
		{"an ACK that closes at once", {.tcp_flags = A | F}, 1, 0, true},
		{"the sequence number before the SYN's", {0}, -1, 0, false},
		{"one after the expected", {0}, 2, 0, false},
		{"another client's sequence number", {0}, 0x10001, 0, false},
		{"another source", {.source = "192.0.2.2", .destination = "198.51.100.1"}, 1, 0, false},
		{"another node", {.source = "192.0.2.1", .destination = "198.51.100.2"}, 1, 0, false},
		{"another source port", {.source_port = 40001}, 1, 0, false},
		{"another service", {.destination_port = 30304}, 1, 0, false},
		{"another MAC", {0}, 1, 1u << 31, false},
		{"another MAC's lowest bit", {0}, 1, 1u << 8, false},
		{"a better scale", {0}, 1, 1, false},
		{"SACK denied", {0}, 1, 1u << 4, false},
		{"a larger MSS", {0}, 1, 1u << 6, false},
		{"a SYN", {.tcp_flags = S}, 1, 0, false},
		{"a SYN-ACK", {.tcp_flags = S | A}, 1, 0, false},
		{"a RST", {.tcp_flags = R}, 1, 0, false},
		{"a RST with an ACK", {.tcp_flags = R | A}, 1, 0, false},
	};
	struct packet syn = parse(&(struct frame_spec){.sequence = CLIENT_ISN});
	uint32_t cookie = cookie_proxy_make(&both, &syn, PACKED, 7 * SLOT_NS);

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct packet ack = ack_of(
			cases[i].ack, CLIENT_ISN + (uint32_t)cases[i].sequence_add, cookie ^ cases[i].flip);
		struct cookie_proof proof = {.client_sequence = 99};

		CHECK_EQ(cases[i].name, cookie_proxy_check(&both, &ack, 7 * SLOT_NS, &proof),
			cases[i].accepted);
		CHECK_EQ(cases[i].name, proof.client_sequence, cases[i].accepted ? CLIENT_ISN : 99);
	}
}

/* Both parts of an IPv6 address count, and the whole of a sequence number. */
static void test_proxy_bound_v6(void)
{
	static const struct {
		const char *name, *source, *destination;
		uint32_t sequence;
		bool accepted;
	} cases[] = {
		{"the client", "2001:db8::1", "2001:db8::2", CLIENT_ISN, true},
		{"another network", "2001:db8:0:1::1", "2001:db8::2", CLIENT_ISN, false},
		{"another host", "2001:db8::3", "2001:db8::2", CLIENT_ISN, false},
		{"another node's network", "2001:db8::1", "2001:db9::2", CLIENT_ISN, false},
		{"another node", "2001:db8::1", "2001:db8::4", CLIENT_ISN, false},
		{"another sequence number's top bit", "2001:db8::1", "2001:db8::2", CLIENT_ISN ^ 1u << 31,
			false},
	};
	struct packet syn = parse(&(struct frame_spec){V6, .sequence = CLIENT_ISN});
	uint32_t cookie = cookie_proxy_make(&both, &syn, PACKED, 7 * SLOT_NS);

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct packet ack = ack_of(
			(struct frame_spec){.source = cases[i].source, .destination = cases[i].destination},
			cases[i].sequence + 1, cookie);
		struct cookie_proof proof;

		CHECK_EQ(cases[i].name, cookie_proxy_check(&both, &ack, 7 * SLOT_NS, &proof),
			cases[i].accepted);
	}
}

/* The two kinds share a secret, an address and a number space, and still are strangers to each other. */
static void test_kinds_do_not_mix(void)
{
	struct packet syn = parse(&(struct frame_spec){.sequence = 0});
	unsigned mixed = 0;

	for (uint32_t i = 0; i < 4096; i++) {
		uint32_t reset, proxy;
		struct packet rst = syn, ack = syn;
		struct cookie_proof proof;
		uint8_t fingerprint;

		syn.source_port = (uint16_t)(i + 1);
		rst.source_port = ack.source_port = syn.source_port;
		rst.tcp_flags = TCP_FLAG_RST;
		ack.tcp_flags = TCP_FLAG_ACK;
		reset = cookie_make(&both, &syn, 9 * SLOT_NS);
		/* Sequence number 0 and the fingerprint as options: all the words of both kinds are the same.
		 */
		proxy = cookie_proxy_make(&both, &syn, syn.tcp_fingerprint, 9 * SLOT_NS);
		rst.tcp_sequence = proxy;
		mixed += cookie_check(&both, &rst, 9 * SLOT_NS, &fingerprint);
		ack.tcp_sequence = 1;
		ack.tcp_acknowledgement = reset + 1;
		mixed += cookie_proxy_check(&both, &ack, 9 * SLOT_NS, &proof);
	}
	CHECK_EQ("cookies of one kind that passed for the other", mixed, 0);
}

/* A blind ACK is right for 4 of 2^24 MACs: this slot or the last, the number after the SYN's or the SYN's
 * own. 2^24 random guesses hit 4 times on average; with less than 2^-22 each, 20 or more has a chance of
 * 1e-8, and none of 2^24 (were the check dead) one of 2 %; the numbers here are constants, so it holds or
 * does not. */
static void test_proxy_guesses(void)
{
	struct packet ack = parse(&(struct frame_spec){.tcp_flags = TCP_FLAG_ACK});
	uint64_t random = 1;
	unsigned hits = 0;

	for (uint32_t i = 0; i < 1u << 24; i++) {
		struct cookie_proof proof;

		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		ack.tcp_acknowledgement = (uint32_t)(random >> 32);
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		ack.tcp_sequence = (uint32_t)(random >> 32);
		hits += cookie_proxy_check(&both, &ack, 3 * SLOT_NS, &proof);
	}
	CHECK_TRUE("blind guesses hit once in 2^22", hits > 0 && hits < 20);
}

static void test_epoch_keys(void)
{
	static const struct hash_key master = {11, 12}, other = {11, 13};
	struct hash_key first = cookie_epoch_key(&master, 5), again = cookie_epoch_key(&master, 5),
			next = cookie_epoch_key(&master, 6), stranger = cookie_epoch_key(&other, 5);

	CHECK_MEM_EQ("governors that share a key agree", &first, &again, sizeof(first));
	CHECK_TRUE("an epoch has a key of its own", first.k0 != next.k0 && first.k1 != next.k1);
	CHECK_TRUE("so has a master", first.k0 != stranger.k0 && first.k1 != stranger.k1);
	CHECK_TRUE("the halves differ", first.k0 != first.k1);
	CHECK_TRUE("none is the master's", first.k0 != master.k0 && first.k1 != master.k1);
	CHECK_EQ("32 slots are an epoch", cookie_epoch_of(32 * SLOT_NS - 1), 0);
	CHECK_EQ("then comes the next", cookie_epoch_of(32 * SLOT_NS), 1);
}

/* SYN, cookie, ACK, another SYN: the proven table must know the second SYN by what the ACK told. */
static void test_fingerprints(void)
{
	static const uint8_t ttls[] = {1, 32, 33, 64, 65, 128, 129, 255};
	bool seen[256] = {false};
	unsigned distinct = 0;

	for (unsigned i = 0; i < COOKIE_MSS_CLASSES * 16 * 2 * CHECK_COUNT(ttls); i++) {
		uint8_t mss_class = i % 8, scale = i / 8 % 16, ttl = ttls[i / 256];
		bool sack = i / 128 % 2, v6 = i % 3 == 0;
		uint16_t mss = cookie_mss_of_class(v6 ? 6 : 4, mss_class);
		uint8_t options[12] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss, 1, 1, 1, 1, 1, 1, 1, 1};
		struct frame_spec spec = v6 ? (struct frame_spec){V6} : (struct frame_spec){0};
		uint8_t packed = cookie_options_pack(&(struct cookie_options){mss_class, scale, sack});
		struct packet syn;

		if (scale != COOKIE_SCALE_NONE)
			memcpy(options + 4, (uint8_t[]){3, 3, scale}, 3);
		if (sack)
			memcpy(options + 8, (uint8_t[]){4, 2}, 2);
		spec.tcp_options = options;
		spec.tcp_options_bytes = sizeof(options);
		spec.ttl = ttl;
		syn = parse(&spec);
		CHECK_EQ("the cookie's fingerprint is the SYN's", cookie_fingerprint(packed, ttl),
			syn.tcp_fingerprint);
		CHECK_TRUE("never 0", syn.tcp_fingerprint != 0);
		distinct += !seen[syn.tcp_fingerprint];
		seen[syn.tcp_fingerprint] = true;
	}
	CHECK_TRUE("fingerprints fill the byte", distinct > 240);
	CHECK_EQ("a scale above 14 is 14", cookie_scale_of(&(struct packet){.tcp_window_scale = 15}), 14);
	CHECK_EQ("none stays none",
		cookie_scale_of(&(struct packet){.tcp_window_scale = PACKET_WINDOW_SCALE_ABSENT}),
		COOKIE_SCALE_NONE);
	CHECK_EQ("one hop more is the same host", cookie_fingerprint(PACKED, 63),
		cookie_fingerprint(PACKED, 62));
	CHECK_TRUE(
		"another system is not", cookie_fingerprint(PACKED, 64) != cookie_fingerprint(PACKED, 128));
}

static const struct check_test tests[] = {
	{"a cookie carries every combination of options", test_options_round_trip},
	{"an MSS is remembered as the largest class that fits", test_mss_classes},
	{"a proxy's cookie is accepted in its slot and the next", test_proxy_accepted},
	{"a proxy's cookie is good for one SYN and comes back in an ACK", test_proxy_bound},
	{"a proxy's cookie is bound to whole IPv6 addresses", test_proxy_bound_v6},
	{"a cookie of one kind is none of the other", test_kinds_do_not_mix},
	{"guessing a proxy's cookie does not pay", test_proxy_guesses},
	{"each epoch has a key that all governors derive alike", test_epoch_keys},
	{"a cookie tells the fingerprint of its SYN", test_fingerprints},
};
CHECK_MAIN("cookie_proxy", tests)
