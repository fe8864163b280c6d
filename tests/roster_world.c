/* SPDX-License-Identifier: BSD-3-Clause
 * The roster's tests' world (roster_world.h): events are recorded, the clock is an argument. One thread. Must
 * not read a clock or keep anything from one world to the next.
 */
#include "tests/roster_world.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"

struct roster_world roster_world;

/* Budget of one call of roster_advance; the world calls until nothing is due. */
enum { ADVANCE_BUDGET = 1000 };

static void on_event(void *context, const char *name, const char *json)
{
	struct roster_world *world = context;
	size_t n = strlen(json);
	(void)name;
	if (world->bytes + n + 2 > world->size) {
		size_t size = (world->bytes + n + 2) * 2;
		char *text = realloc(world->text, size);
		if (text == NULL)
			abort();
		world->text = text;
		world->size = size;
	}
	memcpy(world->text + world->bytes, json, n);
	world->bytes += n;
	world->text[world->bytes++] = '\n';
	world->text[world->bytes] = '\0';
}

static void on_cut(void *context, const struct address *address, uint16_t port)
{
	struct roster_world *world = context;
	(void)address, (void)port;
	world->cuts++;
}

struct roster_config roster_world_config(const char *profile)
{
	struct roster_config config;
	CHECK_EQ("the profile exists", roster_config_from_profile(profile, &config), 0);
	config.profile.book.allow_doc = config.profile.book.allow_private = true;
	config.seed = 1;
	return config;
}

void roster_world_begin_with(const struct roster_config *config)
{
	roster_world = (struct roster_world){.config = *config};
	struct roster_effects effects = {
		.governor = {.context = &roster_world, .event = on_event, .cut = on_cut}};
	CHECK_EQ("the roster begins",
		roster_create(config, &effects, ROSTER_WORLD_START_MS, &roster_world.roster), 0);
}

void roster_world_begin(const char *profile)
{
	struct roster_config config = roster_world_config(profile);
	roster_world_begin_with(&config);
}

void roster_world_end(void)
{
	roster_destroy(roster_world.roster);
	free(roster_world.text);
	roster_world = (struct roster_world){0};
}

void roster_world_run(double at_s)
{
	while (roster_advance(roster_world.roster, ROSTER_MS(at_s), ADVANCE_BUDGET, /* ticks= */ true))
		;
}

void roster_world_wait(double at_s)
{
	while (roster_advance(roster_world.roster, ROSTER_MS(at_s), ADVANCE_BUDGET, /* ticks= */ false))
		;
}

void roster_world_tick(double at_s)
{
	roster_world_wait(at_s);
	roster_world_forget();
	roster_tick(roster_world.roster, ROSTER_MS(at_s));
}

void roster_world_forget(void)
{
	roster_world.bytes = 0;
	if (roster_world.text != NULL)
		roster_world.text[0] = '\0';
}

static bool line_is(const char *line, size_t n, const char *name)
{
	char wanted[64];
	snprintf(wanted, sizeof(wanted), "\"event\":\"%s\"", name);
	return memmem(line, n, wanted, strlen(wanted)) != NULL;
}

/** The nth line of this name with this part; its length goes to *ret_bytes. NULL: there is none. */
static const char *line_find(const char *name, const char *part, unsigned nth, size_t *ret_bytes)
{
	const char *at = roster_world.text != NULL ? roster_world.text : "";
	while (*at != '\0') {
		size_t n = strcspn(at, "\n");
		if (line_is(at, n, name) && memmem(at, n, part, strlen(part)) != NULL && nth-- == 0) {
			*ret_bytes = n;
			return at;
		}
		at += n + 1;
	}
	return NULL;
}

unsigned roster_world_events_with(const char *name, const char *part)
{
	unsigned n = 0;
	size_t bytes;
	while (line_find(name, part, n, &bytes) != NULL)
		n++;
	return n;
}

unsigned roster_world_events(const char *name)
{
	return roster_world_events_with(name, "");
}

const char *roster_world_event(const char *name, unsigned nth)
{
	static char text[4096];
	size_t n;
	const char *line = line_find(name, "", nth, &n);
	snprintf(text, sizeof(text), "%.*s", line == NULL ? 0 : (int)n, line == NULL ? "" : line);
	return text;
}

const char *roster_world_names(void)
{
	static char names[8192];
	size_t n = 0;
	const char *at = roster_world.text != NULL ? roster_world.text : "";
	names[0] = '\0';
	while ((at = strstr(at, "\"event\":\"")) != NULL) {
		at += strlen("\"event\":\"");
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%.*s", n == 0 ? "" : " ",
			(int)strcspn(at, "\""), at);
		if (n >= sizeof(names) - 1)
			break;
	}
	return names;
}

