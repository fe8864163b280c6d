/* SPDX-License-Identifier: BSD-3-Clause
 * The walk of a YAML document along the schema: unknown, duplicate and mistyped keys are found here. The
 * walk's depth is the schema's, whatever the document's. Uses libyaml; must not read files itself.
 */
#include "control/config_yaml.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { DEPTH_MAX = 16 }; /* the schema needs 4: services, one of them, a group in it, a list in that */

struct walk {
	struct config *config;
	yaml_document_t *document;
	char *error_text;
	size_t error_bytes;
};

static struct config_position position_of(const yaml_node_t *node)
{
	return (struct config_position){
		(uint32_t)node->start_mark.line + 1, (uint32_t)node->start_mark.column + 1};
}

#define FAIL(walk, node, key, ...) \
	config_error((walk)->config, position_of(node), key, (walk)->error_text, (walk)->error_bytes, \
		__VA_ARGS__)

static const char *kind_of(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE     ? "a single value"
	       : node->type == YAML_SEQUENCE_NODE ? "a list"
						  : "a mapping";
}

/* A scalar's text if it is one without NUL bytes inside, else NULL after reporting. */
static const char *scalar_text(
	struct walk *walk, const yaml_node_t *node, const char *key, const char *wanted)
{
	if (node->type != YAML_SCALAR_NODE) {
		FAIL(walk, node, key, "this is %s, not a single value (allowed: %s)", kind_of(node), wanted);
		return NULL;
	}
	const char *text = (const char *)node->data.scalar.value;
	if (strlen(text) != node->data.scalar.length) {
		FAIL(walk, node, key, "the value holds a NUL character");
		return NULL;
	}
	return text;
}

static bool is_null(const yaml_node_t *node)
{
	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	const char *text = (const char *)node->data.scalar.value;
	return *text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* Names of the keys one step below `path`, for the sentence about an unknown one. */
static void list_keys(const char *path, char *text, size_t bytes)
{
	size_t length = strlen(path), n = 0;
	char last[64] = "";
	text[0] = '\0';
	for (size_t i = 0; i < config_n_rows; i++) {
		const char *row = config_rows[i].path;
		if (strncmp(row, path, length) != 0 || (length > 0 && row[length] != '.') ||
			strchr(row + length, '[') != NULL)
			continue;
		const char *name = row + length + (length > 0);
		size_t name_length = strcspn(name, ".");
		if (name_length >= sizeof(last) ||
			(strncmp(last, name, name_length) == 0 && last[name_length] == '\0'))
			continue;
		memcpy(last, name, name_length);
		last[name_length] = '\0';
		if (n < bytes)
			n += (size_t)snprintf(text + n, bytes - n, "%s%s", n == 0 ? "" : ", ", last);
	}
}

static bool has_keys_below(const char *path)
{
	size_t length = strlen(path);
	for (size_t i = 0; i < config_n_rows; i++) {
		if (strncmp(config_rows[i].path, path, length) == 0 && config_rows[i].path[length] == '.')
			return true;
	}
	return false;
}

static int prefix_add(
	struct walk *walk, const yaml_node_t *node, const struct config_row *row, const char *text)
{
	struct config_prefixes *list = (void *)((char *)walk->config + row->offset);
	struct config_prefix *item;
	char why[256];
	if (list->n == list->capacity) {
		size_t capacity = list->capacity == 0 ? 64 : list->capacity * 2;
		if (capacity > CONFIG_LIST_MAX * 2)
			return FAIL(walk, node, row->path, "more than %d entries", CONFIG_LIST_MAX);
		item = realloc(list->items, capacity * sizeof(*item));
		if (item == NULL)
			return -ENOMEM;
		list->items = item;
		list->capacity = capacity;
	}
	item = &list->items[list->n];
	if (config_prefix_parse(text, &item->prefix, why, sizeof(why)) != 0)
		return FAIL(walk, node, row->path, "%s", why);
	item->at = position_of(node);
	list->n++;
	return 0;
}

static int word_add(struct walk *walk, const yaml_node_t *node, const struct config_row *row,
	const char *text, struct config_word *word)
{
	char why[384], range[64];
	struct config_row element = *row;
	uint64_t number;
	int error;
	element.offset = 0;
	if (row->type == CONFIG_TYPE_CORES) {
		element.type = CONFIG_TYPE_COUNT;
		error = config_value_parse(&element, text, &number, why, sizeof(why));
		if (error == 0)
			snprintf(word->text, sizeof(word->text), "%u", (unsigned)number);
	} else {
		element.type = CONFIG_TYPE_TEXT;
		error = config_value_parse(&element, text, word->text, why, sizeof(why));
	}
	word->at = position_of(node);
	(void)range;
	return error == 0 ? 0 : FAIL(walk, node, row->path, "%s", why);
}

static int walk_mapping(
	struct walk *walk, yaml_node_t *node, const char *path, void *base, struct config_position *at);

/* "192.0.2.1:9000" or "[2001:db8::1]:9000" instead of {ip: ..., port: ...}. */
static int walk_endpoint(struct walk *walk, const yaml_node_t *node, const struct config_row *row, void *element)
{
	struct config_position *at = element;
	const char *text = scalar_text(walk, node, row->path, "ADDRESS:PORT"), *colon;
	char pieces[2][CONFIG_TEXT_MAX], path[128], why[384];
	if (text == NULL)
		return -EINVAL;
	colon = strrchr(text, ':');
	size_t length = colon == NULL ? 0 : (size_t)(colon - text);
	bool bracketed = length > 2 && text[0] == '[' && text[length - 1] == ']';
	/* without brackets nobody knows whether an IPv6 address ends with a port */
	if (colon == NULL || length >= sizeof(pieces[0]) || (!bracketed && strchr(text, ':') != colon))
		return FAIL(walk, node, row->path,
			"\"%.60s\" is not an endpoint (allowed: ADDRESS:PORT, [IPV6]:PORT, {ip: ADDRESS, "
			"port: PORT})",
			text);
	snprintf(pieces[0], sizeof(pieces[0]), "%.*s", (int)length - 2 * bracketed, text + bracketed);
	snprintf(pieces[1], sizeof(pieces[1]), "%.6s", colon + 1);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s[].%s", row->path, i == 0 ? "ip" : "port");
		const struct config_row *key = config_row_find(path);
		if (config_value_parse(key, pieces[i], element, why, sizeof(why)) != 0)
			return FAIL(walk, node, path, "%s", why);
		at[config_row_element_index(key)] = position_of(node);
	}
	return 0;
}

