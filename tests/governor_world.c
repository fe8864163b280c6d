/* SPDX-License-Identifier: BSD-3-Clause
 * The governor's tests' world (governor_world.h): effects are recorded, the clock is an argument. One thread.
 * Must not read a clock or keep anything from one world to the next.
 */
#include "tests/governor_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"

struct governor_world governor_world;

/* Budget of one call of governor_advance; world_class calls until nothing is due. */
enum { ADVANCE_BUDGET = 1000 };

static void record(const struct effect *effect)
{
	if (governor_world.n_effects < WORLD_EFFECTS_MAX)
		governor_world.effects[governor_world.n_effects] = *effect;
	governor_world.n_effects++;
	governor_world.n[effect->kind]++;
}

static void on_enforce(void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms)
{
	(void)context;
	record(&(struct effect){.kind = EFFECT_ENFORCE, .prefix = *prefix, .class = class, .end_ms = end_ms});
}

static void on_cut(void *context, const struct address *address, uint16_t port)
{
	(void)context, (void)port;
	record(&(struct effect){.kind = EFFECT_CUT, .prefix = prefix_of(address, PREFIX_HOST_LENGTH)});
}

static void on_store_ban(void *context, const struct ban *ban)
{
	(void)context;
	record(&(struct effect){
		.kind = EFFECT_STORE_BAN, .prefix = ban->prefix, .tier = ban->tier, .end_ms = ban->end_ms});
}

static void on_delete_ban(void *context, const struct ban *ban)
{
	(void)context;
	record(&(struct effect){
		.kind = EFFECT_DELETE_BAN, .prefix = ban->prefix, .tier = ban->tier, .end_ms = ban->end_ms});
}

static void on_strike(void *context, const struct prefix *prefix, unsigned strikes, int64_t last_ms)
{
	(void)context;
	record(&(struct effect){
		.kind = EFFECT_STORE_STRIKE, .prefix = *prefix, .strikes = strikes, .end_ms = last_ms});
}

static void on_list(void *context, const struct prefix *prefix, bool allow, bool present, const char *reason)
{
	(void)context, (void)allow, (void)present, (void)reason;
	record(&(struct effect){.kind = EFFECT_STORE_LIST, .prefix = *prefix});
}

static void on_event(void *context, const char *name, const char *json)
{
	struct effect effect = {.kind = EFFECT_EVENT};

	(void)context, (void)json;
	snprintf(effect.name, sizeof(effect.name), "%s", name);
	record(&effect);
}

struct governor_config world_config(double freeze_s)
{
	return (struct governor_config){.penalty_half_life_s = 600,
		.ban_freeze_s = freeze_s,
		.threshold_disconnect = -20,
		.threshold_ban = -50,
		.auto_bans = true,
		.throttle_ms = 60000,
		.temporary_ban_ms = 3600000,
		.temporary_bans_max = 3,
		.strike_life_ms = INT64_C(30) * 86400000,
		.peers_max = 100000,
		.bans_max = 100000,
		.seed = 7};
}

void world_begin_with(const struct governor_config *config)
{
	static const struct governor_effects effects = {.enforce = on_enforce,
		.cut = on_cut,
		.store_ban = on_store_ban,
		.store_ban_delete = on_delete_ban,
		.store_strike = on_strike,
		.store_list = on_list,
		.event = on_event};

	memset(&governor_world, 0, sizeof(governor_world));
	governor_world.config = *config;
	if (governor_create(config, &effects, 0, &governor_world.governor) < 0)
		abort();
}

void world_begin(double freeze_s)
{
	struct governor_config config = world_config(freeze_s);

	world_begin_with(&config);
}

void world_end(void)
{
	governor_destroy(governor_world.governor);
	governor_world.governor = NULL;
}

void world_reconfigure(double at_s)
{
	governor_reconfigure(governor_world.governor, &governor_world.config, WORLD_MS(at_s));
}

void world_forget(void)
{
	governor_world.n_effects = 0;
	memset(governor_world.n, 0, sizeof(governor_world.n));
}

unsigned world_effects(void)
{
	return governor_world.n_effects;
}

