/* SPDX-License-Identifier: BSD-3-Clause
 * What other programs take from a configuration: the image's policy and services, the dataplane's argv, and
 * the effective values with their origin. Pure functions, any thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/config_schema.h"

enum { PAIR_MTU_USUAL = 1500 };

static void rates_copy(
	const struct config_rate from[IMAGE_LEVEL_COUNT], struct image_rate to[IMAGE_LEVEL_COUNT])
{
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
		to[level] =
			(struct image_rate){(uint32_t)from[level].burst, (uint32_t)from[level].per_1000_s};
}

/* Proven inbound connections are bounded by the least of what bounds them; 0 is no bound. */
static uint32_t limit_hard(const struct config *config)
{
	const uint64_t limits[] = {
		config->limit_hard, config->governor.limit_in, config->governor.limit_total};
	uint64_t least = 0;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		least = limits[i] != 0 && (least == 0 || limits[i] < least) ? limits[i] : least;
	return (uint32_t)least;
}

void config_to_policy(const struct config *config, struct image_policy *ret_policy)
{
	struct image_policy policy = {
		.mode = (uint8_t)config->mode,
		.other_policy = (uint8_t)config->other_policy,
		.accept_inbound = (uint8_t)config->accept_inbound,
		.verify_checksums = (uint8_t)config->verify_checksums,
		.limit_soft = (uint32_t)config->limit_soft,
		.limit_hard = limit_hard(config),
		.soft_delay_max_ms = (uint32_t)config->soft_delay_max_ms,
		.soft_linear = config->soft_mode == CONFIG_SOFT_LINEAR,
		.reserved_slots = (uint32_t)config->reserved_slots,
		.replies_per_s = (uint32_t)config->replies_per_s,
		.icmp_per_s = (uint32_t)config->icmp_per_s,
		.infrastructure_per_s = (uint32_t)config->infrastructure_per_s,
		.other_per_s = (uint32_t)config->other_per_s,
		.half_open_timeout_ms = (uint32_t)config->half_open_ms,
		.auth_timeout_ms = (uint32_t)config->auth_ms,
		.tcp_idle_timeout_ms = (uint32_t)config->tcp_idle_ms,
		.udp_idle_timeout_ms = (uint32_t)config->udp_idle_ms,
		.udp_unanswered_timeout_ms = (uint32_t)config->udp_unanswered_ms,
		.closing_timeout_ms = (uint32_t)config->closing_ms,
		.proven_lifetime_ms = (uint32_t)config->proven_ms,
		.adopt_window_ms = (uint32_t)config->adopt_window_ms,
		.adopt_per_s = (uint32_t)config->adopt_per_s,
		.start_wait_ms = (uint32_t)config->start_wait_ms,
		.flood_per_s = (uint32_t)config->flood_per_s,
		.challenge_bad_per_s = (uint32_t)config->challenge_bad_per_s,
		.replies_per_prefix_per_s = (uint32_t)config->replies_per_prefix_per_s,
		.payload_idle_timeout_ms = (uint32_t)config->payload_idle_ms,
		.straggler_timeout_ms = (uint32_t)config->straggler_ms,
		.clients_per_limit = (uint32_t)config->clients_per_limit,
	};
	rates_copy(config->proven_v4, policy.proven_rate_v4);
	rates_copy(config->proven_v6, policy.proven_rate_v6);
	rates_copy(config->unproven_v4, policy.unproven_rate_v4);
	rates_copy(config->unproven_v6, policy.unproven_rate_v6);
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		policy.concurrency_v4[level] = (uint32_t)config->concurrency_v4[level];
		policy.concurrency_v6[level] = (uint32_t)config->concurrency_v6[level];
	}
	*ret_policy = policy;
}

size_t config_to_services(const struct config *config, struct image_service *ret_services)
{
	for (size_t i = 0; i < config->n_services; i++) {
		const struct config_service *from = &config->services[i];
		struct image_service *to = &ret_services[i];
		*to = (struct image_service){
			.port = (uint16_t)from->port,
			.protocol = (uint8_t)from->protocol,
			.challenge = (uint8_t)from->challenge,
			.challenge_method = (uint8_t)from->method,
			.udp_unanswered_packets = (uint8_t)from->udp_unanswered_packets,
			.refuse_with_rst = (uint8_t)from->refuse,
			.pressure_enter_per_s = (uint32_t)from->pressure_enter_per_s,
			.pressure_leave_per_s = (uint32_t)from->pressure_leave_per_s,
			.pressure_half_open = (uint32_t)from->pressure_half_open,
			.pressure_hold_ms = (uint32_t)from->pressure_hold_ms,
			.udp_idle_timeout_ms = (uint32_t)from->idle_ms,
			.server_first = (uint8_t)from->server_first,
			.paced_per_s = (uint32_t)from->paced_per_s,
			.quic = (uint8_t)from->quic,
			.amplification_limit = (uint8_t)from->amplification_limit,
		};
		snprintf(to->name, sizeof(to->name), "%.*s", IMAGE_SERVICE_NAME_BYTES - 1, from->name);
	}
	return config->n_services;
}

