/* SPDX-License-Identifier: BSD-3-Clause
 * Ban files: each grammar line by line, every bad line with its number and a sentence, and hostile text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/check.h"
#include "tools/ban_file.h"

struct heard {
	uint32_t line;
	char sentence[BAN_FILE_SENTENCE_MAX];
	unsigned n;
};

static void hear(void *context, uint32_t line, const char *sentence)
{
	struct heard *heard = context;

	heard->line = line;
	heard->n++;
	snprintf(heard->sentence, sizeof(heard->sentence), "%s", sentence);
}

static int parse_bytes(const char *text, size_t bytes, struct heard *heard, struct ban_file *ret_file)
{
	char *copy = malloc(bytes + 1);

	memcpy(copy, text, bytes);
	memset(heard, 0, sizeof(*heard));
	return ban_file_parse(copy, bytes, hear, heard, ret_file);
}

static void test_good_lines(void)
{
	static const struct {
		const char *name, *text, *prefix;
		bool has_duration;
		uint64_t duration_ms;
		const char *comment;
	} cases[] = {
		{"an address", "1.2.3.4\n", "1.2.3.4", false, 0, NULL},
		{"without a newline at the end", "1.2.3.4", "1.2.3.4", false, 0, NULL},
		{"with DOS line ends", "1.2.3.4\r\n", "1.2.3.4", false, 0, NULL},
		{"a prefix", "1.2.3.0/24\n", "1.2.3.0/24", false, 0, NULL},
		{"an IPv6 prefix", "2001:db8::/32\n", "2001:db8::/32", false, 0, NULL},
		{"a duration", "1.2.3.4 10m\n", "1.2.3.4", true, 600000, NULL},
		{"a duration in seconds", "1.2.3.4\t90\n", "1.2.3.4", true, 90000, NULL},
		{"for ever, said aloud", "1.2.3.4 never\n", "1.2.3.4", true, 0, NULL},
		{"a comment is the reason", "1.2.3.4 # scans us \n", "1.2.3.4", false, 0, "scans us"},
		{"a comment with a semicolon", "1.2.3.0/24 ; SBL1\n", "1.2.3.0/24", false, 0, "SBL1"},
		{"blanks in front", "  1.2.3.4\n", "1.2.3.4", false, 0, NULL},
		{"ipset: an entry", "add evil 1.2.3.4\n", "1.2.3.4", false, 0, NULL},
		{"ipset: a timeout", "add evil 1.2.3.4 timeout 30\n", "1.2.3.4", true, 30000, NULL},
		{"ipset: a timeout of 0 is for ever", "add evil 1.2.3.4 timeout 0\n", "1.2.3.4", true, 0,
			NULL},
		{"ipset: counters and a comment with quotes",
			"add evil 1.2.3.4 timeout 5 packets 3 bytes 180 comment \"a \\\"b\\\" # c\"\n",
			"1.2.3.4", true, 5000, "a \"b\" # c"},
		{"ipset: a set's own timeout",
			"create evil hash:ip family inet timeout 60\nadd evil 1.2.3.4\n", "1.2.3.4", true,
			60000, NULL},
		{"ipset: a set of networks by netmask",
			"create evil hash:ip family inet netmask 24\nadd evil 1.2.3.0\n", "1.2.3.0/24", false,
			0, NULL},
		{"ipset: netmask of IPv6",
			"create evil hash:ip family inet6 netmask 64\nadd evil 2001:db8::\n", "2001:db8::/64",
			false, 0, NULL},
		{"ipset: orders without entries are skipped", "flush evil\nadd evil 1.2.3.4\nCOMMIT\n",
			"1.2.3.4", false, 0, NULL},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct ban_file file;
		struct heard heard;
		char text[PREFIX_TEXT_MAX];
		CHECK_EQ(cases[i].name, parse_bytes(cases[i].text, strlen(cases[i].text), &heard, &file), 0);
		CHECK_EQ(cases[i].name, heard.sentence, "");
		if (CHECK_EQ(cases[i].name, file.n, 1u)) {
			CHECK_EQ(
				cases[i].name, prefix_format(&file.entries[0].prefix, text), cases[i].prefix);
			CHECK_EQ(cases[i].name, file.entries[0].has_duration, cases[i].has_duration);
			CHECK_EQ(cases[i].name, file.entries[0].duration_ms, cases[i].duration_ms);
			CHECK_EQ(cases[i].name, file.entries[0].comment, cases[i].comment);
		}
		ban_file_done(&file);
	}
}

static void test_bad_lines(void)
{
	static const struct {
		const char *name, *text;
		uint32_t line;
		const char *sentence;
	} cases[] = {
		{"not an address", "\n1.2.3\n", 2, "is not an address or prefix"},
		{"a name", "example.org\n", 1, "is not an address or prefix"},
		{"a range", "1.2.3.4-1.2.3.9\n", 1, "ranges must be written as prefixes"},
		{"host bits", "10.1.0.0/8\n", 1, "did you mean 10.0.0.0/8?"},
		{"host bits of IPv6", "2001:db8::1/64\n", 1, "did you mean 2001:db8::/64?"},
		{"a length out of range", "1.2.3.4/33\n", 1, "out of range"},
		{"a duration that is none", "1.2.3.4 soon\n", 1, "is not a duration"},
		{"a duration of nothing", "1.2.3.4 0s\n", 1, "is not a duration"},
		{"a third column", "1.2.3.4 10m evil\n", 1, "after the duration"},
		{"ipset: no address", "add evil\n", 1, "needs a set's name and an address"},
		{"ipset: a type with ports",
			"create evil hash:ip,port family inet\nadd evil 1.2.3.4,tcp:80\n", 2,
			"has type hash:ip,port"},
		{"ipset: an exception", "add evil 1.2.3.0/24 nomatch\n", 1, "nomatch"},
		{"ipset: a timeout that is none", "add evil 1.2.3.4 timeout -1\n", 1,
			"not a number of seconds"},
		{"ipset: an unknown option", "add evil 1.2.3.4 frobnicate\n", 1, "is not an option"},
		{"ipset: a create without a type", "create evil\n", 1, "its type"},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct ban_file file;
		struct heard heard;
		CHECK_EQ(cases[i].name, parse_bytes(cases[i].text, strlen(cases[i].text), &heard, &file), 0);
		CHECK_EQ(cases[i].name, file.n, 0u);
		CHECK_EQ(cases[i].name, file.bad, 1u);
		CHECK_EQ(cases[i].name, heard.n, 1u);
		CHECK_EQ(cases[i].name, heard.line, cases[i].line);
		CHECK_CONTAINS(cases[i].name, heard.sentence, cases[i].sentence);
		ban_file_done(&file);
	}
}

static void test_hostile_text(void)
{
	static const char with_nul[] = "1.2.3.4\n1.2\0.3.4\n1.2.3.5\n";
	static char long_line[BAN_FILE_LINE_BYTES_MAX + 10];
	struct ban_file file;
	struct heard heard;

	CHECK_EQ("a NUL byte is a bad line, its neighbours are good",
		parse_bytes(with_nul, sizeof(with_nul) - 1, &heard, &file), 0);
	CHECK_EQ("neighbours", file.n, 2u);
	CHECK_EQ("the line", heard.line, 2u);
	CHECK_CONTAINS("the sentence", heard.sentence, "NUL");
	ban_file_done(&file);

	memset(long_line, '1', sizeof(long_line));
	CHECK_EQ("a line without end is a bad line", parse_bytes(long_line, sizeof(long_line), &heard, &file),
		0);
	CHECK_CONTAINS("the sentence", heard.sentence, "longer than");
	ban_file_done(&file);

	CHECK_EQ("an empty file is no error", parse_bytes("", 0, &heard, &file), 0);
	CHECK_EQ("and holds nothing", file.n + file.bad, 0u);
	ban_file_done(&file);

	CHECK_EQ("quotes that do not end", parse_bytes("add a 1.2.3.4 comment \"x\\", 25, &heard, &file), 0);
	CHECK_EQ("are taken to the end of the line", file.n, 1u);
	ban_file_done(&file);
}

/* Any bytes: nothing is read past the end (the sanitizers watch), each line counts once. */
static void test_random_text(void)
{
	static const char letters[] = "add create 1.2.3.4/:#;\"\\\n\r\t never10mtimeout comment hash:ip";
	uint64_t state = 1;

	for (unsigned round = 0; round < 3000; round++) {
		char text[256];
		struct ban_file file;
		struct heard heard;
		size_t bytes, newlines = 1;
		for (bytes = 0; bytes < sizeof(text) - 1 && bytes < round % 256; bytes++) {
			state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			text[bytes] = letters[(state >> 33) % sizeof(letters)];
			newlines += text[bytes] == '\n';
		}
		if (!CHECK_EQ("any text is parsed", parse_bytes(text, bytes, &heard, &file), 0))
			return;
		CHECK_TRUE("no line counts twice", file.n + file.bad <= newlines);
		ban_file_done(&file);
	}
}

