/* SPDX-License-Identifier: BSD-3-Clause
 * What the governor wants done: to the publisher, the store and the listener. And what the dataplane says: to
 * the governor. Called in the middle of governor functions, so nothing here calls back into it.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "control/control_private.h"
#include "control/log.h"
#include "control/moment.h"
#include "shm/segment.h"

static void effect_enforce(
	void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms)
{
	struct control *control = context;
	if (control->publisher != NULL)
		publisher_enforce(control->publisher, prefix, class, end_ms, &control->clock);
}

static void effect_cut(void *context, const struct address *address, uint16_t port)
{
	struct control *control = context;
	if (control->publisher != NULL)
		publisher_cut(control->publisher, address, port, &control->clock);
}

/* A full queue is not an error here: the store then asks for everything anew (store.h, resync). While the
 * store is being loaded there is none yet, or what comes is what it holds. */
static bool store_is_ready(const struct control *control)
{
	return control->store != NULL && control->started_ms != 0;
}

static void effect_store_ban(void *context, const struct ban *ban)
{
	struct control *control = context;
	if (store_is_ready(control))
		(void)store_put_ban(control->store, ban);
}

static void effect_store_ban_delete(void *context, const struct ban *ban)
{
	struct control *control = context;
	if (store_is_ready(control))
		(void)store_delete_ban(control->store, ban);
}

static void effect_store_strike(void *context, const struct prefix *prefix, unsigned strikes, int64_t last_ms)
{
	struct control *control = context;
	if (store_is_ready(control))
		(void)store_put_strike(control->store, prefix, strikes, last_ms);
}

static void effect_store_strike_id(void *context, const char *id, unsigned strikes, int64_t last_ms)
{
	struct control *control = context;
	if (store_is_ready(control))
		(void)store_put_strike_id(control->store, id, strikes, last_ms);
}

static void effect_store_list(
	void *context, const struct prefix *prefix, bool allow, bool present, const char *reason)
{
	struct control *control = context;
	if (store_is_ready(control))
		(void)store_put_list(control->store, prefix, allow, present, reason);
}

static void effect_book_changed(void *context, const struct book_record *record)
{
	struct control *control = context;
	if (store_is_ready(control))
		(void)store_put_book(control->store, record);
}

static void effect_book_removed(void *context, const struct book_record *record, const char *why)
{
	struct control *control = context;
	char address[PREFIX_TEXT_MAX], json[256];
	if (store_is_ready(control))
		(void)store_delete_book(control->store, &record->address, record->port);
	if (control->listener.event == NULL ||
		!control->listener.event_wanted(control->listener.context, "book.evicted"))
		return;
	snprintf(json, sizeof(json),
		"{\"t\":%.3f,\"event\":\"book.evicted\",\"ip\":\"%s\",\"port\":%u,\"reason\":\"%s\"}",
		(double)moment_tell(control->clock.wall_ms) / 1000.0, address_format(&record->address, address),
		record->port, why);
	control->listener.event(control->listener.context, "book.evicted", json);
}

static void effect_book_cleared(void *context)
{
	struct control *control = context;
	if (store_is_ready(control))
		(void)store_clear_book(control->store);
}

static void effect_event(void *context, const char *name, const char *json)
{
	struct control *control = context;
	if (control->listener.event != NULL)
		control->listener.event(control->listener.context, name, json);
}

static bool effect_event_wanted(void *context, const char *name)
{
	struct control *control = context;
	return control->listener.event_wanted != NULL &&
	       control->listener.event_wanted(control->listener.context, name);
}

void control_roster_config(
	const struct control *control, const struct config *config, struct roster_config *ret_config)
{
	config_to_roster(config, ret_config);
	ret_config->seed = control->seed;
	ret_config->governor.seed = control->seed;
}

int control_governor_create(struct control *control, char *error_text, size_t error_bytes)
{
	struct roster_config config;
	struct roster_effects effects = {
		.governor =
			{
				.context = control,
				.enforce = effect_enforce,
				.cut = effect_cut,
				.store_ban = effect_store_ban,
				.store_ban_delete = effect_store_ban_delete,
				.store_strike = effect_store_strike,
				.store_list = effect_store_list,
				.event = effect_event,
				.store_strike_id = effect_store_strike_id,
				.event_wanted = effect_event_wanted,
			},
		.book =
			{
				.context = control,
				.changed = effect_book_changed,
				.removed = effect_book_removed,
				.cleared = effect_book_cleared,
			},
	};
	control_roster_config(control, &control->config, &config);
	int error = roster_create(&config, &effects, control->clock.wall_ms, &control->roster);
	if (error != 0)
		snprintf(error_text, error_bytes, "the governor cannot start: %s", strerror(-error));
	else
		control->governor = roster_governor(control->roster);
	return error;
}

static void link_event(void *context, const struct event_record *event)
{
	struct control *control = context;
	roster_dataplane_event(control->roster, event, control->clock.wall_ms);
}

static void link_probe_answered(void *context, const struct link_probe_answer *answer)
{
	struct control *control = context;
	if (control->listener.probe_answer != NULL)
		control->listener.probe_answer(control->listener.context, answer);
}

static void link_flow(void *context, const struct link_flow *flow)
{
	struct control *control = context;
	static const char done[] = "flow dump taken";
	if (flow == NULL) {
		log_debug("%s: %llu flows, %llu proven", done, (unsigned long long)control->flows_dumped,
			(unsigned long long)control->flows_proven_dumped);
		control->flows_dumped = 0;
		control->flows_proven_dumped = 0;
		roster_flows_end(control->roster, control->clock.wall_ms);
		return;
	}
	control->flows_dumped++;
	if ((flow->flags & EVENT_FLAG_PROVEN) == 0)
		return;
	control->flows_proven_dumped++;
	/* as the events: of UDP there is no end to hear of */
	if (flow->protocol != IPPROTO_TCP)
		return;
	struct roster_flow seen = {.client_port = flow->client_port,
		.service = flow->service,
		.outbound = (flow->flags & EVENT_FLAG_OUTBOUND) != 0,
		.born_ms = flow->born_ms,
		.rtt_us = flow->rtt_us};
	memcpy(seen.client.bytes, flow->client, sizeof(seen.client.bytes));
	roster_flow_seen(control->roster, &seen, control->clock.wall_ms);
}

static void link_flows_asked(void *context, uint64_t mono_ns)
{
	struct control *control = context;
	control->flows_dumped = 0;
	control->flows_proven_dumped = 0;
	roster_flows_begin(control->roster, mono_ns, control->clock.wall_ms);
}

static void link_watch(void *context, int fd)
{
	struct control *control = context;
	if (control->watch != NULL)
		control->watch(control->watch_context, fd);
}

static void link_note(void *context, bool good, const char *text)
{
	(void)context;
	log_write(good ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "%s", text);
}

void control_link_callbacks(struct control *control, struct dataplane_link_callbacks *ret_callbacks)
{
	*ret_callbacks = (struct dataplane_link_callbacks){
		.context = control,
		.event = link_event,
		.probe_answer = link_probe_answered,
		.flow = link_flow,
		.watch = link_watch,
		.note = link_note,
		.flows_asked = link_flows_asked,
	};
}
