/* SPDX-License-Identifier: BSD-3-Clause
 * Lists between configuration, governor and publisher, and the change to a new configuration while running.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config_schema.h"
#include "control/control_private.h"
#include "control/log.h"

static int list_add(struct control *control, enum governor_list list, const struct prefix *prefix,
	char *error_text, size_t error_bytes)
{
	static const char *const names[] = {"allow", "deny", "own"};
	struct prefix conflict;
	char text[PREFIX_TEXT_MAX], other[PREFIX_TEXT_MAX];
	int error = governor_list_add(control->governor, list, GOVERNOR_LIST_FROM_CONFIG, prefix,
		"configuration", control->clock.wall_ms, &conflict);
	if (error == -EEXIST)
		return 0; /* a node's address that is also written under own */
	if (error == -EPERM)
		snprintf(error_text, error_bytes,
			"%s: %s contradicts %s, which an operator put on the other list; take it off first",
			names[list], prefix_format(prefix, text), prefix_format(&conflict, other));
	else if (error != 0)
		snprintf(error_text, error_bytes, "%s: %s cannot be added: %s", names[list],
			prefix_format(prefix, text), strerror(-error));
	return error;
}

int control_config_lists_add(
	struct control *control, const struct config *config, char *error_text, size_t error_bytes)
{
	const struct config_prefixes *lists[] = {&config->own, &config->allow, &config->deny};
	static const enum governor_list kinds[] = {
		GOVERNOR_LIST_OWN, GOVERNOR_LIST_ALLOW, GOVERNOR_LIST_DENY};
	int error = 0;
	for (size_t i = 0; i < config->n_node_addresses && error == 0; i++) {
		struct prefix prefix = prefix_of(&config->node_addresses[i].address, PREFIX_HOST_LENGTH);
		error = list_add(control, GOVERNOR_LIST_OWN, &prefix, error_text, error_bytes);
	}
	for (size_t list = 0; list < 3; list++) {
		for (size_t i = 0; i < lists[list]->n && error == 0; i++)
			error = list_add(
				control, kinds[list], &lists[list]->items[i].prefix, error_text, error_bytes);
	}
	return error;
}

int control_roots_add(
	struct control *control, const struct config *config, char *error_text, size_t error_bytes)
{
	const struct config_governor *governor = &config->governor;
	int error = 0;
	for (size_t i = 0; i < governor->n_local_roots + governor->n_preferred && error == 0; i++) {
		bool root = i < governor->n_local_roots;
		const struct config_peer *peer =
			root ? &governor->local_roots[i] : &governor->preferred[i - governor->n_local_roots];
		struct book_endpoint endpoint = {.port = (uint16_t)peer->port};
		(void)address_parse(peer->ip, &endpoint.address); /* config_check has */
		error = root ? roster_root_add(control->roster, peer->group, (uint32_t)peer->hot,
				       (uint32_t)peer->warm, &endpoint, control->clock.wall_ms)
			     : roster_preferred_add(control->roster, &endpoint, control->clock.wall_ms);
		if (error != 0)
			snprintf(error_text, error_bytes, "%s: %s cannot be kept: %s",
				root ? "local_roots" : "preferred", peer->ip, strerror(-error));
	}
	return error;
}

struct gathered {
	struct prefix *items;
	size_t n, capacity;
	bool failed;
};

static bool gather(
	void *context, const struct prefix *prefix, const char *reason, enum governor_list_origin origin)
{
	struct gathered *gathered = context;
	(void)reason;
	(void)origin;
	if (gathered->n == gathered->capacity) {
		size_t capacity = gathered->capacity == 0 ? 64 : gathered->capacity * 2;
		struct prefix *items = realloc(gathered->items, capacity * sizeof(*items));
		gathered->failed = items == NULL;
		if (gathered->failed)
			return false;
		gathered->items = items;
		gathered->capacity = capacity;
	}
	gathered->items[gathered->n++] = *prefix;
	return true;
}

int control_lists_publish(struct control *control)
{
	struct gathered allow = {0}, deny = {0};
	int error = -ENOMEM;
	governor_list_each(control->governor, GOVERNOR_LIST_ALLOW, gather, &allow);
	governor_list_each(control->governor, GOVERNOR_LIST_DENY, gather, &deny);
	if (!allow.failed && !deny.failed)
		error = publisher_set_lists(control->publisher, allow.items, allow.n, deny.items, deny.n);
	free(allow.items);
	free(deny.items);
	return error;
}

int control_list_add(struct control *control, bool allow, const struct prefix *prefix, const char *reason,
	struct prefix *ret_conflict)
{
	int error = governor_list_add(control->governor, allow ? GOVERNOR_LIST_ALLOW : GOVERNOR_LIST_DENY,
		GOVERNOR_LIST_FROM_OPERATOR, prefix, reason, control->clock.wall_ms, ret_conflict);
	if (error == 0 && control->publisher != NULL) {
		publisher_list(control->publisher, allow, prefix, true, &control->clock);
		control->lists_changed = true;
	}
	return error;
}