struct effect world_effect(enum effect_kind kind, unsigned nth)
{
	for (unsigned i = 0; i < governor_world.n_effects && i < WORLD_EFFECTS_MAX; i++) {
		if (governor_world.effects[i].kind == kind && nth-- == 0)
			return governor_world.effects[i];
	}
	return (struct effect){.kind = EFFECT_KIND_COUNT};
}

struct peer_name world_name(const char *who)
{
	struct peer_name name = {.port = 0};

	if (who[0] == '#')
		snprintf(name.id, sizeof(name.id), "%s", who + 1);
	else
		CHECK_EQ(who, address_parse(who, &name.address), 0);
	return name;
}

struct peer_report_result world_report(const char *who, enum peer_action action, unsigned times, double at_s)
{
	struct peer_name name = world_name(who);
	struct peer_report_result result = {.score = 0.0};

	for (unsigned i = 0; i < times; i++)
		CHECK_EQ(who,
			governor_report(governor_world.governor, &name, action, "reported", "",
				/* proven= */ true, WORLD_MS(at_s), &result),
			0);
	return result;
}

struct peer_info world_peer(const char *who, double at_s)
{
	struct peer_name name = world_name(who);
	struct peer_info info;

	governor_peer_get(governor_world.governor, &name, WORLD_MS(at_s), &info);
	return info;
}

struct governor_why world_why(const char *address, double at_s)
{
	struct peer_name name = world_name(address);
	struct governor_why why;

	while (governor_advance(governor_world.governor, WORLD_MS(at_s), ADVANCE_BUDGET)) {
	}
	governor_why(governor_world.governor, &name.address, WORLD_MS(at_s), &why);
	return why;
}

enum source_class world_class(const char *address, double at_s)
{
	return world_why(address, at_s).class;
}

struct ban world_ban(const char *who, unsigned tier, double until_s)
{
	struct ban ban = {.tier = (enum ban_tier)tier,
		.end_ms = until_s < 0 ? GOVERNOR_NEVER_MS : WORLD_MS(until_s),
		.reason = "test",
		.source = "operator"};

	if (who[0] == '#') {
		ban.scope = BAN_SCOPE_PEER;
		snprintf(ban.id, sizeof(ban.id), "%s", who + 1);
	} else {
		CHECK_EQ(who, prefix_parse(who, &ban.prefix), 0);
	}
	return ban;
}

int world_ban_add(const char *who, unsigned tier, double until_s, bool force, double at_s)
{
	struct ban ban = world_ban(who, tier, until_s);

	return governor_ban_add(governor_world.governor, &ban, force, WORLD_MS(at_s), NULL);
}

int world_ban_remove(const char *who, unsigned tier, double at_s)
{
	struct ban key = world_ban(who, BAN_TIER_MANUAL, -1);
	unsigned removed = 0;
	int r = governor_ban_remove(governor_world.governor, &key, tier, WORLD_MS(at_s), &removed);

	return r < 0 ? r : (int)removed;
}

int world_list(enum governor_list list, const char *prefix, double at_s)
{
	struct prefix entry;

	if (!CHECK_EQ(prefix, prefix_parse(prefix, &entry), 0))
		return -1;
	return governor_list_add(governor_world.governor, list, GOVERNOR_LIST_FROM_OPERATOR, &entry, "test",
		WORLD_MS(at_s), NULL);
}

struct event_record world_event(const char *address, enum event_kind kind)
{
	struct event_record event = {
		.kind = (uint8_t)kind, .flags = EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE, .protocol = 6};
	struct peer_name name = world_name(address);

	memcpy(event.client, name.address.bytes, sizeof(event.client));
	return event;
}

void world_tell(const struct event_record *event, unsigned times, double at_s)
{
	for (unsigned i = 0; i < times; i++)
		governor_dataplane_event(governor_world.governor, event, WORLD_MS(at_s));
}

void world_bind(const char *id, const char *address, uint16_t port, double at_s)
{
	struct peer_name name = world_name(address);

	CHECK_EQ(id, governor_bind(governor_world.governor, id, &name.address, port, "agent", WORLD_MS(at_s)),
		0);
}

struct governor_stats world_stats(void)
{
	struct governor_stats stats;

	governor_stats(governor_world.governor, &stats);
	return stats;
}