uint32_t config_price_to_image(double price)
{
	uint32_t sixteenths = (uint32_t)lround(price * IMAGE_PRICE_USUAL);
	return sixteenths == 0 ? 1 : sixteenths;
}

size_t config_to_node_addresses(const struct config *config, struct address *ret_addresses)
{
	for (size_t i = 0; i < config->n_node_addresses; i++)
		ret_addresses[i] = config->node_addresses[i].address;
	return config->n_node_addresses;
}

struct words {
	struct config_arguments *arguments;
	size_t used;
	int n;
	int error;
};

/* Append one argument; after the first failure nothing happens, so the caller checks once. */
static void word_add(struct words *words, const char *text)
{
	struct config_arguments *arguments = words->arguments;
	size_t bytes = strlen(text) + 1;
	size_t places = sizeof(arguments->argv) / sizeof(arguments->argv[0]);
	if (words->error != 0 || words->used + bytes > sizeof(arguments->words) ||
		(size_t)words->n + 1 >= places) {
		words->error = -E2BIG;
		return;
	}
	char *to = arguments->words + words->used;
	memcpy(to, text, bytes);
	words->used += bytes;
	arguments->argv[words->n++] = to;
	arguments->argv[words->n] = NULL;
}

static void option_add(struct words *words, const char *option, const char *value)
{
	word_add(words, option);
	word_add(words, value);
}

static void number_add(struct words *words, const char *option, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRIu64, value);
	option_add(words, option, text);
}

int config_dataplane_args(const struct config *config, struct config_arguments *ret_arguments)
{
	struct words words = {.arguments = ret_arguments};
	char lcores[CONFIG_LCORES_MAX * 6] = "";

	word_add(&words, "weir-dataplane");
	option_add(&words, "--instance", config->instance);
	option_add(&words, "--shm-dir", config->shm_dir);
	option_add(&words, "--run-dir", config->run_dir);
	for (size_t i = 0; i < config->n_pairs; i++) {
		option_add(&words, "--outside", config->pairs[i].outside);
		option_add(&words, "--inside", config->pairs[i].inside);
		/* Said only where it is not usual: an interface of the kernel must have exactly what is said.
		 */
		if (config->pairs[i].mtu != PAIR_MTU_USUAL)
			number_add(&words, "--mtu", config->pairs[i].mtu);
	}
	for (size_t i = 0; i < config->n_lcores; i++) {
		size_t n = strlen(lcores);
		snprintf(lcores + n, sizeof(lcores) - n, "%s%s", i == 0 ? "" : ",", config->lcores[i].text);
	}
	option_add(&words, "--lcores", config->n_lcores == 0 ? "0,1" : lcores);
	size_t n_lcores = config->n_lcores == 0 ? 2 : config->n_lcores;
	number_add(&words, "--queues", config->queues != 0 ? config->queues : n_lcores);
	number_add(&words, "--flows-log2", config->flows_log2);
	number_add(&words, "--pressure-keys-log2", config->pressure_keys_log2);
	number_add(&words, "--proven-log2", config->proven_log2);
	number_add(&words, "--idle-sleep-us", config->idle_sleep_us);
	if (config->offload_bans != 0)
		number_add(&words, "--offload-bans", config->offload_bans);
	option_add(&words, "--memory", config->memory_huge ? "huge" : "no-huge");
	number_add(&words, "--start-wait", (config->start_wait_ms + 999) / 1000);
	option_add(&words, "--start-fail", config->start_fail == CONFIG_START_FAIL_OPEN ? "open" : "closed");
	if (config->secret_file[0] != '\0')
		option_add(&words, "--cookie-secret", config->secret_file);
	for (size_t i = 0; i < config->n_eal_args; i++)
		option_add(&words, "--eal", config->eal_args[i].text);
	return words.error != 0 ? words.error : words.n;
}

