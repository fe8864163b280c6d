/* SPDX-License-Identifier: BSD-3-Clause
 * One scalar of the configuration between text and value: parse, range check, print. Pure functions, any
 * thread.
 */
#include "control/config_schema.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DURATION_MS_MAX (INT64_C(100) * 365 * 24 * 3600 * 1000)

static const struct {
	const char *name;
	uint64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}, {"w", 604800000}};

/* Digits with at most three decimals, as thousandths. Returns the rest of the text, or NULL. */
static const char *thousandths_parse(const char *text, int64_t *ret_value)
{
	int64_t value = 0;
	int decimals = -1;
	if (!isdigit((unsigned char)*text))
		return NULL;
	for (; isdigit((unsigned char)*text) || (*text == '.' && decimals < 0); text++) {
		if (*text == '.') {
			decimals = 0;
			continue;
		}
		if (decimals == 3 || value > INT64_MAX / 10000 - 10)
			return NULL;
		value = value * 10 + (*text - '0');
		decimals += decimals >= 0;
	}
	for (int i = decimals < 0 ? 0 : decimals; i < 3; i++)
		value *= 10;
	*ret_value = value;
	return decimals == 0 ? NULL : text;
}

int config_duration_parse(const char *text, uint64_t *ret_ms)
{
	int64_t value;
	const char *unit = thousandths_parse(text, &value);
	if (unit == NULL)
		return -EINVAL;
	uint64_t unit_ms = 0;
	if (*unit == '\0')
		unit_ms = 1000;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name) == 0)
			unit_ms = units[i].ms;
	}
	if (unit_ms == 0)
		return -EINVAL;
	__int128 ms = (__int128)value * (int64_t)unit_ms / 1000;
	if (ms > DURATION_MS_MAX)
		return -ERANGE;
	*ret_ms = (uint64_t)ms;
	return 0;
}

const char *config_duration_format(uint64_t ms, char *text, size_t bytes)
{
	const char *unit = "ms";
	uint64_t size = 1;
	for (size_t i = 1; i + 1 < sizeof(units) / sizeof(units[0]) && ms != 0; i++) {
		if (ms % units[i].ms == 0) {
			unit = units[i].name;
			size = units[i].ms;
		}
	}
	snprintf(text, bytes, "%" PRIu64 "%s", ms / size, ms == 0 ? "s" : unit);
	return text;
}

static const char *thousandths_format(int64_t value, char *text, size_t bytes)
{
	snprintf(text, bytes, "%s%lld", value < 0 ? "-" : "", llabs(value) / 1000);
	if (value % 1000 != 0) {
		size_t n = strlen(text);
		snprintf(text + n, bytes - n, ".%03d", (int)(llabs(value) % 1000));
		for (n = strlen(text); text[n - 1] == '0'; n--)
			text[n - 1] = '\0';
	}
	return text;
}

static const char *scaled_format(enum config_type type, int64_t value, char *text, size_t bytes)
{
	switch (type) {
	case CONFIG_TYPE_DURATION:
	case CONFIG_TYPE_SECONDS:
		return config_duration_format((uint64_t)value, text, bytes);
	case CONFIG_TYPE_RATE:
	case CONFIG_TYPE_NUMBER:
		return thousandths_format(value, text, bytes);
	default:
		snprintf(text, bytes, "%" PRId64, value);
		return text;
	}
}

const char *config_range_format(const struct config_row *row, char *text, size_t bytes)
{
	char low[40], high[40];
	size_t n = 0;
	switch (row->type) {
	case CONFIG_TYPE_COUNT:
	case CONFIG_TYPE_DURATION:
	case CONFIG_TYPE_RATE:
	case CONFIG_TYPE_NUMBER:
	case CONFIG_TYPE_SECONDS:
	case CONFIG_TYPE_CORES:
		snprintf(text, bytes, "%s..%s", scaled_format(row->type, row->min, low, sizeof(low)),
			scaled_format(row->type, row->max, high, sizeof(high)));
		break;
	case CONFIG_TYPE_CHOICE:
		for (const struct config_choice *choice = row->choices; choice->name != NULL && n < bytes;
			choice++)
			n += (size_t)snprintf(text + n, bytes - n, "%s%s", n == 0 ? "" : " | ", choice->name);
		break;
	case CONFIG_TYPE_NAME:
		snprintf(text, bytes, "at most %" PRId64 " letters, digits, '.', '_', '-'", row->max);
		break;
	case CONFIG_TYPE_PATH:
		snprintf(text, bytes, "an absolute path of at most %" PRId64 " bytes", row->max);
		break;
	case CONFIG_TYPE_TEXT:
	case CONFIG_TYPE_WORDS:
		snprintf(text, bytes, "1 to %" PRId64 " printable characters without blanks", row->max);
		break;
	case CONFIG_TYPE_ADDRESSES:
		snprintf(text, bytes, "IPv4 or IPv6 addresses");
		break;
	case CONFIG_TYPE_PREFIX:
	case CONFIG_TYPE_PREFIXES:
		snprintf(text, bytes, "addresses or ADDRESS/LENGTH");
		break;
	case CONFIG_TYPE_OBJECTS:
		snprintf(text, bytes, "at most %u entries", row->element_max);
		break;
	}
	return text;
}

