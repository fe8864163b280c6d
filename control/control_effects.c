/* SPDX-License-Identifier: BSD-3-Clause
 * What the governor wants done: to the publisher, the store and the listener. And what the dataplane says: to
 * the governor. Called in the middle of governor functions, so nothing here calls back into it.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "control/control_private.h"
#include "control/log.h"
#include "shm/segment.h"

static void effect_enforce(
	void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms)
{
	struct control *control = context;
	publisher_enforce(control->publisher, prefix, class, end_ms, &control->clock);
}

static void effect_cut(void *context, const struct address *address, uint16_t port)
{
	struct control *control = context;
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

void control_governor_config(const struct config *config, struct governor_config *ret_config)
{
	*ret_config = (struct governor_config){
		.penalty_half_life_s = config->score_half_life_s,
		.ban_freeze_s = config->score_freeze_s,
		.threshold_disconnect = config->score_disconnect,
		.threshold_ban = config->score_ban,
		.auto_bans = config->ban_auto != 0,
		.throttle_ms = (int64_t)config->throttle_ms,
		.temporary_ban_ms = (int64_t)config->ban_temporary_ms,
		.temporary_bans_max = (unsigned)config->ban_temporary_max,
		.strike_life_ms = (int64_t)config->ban_strike_life_ms,
		.peers_max = (unsigned)config->peers_max,
		.bans_max = (unsigned)config->bans_max,
		.seed = random_u64(),
		.auth_timeout_ms = (int64_t)config->auth_ms,
	};
}

int control_governor_create(struct control *control, char *error_text, size_t error_bytes)
{
	struct governor_config config;
	struct governor_effects effects = {
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
	};
	control_governor_config(&control->config, &config);
	int error = governor_create(&config, &effects, control->clock.wall_ms, &control->governor);
	if (error != 0)
		snprintf(error_text, error_bytes, "the governor cannot start: %s", strerror(-error));
	return error;
}

static void link_event(void *context, const struct event_record *event)
{
	struct control *control = context;
	governor_dataplane_event(control->governor, event, control->clock.wall_ms);
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
	struct address client;
	if (flow == NULL) {
		log_debug("%s: %llu flows, %llu proven", done, (unsigned long long)control->flows_dumped,
			(unsigned long long)control->flows_proven_dumped);
		control->flows_dumped = 0;
		control->flows_proven_dumped = 0;
		governor_flows_end(control->governor, control->clock.wall_ms);
		return;
	}
	control->flows_dumped++;
	if ((flow->flags & EVENT_FLAG_PROVEN) == 0)
		return;
	control->flows_proven_dumped++;
	/* as the events: of UDP and of what the node opened there is no end to hear of */
	if ((flow->flags & EVENT_FLAG_OUTBOUND) || flow->protocol != IPPROTO_TCP)
		return;
	memcpy(client.bytes, flow->client, sizeof(client.bytes));
	governor_flow_seen(control->governor, &client, flow->born_ms, flow->rtt_us, control->clock.wall_ms);
}

static void link_flows_asked(void *context, uint64_t mono_ns)
{
	struct control *control = context;
	control->flows_dumped = 0;
	control->flows_proven_dumped = 0;
	governor_flows_begin(control->governor, mono_ns, control->clock.wall_ms);
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
