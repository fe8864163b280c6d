/* SPDX-License-Identifier: BSD-3-Clause
 * What holds for the roster whatever happens: seeded random sequences of all that can be told to it, in every
 * profile. Counts equal a recount; penalties never shorten bans; protected peers are never banned
 * automatically; churn restores targets; eviction never takes a subnet's only server; two instances fed the
 * same write the same events. The clock is injected. This test alone looks into the roster's records: a
 * recount is no recount by its own counters.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

enum { SEEDS = 200, STEPS = 500, PEERS = 24, PROTECTED = 3, SUBNETS = 6, BANS_MAX = 256 };

/* The steps' own numbers: apart from the roster's, so that both instances are told the same. */
static uint64_t state;
static double at_s;
static unsigned failures;

static uint64_t draw(uint64_t bound)
{
	state += UINT64_C(0x9e3779b97f4a7c15);
	uint64_t z = state;
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (z ^ z >> 31) % bound;
}

static struct roster *roster(void)
{
	return roster_world.roster;
}

static int64_t now(void)
{
	return ROSTER_MS(at_s);
}

static void fail(const char *what, uint64_t expected, uint64_t actual)
{
	if (failures++ < 20)
		CHECK_FAIL(what, "should be %llu, is %llu", (unsigned long long)expected,
			(unsigned long long)actual);
}

static void expect(const char *what, uint64_t expected, uint64_t actual)
{
	if (expected != actual)
		fail(what, expected, actual);
}

/* Who there is: some share a /24, all but the odd ones come from hosts of their own. */
static struct address address_of(uint64_t peer)
{
	return address_from_v4(0x14000000u + (uint32_t)(peer % 4) * 256 + (uint32_t)(peer / 2));
}

static const char *id_of(uint64_t peer)
{
	static char ids[4][16];
	static unsigned next;
	char *id = ids[next++ % 4];
	snprintf(id, sizeof(ids[0]), "peer%02u", (unsigned)peer);
	return id;
}

static struct peer_name name_of(uint64_t peer)
{
	struct peer_name name = {0};
	snprintf(name.id, sizeof(name.id), "%s", id_of(peer));
	return name;
}

/* Steps */

static void step_open(void)
{
	uint64_t peer = draw(PEERS);
	struct roster_open open = {.address = address_of(peer),
		.port = (uint16_t)(1000 + draw(3)),
		.inbound = draw(3) != 0,
		.proven = true,
		.rtt_ms = draw(2) != 0 ? (double)draw(300) : -1,
		.already_open = draw(8) == 0};
	struct roster_opened opened = {0};
	if (roster_connection_open(roster(), &open, now(), &opened) < 0 || opened.connection == 0 ||
		draw(4) == 0)
		return;
	struct roster_bind bind = {.id = id_of(peer),
		.connection = opened.connection,
		.agent = "Lighthouse/v1/x",
		.version = "",
		.enr = "",
		.metadata = "",
		.listen_port = (uint16_t)(draw(2) * 9000)};
	struct roster_bound bound;
	(void)roster_peer_bind(roster(), &bind, now(), &bound);
}

/** A connection that may be open. */
static uint64_t some_connection(void)
{
	uint64_t last = roster()->next_number;
	return last <= 1 ? 1 : last - 1 - draw(last < 20 ? last - 1 : 20);
}

static void step_close(void)
{
	struct roster_close close = {.connection = some_connection(),
		.by = (enum closed_by)(1 + draw(3)),
		.how = (enum closed_how)(1 + draw(3)),
		.reason = draw(3) == 0 ? "fault" : ""};
	enum outcome outcome;
	const char *why;
	(void)roster_connection_close(roster(), &close, now(), &outcome, &why);
}

static void step_data(void)
{
	(void)roster_connection_data(roster(), some_connection(), draw(5000), draw(5000), -1, now());
}

static void step_auth(void)
{
	enum outcome outcome;
	struct roster_opened opened;
	(void)roster_connection_auth(roster(), some_connection(), draw(4) != 0, "", now(), &outcome, &opened);
}

struct bans {
	struct ban bans[BANS_MAX];
	unsigned n;
};

static bool ban_take(void *context, const struct ban *ban)
{
	struct bans *bans = context;
	if (bans->n < BANS_MAX)
		bans->bans[bans->n++] = *ban;
	return true;
}

