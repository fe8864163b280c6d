// SPDX-License-Identifier: BSD-3-Clause
/* Addresses and prefixes (prefix.h): parsing, printing, order and cover. Pure functions, any thread; they
 * allocate nothing and ask no resolver.
 */
#include "shm/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_bytes[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct address address_from_v4(uint32_t v4_host_order)
{
	struct address address;

	memcpy(address.bytes, mapped_bytes, sizeof(mapped_bytes));
	for (int i = 0; i < 4; i++)
		address.bytes[12 + i] = (uint8_t)(v4_host_order >> (24 - 8 * i));
	return address;
}

int address_compare(const struct address *a, const struct address *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int address_parse(const char *text, struct address *ret_address)
{
	struct address address;
	struct in_addr v4;

	/* inet_pton takes neither spaces, zone ids, octal nor short forms: what is accepted means one thing
	 * only. */
	if (inet_pton(AF_INET, text, &v4) == 1)
		address = address_from_v4(ntohl(v4.s_addr));
	else if (inet_pton(AF_INET6, text, address.bytes) != 1)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

const char *address_format(const struct address *address, char text[PREFIX_TEXT_MAX])
{
	if (address_is_v4(address))
		inet_ntop(AF_INET, address->bytes + 12, text, PREFIX_TEXT_MAX);
	else
		inet_ntop(AF_INET6, address->bytes, text, PREFIX_TEXT_MAX);
	return text;
}

/* Digits only, at most three: strtoul would take signs and spaces. */
static int prefix_parse_length(const char *text, unsigned max, unsigned *ret_length)
{
	unsigned length = 0;
	size_t n = strlen(text);

	if (n == 0 || strspn(text, "0123456789") != n || (n > 1 && text[0] == '0'))
		return -EINVAL;
	if (n > 3)
		return -ERANGE;
	for (size_t i = 0; i < n; i++)
		length = length * 10 + (unsigned)(text[i] - '0');
	if (length > max)
		return -ERANGE;
	*ret_length = length;
	return 0;
}

int prefix_parse(const char *text, struct prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	char address_text[PREFIX_TEXT_MAX];
	struct address address;
	struct prefix prefix;
	unsigned length, base;
	bool dotted;
	int rc;

	if (!slash) {
		rc = address_parse(text, &address);
		if (rc == 0)
			*ret_prefix = prefix_of(&address, PREFIX_HOST_LENGTH);
		return rc;
	}
	if ((size_t)(slash - text) >= sizeof(address_text))
		return -EINVAL;
	memcpy(address_text, text, (size_t)(slash - text));
	address_text[slash - text] = '\0';
	rc = address_parse(address_text, &address);
	if (rc < 0)
		return rc;
	/* "::ffff:1.2.3.0/120" is the same IPv4 prefix as "1.2.3.0/24": the family in which it was written
	 * counts. */
	dotted = !strchr(address_text, ':');
	base = dotted ? PREFIX_V4_BASE : 0;
	rc = prefix_parse_length(slash + 1, PREFIX_HOST_LENGTH - base, &length);
	if (rc < 0)
		return rc;
	prefix = prefix_of(&address, (uint8_t)(length + base));
	if (address_compare(&prefix.address, &address) != 0)
		return -EDOM;
	*ret_prefix = prefix;
	return 0;
}

const char *prefix_format(const struct prefix *prefix, char text[PREFIX_TEXT_MAX])
{
	size_t n;

	/* A mapped address under a prefix shorter than /96 is IPv6 text: a dotted one would claim another
	 * family. */
	if (prefix_is_v4(prefix))
		address_format(&prefix->address, text);
	else
		inet_ntop(AF_INET6, prefix->address.bytes, text, PREFIX_TEXT_MAX);
	if (prefix->length == PREFIX_HOST_LENGTH)
		return text;
	n = strlen(text);
	snprintf(text + n, PREFIX_TEXT_MAX - n, "/%u",
		(unsigned)prefix->length - (prefix_is_v4(prefix) ? (unsigned)PREFIX_V4_BASE : 0));
	return text;
}

struct prefix prefix_of(const struct address *address, uint8_t length)
{
	struct prefix prefix = {.address = *address, .length = length};
	unsigned whole = length / 8, rest = length % 8;

	if (length >= PREFIX_HOST_LENGTH) {
		prefix.length = PREFIX_HOST_LENGTH;
		return prefix;
	}
	if (rest)
		prefix.address.bytes[whole] &= (uint8_t)(0xff << (8 - rest));
	else
		prefix.address.bytes[whole] = 0;
	memset(prefix.address.bytes + whole + 1, 0, sizeof(prefix.address.bytes) - whole - 1);
	return prefix;
}

bool prefix_is_v4(const struct prefix *prefix)
{
	return prefix->length >= PREFIX_V4_BASE && address_is_v4(&prefix->address);
}

static bool prefix_matches(const struct prefix *prefix, const struct address *address)
{
	unsigned whole = prefix->length / 8, rest = prefix->length % 8;

	if (memcmp(prefix->address.bytes, address->bytes, whole) != 0)
		return false;
	return !rest || ((prefix->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

bool prefix_contains(const struct prefix *prefix, const struct address *address)
{
	return prefix_is_v4(prefix) == address_is_v4(address) && prefix_matches(prefix, address);
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	return outer->length <= inner->length && prefix_is_v4(outer) == prefix_is_v4(inner) &&
	       prefix_matches(outer, &inner->address);
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int order = address_compare(&a->address, &b->address);

	return order ? order : (int)a->length - (int)b->length;
}
