/* SPDX-License-Identifier: BSD-3-Clause
 * Values that control and dataplane agree on: classes of a banned source, the packed "meta" word of a ban,
 * and the records of the command log. Plain data; who writes and who reads is said in command_log.h and
 * image.h.
 */
#ifndef WEIR_SHM_COMMAND_H
#define WEIR_SHM_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

/** What a source's entry in the ban tables says. Order is strength: a stronger class wins. */
enum source_class {
	SOURCE_CLASS_NONE = 0,
	SOURCE_CLASS_DISCOURAGED = 1, /* T0: refused only when slots are scarce */
	SOURCE_CLASS_THROTTLED = 2,   /* T1: must wait before it reconnects */
	SOURCE_CLASS_REFUSED = 3,     /* score below the disconnect threshold */
	SOURCE_CLASS_BANNED = 4,      /* T2, T3, T4, T5 */
};

/* A ban's meta word: class in bits 31..29, end in bits 28..0: seconds of CLOCK_MONOTONIC, rounded up, at
 * which the entry ends by itself. All ones means it never ends; 2^29 s of uptime are 17 years, so it cannot
 * wrap. */
#define BAN_META_END_BITS 29
#define BAN_META_NEVER    ((1u << BAN_META_END_BITS) - 1u)

static inline uint32_t ban_meta_make(enum source_class class, uint32_t end_s)
{
	return ((uint32_t) class << BAN_META_END_BITS) | (end_s > BAN_META_NEVER ? BAN_META_NEVER : end_s);
}
static inline enum source_class ban_meta_class(uint32_t meta)
{
	return (enum source_class)(meta >> BAN_META_END_BITS);
}
static inline uint32_t ban_meta_end_s(uint32_t meta)
{
	return meta & BAN_META_NEVER;
}
/** The class in force at `now_s` (CLOCK_MONOTONIC seconds, floor): in force while now < end. */
static inline enum source_class ban_meta_class_at(uint32_t meta, uint32_t now_s)
{
	uint32_t end_s = ban_meta_end_s(meta);
	return (end_s == BAN_META_NEVER || now_s < end_s) ? ban_meta_class(meta) : SOURCE_CLASS_NONE;
}

enum command_kind {
	COMMAND_NONE = 0,
	COMMAND_BAN_SET = 1,   /* prefix, meta: set or replace */
	COMMAND_BAN_CLEAR = 2, /* prefix */
	COMMAND_ALLOW_SET = 3, /* prefix */
	COMMAND_ALLOW_CLEAR = 4,
	COMMAND_DENY_SET = 5,
	COMMAND_DENY_CLEAR = 6,
	COMMAND_FLOW_CUT = 7, /* address+port (0: all ports): RST to both sides, whatever the lists say */
	COMMAND_KIND_COUNT,
};

/* Commands for lists and for bans that are no host, /64 or /128 wait in an overlay of the dataplane's until an image carries them: at most so
 * many. Control publishes an image when half of it is used. */
enum { COMMAND_OVERLAY_MAX = 4096 };

/** True when a ban of this prefix has an exact table and needs no overlay. */
static inline bool command_ban_is_exact(uint8_t prefix_length, bool is_v4)
{
	return prefix_length == 128 || (!is_v4 && prefix_length == 64);
}

/** One record of the log: 64 bytes, written once, then never changed until its place is reused. */
struct command_record {
	uint64_t sequence; /* 1, 2, 3, ... over the life of the control segment's instance */
	uint32_t checksum; /* crc32c of the record with this field zero */
	uint8_t kind;      /* enum command_kind */
	uint8_t prefix_length;
	uint16_t port; /* COMMAND_FLOW_CUT only; host order */
	uint8_t address[16];
	uint32_t meta;       /* COMMAND_BAN_SET only */
	uint32_t reserved;   /* 0 */
	uint64_t written_ns; /* CLOCK_MONOTONIC when control accepted it; for the delay histogram */
	uint64_t reserved2[2];
};
_Static_assert(sizeof(struct command_record) == 64, "one cache line per command");

#endif