static bool same_ban(const struct ban *a, const struct ban *b)
{
	return a->scope == b->scope && a->tier == b->tier &&
	       (a->scope == BAN_SCOPE_PEER ? strcmp(a->id, b->id) == 0
					   : prefix_compare(&a->prefix, &b->prefix) == 0);
}

static void bans_not_shortened(const struct bans *before, const struct bans *after)
{
	for (unsigned i = 0; i < before->n; i++) {
		bool holds = false;
		for (unsigned j = 0; j < after->n && !holds; j++)
			holds = same_ban(&before->bans[i], &after->bans[j]) &&
				after->bans[j].end_ms >= before->bans[i].end_ms;
		if (!holds)
			fail("a penalty never shortens a ban", (uint64_t)before->bans[i].end_ms, 0);
	}
}

static void step_report(void)
{
	static struct bans before, after;
	struct peer_name name = name_of(draw(PEERS));
	struct peer_report_result result;
	if (draw(6) == 0)
		name = (struct peer_name){.address = address_of(draw(PEERS))};
	before.n = after.n = 0;
	governor_ban_each(roster_governor(roster()), NULL, ban_take, &before);
	(void)roster_peer_report(roster(), &name, (enum peer_action)draw(PEER_ACTION_COUNT), "random", "",
		draw(5) != 0, now(), &result);
	governor_ban_each(roster_governor(roster()), NULL, ban_take, &after);
	bans_not_shortened(&before, &after);
}

static void step_tag(void)
{
	uint64_t peer = draw(PEERS);
	struct peer_name name = name_of(peer);
	struct peer_tags tags;
	struct roster_tag tag = {.which = ROSTER_TAG_SUBNETS};
	for (unsigned i = (unsigned)draw(3); i > 0; i--)
		(void)peer_tags_subnet_set(&tag.values, (uint32_t)draw(SUBNETS), true);
	if (draw(4) == 0)
		tag.which |= ROSTER_TAG_CATEGORY | ROSTER_TAG_CLASS | ROSTER_TAG_DISCOURAGED;
	tag.values.category = (uint8_t)draw(PEER_CATEGORY_COUNT);
	tag.values.light = draw(2) != 0;
	tag.discouraged = draw(2) != 0;
	if (draw(10) == 0) {
		tag.which |= ROSTER_TAG_GROUP;
		tag.group_name = draw(2) != 0 ? "one" : "two";
		tag.group_hot = 1;
		tag.group_warm = 2;
	}
	(void)roster_peer_tag(roster(), &name, &tag, now(), &tags);
}

/** Some are protected from the beginning, by id and by address. */
static void step_protect(void)
{
	uint64_t peer = draw(PROTECTED);
	struct roster_tag tag = {
		.which = ROSTER_TAG_PROTECTED | ROSTER_TAG_TRUSTED, .values.is_protected = true};
	struct peer_name names[] = {name_of(peer), {.address = address_of(peer)}};
	for (unsigned i = 0; i < 2; i++)
		(void)roster_peer_tag(roster(), &names[i], &tag, now(), NULL);
}

static void step_metrics(void)
{
	struct roster_metrics metrics = roster_world_metrics();
	double value;
	metrics.rtt_ms = draw(2) != 0 ? (double)draw(500) : NAN;
	metrics.fetch_ms = draw(2) != 0 ? (double)draw(500) : NAN;
	metrics.blocks = (uint32_t)draw(3);
	metrics.uptime = draw(2) != 0 ? (double)draw(100) / 100 : NAN;
	if (roster_peer_metrics(roster(), id_of(draw(PEERS)), &metrics, now(), &value) == 0 &&
		!isfinite(value))
		fail("a value is finite", 0, 1);
}

static void step_gossip(void)
{
	struct roster_gossip scores[3];
	size_t updated;
	for (unsigned i = 0; i < 3; i++)
		scores[i] = (struct roster_gossip){id_of(draw(PEERS)), (double)draw(40000) - 30000, false};
	(void)roster_peer_gossip(roster(), scores, 3, draw(2) != 0, now(), &updated);
}

