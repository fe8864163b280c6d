/* SPDX-License-Identifier: BSD-3-Clause
 * status, governor.status, snapshot.make, config.reload, config.show, sync.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/rpc_private.h"

enum {
	DURABLE_TIMEOUT_MS = 10000, /* ten times what a commit may take; then the disk does not answer */
	IMAGE_TIMEOUT_MS = 60000,   /* an image of 20 M bans takes some 10 s */
};

static json_t *json_u64(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static void put_u64(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_u64(value));
}

static json_t *bans_json(struct control *control)
{
	struct governor_stats stats;
	json_t *bans = json_object();
	governor_stats(control->governor, &stats);
	put_u64(bans, "all", stats.bans[0]);
	put_u64(bans, "t1", stats.bans[1]);
	put_u64(bans, "t2", stats.bans[2]);
	put_u64(bans, "t3", stats.bans[3]);
	put_u64(bans, "t4", stats.bans[4]);
	put_u64(bans, "t5", stats.bans[5]);
	return bans;
}

static uint64_t counter_of(const struct dataplane_status *status, enum counter counter)
{
	return atomic_load_explicit(&status->total.values[counter], memory_order_relaxed);
}

/* How often and how long: of lcores in flood mode and of services under pressure, summed over lcores. Times
 * are the running dataplane's, counts are those that this control was told. */
static json_t *flood_json(const struct dataplane_status *dataplane, const struct governor_stats *stats)
{
	json_t *flood = json_object();
	put_u64(flood, "lcores", counter_of(dataplane, COUNTER_FLOOD_MODE));
	put_u64(flood, "floods", stats->floods);
	json_object_set_new(
		flood, "flood_s", json_real((double)counter_of(dataplane, COUNTER_FLOOD_MODE_MS) / 1000.0));
	put_u64(flood, "services", counter_of(dataplane, COUNTER_UNDER_PRESSURE));
	put_u64(flood, "pressures", stats->pressures);
	json_object_set_new(
		flood, "pressure_s", json_real((double)counter_of(dataplane, COUNTER_PRESSURE_MS) / 1000.0));
	return flood;
}

/* The connections that the dataplane holds now are its own gauges; the rest is what the roster knows. */
void rpc_governor_status(struct rpc_request *request)
{
	static const char *const syncs[] = {"caught_up", "syncing", "pre_syncing"};
	static const char *const phases[] = {"whole", "active", "established", "known"};
	struct control *control = request->control;
	struct dataplane_status dataplane = {0};
	struct governor_stats stats;
	struct roster_status roster;
	if (control->link != NULL)
		dataplane_link_status(control->link, control->clock.mono_ns, &dataplane);
	governor_stats(control->governor, &stats);
	roster_status(control->roster, &roster);
	json_t *result = json_object();
	json_object_set_new(result, "profile",
		json_string(config_profile_name((enum config_profile)control->config.profile)));
	json_object_set_new(result, "mode",
		json_string(control->config.mode == IMAGE_MODE_MONITOR ? "monitor" : "enforce"));
	json_object_set_new(result, "sync_state", json_string(syncs[roster.sync]));
	put_u64(result, "connected",
		control->link != NULL ? counter_of(&dataplane, COUNTER_FLOWS_PROVEN) : roster.connected);
	put_u64(result, "in", roster.in);
	put_u64(result, "out", roster.out);
	put_u64(result, "pending",
		control->link != NULL ? counter_of(&dataplane, COUNTER_FLOWS_HALF_OPEN) : roster.pending);
	put_u64(result, "hot", roster.hot);
	put_u64(result, "warm", roster.warm);
	put_u64(result, "cold", roster.cold);
	put_u64(result, "known", roster.known);
	put_u64(result, "sources", stats.peers);
	json_object_set_new(result, "bans", bans_json(control));
	json_object_set_new(result, "churn",
		json_pack("{s:s, s:o}", "phase", phases[roster.churn_phase], "next",
			roster.churn_next_ms == INT64_MAX ? json_null() : rpc_time(roster.churn_next_ms)));
	json_object_set_new(result, "short",
		json_pack("{s:I, s:I, s:I, s:I}", "prune", (json_int_t)roster.prune_short, "refused",
			(json_int_t)roster.refused, "evicted", (json_int_t)roster.evicted, "peers",
			(json_int_t)roster.peers_evicted));
	json_object_set_new(result, "flood", flood_json(&dataplane, &stats));
	request->result = result;
}

