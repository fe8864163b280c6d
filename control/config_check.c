/* SPDX-License-Identifier: BSD-3-Clause
 * Checks that need more than one key: overlaps, contradictions, values derived from others. Pure functions of
 * the configuration. Lists are compared by sorting, so a million entries take a second and not a day.
 */
#include "control/config_schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/target.h"

/* RFC 9000 8.1 */
enum { QUIC_AMPLIFICATION_LIMIT = 3 };
/* Half of what the kernel's own stack behind one core takes before it saturates, 134,000 SYN/s (design.md
 * section 11). */
enum { FLOOD_PER_S_MAX = 67000 };
/* A blind guess at a cookie passes once in 2^22, so 48 a second and lcore are one a day; half of it, because
 * a rate is met only on average. */
enum { CHALLENGE_BAD_PER_S = (1 << 22) / (24 * 3600) / 2 };

struct check {
	struct config *config;
	char *error_text;
	size_t error_bytes;
};

#define FAIL(check, at, key, ...) \
	config_error((check)->config, at, key, (check)->error_text, (check)->error_bytes, __VA_ARGS__)

int config_error(const struct config *config, struct config_position at, const char *key, char *error_text,
	size_t error_bytes, const char *format, ...)
{
	va_list arguments;
	size_t n = (size_t)snprintf(error_text, error_bytes,
		"%s:%u:%u: %s: ", config->file[0] != '\0' ? config->file : "-", at.line == 0 ? 1 : at.line,
		at.column == 0 ? 1 : at.column, key);
	if (n < error_bytes) {
		va_start(arguments, format);
		vsnprintf(error_text + n, error_bytes - n, format, arguments);
		va_end(arguments);
	}
	return -EINVAL;
}

static struct config_position position_of(const struct check *check, const char *key)
{
	return check->config->at[config_row_find(key) - config_rows];
}

static unsigned service_key(const char *key)
{
	char path[64];
	snprintf(path, sizeof(path), "services[].%s", key);
	return config_row_element_index(config_row_find(path));
}

static bool given(const struct check *check, const char *key)
{
	return position_of(check, key).line != 0;
}

static bool service_given(const struct config_service *service, const char *key)
{
	return service->at[service_key(key)].line != 0;
}

#define SERVICE_FAIL(check, service, key, ...) \
	FAIL(check, (service)->at[service_key(key)], "services[]." key, __VA_ARGS__)

static int check_service_udp(struct check *check, struct config_service *service)
{
	if (service_given(service, "challenge") && service->challenge != IMAGE_CHALLENGE_OFF)
		return SERVICE_FAIL(
			check, service, "challenge", "Weir cannot challenge UDP sources (allowed: off)");
	if (service_given(service, "method"))
		return SERVICE_FAIL(
			check, service, "method", "this service is UDP, whose sources are not challenged");
	if (service_given(service, "server_first"))
		return SERVICE_FAIL(
			check, service, "server_first", "this service is UDP, and the key is for TCP");
	service->challenge = IMAGE_CHALLENGE_OFF;
	service->method = IMAGE_METHOD_RESET;
	if (!service_given(service, "amplification_limit"))
		service->amplification_limit = service->quic ? QUIC_AMPLIFICATION_LIMIT : 0;
	return 0;
}

static int check_service_tcp(struct check *check, struct config_service *service)
{
	if (service_given(service, "udp_unanswered_packets"))
		return SERVICE_FAIL(check, service, "udp_unanswered_packets",
			"this service is TCP, and the key is for UDP");
	if (service_given(service, "idle"))
		return SERVICE_FAIL(
			check, service, "idle", "this service is TCP, whose idle time is timeouts.tcp_idle");
	if (service_given(service, "quic"))
		return SERVICE_FAIL(check, service, "quic", "this service is TCP, and the key is for UDP");
	if (service_given(service, "amplification_limit"))
		return SERVICE_FAIL(
			check, service, "amplification_limit", "this service is TCP, and the key is for UDP");
	if (!service_given(service, "method"))
		service->method = service->server_first ? IMAGE_METHOD_RESET : IMAGE_METHOD_PROXY;
	if (service->server_first && service->method == IMAGE_METHOD_PROXY)
		return SERVICE_FAIL(check, service, "method",
			"the node speaks first (server_first), so a lost last ACK would never be sent again "
			"(allowed: "
			"reset)");
	if (service->challenge != IMAGE_CHALLENGE_OFF && service_given(service, "paced_per_s") &&
		service->paced_per_s != 0)
		return SERVICE_FAIL(check, service, "paced_per_s",
			"%" PRIu64
			" could never pass: this service is challenged under pressure (allowed: 0)",
			service->paced_per_s);
	return 0;
}