static void step_peer(void)
{
	uint64_t peer = draw(PEERS), sequence = draw(9);
	struct roster_record record;
	enum temperature from, to;
	enum peer_action action;
	struct peer_report_result result;
	struct peer_name name = name_of(peer);
	unsigned due;
	bool allow;
	int64_t wait_ms;
	uint32_t closed;
	switch (draw(7)) {
	case 0:
		(void)roster_peer_record(roster(), id_of(peer), draw(3) != 0, now(), &record);
		break;
	case 1:
		(void)roster_peer_temperature(
			roster(), id_of(peer), (enum temperature)draw(4), now(), &from, &to);
		break;
	case 2:
		(void)roster_peer_seen(
			roster(), id_of(peer), (enum roster_seen)draw(3), &sequence, "synced", now(), &due);
		break;
	case 3:
		(void)roster_peer_request(roster(), id_of(peer), "ping", 1, now(), &allow, &wait_ms);
		break;
	case 4:
		(void)roster_peer_rpc_error(
			roster(), id_of(peer), "IoError", "Ping", draw(2) != 0, now(), &action, &result);
		break;
	case 5:
		if (draw(4) == 0)
			(void)roster_peer_disconnect(roster(), &name, "asked", 0, now(), &closed);
		break;
	default:
		if (draw(8) == 0 && peer >= PROTECTED)
			(void)roster_peer_remove(roster(), id_of(peer), now());
	}
}

static void step_book(void)
{
	struct book_entry entry = {.address = address_of(draw(PEERS)),
		.port = (uint32_t)(1000 + draw(3)),
		.source = (enum peer_source)draw(PEER_SOURCE_COUNT),
		.category = (enum peer_category)draw(PEER_CATEGORY_COUNT)};
	struct book_dial dial;
	if (draw(2) != 0)
		(void)roster_book_add(roster(), &entry, now());
	else
		roster_connection_dial(roster(), &entry.address, (uint16_t)entry.port, now(), &dial);
}

static void step_node(void)
{
	struct roster_ledger_peer ledger[3];
	struct peer_duty needed = {(uint16_t)draw(SUBNETS), now() + (int64_t)draw(60000)};
	struct target_set targets;
	struct address address = address_of(draw(PEERS));
	struct roster_attempts attempts;
	size_t added, big;
	uint16_t discover;
	switch (draw(6)) {
	case 0:
		roster_node_sync_state(roster(), (enum sync_state)draw(3), now(), &targets);
		break;
	case 1:
		for (unsigned i = 0; i < 3; i++)
			ledger[i] = (struct roster_ledger_peer){
				address_of(draw(PEERS)), 1000, (double)draw(100), -1};
		(void)roster_node_ledger_peers(roster(), ledger, 3, now(), &added, &big);
		break;
	case 2:
		if (draw(8) == 0)
			(void)roster_node_subnets(roster(), &needed, 1, now(), &discover);
		break;
	case 3:
		roster_node_up(roster(), draw(4) != 0, now());
		break;
	default:
		roster_connection_attempt(
			roster(), &address, (uint32_t)draw(50), draw(2) != 0, now(), &attempts);
	}
}

static void step_targets(void)
{
	struct roster_targets targets;
	char flaw[ROSTER_TEXT_MAX];
	struct target_set set = {.root = (uint32_t)draw(10),
		.normal = {10 + (uint32_t)draw(20), (uint32_t)draw(12), (uint32_t)draw(8)},
		.big_ledger = {5, 3, (uint32_t)draw(4)}};
	uint32_t target = (uint32_t)draw(12);
	(void)roster_targets(roster(), roster()->config.profile.target != 0 ? &target : NULL,
		roster()->config.profile.has_targets ? &set : NULL, now(), &targets, flaw);
}

/* What holds */

struct recount {
	uint32_t connections, in, out, pending_in, pending_out, closing, courtesy, dialing, outbound_only,
		hot, warm, connected;
	uint32_t subnets[EVICTION_SUBNETS];
};

