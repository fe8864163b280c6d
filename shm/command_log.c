// SPDX-License-Identifier: BSD-3-Clause
/* The command log (command_log.h). Writer: control's event loop, in its own mapping. Reader: the dataplane's
 * table thread, by pread only, so it must take nothing that it copies for true: a record counts when its own
 * sequence and checksum say that it is the one asked for. head_sequence is only a hint of how far it is worth
 * looking.
 */
#include "shm/command_log.h"

#include <errno.h>
#include <string.h>

#include "shm/prefix.h"

uint32_t control_payload_layout_hash(void)
{
	static const uint32_t numbers[] = {
		sizeof(struct control_payload), offsetof(struct control_payload, head_sequence),
		offsetof(struct control_payload, covered_sequence),
		offsetof(struct control_payload, image_generation),
		offsetof(struct control_payload, ring_consumed),
		offsetof(struct control_payload, dataplane_instance),
		offsetof(struct control_payload, records), sizeof(struct command_record),
		offsetof(struct command_record, sequence), offsetof(struct command_record, checksum),
		offsetof(struct command_record, kind), offsetof(struct command_record, prefix_length),
		offsetof(struct command_record, port), offsetof(struct command_record, address),
		offsetof(struct command_record, meta), offsetof(struct command_record, written_ns),
		COMMAND_LOG_RECORDS, CONTROL_RINGS_MAX, COMMAND_KIND_COUNT, BAN_META_END_BITS,
		SOURCE_CLASS_BANNED, 0x01020304, /* as bytes it differs between byte orders */
	};

	return checksum_crc32c(0, numbers, sizeof(numbers));
}

static uint32_t command_record_checksum(const struct command_record *record)
{
	struct command_record copy = *record;

	copy.checksum = 0;
	return checksum_crc32c(0, &copy, sizeof(copy));
}

/* What neither side may put into or take out of the log, whatever its checksum says. */
static bool command_record_is_valid(const struct command_record *record)
{
	struct address address;
	struct prefix prefix;

	if (record->kind == COMMAND_NONE || record->kind >= COMMAND_KIND_COUNT ||
		record->prefix_length > PREFIX_HOST_LENGTH)
		return false;
	if (record->kind == COMMAND_FLOW_CUT)
		return true; /* names an address and a port, no prefix */
	memcpy(address.bytes, record->address, sizeof(address.bytes));
	prefix = prefix_of(&address, record->prefix_length);
	if (address_compare(&prefix.address, &address) != 0)
		return false;
	return record->kind != COMMAND_BAN_SET ||
	       (ban_meta_class(record->meta) > SOURCE_CLASS_NONE &&
		       ban_meta_class(record->meta) <= SOURCE_CLASS_BANNED);
}

int command_log_append(
	struct control_payload *payload, const struct command_record *record, uint64_t *ret_sequence)
{
	/* Relaxed: only this thread writes both words. */
	uint64_t sequence = atomic_load_explicit(&payload->head_sequence, memory_order_relaxed) + 1;
	uint64_t covered = atomic_load_explicit(&payload->covered_sequence, memory_order_relaxed);
	struct command_record copy = *record;

	if (!command_record_is_valid(record))
		return -EINVAL;
	if (sequence - covered > COMMAND_LOG_RECORDS)
		return -ENOBUFS;
	copy.sequence = sequence;
	copy.checksum = command_record_checksum(&copy);
	payload->records[(sequence - 1) % COMMAND_LOG_RECORDS] = copy;
	/* Release: pairs with the acquire fence in command_log_read. Who sees this head sees the record. */
	atomic_store_explicit(&payload->head_sequence, sequence, memory_order_release);
	if (ret_sequence)
		*ret_sequence = sequence;
	return 0;
}

void command_log_cover(struct control_payload *payload, uint64_t generation, uint64_t covers_sequence)
{
	uint64_t head = atomic_load_explicit(&payload->head_sequence, memory_order_relaxed);
	uint64_t covered = atomic_load_explicit(&payload->covered_sequence, memory_order_relaxed);

	/* Never backwards, never ahead of what was written: both would free records that no image contains.
	 */
	if (covers_sequence > head)
		covers_sequence = head;
	if (covers_sequence > covered)
		atomic_store_explicit(&payload->covered_sequence, covers_sequence, memory_order_relaxed);
	/* Release: pairs with the fence of a reader that fetches image_generation; it then sees
	 * covered_sequence too. The image itself was renamed into place before this call and the kernel
	 * orders that for everybody. */
	atomic_store_explicit(&payload->image_generation, generation, memory_order_release);
}

/* Copy records first .. first + n - 1, in two parts when they wrap. */
static int command_log_copy(
	const struct segment_reader *reader, uint64_t first, struct command_record *records, unsigned n)
{
	size_t base = offsetof(struct control_payload, records), index = (first - 1) % COMMAND_LOG_RECORDS;
	size_t upper = COMMAND_LOG_RECORDS - index < n ? COMMAND_LOG_RECORDS - index : n;
	int rc = segment_reader_read(
		reader, base + index * sizeof(*records), records, upper * sizeof(*records));

	if (rc == 0 && upper < n)
		rc = segment_reader_read(reader, base, records + upper, (n - upper) * sizeof(*records));
	return rc;
}

static bool command_record_is(const struct command_record *record, uint64_t sequence)
{
	return record->sequence == sequence && record->checksum == command_record_checksum(record) &&
	       command_record_is_valid(record);
}

enum command_log_result command_log_read(const struct segment_reader *reader,
	struct command_log_cursor *cursor, struct command_record *records, unsigned max, unsigned *ret_n)
{
	uint64_t next = cursor->applied_sequence + 1, head;

	/* Twice: a first failure may be a copy torn by the writer, and a fresh head then tells whether it
	 * was. */
	for (int try = 0; try < 2; try++) {
		unsigned n = 0, want;

		if (segment_reader_read(reader, offsetof(struct control_payload, head_sequence), &head,
			    sizeof(head)) != 0)
			return COMMAND_LOG_LOST;
		/* Acquire: pairs with the release in command_log_append. The kernel copies in this thread, so
		 * the fence stands between its load of the head and its loads of the records. */
		atomic_thread_fence(memory_order_acquire);
		if (head == cursor->applied_sequence || max == 0)
			return COMMAND_LOG_EMPTY;
		if (head < cursor->applied_sequence)
			continue; /* a head never goes back: damage, if it is still so */
		if (head - cursor->applied_sequence > COMMAND_LOG_RECORDS)
			return COMMAND_LOG_BEHIND;
		want = head - cursor->applied_sequence < max ? (unsigned)(head - cursor->applied_sequence)
							     : max;
		if (command_log_copy(reader, next, records, want) != 0)
			return COMMAND_LOG_LOST;
		while (n < want && command_record_is(&records[n], next + n))
			n++;
		if (n > 0) {
			cursor->applied_sequence += n;
			*ret_n = n;
			return COMMAND_LOG_RECORDS_READ;
		}
	}
	/* The writer fills the place of record s - RECORDS before its head says s: that one is gone, not
	 * damaged. */
	if (head >= cursor->applied_sequence && head - cursor->applied_sequence >= COMMAND_LOG_RECORDS)
		return COMMAND_LOG_BEHIND;
	return COMMAND_LOG_DAMAGED;
}
