// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/cookie_burst.h: however many SYNs of either family a burst has, and whatever the CPU makes cookies with, each is
 * the cookie that cookie_proxy_make makes, and cookie_proxy_check knows it.
 */
#include "dataplane/cookie_burst.h"

#include <stdlib.h>

#include "tests/check.h"

#define SLOT_NS (UINT64_C(1000000) * COOKIE_SLOT_MS)

static const struct cookie_secrets secrets = {{{1, 2}, {UINT64_MAX, 4}}};
static uint64_t random_state = 1;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static struct packet syn_draw(bool v6)
{
	struct packet syn = {.kind = PACKET_KIND_TCP,
		.family = v6 ? 6 : 4,
		.source_port = (uint16_t)draw(),
		.destination_port = (uint16_t)draw(),
		.tcp_flags = TCP_FLAG_SYN,
		.tcp_sequence = (uint32_t)draw()};

	for (unsigned i = 0; i < 16; i++) {
		syn.source.bytes[i] = (uint8_t)(draw() >> 24);
		syn.destination.bytes[i] = (uint8_t)(draw() >> 24);
	}
	if (!v6) {
		syn.source = address_from_v4(address_v4(&syn.source));
		syn.destination = address_from_v4(address_v4(&syn.destination));
	}
	return syn;
}

enum way { WAY_CHOSEN, WAY_SCALAR, WAY_AVX2, WAY_AVX512, WAY_COUNT };

/* False: this CPU has not that way. */
static bool finish(struct cookie_burst *burst, uint64_t clock_ns, enum way way)
{
	if (way == WAY_CHOSEN)
		cookie_burst_finish(burst, &secrets, clock_ns);
	else if (way == WAY_SCALAR)
		cookie_burst_finish_scalar(burst, &secrets, clock_ns);
	else
		return cookie_burst_finish_by(
			burst, &secrets, clock_ns, way == WAY_AVX2 ? COOKIE_VECTORS_AVX2 : COOKIE_VECTORS_AVX512);
	return true;
}

/* n SYNs, of which those are IPv6 whose bit is set. */
static bool burst_check(struct cookie_burst *burst, unsigned n, uint64_t v6, uint64_t clock_ns, enum way way)
{
	struct packet syns[COOKIE_BURST_MAX];
	uint32_t sequences[COOKIE_BURST_MAX] = {0};
	uint8_t packed[COOKIE_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		syns[i] = syn_draw(v6 >> i & 1);
		packed[i] = (uint8_t)draw();
		cookie_burst_add(burst, &syns[i], packed[i], clock_ns, &sequences[i]);
	}
	CHECK_EQ("it is empty when nothing was added", cookie_burst_is_empty(burst), n == 0);
	if (!finish(burst, clock_ns, way))
		return false;
	CHECK_TRUE("and when it is finished", cookie_burst_is_empty(burst));
	for (unsigned i = 0; i < n; i++) {
		struct packet ack = syns[i];
		struct cookie_proof proof;

		CHECK_EQ("the cookie of this SYN", sequences[i], cookie_proxy_make(&secrets, &syns[i], packed[i], clock_ns));
		ack.tcp_flags = TCP_FLAG_ACK;
		ack.tcp_sequence++;
		ack.tcp_acknowledgement = sequences[i] + 1;
		CHECK_TRUE("which its ACK brings back", cookie_proxy_check(&secrets, &ack, clock_ns, &proof) && proof.packed == packed[i]);
	}
	return true;
}

static void way_check(enum way way)
{
	struct cookie_burst *burst = aligned_alloc(64, sizeof(*burst));
	uint64_t clock_ns = 5 * SLOT_NS;

	if (!burst)
		abort();
	memset(burst, 0, sizeof(*burst));
	for (unsigned n = 0; n <= COOKIE_BURST_MAX; n++, clock_ns += SLOT_NS * 7)
		if (!burst_check(burst, n, 0, clock_ns, way) || !burst_check(burst, n, UINT64_MAX, clock_ns, way) ||
			!burst_check(burst, n, draw(), clock_ns, way))
			break;
	free(burst);
}

static void chosen(void)
{
	way_check(WAY_CHOSEN);
}

static void each(void)
{
	for (enum way way = WAY_SCALAR; way < WAY_COUNT; way++)
		way_check(way);
}

/* More than there is room for: they get no cookie, and nothing else is overwritten. */
static void full(void)
{
	struct cookie_burst *burst = aligned_alloc(64, sizeof(*burst));
	struct packet syn = syn_draw(false);
	uint32_t sequences[COOKIE_BURST_MAX + 1] = {0};

	if (!burst)
		abort();
	memset(burst, 0, sizeof(*burst));
	for (unsigned i = 0; i <= COOKIE_BURST_MAX; i++)
		cookie_burst_add(burst, &syn, 1, SLOT_NS, &sequences[i]);
	cookie_burst_finish(burst, &secrets, SLOT_NS);
	CHECK_EQ("the last that fits", sequences[COOKIE_BURST_MAX - 1], cookie_proxy_make(&secrets, &syn, 1, SLOT_NS));
	CHECK_EQ("one more", sequences[COOKIE_BURST_MAX], 0);
	free(burst);
}

static const struct check_test tests[] = {
	{"a burst's cookies are those of its SYNs", chosen},
	{"by every way that this CPU has", each},
	{"a burst has an end", full},
};
CHECK_MAIN("cookie_burst", tests)