struct address roster_world_address(const char *ip)
{
	struct address address = {0};
	CHECK_EQ(ip, address_parse(ip, &address), 0);
	return address;
}

struct peer_name roster_world_name(const char *who)
{
	struct peer_name name = {0};
	if (who[0] == '#')
		snprintf(name.id, sizeof(name.id), "%s", who + 1);
	else
		name.address = roster_world_address(who);
	return name;
}

uint64_t roster_world_open(const char *ip, uint16_t port, bool inbound, const char *id, double at_s)
{
	struct roster_open open = {.address = roster_world_address(ip),
		.port = port,
		.inbound = inbound,
		.proven = true,
		.rtt_ms = -1};
	struct roster_opened opened = {0};
	roster_world_wait(at_s);
	CHECK_EQ(ip, roster_connection_open(roster_world.roster, &open, ROSTER_MS(at_s), &opened), 0);
	if (opened.connection == 0)
		CHECK_FAIL(ip, "refused: %s", opened.reason);
	if (id[0] == '\0' || opened.connection == 0)
		return opened.connection;
	struct roster_bind bind = {.id = id,
		.connection = opened.connection,
		.agent = "",
		.version = "",
		.enr = "",
		.metadata = ""};
	struct roster_bound bound = {0};
	CHECK_EQ(id, roster_peer_bind(roster_world.roster, &bind, ROSTER_MS(at_s), &bound), 0);
	CHECK_TRUE(id, bound.accepted);
	return opened.connection;
}

void roster_world_close(uint64_t connection, enum closed_by by, enum closed_how how, double at_s)
{
	struct roster_close close = {.connection = connection, .by = by, .how = how, .reason = ""};
	enum outcome outcome;
	const char *why;
	roster_world_wait(at_s);
	CHECK_EQ("it is open",
		roster_connection_close(roster_world.roster, &close, ROSTER_MS(at_s), &outcome, &why), 0);
}

struct roster_peer_info roster_world_peer(const char *who, double at_s)
{
	struct roster_peer_info info;
	struct peer_name name = roster_world_name(who);
	roster_world_wait(at_s);
	roster_peer_get(roster_world.roster, &name, ROSTER_MS(at_s), &info);
	return info;
}

void roster_world_tag(const char *who, const struct roster_tag *tag, double at_s)
{
	struct peer_name name = roster_world_name(who);
	struct peer_tags tags;
	roster_world_wait(at_s);
	CHECK_EQ(who, roster_peer_tag(roster_world.roster, &name, tag, ROSTER_MS(at_s), &tags), 0);
}

void roster_world_subnets(const char *who, const char *subnets, double at_s)
{
	struct roster_tag tag = {.which = ROSTER_TAG_SUBNETS};
	char *end;
	for (const char *at = subnets; *at != '\0'; at = end) {
		unsigned long subnet = strtoul(at, &end, 10);
		if (end == at)
			break;
		CHECK_EQ(subnets, peer_tags_subnet_set(&tag.values, (uint32_t)subnet, true), 0);
	}
	roster_world_tag(who, &tag, at_s);
}

void roster_world_temperature(const char *id, enum temperature to, double at_s)
{
	enum temperature from, now;
	roster_world_wait(at_s);
	CHECK_EQ(id, roster_peer_temperature(roster_world.roster, id, to, ROSTER_MS(at_s), &from, &now), 0);
	CHECK_EQ(id, now, to);
}

void roster_world_book(const char *ip, uint16_t port, enum peer_source source, double at_s)
{
	struct book_entry entry = {
		.address = roster_world_address(ip), .port = port, .source = source, .verified = true};
	CHECK_EQ(ip, roster_book_add(roster_world.roster, &entry, ROSTER_MS(at_s)), BOOK_ADDED);
}

struct roster_status roster_world_status(void)
{
	struct roster_status status;
	roster_status(roster_world.roster, &status);
	return status;
}

struct roster_metrics roster_world_metrics(void)
{
	return (struct roster_metrics){.rtt_ms = NAN,
		.fetch_ms = NAN,
		.uptime = NAN,
		.conn_success = NAN,
		.delivery = NAN,
		.throughput = NAN,
		.signal_dbm = NAN,
		.compliance = NAN};
}

