/* SPDX-License-Identifier: BSD-3-Clause
 * Records as bytes: keys in network order, so that the order of keys is the order of addresses; values with a
 * checksum over key and value in front, because LMDB has none and a ban of another address is worse than a
 * lost one. Pure; any thread. Numbers in values are little-endian, so that a file moves between machines.
 */
#include <endian.h>
#include <string.h>

#include "control/store_private.h"
#include "shm/segment.h"

enum { SCOPE_PREFIX = 0, SCOPE_ID = 1, RECORD_VERSION = 1 };

static void put(struct store_value *value, const void *data, size_t bytes)
{
	memcpy(value->data + value->n, data, bytes);
	value->n = (uint16_t)(value->n + bytes);
}

static void put_u64(struct store_value *value, uint64_t number)
{
	number = htole64(number);
	put(value, &number, sizeof(number));
}

static void put_text(struct store_value *value, const char *text, size_t max)
{
	uint8_t n = (uint8_t)strnlen(text, max - 1);

	put(value, &n, 1);
	put(value, text, n);
}

static void begin(struct store_value *value)
{
	static const uint8_t version = RECORD_VERSION;

	value->n = sizeof(uint32_t); /* the checksum's place */
	put(value, &version, 1);
}

static void finish(const struct store_bytes *key, struct store_value *value)
{
	uint32_t checksum = checksum_crc32c(0, key->data, key->n);

	checksum = htole32(
		checksum_crc32c(checksum, value->data + sizeof(uint32_t), value->n - sizeof(uint32_t)));

	memcpy(value->data, &checksum, sizeof(checksum));
}

/* Reads like a stream: after one error every later read fails too. */
struct reader {
	const uint8_t *at, *end;
	bool failed;
};

static void get(struct reader *reader, void *to, size_t bytes)
{
	if (reader->failed || (size_t)(reader->end - reader->at) < bytes) {
		reader->failed = true;
		memset(to, 0, bytes);
		return;
	}
	memcpy(to, reader->at, bytes);
	reader->at += bytes;
}

static uint64_t get_u64(struct reader *reader)
{
	uint64_t number;

	get(reader, &number, sizeof(number));
	return le64toh(number);
}

static void get_text(struct reader *reader, char *text, size_t max)
{
	uint8_t n = 0;

	get(reader, &n, 1);
	if (n >= max)
		reader->failed = true;
	text[0] = '\0';
	if (reader->failed)
		return;
	get(reader, text, n);
	text[reader->failed ? 0 : n] = '\0';
}

static struct reader open_value(const MDB_val *key, const MDB_val *value)
{
	struct reader reader = {value->mv_data, (const uint8_t *)value->mv_data + value->mv_size, false};
	uint32_t checksum = 0;
	uint8_t version = 0;

	get(&reader, &checksum, sizeof(checksum));
	if (!reader.failed &&
		le32toh(checksum) != checksum_crc32c(checksum_crc32c(0, key->mv_data, key->mv_size),
					     reader.at, (size_t)(reader.end - reader.at)))
		reader.failed = true;
	get(&reader, &version, 1);
	if (version != RECORD_VERSION)
		reader.failed = true;
	return reader;
}

static void add(struct store_bytes *key, const void *data, size_t bytes)
{
	if (bytes == 0)
		return; /* data may be NULL then */
	memcpy(key->data + key->n, data, bytes);
	key->n = (uint16_t)(key->n + bytes);
}

static void add_suffix(struct store_bytes *key, int suffix)
{
	uint8_t byte = (uint8_t)suffix;

	if (suffix >= 0)
		add(key, &byte, 1);
}

void store_prefix_key(const struct prefix *prefix, int suffix_or_negative, struct store_bytes *ret_key)
{
	static const uint8_t scope = SCOPE_PREFIX;

	ret_key->n = 0;
	add(ret_key, &scope, 1);
	add(ret_key, prefix->address.bytes, sizeof(prefix->address.bytes));
	add(ret_key, &prefix->length, 1);
	add_suffix(ret_key, suffix_or_negative);
}

void store_id_key(const char *id, int suffix_or_negative, struct store_bytes *ret_key)
{
	static const uint8_t scope = SCOPE_ID;

	ret_key->n = 0;
	add(ret_key, &scope, 1);
	add(ret_key, id, strnlen(id, GOVERNOR_ID_MAX - 1));
	add_suffix(ret_key, suffix_or_negative);
}

