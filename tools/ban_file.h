/* SPDX-License-Identifier: BSD-3-Clause
 * Files of bans: plain lists (one address or prefix a line) and what `ipset save` prints. One parser for
 * weirctl and weir-replay. Reads a whole file or standard input into memory, changes nothing, prints nothing:
 * each bad line goes to the caller's callback as a sentence.
 *
 * plain   ADDRESS[/LENGTH] [DURATION|never] [# comment]      ';' starts a comment too; empty lines are
 * skipped ipset   create NAME hash:ip|hash:net ... / add NAME ADDRESS [timeout S] [comment "..."] and the
 * counters of ipset(8)
 */
#ifndef WEIR_TOOLS_BAN_FILE_H
#define WEIR_TOOLS_BAN_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/prefix.h"

enum {
	BAN_FILE_LINE_BYTES_MAX = 4096,
	BAN_FILE_SETS_MAX = 256, /* ipset sets in one file */
	BAN_FILE_SENTENCE_MAX = 512,
};
#define BAN_FILE_BYTES_MAX ((size_t)1 << 30) /* 30 M lines; the entries then take 2 GB */

struct ban_entry {
	const char *comment;  /* points into ban_file.text; NULL: none */
	uint64_t duration_ms; /* with has_duration; 0: for ever */
	uint32_t line;        /* from 1 */
	struct prefix prefix;
	bool has_duration;
};

struct ban_file {
	char *text;
	struct ban_entry *entries;
	size_t n, capacity;
	size_t bad; /* lines that were complained of */
};

/** Says why a line was not taken. `sentence` lives until the return. */
typedef void (*ban_file_complain)(void *context, uint32_t line, const char *sentence);

/** Read `path` ("-": standard input). 0 also when lines were bad: see ret_file->bad. -errno: cannot be read;
 * -EFBIG: more than BAN_FILE_BYTES_MAX; -ENOMEM. Free with ban_file_done. */
int ban_file_read(const char *path, ban_file_complain complain, void *context, struct ban_file *ret_file);
/** The same from memory; `text` is malloced, has bytes + 1 places and becomes the file's own, on errors too.
 */
int ban_file_parse(
	char *text, size_t bytes, ban_file_complain complain, void *context, struct ban_file *ret_file);
void ban_file_done(struct ban_file *file);

#endif