static void test_reading(void)
{
	char path[] = "/tmp/weir-ban-file-XXXXXX";
	struct ban_file file;
	struct heard heard = {0};
	FILE *out;
	int fd = mkstemp(path);

	CHECK_EQ("a file that is not there", ban_file_read("/nonexistent/weir", hear, &heard, &file), -2);
	if (!CHECK_TRUE("a temporary file", fd >= 0))
		return;
	out = fdopen(fd, "w");
	for (unsigned i = 0; i < 200000; i++)
		fprintf(out, "10.%u.%u.%u\n", i >> 16 & 255, i >> 8 & 255, i & 255);
	fclose(out);
	CHECK_EQ("a long file", ban_file_read(path, hear, &heard, &file), 0);
	CHECK_EQ("all of its lines", file.n, 200000u);
	CHECK_EQ("the last line's number", file.entries[199999].line, 200000u);
	ban_file_done(&file);
	remove(path);
}

static const struct check_test tests[] = {
	{"good lines give a prefix, an end and a comment", test_good_lines},
	{"bad lines are named with what is wrong", test_bad_lines},
	{"hostile text is only text", test_hostile_text},
	{"any bytes are parsed within their end", test_random_text},
	{"files are read whole", test_reading},
};
CHECK_MAIN("ban_file", tests)
