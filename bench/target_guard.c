// SPDX-License-Identifier: BSD-3-Clause
/* The guard's list. Constant data, any thread.
 */
#include "bench/target_guard.h"

#include <errno.h>
#include <stdio.h>

static const char *const allowed[] = {
	"127.0.0.0/8", "::1",				/* loopback */
	"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", /* RFC 1918 */
	"198.18.0.0/15",				/* RFC 2544 */
	"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", /* RFC 5737 */
	"2001:db8::/32",				/* RFC 3849 */
	"3fff::/20",					/* RFC 9637 */
	"fc00::/7",					/* RFC 4193 */
};

bool target_guard_is_private(const struct address *target)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		struct prefix prefix;

		if (prefix_parse(allowed[i], &prefix) == 0 && prefix_contains(&prefix, target))
			return true;
	}
	return false;
}

int target_guard_check(const struct address *target, bool owned, char *error_text, size_t error_bytes)
{
	char text[PREFIX_TEXT_MAX];

	if (owned || target_guard_is_private(target))
		return 0;
	snprintf(error_text, error_bytes,
		"%s is a public address: refused; load is sent only to loopback, RFC 1918, 198.18.0.0/15, documentation and "
		"unique-local addresses, or with --i-own-this-target to a machine of your own",
		address_format(target, text));
	return -EPERM;
}