/** What a peer's record says of its connections, and what is said of its host. */
static void check_peer(const char *name, const struct roster *roster, uint32_t index)
{
	const struct roster_peer *peer = roster_peer_at(roster, index);
	uint32_t in = 0, out = 0, behind = 0;
	for (uint32_t i = 0; i < roster->connections.high_water; i++) {
		const struct roster_connection *connection = roster_connection_at(roster, i);
		if (connection->number == 0)
			continue;
		bool counted = connection->peer == index && !connection->courtesy && !connection->dialing;
		in += counted && connection->inbound;
		out += counted && !connection->inbound;
		behind += connection->behind && peer->id == RECORD_NONE &&
			  roster_peer_find_host(roster, &connection->address) == index;
	}
	CHECK_EQ(name, peer->state.n_in, in);
	CHECK_EQ(name, peer->state.n_out, out);
	CHECK_EQ(name, peer->behind, behind);
	if (peer->state.status == PEER_STATUS_CONNECTED)
		CHECK_TRUE(name, in + out != 0);
	CHECK_EQ(name, peer->list == ROSTER_LIST_CONNECTED, peer->state.status == PEER_STATUS_CONNECTED);
}

/** The lists are whole, and the numbers that they and the records add up to. */
static void check_peers(const char *name, const struct roster *roster)
{
	uint32_t outbound_only = 0, facts = 0, connected = 0, prefixes = 0, hot = 0, warm = 0;
	for (unsigned kind = 0; kind < ROSTER_LIST_COUNT; kind++) {
		uint32_t n = 0;
		for (uint32_t at = roster->lists[kind].oldest; at != RECORD_NONE; n++)
			at = roster_peer_at(roster, at)->newer;
		CHECK_EQ(name, roster->lists[kind].n, n);
	}
	for (uint32_t i = 0; i < roster->peers.high_water; i++) {
		const struct roster_peer *peer = roster_peer_at(roster, i);
		if (peer->list == ROSTER_LIST_GIVEN)
			continue;
		check_peer(name, roster, i);
		outbound_only += peer_state_is_outbound_only(&peer->state);
		connected += peer->state.status == PEER_STATUS_CONNECTED;
		facts += peer->facts != NULL;
		hot += peer->facts != NULL && peer->facts->temperature.temperature == TEMPERATURE_HOT;
		warm += peer->facts != NULL && peer->facts->temperature.temperature == TEMPERATURE_WARM;
	}
	for (uint32_t i = 0; i < roster->prefixes.high_water; i++) {
		const struct roster_prefix *prefix = record_pool_at(&roster->prefixes, i);
		prefixes += roster_prefix_connected(roster, &prefix->address) != 0 ? prefix->n : 0;
	}
	CHECK_EQ(name, roster->lists[ROSTER_LIST_CONNECTED].n, connected);
	CHECK_EQ(name, roster->n_outbound_only, outbound_only);
	CHECK_EQ(name, roster->n_facts, facts);
	CHECK_EQ(name, roster->n_hot, hot);
	CHECK_EQ(name, roster->n_warm, warm);
	CHECK_EQ(name, prefixes, connected);
}

void roster_world_check_counts(const char *name)
{
	const struct roster *roster = roster_world.roster;
	uint32_t in = 0, out = 0, pending_in = 0, pending_out = 0, closing = 0, courtesy = 0, dialing = 0,
		 n = 0;
	for (uint32_t i = 0; i < roster->connections.high_water; i++) {
		const struct roster_connection *connection = roster_connection_at(roster, i);
		if (connection->number == 0)
			continue;
		n++;
		dialing += connection->dialing;
		if (connection->courtesy)
			courtesy++;
		else if (connection->closing)
			closing++;
		else if (connection->dialing || connection->pending)
			(*(connection->inbound ? &pending_in : &pending_out))++;
		else
			(*(connection->inbound ? &in : &out))++;
	}
	CHECK_EQ(name, roster->counts.in, in);
	CHECK_EQ(name, roster->counts.out, out);
	CHECK_EQ(name, roster->counts.pending_in, pending_in);
	CHECK_EQ(name, roster->counts.pending_out, pending_out);
	CHECK_EQ(name, roster->n_closing, closing);
	CHECK_EQ(name, roster->n_courtesy, courtesy);
	CHECK_EQ(name, roster->connections.n_used, n);
	CHECK_EQ(name, roster->connection_index.n_items, n);
	CHECK_EQ(name, roster->number_index.n_items, n);
	CHECK_EQ(name, roster->n_dialing, dialing);
	check_peers(name, roster);
}