static int check_service(struct check *check, struct config_service *service, size_t index)
{
	struct config *config = check->config;
	const char *protocol = service->protocol == 6 ? "tcp" : "udp";

	if (service->name[0] == '\0')
		snprintf(service->name, sizeof(service->name), "%s/%" PRIu64, protocol, service->port);
	for (size_t i = 0; i < index; i++) {
		const struct config_service *other = &config->services[i];
		if (other->protocol == service->protocol && other->port == service->port)
			return FAIL(check, service->at[service_key("port")], "services[].port",
				"%s/%" PRIu64 " is a service already (line %u)", protocol, service->port,
				other->at[0].line);
		if (strcmp(other->name, service->name) == 0)
			return FAIL(check,
				service->at[service_key("name")].line != 0 ? service->at[service_key("name")]
									   : service->at[0],
				"services[].name", "\"%s\" names another service already (line %u)",
				service->name, other->at[0].line);
	}
	int error = service->protocol == 17 ? check_service_udp(check, service)
					    : check_service_tcp(check, service);
	if (error != 0)
		return error;
	if (!service_given(service, "paced_per_s"))
		service->paced_per_s =
			service->challenge == IMAGE_CHALLENGE_OFF ? service->pressure_enter_per_s : 0;
	if (service->pressure_leave_per_s > service->pressure_enter_per_s) {
		unsigned leave = service_key("pressure.leave_per_s");
		unsigned key = service->at[leave].line != 0 ? leave : service_key("pressure.enter_per_s");
		return FAIL(check, service->at[key], "services[].pressure.leave_per_s",
			"%" PRIu64
			" is above enter_per_s, so pressure would never settle (allowed: 0..%" PRIu64 ")",
			service->pressure_leave_per_s, service->pressure_enter_per_s);
	}
	return 0;
}

static int check_node(struct check *check)
{
	struct config *config = check->config;
	char text[PREFIX_TEXT_MAX];
	/* a profile alone has no node to name */
	if (config->n_node_addresses == 0 && config->file[0] != '\0')
		return FAIL(check, position_of(check, "node.addresses"), "node.addresses",
			"at least one address of the node must be given (allowed: IPv4 or IPv6 addresses)");
	for (size_t i = 0; i < config->n_node_addresses; i++) {
		const struct config_address *address = &config->node_addresses[i];
		static const struct address unspecified;
		struct address unspecified_v4 = address_from_v4(0);
		bool multicast = address_is_v4(&address->address)
					 ? (address_v4(&address->address) >> 28) == 14
					 : address->address.bytes[0] == 0xff;
		if (multicast || address_compare(&address->address, &unspecified) == 0 ||
			address_compare(&address->address, &unspecified_v4) == 0)
			return FAIL(check, address->at, "node.addresses", "%s is not the address of one host",
				address_format(&address->address, text));
		for (size_t j = 0; j < i; j++) {
			if (address_compare(&address->address, &config->node_addresses[j].address) == 0)
				return FAIL(check, address->at, "node.addresses",
					"%s is given twice (first at line %u)",
					address_format(&address->address, text),
					config->node_addresses[j].at.line);
		}
	}
	if (config->n_services == 0 && config->file[0] != '\0')
		return FAIL(check, position_of(check, "services"), "services",
			"at least one service of the node must be given (allowed: {port: PORT, protocol: tcp "
			"| udp})");
	for (size_t i = 0; i < config->n_services; i++) {
		int error = check_service(check, &config->services[i], i);
		if (error != 0)
			return error;
	}
	return 0;
}