static json_t *control_json(struct rpc_request *request)
{
	struct control *control = request->control;
	struct governor_stats stats;
	json_t *object = json_object();
	governor_stats(control->governor, &stats);
	json_object_set_new(object, "instance", json_string(control->config.instance));
	json_object_set_new(object, "config", rpc_string(control->config.file));
	json_object_set_new(object, "profile",
		json_string(config_profile_name((enum config_profile)control->config.profile)));
	json_object_set_new(object, "mode",
		json_string(control->config.mode == IMAGE_MODE_MONITOR ? "monitor" : "enforce"));
	put_u64(object, "pid", (uint64_t)getpid());
	json_object_set_new(object, "started", rpc_time(control->started_ms));
	json_object_set_new(object, "uptime_s",
		json_real((double)(control->clock.wall_ms - control->started_ms) / 1000.0));
	put_u64(object, "peers", stats.peers);
	put_u64(object, "ids", stats.ids);
	put_u64(object, "strikes", stats.strikes);
	put_u64(object, "allow", stats.allow);
	put_u64(object, "deny", stats.deny);
	put_u64(object, "evicted", stats.evicted);
	put_u64(object, "unproven_refused", stats.unproven_refused);
	put_u64(object, "requests_waiting", rpc_pending(request->rpc));
	return object;
}

static const char *state_name(uint64_t state)
{
	static const char *const names[] = {"starting", "waiting", "governing", "open", "closed", "stopped"};
	return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static json_t *dataplane_json(const struct dataplane_status *status)
{
	const struct dataplane_payload *payload = &status->payload;
	json_t *object = json_object();
	const char *state = !status->attached    ? "absent"
			    : !status->connected ? "gone"
			    : status->hung       ? "hung"
						 : state_name(payload->state);
	json_object_set_new(object, "state", json_string(state));
	json_object_set_new(object, "connected", json_boolean(status->connected));
	put_u64(object, "deaths", status->deaths);
	put_u64(object, "flow_dumps", status->flow_dumps);
	json_object_set_new(object, "text", rpc_string(status->text));
	if (!status->attached)
		return object;
	put_u64(object, "pid", status->pid);
	put_u64(object, "lcores", status->lcores);
	put_u64(object, "heartbeat_age_ms", status->heartbeat_age_ms);
	put_u64(object, "applied_sequence", payload->applied_sequence);
	put_u64(object, "loaded_generation", payload->loaded_generation);
	put_u64(object, "images_rejected", payload->image_rejected);
	put_u64(object, "last_image_error", payload->last_image_error);
	put_u64(object, "bans_v4", payload->bans_v4);
	put_u64(object, "bans_v6", payload->bans_v6);
	put_u64(object, "bans_exact", payload->bans_exact);
	put_u64(object, "list_labels", payload->list_labels);
	put_u64(object, "offload_bans", payload->offload_bans);
	put_u64(object, "offload_installed", payload->offload_installed);
	put_u64(object, "offload_refused", payload->offload_refused);
	put_u64(object, "rx_missed", payload->rx_missed);
	put_u64(object, "started_mono_ns", payload->started_mono_ns);
	put_u64(object, "first_governed_mono_ns", payload->first_governed_mono_ns);
	put_u64(object, "events", status->events);
	put_u64(object, "events_lost", status->events_lost);
	put_u64(object, "events_dropped", status->events_dropped);
	return object;
}

static json_t *counters_json(const struct counters *total)
{
	json_t *object = json_object();
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const struct counter_info *info = counter_info((enum counter)i);
		uint64_t value = atomic_load_explicit(&total->values[i], memory_order_relaxed);
		/* what never happened is left out; that nothing is so now is worth a line */
		if (value != 0 || info->kind == COUNTER_KIND_GAUGE)
			put_u64(object, info->name, value);
	}
	return object;
}

static json_t *reasons_json(const struct counters *total)
{
	json_t *object = json_object();
	for (int i = 0; i < REASON_COUNT; i++) {
		uint64_t value = atomic_load_explicit(&total->reasons[i], memory_order_relaxed);
		if (value != 0)
			put_u64(object, reason_info((enum reason)i)->name, value);
	}
	return object;
}

static json_t *image_json(struct control *control)
{
	struct publisher_status status;
	json_t *object = json_object();
	publisher_status(control->publisher, &status);
	json_object_set_new(object, "instance", json_sprintf("%016llx", (unsigned long long)status.instance));
	put_u64(object, "generation", status.generation);
	put_u64(object, "head_sequence", status.head_sequence);
	put_u64(object, "covered_sequence", status.covered_sequence);
	put_u64(object, "images", status.images);
	put_u64(object, "errors", status.image_errors);
	put_u64(object, "log_overflows", status.log_overflows);
	put_u64(object, "clock_steps", status.clock_steps);
	put_u64(object, "changes_lost", status.changes_lost);
	put_u64(object, "enforced", status.enforced);
	put_u64(object, "bytes", status.image_bytes);
	put_u64(object, "build_ms", status.build_ms);
	put_u64(object, "age_ms", (control->clock.mono_ns - status.published_mono_ns) / 1000000);
	json_object_set_new(object, "building", json_boolean(status.building));
	json_object_set_new(
		object, "text", json_string(status.last_error != 0 ? strerror(-status.last_error) : ""));
	return object;
}

