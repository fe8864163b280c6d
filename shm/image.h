/* SPDX-License-Identifier: BSD-3-Clause
 * The snapshot image: the whole truth that control publishes, as one flat, position-independent, checksummed
 * block. Control builds it (image_builder.h) into a new file and renames it over the old one; the dataplane
 * reads it with pread into private memory, validates all of it, and only then uses it. weir-replay builds and
 * loads it in memory.
 */
#ifndef WEIR_SHM_IMAGE_H
#define WEIR_SHM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/command.h"
#include "shm/prefix.h"

#define IMAGE_MAGIC UINT64_C(0x3147414D49524557) /* "WERIMAG1", little-endian */

enum {
	IMAGE_VERSION = 1,
	IMAGE_SERVICES_MAX = 64,
	IMAGE_NODE_ADDRESSES_MAX = 32,
	IMAGE_SERVICE_NAME_BYTES = 24,
	IMAGE_LIST_LABELS_MAX = 1 << 24,
};

/* 2^24 labels with two IPv6 intervals each are 0.9 GB, 100 million IPv4 bans 0.8 GB and as many IPv6
 * sites 1.6 GB. */
#define IMAGE_BYTES_MAX (UINT64_C(1) << 32)

enum image_section {
	IMAGE_SECTION_POLICY,         /* struct image_policy, exactly 1 */
	IMAGE_SECTION_NODE_ADDRESSES, /* struct address */
	IMAGE_SECTION_SERVICES,       /* struct image_service */
	IMAGE_SECTION_LIST_LABELS,    /* struct image_list_label; label 0 is "nothing" and always present */
	IMAGE_SECTION_LIST_V4_STARTS, /* uint32_t, ascending, first is 0: start of each interval, host order
				       */
	IMAGE_SECTION_LIST_V4_LABELS, /* uint32_t, as many as starts: label of each interval */
	IMAGE_SECTION_LIST_V6_STARTS, /* struct image_v6_start, ascending, first is :: */
	IMAGE_SECTION_LIST_V6_LABELS, /* uint32_t */
	IMAGE_SECTION_BANS_V4,        /* struct image_ban_v4, ascending by address, unique */
	IMAGE_SECTION_BANS_V6,        /* struct image_ban_v6, ascending by site, unique: a /64 each */
	IMAGE_SECTION_BANS_EXACT,     /* struct image_ban_exact, ascending, unique: an IPv6 /128 each */
	IMAGE_SECTION_COUNT,
};

struct image_section_entry {
	uint64_t offset_bytes; /* from the start of the image, multiple of 64 */
	uint64_t count;        /* records */
};

struct image_header {
	uint64_t magic;
	uint32_t version;
	uint32_t layout_hash; /* image_layout_hash() */
	uint64_t total_bytes;
	uint64_t instance;        /* random id of the control segment whose log this image belongs to */
	uint64_t generation;      /* 1, 2, 3, ... within the instance */
	uint64_t covers_sequence; /* every command up to this one is contained */
	uint64_t built_mono_ns;
	uint64_t built_wall_ns;
	struct image_section_entry sections[IMAGE_SECTION_COUNT];
	uint32_t checksum; /* crc32c of the whole image with this field zero */
	uint32_t reserved;
};

enum image_mode { IMAGE_MODE_ENFORCE = 0, IMAGE_MODE_MONITOR = 1 };
enum image_other_policy { IMAGE_OTHER_PASS = 0, IMAGE_OTHER_DROP = 1 };
enum image_challenge { IMAGE_CHALLENGE_OFF = 0, IMAGE_CHALLENGE_AUTO = 1, IMAGE_CHALLENGE_ALWAYS = 2 };
enum image_challenge_method { IMAGE_METHOD_RESET = 0, IMAGE_METHOD_PROXY = 1 };
enum image_level {
	IMAGE_LEVEL_HOST, /* v4 /32, v6 /64 */
	IMAGE_LEVEL_NEAR, /* v4 /24, v6 /56 */
	IMAGE_LEVEL_MID,  /* v4 /20, v6 /48 */
	IMAGE_LEVEL_WIDE, /* v4 /18, v6 /32 */
	IMAGE_LEVEL_COUNT,
};

/** A rate: exact where it is a token bucket (host), the capacity of a decaying counter elsewhere. */
struct image_rate {
	uint32_t burst;      /* attempts at once, 1..1e6; 0 = no limit */
	uint32_t per_1000_s; /* sustained attempts per 1000 s, 1..1e9 */
};

