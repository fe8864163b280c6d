/* SPDX-License-Identifier: BSD-3-Clause
 * What the tools print: one display API, so that no command asks whether it speaks to a human or to a
 * program. Human: tables by libsmartcols and sentences. JSON: one object with raw numbers and snake_case
 * keys, exactly what control said; streams are one object a line. All of it is held back until output_end, so
 * an error leaves standard output empty.
 */
#ifndef WEIR_TOOLS_OUTPUT_H
#define WEIR_TOOLS_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum output_kind {
	OUTPUT_TEXT,    /* null: "-" */
	OUTPUT_COUNT,   /* whole number, right */
	OUTPUT_NUMBER,  /* number with decimals, right */
	OUTPUT_TIME,    /* seconds of wall clock; null: "never" */
	OUTPUT_SPAN,    /* seconds; null: "for ever" */
	OUTPUT_SPAN_MS, /* milliseconds */
	OUTPUT_YES_NO,
	OUTPUT_LIST, /* array, joined by blanks */
};

/** One column of a table, or one line of a record. `key` may be a path: "ban.until". */
struct output_column {
	const char *key;
	const char *title; /* NULL: the key */
	enum output_kind kind;
};

/** How a human sees one part of an answer. Ends with columns[].key NULL. */
struct output_view {
	const char *key; /* where the part is in the answer: "" the answer itself, "bans", "a.b"; NULL ends an
			    array of views */
	const char *heading;                 /* printed above; NULL: none */
	const struct output_column *columns; /* NULL: every member with a plain value, by its name */
	bool is_table; /* the part is an array with a row for each element; an object of objects gives "name"
			  first */
};

struct output;

/** -ENOMEM. */
int output_open(bool json, struct output **ret_output);
/** Print what was held back, unless it `failed`. Frees. 0, or -errno when standard output cannot be written.
 */
int output_end(struct output *output, bool failed);

/** An answer: JSON prints it as it is; a human gets the views in order (those whose part is missing are left
 * out). */
void output_answer(struct output *output, const json_t *answer, const struct output_view *views);
/** An answer that a sentence says best. */
__attribute__((format(printf, 3, 4))) void output_sentence(
	struct output *output, const json_t *answer, const char *format, ...);

/** A table that comes in parts: {KEY: [row, ...]} in JSON. */
void output_rows_begin(struct output *output, const char *key, const struct output_column *columns);
void output_row(struct output *output, const json_t *row);
/** `more` (may be NULL): members added behind the array. `nothing`: the sentence for a human when there was
 * no row. */
void output_rows_end(struct output *output, const json_t *more, const char *nothing);

/** Text that is the same for humans; in JSON it is the member `key`. For files: `ban export`, `config
 * dataplane-args`. */
__attribute__((format(printf, 2, 3))) void output_text(struct output *output, const char *format, ...);
void output_text_end(struct output *output, const char *key);

/** One element of an endless stream, printed at once. -errno when standard output is gone. */
int output_stream(struct output *output, const json_t *element, const char *sentence);

/** Errors go to standard error: a sentence, or {"error":{"code":C,"message":M}} (with
 * "lines":[{line,message}] if not NULL). */
void output_error(bool json, const char *program, int code, const char *message, const json_t *lines);

/** A value as a human reads it. Returns `text`. */
const char *output_format(const json_t *value, enum output_kind kind, char *text, size_t bytes);
/** The member at "a.b.c", or NULL. */
json_t *output_find(const json_t *object, const char *path);

#endif