static void recount_connections(struct recount *recount, const struct roster_peer *peer, uint32_t index)
{
	uint32_t in = 0, out = 0, previous = RECORD_NONE;
	for (uint32_t at = peer->connections; at != RECORD_NONE;) {
		const struct roster_connection *connection = roster_connection_at(roster(), at);
		expect("a connection knows its peer", index, connection->peer);
		expect("a list is linked both ways", previous, connection->of_peer_previous);
		recount->connections++;
		recount->dialing += connection->dialing;
		if (connection->courtesy)
			recount->courtesy++;
		else if (connection->closing)
			recount->closing++;
		else if (connection->dialing || (connection->pending && !connection->inbound))
			recount->pending_out++;
		else if (connection->pending)
			recount->pending_in++;
		else if (connection->inbound)
			recount->in++;
		else
			recount->out++;
		in += connection->inbound && !connection->courtesy;
		out += !connection->inbound && !connection->dialing && !connection->courtesy;
		previous = at;
		at = connection->of_peer_next;
	}
	expect("a peer's inbound connections", in, peer->state.n_in);
	expect("a peer's outbound connections", out, peer->state.n_out);
}

static void check_counts(void)
{
	struct recount recount = {0};
	for (uint32_t i = 0; i < roster()->peers.high_water; i++) {
		const struct roster_peer *peer = roster_peer_at(roster(), i);
		if (peer->list == ROSTER_LIST_GIVEN)
			continue;
		recount_connections(&recount, peer, i);
		recount.outbound_only += peer_state_is_outbound_only(&peer->state);
		if (peer->facts != NULL) {
			recount.hot += peer->facts->temperature.temperature == TEMPERATURE_HOT;
			recount.warm += peer->facts->temperature.temperature == TEMPERATURE_WARM;
		}
		if (peer->state.status != PEER_STATUS_CONNECTED)
			continue;
		recount.connected++;
		for (unsigned subnet = 0; subnet < EVICTION_SUBNETS && peer->facts != NULL; subnet++)
			recount.subnets[subnet] += peer_tags_serves(&peer->facts->tags, subnet);
	}
	expect("connections", recount.connections, roster()->connections.n_used);
	expect("inbound", recount.in, roster()->counts.in);
	expect("outbound", recount.out, roster()->counts.out);
	expect("pending inbound", recount.pending_in, roster()->counts.pending_in);
	expect("pending outbound", recount.pending_out, roster()->counts.pending_out);
	expect("closing", recount.closing, roster()->n_closing);
	expect("courtesy", recount.courtesy, roster()->n_courtesy);
	expect("dialing", recount.dialing, roster()->n_dialing);
	expect("outbound only", recount.outbound_only, roster()->n_outbound_only);
	expect("hot", recount.hot, roster()->n_hot);
	expect("warm", recount.warm, roster()->n_warm);
	expect("connected peers", recount.connected, roster()->lists[ROSTER_LIST_CONNECTED].n);
	if (memcmp(recount.subnets, roster()->subnets.peers, sizeof(recount.subnets)) != 0)
		fail("servers of each subnet", 0, 1);
}

/* Who was protected and not banned before the step. */
static bool safe[PROTECTED];

static bool is_safe(uint64_t who)
{
	struct peer_name name = name_of(who);
	uint32_t peer = roster_peer_find(roster(), name.id);
	struct peer_info info;
	struct peer_tags tags;
	if (peer == RECORD_NONE)
		return false;
	roster_tags_of(roster(), peer, &tags);
	governor_peer_get(roster_governor(roster()), &name, now(), &info);
	return tags.is_protected && !info.has_ban;
}

static void protected_note(void)
{
	for (unsigned i = 0; i < PROTECTED; i++)
		safe[i] = is_safe(i);
}

/** No step but those of peer.report, ticks and time could ban it, and nobody bans it by hand here. */
static void protected_check(void)
{
	for (unsigned i = 0; i < PROTECTED; i++) {
		struct peer_info info;
		struct peer_name name = name_of(i);
		governor_peer_get(roster_governor(roster()), &name, now(), &info);
		if (safe[i] && info.has_ban)
			fail("a protected peer is never banned automatically", 0, info.ban.tier);
	}
}

static void check_targets(void)
{
	struct roster_targets targets;
	char flaw[ROSTER_TEXT_MAX];
	(void)roster_targets(roster(), NULL, NULL, now(), &targets, flaw);
	struct roster_status status = roster_world_status();
	if (status.churn_phase == CHURN_PHASE_WHOLE &&
		memcmp(&targets.base, &targets.in_force, sizeof(targets.base)) != 0)
		fail("churn restores targets exactly", 0, 1);
}

/* Sole servers before a step that may evict, and what it said of them. */
static bool sole[PEERS];

