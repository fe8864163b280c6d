/* SPDX-License-Identifier: BSD-3-Clause
 * Parser of ban files: one pass over the text in place, words cut by NULs. See ban_file.h for the two
 * grammars.
 */
#include "tools/ban_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/config_schema.h"

/* What `create` said of a set. */
struct ipset_set {
	const char *name;
	const char *unusable_type; /* the type, when its entries are not addresses alone */
	uint64_t timeout_s;
	uint8_t length; /* of each entry, 16-byte form; hash:ip with netmask is a set of networks */
	bool has_timeout;
};

struct ban_parser {
	struct ban_file *file;
	ban_file_complain complain;
	void *context;
	uint32_t line;
	char *cursor; /* rest of the line */
	struct ipset_set sets[BAN_FILE_SETS_MAX];
	size_t n_sets;
};

__attribute__((format(printf, 2, 3))) static void line_bad(struct ban_parser *parser, const char *format, ...)
{
	char sentence[BAN_FILE_SENTENCE_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	parser->file->bad++;
	if (parser->complain)
		parser->complain(parser->context, parser->line, sentence);
}

/* The next word of the line, or NULL. A word in double quotes may hold blanks; \" and \\ are unescaped in
 * place. */
static char *word_next(struct ban_parser *parser)
{
	char *from = parser->cursor + strspn(parser->cursor, " \t");
	char *to;

	if (*from == '\0')
		return NULL;
	if (*from != '"') {
		to = from + strcspn(from, " \t");
		parser->cursor = *to == '\0' ? to : to + 1;
		*to = '\0';
		return from;
	}
	to = ++from;
	for (char *at = from;; at++) {
		if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
			at++;
		else if (*at == '"' || *at == '\0') {
			parser->cursor = *at == '\0' ? at : at + 1;
			break;
		}
		*to++ = *at;
	}
	*to = '\0';
	return from;
}

static int entry_append(struct ban_parser *parser, const struct ban_entry *entry)
{
	struct ban_file *file = parser->file;

	if (file->n == file->capacity) {
		size_t capacity = file->capacity ? file->capacity * 2 : 1024;
		struct ban_entry *entries = reallocarray(file->entries, capacity, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		file->entries = entries;
		file->capacity = capacity;
	}
	file->entries[file->n++] = *entry;
	return 0;
}

/* False after complaining. */
static bool prefix_read(struct ban_parser *parser, const char *text, struct prefix *ret_prefix)
{
	char whole[PREFIX_TEXT_MAX], address_text[PREFIX_TEXT_MAX];
	struct address address;
	const char *slash;
	unsigned bits;

	switch (prefix_parse(text, ret_prefix)) {
	case 0:
		return true;
	case -ERANGE:
		line_bad(parser,
			"\"%.64s\": the length is out of range (allowed: 0 to 32 for IPv4, 0 to 128 for "
			"IPv6)",
			text);
		return false;
	case -EDOM:
		slash = strchr(text, '/');
		snprintf(address_text, sizeof(address_text), "%.*s", (int)(slash - text), text);
		bits = (unsigned)atoi(slash + 1) + (strchr(address_text, ':') ? 0 : PREFIX_V4_BASE);
		if (address_parse(address_text, &address) == 0) {
			struct prefix meant = prefix_of(&address, (uint8_t)bits);
			line_bad(parser, "\"%.64s\" has host bits set: did you mean %s?", text,
				prefix_format(&meant, whole));
			return false;
		}
		break;
	default:
		break;
	}
	if (strchr(text, '-'))
		line_bad(parser, "\"%.64s\" is not an address or prefix: ranges must be written as prefixes",
			text);
	else
		line_bad(parser, "\"%.64s\" is not an address or prefix", text);
	return false;
}

static int plain_line(struct ban_parser *parser, const char *first, const char *comment)
{
	struct ban_entry entry = {.line = parser->line, .comment = comment};
	const char *duration, *extra;

	if (!prefix_read(parser, first, &entry.prefix))
		return 0;
	duration = word_next(parser);
	if (duration) {
		entry.has_duration = true;
		if (strcmp(duration, "never") != 0) {
			if (config_duration_parse(duration, &entry.duration_ms) < 0 ||
				entry.duration_ms == 0) {
				line_bad(parser,
					"\"%.64s\" is not a duration (like 90s, 10m, 12h, 30d or never)",
					duration);
				return 0;
			}
		}
		extra = word_next(parser);
		if (extra) {
			line_bad(parser,
				"\"%.64s\" after the duration: a line is ADDRESS[/LENGTH] [DURATION] [# "
				"comment]",
				extra);
			return 0;
		}
	}
	return entry_append(parser, &entry);
}

/* Digits only. */
static bool number_read(const char *text, uint64_t max, uint64_t *ret_value)
{
	uint64_t value;

	if (!text || *text == '\0' || strlen(text) > 15 || strspn(text, "0123456789") != strlen(text))
		return false;
	value = strtoull(text, NULL, 10);
	if (value > max)
		return false;
	*ret_value = value;
	return true;
}

static struct ipset_set *set_find(struct ban_parser *parser, const char *name)
{
	for (size_t i = parser->n_sets; i > 0; i--) {
		if (strcmp(parser->sets[i - 1].name, name) == 0)
			return &parser->sets[i - 1];
	}
	return NULL;
}

static int ipset_create(struct ban_parser *parser)
{
	struct ipset_set set = {.length = PREFIX_HOST_LENGTH};
	bool v6 = false;
	uint64_t mask = 0;
	const char *type, *word;

	set.name = word_next(parser);
	type = word_next(parser);
	if (!set.name || !type) {
		line_bad(parser, "\"create\" needs a set's name and its type");
		return 0;
	}
	if (parser->n_sets == BAN_FILE_SETS_MAX) {
		line_bad(parser, "more than %d sets in one file", BAN_FILE_SETS_MAX);
		return 0;
	}
	if (strcmp(type, "hash:ip") != 0 && strcmp(type, "hash:net") != 0 && strcmp(type, "bitmap:ip") != 0)
		set.unusable_type = type;
	while ((word = word_next(parser))) {
		if (strcmp(word, "family") == 0) {
			const char *family = word_next(parser);
			v6 = family && strcmp(family, "inet6") == 0;
		} else if (strcmp(word, "timeout") == 0) {
			set.has_timeout = number_read(word_next(parser), UINT32_MAX, &set.timeout_s);
		} else if (strcmp(word, "netmask") == 0 && !number_read(word_next(parser), 128, &mask)) {
			line_bad(parser, "the netmask of set \"%.64s\" is not a number of bits", set.name);
			return 0;
		}
	}
	if (mask != 0 && (v6 || mask <= 32))
		set.length = (uint8_t)(mask + (v6 ? 0 : PREFIX_V4_BASE));
	parser->sets[parser->n_sets++] = set;
	return 0;
}

/* Options of an entry behind its address. False after complaining. */
static bool ipset_entry_options(struct ban_parser *parser, struct ban_entry *entry)
{
	static const char *const with_value[] = {"packets", "bytes", "skbmark", "skbprio", "skbqueue"};
	const char *word;

	while ((word = word_next(parser))) {
		bool known = false;
		if (strcmp(word, "timeout") == 0) {
			uint64_t seconds;
			if (!number_read(word_next(parser), UINT32_MAX, &seconds)) {
				line_bad(parser, "the timeout is not a number of seconds");
				return false;
			}
			entry->has_duration = true;
			entry->duration_ms = seconds * 1000;
			continue;
		}
		if (strcmp(word, "comment") == 0) {
			entry->comment = word_next(parser);
			continue;
		}
		if (strcmp(word, "nomatch") == 0) {
			line_bad(parser,
				"an exception (nomatch) is not a ban: use \"weirctl allow add\" for it");
			return false;
		}
		for (size_t i = 0; i < sizeof(with_value) / sizeof(with_value[0]); i++)
			known |= strcmp(word, with_value[i]) == 0;
		if (known)
			(void)word_next(parser);
		else if (strcmp(word, "-exist") != 0 && strcmp(word, "-!") != 0) {
			line_bad(parser, "\"%.64s\" is not an option of an ipset entry", word);
			return false;
		}
	}
	return true;
}

static int ipset_add(struct ban_parser *parser)
{
	struct ban_entry entry = {.line = parser->line};
	const char *name = word_next(parser), *text = word_next(parser);
	const struct ipset_set *set;

	if (!name || !text) {
		line_bad(parser, "\"add\" needs a set's name and an address");
		return 0;
	}
	set = set_find(parser, name);
	if (set && set->unusable_type) {
		line_bad(parser,
			"set \"%.64s\" has type %.64s: only hash:ip, hash:net and bitmap:ip hold plain "
			"addresses",
			name, set->unusable_type);
		return 0;
	}
	if (!prefix_read(parser, text, &entry.prefix))
		return 0;
	if (set && set->has_timeout) {
		entry.has_duration = true;
		entry.duration_ms = set->timeout_s * 1000;
	}
	if (!ipset_entry_options(parser, &entry))
		return 0;
	if (set && set->length < entry.prefix.length)
		entry.prefix = prefix_of(&entry.prefix.address, set->length);
	return entry_append(parser, &entry);
}

/* Ends the line where its comment begins; the comment without its blanks, or NULL. */
static const char *comment_cut(char *line)
{
	char *comment = line + strcspn(line, "#;");
	size_t n;

	if (*comment == '\0')
		return NULL;
	*comment++ = '\0';
	comment += strspn(comment, " \t#;");
	for (n = strlen(comment); n > 0 && (comment[n - 1] == ' ' || comment[n - 1] == '\t'); n--)
		comment[n - 1] = '\0';
	return n > 0 ? comment : NULL;
}

static int line_parse(struct ban_parser *parser, char *line, size_t bytes)
{
	static const char *const ignored[] = {"flush", "destroy", "COMMIT"};
	const char *comment;
	char *first;

	if (bytes > 0 && line[bytes - 1] == '\r')
		line[--bytes] = '\0';
	if (bytes > BAN_FILE_LINE_BYTES_MAX) {
		line_bad(parser, "the line is longer than %d bytes", BAN_FILE_LINE_BYTES_MAX);
		return 0;
	}
	if (memchr(line, '\0', bytes)) {
		line_bad(parser, "the line holds a NUL byte: this is not a text file");
		return 0;
	}
	parser->cursor = line;
	if (strncmp(line, "create ", 7) == 0 || strncmp(line, "add ", 4) == 0) {
		first = word_next(parser);
		return *first == 'c' ? ipset_create(parser) : ipset_add(parser);
	}
	comment = comment_cut(line);
	first = word_next(parser);
	if (!first)
		return 0;
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
		if (strcmp(first, ignored[i]) == 0)
			return 0;
	}
	return plain_line(parser, first, comment);
}

int ban_file_parse(
	char *text, size_t bytes, ban_file_complain complain, void *context, struct ban_file *ret_file)
{
	struct ban_file file = {.text = text};
	struct ban_parser *parser = calloc(1, sizeof(*parser));
	int rc = parser ? 0 : -ENOMEM;

	text[bytes] = '\0';
	for (char *line = text; rc == 0 && line < text + bytes;) {
		size_t rest = (size_t)(text + bytes - line);
		char *end = memchr(line, '\n', rest);
		if (!end)
			end = line + rest;
		*end = '\0';
		parser->file = &file;
		parser->complain = complain;
		parser->context = context;
		parser->line++;
		rc = line_parse(parser, line, (size_t)(end - line));
		line = end + 1;
	}
	free(parser);
	if (rc < 0) {
		ban_file_done(&file);
		return rc;
	}
	*ret_file = file;
	return 0;
}

int ban_file_read(const char *path, ban_file_complain complain, void *context, struct ban_file *ret_file)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t bytes = 0, capacity = 1 << 16;
	char *text = NULL;
	int rc = fd < 0 ? -errno : 0;

	while (rc == 0) {
		ssize_t n;
		if (!text || bytes == capacity) {
			char *larger = realloc(text, capacity * 2 + 1);
			if (!larger) {
				rc = -ENOMEM;
				break;
			}
			text = larger;
			capacity *= 2;
		}
		n = read(fd, text + bytes, capacity - bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			rc = -errno;
		if (n <= 0)
			break;
		bytes += (size_t)n;
		if (bytes > BAN_FILE_BYTES_MAX)
			rc = -EFBIG;
	}
	if (fd > STDIN_FILENO)
		close(fd);
	if (rc < 0) {
		free(text);
		return rc;
	}
	return ban_file_parse(text, bytes, complain, context, ret_file);
}

void ban_file_done(struct ban_file *file)
{
	free(file->entries);
	free(file->text);
	memset(file, 0, sizeof(*file));
}