void store_ban_key(const struct ban *ban, struct store_bytes *ret_key)
{
	if (ban->scope == BAN_SCOPE_PEER)
		store_id_key(ban->id, (int)ban->tier, ret_key);
	else
		store_prefix_key(&ban->prefix, (int)ban->tier, ret_key);
}

void store_expiry_key(int64_t end_ms, const void *ban_key, size_t bytes, struct store_bytes *ret_key)
{
	uint64_t end = htobe64((uint64_t)end_ms);

	ret_key->n = 0;
	add(ret_key, &end, sizeof(end));
	add(ret_key, ban_key, bytes);
}

void store_ban_encode(const struct store_bytes *key, const struct ban *ban, struct store_value *ret_value)
{
	uint16_t port = htole16(ban->seen_port);
	uint64_t score;

	memcpy(&score, &ban->score, sizeof(score));
	begin(ret_value);
	put_u64(ret_value, (uint64_t)ban->start_ms);
	put_u64(ret_value, (uint64_t)ban->end_ms);
	put_u64(ret_value, score);
	put_u64(ret_value, (uint64_t)ban->freeze_until_ms);
	put_text(ret_value, ban->reason, sizeof(ban->reason));
	put_text(ret_value, ban->evidence, sizeof(ban->evidence));
	put_text(ret_value, ban->source, sizeof(ban->source));
	if (ban->has_seen) {
		put(ret_value, ban->seen.bytes, sizeof(ban->seen.bytes));
		put(ret_value, &port, sizeof(port));
	}
	finish(key, ret_value);
}
_Static_assert(
	5 + 4 * 8 + 2 * GOVERNOR_TEXT_MAX + 32 + 3 + 18 <= STORE_VALUE_MAX, "the longest ban must fit");

void store_strike_encode(
	const struct store_bytes *key, unsigned strikes, int64_t last_ms, struct store_value *ret_value)
{
	begin(ret_value);
	put_u64(ret_value, strikes);
	put_u64(ret_value, (uint64_t)last_ms);
	finish(key, ret_value);
}

void store_text_encode(const struct store_bytes *key, const char *text, struct store_value *ret_value)
{
	begin(ret_value);
	put_text(ret_value, text, GOVERNOR_TEXT_MAX);
	finish(key, ret_value);
}

bool store_prefix_decode(const MDB_val *key, struct prefix *ret_prefix, uint8_t *ret_suffix)
{
	const uint8_t *data = key->mv_data;
	struct prefix prefix;

	if (key->mv_size < 18 || key->mv_size > 19 || data[0] != SCOPE_PREFIX)
		return false;
	memcpy(prefix.address.bytes, data + 1, sizeof(prefix.address.bytes));
	prefix.length = data[17];
	if (prefix.length > PREFIX_HOST_LENGTH)
		return false;
	*ret_prefix = prefix;
	if (ret_suffix != NULL)
		*ret_suffix = key->mv_size == 19 ? data[18] : 0;
	return true;
}

static bool ban_key_decode(const MDB_val *key, struct ban *ban)
{
	const uint8_t *data = key->mv_data;
	uint8_t tier = 0;

	if (key->mv_size < 3)
		return false;
	if (data[0] == SCOPE_PREFIX) {
		ban->scope = BAN_SCOPE_PREFIX;
		if (key->mv_size != 19 || !store_prefix_decode(key, &ban->prefix, &tier))
			return false;
	} else {
		if (data[0] != SCOPE_ID || key->mv_size - 2 >= GOVERNOR_ID_MAX)
			return false;
		ban->scope = BAN_SCOPE_PEER;
		memcpy(ban->id, data + 1, key->mv_size - 2);
		tier = data[key->mv_size - 1];
	}
	ban->tier = (enum ban_tier)tier;
	return tier >= BAN_TIER_STRIKE && tier <= BAN_TIER_MANUAL;
}