static void sole_note(void)
{
	for (unsigned i = 0; i < PEERS; i++) {
		uint32_t peer = roster_peer_find(roster(), id_of(i));
		sole[i] = false;
		if (peer == RECORD_NONE ||
			roster_peer_at(roster(), peer)->state.status != PEER_STATUS_CONNECTED)
			continue;
		const struct peer_tags *tags = &roster_facts_of(roster(), peer)->tags;
		for (unsigned subnet = 0; subnet < SUBNETS; subnet++)
			sole[i] |= peer_tags_serves(tags, subnet) && roster()->subnets.peers[subnet] == 1;
	}
}

static void sole_check(void)
{
	char wanted[64];
	for (unsigned stage = EVICTION_STAGE_STATE + 1; stage < EVICTION_STAGE_COUNT; stage++) {
		snprintf(wanted, sizeof(wanted), "\"reason\":\"%s\"",
			eviction_stage_name((enum eviction_stage)stage));
		for (unsigned i = 0; i < PEERS; i++) {
			char both[96];
			snprintf(both, sizeof(both), "\"id\":\"%s\"", id_of(i));
			if (!sole[i] || roster_world_events_with("governor.disconnect", both) == 0)
				continue;
			/* One line has both: events are few after a tick. */
			for (unsigned nth = 0;; nth++) {
				const char *line = roster_world_event("governor.disconnect", nth);
				if (line[0] == '\0')
					break;
				if (strstr(line, both) != NULL && strstr(line, wanted) != NULL)
					fail("eviction never takes a subnet's only server", 0, stage);
			}
		}
	}
}

static void step_tick(bool checks)
{
	if (checks)
		sole_note();
	roster_world_forget();
	roster_tick(roster(), now());
	if (checks)
		sole_check();
}

static void step_time(void)
{
	static const double waits[] = {0.1, 1, 5, 30, 70, 400, 4000};
	at_s += waits[draw(CHECK_COUNT(waits))];
	(void)roster_advance(roster(), now(), 100000, /* ticks= */ draw(2) != 0);
}

/* Runs */

static uint64_t hash_events(uint64_t hash)
{
	for (size_t i = 0; i < roster_world.bytes; i++)
		hash = (hash ^ (unsigned char)roster_world.text[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static void step(bool checks)
{
	static void (*const steps[])(void) = {step_open, step_open, step_open, step_open, step_open,
		step_open, step_close, step_data, step_data, step_auth, step_report, step_tag, step_metrics,
		step_gossip, step_peer, step_peer, step_book, step_node, step_time, step_protect};
	uint64_t which = draw(CHECK_COUNT(steps) + 2);
	if (which == CHECK_COUNT(steps))
		step_tick(checks);
	else if (which == CHECK_COUNT(steps) + 1)
		step_targets();
	else
		steps[which]();
}

static uint64_t run(unsigned seed, bool checks)
{
	struct roster_config config = roster_world_config(profile_name(seed % PROFILE_COUNT));
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	config.seed = seed;
	config.grace_ms = seed % 3 == 0 ? 0 : 1000;
	config.peers_max = config.governor.peers_max = 1000;
	config.connections_max = 1000;
	if (config.profile.target != 0)
		config.profile.target = 8;
	if (config.profile.limits.soft.hard != 0)
		config.profile.limits.soft.soft = config.profile.limits.soft.hard = 12;
	roster_world_begin_with(&config);
	state = seed;
	at_s = 1;
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned before = failures;
		roster_world_forget();
		if (checks)
			protected_note();
		step(checks);
		hash = hash_events(hash);
		if (!checks)
			continue;
		check_counts();
		protected_check();
		check_targets();
		if (failures != before && failures < 20)
			CHECK_FAIL("where", "seed %u (%s), step %u", seed, config.profile.name, i);
	}
	roster_world_end();
	return hash;
}

static void test_properties(void)
{
	failures = 0;
	for (unsigned seed = 0; seed < SEEDS && failures == 0; seed++) {
		uint64_t first = run(seed, true), second = run(seed, false);
		if (first != second)
			CHECK_FAIL("two instances write the same events", "seed %u", seed);
	}
	CHECK_EQ("nothing is broken", failures, 0);
}

static const struct check_test tests[] = {
	{"random sequences in every profile", test_properties},
};
CHECK_MAIN("roster_properties", tests)