struct still_listed {
	const struct prefix *prefix;
	bool found;
};

static bool find_listed(
	void *context, const struct prefix *prefix, const char *reason, enum governor_list_origin origin)
{
	struct still_listed *still = context;
	(void)reason;
	(void)origin;
	int order = prefix_compare(prefix, still->prefix);
	still->found = order == 0;
	return order < 0;
}

int control_list_remove(struct control *control, bool allow, const struct prefix *prefix)
{
	enum governor_list list = allow ? GOVERNOR_LIST_ALLOW : GOVERNOR_LIST_DENY;
	struct still_listed still = {prefix, false};
	int error = governor_list_remove(control->governor, list, prefix, control->clock.wall_ms);
	if (error != 0)
		return error;
	/* the configuration may list it as well: then it stays in force */
	governor_list_each(control->governor, list, find_listed, &still);
	if (!still.found && control->publisher != NULL)
		publisher_list(control->publisher, allow, prefix, false, &control->clock);
	control->lists_changed = true;
	return 0;
}

/* Keys that only a restart changes: those of control keep their old value, those of the dataplane are its
 * arguments and merely named. */
static const struct {
	const char *key;
	bool keep;
} fixed_keys[] = {{"instance", true}, {"run_dir", true}, {"shm_dir", true}, {"state_dir", true},
	{"socket.path", true}, {"socket.group", true}, {"socket.admin_group", true}, {"socket.clients", true},
	{"socket.output_bytes", true}, {"store.map_bytes", true}, {"store.backup_interval", true},
	{"ban.peers", true}, {"ban.bans", true}, {"start.fail", false}, {"dataplane.queues", false},
	{"dataplane.flows_log2", false}, {"dataplane.pressure_keys_log2", false},
	{"dataplane.proven_log2", false}, {"dataplane.idle_sleep_us", false},
	{"dataplane.offload_bans", false}, {"challenge.secret_file", false}, {"dataplane.memory", false}};

static void keep_fixed(const struct config *old, struct config *new, char *text, size_t bytes)
{
	char before[CONFIG_TEXT_MAX], after[CONFIG_TEXT_MAX];
	size_t n = 0;
	text[0] = '\0';
	for (size_t i = 0; i < sizeof(fixed_keys) / sizeof(fixed_keys[0]); i++) {
		const struct config_row *row = config_row_find(fixed_keys[i].key);
		config_value_format(row, old, before, sizeof(before));
		config_value_format(row, new, after, sizeof(after));
		if (strcmp(before, after) == 0)
			continue;
		if (n < bytes)
			n += (size_t)snprintf(text + n, bytes - n, "%s%s", n == 0 ? "" : ", ", row->path);
		bool is_text = row->type == CONFIG_TYPE_NAME || row->type == CONFIG_TYPE_PATH;
		if (fixed_keys[i].keep)
			memcpy((char *)new + row->offset, (const char *)old + row->offset,
				is_text ? CONFIG_TEXT_MAX : sizeof(uint64_t));
	}
}

int control_reload(struct control *control, struct config *config, char *error_text, size_t error_bytes,
	char *restart_text, size_t restart_bytes)
{
	char ignored[CONFIG_ERROR_MAX];
	struct snapshot_policy *policy = malloc(sizeof(*policy));
	if (policy == NULL) {
		snprintf(error_text, error_bytes, "not enough memory");
		return -ENOMEM;
	}
	governor_list_clear(control->governor, GOVERNOR_LIST_FROM_CONFIG);
	int error = control_config_lists_add(control, config, error_text, error_bytes);
	if (error != 0) {
		governor_list_clear(control->governor, GOVERNOR_LIST_FROM_CONFIG);
		if (control_config_lists_add(control, &control->config, ignored, sizeof(ignored)) != 0)
			log_error("the lists of the old configuration cannot be restored: %s", ignored);
		free(policy);
		return error;
	}
	keep_fixed(&control->config, config, restart_text, restart_bytes);
	config_free(&control->config);
	control->config = *config;

	struct roster_config roster_config;
	control_roster_config(control, config, &roster_config);
	roster_reconfigure(control->roster, &roster_config, control->clock.wall_ms);
	if (control_roots_add(control, config, ignored, sizeof(ignored)) != 0)
		log_warning("%s", ignored);
	snapshot_policy_from_config(config, policy);
	publisher_set_policy(control->publisher, policy);
	publisher_set_pace(control->publisher, config->snapshot_interval_ms, config->snapshot_commands);
	control->lists_changed = control_lists_publish(control) != 0;
	(void)publisher_request(control->publisher);
	log_set_level((enum log_level)config->log_level);
	free(policy);
	return 0;
}