/* Whether an element may be written as an endpoint alone. */
static bool is_endpoint(const struct config_row *row)
{
	return strcmp(row->path, "preferred") == 0; /* a local root needs its group beside */
}

static int walk_object(struct walk *walk, yaml_node_t *node, const struct config_row *row, void *element)
{
	char path[128], name[160];
	struct config_position *at = element; /* first member of every element */
	size_t length;

	snprintf(path, sizeof(path), "%s[]", row->path);
	length = strlen(path);
	if (node->type != YAML_MAPPING_NODE && !(is_endpoint(row) && node->type == YAML_SCALAR_NODE))
		return FAIL(walk, node, row->path, "each entry is a mapping, but this is %s", kind_of(node));
	at[0] = position_of(node);
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *key = &config_rows[i];
		char why[256];
		if (strncmp(key->path, path, length) == 0 && key->default_text != NULL)
			(void)config_value_parse(key, key->default_text, element, why, sizeof(why));
	}
	int error = node->type == YAML_MAPPING_NODE ? walk_mapping(walk, node, path, element, at)
						    : walk_endpoint(walk, node, row, element);
	if (error != 0)
		return error;
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *key = &config_rows[i];
		if (strncmp(key->path, path, length) != 0 || key->default_text != NULL || key->computed)
			continue;
		if (at[config_row_element_index(key)].line == 0) {
			char range[128];
			snprintf(name, sizeof(name), "%s", key->path);
			return FAIL(walk, node, name, "must be given (allowed: %s)",
				config_range_format(key, range, sizeof(range)));
		}
	}
	return 0;
}

