/* SPDX-License-Identifier: BSD-3-Clause
 * One address book with recorded effects, for the tests of control/address_book*.c. Documentation ranges
 * stand in for public ones; time is in seconds.
 */
#ifndef WEIR_TESTS_BOOK_FIXTURE_H
#define WEIR_TESTS_BOOK_FIXTURE_H

#include <stdio.h>

#include "control/address_book.h"
#include "tests/check.h"

#define AT(seconds) ((int64_t)(seconds)*1000)

static struct address_book *book;
static struct book_endpoint answer[BOOK_ANSWER_MAX];
static char last_removed[128];
static unsigned n_changed, n_removed, n_cleared;

static inline void on_changed(void *context, const struct book_record *record)
{
	(void)context;
	(void)record;
	n_changed++;
}

static inline void on_removed(void *context, const struct book_record *record, const char *why)
{
	char text[PREFIX_TEXT_MAX];
	(void)context;
	n_removed++;
	snprintf(last_removed, sizeof(last_removed), "%s %s", address_format(&record->address, text), why);
}

static inline void on_cleared(void *context)
{
	(void)context;
	n_cleared++;
}

static inline struct address_book_config config_of_tests(void)
{
	struct address_book_config config;
	address_book_config_default(&config);
	config.allow_doc = true;
	config.seed = 42;
	return config;
}

static inline void open_book(const struct address_book_config *config)
{
	static const struct address_book_effects effects = {NULL, on_changed, on_removed, on_cleared};
	n_changed = n_removed = n_cleared = 0;
	last_removed[0] = '\0';
	address_book_destroy(book);
	book = NULL;
	CHECK_EQ("a book is made", address_book_create(config, &effects, &book), 0);
}

static inline struct book_endpoint at(const char *text)
{
	struct book_endpoint endpoint = {.port = 30303};
	CHECK_EQ(text, address_parse(text, &endpoint.address), 0);
	return endpoint;
}

static inline enum book_verdict add(const char *text, int64_t now_ms)
{
	struct book_entry entry = {.address = at(text).address, .port = 30303};
	return address_book_add(book, &entry, now_ms);
}

/** HE-12's put, in the words of V27. */
static inline void put(
	const char *text, enum book_type type, int64_t next_s, uint32_t failures, int64_t now_ms)
{
	struct book_record values = {.address = at(text).address,
		.port = 30303,
		.type = (uint8_t)type,
		.next_try_ms = AT(next_s),
		.failures = failures};
	CHECK_TRUE(
		text, address_book_put(book, &values, BOOK_PUT_TYPE | BOOK_PUT_NEXT_TRY | BOOK_PUT_FAILURES,
			      now_ms, NULL) <= BOOK_REFRESHED);
}

static inline void outcomes(const char *text, const char *what, int64_t now_ms)
{
	struct book_endpoint endpoint = at(text);
	for (; *what != '\0'; what++)
		CHECK_EQ(text, address_book_outcome(book, &endpoint, *what == 'S', now_ms), 0);
}

static inline const struct book_record *get(const char *text)
{
	struct book_endpoint endpoint = at(text);
	return address_book_find(book, &endpoint);
}

/** The last bytes of the answer's addresses, in its order: "3 1 2". */
static inline const char *tails(size_t n)
{
	static char text[4096];
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < n && used < sizeof(text) - 16; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%u", i != 0 ? " " : "",
			answer[i].address.bytes[15]);
	return text;
}

/** The same, as a set. */
static inline const char *tails_sorted(size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && answer[j - 1].address.bytes[15] > answer[j].address.bytes[15];
			j--) {
			struct book_endpoint moved = answer[j];
			answer[j] = answer[j - 1];
			answer[j - 1] = moved;
		}
	return tails(n);
}

#endif
