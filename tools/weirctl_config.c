/* SPDX-License-Identifier: BSD-3-Clause
 * weirctl config check, show and dataplane-args. They read the file with control's own library; only
 * --effective asks control.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/weirctl.h"

/* The file named as a word, by --config, or the default one. -1 after weirctl_fail. */
static int config_read(struct weirctl *weirctl, struct config *ret_config, const char **ret_path)
{
	const char *path = weirctl->n_words ? weirctl->words[0] : weirctl_option(weirctl, OPTION_CONFIG);
	char error[CONFIG_ERROR_MAX];

	if (weirctl->n_words && weirctl_option(weirctl, OPTION_CONFIG))
		return weirctl_fail(
			weirctl, RPC_CODE_USAGE, "the file is given twice: as a word and by --config");
	*ret_path = path ? path : WEIRCTL_CONFIG_DEFAULT;
	if (config_load(*ret_path, ret_config, error, sizeof(error)) < 0)
		return weirctl_fail(weirctl, RPC_CODE_FAILED, "%s", error);
	return 0;
}

int weirctl_config_check(struct weirctl *weirctl)
{
	struct config config;
	const char *path;
	json_t *answer;

	if (config_read(weirctl, &config, &path) < 0)
		return -1;
	answer = json_pack("{s:b,s:s,s:I,s:I}", "ok", 1, "file", path, "services",
		(json_int_t)config.n_services, "node_addresses", (json_int_t)config.n_node_addresses);
	output_sentence(weirctl->output, answer, "%s: no mistake found: %zu services of %zu node addresses.",
		path, config.n_services, config.n_node_addresses);
	json_decref(answer);
	config_free(&config);
	return 0;
}

static bool show_visit(void *context, const char *key, const char *value, const char *origin,
	const char *help, const char *range)
{
	json_t *row = json_pack("{s:s,s:s,s:s,s:s?,s:s?}", "key", key, "value", value, "origin", origin,
		"range", range, "help", help);

	if (row)
		output_row(context, row);
	json_decref(row);
	return true;
}

static int show_effective(struct weirctl *weirctl, const struct output_column *columns)
{
	json_t *result, *entry;
	size_t i;

	if (weirctl->n_words)
		return weirctl_fail(weirctl, RPC_CODE_USAGE, "--effective asks control: it takes no file");
	if (weirctl_call(weirctl, "config.show", NULL, &result) < 0)
		return -1;
	output_rows_begin(weirctl->output, "entries", columns);
	json_array_foreach(json_object_get(result, "entries"), i, entry) output_row(weirctl->output, entry);
	output_rows_end(weirctl->output, NULL, "Nothing is configured.");
	json_decref(result);
	return 0;
}

static int profile_read(struct weirctl *weirctl, const char *name, struct config *config)
{
	char error[CONFIG_ERROR_MAX], names[128] = "";
	size_t n = 0;
	for (int profile = 0; profile < CONFIG_PROFILE_COUNT; profile++) {
		const char *other = config_profile_name((enum config_profile)profile);
		if (strcmp(name, other) == 0) {
			config_default(config, (enum config_profile)profile);
			if (config_complete(config, error, sizeof(error)) != 0)
				return weirctl_fail(weirctl, RPC_CODE_USAGE, "%s", error);
			return 0;
		}
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s%s", n == 0 ? "" : ", ", other);
	}
	return weirctl_fail(
		weirctl, RPC_CODE_USAGE, "--profile: \"%.64s\" is not a profile (allowed: %s)", name, names);
}

int weirctl_config_show(struct weirctl *weirctl)
{
	static const struct output_column columns[] = {{"key", "KEY", OUTPUT_TEXT},
		{"value", "VALUE", OUTPUT_TEXT}, {"origin", "ORIGIN", OUTPUT_TEXT},
		{"range", "ALLOWED", OUTPUT_TEXT}, {NULL}};
	static const struct output_column columns_effective[] = {{"key", "KEY", OUTPUT_TEXT},
		{"value", "VALUE", OUTPUT_TEXT}, {"origin", "ORIGIN", OUTPUT_TEXT}, {NULL}};
	const char *profile = weirctl_option(weirctl, OPTION_PROFILE), *path;
	struct config config;

	/* of a profile everything is in force that it says, so --effective adds what follows from its values */
	if (weirctl_option(weirctl, OPTION_EFFECTIVE) && !profile)
		return show_effective(weirctl, columns_effective);
	if (profile) {
		if (weirctl->n_words)
			return weirctl_fail(weirctl, RPC_CODE_USAGE,
				"--profile shows a profile's own values: it takes no file");
		if (profile_read(weirctl, profile, &config) < 0)
			return -1;
	} else if (config_read(weirctl, &config, &path) < 0) {
		return -1;
	}
	output_rows_begin(weirctl->output, "entries", columns);
	config_show(&config, show_visit, weirctl->output);
	output_rows_end(weirctl->output, NULL, "Nothing is configured.");
	config_free(&config);
	return 0;
}

int weirctl_config_dataplane_args(struct weirctl *weirctl)
{
	struct config_arguments *arguments;
	struct config config;
	const char *path;
	int n;

	if (config_read(weirctl, &config, &path) < 0)
		return -1;
	arguments = calloc(1, sizeof(*arguments));
	n = arguments ? config_dataplane_args(&config, arguments) : -1;
	config_free(&config);
	if (n < 0) {
		free(arguments);
		return weirctl_fail(weirctl, RPC_CODE_FAILED,
			"%s: the command line of weir-dataplane would be too long", path);
	}
	for (int i = 0; i < n; i++)
		output_text(weirctl->output, "%s%s", i ? " " : "", arguments->argv[i]);
	output_text(weirctl->output, "\n");
	output_text_end(weirctl->output, "arguments");
	free(arguments);
	return 0;
}