/* One entry of the three lists in one order, so that whatever covers an entry comes before it. */
struct listed {
	const struct config_prefix *entry;
	enum { LISTED_OWN, LISTED_ALLOW, LISTED_DENY } list;
};
static const char *const listed_names[] = {"own", "allow", "deny"};

static int listed_compare(const void *a, const void *b)
{
	const struct listed *left = a, *right = b;
	/* families apart: IPv4 sorts inside ::/0, which does not cover it */
	int order = (int)prefix_is_v4(&left->entry->prefix) - (int)prefix_is_v4(&right->entry->prefix);
	if (order == 0)
		order = prefix_compare(&left->entry->prefix, &right->entry->prefix);
	if (order == 0)
		order = (int)left->list - (int)right->list;
	if (order == 0)
		order = left->entry->at.line < right->entry->at.line
				? -1
				: left->entry->at.line > right->entry->at.line;
	return order;
}

/* `outer` covers `inner` or is the same prefix; both come from the file. */
static int check_covered(struct check *check, const struct listed *outer, const struct listed *inner)
{
	char text[PREFIX_TEXT_MAX], other[PREFIX_TEXT_MAX];
	bool same = prefix_compare(&outer->entry->prefix, &inner->entry->prefix) == 0;
	const struct listed *late = outer->entry->at.line > inner->entry->at.line ? outer : inner;
	const struct listed *early = late == outer ? inner : outer;
	const char *late_name = listed_names[late->list];

	prefix_format(&inner->entry->prefix, text);
	prefix_format(&outer->entry->prefix, other);
	if (same && outer->list == inner->list)
		return FAIL(check, late->entry->at, late_name, "%s is given twice (first at line %u)", text,
			early->entry->at.line);
	if (same && (outer->list == LISTED_DENY || inner->list == LISTED_DENY))
		return FAIL(check, late->entry->at, late_name,
			"%s is also in %s (line %u), which contradicts it", text, listed_names[early->list],
			early->entry->at.line);
	if (inner->list == LISTED_DENY && outer->list == LISTED_ALLOW)
		return FAIL(check, inner->entry->at, "deny",
			"%s lies in %s of allow (line %u), so it would never act", text, other,
			outer->entry->at.line);
	if (outer->list == LISTED_DENY && inner->list == LISTED_OWN)
		return FAIL(check, outer->entry->at, "deny", "%s covers own network %s (line %u)", other,
			text, inner->entry->at.line);
	return 0;
}

static int check_sorted(struct check *check, const struct listed *all, size_t n)
{
	const struct listed *stack[3 * (PREFIX_HOST_LENGTH + 2)]; /* entries that cover the current one */
	size_t depth = 0;
	for (size_t i = 0; i < n; i++) {
		while (depth > 0 && !prefix_covers(&stack[depth - 1]->entry->prefix, &all[i].entry->prefix))
			depth--;
		for (size_t j = 0; j < depth; j++) {
			int error = check_covered(check, stack[j], &all[i]);
			if (error != 0)
				return error;
		}
		stack[depth++] = &all[i];
	}
	return 0;
}

static int check_lists(struct check *check)
{
	struct config *config = check->config;
	const struct config_prefixes *lists[] = {&config->own, &config->allow, &config->deny};
	size_t n = config->own.n + config->allow.n + config->deny.n, used = 0;
	char text[PREFIX_TEXT_MAX], address[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < config->deny.n; i++) {
		for (size_t j = 0; j < config->n_node_addresses; j++) {
			const struct config_prefix *deny = &config->deny.items[i];
			if (prefix_contains(&deny->prefix, &config->node_addresses[j].address))
				return FAIL(check, deny->at, "deny", "%s covers the node's own address %s",
					prefix_format(&deny->prefix, text),
					address_format(&config->node_addresses[j].address, address));
		}
	}
	struct listed *all = calloc(n + 1, sizeof(*all));
	if (all == NULL)
		return FAIL(check, position_of(check, "allow"), "allow",
			"not enough memory to compare %zu prefixes", n);
	for (int list = LISTED_OWN; list <= LISTED_DENY; list++) {
		for (size_t i = 0; i < lists[list]->n; i++) {
			all[used].entry = &lists[list]->items[i];
			all[used++].list = list;
		}
	}
	qsort(all, n, sizeof(*all), listed_compare);
	int error = check_sorted(check, all, n);
	free(all);
	return error;
}