bool store_ban_decode(const MDB_val *key, const MDB_val *value, struct ban *ret_ban)
{
	struct reader reader = open_value(key, value);
	struct ban ban;
	uint64_t score;
	uint16_t port;

	memset(&ban, 0, sizeof(ban));
	if (!ban_key_decode(key, &ban))
		return false;
	ban.start_ms = (int64_t)get_u64(&reader);
	ban.end_ms = (int64_t)get_u64(&reader);
	score = get_u64(&reader);
	memcpy(&ban.score, &score, sizeof(score));
	ban.freeze_until_ms = (int64_t)get_u64(&reader);
	get_text(&reader, ban.reason, sizeof(ban.reason));
	get_text(&reader, ban.evidence, sizeof(ban.evidence));
	get_text(&reader, ban.source, sizeof(ban.source));
	/* A record of an earlier Weir ends here, and an earlier Weir reads no further. */
	if (!reader.failed && reader.at != reader.end) {
		get(&reader, ban.seen.bytes, sizeof(ban.seen.bytes));
		get(&reader, &port, sizeof(port));
		ban.has_seen = true;
		ban.seen_port = le16toh(port);
	}
	if (reader.failed)
		return false;
	*ret_ban = ban;
	return true;
}

bool store_strike_decode(
	const MDB_val *key, const MDB_val *value, unsigned *ret_strikes, int64_t *ret_last_ms)
{
	struct reader reader = open_value(key, value);
	uint64_t strikes = get_u64(&reader);
	uint64_t last = get_u64(&reader);

	if (reader.failed || strikes > UINT32_MAX)
		return false;
	*ret_strikes = (unsigned)strikes;
	*ret_last_ms = (int64_t)last;
	return true;
}

bool store_text_decode(const MDB_val *key, const MDB_val *value, char *text, size_t text_bytes)
{
	struct reader reader = open_value(key, value);
	char read[GOVERNOR_TEXT_MAX];

	get_text(&reader, read, sizeof(read));
	if (reader.failed || text_bytes < sizeof(read))
		return false;
	memcpy(text, read, sizeof(read));
	return true;
}

void store_book_key(const struct address *address, uint16_t port, struct store_bytes *ret_key)
{
	uint16_t number = htobe16(port);

	ret_key->n = 0;
	add(ret_key, address->bytes, sizeof(address->bytes));
	add(ret_key, &number, sizeof(number));
}

void store_book_encode(
	const struct store_bytes *key, const struct book_record *record, struct store_value *ret_value)
{
	const uint8_t kinds[] = {record->type, record->category, record->source, record->verified};

	begin(ret_value);
	put_u64(ret_value, (uint64_t)record->first_seen_ms);
	put_u64(ret_value, (uint64_t)record->last_seen_ms);
	put_u64(ret_value, (uint64_t)record->last_try_ms);
	put_u64(ret_value, (uint64_t)record->last_ok_ms);
	put_u64(ret_value, (uint64_t)record->next_try_ms);
	put_u64(ret_value, (uint64_t)record->ok << 32 | record->fail);
	put_u64(ret_value, record->failures);
	put(ret_value, kinds, sizeof(kinds));
	finish(key, ret_value);
}

bool store_book_decode(const MDB_val *key, const MDB_val *value, struct book_record *ret_record)
{
	struct reader reader = open_value(key, value);
	struct book_record record;
	uint64_t outcomes, failures;
	uint8_t kinds[4];

	memset(&record, 0, sizeof(record));
	if (key->mv_size != sizeof(record.address.bytes) + sizeof(record.port))
		return false;
	memcpy(record.address.bytes, key->mv_data, sizeof(record.address.bytes));
	memcpy(&record.port, (const uint8_t *)key->mv_data + sizeof(record.address.bytes), sizeof(record.port));
	record.port = be16toh(record.port);
	record.first_seen_ms = (int64_t)get_u64(&reader);
	record.last_seen_ms = (int64_t)get_u64(&reader);
	record.last_try_ms = (int64_t)get_u64(&reader);
	record.last_ok_ms = (int64_t)get_u64(&reader);
	record.next_try_ms = (int64_t)get_u64(&reader);
	outcomes = get_u64(&reader);
	failures = get_u64(&reader);
	get(&reader, kinds, sizeof(kinds));
	if (reader.failed || failures > UINT32_MAX || kinds[0] >= BOOK_TYPE_COUNT ||
		kinds[1] >= PEER_CATEGORY_COUNT || kinds[2] >= PEER_SOURCE_COUNT)
		return false;
	record.ok = (uint32_t)(outcomes >> 32);
	record.fail = (uint32_t)outcomes;
	record.failures = (uint32_t)failures;
	record.type = kinds[0];
	record.category = kinds[1];
	record.source = kinds[2];
	record.verified = kinds[3] != 0;
	*ret_record = record;
	return true;
}
