/* SPDX-License-Identifier: BSD-3-Clause
 * The configuration: one YAML file, read against one schema table (config_schema.c), so that every error is
 * one sentence with file, line and column. A library without threads or clocks, linked by weir-control,
 * weirctl and weir-replay. Uses libyaml and shm only; must not log, open sockets or change anything on disk.
 */
#ifndef WEIR_CONTROL_CONFIG_H
#define WEIR_CONTROL_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/image.h"
#include "shm/prefix.h"

enum {
	CONFIG_TEXT_MAX = 96, /* a path plus "/INSTANCE.dataplane.sock" must fit sun_path, 108 bytes */
	CONFIG_PAIRS_MAX = 16,
	CONFIG_LCORES_MAX = 64,
	CONFIG_ARGUMENTS_MAX = 64,
	CONFIG_KEYS_MAX = 256,        /* rows of the schema */
	CONFIG_ELEMENT_KEYS_MAX = 24, /* rows of one list's element */
	CONFIG_ERROR_MAX = 512,
	CONFIG_FILE_BYTES_MAX = 64 << 20, /* a million listed prefixes are 20 MB */
	CONFIG_LIST_MAX = 1 << 20,
	CONFIG_PRICES_MAX = 1024,
	CONFIG_PEERS_MAX = 256, /* local roots, preferred peers: each is written by hand */
};

/** Where a value was written; line 0: not in the file. Both count from 1. */
struct config_position {
	uint32_t line, column;
};

struct config_prefix {
	struct prefix prefix;
	struct config_position at;
};

struct config_prefixes {
	struct config_prefix *items;
	size_t n, capacity;
};

struct config_address {
	struct address address;
	struct config_position at;
};

struct config_service {
	struct config_position
		at[CONFIG_ELEMENT_KEYS_MAX]; /* by row of the element; [0] is the element's own */
	char name[CONFIG_TEXT_MAX];
	uint64_t port;
	uint64_t protocol;  /* 6 or 17 */
	uint64_t challenge; /* enum image_challenge */
	uint64_t method;    /* enum image_challenge_method */
	uint64_t refuse;    /* 1 RST, 0 silent */
	uint64_t udp_unanswered_packets;
	uint64_t idle_ms; /* 0: timeouts.* */
	uint64_t pressure_enter_per_s, pressure_leave_per_s, pressure_half_open, pressure_hold_ms;
	uint64_t server_first, quic;
	uint64_t amplification_limit, paced_per_s;
};

struct config_price {
	struct config_position at[3]; /* [0] is the element's own */
	struct prefix prefix;
	double price; /* 1 is the usual one */
};

struct config_pair {
	struct config_position at[CONFIG_ELEMENT_KEYS_MAX];
	char outside[CONFIG_TEXT_MAX], inside[CONFIG_TEXT_MAX]; /* PCI address or vdev text */
	uint64_t mtu;                                           /* bytes */
};

struct config_word {
	char text[CONFIG_TEXT_MAX];
	struct config_position at;
};

/* A local root (DU-17) or a preferred peer (HE-13) by its endpoint. */
struct config_peer {
	struct config_position at[CONFIG_ELEMENT_KEYS_MAX];
	char ip[CONFIG_TEXT_MAX], group[CONFIG_TEXT_MAX];
	uint64_t port, hot, warm;
};

/* What only the governor acts by; config_governor.def has the rows. Milliseconds where it says so. */
struct config_governor {
	double tick_s, gossip_clamp, churn_fraction, floor;
	uint64_t target, ignore_negative;
	uint64_t throttle_on, score_on;
	uint64_t limit_total, limit_in, limit_out, limit_pending;
	uint64_t rate_burst, rate_window_n;
	double rate_per_s, rate_window_s;
	uint64_t target_root, target_known, target_established, target_active;
	uint64_t target_blp_known, target_blp_established, target_blp_active;
	uint64_t book_per_subnet, book_capacity, book_allow_doc, book_allow_private, book_require_verified;
	uint64_t book_share_failures;
	double book_stale_s;
	uint64_t sources[8]; /* by enum peer_source: the book takes it */
	uint64_t reset_on_success;
	uint64_t stage_surplus, stage_stall, stage_valency, stage_blp, stage_churn;
	double churn_normal_s, churn_bulk_s, churn_fuzz_s;
	uint64_t optimise_on;
	double optimise_interval_s;
	uint64_t eviction_grace_ms, eviction_silent_ms, close_grace_ms, courtesy_ms;
	uint64_t connections_max, disconnected_max, banned_max;
	struct config_peer local_roots[CONFIG_PEERS_MAX], preferred[CONFIG_PEERS_MAX];
	size_t n_local_roots, n_preferred;
};

