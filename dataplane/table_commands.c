// SPDX-License-Identifier: BSD-3-Clause
/* Commands in place (table_commands.h). Nothing here waits for control; the one wait is liburcu's grace period, when an IPv6 place
 * is to be used again, and lcores end theirs once a poll.
 */
#include "dataplane/table_commands.h"

#include <errno.h>

#include <rte_byteorder.h>
#include <string.h>
#include <urcu-qsbr.h>

/* The table and key of a host's ban; NULL: the prefix is not a single source. */
static struct ban_table *table_commands_table(const struct ruleset *rules, const struct prefix *prefix, struct ban_key *ret_key)
{
	uint64_t words[2];

	if (address_is_v4(&prefix->address) && prefix->length >= PREFIX_V4_BASE) {
		*ret_key = (struct ban_key){ .high = address_v4(&prefix->address) };
		return prefix->length == PREFIX_HOST_LENGTH ? rules->bans_v4 : NULL;
	}
	memcpy(words, prefix->address.bytes, sizeof(words));
	*ret_key = (struct ban_key){ .high = rte_be_to_cpu_64(words[0]) };
	if (prefix->length == PREFIX_V6_SITE_LENGTH)
		return rules->bans_v6;
	ret_key->low = rte_be_to_cpu_64(words[1]);
	return prefix->length == PREFIX_HOST_LENGTH ? rules->bans_exact : NULL;
}

/* No table of ours can make room in the overlay: a newer image empties it. */
static int table_commands_list(struct ruleset *rules, enum command_kind kind, const struct prefix *prefix, uint32_t meta)
{
	int rc = lists_apply(rules->lists, kind, prefix, meta);

	if (rc == -ENOENT)
		return 0; /* it has ended by itself meanwhile */
	return rc == -ENOSPC ? -E2BIG : rc;
}

static int table_commands_ban_set(struct ruleset *rules, const struct prefix *prefix, uint32_t meta, bool published)
{
	struct ban_key key;
	struct ban_table *table = table_commands_table(rules, prefix, &key);
	int rc;

	if (!table)
		return table_commands_list(rules, COMMAND_BAN_SET, prefix, meta);
	rc = ban_table_set(table, key, meta);
	if (rc != -EAGAIN)
		return rc;
	if (published)
		synchronize_rcu();
	ban_table_grace_elapsed(table);
	rc = ban_table_set(table, key, meta);
	return rc == -EAGAIN ? -ENOSPC : rc;
}

static int table_commands_ban_clear(struct ruleset *rules, const struct prefix *prefix)
{
	struct ban_key key;
	struct ban_table *table = table_commands_table(rules, prefix, &key);
	int rc;

	if (!table)
		return table_commands_list(rules, COMMAND_BAN_CLEAR, prefix, 0);
	rc = ban_table_clear(table, key);
	return rc == -ENOENT ? 0 : rc;
}

int table_commands_apply(struct ruleset *rules, const struct command_record *record, bool published, struct dispatch *dispatch)
{
	struct dispatch_request request = { .client_port = record->port };
	struct prefix prefix = { .length = record->prefix_length };

	memcpy(prefix.address.bytes, record->address, sizeof(prefix.address.bytes));
	if (prefix.length > PREFIX_HOST_LENGTH)
		return -EINVAL;
	switch (record->kind) {
	case COMMAND_BAN_SET:
		return table_commands_ban_set(rules, &prefix, record->meta, published);
	case COMMAND_BAN_CLEAR:
		return table_commands_ban_clear(rules, &prefix);
	case COMMAND_ALLOW_SET:
	case COMMAND_ALLOW_CLEAR:
	case COMMAND_DENY_SET:
	case COMMAND_DENY_CLEAR:
		return table_commands_list(rules, (enum command_kind)record->kind, &prefix, 0);
	case COMMAND_FLOW_CUT:
		request.client = prefix.address;
		return dispatch ? dispatch_request(dispatch, dispatch_owner(dispatch, &prefix.address), &request) : 0;
	default:
		return -EINVAL;
	}
}

unsigned table_commands_expire(struct ruleset *rules, uint32_t now_s, unsigned budget_buckets)
{
	return ban_table_expire_step(rules->bans_v4, now_s, budget_buckets) +
	       ban_table_expire_step(rules->bans_v6, now_s, budget_buckets) +
	       ban_table_expire_step(rules->bans_exact, now_s, budget_buckets);
}

bool table_commands_should_grow(const struct ruleset *rules)
{
	const struct ban_table *tables[] = { rules->bans_v4, rules->bans_v6, rules->bans_exact };

	/* Capacity is what fits at 80 % load; a bucket may overflow soon after. */
	for (unsigned i = 0; i < 3; i++)
		if (ban_table_count(tables[i]) >= ban_table_capacity(tables[i]))
			return true;
	return false;
}