static const char *origin_of(const struct config *config, const struct config_row *row,
	struct config_position at, char *text, size_t bytes)
{
	if (at.line != 0) {
		snprintf(text, bytes, "%s:%u", config->file, at.line);
		return text;
	}
	/* what a profile sets differs from the default that the row has */
	if (row->default_text != NULL && row->type < CONFIG_TYPE_ADDRESSES &&
		config_row_element_index(row) == 0) {
		char value[128], usual[128];
		struct config *plain = calloc(1, sizeof(*plain));
		bool is_profile =
			plain != NULL &&
			config_value_parse(row, row->default_text, plain, value, sizeof(value)) == 0 &&
			strcmp(config_value_format(row, plain, usual, sizeof(usual)),
				config_value_format(row, config, value, sizeof(value))) != 0;
		free(plain);
		if (is_profile && strcmp(row->path, "profile") != 0) {
			snprintf(text, bytes, "profile %s",
				config_profile_name((enum config_profile)config->profile));
			return text;
		}
	}
	snprintf(text, bytes, "%s",
		row->default_text == NULL && row->type < CONFIG_TYPE_ADDRESSES ? "computed" : "default");
	return text;
}

static bool show_prefixes(
	const struct config *config, const struct config_row *row, config_visit visit, void *context)
{
	const struct config_prefixes *list = (const void *)((const char *)config + row->offset);
	char key[64], value[PREFIX_TEXT_MAX], origin[300];
	for (size_t i = 0; i < list->n; i++) {
		snprintf(key, sizeof(key), "%s[%zu]", row->path, i);
		if (!visit(context, key, prefix_format(&list->items[i].prefix, value),
			    origin_of(config, row, list->items[i].at, origin, sizeof(origin)), NULL, NULL))
			return false;
	}
	return true;
}

static bool show_object(const struct config *config, const struct config_row *list, size_t index,
	config_visit visit, void *context)
{
	const char *element = (const char *)config + list->offset + index * list->element_bytes;
	const struct config_position *at = (const void *)element;
	size_t length = strlen(list->path);
	char key[128], value[128], origin[300];
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];
		unsigned position = config_row_element_index(row);
		if (position == 0 || strncmp(row->path, list->path, length) != 0 || row->path[length] != '[')
			continue;
		snprintf(key, sizeof(key), "%s[%zu]%s", list->path, index, row->path + length + 2);
		if (!visit(context, key, config_value_format(row, element, value, sizeof(value)),
			    origin_of(config, row, at[position], origin, sizeof(origin)), NULL, NULL))
			return false;
	}
	return true;
}

static bool show_list(
	const struct config *config, const struct config_row *row, config_visit visit, void *context)
{
	if (row->type == CONFIG_TYPE_PREFIXES)
		return show_prefixes(config, row, visit, context);
	size_t count = *(const size_t *)(const void *)((const char *)config + row->count_offset);
	for (size_t i = 0; i < count; i++) {
		const char *element = (const char *)config + row->offset + i * row->element_bytes;
		const struct config_address *address = (const void *)element;
		const struct config_word *word = (const void *)element;
		char key[64], value[PREFIX_TEXT_MAX], origin[300];
		bool more;
		snprintf(key, sizeof(key), "%s[%zu]", row->path, i);
		if (row->type == CONFIG_TYPE_OBJECTS)
			more = show_object(config, row, i, visit, context);
		else if (row->type == CONFIG_TYPE_ADDRESSES)
			more = visit(context, key, address_format(&address->address, value),
				origin_of(config, row, address->at, origin, sizeof(origin)), NULL, NULL);
		else
			more = visit(context, key, word->text,
				origin_of(config, row, word->at, origin, sizeof(origin)), NULL, NULL);
		if (!more)
			return false;
	}
	return true;
}

void config_show(const struct config *config, config_visit visit, void *context)
{
	char value[128], origin[300], range[256];
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];
		if (config_row_element_index(row) != 0)
			continue;
		bool more;
		if (row->type >= CONFIG_TYPE_ADDRESSES)
			more = show_list(config, row, visit, context);
		else
			more = visit(context, row->path,
				config_value_format(row, config, value, sizeof(value)),
				origin_of(config, row, config->at[i], origin, sizeof(origin)), row->help,
				config_range_format(row, range, sizeof(range)));
		if (!more)
			return;
	}
}