struct config_rate {
	uint64_t burst;      /* 0: no limit */
	uint64_t per_1000_s; /* attempts per 1000 s */
};

enum config_profile {
	CONFIG_PROFILE_BOOTSTRAP,
	CONFIG_PROFILE_LIGHTHOUSE,
	CONFIG_PROFILE_OUROBOROS,
	CONFIG_PROFILE_DUGITE,
	CONFIG_PROFILE_STELLAR,
	CONFIG_PROFILE_SPACETIME,
	CONFIG_PROFILE_LORACHAIN,
	CONFIG_PROFILE_COUNT,
};
/** "bootstrap", ...; NULL beyond the last. */
const char *config_profile_name(enum config_profile profile);

enum config_soft_mode { CONFIG_SOFT_LINEAR, CONFIG_SOFT_FIXED, CONFIG_SOFT_NONE };
enum config_start_fail { CONFIG_START_FAIL_CLOSED, CONFIG_START_FAIL_OPEN };

struct config {
	char file[256];                             /* as given; "" without a file */
	struct config_position at[CONFIG_KEYS_MAX]; /* by row of the schema */

	char instance[CONFIG_TEXT_MAX];
	uint64_t profile; /* enum config_profile */
	struct config_governor governor;
	uint64_t mode; /* enum image_mode */
	char run_dir[CONFIG_TEXT_MAX], shm_dir[CONFIG_TEXT_MAX], state_dir[CONFIG_TEXT_MAX];
	uint64_t log_level; /* 0 error, 1 warning, 2 info, 3 debug */

	char socket_path[CONFIG_TEXT_MAX]; /* "": RUN_DIR/INSTANCE.sock */
	char socket_group[CONFIG_TEXT_MAX], socket_admin_group[CONFIG_TEXT_MAX];
	uint64_t socket_clients_max, socket_output_bytes_max;

	struct config_address node_addresses[IMAGE_NODE_ADDRESSES_MAX];
	size_t n_node_addresses;
	uint64_t accept_inbound, verify_checksums;
	struct config_service services[IMAGE_SERVICES_MAX];
	size_t n_services;
	struct config_prefixes allow, deny, own;
	struct config_price prices[CONFIG_PRICES_MAX];
	size_t n_prices;

	uint64_t limit_hard, limit_soft, soft_mode, soft_delay_max_ms, reserved_slots;
	uint64_t disconnects_per_s;
	uint64_t concurrency_v4[IMAGE_LEVEL_COUNT], concurrency_v6[IMAGE_LEVEL_COUNT];
	struct config_rate proven_v4[IMAGE_LEVEL_COUNT], proven_v6[IMAGE_LEVEL_COUNT];
	struct config_rate unproven_v4[IMAGE_LEVEL_COUNT], unproven_v6[IMAGE_LEVEL_COUNT];
	uint64_t replies_per_s, icmp_per_s, infrastructure_per_s;
	uint64_t replies_per_prefix_per_s, clients_per_limit;
	uint64_t flood_per_s, challenge_bad_per_s;
	char secret_file[CONFIG_TEXT_MAX]; /* "": the dataplane makes its own */
	uint64_t other_policy, other_per_s;
	uint64_t payload_idle_ms, straggler_ms;
	uint64_t half_open_ms, auth_ms, tcp_idle_ms, udp_idle_ms, udp_unanswered_ms, closing_ms, proven_ms;
	uint64_t adopt_window_ms, adopt_per_s;

	double score_half_life_s, score_freeze_s, score_disconnect, score_ban;
	uint64_t ban_auto, throttle_ms, ban_temporary_ms, ban_temporary_max, ban_strike_life_ms;
	uint64_t peers_max, bans_max;
	uint64_t store_map_bytes_max, store_backup_interval_ms;
	uint64_t snapshot_interval_ms, snapshot_commands;