struct image_policy {
	uint8_t mode;             /* enum image_mode */
	uint8_t other_policy;     /* enum image_other_policy: the node's address, no protected service */
	uint8_t accept_inbound;   /* 0: InitiatorOnly, every attempt is NODE_CLOSED (DU-9) */
	uint8_t verify_checksums; /* 1: TCP, UDP and ICMP checksums of packets from outside are checked in
				     software */
	/* row 7: limits of proven connections opened, per level; v4 and v6 */
	struct image_rate proven_rate_v4[IMAGE_LEVEL_COUNT];
	struct image_rate proven_rate_v6[IMAGE_LEVEL_COUNT];
	/* row 8: unproven attempts per level beyond which attempts of that prefix are challenged */
	struct image_rate unproven_rate_v4[IMAGE_LEVEL_COUNT];
	struct image_rate unproven_rate_v6[IMAGE_LEVEL_COUNT];
	/* row 9: proven connections at once, 0 = no limit */
	uint32_t concurrency_v4[IMAGE_LEVEL_COUNT];
	uint32_t concurrency_v6[IMAGE_LEVEL_COUNT];
	/* row 11 */
	uint32_t limit_soft;        /* 0 = none */
	uint32_t limit_hard;        /* 0 = none */
	uint32_t soft_delay_max_ms; /* delay reached at the hard limit; pacing lets 1 attempt in per delay */
	uint8_t soft_linear;        /* 1 linear from soft to hard (DU-14 Ouroboros), 0 fixed */
	uint8_t reserved0[3];
	uint32_t reserved_slots; /* slots beyond limit_hard that only allowlisted sources may use */
	/* reply budget of challenges and refusals, per lcore */
	uint32_t replies_per_s;
	uint32_t icmp_per_s;           /* ICMP echo and errors, per lcore */
	uint32_t infrastructure_per_s; /* ARP, ND and the rest, per lcore and type */
	uint32_t other_per_s;          /* packets to unprotected services, per lcore */
	/* times */
	uint32_t half_open_timeout_ms;
	uint32_t auth_timeout_ms;     /* proven but no payload: EVENT_FLOW_SILENT */
	uint32_t tcp_idle_timeout_ms; /* established, default 2 h 10 min */
	uint32_t udp_idle_timeout_ms; /* answered by the node */
	uint32_t udp_unanswered_timeout_ms;
	uint32_t closing_timeout_ms; /* after FIN or RST */
	uint32_t proven_lifetime_ms; /* how long a proof is remembered */
	uint32_t adopt_window_ms;    /* after start: flows from outside may be adopted unproven */
	uint32_t adopt_per_s;        /* at most so many a second, per lcore */
	uint32_t start_wait_ms;      /* used when no image exists; copied here for `weirctl status` */
	/* flood mode: unproven attempts a second of one lcore, all services, above which none of them creates state; 0 = never */
	uint32_t flood_per_s;
	/* Answers to challenges with a wrong cookie, a second and lcore, above which a connection that a cookie proved gives no
	 * punitive evidence: among so many guesses one may be right. 0 = never. */
	uint32_t challenge_bad_per_s;
	/* Challenges and refusals sent to one IPv4 /24 or IPv6 /56, a second; 0 = no cap of its own */
	uint32_t replies_per_prefix_per_s;
	/* Both at most a day, which is what a flow remembers (dataplane/flow_table.h) */
	uint32_t payload_idle_timeout_ms; /* proven TCP, no payload either way (LO-12): cut; 0 = never */
	uint32_t straggler_timeout_ms;    /* the client acknowledges nothing of what the node sent (HE-13): cut; 0 = never */
	/* Row 7: a prefix's limit grows by its configured value for each so many proven distinct clients seen in it lately
	 * (CGNAT); 0 = limits are not weighted */
	uint32_t clients_per_limit;
	uint8_t reserved1[8];
};

struct image_service {
	char name[IMAGE_SERVICE_NAME_BYTES]; /* NUL-terminated */
	uint16_t port;                       /* host order, 1..65535 */
	uint8_t protocol;                    /* 6 TCP, 17 UDP */
	uint8_t challenge;                   /* enum image_challenge; UDP: OFF only */
	uint8_t challenge_method;            /* enum image_challenge_method */
	uint8_t udp_unanswered_packets;      /* packets a UDP flow may send before the node answers, 1..255 */
	uint8_t refuse_with_rst;             /* 1: refusals of proven sources answer RST, 0: silent */
	uint8_t server_first;                /* 1: the node speaks first, so a lost ACK would never be resent: challenged by reset */
	/* pressure: above `enter` unproven attempts a second, or `half_open` flows that wait; left at `leave`
	 */
	uint32_t pressure_enter_per_s;
	uint32_t pressure_leave_per_s;
	uint32_t pressure_half_open;
	uint32_t pressure_hold_ms;    /* at least so long under pressure once entered */
	uint32_t udp_idle_timeout_ms; /* 0: policy value */
	uint32_t paced_per_s;         /* no challenge, but pressure: unproven attempts a second that pass all the same, without
					 state; shared among lcores; 0 = none */
	uint8_t quic;                 /* UDP: 1 the service speaks QUIC */
	uint8_t amplification_limit;  /* UDP: bytes to a source without proof, as a multiple of those from it; 0 = no limit */
	uint8_t reserved1[6];
};

