// SPDX-License-Identifier: BSD-3-Clause
/* Rewriting segments of proxied flows (translate.h). Runs on lcores, once for every segment of such a flow. Must not read behind the
 * header that the parser has seen.
 */
#include "dataplane/translate.h"

#include <string.h>

#include "dataplane/packet_private.h"

enum {
	TCP_SEQUENCE = 4,
	TCP_ACKNOWLEDGEMENT = 8,
	TCP_FLAGS = 13,
	TCP_WINDOW = 14,
	TCP_CHECKSUM = 16,
	TCP_OPTION_SACK = 5,
};

static void put_u16(uint8_t *to, uint16_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

static void put_u32(uint8_t *to, uint32_t value)
{
	put_u16(to, (uint16_t)(value >> 16));
	put_u16(to + 2, (uint16_t)value);
}

/* Sum of 16-bit words; `bytes` is even and at most 60, so nothing overflows. */
static uint32_t words_sum(const uint8_t *from, uint32_t bytes)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < bytes; i += 2)
		sum += load_u16(from + i);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* RFC 1624: HC' = ~(~HC + ~m + m'). */
static void checksum_replace(uint8_t *checksum, uint32_t old_sum, uint32_t new_sum)
{
	uint32_t sum = (uint16_t)~load_u16(checksum);

	sum += (uint16_t)~fold(old_sum);
	sum += fold(new_sum);
	put_u16(checksum, (uint16_t)~fold(sum));
}

static void u32_add(uint8_t *field, uint32_t add, uint8_t *checksum)
{
	uint32_t old_sum = words_sum(field, 4);

	put_u32(field, load_u32(field) + add);
	checksum_replace(checksum, old_sum, words_sum(field, 4));
}

static uint16_t window_shifted(uint16_t window, int shift)
{
	uint32_t wide;

	/* A window that is open stays open: rounded down to 0 it would never open again, and what is sent too much by this the
	 * receiver drops. */
	if (shift < 0)
		return (uint16_t)(window >> -shift == 0 && window != 0 ? 1 : window >> -shift);
	wide = (uint32_t)window << shift;
	return wide > UINT16_MAX ? UINT16_MAX : (uint16_t)wide;
}

static void window_shift(uint8_t *tcp, int shift)
{
	uint16_t before = load_u16(tcp + TCP_WINDOW), after = window_shifted(before, shift);

	put_u16(tcp + TCP_WINDOW, after);
	checksum_replace(tcp + TCP_CHECKSUM, before, after);
}

static void sack_change(uint8_t *option, const struct translation *translation)
{
	if (translation->sack_blank) {
		memset(option, 1, option[1]);
		return;
	}
	for (unsigned i = 2; i + 4 <= option[1]; i += 4)
		put_u32(option + i, load_u32(option + i) + translation->acknowledgement_add);
}

/* The parser has walked these options before: each has a length that fits. Most segments have timestamps and no blocks. */
static bool options_have_sack(const uint8_t *tcp, uint32_t header_bytes)
{
	uint32_t i = TCP_HEADER_BYTES;

	while (i + 1 < header_bytes && tcp[i] != 0 && tcp[i] != TCP_OPTION_SACK)
		i += tcp[i] == 1 ? 1 : tcp[i + 1];
	return i + 1 < header_bytes && tcp[i] == TCP_OPTION_SACK;
}

static void options_change(uint8_t *tcp, uint32_t header_bytes, const struct translation *translation)
{
	uint32_t old_sum = words_sum(tcp + TCP_HEADER_BYTES, header_bytes - TCP_HEADER_BYTES), i = TCP_HEADER_BYTES;

	while (i + 1 < header_bytes && tcp[i] != 0) {
		uint8_t length = tcp[i] == 1 ? 1 : tcp[i + 1];

		if (tcp[i] == TCP_OPTION_SACK)
			sack_change(tcp + i, translation);
		i += length;
	}
	checksum_replace(tcp + TCP_CHECKSUM, old_sum,
		words_sum(tcp + TCP_HEADER_BYTES, header_bytes - TCP_HEADER_BYTES));
}

void translate_segment(uint8_t *frame, const struct packet *packet, const struct translation *translation)
{
	uint8_t *tcp = frame + packet->l4_offset;
	uint32_t header_bytes = (uint32_t)packet->payload_offset - packet->l4_offset;

	if (translation->sequence_add != 0)
		u32_add(tcp + TCP_SEQUENCE, translation->sequence_add, tcp + TCP_CHECKSUM);
	if (translation->window_shift != 0 && !(packet->tcp_flags & TCP_FLAG_SYN))
		window_shift(tcp, translation->window_shift);
	if (!(packet->tcp_flags & TCP_FLAG_ACK))
		return;
	if (translation->acknowledgement_add != 0)
		u32_add(tcp + TCP_ACKNOWLEDGEMENT, translation->acknowledgement_add, tcp + TCP_CHECKSUM);
	if (header_bytes > TCP_HEADER_BYTES && (translation->acknowledgement_add != 0 || translation->sack_blank) &&
		options_have_sack(tcp, header_bytes))
		options_change(tcp, header_bytes, translation);
}

/* RFC 792 promises 8 bytes, so often nobody knows whether the quoted number acknowledges anything: then it does, as in nearly
 * every segment. */
static bool quoted_acknowledges(const uint8_t *quoted, uint32_t quoted_bytes)
{
	return quoted_bytes <= TCP_FLAGS || (quoted[TCP_FLAGS] & TCP_FLAG_ACK);
}

/* A field of the quoted segment: the quoted checksum moves with it if it is there, the ICMP checksum with both. */
static void quoted_add(uint8_t *quoted, uint32_t quoted_bytes, uint32_t offset, uint32_t add, uint8_t *icmp_checksum)
{
	uint32_t old_sum = words_sum(quoted + offset, 4), new_sum;
	bool whole = quoted_bytes >= TCP_CHECKSUM + 2;

	if (whole)
		old_sum += load_u16(quoted + TCP_CHECKSUM);
	if (whole)
		u32_add(quoted + offset, add, quoted + TCP_CHECKSUM);
	else
		put_u32(quoted + offset, load_u32(quoted + offset) + add);
	new_sum = words_sum(quoted + offset, 4) + (whole ? load_u16(quoted + TCP_CHECKSUM) : 0);
	checksum_replace(icmp_checksum, old_sum, new_sum);
}

void translate_quoted(
	uint8_t *frame, uint32_t frame_bytes, const struct packet *packet, const struct translation *translation)
{
	uint8_t *quoted = frame + packet->quoted_l4_offset, *icmp_checksum = frame + packet->l4_offset + 2;
	uint32_t end = (uint32_t)packet->payload_offset + packet->payload_bytes, quoted_bytes;

	if (packet->quoted_l4_offset == 0 || packet->quoted_protocol != IP_PROTOCOL_TCP)
		return;
	if (end > frame_bytes)
		end = frame_bytes;
	quoted_bytes = end > packet->quoted_l4_offset ? end - packet->quoted_l4_offset : 0;
	if (translation->sequence_add != 0 && quoted_bytes >= TCP_SEQUENCE + 4)
		quoted_add(quoted, quoted_bytes, TCP_SEQUENCE, translation->sequence_add, icmp_checksum);
	if (translation->acknowledgement_add != 0 && quoted_bytes >= TCP_ACKNOWLEDGEMENT + 4 &&
		quoted_acknowledges(quoted, quoted_bytes))
		quoted_add(quoted, quoted_bytes, TCP_ACKNOWLEDGEMENT, translation->acknowledgement_add, icmp_checksum);
}
