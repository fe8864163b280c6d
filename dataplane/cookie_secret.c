// SPDX-License-Identifier: BSD-3-Clause
/* Reads the shared secret (cookie_secret.h). Main only. Must not leave the secret anywhere but in the key,
 * and must not say any of its digits.
 */
#include "dataplane/cookie_secret.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HEX_DIGITS = 2 * COOKIE_SECRET_BYTES };

__attribute__((format(printf, 4, 5))) static int secret_fail(
	int rc, const char *path, char error[COOKIE_SECRET_ERROR_MAX], const char *format, ...)
{
	int n = snprintf(error, COOKIE_SECRET_ERROR_MAX, "--cookie-secret %.128s ", path);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error + n, (size_t)(COOKIE_SECRET_ERROR_MAX - n), format, arguments);
	va_end(arguments);
	return rc;
}

/* Anybody who knows the secret can prove any address. */
static int secret_check(int fd, const char *path, char error[COOKIE_SECRET_ERROR_MAX])
{
	struct stat status;

	if (fstat(fd, &status) != 0)
		return secret_fail(-errno, path, error, "cannot be examined (%s).", strerror(errno));
	if (!S_ISREG(status.st_mode))
		return secret_fail(-EINVAL, path, error, "is not a regular file.");
	if (status.st_uid != 0 && status.st_uid != geteuid())
		return secret_fail(-EPERM, path, error,
			"belongs to user %u, who could change it: chown it to root.",
			(unsigned)status.st_uid);
	if (status.st_mode & 0177)
		return secret_fail(-EPERM, path, error,
			"has mode %04o and must be its owner's alone: chmod 0600 it.",
			(unsigned)(status.st_mode & 07777));
	return 0;
}

static bool secret_from_hex(const char *text, uint8_t secret[COOKIE_SECRET_BYTES])
{
	for (unsigned i = 0; i < HEX_DIGITS; i++) {
		unsigned char c = (unsigned char)text[i];
		unsigned digit = (unsigned)(isdigit(c) ? c - '0' : 10 + tolower(c) - 'a');

		if (!isxdigit(c))
			return false;
		secret[i / 2] = (uint8_t)(i % 2 ? secret[i / 2] << 4 | digit : digit);
	}
	return true;
}

static bool secret_from_text(const char *text, size_t bytes, uint8_t secret[COOKIE_SECRET_BYTES])
{
	if (bytes == COOKIE_SECRET_BYTES) {
		memcpy(secret, text, COOKIE_SECRET_BYTES);
		return true;
	}
	if (bytes == HEX_DIGITS + 1 && text[HEX_DIGITS] == '\n')
		bytes--;
	return bytes == HEX_DIGITS && secret_from_hex(text, secret);
}

static uint64_t load_word(const uint8_t *from)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | from[i];
	return value;
}

/* All 32 bytes count, and governors of any byte order agree: one half is the key that hashes the other. */
static struct hash_key secret_master(const uint8_t secret[COOKIE_SECRET_BYTES])
{
	const struct hash_key half = {.k0 = load_word(secret), .k1 = load_word(secret + 8)};
	const uint64_t first[] = {load_word(secret + 16), load_word(secret + 24), 0},
		       second[] = {first[0], first[1], 1};

	return (struct hash_key){.k0 = keyed_mac(&half, first, 3), .k1 = keyed_mac(&half, second, 3)};
}

int cookie_secret_read(const char *path, struct hash_key *ret_master, char error[COOKIE_SECRET_ERROR_MAX])
{
	uint8_t secret[COOKIE_SECRET_BYTES];
	char text[HEX_DIGITS + 2];
	size_t used = 0;
	ssize_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold the start */
	int rc;

	if (fd < 0)
		return secret_fail(-errno, path, error, "cannot be read (%s).", strerror(errno));
	rc = secret_check(fd, path, error);
	while (rc == 0 && used < sizeof(text) && (n = read(fd, text + used, sizeof(text) - used)) > 0)
		used += (size_t)n;
	if (rc == 0 && n < 0)
		rc = secret_fail(-errno, path, error, "cannot be read (%s).", strerror(errno));
	close(fd);
	if (rc != 0)
		return rc;
	if (!secret_from_text(text, used, secret))
		return secret_fail(-EINVAL, path, error,
			"must hold 64 hexadecimal digits or 32 bytes: `openssl rand -hex 32` makes one.");
	*ret_master = secret_master(secret);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(text, sizeof(text));
	return 0;
}
