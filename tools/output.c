/* SPDX-License-Identifier: BSD-3-Clause
 * The display API of the tools over libsmartcols and jansson. One thread; see output.h.
 */
#include "tools/output.h"

#include <errno.h>
#include <inttypes.h>
#include <libsmartcols.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OUTPUT_CELL_MAX = 1024, JSON_FLAGS = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15) };

struct output {
	bool json;
	FILE *held; /* memory stream */
	char *text;
	size_t bytes;
	/* the table under way */
	const struct output_column *columns;
	struct libscols_table *table;
	bool any_row;
	/* the text under way */
	FILE *file;
	char *file_text;
	size_t file_bytes;
};

int output_open(bool json, struct output **ret_output)
{
	struct output *output = calloc(1, sizeof(*output));

	if (!output)
		return -ENOMEM;
	output->json = json;
	output->held = open_memstream(&output->text, &output->bytes);
	if (!output->held) {
		free(output);
		return -ENOMEM;
	}
	*ret_output = output;
	return 0;
}

int output_end(struct output *output, bool failed)
{
	int rc = fclose(output->held) == 0 ? 0 : -ENOMEM;

	if (rc == 0 && !failed && output->bytes > 0) {
		if (fwrite(output->text, 1, output->bytes, stdout) != output->bytes || fflush(stdout) != 0)
			rc = -errno;
	}
	if (output->file)
		fclose(output->file);
	free(output->file_text);
	if (output->table)
		scols_unref_table(output->table);
	free(output->text);
	free(output);
	return rc;
}

json_t *output_find(const json_t *object, const char *path)
{
	json_t *at = (json_t *)(uintptr_t)object;

	while (at && *path != '\0') {
		char key[96];
		size_t n = strcspn(path, ".");
		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		at = json_object_get(at, key);
		path += n + (path[n] == '.');
	}
	return at;
}

/* "3d4h", "12m30s", "1.5s": the two largest units. */
static void span_format(double seconds, char *text, size_t bytes)
{
	static const struct {
		const char *unit;
		uint64_t s;
	} units[] = {{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}};
	uint64_t whole = (uint64_t)seconds;
	size_t n = 0;

	if (seconds < 60) {
		snprintf(text, bytes, seconds == (double)whole ? "%.0fs" : "%.3gs", seconds);
		return;
	}
	for (size_t i = 0, shown = 0; i < 4 && shown < 2; i++) {
		if (whole / units[i].s == 0)
			continue;
		n += (size_t)snprintf(
			text + n, bytes - n, "%" PRIu64 "%s", whole / units[i].s, units[i].unit);
		whole %= units[i].s;
		shown++;
		if (n >= bytes)
			return;
	}
}

static void time_format(double t, char *text, size_t bytes)
{
	time_t seconds = (time_t)t;
	struct tm local;

	if (!localtime_r(&seconds, &local) || strftime(text, bytes, "%Y-%m-%d %H:%M:%S", &local) == 0)
		snprintf(text, bytes, "%.0f", t);
}

static void list_format(const json_t *list, char *text, size_t bytes)
{
	size_t used = 0, i;
	json_t *element;

	text[0] = '\0';
	json_array_foreach(list, i, element)
	{
		char part[256];
		output_format(element, OUTPUT_TEXT, part, sizeof(part));
		used += (size_t)snprintf(text + used, bytes - used, "%s%s", i ? " " : "", part);
		if (used >= bytes)
			return;
	}
	if (used == 0)
		snprintf(text, bytes, "-");
}

