/* SPDX-License-Identifier: BSD-3-Clause
 * Words of categories and sources (peer_category.h). Pure functions, any thread. Must not have a word of its
 * own.
 */
#include "control/peer_category.h"

#include <stddef.h>
#include <string.h>

struct peer_word {
	const char *text;
	int kind;
};

/* Each kind's own word first, so that its number is its place. */
#define CATEGORY_ROW(kind, word) {word, PEER_CATEGORY_##kind},
#define SOURCE_ROW(kind, word)   {word, PEER_SOURCE_##kind},
static const struct peer_word categories[] = {
	PEER_CATEGORIES(CATEGORY_ROW) PEER_CATEGORY_ALIASES(CATEGORY_ROW)};
static const struct peer_word sources[] = {PEER_SOURCES(SOURCE_ROW) PEER_SOURCE_ALIASES(SOURCE_ROW)};

static int kind_of(const struct peer_word *words, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(words[i].text, text) == 0)
			return words[i].kind;
	return -1;
}

const char *peer_category_name(enum peer_category category)
{
	return (unsigned)category < PEER_CATEGORY_COUNT ? categories[category].text : "unknown";
}

const char *peer_source_name(enum peer_source source)
{
	return (unsigned)source < PEER_SOURCE_COUNT ? sources[source].text : "unknown";
}

int peer_category_of(const char *word)
{
	return kind_of(categories, sizeof(categories) / sizeof(categories[0]), word);
}

int peer_source_of(const char *word)
{
	return kind_of(sources, sizeof(sources) / sizeof(sources[0]), word);
}
