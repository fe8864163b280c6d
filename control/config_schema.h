/* SPDX-License-Identifier: BSD-3-Clause
 * The schema: one row per key with its type, unit, default, range and help. Read by the YAML walk, by `config
 * show` and by the reference page. Constant data; inside the configuration library only.
 */
#ifndef WEIR_CONTROL_CONFIG_SCHEMA_H
#define WEIR_CONTROL_CONFIG_SCHEMA_H

#include "control/config.h"

enum config_type {
	CONFIG_TYPE_COUNT,    /* uint64_t */
	CONFIG_TYPE_DURATION, /* uint64_t, milliseconds */
	CONFIG_TYPE_RATE,     /* uint64_t per 1000 s, written per second */
	CONFIG_TYPE_NUMBER,   /* double; min and max in thousandths */
	CONFIG_TYPE_SECONDS,  /* double, seconds, written as a duration; min and max in ms */
	CONFIG_TYPE_CHOICE,   /* uint64_t */
	CONFIG_TYPE_NAME,     /* char[CONFIG_TEXT_MAX] of letters, digits, '.', '_', '-' */
	CONFIG_TYPE_PATH,     /* char[CONFIG_TEXT_MAX], absolute */
	CONFIG_TYPE_TEXT,     /* char[CONFIG_TEXT_MAX] without blanks and control characters */
	CONFIG_TYPE_PREFIX,   /* struct prefix */
	/* lists; never `name[]` rows */
	CONFIG_TYPE_ADDRESSES,
	CONFIG_TYPE_PREFIXES,
	CONFIG_TYPE_WORDS,
	CONFIG_TYPE_CORES,
	CONFIG_TYPE_OBJECTS, /* elements described by the rows "path[].key" */
};

struct config_choice {
	const char *name;
	uint64_t value;
};

struct config_row {
	const char *path;
	enum config_type type;
	uint32_t offset;       /* in struct config, or in the element for "list[].key" */
	uint32_t count_offset; /* lists: the size_t that counts */
	uint32_t element_bytes, element_max;
	int64_t min, max;
	const struct config_choice *choices; /* ends with name NULL */
	const char *default_text; /* NULL: computed, must be given ("list[].key") or an empty list */
	bool computed;            /* "list[].key" without a default that config_check computes */
	const char *help;
};

extern const struct config_row config_rows[];
extern const size_t config_n_rows;

/** Fill in what a profile sets, over the defaults of the rows (config_profile.c). */
void config_profile_fill(struct config *config, enum config_profile profile);

/** The row of a full path, or NULL. */
const struct config_row *config_row_find(const char *path);
/** Index of a "list[].key" row inside its element, from 1; 0 for others. */
unsigned config_row_element_index(const struct config_row *row);

/** Parse one scalar into the object at `base`; -EINVAL with `why` (without the key): "NAME is not a ...
 * (allowed: ...)". */
int config_value_parse(
	const struct config_row *row, const char *text, void *base, char *why, size_t why_bytes);
/** Print the value at `base`. Returns `text`. */
const char *config_value_format(const struct config_row *row, const void *base, char *text, size_t bytes);
/** "1..65535", "1s..30d", "tcp | udp". Returns `text`. */
const char *config_range_format(const struct config_row *row, char *text, size_t bytes);
/** "90", "90s", "1.5h", "250ms" to milliseconds. -EINVAL, -ERANGE beyond 100 years. */
int config_duration_parse(const char *text, uint64_t *ret_ms);
/** An address or ADDRESS/LENGTH; -EINVAL with `why` as above. */
int config_prefix_parse(const char *text, struct prefix *ret_prefix, char *why, size_t why_bytes);
const char *config_duration_format(uint64_t ms, char *text, size_t bytes);

/** Checks across keys. -EINVAL with a whole sentence in error_text. Fills values derived from others. */
int config_check(struct config *config, char *error_text, size_t error_bytes);
/** Compose "FILE:LINE:COLUMN: key: what"; always returns -EINVAL. */
int config_error(const struct config *config, struct config_position at, const char *key, char *error_text,
	size_t error_bytes, const char *format, ...) __attribute__((format(printf, 6, 7)));

#endif