enum image_list_kind {
	IMAGE_LIST_NONE = 0,
	IMAGE_LIST_ALLOW = 1,
	IMAGE_LIST_DENY = 2,
	IMAGE_LIST_BAN = 3, /* meta says class and end */
	IMAGE_LIST_PRICE = 4, /* meta: what an attempt from here costs of its prefixes' limits, in 1/16; 16 is the usual price */
};

/* Prices, in sixteenths of an attempt. The most is 64 attempts: one in 58 of what the
 * smallest counter holds (3720), so that no single attempt fills it. */
enum { IMAGE_PRICE_USUAL = 16, IMAGE_PRICE_MAX = 64 * IMAGE_PRICE_USUAL };

/** One prefix of the lists. An address's intervals name its most specific label; `parent` leads to the next
 * shorter prefix that covers it, at last to label 0. At one prefix several kinds chain as parents too.
 * parent < own index always, and a parent is shorter, or as long and of a smaller kind: a walk ends after at
 * most 33 * 4 labels (IPv4) or 129 * 4 (IPv6). No smaller bound is set: it would refuse a legitimate ban, and
 * no packet chooses the nesting, only the operator's own lists do. */
struct image_list_label {
	uint32_t parent;
	uint32_t meta; /* IMAGE_LIST_BAN: ban meta; IMAGE_LIST_PRICE: price, 1..IMAGE_PRICE_MAX; else 0 */
	uint8_t kind;
	uint8_t length;    /* of the prefix, 16-byte form */
	uint8_t any_allow; /* this label or one of its parents is an allow */
	uint8_t reserved;
};

struct image_v6_start {
	uint64_t high; /* host order */
	uint64_t low;
};
struct image_ban_v4 {
	uint32_t address; /* host order */
	uint32_t meta;
};
struct image_ban_v6 {
	uint64_t site; /* top 64 bits, host order */
	uint32_t meta;
	uint32_t reserved;
};
struct image_ban_exact {
	uint64_t high, low; /* host order */
	uint32_t meta;
	uint32_t reserved;
};

/** Hash of every size and offset above: two builds that disagree refuse each other's images. */
uint32_t image_layout_hash(void);

/** A validated image: pointers into the caller's block, which must outlive the view and not change. */
struct image_view {
	const struct image_header *header;
	const struct image_policy *policy;
	const struct address *node_addresses;
	const struct image_service *services;
	const struct image_list_label *list_labels;
	const uint32_t *list_v4_starts, *list_v4_labels;
	const struct image_v6_start *list_v6_starts;
	const uint32_t *list_v6_labels;
	const struct image_ban_v4 *bans_v4;
	const struct image_ban_v6 *bans_v6;
	const struct image_ban_exact *bans_exact;
	uint64_t n_node_addresses, n_services, n_list_labels, n_list_v4, n_list_v6, n_bans_v4, n_bans_v6,
		n_bans_exact;
};

enum image_error {
	IMAGE_OK,
	IMAGE_ERROR_SHORT,
	IMAGE_ERROR_MAGIC,
	IMAGE_ERROR_OLDER,
	IMAGE_ERROR_NEWER,
	IMAGE_ERROR_LAYOUT,
	IMAGE_ERROR_SIZE,
	IMAGE_ERROR_CHECKSUM,
	IMAGE_ERROR_SECTION, /* a section lies outside the image, overlaps or is misaligned */
	IMAGE_ERROR_POLICY,  /* a field out of range */
	IMAGE_ERROR_SERVICE,
	IMAGE_ERROR_LISTS, /* not ascending, a label out of range or a parent loop */
	IMAGE_ERROR_BANS,  /* not ascending */
};

/** Check everything and fill the view. `block` is private memory aligned to 64. Never reads past `bytes`. */
enum image_error image_validate(const void *block, size_t bytes, struct image_view *ret_view);
/** True when every field of a policy or a service is in its range, reserved fields zero; image_validate and
 * the builder both ask. */
bool image_policy_is_valid(const struct image_policy *policy);
bool image_service_is_valid(const struct image_service *service);
/** One sentence that says what is wrong and what to do. */
const char *image_error_text(enum image_error error);

#endif