int config_prefix_parse(const char *text, struct prefix *ret_prefix, char *why, size_t why_bytes)
{
	const char *what = "is not an address or a prefix (allowed: addresses or ADDRESS/LENGTH)";
	int error = prefix_parse(text, ret_prefix);

	if (error == 0)
		return 0;
	if (error == -ERANGE)
		what = "has a length out of range (allowed: /0../32 for IPv4, /0../128 for IPv6)";
	else if (error == -EDOM)
		what = "has bits set behind its length (allowed: the network's first address)";
	snprintf(why, why_bytes, "\"%.60s\" %s", text, what);
	return -EINVAL;
}

static bool word_is_valid(const char *text, bool name)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (name ? !isalnum(c) && strchr("._-", c) == NULL : c <= ' ' || c == 0x7f)
			return false;
	}
	return true;
}

static int number_parse(
	const struct config_row *row, const char *text, int64_t *ret_value, const char **ret_kind)
{
	const char *rest;
	uint64_t ms;
	int64_t value;
	bool negative = *text == '-' && row->min < 0;
	int error;

	switch (row->type) {
	case CONFIG_TYPE_DURATION:
	case CONFIG_TYPE_SECONDS:
		*ret_kind = "a duration such as 90, 90s, 10m, 2h or 30d";
		error = config_duration_parse(text, &ms);
		if (error == 0)
			*ret_value = (int64_t)ms;
		return error;
	case CONFIG_TYPE_RATE:
	case CONFIG_TYPE_NUMBER:
		*ret_kind = "a number with at most three decimals";
		rest = thousandths_parse(text + negative, &value);
		if (rest == NULL || *rest != '\0')
			return -EINVAL;
		*ret_value = negative ? -value : value;
		return 0;
	default:
		*ret_kind = "a whole number";
		if (*text == '\0' || strspn(text, "0123456789") != strlen(text))
			return -EINVAL;
		errno = 0;
		value = strtoll(text, NULL, 10);
		if (errno != 0)
			return -ERANGE;
		*ret_value = value;
		return 0;
	}
}

static int choice_parse(const struct config_row *row, const char *text, uint64_t *ret_value)
{
	for (const struct config_choice *choice = row->choices; choice->name != NULL; choice++) {
		if (strcmp(choice->name, text) == 0) {
			*ret_value = choice->value;
			return 0;
		}
	}
	return -EINVAL;
}

static int text_parse(const struct config_row *row, const char *text, char *to)
{
	size_t length = strlen(text);
	bool may_be_empty = row->default_text != NULL && row->default_text[0] == '\0';
	if (length > (size_t)row->max || length >= CONFIG_TEXT_MAX || (length == 0 && !may_be_empty))
		return -EINVAL;
	if (!word_is_valid(text, row->type == CONFIG_TYPE_NAME))
		return -EINVAL;
	if (row->type == CONFIG_TYPE_PATH && length > 0 && (text[0] != '/' || strstr(text, "/../") != NULL))
		return -EINVAL;
	memcpy(to, text, length + 1);
	return 0;
}

static int why_not(
	const struct config_row *row, const char *text, const char *what, char *why, size_t why_bytes)
{
	char range[256];
	snprintf(why, why_bytes, "\"%.60s\" %s (allowed: %s)", text, what,
		config_range_format(row, range, sizeof(range)));
	return -EINVAL;
}

int config_value_parse(
	const struct config_row *row, const char *text, void *base, char *why, size_t why_bytes)
{
	void *field = (char *)base + row->offset;
	const char *kind = "";
	char what[128];
	int64_t value = 0;

	switch (row->type) {
	case CONFIG_TYPE_CHOICE:
		if (choice_parse(row, text, field) == 0)
			return 0;
		return why_not(row, text, "is not one of the choices", why, why_bytes);
	case CONFIG_TYPE_NAME:
	case CONFIG_TYPE_PATH:
	case CONFIG_TYPE_TEXT:
		if (text_parse(row, text, field) == 0)
			return 0;
		return why_not(row, text, "cannot be used here", why, why_bytes);
	case CONFIG_TYPE_PREFIX:
		return config_prefix_parse(text, field, why, why_bytes);
	default:
		break;
	}
	int error = number_parse(row, text, &value, &kind);
	if (error == -EINVAL) {
		snprintf(what, sizeof(what), "is not %s", kind);
		return why_not(row, text, what, why, why_bytes);
	}
	if (error == -ERANGE || value < row->min || value > row->max)
		return why_not(row, text, "is out of range", why, why_bytes);
	if (row->type == CONFIG_TYPE_NUMBER || row->type == CONFIG_TYPE_SECONDS)
		*(double *)field = (double)value / 1000.0;
	else
		*(uint64_t *)field = (uint64_t)value;
	return 0;
}

const char *config_value_format(const struct config_row *row, const void *base, char *text, size_t bytes)
{
	const void *field = (const char *)base + row->offset;
	switch (row->type) {
	case CONFIG_TYPE_CHOICE:
		for (const struct config_choice *choice = row->choices; choice->name != NULL; choice++) {
			if (choice->value == *(const uint64_t *)field) {
				snprintf(text, bytes, "%s", choice->name);
				break;
			}
		}
		return text;
	case CONFIG_TYPE_NAME:
	case CONFIG_TYPE_PATH:
	case CONFIG_TYPE_TEXT:
		snprintf(text, bytes, "%s", (const char *)field);
		return text;
	case CONFIG_TYPE_PREFIX:
		return prefix_format(field, text);
	case CONFIG_TYPE_NUMBER:
	case CONFIG_TYPE_SECONDS:
		return scaled_format(row->type, llround(*(const double *)field * 1000.0), text, bytes);
	default:
		return scaled_format(row->type, (int64_t) * (const uint64_t *)field, text, bytes);
	}
}