static int walk_item(struct walk *walk, yaml_node_t *node, const struct config_row *row)
{
	size_t *count = (void *)((char *)walk->config + row->count_offset);
	char range[128];
	const char *text = NULL;

	if (row->type != CONFIG_TYPE_OBJECTS) {
		text = scalar_text(walk, node, row->path, config_range_format(row, range, sizeof(range)));
		if (text == NULL)
			return -EINVAL;
	}
	if (row->type == CONFIG_TYPE_PREFIXES)
		return prefix_add(walk, node, row, text);
	if (*count == row->element_max)
		return FAIL(
			walk, node, row->path, "too many entries (allowed: at most %u)", row->element_max);
	void *element = (char *)walk->config + row->offset + *count * row->element_bytes;
	int error = 0;
	memset(element, 0, row->element_bytes);
	if (row->type == CONFIG_TYPE_OBJECTS) {
		error = walk_object(walk, node, row, element);
	} else if (row->type == CONFIG_TYPE_ADDRESSES) {
		struct config_address *address = element;
		if (address_parse(text, &address->address) != 0)
			error = FAIL(walk, node, row->path, "\"%.60s\" is not an address (allowed: %s)", text,
				range);
		address->at = position_of(node);
	} else {
		error = word_add(walk, node, row, text, element);
	}
	if (error == 0)
		(*count)++;
	return error;
}

static int walk_value(struct walk *walk, yaml_node_t *key, yaml_node_t *node, const struct config_row *row,
	void *base, struct config_position *position)
{
	char why[384], range[256];
	int error = 0;

	*position = position_of(node);
	if (row->type < CONFIG_TYPE_ADDRESSES) {
		const char *text =
			scalar_text(walk, node, row->path, config_range_format(row, range, sizeof(range)));
		if (text == NULL)
			return -EINVAL;
		if (config_value_parse(row, text, base, why, sizeof(why)) != 0)
			return FAIL(walk, node, row->path, "%s", why);
		return 0;
	}
	if (is_null(node))
		return 0;
	if (node->type != YAML_SEQUENCE_NODE)
		return FAIL(walk, key, row->path, "this is %s, not a list (allowed: %s)", kind_of(node),
			config_range_format(row, range, sizeof(range)));
	for (yaml_node_item_t *item = node->data.sequence.items.start;
		item < node->data.sequence.items.top && error == 0; item++)
		error = walk_item(walk, yaml_document_get_node(walk->document, *item), row);
	return error;
}

/* Keys seen twice in one mapping, whatever their values. */
static int refuse_duplicate(struct walk *walk, const yaml_node_t *node, const yaml_node_pair_t *pair,
	const char *name, const char *path)
{
	for (const yaml_node_pair_t *other = node->data.mapping.pairs.start; other < pair; other++) {
		const yaml_node_t *key = yaml_document_get_node(walk->document, other->key);
		if (key->type == YAML_SCALAR_NODE && strcmp((const char *)key->data.scalar.value, name) == 0)
			return FAIL(walk, yaml_document_get_node(walk->document, pair->key), path,
				"given twice (first at line %zu)", key->start_mark.line + 1);
	}
	return 0;
}

static int walk_pair(struct walk *walk, const yaml_node_t *mapping, const yaml_node_pair_t *pair,
	const char *path, void *base, struct config_position *at)
{
	yaml_node_t *key = yaml_document_get_node(walk->document, pair->key);
	yaml_node_t *value = yaml_document_get_node(walk->document, pair->value);
	char name[160], keys[512];
	const char *text = scalar_text(walk, key, path[0] == '\0' ? "file" : path, "a key");
	int error;

	if (text == NULL)
		return -EINVAL;
	snprintf(name, sizeof(name), "%s%s%.60s", path, path[0] == '\0' ? "" : ".", text);
	error = refuse_duplicate(walk, mapping, pair, text, name);
	if (error != 0)
		return error;
	const struct config_row *row =
		strchr(text, '.') == NULL && strchr(text, '[') == NULL ? config_row_find(name) : NULL;
	if (row != NULL) {
		unsigned index = config_row_element_index(row);
		return walk_value(
			walk, key, value, row, base, &at[index != 0 ? index : (unsigned)(row - config_rows)]);
	}
	if (strchr(text, '.') != NULL || strchr(text, '[') != NULL || !has_keys_below(name)) {
		list_keys(path, keys, sizeof(keys));
		return FAIL(walk, key, name, "unknown key (allowed: %s)", keys);
	}
	if (is_null(value))
		return 0;
	if (value->type != YAML_MAPPING_NODE) {
		list_keys(name, keys, sizeof(keys));
		return FAIL(
			walk, value, name, "this is %s, not a mapping (allowed: %s)", kind_of(value), keys);
	}
	return walk_mapping(walk, value, name, base, at);
}

