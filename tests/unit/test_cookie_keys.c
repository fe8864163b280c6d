// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/cookie_keys.h by real cookies: what a challenge gave out comes back good whatever the
 * epoch, the start and the wall clock do, and governors that share a secret accept each other's.
 */
#include "dataplane/cookie_keys.h"
#include <string.h>

#include "tests/check.h"

#define SECOND_NS UINT64_C(1000000000)
#define SLOT_NS   (UINT64_C(1000000) * COOKIE_SLOT_MS)
#define EPOCH_NS  (SLOT_NS * COOKIE_EPOCH_SLOTS)
#define BEAT_NS   (SECOND_NS / 10)
#define WALL_NS   UINT64_C(1795000000000000000)

/* Linux's seventh zero-window probe, the last whose wait cookie.h promises to outlast. */
#define LAST_PROBE_NS (SECOND_NS * 51 / 2)

static const struct hash_key master = {7, 8}, other_master = {7, 9};

/* A table thread and what lcores read: CLOCK_MONOTONIC starts when its machine does. */
struct governor {
	struct cookie_keys keys;
	struct stage_shared shared;
	uint64_t now_ns, wall_ns;
};

static void governor_start(struct governor *governor, const struct hash_key *key, bool is_shared,
	uint64_t now_ns, uint64_t wall_ns)
{
	memset(governor, 0, sizeof(*governor));
	governor->now_ns = now_ns;
	governor->wall_ns = wall_ns;
	cookie_keys_start(&governor->keys, &governor->shared, key, is_shared, now_ns, wall_ns);
}

static uint64_t governor_clock(const struct governor *governor)
{
	return governor->now_ns + atomic_load(&governor->shared.cookie_clock_add_ns);
}

static void governor_run(struct governor *governor, uint64_t ns)
{
	for (uint64_t run_ns = 0; run_ns < ns; run_ns += BEAT_NS) {
		governor->now_ns += BEAT_NS;
		governor->wall_ns += BEAT_NS;
		cookie_keys_follow(&governor->keys, &governor->shared, governor->now_ns, governor->wall_ns);
	}
}

static const struct cookie_secrets *governor_secrets(const struct governor *governor)
{
	return &governor->shared.cookie_copies[atomic_load(&governor->shared.cookie_copy)];
}

static struct packet client_packet(uint8_t flags, uint32_t sequence, uint32_t acknowledgement)
{
	return (struct packet){.family = 4,
		.source = address_from_v4(0xcb007101),
		.destination = address_from_v4(0xc0000201),
		.source_port = 4000,
		.destination_port = 80,
		.tcp_flags = flags,
		.tcp_sequence = sequence,
		.tcp_acknowledgement = acknowledgement};
}

static uint32_t challenge(const struct governor *governor)
{
	struct packet syn = client_packet(TCP_FLAG_SYN, 1000, 0);

	return cookie_proxy_make(governor_secrets(governor), &syn, 0x12, governor_clock(governor));
}

static bool accepts(const struct governor *governor, uint32_t cookie)
{
	struct packet ack = client_packet(TCP_FLAG_ACK, 1001, cookie + 1);
	struct cookie_proof proof;

	return cookie_proxy_check(governor_secrets(governor), &ack, governor_clock(governor), &proof);
}

static void test_own_clock(void)
{
	static struct governor governor;

	for (unsigned start = 0; start < 70; start++) {
		unsigned lost = 0;

		governor_start(&governor, &master, false, EPOCH_NS + start * SLOT_NS / 2 + 1, 0);
		for (unsigned i = 0; i < 80; i++) {
			uint32_t cookie = challenge(&governor);

			lost += !accepts(&governor, cookie);
			governor_run(&governor, SLOT_NS - BEAT_NS);
			lost += !accepts(&governor, cookie);
			governor_run(&governor, SECOND_NS); /* so that all phases come */
		}
		CHECK_EQ("started anywhere, every cookie lives for a slot, from epoch to epoch", lost, 0u);
	}
	governor_start(&governor, &master, false, EPOCH_NS, WALL_NS);
	governor_run(&governor, SECOND_NS);
	CHECK_EQ("the wall clock is not asked", governor_clock(&governor), governor.now_ns);
}

static void test_expiry(void)
{
	static struct governor governor;
	uint32_t cookie;

	governor_start(&governor, &master, true, SECOND_NS, WALL_NS);
	cookie = challenge(&governor);
	governor_run(&governor, 2 * SLOT_NS);
	CHECK_FALSE("two slots later a cookie is over", accepts(&governor, cookie));
}

static void test_shared(void)
{
	static struct governor here, there, stranger;
	unsigned lost = 0, believed = 0;

	governor_start(&here, &master, true, SECOND_NS, WALL_NS);
	governor_start(&there, &master, true, 5000 * EPOCH_NS + 77, WALL_NS);
	governor_start(&stranger, &other_master, true, SECOND_NS, WALL_NS);
	for (unsigned i = 0; i < 150; i++) {
		uint32_t cookie = challenge(&here);

		governor_run(&here, LAST_PROBE_NS);
		governor_run(&there, LAST_PROBE_NS);
		governor_run(&stranger, LAST_PROBE_NS);
		lost += !accepts(&there, cookie);
		believed += accepts(&stranger, cookie);
	}
	CHECK_EQ("machines that started at different times accept each other's cookies", lost, 0u);
	CHECK_EQ("another secret's are not", believed, 0u);
}