const char *output_format(const json_t *value, enum output_kind kind, char *text, size_t bytes)
{
	double number = json_number_value(value);

	if (!value || json_is_null(value)) {
		snprintf(text, bytes, "%s",
			value && kind == OUTPUT_TIME   ? "never"
			: value && kind == OUTPUT_SPAN ? "for ever"
						       : "-");
	} else if (json_is_array(value)) {
		list_format(value, text, bytes);
	} else if (json_is_boolean(value)) {
		snprintf(text, bytes, "%s", json_is_true(value) ? "yes" : "no");
	} else if (json_is_string(value)) {
		snprintf(text, bytes, "%s", json_string_value(value));
	} else if (!json_is_number(value)) {
		char *dumped = json_dumps(value, JSON_FLAGS);
		snprintf(text, bytes, "%s", dumped ? dumped : "?");
		free(dumped);
	} else if (kind == OUTPUT_TIME) {
		time_format(number, text, bytes);
	} else if (kind == OUTPUT_SPAN) {
		span_format(number, text, bytes);
	} else if (kind == OUTPUT_SPAN_MS) {
		snprintf(text, bytes, "%.6g ms", number);
	} else if (kind == OUTPUT_YES_NO) {
		snprintf(text, bytes, "%s", number != 0 ? "yes" : "no");
	} else if (json_is_integer(value)) {
		snprintf(text, bytes, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else {
		snprintf(text, bytes, "%.6g", number);
	}
	/* One line a cell, whatever a peer's reason holds. */
	for (char *at = text; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
	}
	return text;
}

static bool kind_is_right(enum output_kind kind)
{
	return kind == OUTPUT_COUNT || kind == OUTPUT_NUMBER || kind == OUTPUT_SPAN_MS;
}

static struct libscols_table *table_new(const struct output_column *columns, FILE *to)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return NULL;
	scols_table_set_stream(table, to);
	scols_table_set_column_separator(table, "  ");
	/* The terminal wraps: a cut address is worse than a long line. */
	scols_table_set_termwidth(table, 1 << 16);
	scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	for (size_t i = 0; columns[i].key; i++)
		scols_table_new_column(table, columns[i].title ? columns[i].title : columns[i].key, 0,
			kind_is_right(columns[i].kind) ? SCOLS_FL_RIGHT : 0);
	return table;
}

static void table_row(struct libscols_table *table, const struct output_column *columns, const json_t *row,
	const char *name)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[OUTPUT_CELL_MAX];

	for (size_t i = 0; line && columns[i].key; i++) {
		if (i == 0 && name)
			scols_line_set_data(line, i, name);
		else
			scols_line_set_data(line, i,
				output_format(output_find(row, columns[i].key), columns[i].kind, text,
					sizeof(text)));
	}
}

static void view_table(struct output *output, const json_t *part, const struct output_column *columns)
{
	struct libscols_table *table = table_new(columns, output->held);
	const char *name;
	json_t *row;
	size_t i;

	if (!table)
		return;
	if (json_is_array(part)) {
		json_array_foreach(part, i, row) table_row(table, columns, row, NULL);
	} else {
		json_object_foreach((json_t *)(uintptr_t)part, name, row)
			table_row(table, columns, row, name);
	}
	scols_print_table(table);
	scols_unref_table(table);
}

static void record_line(
	struct libscols_table *table, const char *title, const json_t *value, enum output_kind kind)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char text[OUTPUT_CELL_MAX];

	if (!line)
		return;
	scols_line_set_data(line, 0, title);
	scols_line_set_data(line, 1, output_format(value, kind, text, sizeof(text)));
}

static bool has_meaning(const json_t *value, enum output_kind kind)
{
	if (json_is_null(value))
		return kind == OUTPUT_TIME || kind == OUTPUT_SPAN;
	return !json_is_string(value) || json_string_length(value) > 0;
}

static void view_record(struct output *output, const json_t *part, const struct output_column *columns)
{
	static const struct output_column two[] = {{"name"}, {"value"}, {NULL}};
	struct libscols_table *table = table_new(two, output->held);
	const char *name;
	json_t *value;

	if (!table)
		return;
	scols_table_enable_noheadings(table, 1);
	if (columns) {
		for (; columns->key; columns++) {
			value = output_find(part, columns->key);
			/* Nothing to say is not said: an empty text is "no error", null "does not apply", but
			 * of a time "never". */
			if (value && has_meaning(value, columns->kind))
				record_line(table, columns->title ? columns->title : columns->key, value,
					columns->kind);
		}
	} else {
		json_object_foreach((json_t *)(uintptr_t)part, name, value)
		{
			if (!json_is_object(value))
				record_line(table, name, value, OUTPUT_TEXT);
		}
	}
	scols_print_table(table);
	scols_unref_table(table);
}

static void json_line(struct output *output, const json_t *value)
{
	json_dumpf(value, output->held, JSON_FLAGS);
	fputc('\n', output->held);
}

