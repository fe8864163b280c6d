/* SPDX-License-Identifier: BSD-3-Clause
 * What the node tells of peers, and what is answered of them: tags, metrics, gossip, requests, outcomes,
 * lists, the best (policy.md LH-12 to LH-19, LH-24, LH-27, LO-6, LO-7, SP-8, SP-9, SP-12, DU-3, DU-4, V1,
 * V11, V14, V16, V17, V20). The clock is injected.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

static struct roster *roster(void)
{
	return roster_world.roster;
}

static double tell(const char *id, const struct roster_metrics *metrics, double at_s)
{
	double value = NAN;
	CHECK_EQ(id, roster_peer_metrics(roster(), id, metrics, ROSTER_MS(at_s), &value), 0);
	return value;
}

static void test_averages(void)
{
	static const double samples[] = {100, 50, 200, 80}, averages[] = {100, 85, 119.5, 107.65};
	roster_world_begin("dugite");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	for (unsigned i = 0; i < 4; i++) {
		struct roster_metrics metrics = roster_world_metrics();
		metrics.rtt_ms = samples[i];
		(void)tell("a", &metrics, 1);
		CHECK_NEAR("V16: the round trip's average", roster_world_peer("#a", 1).counters.rtt_ms,
			averages[i], 1e-4);
	}
	roster_world_end();
}

static void record(const char *id, bool ok, unsigned times, double at_s)
{
	struct roster_record record;
	while (times-- > 0)
		CHECK_EQ(id, roster_peer_record(roster(), id, ok, ROSTER_MS(at_s), &record), 0);
}

static void test_dugite(void)
{
	roster_world_begin("dugite");
	CHECK_NEAR("V17: a stranger", roster_world_peer("#nobody", 0).value_dugite, 0.45, 1e-9);
	CHECK_NEAR("V19: a stranger's rank", roster_world_peer("#nobody", 0).value_rank, 0.6, 1e-9);
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	CHECK_NEAR("V17: a fresh one", roster_world_peer("#a", 0).value_dugite, 0.45, 1e-9);
	struct roster_metrics metrics = roster_world_metrics();
	metrics.rtt_ms = 30;
	metrics.fetch_ms = 200;
	metrics.blocks = 100;
	(void)tell("a", &metrics, 1);
	metrics.rtt_ms = NAN;
	metrics.fetch_ms = 180;
	(void)tell("a", &metrics, 1);
	record("a", true, 3, 1);
	struct roster_peer_info info = roster_world_peer("#a", 1);
	CHECK_NEAR("V17: a good one", info.value_dugite, 0.74781, 1e-6);
	CHECK_EQ("V17: blocks", info.blocks, 200);
	CHECK_NEAR("DU-4: three successes", info.reputation, 0.53, 1e-9);
	struct roster_record last;
	CHECK_EQ("DU-4: the node tells a failure",
		roster_peer_record(roster(), "a", false, ROSTER_MS(1), &last), 0);
	CHECK_NEAR("DU-4: a failure", roster_world_peer("#a", 1).reputation, 0.43, 1e-9);
	CHECK_NEAR("DU-4: as the node is told", last.reputation, 0.43, 1e-9);
	CHECK_NEAR("DU-4: recovers in steps of 300 s", roster_world_peer("#a", 302).reputation, 0.48, 1e-6);
	roster_world_end();
}

static void test_subnet_penalty(void)
{
	static const double penalties[] = {0, 0, 0, 0.2, 0.4, 0.6, 0.8};
	roster_world_begin("dugite");
	for (unsigned i = 1; i <= 6; i++) {
		char ip[32];
		snprintf(ip, sizeof(ip), "20.0.0.%u", i);
		roster_world_open(ip, 9000, true, ip, i * 20);
		struct roster_peer_info info = roster_world_peer("#20.0.0.1", i * 20);
		CHECK_EQ("V20: peers in the subnet", info.subnet_count, i);
		CHECK_NEAR("V20: the penalty", info.subnet_penalty, penalties[i], 1e-9);
		CHECK_NEAR(
			"DU-6: is taken off the value", info.value, info.value_dugite - penalties[i], 1e-9);
	}
	CHECK_EQ("V20: other subnets are empty", roster_world_peer("20.0.1.1", 120).subnet_count, 0);
	roster_world_end();
}

static void test_lorachain(void)
{
	roster_world_begin("lorachain");
	CHECK_NEAR("LO-1: a stranger has 50", roster_world_peer("#nobody", 0).value, 50, 1e-9);
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	CHECK_NEAR("LO-1: a new one too", roster_world_peer("#a", 0).value, 50, 1e-9);
	struct roster_metrics metrics = {.rtt_ms = 120,
		.fetch_ms = NAN,
		.uptime = 0.9,
		.conn_success = 0.8,
		.delivery = 0.95,
		.throughput = 0.8,
		.signal_dbm = NAN,
		.compliance = 0.95,
		.has_msgs = true,
		.msgs = 100,
		.invalid = 5,
		.relayed = 60};
	CHECK_NEAR("V11: overall", tell("a", &metrics, 1), 84.15, 1e-9);
	struct roster_peer_info info = roster_world_peer("#a", 1);
	CHECK_NEAR("V11: reliability", info.lorachain.reliability, 88.5, 1e-9);
	CHECK_NEAR("V11: performance", info.lorachain.performance, 78, 1e-9);
	CHECK_NEAR("V11: behaviour", info.lorachain.behaviour, 84.5, 1e-9);
	CHECK_NEAR("V11: after a day", roster_world_peer("#a", 86401).value, 83.312693510, 1e-8);
	CHECK_NEAR("V11: after seven", roster_world_peer("#a", 7 * 86400 + 1).value, 78.460939945, 1e-8);
	roster_world_end();
}

static void test_standing(void)
{
	struct roster_record last;
	roster_world_begin("spacetime");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	record("a", false, 4, 1);
	CHECK_TRUE("V14: four failures are borne",
		roster_world_peer("#a", 1).state.status == PEER_STATUS_CONNECTED);
	CHECK_EQ("V14: the fifth", roster_peer_record(roster(), "a", false, ROSTER_MS(1), &last), 0);
	CHECK_NEAR("V14: reputation", last.reputation, -10, 1e-9);
	CHECK_NEAR("SP-8: as it is told of the peer", roster_world_peer("#a", 1).reputation, -10, 1e-9);
	CHECK_TRUE("V14: blacklisted", last.blacklisted);
	CHECK_EQ("V14: counted", last.fail, 5);
	CHECK_FALSE(
		"SP-9: and disconnected", roster_world_peer("#a", 2).state.status == PEER_STATUS_CONNECTED);
	CHECK_EQ("5.5.5: a success", roster_peer_record(roster(), "a", true, ROSTER_MS(3), &last), 0);
	CHECK_TRUE("5.5.5: does not lift it", last.blacklisted);
	CHECK_EQ("a stranger", roster_peer_record(roster(), "b", true, ROSTER_MS(3), &last), -ENOENT);
	roster_world_end();

	roster_world_begin("dugite");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	record("a", false, 6, 1);
	CHECK_EQ("other systems have no blacklist", roster_world_peer("#a", 1).state.status,
		PEER_STATUS_CONNECTED);
	CHECK_EQ("V21: failures", roster_world_peer("#a", 1).decayed_fail, 6);
	CHECK_EQ("V21: halved", roster_world_peer("#a", 301).decayed_fail, 3);
	CHECK_EQ("V21: two steps more", roster_world_peer("#a", 901).decayed_fail, 0);
	roster_world_end();
}

static void test_both_layers(void)
{
	struct book_endpoint endpoint = {roster_world_address("20.0.0.1"), 9000};
	roster_world_begin("dugite");
	roster_world_book("20.0.0.1", 9000, PEER_SOURCE_LEDGER, 0);
	roster_world_open("20.0.0.1", 9000, false, "a", 0);
	uint32_t before = address_book_find(roster_book(roster()), &endpoint)->ok;
	record("a", true, 1, 1);
	const struct book_record *known = address_book_find(roster_book(roster()), &endpoint);
	CHECK_EQ("SP-9: the book counts it", known->ok, before + 1);
	CHECK_NEAR("DU-7: and knows the reputation", known->reputation, 0.51, 1e-6);
	record("a", false, 3, 2);
	CHECK_EQ("DU-5: three failures open the circuit", roster_world_peer("#a", 2).circuit, CIRCUIT_OPEN);
	CHECK_EQ("DU-5: which is told", roster_world_events_with("circuit.changed", "\"new\":\"open\""), 1);
	roster_world_end();
}

static void gossip_one(const char *id, double score, bool ignore, double at_s)
{
	struct roster_gossip gossip = {id, score, ignore};
	size_t updated;
	CHECK_EQ(id, roster_peer_gossip(roster(), &gossip, 1, false, ROSTER_MS(at_s), &updated), 0);
}

static void test_gossip(void)
{
	struct roster_gossip wrong = {"a", NAN, false};
	size_t updated;
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	gossip_one("a", -16000, false, 1);
	CHECK_NEAR("V1: weighted", roster_world_peer("#a", 1).combined, -19.0, 1e-9);
	gossip_one("a", -16843, false, 1);
	CHECK_NEAR("LH-17: clamped", roster_world_peer("#a", 1).combined, -19.0, 1e-9);
	CHECK_EQ("LH-17: gossip alone disconnects nobody", roster_world_peer("#a", 1).state.status,
		PEER_STATUS_CONNECTED);
	gossip_one("a", -16000, true, 1);
	CHECK_NEAR("LH-18: ignored", roster_world_peer("#a", 1).combined, 0, 1e-9);
	CHECK_EQ("5.5.4: NaN is an error",
		roster_peer_gossip(roster(), &wrong, 1, false, ROSTER_MS(1), &updated), -EINVAL);
	wrong = (struct roster_gossip){"stranger", -1, false};
	CHECK_EQ("a stranger is skipped",
		roster_peer_gossip(roster(), &wrong, 1, false, ROSTER_MS(1), &updated), 0);
	CHECK_EQ("and not counted", updated, 0);
	gossip_one("a", -16000, false, 2);
	struct peer_name name = roster_world_name("#a");
	struct peer_report_result result;
	CHECK_EQ("a report",
		roster_peer_report(roster(), &name, PEER_ACTION_HIGH, "", "", true, ROSTER_MS(2), &result),
		0);
	CHECK_FALSE("V1: -1 and -16000 disconnect",
		roster_world_peer("#a", 2).state.status == PEER_STATUS_CONNECTED);
	roster_world_end();
}

static void test_forgiven(void)
{
	struct roster_gossip scores[8];
	char ids[8][8];
	size_t updated;
	roster_world_begin("lighthouse");
	for (unsigned i = 0; i < 8; i++) {
		char ip[32];
		snprintf(ip, sizeof(ip), "20.0.%u.1", i);
		snprintf(ids[i], sizeof(ids[i]), "g%u", i);
		roster_world_open(ip, 9000, true, ids[i], 0);
		scores[i] = (struct roster_gossip){ids[i], -1000.0 * (i + 1), false};
	}
	CHECK_EQ("a refresh", roster_peer_gossip(roster(), scores, 8, true, ROSTER_MS(1), &updated), 0);
	CHECK_EQ("all are known", updated, 8);
	for (unsigned i = 0; i < 8; i++) {
		char who[80];
		snprintf(who, sizeof(who), "#%s", ids[i]);
		double expected = i < 5 ? 0 : -1000.0 * (i + 1) * 0.0011875;
		CHECK_NEAR("LH-18: the best five negative ones are forgiven",
			roster_world_peer(who, 1).combined, expected, 1e-9);
	}
	roster_world_end();
}

static void test_frozen(void)
{
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	struct peer_name name = roster_world_name("#a");
	struct peer_report_result result;
	CHECK_EQ("a ban",
		roster_peer_report(roster(), &name, PEER_ACTION_FATAL, "", "", true, ROSTER_MS(1), &result),
		0);
	gossip_one("a", 16000, false, 2);
	CHECK_TRUE("LH-16: gossip does not move a frozen score", isnan(roster_world_peer("#a", 2).gossip));
	roster_world_end();
}

static void report_to(const char *who, enum peer_action action, unsigned times, double at_s)
{
	struct peer_name name = roster_world_name(who);
	struct peer_report_result result;
	for (unsigned i = 0; i < times; i++)
		CHECK_EQ(who,
			roster_peer_report(roster(), &name, action, "", "", true, ROSTER_MS(at_s), &result),
			0);
}

static void test_gossip_bans(void)
{
	struct roster_peer_info info;
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "good", 0);
	gossip_one("good", 16000, false, 0);
	report_to("#good", PEER_ACTION_LOW, 5, 1);
	CHECK_EQ("LH-12: -50 and +19 is no ban", (int)roster_world_peer("#good", 1).combined_state,
		(int)SCORE_STATE_DISCONNECT);
	CHECK_FALSE("nor is there a record of one", roster_world_peer("#good", 1).governor.has_ban);
	gossip_one("good", 0, false, 1);
	info = roster_world_peer("#good", 1);
	CHECK_TRUE("LH-13: until gossip turns",
		info.governor.has_ban && info.governor.ban.tier == BAN_TIER_SCORE);
	CHECK_EQ("LH-16: then for 12 hours and a second", info.governor.ban.end_ms,
		(int64_t)ROSTER_MS(1) + 43200000 + 1000);
	roster_world_open("20.0.0.2", 9000, true, "bad", 3);
	report_to("#bad", PEER_ACTION_MID, 3, 3);
	roster_world_forget();
	gossip_one("bad", -16000, false, 3);
	CHECK_EQ("LH-25: closed with the code of scores",
		roster_world_events_with("peer.disconnect", "\"code\":250"), 1u);
	roster_world_end();
}

static void test_gossip_forgiven(void)
{
	unsigned removed;
	struct ban named = {.scope = BAN_SCOPE_PEER, .id = "a"};
	struct roster_tag tag = {.which = ROSTER_TAG_TRUSTED, .values.trusted = true};
	struct peer_name name;
	struct peer_tags tags;
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	gossip_one("a", -8000, false, 0);
	report_to("#a", PEER_ACTION_LOW, 5, 1);
	CHECK_EQ("an unban",
		governor_ban_remove(roster()->governor, &named, BAN_TIER_SCORE, ROSTER_MS(2), &removed), 0);
	CHECK_NEAR("5.5.5: it takes off what the application said, not gossip",
		roster_world_peer("#a", 2).combined, -9.5, 1e-9);
	roster_world_open("20.0.0.2", 9000, true, "b", 3);
	report_to("#b", PEER_ACTION_MID, 3, 3);
	name = roster_world_name("#b");
	CHECK_EQ("a tag", roster_peer_tag(roster(), &name, &tag, ROSTER_MS(3), &tags), 0);
	roster_world_forget();
	gossip_one("b", -16000, false, 3);
	CHECK_EQ("LH-19: gossip closes no trusted one", roster_world_events_with("peer.disconnect", ""), 0u);
	roster_world_end();
}

static void test_tags(void)
{
	struct peer_tags tags;
	struct peer_name name = roster_world_name("20.0.0.1");
	roster_world_begin("lighthouse");
	struct roster_tag tag = {.which = ROSTER_TAG_TRUSTED, .values.trusted = true};
	CHECK_EQ("an address may be tagged before anybody comes",
		roster_peer_tag(roster(), &name, &tag, ROSTER_MS(0), &tags), 0);
	roster_world_open("20.0.0.1", 9000, true, "a", 1);
	CHECK_TRUE("and means whoever connects from it", roster_world_peer("#a", 1).tags.trusted);
	roster_world_open("20.0.1.1", 9000, true, "b", 1);
	CHECK_FALSE("nobody else", roster_world_peer("#b", 1).tags.trusted);
	tag = (struct roster_tag){.which = ROSTER_TAG_PROTECTED, .values.is_protected = true};
	roster_world_tag("#b", &tag, 1);
	name = roster_world_name("#b");
	CHECK_TRUE("5.3 D: the governor knows whom it must not ban",
		roster_world_peer("#b", 1).governor.trusted);
	struct peer_report_result result;
	CHECK_EQ("a fatal report",
		roster_peer_report(roster(), &name, PEER_ACTION_FATAL, "", "", true, ROSTER_MS(2), &result),
		0);
	CHECK_FALSE("5.3 D: a protected one is never banned automatically", result.banned);
	CHECK_EQ("and stays", roster_world_peer("#b", 2).state.status, PEER_STATUS_CONNECTED);
	name = roster_world_name("#stranger");
	CHECK_EQ("an unknown id", roster_peer_tag(roster(), &name, &tag, ROSTER_MS(2), &tags), -ENOENT);
	name = roster_world_name("#b");
	tag = (struct roster_tag){.which = ROSTER_TAG_USEFUL, .useful = 1.5};
	CHECK_EQ("a use above one", roster_peer_tag(roster(), &name, &tag, ROSTER_MS(2), &tags), -EINVAL);
	tag = (struct roster_tag){.values = {.n_duties = 1, .duties = {{EVICTION_SUBNETS, ROSTER_MS(9)}}}};
	CHECK_EQ("a subnet that there is not", roster_peer_tag(roster(), &name, &tag, ROSTER_MS(2), &tags),
		-EDOM);
	roster_world_end();
}

static void test_duties(void)
{
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	struct roster_tag tag = {.values = {.n_duties = 1, .duties = {{5, ROSTER_MS(100)}}}};
	roster_world_tag("#a", &tag, 0);
	tag.values.duties[0].until_ms = ROSTER_MS(50);
	roster_world_tag("#a", &tag, 1);
	struct roster_peer_info info = roster_world_peer("#a", 1);
	CHECK_EQ("LH-24: never shortened", peer_tags_duty_ms(&info.tags, 5, ROSTER_MS(1)), ROSTER_MS(100));
	roster_world_subnets("#a", "1 2", 2);
	roster_world_subnets("#a", "3", 3);
	info = roster_world_peer("#a", 3);
	CHECK_TRUE("subnets replace those before",
		peer_tags_serves(&info.tags, 3) && !peer_tags_serves(&info.tags, 1));
	roster_world_close(1, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 4);
	info = roster_world_peer("#a", 4);
	CHECK_FALSE("LH-10: a peer that is gone serves nothing", peer_tags_serves(&info.tags, 3));
	roster_world_end();
}

static void test_requests(void)
{
	bool allow;
	int64_t wait_ms;
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	for (unsigned i = 0; i < 3; i++) {
		CHECK_EQ("asked",
			roster_peer_request(roster(), "a", "ping", 1, ROSTER_MS(1), &allow, &wait_ms), 0);
		CHECK_EQ("LH-27: two pings in 10 s", allow, i < 2);
	}
	CHECK_EQ("LH-27: until one is refilled", wait_ms, 5000);
	CHECK_EQ("another protocol",
		roster_peer_request(roster(), "a", "status", 1, ROSTER_MS(1), &allow, &wait_ms), 0);
	CHECK_TRUE("LH-27: has its own quota", allow);
	CHECK_EQ("one without",
		roster_peer_request(roster(), "a", "tea", 1000, ROSTER_MS(1), &allow, &wait_ms), 0);
	CHECK_TRUE("has none", allow);
	CHECK_EQ("a stranger", roster_peer_request(roster(), "b", "ping", 1, ROSTER_MS(1), &allow, &wait_ms),
		-ENOENT);
	roster_world_end();
}

struct listing {
	char ids[512];
	unsigned left;
	char last[GOVERNOR_ID_MAX];
};

static bool list_one(void *context, const struct roster_peer_info *info)
{
	struct listing *listing = context;
	if (listing->left-- == 0)
		return false;
	size_t n = strlen(listing->ids);
	snprintf(listing->ids + n, sizeof(listing->ids) - n, "%s%s", n == 0 ? "" : " ", info->cursor);
	memcpy(listing->last, info->cursor, sizeof(listing->last));
	return true;
}

static const char *list(const struct roster_filter *filter, const char *after, unsigned n)
{
	static struct listing listing;
	listing = (struct listing){.left = n};
	roster_peer_each(roster(), filter, after, ROSTER_MS(10), list_one, &listing);
	return listing.ids;
}

static void test_list(void)
{
	struct roster_filter connected = {PEER_STATUS_CONNECTED, -1, -1, -1}, banned = {-1, -1, -1, 1};
	struct roster_filter warm = {-1, TEMPERATURE_WARM, -1, -1},
			     ledger = {-1, -1, PEER_CATEGORY_LEDGER, -1};
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "m", 0);
	roster_world_open("20.0.1.1", 9000, true, "b", 0);
	roster_world_open("20.0.2.1", 9000, true, "z", 0);
	roster_world_open("20.0.3.1", 9000, true, "", 0);
	roster_world_close(3, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 1);
	struct roster_tag tag = {.which = ROSTER_TAG_CATEGORY, .values.category = PEER_CATEGORY_LEDGER};
	roster_world_tag("#b", &tag, 1);
	CHECK_EQ("in order of id, then by address", list(NULL, NULL, 9), "b m z 20.0.3.1");
	CHECK_EQ("a page", list(NULL, NULL, 2), "b m");
	CHECK_EQ("the next", list(NULL, "m", 2), "z 20.0.3.1");
	CHECK_EQ("after the last", list(NULL, "20.0.3.1", 2), "");
	CHECK_EQ("by status", list(&connected, NULL, 9), "b m 20.0.3.1");
	CHECK_EQ("by temperature", list(&warm, NULL, 9), "b m 20.0.3.1");
	CHECK_EQ("by category", list(&ledger, NULL, 9), "b");
	struct peer_name name = roster_world_name("#m");
	struct peer_report_result result;
	CHECK_EQ("a ban",
		roster_peer_report(roster(), &name, PEER_ACTION_FATAL, "", "", true, ROSTER_MS(2), &result),
		0);
	CHECK_EQ("by ban", list(&banned, NULL, 9), "m");
	roster_world_end();
}

static void test_long_list(void)
{
	enum { PEERS = 1000 };
	char after[GOVERNOR_ID_MAX] = "";
	unsigned seen = 0;
	struct roster_config config = roster_world_config("spacetime");
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < PEERS; i++) {
		char ip[32];
		unsigned at = i * 7 % PEERS;
		snprintf(ip, sizeof(ip), "21.%u.%u.1", at / 250, at % 250);
		roster_world_book(ip, 9000, PEER_SOURCE_DNS, 0);
	}
	CHECK_EQ("SP-12: a light peer for each", roster_light_peers(roster(), ROSTER_MS(1)), PEERS);
	for (;;) {
		struct listing listing = {.left = 7};
		roster_peer_each(roster(), NULL, after, ROSTER_MS(2), list_one, &listing);
		if (listing.ids[0] == '\0')
			break;
		seen += 7 - (listing.left == UINT32_MAX ? 0 : listing.left);
		CHECK_TRUE("pages go on", strcmp(listing.last, after) > 0);
		memcpy(after, listing.last, sizeof(after));
	}
	CHECK_EQ("pages show everybody once", seen, PEERS);
	roster_world_end();
}

static void test_light(void)
{
	roster_world_begin("spacetime");
	roster_world_book("20.0.0.1", 9000, PEER_SOURCE_DNS, 0);
	CHECK_FALSE("before", roster_world_peer("#peer_20.0.0.1_9000", 0).known);
	CHECK_EQ("SP-12: made", roster_light_peers(roster(), ROSTER_MS(1)), 1);
	struct roster_peer_info info = roster_world_peer("#peer_20.0.0.1_9000", 1);
	CHECK_TRUE("SP-12: known", info.known);
	CHECK_NEAR("SP-12: with the book's quality", info.quality, 0.5, 1e-9);
	roster_world_open("20.0.0.1", 9000, false, "real", 2);
	CHECK_TRUE("SP-12: until somebody is bound there", roster_world_peer("#real", 2).known);
	CHECK_FALSE("SP-12: then it is forgotten", roster_world_peer("#peer_20.0.0.1_9000", 2).known);
	roster_world_end();
	roster_world_begin("dugite");
	roster_world_book("20.0.0.1", 9000, PEER_SOURCE_DNS, 0);
	CHECK_EQ("other systems have none", roster_light_peers(roster(), ROSTER_MS(1)), 0);
	roster_world_end();
}

static unsigned shares(const char *ip, double at_s)
{
	struct address asker = roster_world_address(ip);
	return roster_share_allowed(roster(), &asker, ROSTER_MS(at_s));
}

static void test_shares(void)
{
	roster_world_begin("spacetime");
	CHECK_EQ("SP-13: a stranger asks", shares("20.0.0.1", 1), 1);
	CHECK_EQ("SP-13: not twice in 300 s", shares("20.0.0.1", 300), 0);
	CHECK_EQ("SP-13: somebody else may", shares("20.0.0.2", 300), 1);
	CHECK_EQ("SP-13: and he again after 300 s", shares("20.0.0.1", 301), 1);
	roster_world_end();
	roster_world_begin("dugite");
	CHECK_EQ("other systems do not count", shares("20.0.0.1", 1) + shares("20.0.0.1", 1), 2);
	roster_world_end();
}

static void check_best(const char *name, const char *exclude, const char *expected)
{
	const char *ids[8];
	char text[128] = "";
	size_t n = roster_peer_best(roster(), 8, &exclude, exclude != NULL, ROSTER_MS(10), ids);
	for (size_t i = 0; i < n; i++) {
		strcat(text, i == 0 ? "" : " ");
		strcat(text, ids[i]);
	}
	CHECK_EQ(name, (const char *)text, expected);
}

static void test_best(void)
{
	roster_world_begin("lorachain");
	for (unsigned i = 0; i < 3; i++) {
		char ip[32], id[4];
		struct roster_metrics metrics = roster_world_metrics();
		snprintf(ip, sizeof(ip), "20.0.%u.1", i);
		snprintf(id, sizeof(id), "p%u", i);
		roster_world_open(ip, 9000, true, id, 0);
		metrics.uptime = 0.5 + 0.1 * i;
		(void)tell(id, &metrics, 1);
	}
	check_best("LO-13: by score", NULL, "p2 p1 p0");
	check_best("LO-13: but for these", "p1", "p2 p0");
	roster_world_close(3, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 2);
	check_best("LO-13: online ones", NULL, "p1 p0");
	roster_world_end();

	roster_world_begin("spacetime");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	roster_world_open("20.0.1.1", 9000, true, "b", 0);
	roster_world_open("20.0.2.1", 9000, true, "c", 0);
	roster_world_open("20.0.3.1", 9000, true, "d", 0);
	record("b", true, 3, 1);
	record("c", false, 5, 1);
	roster_world_close(2, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 2);
	roster_world_close(1, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 3);
	check_best("SP-8: not connected, not blacklisted, by reputation", NULL, "b a");
	roster_world_end();
}

static void test_unproven(void)
{
	struct address address = roster_world_address("198.51.100.7");
	struct roster_attempts attempts;
	roster_world_begin("bootstrap");
	roster_connection_attempt(roster(), &address, 10000, false, ROSTER_MS(1), &attempts);
	struct roster_peer_info info = roster_world_peer("198.51.100.7", 1);
	CHECK_EQ("V39: they are seen", info.unproven, 10000);
	CHECK_FALSE("V39: and make nobody known", info.known);
	CHECK_EQ("V39: no failure", info.counters.fail, 0);
	CHECK_NEAR("V39: no score", info.combined, 0, 1e-9);
	CHECK_EQ("V39: no circuit", info.circuit, CIRCUIT_CLOSED);
	CHECK_FALSE("V39: no ban", info.governor.has_ban);
	roster_world_end();
}

static const struct check_test tests[] = {
	{"DU-3: averages", test_averages},
	{"DU-4: values of dugite", test_dugite},
	{"DU-6: the subnet's penalty", test_subnet_penalty},
	{"LO-6, LO-7: values of lorachain", test_lorachain},
	{"SP-8: reputation and blacklist", test_standing},
	{"SP-9: an outcome goes to both layers", test_both_layers},
	{"LH-12, LH-17: gossip", test_gossip},
	{"LH-12, LH-13, LH-16: gossip bans and holds off bans", test_gossip_bans},
	{"5.5.5: what an unban forgives", test_gossip_forgiven},
	{"LH-18: the best negative ones are forgiven", test_forgiven},
	{"LH-16: a frozen score", test_frozen},
	{"LH-19: tags", test_tags},
	{"LH-24: duties and subnets", test_duties},
	{"LH-27: quotas of requests", test_requests},
	{"peers in order", test_list},
	{"a long list in pages", test_long_list},
	{"SP-12: light peers", test_light},
	{"SP-13: how often a stranger asks", test_shares},
	{"LO-13, SP-8: the best", test_best},
	{"V39: unproven attempts", test_unproven},
};
CHECK_MAIN("roster_tell", tests)