/* An epoch begins between two beats, and cookies are made and checked before the next one. */
static void test_between_beats(void)
{
	static struct governor governor, fresh;

	for (unsigned start = 0; start < COOKIE_EPOCH_SLOTS; start++) {
		uint64_t begin_ns = WALL_NS - WALL_NS % EPOCH_NS + start * SLOT_NS + BEAT_NS / 2;
		uint64_t next_ns = WALL_NS - WALL_NS % EPOCH_NS + EPOCH_NS;

		governor_start(&governor, &master, true, SECOND_NS, begin_ns);
		while (governor.wall_ns + BEAT_NS < next_ns)
			governor_run(&governor, BEAT_NS);
		governor.now_ns += next_ns - governor.wall_ns;
		governor.wall_ns = next_ns;
		governor_start(&fresh, &master, true, SECOND_NS, next_ns);
		CHECK_TRUE("the new epoch's key is there before its first beat",
			accepts(&fresh, challenge(&governor)) && accepts(&governor, challenge(&fresh)));
	}
}

/* A step of the wall clock between a challenge and the last probe that answers it, at every phase of a slot.
 */
static void check_small_step(const char *name, int64_t step_ns)
{
	static struct governor governor, fresh;
	unsigned lost = 0, backwards = 0;

	for (unsigned phase = 0; phase < 64; phase++) {
		uint32_t cookie;
		uint64_t clock_ns;

		governor_start(&governor, &master, true, SECOND_NS, WALL_NS + phase * SLOT_NS / 2);
		governor_run(&governor, SECOND_NS);
		cookie = challenge(&governor);
		governor.wall_ns += (uint64_t)step_ns;
		for (uint64_t run_ns = 0; run_ns < LAST_PROBE_NS; run_ns += BEAT_NS) {
			clock_ns = governor_clock(&governor);
			governor_run(&governor, BEAT_NS);
			backwards += governor_clock(&governor) <= clock_ns;
			lost += !accepts(&governor, cookie);
		}
		governor_run(&governor, 4 * SLOT_NS);
		CHECK_EQ(name, governor_clock(&governor), governor.wall_ns);
		governor_start(&fresh, &master, true, 9 * EPOCH_NS, governor.wall_ns);
		CHECK_TRUE(
			name, accepts(&fresh, challenge(&governor)) && accepts(&governor, challenge(&fresh)));
	}
	CHECK_EQ(name, lost, 0u);
	CHECK_EQ(name, backwards, 0u);
}

static void test_small_steps(void)
{
	check_small_step("no step", 0);
	check_small_step("a leap second", (int64_t)SECOND_NS);
	check_small_step("a leap second back", -(int64_t)SECOND_NS);
	check_small_step("almost a slot forward", (int64_t)SLOT_NS - 1);
	check_small_step("almost a slot back", -(int64_t)SLOT_NS + 1);
}

static void test_large_steps(void)
{
	static struct governor governor, fresh;
	static const struct {
		const char *name;
		int64_t step_ns;
	} cases[] = {
		{"a slot forward", (int64_t)SLOT_NS},
		{"a slot back", -(int64_t)SLOT_NS},
		{"an hour forward", INT64_C(3600000000000)},
		{"an hour back", INT64_C(-3600000000000)},
		{"a clock that was never set", -(int64_t)(WALL_NS - SECOND_NS)},
		{"into the next epoch but one", (int64_t)(2 * EPOCH_NS)},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		governor_start(&governor, &master, true, SECOND_NS, WALL_NS);
		governor.wall_ns += (uint64_t)cases[i].step_ns;
		governor_run(&governor, BEAT_NS);
		CHECK_EQ(cases[i].name, governor_clock(&governor), governor.wall_ns);
		governor_run(&governor, BEAT_NS);
		governor_start(&fresh, &master, true, 9 * EPOCH_NS, governor.wall_ns);
		CHECK_TRUE(cases[i].name,
			accepts(&fresh, challenge(&governor)) && accepts(&governor, challenge(&fresh)));
		/* and through the next changes of epoch */
		for (unsigned n = 0; n < 100; n++) {
			uint32_t cookie = challenge(&governor);

			governor_run(&governor, LAST_PROBE_NS);
			if (!CHECK_TRUE(cases[i].name, accepts(&governor, cookie)))
				break;
		}
	}
}

static const struct check_test tests[] = {
	{"a clock of its own", test_own_clock},
	{"a cookie ends", test_expiry},
	{"governors that share a secret", test_shared},
	{"an epoch that begins between beats", test_between_beats},
	{"a step of less than a slot loses nothing", test_small_steps},
	{"a longer step is followed at once", test_large_steps},
};

CHECK_MAIN("cookie_keys", tests)
