// SPDX-License-Identifier: BSD-3-Clause
/* Token buckets by prefix (reply_cap.h). One lcore, one cache line and at most five steps a reply. */
#include "dataplane/reply_cap.h"

#include <errno.h>

struct reply_cap_line {
	uint64_t tat_ns[REPLY_CAP_WAYS]; /* 0 = empty, or a full bucket: the same */
	uint32_t tags[REPLY_CAP_WAYS];
	uint32_t reserved;
};
_Static_assert(sizeof(struct reply_cap_line) == 64, "one cache line");

struct reply_cap {
	struct reply_cap_line *lines;
	struct hash_key key;
	struct table_memory memory;
};

int reply_cap_create(
	const struct hash_key *key, const struct table_memory *memory, struct reply_cap **ret_cap)
{
	struct reply_cap *cap = memory->allocate(memory->context, sizeof(*cap));

	if (!cap)
		return -ENOMEM;
	*cap = (struct reply_cap){.key = *key, .memory = *memory};
	cap->lines = memory->allocate(memory->context, REPLY_CAP_LINES * sizeof(*cap->lines));
	if (!cap->lines) {
		memory->free(memory->context, cap, sizeof(*cap));
		return -ENOMEM;
	}
	*ret_cap = cap;
	return 0;
}

void reply_cap_destroy(struct reply_cap *cap)
{
	struct table_memory memory;

	if (!cap)
		return;
	memory = cap->memory;
	memory.free(memory.context, cap->lines, REPLY_CAP_LINES * sizeof(*cap->lines));
	memory.free(memory.context, cap, sizeof(*cap));
}

/* Two prefixes of one line look alike once in 2^32. */
static uint64_t prefix_hash(const struct reply_cap *cap, const struct address *address)
{
	if (address_is_v4(address))
		return keyed_hash_2(&cap->key, address_v4(address) >> 8, 4);
	return keyed_hash_2(&cap->key, address_v6_site(address) >> 8, 6);
}

static unsigned way_find(const struct reply_cap_line *line, uint32_t tag)
{
	unsigned fullest = 0;

	for (unsigned i = 0; i < REPLY_CAP_WAYS; i++) {
		if (line->tags[i] == tag && line->tat_ns[i])
			return i;
		if (line->tat_ns[i] < line->tat_ns[fullest])
			fullest = i;
	}
	return fullest;
}

bool reply_cap_take(struct reply_cap *cap, const struct token_bucket_profile *profile,
	const struct address *address, uint64_t now_ns)
{
	struct reply_cap_line *line;
	uint64_t hash;
	unsigned way;

	if (profile->interval_ns == 0)
		return true;
	hash = prefix_hash(cap, address);
	line = &cap->lines[(hash >> 32) % REPLY_CAP_LINES];
	way = way_find(line, (uint32_t)hash);
	if (line->tags[way] != (uint32_t)hash) {
		line->tags[way] = (uint32_t)hash;
		line->tat_ns[way] = 0;
	}
	return token_bucket_take(profile, &line->tat_ns[way], now_ns);
}
