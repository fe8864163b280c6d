// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/options.h as far as --cookie-secret and --mtu go, and of dataplane/cookie_secret.h with real
 * files: the secret is taken in both forms, and a file that others may read is refused by one sentence.
 */
#include "dataplane/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dataplane/cookie_secret.h"
#include "tests/check.h"

static char directory[64], path[96];

static enum options_result parse(const char *value, struct options *options, char error[OPTIONS_ERROR_MAX])
{
	char words[][32] = {"weir-dataplane", "--outside", "a", "--inside", "b", "--cookie-secret"};
	char last[160], *argv[8];

	for (int i = 0; i < 6; i++)
		argv[i] = words[i];
	if (value != NULL)
		snprintf(last, sizeof(last), "%s", value);
	argv[6] = value != NULL ? last : NULL;
	argv[7] = NULL;
	error[0] = '\0';
	enum options_result result = options_parse(value != NULL ? 7 : 6, argv, options, error);
	if (result == OPTIONS_RUN)
		CHECK_EQ("the path is kept", options->cookie_secret, (const char *)value);
	return result;
}

static void test_option(void)
{
	char error[OPTIONS_ERROR_MAX], longest[OPTIONS_FILE_MAX + 2];
	struct options options;

	CHECK_EQ("an absolute path", parse("/etc/weir/secret", &options, error), OPTIONS_RUN);
	CHECK_EQ("a relative path", parse("secret", &options, error), OPTIONS_EXIT_WRONG);
	CHECK_EQ("in one sentence", (const char *)error,
		"--cookie-secret wants an absolute path of at most 95 characters, not \"secret\".");
	CHECK_EQ("no path", parse("", &options, error), OPTIONS_EXIT_WRONG);
	CHECK_EQ("no value", parse(NULL, &options, error), OPTIONS_EXIT_WRONG);
	CHECK_CONTAINS("said so", error, "--cookie-secret wants a value");
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[OPTIONS_FILE_MAX] = '\0';
	CHECK_EQ("the longest path", parse(longest, &options, error), OPTIONS_RUN);
	longest[OPTIONS_FILE_MAX] = 'a';
	longest[OPTIONS_FILE_MAX + 1] = '\0';
	CHECK_EQ("one longer", parse(longest, &options, error), OPTIONS_EXIT_WRONG);
}

static void test_mtu(void)
{
	static const struct {
		const char *name, *words[8];
		unsigned first, second;
		const char *sentence; /* NULL: taken */
	} cases[] = {
		{"none given", {"--outside", "a", "--inside", "b"}, 0, 0, NULL},
		{"after its pair", {"--outside", "a", "--inside", "b", "--mtu", "9000"}, 9000, 0, NULL},
		{"amid its pair", {"--outside", "a", "--mtu", "1280", "--inside", "b"}, 1280, 0, NULL},
		{"the largest", {"--outside", "a", "--mtu", "16000", "--inside", "b"}, 16000, 0, NULL},
		{"before any pair", {"--mtu", "1500", "--outside", "a", "--inside", "b"}, 0, 0,
			"--mtu belongs to a port pair"},
		{"twice for one pair", {"--outside", "a", "--mtu", "1500", "--mtu", "1500"}, 0, 0,
			"--mtu is given twice for one port pair."},
		{"too little for IPv6", {"--outside", "a", "--mtu", "1279"}, 0, 0,
			"--mtu wants a number from 1280 to 16000, not \"1279\"."},
		{"more than a device takes", {"--outside", "a", "--mtu", "16001"}, 0, 0, "not \"16001\"."},
		{"no number", {"--outside", "a", "--mtu", "big"}, 0, 0, "not \"big\"."},
		{"of the second pair only", {"--outside", "a", "--inside", "b", "--outside=c", "--inside=d", "--mtu=3000"},
			0, 3000, NULL},
		{"of the first pair only", {"--outside", "a", "--inside", "b", "--mtu=3000", "--outside=c", "--inside=d"},
			3000, 0, NULL},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		char words[9][16] = {"weir-dataplane"}, *argv[10] = {words[0]}, error[OPTIONS_ERROR_MAX] = "";
		struct options options = {.n_pairs = 0};
		int argc = 1;

		for (; argc < 9 && cases[i].words[argc - 1] != NULL; argc++) {
			snprintf(words[argc], sizeof(words[argc]), "%s", cases[i].words[argc - 1]);
			argv[argc] = words[argc];
		}
		CHECK_EQ(cases[i].name, options_parse(argc, argv, &options, error),
			cases[i].sentence == NULL ? OPTIONS_RUN : OPTIONS_EXIT_WRONG);
		if (cases[i].sentence != NULL) {
			CHECK_CONTAINS(cases[i].name, error, cases[i].sentence);
			continue;
		}
		CHECK_EQ("of the first pair", options.pairs[0].mtu, cases[i].first);
		CHECK_EQ("of the second pair", options.pairs[1].mtu, cases[i].second);
	}
}

static void file_write(const char *text, size_t bytes, mode_t mode)
{
	int fd;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	CHECK_EQ("written", write(fd, text, bytes), (ssize_t)bytes);
	CHECK_EQ("mode", fchmod(fd, mode), 0);
	close(fd);
}

#define HEX  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX2 "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F"

