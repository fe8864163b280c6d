/* SPDX-License-Identifier: BSD-3-Clause
 * How a command of weirctl reads its options, reaches control and fails. See weirctl.h.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/config_schema.h"
#include "tools/weirctl.h"

enum { TIMEOUT_MS_DEFAULT = 70000 /* control itself gives an image 60 s and the disk 10 s */ };

int weirctl_fail(struct weirctl *weirctl, int code, const char *format, ...)
{
	va_list arguments;

	weirctl->error.code = code;
	va_start(arguments, format);
	vsnprintf(weirctl->error.message, sizeof(weirctl->error.message), format, arguments);
	va_end(arguments);
	return -1;
}

const char *weirctl_option(const struct weirctl *weirctl, enum weirctl_option option)
{
	return weirctl->options.values[option];
}

/* --socket, else the default path, else what the configuration says: a file of a million prefixes is not read
 * without need. */
static const char *socket_path(struct weirctl *weirctl, char *text, size_t bytes)
{
	static const char path_default[] = "/run/weir/weir.sock";
	const char *file = weirctl_option(weirctl, OPTION_CONFIG);
	char error[CONFIG_ERROR_MAX];
	struct config config;

	if (weirctl_option(weirctl, OPTION_SOCKET))
		return weirctl_option(weirctl, OPTION_SOCKET);
	if (!file && (access(path_default, F_OK) == 0 || access(WEIRCTL_CONFIG_DEFAULT, R_OK) != 0))
		return path_default;
	if (config_load(file ? file : WEIRCTL_CONFIG_DEFAULT, &config, error, sizeof(error)) < 0) {
		if (!file)
			return path_default;
		weirctl_fail(weirctl, RPC_CODE_FAILED, "%s", error);
		return NULL;
	}
	config_rpc_socket_path(&config, text, bytes);
	config_free(&config);
	return text;
}

int weirctl_connect(struct weirctl *weirctl)
{
	const char *timeout = weirctl_option(weirctl, OPTION_TIMEOUT), *path;
	uint64_t timeout_ms = TIMEOUT_MS_DEFAULT;
	char text[256];

	if (weirctl->client)
		return 0;
	if (timeout &&
		(config_duration_parse(timeout, &timeout_ms) < 0 || timeout_ms == 0 || timeout_ms > 86400000))
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--timeout: \"%.64s\" is not a duration of at most a day (like 5s)", timeout);
	path = socket_path(weirctl, text, sizeof(text));
	if (!path)
		return -1;
	return rpc_client_open(path, (int)timeout_ms, &weirctl->client, &weirctl->error);
}

int weirctl_call(struct weirctl *weirctl, const char *method, json_t *params, json_t **ret_result)
{
	if (weirctl_connect(weirctl) < 0) {
		json_decref(params);
		return -1;
	}
	return rpc_client_call(weirctl->client, method, params, ret_result, &weirctl->error);
}

int weirctl_param_count(struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key,
	uint64_t min, uint64_t max)
{
	const char *text = weirctl_option(weirctl, option);
	uint64_t value;

	if (!text)
		return 0;
	if (!options_count(text, min, max, &value))
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--%s: \"%.64s\" is not a whole number from %llu to %llu", key, text,
			(unsigned long long)min, (unsigned long long)max);
	json_object_set_new(params, key, json_integer((json_int_t)value));
	return 0;
}

int weirctl_param_seconds(
	struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key)
{
	const char *text = weirctl_option(weirctl, option);
	uint64_t ms;

	if (!text || strcmp(text, "never") == 0)
		return 0;
	if (config_duration_parse(text, &ms) < 0 || ms == 0)
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--%s: \"%.64s\" is not a duration (like 90s, 10m, 12h, 30d or never)", key, text);
	json_object_set_new(params, key, json_real((double)ms / 1000));
	return 0;
}

void weirctl_param_text(struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key)
{
	const char *text = weirctl_option(weirctl, option);

	if (text)
		json_object_set_new(params, key, json_string(text));
}

void weirctl_param_flag(struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key)
{
	if (weirctl_option(weirctl, option))
		json_object_set_new(params, key, json_true());
}

int weirctl_prefix(struct weirctl *weirctl, const char *text, struct prefix *ret_prefix)
{
	switch (prefix_parse(text, ret_prefix)) {
	case 0:
		return 0;
	case -ERANGE:
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"\"%.64s\": the length is out of range (allowed: 0 to 32 for IPv4, 0 to 128 for "
			"IPv6)",
			text);
	case -EDOM:
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"\"%.64s\" has bits set behind its length: give the prefix's first address", text);
	default:
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"\"%.64s\" is not an address or a prefix (like 203.0.113.9, 203.0.113.0/24 or "
			"2001:db8::/32)",
			text);
	}
}

int weirctl_param_target(struct weirctl *weirctl, json_t *params, const char *text)
{
	struct prefix prefix;
	char canonical[PREFIX_TEXT_MAX];

	if (strncmp(text, "id:", 3) == 0) {
		json_object_set_new(params, "id", json_string(text + 3));
		return 0;
	}
	if (weirctl_prefix(weirctl, text, &prefix) < 0)
		return -1;
	json_object_set_new(params, "prefix", json_string(prefix_format(&prefix, canonical)));
	return 0;
}