	struct config_pair pairs[CONFIG_PAIRS_MAX];
	size_t n_pairs;
	struct config_word lcores[CONFIG_LCORES_MAX];
	size_t n_lcores;
	uint64_t queues;                                      /* 0: as many as lcores */
	uint64_t flows_log2, pressure_keys_log2, proven_log2; /* flows: of one lcore */
	uint64_t idle_sleep_us;
	uint64_t offload_bans;
	uint64_t memory_huge;
	uint64_t start_wait_ms, start_fail; /* enum config_start_fail */
	struct config_word eal_args[CONFIG_ARGUMENTS_MAX];
	size_t n_eal_args;
};

/** The profile's values, no node, no service. Allocates nothing. */
void config_default(struct config *config, enum config_profile profile);

/** Read and check a file. 0, or -EINVAL (the file is wrong), -errno (it cannot be read), -ENOMEM;
 * `error_text` then holds one sentence "FILE:LINE:COLUMN: key: what is wrong (allowed: ...)". The caller
 * frees a config that was filled. */
int config_load(const char *path, struct config *ret_config, char *error_text, size_t error_bytes);

/** The same from memory; `name` stands for the file in sentences. */
int config_load_text(const char *name, const char *text, size_t bytes, struct config *ret_config,
	char *error_text, size_t error_bytes);

/** For weir-replay: defaults with `node` "ADDRESS[,ADDRESS...]" and `services` "tcp/30303,udp/30303".
 * -EINVAL. */
int config_from_options(const char *node, const char *services, struct config *ret_config, char *error_text,
	size_t error_bytes);

/** Set one key as the file would ("limits.hard", "600"; a list in YAML's flow style: "preferred", "[192.0.2.1:9000]",
 * which takes the place of the one before, and is empty after an error), then check all. -ENOENT: no such key;
 * -EINVAL, -ENOMEM. */
int config_set(
	struct config *config, const char *key, const char *value, char *error_text, size_t error_bytes);

/** As config_set, but nothing is checked across keys: config_complete follows the last of several. */
int config_put(
	struct config *config, const char *key, const char *value, char *error_text, size_t error_bytes);
/** Check a configuration made by config_default and config_put, which needs no node, and compute what follows from others. */
int config_complete(struct config *config, char *error_text, size_t error_bytes);

void config_free(struct config *config);

/** Policy and services in the units of the image. `services` has IMAGE_SERVICES_MAX places. */
void config_to_policy(const struct config *config, struct image_policy *ret_policy);
size_t config_to_services(const struct config *config, struct image_service *ret_services);
struct roster_config;
/** The profile's policy with what the configuration changes of it; without a seed. */
void config_to_roster(const struct config *config, struct roster_config *ret_config);
/** A price in the units of the image, 1..IMAGE_PRICE_MAX. */
uint32_t config_price_to_image(double price);
/** Node addresses; at most IMAGE_NODE_ADDRESSES_MAX. */
size_t config_to_node_addresses(const struct config *config, struct address *ret_addresses);

/** One line of the effective configuration: key, value as text, origin ("default", "profile lighthouse",
 * "FILE:LINE"), help and range from the schema (NULL for elements of lists). Stops when visit returns false.
 */
typedef bool (*config_visit)(void *context, const char *key, const char *value, const char *origin,
	const char *help, const char *range);
void config_show(const struct config *config, config_visit visit, void *context);

/** argv of weir-dataplane, argv[0] included and NULL at the end. `words` is filled with the texts that argv
 * points into. Returns argc, or -E2BIG. */
struct config_arguments {
	char *argv[256];
	char words[32768];
};
int config_dataplane_args(const struct config *config, struct config_arguments *ret_arguments);

/** Paths that both processes and the tools derive from the configuration. Return `text`. */
const char *config_rpc_socket_path(const struct config *config, char *text, size_t bytes);
const char *config_link_socket_path(const struct config *config, char *text, size_t bytes);
const char *config_control_segment_path(const struct config *config, char *text, size_t bytes);
const char *config_dataplane_segment_path(const struct config *config, char *text, size_t bytes);
const char *config_image_path(const struct config *config, char *text, size_t bytes);
const char *config_store_path(const struct config *config, char *text, size_t bytes);

#endif