static int walk_mapping(
	struct walk *walk, yaml_node_t *node, const char *path, void *base, struct config_position *at)
{
	const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	/* the longest mapping of the schema has 20 keys; a longer one holds an unknown or a double one early
	 * on, and stops there, so looking back at every pair is cheap */
	for (; pair < node->data.mapping.pairs.top; pair++) {
		int error = walk_pair(walk, node, pair, path, base, at);
		if (error != 0)
			return error;
	}
	return 0;
}

/* The profile decides the defaults of everything else, so it is read before the rest. */
static void profile_apply(struct walk *walk, const yaml_node_t *root)
{
	const struct config_row *row = config_row_find("profile");
	char why[384];
	for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
		pair < root->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(walk->document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(walk->document, pair->value);
		if (key->type != YAML_SCALAR_NODE ||
			strcmp((const char *)key->data.scalar.value, "profile") != 0 ||
			value->type != YAML_SCALAR_NODE)
			continue;
		struct config chosen = *walk->config;
		if (config_value_parse(
			    row, (const char *)value->data.scalar.value, &chosen, why, sizeof(why)) == 0) {
			config_default(walk->config, (enum config_profile)chosen.profile);
			memcpy(walk->config->file, chosen.file, sizeof(chosen.file));
		}
	}
}

static int syntax_error(struct walk *walk, const yaml_parser_t *parser)
{
	struct config_position at = {
		(uint32_t)parser->problem_mark.line + 1, (uint32_t)parser->problem_mark.column + 1};
	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	return config_error(walk->config, at, "file", walk->error_text, walk->error_bytes, "not YAML: %s%s%s",
		parser->problem != NULL ? parser->problem : "unreadable", parser->context != NULL ? ", " : "",
		parser->context != NULL ? parser->context : "");
}

static int walk_document(struct walk *walk, yaml_parser_t *parser)
{
	yaml_document_t document, second;
	if (!yaml_parser_load(parser, &document))
		return syntax_error(walk, parser);
	walk->document = &document;
	yaml_node_t *root = yaml_document_get_root_node(&document);
	int error = 0;
	if (root != NULL && is_null(root)) {
		error = 0;
	} else if (root != NULL && root->type != YAML_MAPPING_NODE) {
		error = FAIL(
			walk, root, "file", "this is %s, not a mapping of keys to values", kind_of(root));
	} else if (root != NULL) {
		profile_apply(walk, root);
		error = walk_mapping(walk, root, "", walk->config, walk->config->at);
	}
	if (error == 0 && root != NULL) {
		if (!yaml_parser_load(parser, &second)) {
			error = syntax_error(walk, parser);
		} else {
			yaml_node_t *more = yaml_document_get_root_node(&second);
			if (more != NULL)
				error = FAIL(
					walk, more, "file", "a second document begins here (allowed: one)");
			yaml_document_delete(&second);
		}
	}
	yaml_document_delete(&document);
	return error;
}

/* The time of libyaml's scanner is the square of the nesting: a few hundred kilobytes of brackets would hold
 * a reload, and with it the event loop, for a minute. Stops at the first node that is too deep. */
static int depth_check(struct walk *walk, const char *text, size_t bytes)
{
	yaml_parser_t parser;
	yaml_event_t event;
	unsigned depth = 0;
	bool done = false;
	int error = 0;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	while (!done && error == 0 && yaml_parser_parse(&parser, &event)) {
		bool begins =
			event.type == YAML_SEQUENCE_START_EVENT || event.type == YAML_MAPPING_START_EVENT;
		bool ends = event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT;
		depth += begins;
		depth -= ends;
		done = event.type == YAML_STREAM_END_EVENT;
		if (depth > DEPTH_MAX) {
			snprintf(walk->error_text, walk->error_bytes,
				"%s:%zu:%zu: file: nested too deeply (allowed: %d levels)",
				walk->config->file, event.start_mark.line + 1, event.start_mark.column + 1,
				DEPTH_MAX);
			error = -EINVAL;
		}
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	return error; /* what is not YAML the walk says */
}

int config_yaml_read(
	const char *text, size_t bytes, struct config *config, char *error_text, size_t error_bytes)
{
	struct walk walk = {.config = config, .error_text = error_text, .error_bytes = error_bytes};
	yaml_parser_t parser;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, bytes);
	int error = depth_check(&walk, text, bytes);
	if (error == 0)
		error = walk_document(&walk, &parser);
	yaml_parser_delete(&parser);
	if (error == -ENOMEM)
		snprintf(error_text, error_bytes, "%s:1:1: file: not enough memory to read it", config->file);
	return error;
}