static void test_files(void)
{
	static const struct {
		const char *name, *text;
		size_t bytes;
		mode_t mode;
		int expected;
		const char *sentence;
	} cases[] = {
		{"64 digits", HEX, 64, 0600, 0, NULL},
		{"with a newline", HEX "\n", 65, 0600, 0, NULL},
		{"capital digits", HEX2, 64, 0600, 0, NULL},
		{"read-only", HEX, 64, 0400, 0, NULL},
		{"two newlines", HEX "\n\n", 66, 0600, -EINVAL,
			"must hold 64 hexadecimal digits or 32 bytes"},
		{"63 digits", HEX, 63, 0600, -EINVAL, "must hold"},
		{"63 digits and a newline", &HEX "\n"[1], 64, 0600, -EINVAL, "must hold"},
		{"a letter that is no digit", &HEX "g"[1], 64, 0600, -EINVAL, "must hold"},
		{"31 bytes", HEX, 31, 0600, -EINVAL, "must hold"},
		{"33 bytes", HEX, 33, 0600, -EINVAL, "must hold"},
		{"nothing", "", 0, 0600, -EINVAL, "must hold"},
		{"far too much", HEX HEX HEX, 192, 0600, -EINVAL, "must hold"},
		{"readable by the group", HEX, 64, 0640, -EPERM,
			"has mode 0640 and must be its owner's alone: chmod 0600 it."},
		{"readable by all", HEX, 64, 0604, -EPERM, "has mode 0604"},
		{"writable by the group", HEX, 64, 0620, -EPERM, "has mode 0620"},
		{"executable", HEX, 64, 0700, -EPERM, "has mode 0700"},
	};
	struct hash_key first = {0}, key;
	char error[COOKIE_SECRET_ERROR_MAX];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		file_write(cases[i].text, cases[i].bytes, cases[i].mode);
		key = (struct hash_key){1, 2};
		error[0] = '\0';
		CHECK_EQ(cases[i].name, cookie_secret_read(path, &key, error), cases[i].expected);
		if (cases[i].expected != 0) {
			CHECK_CONTAINS(cases[i].name, error, cases[i].sentence);
			CHECK_CONTAINS(cases[i].name, error, path);
			CHECK_TRUE("and no digit of it", strstr(error, "0102") == NULL);
			CHECK_EQ("the key is untouched", key.k0, 1u);
			continue;
		}
		if (i == 0)
			first = key;
		CHECK_TRUE("every way of writing it gives the same key",
			key.k0 == first.k0 && key.k1 == first.k1);
	}
}

static void test_every_bit_counts(void)
{
	uint8_t secret[COOKIE_SECRET_BYTES];
	char error[COOKIE_SECRET_ERROR_MAX];
	struct hash_key hex = {0}, raw = {0}, key;

	file_write(HEX, 64, 0600);
	CHECK_EQ("digits", cookie_secret_read(path, &hex, error), 0);
	for (unsigned i = 0; i < COOKIE_SECRET_BYTES; i++)
		secret[i] = (uint8_t)i;
	file_write((const char *)secret, sizeof(secret), 0600);
	CHECK_EQ("bytes", cookie_secret_read(path, &raw, error), 0);
	CHECK_TRUE("the bytes and their digits are one secret", raw.k0 == hex.k0 && raw.k1 == hex.k1);
	for (unsigned bit = 0; bit < 8 * COOKIE_SECRET_BYTES; bit++) {
		secret[bit / 8] ^= (uint8_t)(1 << bit % 8);
		file_write((const char *)secret, sizeof(secret), 0600);
		CHECK_EQ("bytes", cookie_secret_read(path, &key, error), 0);
		CHECK_TRUE("each bit changes both words", key.k0 != raw.k0 && key.k1 != raw.k1);
		secret[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static void test_no_file(void)
{
	struct hash_key key;
	char error[COOKIE_SECRET_ERROR_MAX];

	unlink(path);
	CHECK_EQ("not there", cookie_secret_read(path, &key, error), -ENOENT);
	CHECK_CONTAINS("said so", error, "cannot be read (No such file or directory).");
	CHECK_EQ("a directory", cookie_secret_read(directory, &key, error), -EINVAL);
	CHECK_CONTAINS("said so", error, "is not a regular file.");
	CHECK_EQ("a FIFO does not hold the start", mkfifo(path, 0600), 0);
	CHECK_EQ("a FIFO", cookie_secret_read(path, &key, error), -EINVAL);
	unlink(path);
	if (geteuid() != 0)
		return;
	file_write(HEX, 64, 0600);
	CHECK_EQ("given away", chown(path, 12345, 12345), 0);
	CHECK_EQ("another user's", cookie_secret_read(path, &key, error), -EPERM);
	CHECK_CONTAINS("said so", error, "belongs to user 12345, who could change it: chown it to root.");
	unlink(path);
}

static const struct check_test tests[] = {
	{"the option is a path", test_option},
	{"an MTU belongs to one pair", test_mtu},
	{"the file is a secret or a sentence", test_files},
	{"all of the secret counts", test_every_bit_counts},
	{"what is no file is refused", test_no_file},
};

int main(int argc, char **argv)
{
	snprintf(directory, sizeof(directory), "/tmp/weir-test-secret.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/secret", directory);
	int failed = check_main("dataplane_options", tests, CHECK_COUNT(tests), argc, argv);
	unlink(path);
	rmdir(directory);
	return failed;
}