void output_answer(struct output *output, const json_t *answer, const struct output_view *views)
{
	bool first = true;

	if (output->json) {
		json_line(output, answer);
		return;
	}
	for (; views->key; views++) {
		const json_t *part = output_find(answer, views->key);
		bool empty = (json_is_array(part) && json_array_size(part) == 0) ||
			     (json_is_object(part) && json_object_size(part) == 0);
		if (!part || json_is_null(part) || empty)
			continue;
		fprintf(output->held, "%s", first ? "" : "\n");
		first = false;
		if (views->heading)
			fprintf(output->held, "%s\n", views->heading);
		if (views->is_table)
			view_table(output, part, views->columns);
		else
			view_record(output, part, views->columns);
	}
}

void output_sentence(struct output *output, const json_t *answer, const char *format, ...)
{
	va_list arguments;

	if (output->json) {
		json_line(output, answer);
		return;
	}
	va_start(arguments, format);
	vfprintf(output->held, format, arguments);
	va_end(arguments);
	fputc('\n', output->held);
}

void output_rows_begin(struct output *output, const char *key, const struct output_column *columns)
{
	output->columns = columns;
	output->any_row = false;
	if (output->json)
		fprintf(output->held, "{\"%s\":[", key);
	else
		output->table = table_new(columns, output->held);
}

void output_row(struct output *output, const json_t *row)
{
	if (output->json) {
		fputs(output->any_row ? "," : "", output->held);
		json_dumpf(row, output->held, JSON_FLAGS);
	} else if (output->table) {
		table_row(output->table, output->columns, row, NULL);
	}
	output->any_row = true;
}

void output_rows_end(struct output *output, const json_t *more, const char *nothing)
{
	const char *key;
	json_t *value;

	if (output->json) {
		fputc(']', output->held);
		json_object_foreach((json_t *)(uintptr_t)more, key, value)
		{
			fprintf(output->held, ",\"%s\":", key);
			json_dumpf(value, output->held, JSON_FLAGS);
		}
		fputs("}\n", output->held);
	} else if (!output->any_row) {
		fprintf(output->held, "%s\n", nothing);
	} else if (output->table) {
		scols_print_table(output->table);
	}
	if (output->table)
		scols_unref_table(output->table);
	output->table = NULL;
}

void output_text(struct output *output, const char *format, ...)
{
	FILE *to = output->held;
	va_list arguments;

	if (output->json) {
		if (!output->file)
			output->file = open_memstream(&output->file_text, &output->file_bytes);
		to = output->file;
	}
	if (!to)
		return;
	va_start(arguments, format);
	vfprintf(to, format, arguments);
	va_end(arguments);
}

void output_text_end(struct output *output, const char *key)
{
	json_t *object;

	if (!output->json)
		return;
	if (output->file)
		fclose(output->file);
	output->file = NULL;
	object = json_pack("{s:s}", key, output->file_text ? output->file_text : "");
	if (object)
		json_line(output, object);
	json_decref(object);
}

int output_stream(struct output *output, const json_t *element, const char *sentence)
{
	if (output->json) {
		json_dumpf(element, stdout, JSON_FLAGS);
		fputc('\n', stdout);
	} else {
		printf("%s\n", sentence);
	}
	return fflush(stdout) == 0 ? 0 : -errno;
}

void output_error(bool json, const char *program, int code, const char *message, const json_t *lines)
{
	json_t *error, *line;
	size_t i;

	if (json) {
		error = json_pack("{s:{s:i,s:s}}", "error", "code", code, "message", message);
		if (error && lines)
			json_object_set(json_object_get(error, "error"), "lines", (json_t *)(uintptr_t)lines);
		json_dumpf(error, stderr, JSON_FLAGS);
		fputc('\n', stderr);
		json_decref(error);
		return;
	}
	json_array_foreach(lines, i, line) fprintf(stderr, "%s:%" JSON_INTEGER_FORMAT ": %s\n",
		json_string_value(json_object_get(line, "file")),
		json_integer_value(json_object_get(line, "line")),
		json_string_value(json_object_get(line, "message")));
	fprintf(stderr, "%s: %s\n", program, message);
}