static int check_limits(struct check *check)
{
	struct config *config = check->config;
	uint64_t lcores = config->n_lcores == 0 ? 2 : config->n_lcores;
	if (config->soft_mode == CONFIG_SOFT_NONE) {
		if (given(check, "limits.soft") && config->limit_soft != 0)
			return FAIL(check, position_of(check, "limits.soft"), "limits.soft",
				"%" PRIu64 " contradicts soft_mode none (allowed: 0)", config->limit_soft);
		config->limit_soft = 0;
	} else if (!given(check, "limits.soft")) {
		config->limit_soft = config->limit_hard * 3 / 4; /* policy.md 5.5, 2 */
	}
	if (!given(check, "limits.reserved"))
		config->reserved_slots = (config->limit_hard + 19) / 20; /* the floor of 5.5, 2: ceil(5 %) */
	if (config->limit_soft > config->limit_hard)
		return FAIL(check, position_of(check, "limits.soft"), "limits.soft",
			"%" PRIu64 " is above limits.hard (allowed: 0..%" PRIu64 ")", config->limit_soft,
			config->limit_hard);
	if (config->limit_hard + config->reserved_slots > lcores << config->flows_log2)
		return FAIL(check,
			given(check, "limits.hard") ? position_of(check, "limits.hard")
						    : position_of(check, "dataplane.flows_log2"),
			"limits.hard",
			"%" PRIu64 " and %" PRIu64 " reserved do not fit the flow tables of %" PRIu64
			" lcores with 2^%" PRIu64 " each",
			config->limit_hard, config->reserved_slots, lcores, config->flows_log2);
	if (config->score_ban >= config->score_disconnect)
		return FAIL(check,
			given(check, "score.ban") ? position_of(check, "score.ban")
						  : position_of(check, "score.disconnect"),
			"score.ban", "%g is not below score.disconnect (%g)", config->score_ban,
			config->score_disconnect);
	return 0;
}

static int check_prices(struct check *check)
{
	struct config *config = check->config;
	char text[PREFIX_TEXT_MAX];
	for (size_t i = 0; i < config->n_prices; i++) {
		const struct config_price *price = &config->prices[i];
		for (size_t j = 0; j < i; j++) {
			if (prefix_compare(&price->prefix, &config->prices[j].prefix) == 0)
				return FAIL(check, price->at[1], "prices[].prefix",
					"%s has a price already (line %u)",
					prefix_format(&price->prefix, text), config->prices[j].at[1].line);
		}
	}
	return 0;
}

/* Thresholds of the defence that follow from sizes and times. */
static int check_flood(struct check *check)
{
	struct config *config = check->config;
	uint64_t lcores = config->n_lcores == 0 ? 2 : config->n_lcores;
	if (!given(check, "flood.per_s")) {
		/* half-open flows end after half_open: at this rate they hold half of the places */
		uint64_t per_s = (UINT64_C(500) << config->flows_log2) / config->half_open_ms;
		config->flood_per_s = per_s > FLOOD_PER_S_MAX ? FLOOD_PER_S_MAX : per_s;
	}
	if (!given(check, "challenge.bad_per_s"))
		config->challenge_bad_per_s =
			lcores >= CHALLENGE_BAD_PER_S ? 1 : CHALLENGE_BAD_PER_S / lcores;
	return 0;
}