static json_t *store_json(struct control *control)
{
	struct store_status status;
	json_t *object = json_object();
	store_status(control->store, &status);
	json_object_set_new(object, "ok", json_boolean(status.error == 0));
	json_object_set_new(object, "text", rpc_string(status.error != 0 ? status.text : ""));
	put_u64(object, "queued", status.queued);
	put_u64(object, "durable", status.durable);
	put_u64(object, "queue_bytes", status.queue_bytes);
	put_u64(object, "commits", status.commits);
	put_u64(object, "commit_errors", status.commit_errors);
	put_u64(object, "overflows", status.overflows);
	put_u64(object, "map_bytes", status.map_bytes);
	put_u64(object, "used_bytes", status.used_bytes);
	put_u64(object, "backups", status.backups);
	json_object_set_new(object, "last_backup",
		status.last_backup_ms == 0 ? json_null() : rpc_time(status.last_backup_ms));
	put_u64(object, "loaded", control->loaded.bans);
	put_u64(object, "damaged", control->loaded.damaged);
	return object;
}

void rpc_status(struct rpc_request *request)
{
	struct control *control = request->control;
	struct dataplane_status dataplane;
	dataplane_link_status(control->link, control->clock.mono_ns, &dataplane);
	request->result = json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "version",
		WEIR_VERSION, "protocol", PROTOCOL_VERSION, "t", rpc_time(control->clock.wall_ms), "control",
		control_json(request), "dataplane", dataplane_json(&dataplane), "counters",
		counters_json(&dataplane.total), "reasons", reasons_json(&dataplane.total), "bans",
		bans_json(control), "image", image_json(control), "store", store_json(control));
}

static bool snapshot_poll(struct rpc_request *request, bool timed_out)
{
	struct publisher_status status;
	publisher_status(request->control->publisher, &status);
	if (publisher_done(request->control->publisher) >= request->number) {
		request->result = json_pack("{s:o, s:o, s:o, s:o}", "generation", json_u64(status.generation),
			"bytes", json_u64(status.image_bytes), "enforced", json_u64(status.enforced),
			"build_ms", json_u64(status.build_ms));
		return true;
	}
	if (status.last_error != 0 && !status.building)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "image", "the image cannot be published: %s",
			strerror(-status.last_error));
	else if (timed_out)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "timeout", "the image is not ready after %d s",
			IMAGE_TIMEOUT_MS / 1000);
	return request->error_code != 0;
}

void rpc_snapshot_make(struct rpc_request *request)
{
	request->number = publisher_request(request->control->publisher);
	rpc_wait(request, snapshot_poll, IMAGE_TIMEOUT_MS);
}

void rpc_config_reload(struct rpc_request *request)
{
	char text[CONFIG_ERROR_MAX + 128] = "";
	if (request->rpc->host.reload == NULL) {
		rpc_fail(
			request, PROTOCOL_ERROR_REFUSED, "no_file", "this process has no configuration file");
		return;
	}
	if (request->rpc->host.reload(request->rpc->host.context, text, sizeof(text)) != 0)
		rpc_fail(request, PROTOCOL_ERROR_REFUSED, "config",
			"%s; the old configuration stays in force", text);
	else
		request->result = json_pack("{s:b, s:o}", "ok", 1, "restart", rpc_string(text));
}

struct shown {
	json_t *entries;
	bool simulated;
};

static bool show_visit(void *context, const char *key, const char *value, const char *origin,
	const char *help, const char *range)
{
	struct shown *shown = context;
	(void)help;
	(void)range;
	/* simulate's directory is a temporary one with a random name: two runs of one trace give the same bytes */
	if (shown->simulated && strcmp(key, "state_dir") == 0)
		value = "";
	json_array_append_new(shown->entries, json_pack("{s:s, s:o, s:o}", "key", key, "value",
						      rpc_string(value), "origin", rpc_string(origin)));
	return json_array_size(shown->entries) < PROTOCOL_PAGE_MAX; /* long lists are for list.show */
}

void rpc_config_show(struct rpc_request *request)
{
	struct shown shown = {json_array(), request->control->simulated};
	config_show(&request->control->config, show_visit, &shown);
	request->result = json_pack("{s:o}", "entries", shown.entries);
}

static bool durable_poll(struct rpc_request *request, bool timed_out)
{
	struct store_status status;
	if (store_durable_sequence(request->control->store) >= request->number)
		return true;
	store_status(request->control->store, &status);
	if (status.error != 0)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "store", "in force, but not on disk: %s", status.text);
	else if (timed_out)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "store", "in force, but not on disk after %d s",
			DURABLE_TIMEOUT_MS / 1000);
	return request->error_code != 0;
}

void rpc_wait_durable(struct rpc_request *request)
{
	request->number = store_sync_request(request->control->store);
	rpc_wait(request, durable_poll, DURABLE_TIMEOUT_MS);
}

void rpc_sync(struct rpc_request *request)
{
	request->result =
		json_pack("{s:o}", "durable", json_u64(store_sync_request(request->control->store)));
	rpc_wait_durable(request);
}