static int check_dataplane(struct check *check)
{
	struct config *config = check->config;
	for (size_t i = 0; i < config->n_pairs; i++) {
		const struct config_pair *pair = &config->pairs[i];
		if (strcmp(pair->outside, pair->inside) == 0)
			return FAIL(check, pair->at[0], "dataplane.pairs", "\"%s\" is both sides of one pair",
				pair->outside);
		for (size_t j = 0; j < i; j++) {
			const struct config_pair *other = &config->pairs[j];
			if (strcmp(pair->outside, other->outside) == 0 ||
				strcmp(pair->inside, other->inside) == 0 ||
				strcmp(pair->outside, other->inside) == 0 ||
				strcmp(pair->inside, other->outside) == 0)
				return FAIL(check, pair->at[0], "dataplane.pairs",
					"a device is in another pair already (line %u)", other->at[0].line);
		}
	}
	for (size_t i = 0; i < config->n_lcores; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(config->lcores[i].text, config->lcores[j].text) == 0)
				return FAIL(check, config->lcores[i].at, "dataplane.lcores",
					"%s is given twice", config->lcores[i].text);
		}
	}
	size_t lcores = config->n_lcores == 0 ? 2 : config->n_lcores;
	if (config->queues != 0 && config->queues < lcores)
		return FAIL(check, position_of(check, "dataplane.queues"), "dataplane.queues",
			"%" PRIu64 " queues leave an lcore without one (allowed: 0, %zu..64)", config->queues,
			lcores);
	return 0;
}

static int check_paths(struct check *check)
{
	struct config *config = check->config;
	if (strlen(config->run_dir) + strlen(config->instance) + sizeof("/.dataplane.sock") > 107)
		return FAIL(check, position_of(check, "run_dir"), "run_dir",
			"with the instance's name it is longer than a socket's path may be (allowed: 107 "
			"bytes)");
	return 0;
}

/* What target_set_flaw finds wrong stands in this key. */
static int check_targets(struct check *check)
{
	const struct config_governor *governor = &check->config->governor;
	const struct target_set set = {(uint32_t)governor->target_root,
		{(uint32_t)governor->target_known, (uint32_t)governor->target_established,
			(uint32_t)governor->target_active},
		{(uint32_t)governor->target_blp_known, (uint32_t)governor->target_blp_established,
			(uint32_t)governor->target_blp_active}};
	const char *flaw = target_set_flaw(&set);
	if (flaw == NULL)
		return 0;
	return FAIL(check, position_of(check, "targets.known"), "targets",
		"%s (allowed: active <= established <= known, root <= known)", flaw);
}

static int check_peers(struct check *check, const struct config_peer *peers, size_t n, const char *key)
{
	struct address address;
	for (size_t i = 0; i < n; i++) {
		if (address_parse(peers[i].ip, &address) != 0)
			return FAIL(check, peers[i].at[0], key,
				"\"%.60s\" is not an address (allowed: IPv4 or IPv6)", peers[i].ip);
		if (peers[i].hot > peers[i].warm)
			return FAIL(check, peers[i].at[0], key, "hot is above warm (allowed: hot <= warm)");
	}
	return 0;
}

static int check_governor(struct check *check)
{
	struct config_governor *governor = &check->config->governor;
	if (!given(check, "ignore_negative"))
		governor->ignore_negative =
			target_per_mille((uint32_t)governor->target, target_lighthouse.ignore_negative);
	int error = check_targets(check);
	if (error == 0)
		error = check_peers(check, governor->local_roots, governor->n_local_roots, "local_roots");
	if (error == 0)
		error = check_peers(check, governor->preferred, governor->n_preferred, "preferred");
	return error;
}

int config_check(struct config *config, char *error_text, size_t error_bytes)
{
	static int (*const checks[])(struct check *) = {check_node, check_lists, check_prices, check_limits,
		check_flood, check_dataplane, check_paths, check_governor};
	struct check check = {config, error_text, error_bytes};
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		int error = checks[i](&check);
		if (error != 0)
			return error;
	}
	return 0;
}
