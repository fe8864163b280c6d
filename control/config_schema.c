/* SPDX-License-Identifier: BSD-3-Clause
 * The schema table of the configuration. Each number is followed by where it comes from: "LH-n" and the like
 * are rules of the policy reference (5.4 is its table of profiles). Constant data, any thread.
 */
#include "control/config_schema.h"

#include <stddef.h>
#include <string.h>

#include "control/keyed_limiter.h"
#include "shm/paths.h"

/* YAML 1.1's words and the digits: the first two are how a value is printed */
static const struct config_choice choices_bool[] = {{"yes", 1}, {"no", 0}, {"true", 1}, {"false", 0},
	{"on", 1}, {"off", 0}, {"1", 1}, {"0", 0}, {NULL, 0}};
static const struct config_choice choices_profile[] = {{"bootstrap", CONFIG_PROFILE_BOOTSTRAP},
	{"lighthouse", CONFIG_PROFILE_LIGHTHOUSE}, {"ouroboros", CONFIG_PROFILE_OUROBOROS},
	{"dugite", CONFIG_PROFILE_DUGITE}, {"stellar", CONFIG_PROFILE_STELLAR},
	{"spacetime", CONFIG_PROFILE_SPACETIME}, {"lorachain", CONFIG_PROFILE_LORACHAIN}, {NULL, 0}};
static const struct config_choice choices_mode[] = {
	{"enforce", IMAGE_MODE_ENFORCE}, {"monitor", IMAGE_MODE_MONITOR}, {NULL, 0}};
static const struct config_choice choices_log[] = {
	{"error", 0}, {"warning", 1}, {"info", 2}, {"debug", 3}, {NULL, 0}};
static const struct config_choice choices_protocol[] = {{"tcp", 6}, {"udp", 17}, {NULL, 0}};
static const struct config_choice choices_challenge[] = {{"off", IMAGE_CHALLENGE_OFF},
	{"auto", IMAGE_CHALLENGE_AUTO}, {"always", IMAGE_CHALLENGE_ALWAYS}, {NULL, 0}};
static const struct config_choice choices_method[] = {
	{"reset", IMAGE_METHOD_RESET}, {"proxy", IMAGE_METHOD_PROXY}, {NULL, 0}};
static const struct config_choice choices_refuse[] = {{"rst", 1}, {"silent", 0}, {NULL, 0}};
static const struct config_choice choices_soft[] = {
	{"linear", CONFIG_SOFT_LINEAR}, {"fixed", CONFIG_SOFT_FIXED}, {"none", CONFIG_SOFT_NONE}, {NULL, 0}};
static const struct config_choice choices_other[] = {
	{"pass", IMAGE_OTHER_PASS}, {"drop", IMAGE_OTHER_DROP}, {NULL, 0}};
static const struct config_choice choices_memory[] = {{"huge", 1}, {"no-huge", 0}, {NULL, 0}};
static const struct config_choice choices_throttle[] = {{"we_closed", 0}, {"any_close", 1}, {NULL, 0}};
static const struct config_choice choices_fail[] = {
	{"open", CONFIG_START_FAIL_OPEN}, {"closed", CONFIG_START_FAIL_CLOSED}, {NULL, 0}};

/* Ranges that repeat, in milliseconds or plain. */
#define SECOND    INT64_C(1000)
#define MINUTE    (60 * SECOND)
#define HOUR      (60 * MINUTE)
#define DAY       (24 * HOUR)
#define PER_S_MAX 1000000000 /* image_rate.per_1000_s: 1e6 attempts a second */

#define AT(field) .offset = offsetof(struct config, field)
#define IN(field) .offset = offsetof(struct config_service, field)
#define LIST(field, counter, size, maximum) \
	.offset = offsetof(struct config, field), .count_offset = offsetof(struct config, counter), \
	.element_bytes = (size), .element_max = (maximum)
#define COUNT(key, field, lowest, highest, value, text) \
	{ \
		.path = (key), .type = CONFIG_TYPE_COUNT, AT(field), .min = (lowest), .max = (highest), \
		.default_text = (value), .help = (text) \
	}
#define DURATION(key, field, lowest, highest, value, text) \
	{ \
		.path = (key), .type = CONFIG_TYPE_DURATION, AT(field), .min = (lowest), .max = (highest), \
		.default_text = (value), .help = (text) \
	}
#define CHOICE(key, field, set, value, text) \
	{ \
		.path = (key), .type = CONFIG_TYPE_CHOICE, AT(field), .choices = (set), \
		.default_text = (value), .help = (text) \
	}
#define SERVICE(key, kind, field, lowest, highest, value, text) \
	{ \
		.path = "services[]." key, .type = (kind), IN(field), .min = (lowest), .max = (highest), \
		.default_text = (value), .help = (text) \
	}
#define SERVICE_COUNT(key, field, lowest, highest, value, text) \
	SERVICE(key, CONFIG_TYPE_COUNT, field, lowest, highest, value, text)
#define SERVICE_DURATION(key, field, lowest, highest, value, text) \
	SERVICE(key, CONFIG_TYPE_DURATION, field, lowest, highest, value, text)
#define SERVICE_CHOICE(key, field, set, value, text) \
	{ \
		.path = "services[]." key, .type = CONFIG_TYPE_CHOICE, IN(field), .choices = (set), \
		.default_text = (value), .help = (text) \
	}
#define SERVICE_COMPUTED_COUNT(key, field, lowest, highest, text) \
	{ \
		.path = "services[]." key, .type = CONFIG_TYPE_COUNT, IN(field), .min = (lowest), \
		.max = (highest), .computed = true, .help = (text) \
	}
#define SERVICE_COMPUTED_CHOICE(key, field, set, text) \
	{ \
		.path = "services[]." key, .type = CONFIG_TYPE_CHOICE, IN(field), .choices = (set), \
		.computed = true, .help = (text) \
	}
#define RATE(key, field, level, burst_value, per_s_value, text) \
	{.path = "rate." key ".burst", \
		.type = CONFIG_TYPE_COUNT, \
		AT(field[level].burst), \
		.max = 1000000, \
		.default_text = (burst_value), \
		.help = text ": attempts at once, 0 = no limit"}, \
	{ \
		.path = "rate." key ".per_s", .type = CONFIG_TYPE_RATE, AT(field[level].per_1000_s), \
		.min = 1, .max = PER_S_MAX, .default_text = (per_s_value), \
		.help = text ": attempts a second" \
	}

const struct config_row config_rows[] = {
	{.path = "instance",
		.type = CONFIG_TYPE_NAME,
		AT(instance),
		.max = PATHS_INSTANCE_MAX,
		.default_text = PATHS_INSTANCE_DEFAULT,
		.help = "names the sockets and segments of this Weir; several may run on one host"},
	CHOICE("profile", profile, choices_profile, "bootstrap", "preset of all values below"),
	CHOICE("mode", mode, choices_mode, "enforce", "monitor decides and counts but enforces nothing"),
	{.path = "run_dir",
		.type = CONFIG_TYPE_PATH,
		AT(run_dir),
		.max = PATHS_DIRECTORY_MAX,
		.default_text = PATHS_RUN_DIR_DEFAULT,
		.help = "sockets"},
	{.path = "shm_dir",
		.type = CONFIG_TYPE_PATH,
		AT(shm_dir),
		.max = PATHS_DIRECTORY_MAX,
		.default_text = PATHS_SHM_DIR_DEFAULT,
		.help = "segments and images shared by the two processes; a memory file system"},
	{.path = "state_dir",
		.type = CONFIG_TYPE_PATH,
		AT(state_dir),
		.max = 64,
		.default_text = "/var/lib/weir",
		.help = "the store of bans, strikes and lists"},
	CHOICE("log_level", log_level, choices_log, "info", "least urgent message that is written"),

	{.path = "socket.path",
		.type = CONFIG_TYPE_PATH,
		AT(socket_path),
		.max = 95,
		.default_text = "",
		.help = "the JSON-RPC socket; empty: RUN_DIR/INSTANCE.sock"},
	{.path = "socket.group",
		.type = CONFIG_TYPE_NAME,
		AT(socket_group),
		.max = 32,
		.default_text = "",
		.help = "group whose members may connect and read; empty: root only"},
	{.path = "socket.admin_group",
		.type = CONFIG_TYPE_NAME,
		AT(socket_admin_group),
		.max = 32,
		.default_text = "",
		.help = "group whose members may also change; empty: root only"},
	/* 64 subscribers and tools at once; 64 x 4 MiB bounds what slow ones can cost to 256 MiB */
	COUNT("socket.clients", socket_clients_max, 1, 1024, "64", "connections at once"),
	COUNT("socket.output_bytes", socket_output_bytes_max, 65536, 67108864, "4194304",
		"bytes that may wait for one client before it is disconnected"),

	{.path = "node.addresses",
		.type = CONFIG_TYPE_ADDRESSES,
		LIST(node_addresses, n_node_addresses, sizeof(struct config_address),
			IMAGE_NODE_ADDRESSES_MAX),
		.help = "addresses of the node that Weir protects"},
	CHOICE("node.accept_inbound", accept_inbound, choices_bool, "yes",
		"no: every attempt is refused (DU-9)"),
	CHOICE("node.verify_checksums", verify_checksums, choices_bool, "yes",
		"check TCP, UDP and ICMP checksums of packets from outside"),

	{.path = "services",
		.type = CONFIG_TYPE_OBJECTS,
		LIST(services, n_services, sizeof(struct config_service), IMAGE_SERVICES_MAX),
		.help = "what the node offers to strangers"},
	{.path = "services[].name",
		.type = CONFIG_TYPE_NAME,
		IN(name),
		.max = IMAGE_SERVICE_NAME_BYTES - 1,
		.default_text = "",
		.help = "for people; empty: PROTOCOL/PORT"},
	SERVICE_COUNT("port", port, 1, 65535, NULL, "port"),
	SERVICE_CHOICE("protocol", protocol, choices_protocol, NULL, "transport"),
	SERVICE_CHOICE("challenge", challenge, choices_challenge, "auto",
		"when unproven sources must answer a cookie; UDP has none: off"),
	/* design.md section 5: an honest client pays one round trip; `reset` costs it a resent SYN */
	SERVICE_COMPUTED_CHOICE("method", method, choices_method,
		"how sources are challenged; proxy, or reset where server_first is set or the service is "
		"UDP"),
	SERVICE_CHOICE("server_first", server_first, choices_bool, "no",
		"TCP: the node speaks first, as SSH and SMTP do, so a lost last ACK is never sent again: "
		"challenged by reset"),
	SERVICE_CHOICE("quic", quic, choices_bool, "no",
		"UDP: the service speaks QUIC: sources are proven by the node's connection ids"),
	/* RFC 9000 8.1: three times the bytes until the source is proven. UDP without QUIC is never proven
	 * (design.md rule 1), so a limit there would hold for ever and is the operator's own choice. */
	SERVICE_COMPUTED_COUNT("amplification_limit", amplification_limit, 0, 255,
		"UDP: bytes to an unproven source, as a multiple of those from it; 0 = no limit; default 3 "
		"with quic, else 0"),
	SERVICE_CHOICE("refuse", refuse, choices_refuse, "rst", "what a refused proven source sees"),
	/* a QUIC or discv5 handshake sends up to 3 datagrams and resends twice before it hears anything */
	SERVICE_COUNT("udp_unanswered_packets", udp_unanswered_packets, 1, 255, "8",
		"packets a UDP flow may send before the node answers"),
	SERVICE_DURATION("idle", idle_ms, 0, 30 * DAY, "0",
		"UDP flows without packets end after this; 0: timeouts.udp_idle"),
	/* what the service took before it was under pressure: pressure.enter_per_s */
	SERVICE_COMPUTED_COUNT("paced_per_s", paced_per_s, 0, 100000000,
		"no challenge: unproven attempts a second that pass under pressure; default "
		"pressure.enter_per_s"),
	/* 64 half-open flows are half of the listen backlog of 128 that many nodes still use; newcomers with
	 * a round trip of a quarter second hold so many at 256 a second. Half of it to leave, so that it does
	 * not flap. */
	SERVICE_COUNT("pressure.enter_per_s", pressure_enter_per_s, 1, 100000000, "256",
		"unproven attempts a second that mean pressure"),
	SERVICE_COUNT("pressure.leave_per_s", pressure_leave_per_s, 0, 100000000, "128",
		"attempts a second at which pressure ends"),
	SERVICE_COUNT("pressure.half_open", pressure_half_open, 1, 100000000, "64",
		"half-open flows that mean pressure"),
	/* longer than the third SYN resend at 7 s, so that a client meets one regime during its handshake */
	SERVICE_DURATION(
		"pressure.hold", pressure_hold_ms, 0, HOUR, "10s", "pressure lasts at least so long"),

	{.path = "allow",
		.type = CONFIG_TYPE_PREFIXES,
		AT(allow),
		.help = "never banned, denied or limited; uses the reserved slots"},
	{.path = "deny", .type = CONFIG_TYPE_PREFIXES, AT(deny), .help = "always dropped"},
	{.path = "own",
		.type = CONFIG_TYPE_PREFIXES,
		AT(own),
		.help = "own networks: a ban that covers them needs force; the node's addresses are always "
			"here"},
	{.path = "prices",
		.type = CONFIG_TYPE_OBJECTS,
		LIST(prices, n_prices, sizeof(struct config_price), CONFIG_PRICES_MAX),
		.help = "what attempts from a prefix cost of its limits; the most specific prefix says it"},
	{.path = "prices[].prefix",
		.type = CONFIG_TYPE_PREFIX,
		.offset = offsetof(struct config_price, prefix),
		.help = "the prefix"},
	/* published in 1/16; a tenth is the least that differs from nothing by more than the rounding */
	{.path = "prices[].price",
		.type = CONFIG_TYPE_NUMBER,
		.offset = offsetof(struct config_price, price),
		.min = 100,
		.max = 1000 * (IMAGE_PRICE_MAX / IMAGE_PRICE_USUAL),
		.help = "1 is the usual price; counted in sixteenths"},

	/* 5.5: hard 512, soft 75 % of it, floor ceil(5 %); other profiles: config_profile.c */
	COUNT("limits.hard", limit_hard, 0, 10000000, "512", "proven inbound connections, 0 = no limit"),
	COUNT("limits.soft", limit_soft, 0, 10000000, NULL, "pacing begins here; default 75 % of hard"),
	CHOICE("limits.soft_mode", soft_mode, choices_soft, "linear",
		"delay between accepted attempts above soft (DU-14)"),
	DURATION("limits.soft_delay", soft_delay_max_ms, 1, MINUTE, "5s",
		"delay reached at the hard limit (5.4)"),
	COUNT("limits.reserved", reserved_slots, 0, 1000000, NULL,
		"slots beyond hard for the allow list; default 5 % of hard"),
	/* To find the connections of an address an lcore looks at its whole flow table, which takes half a
	 * millisecond at 2^18 (measured): twenty are 1 % of its time. */
	COUNT("limits.disconnects_per_s", disconnects_per_s, 0, 10000, "20",
		"peers that peer.disconnect may close a second; more are refused as busy; 0 = no limit"),
	/* 5.4: 8 a v4 /32 and a v6 /56, 64 a v6 /48, 32 a v4 /24; where it is silent there is no limit. A /64
	 * lies in its /56, so its limit is the same 8. */
	COUNT("limits.concurrency.v4.host", concurrency_v4[IMAGE_LEVEL_HOST], 0, 10000000, "8",
		"a /32; 0 = no limit"),
	COUNT("limits.concurrency.v4.near", concurrency_v4[IMAGE_LEVEL_NEAR], 0, 10000000, "32",
		"a /24; 0 = no limit"),
	COUNT("limits.concurrency.v4.mid", concurrency_v4[IMAGE_LEVEL_MID], 0, 10000000, "0",
		"a /20; 0 = no limit"),
	COUNT("limits.concurrency.v4.wide", concurrency_v4[IMAGE_LEVEL_WIDE], 0, 10000000, "0",
		"a /18; 0 = no limit"),
	COUNT("limits.concurrency.v6.host", concurrency_v6[IMAGE_LEVEL_HOST], 0, 10000000, "8",
		"a /64; 0 = no limit"),
	COUNT("limits.concurrency.v6.near", concurrency_v6[IMAGE_LEVEL_NEAR], 0, 10000000, "8",
		"a /56; 0 = no limit"),
	COUNT("limits.concurrency.v6.mid", concurrency_v6[IMAGE_LEVEL_MID], 0, 10000000, "64",
		"a /48; 0 = no limit"),
	COUNT("limits.concurrency.v6.wide", concurrency_v6[IMAGE_LEVEL_WIDE], 0, 10000000, "0",
		"a /32; 0 = no limit"),

	/* 5.4: .2/s burst 16 an address (go-libp2p: the same a v6 /56), .5/s burst 80 a v6 /48. The wider v4
	 * levels are 32, 256 and 768 times the host as in Knot's rate limiting, which also has a v6 /32 at 32
	 * times a /64. */
	RATE("proven.v4.host", proven_v4, IMAGE_LEVEL_HOST, "16", "0.2", "proven sources, a /32"),
	RATE("proven.v4.near", proven_v4, IMAGE_LEVEL_NEAR, "512", "6.4", "proven sources, a /24"),
	RATE("proven.v4.mid", proven_v4, IMAGE_LEVEL_MID, "4096", "51.2", "proven sources, a /20"),
	RATE("proven.v4.wide", proven_v4, IMAGE_LEVEL_WIDE, "12288", "153.6", "proven sources, a /18"),
	RATE("proven.v6.host", proven_v6, IMAGE_LEVEL_HOST, "16", "0.2", "proven sources, a /64"),
	RATE("proven.v6.near", proven_v6, IMAGE_LEVEL_NEAR, "16", "0.2", "proven sources, a /56"),
	RATE("proven.v6.mid", proven_v6, IMAGE_LEVEL_MID, "80", "0.5", "proven sources, a /48"),
	RATE("proven.v6.wide", proven_v6, IMAGE_LEVEL_WIDE, "512", "6.4", "proven sources, a /32"),
	/* Unproven sources are asked for proof at half of that: go-libp2p verifies a source at half its
	   limit. */
	RATE("unproven.v4.host", unproven_v4, IMAGE_LEVEL_HOST, "8", "0.1",
		"unproven attempts before a challenge, a /32"),
	RATE("unproven.v4.near", unproven_v4, IMAGE_LEVEL_NEAR, "256", "3.2",
		"unproven attempts before a challenge, a /24"),
	RATE("unproven.v4.mid", unproven_v4, IMAGE_LEVEL_MID, "2048", "25.6",
		"unproven attempts before a challenge, a /20"),
	RATE("unproven.v4.wide", unproven_v4, IMAGE_LEVEL_WIDE, "6144", "76.8",
		"unproven attempts before a challenge, a /18"),
	RATE("unproven.v6.host", unproven_v6, IMAGE_LEVEL_HOST, "8", "0.1",
		"unproven attempts before a challenge, a /64"),
	RATE("unproven.v6.near", unproven_v6, IMAGE_LEVEL_NEAR, "8", "0.1",
		"unproven attempts before a challenge, a /56"),
	RATE("unproven.v6.mid", unproven_v6, IMAGE_LEVEL_MID, "40", "0.25",
		"unproven attempts before a challenge, a /48"),
	RATE("unproven.v6.wide", unproven_v6, IMAGE_LEVEL_WIDE, "256", "3.2",
		"unproven attempts before a challenge, a /32"),
	/* No reply is longer than what it answers, so a flood gains nothing by being answered, and a
	 * challenge that is not sent is an honest client kept out: the limit is a bound, above what an lcore
	 * can answer (8 to 10 million a second). */
	COUNT("rate.replies_per_s", replies_per_s, 1, 100000000, "10000000",
		"packets Weir itself may send, per lcore"),
	/* off: bytes out <= bytes in holds in any case, and an honest prefix behind a CGNAT may ask for many
	 */
	COUNT("rate.replies_per_prefix_per_s", replies_per_prefix_per_s, 0, 100000000, "0",
		"challenges and refusals to one IPv4 /24 or IPv6 /56; 0 = no cap of its own"),
	/* The limit of a /24 is that of 32 hosts (rate.proven.v4.near): 32 clients more bring what 32 more
	   hosts would have. */
	COUNT("rate.clients_per_limit", clients_per_limit, 0, 1000000, "32",
		"proven clients seen in a prefix for which its limit grows by one more time its value "
		"(CGNAT); 0 = never"),
	/* Linux's own icmp_msgs_per_sec */
	COUNT("rate.icmp_per_s", icmp_per_s, 1, 10000000, "1000", "ICMP echo and errors, per lcore"),
	/* ARP and ND of 1000 neighbours that all ask once a second */
	COUNT("rate.infrastructure_per_s", infrastructure_per_s, 1, 10000000, "1000",
		"ARP, ND and the rest, per lcore and type"),

	CHOICE("other.policy", other_policy, choices_other, "pass",
		"packets to the node outside the services"),
	/* 10,000 full frames a second are 120 Mbit/s: remote work and monitoring, not a flood */
	COUNT("other.per_s", other_per_s, 1, 100000000, "10000",
		"packets to the node outside the services, per lcore"),

	/* Without state the flow table must not fill: half of its places within timeouts.half_open
	   (config_check.c). */
	COUNT("flood.per_s", flood_per_s, 0, 1000000000, NULL,
		"unproven attempts a second of one lcore above which none creates state; 0 = never; default "
		"from "
		"dataplane.flows_log2 and timeouts.half_open"),
	/* A blind guess passes once in 2^22 (dataplane/cookie.h): 48 a second are one a day. Half of that,
	 * shared among the lcores (config_check.c). */
	COUNT("challenge.bad_per_s", challenge_bad_per_s, 0, 1000000000, NULL,
		"wrong cookies a second and lcore above which a cookie's proof is no evidence; 0 = never; "
		"default 24 / lcores"),
	{.path = "challenge.secret_file",
		.type = CONFIG_TYPE_PATH,
		AT(secret_file),
		.max = 95,
		.default_text = "",
		.help = "64 hexadecimal digits or 32 bytes, mode 0600, shared by all governors that front "
			"one address; empty: a "
			"secret of its own"},

	/* covers the client's SYN resends at 1, 3 and 7 s */
	DURATION("timeouts.half_open", half_open_ms, SECOND, 2 * MINUTE, "10s", "a handshake must complete"),
	DURATION("timeouts.auth", auth_ms, 0, 10 * MINUTE, "5s",
		"first payload after the handshake (5.4); 0 = any time"),
	/* 5.4, row "auth/idle/straggler": 60 and 120 s. A day is what a flow remembers (shm/image.h). */
	DURATION("timeouts.payload_idle", payload_idle_ms, 0, DAY, "60s",
		"a proven TCP connection without payload either way is cut (LO-12); 0 = never"),
	DURATION("timeouts.straggler", straggler_ms, 0, DAY, "120s",
		"a client that acknowledges nothing of what the node sent is cut (HE-13); 0 = never"),
	/* design.md section 4; RFC 5382 asks for at least 2 h 4 min */
	DURATION("timeouts.tcp_idle", tcp_idle_ms, 7800 * SECOND, 30 * DAY, "7800s",
		"an established connection without packets"),
	/* RFC 4787 REQ-5 recommends 5 minutes, and at least 2 */
	DURATION("timeouts.udp_idle", udp_idle_ms, SECOND, DAY, "300s", "a UDP flow that the node answered"),
	/* Linux conntrack's value for unreplied UDP */
	DURATION("timeouts.udp_unanswered", udp_unanswered_ms, SECOND, HOUR, "30s",
		"a UDP flow that the node did not answer"),
	/* TIME_WAIT (5.4, ouroboros) */
	DURATION("timeouts.closing", closing_ms, 100, 10 * MINUTE, "60s", "after FIN or RST"),
	/* an address may change hands within a DHCP lease; an hour is the shortest common lease */
	DURATION("timeouts.proven", proven_ms, SECOND, DAY, "1h", "how long a proof of source is remembered"),
	/* both sides' keep-alives of a busy connection come within seconds; later ones are adopted from the
	   node's side */
	DURATION("start.adopt_window", adopt_window_ms, 0, HOUR, "10s",
		"running connections from outside are adopted after start"),
	COUNT("start.adopt_per_s", adopt_per_s, 1, 10000000, "1000",
		"at most so many adoptions a second, per lcore"),
	/* a restarted control publishes an image within 5 s (design.md section 10) */
	DURATION("start.wait", start_wait_ms, 0, HOUR, "10s",
		"how long the dataplane waits for a first image"),
	CHOICE("start.fail", start_fail, choices_fail, "closed", "what it does without one"),

	{.path = "score.half_life",
		.type = CONFIG_TYPE_SECONDS,
		AT(score_half_life_s),
		.min = SECOND,
		.max = 30 * DAY,
		.default_text = "600s",
		.help = "penalties halve in this time (LH-15)"},
	{.path = "score.freeze",
		.type = CONFIG_TYPE_SECONDS,
		AT(score_freeze_s),
		.min = 0,
		.max = 365 * DAY,
		.default_text = "3600s",
		.help = "a banned score does not decay so long (LH-16)"},
	{.path = "score.disconnect",
		.type = CONFIG_TYPE_NUMBER,
		AT(score_disconnect),
		.min = -99000,
		.max = -1000,
		.default_text = "-20",
		.help = "at or below: disconnected and refused (LH-13)"},
	{.path = "score.ban",
		.type = CONFIG_TYPE_NUMBER,
		AT(score_ban),
		.min = -100000,
		.max = -2000,
		.default_text = "-50",
		.help = "at or below: banned (LH-13)"},

	CHOICE("ban.auto", ban_auto, choices_bool, "yes",
		"bans from the dataplane's proven evidence (2.3, 5.5)"),
	DURATION("ban.temporary", ban_temporary_ms, 0, 365 * DAY, "600s", "T2: a strike's ban (5.4)"),
	COUNT("ban.max_temp", ban_temporary_max, 1, 1000, "3",
		"temporary bans; the next is permanent (LO-10)"),
	DURATION("ban.strike_life", ban_strike_life_ms, HOUR, 3650 * DAY, "30d",
		"strikes are remembered (5.3 D)"),
	/* 3e5 sources with history are about 256 MB */
	COUNT("ban.peers", peers_max, 1000, 10000000, "300000",
		"scored sources and peers kept; the weakest go first"),
	/* 10 M restart in 5 s (design.md section 10); a safety margin above it */
	COUNT("ban.bans", bans_max, 1000, 20000000, "12000000", "bans kept; more are refused"),

	/* a sorted ban costs 97 bytes and a random one 312 (design.md section 11): 12 M random ones fit 4 GiB
	 */
	COUNT("store.map_bytes", store_map_bytes_max, 16777216, INT64_C(1) << 40, "4294967296",
		"the store may grow to this"),
	DURATION("store.backup_interval", store_backup_interval_ms, MINUTE, 30 * DAY, "1h",
		"a backup is written so often when something changed"),

	/* the log holds 65536 commands; an image at a quarter leaves three quarters for what comes while it
	   is built */
	DURATION("snapshot.interval", snapshot_interval_ms, SECOND, DAY, "2m",
		"a new image so often when something changed"),
	COUNT("snapshot.commands", snapshot_commands, 1, 60000, "16384",
		"a new image after so many commands"),

	{.path = "dataplane.pairs",
		.type = CONFIG_TYPE_OBJECTS,
		LIST(pairs, n_pairs, sizeof(struct config_pair), CONFIG_PAIRS_MAX),
		.help = "port pairs: a PCI address or any DPDK vdev"},
	{.path = "dataplane.pairs[].outside",
		.type = CONFIG_TYPE_TEXT,
		.offset = offsetof(struct config_pair, outside),
		.max = 95,
		.help = "the port towards the clients"},
	{.path = "dataplane.pairs[].inside",
		.type = CONFIG_TYPE_TEXT,
		.offset = offsetof(struct config_pair, inside),
		.max = 95,
		.help = "the port towards the node"},
	/* an MTU below 1280 carries no IPv6; no Ethernet device takes one above 16000 */
	{.path = "dataplane.pairs[].mtu",
		.type = CONFIG_TYPE_COUNT,
		.offset = offsetof(struct config_pair, mtu),
		.min = 1280,
		.max = 16000,
		.default_text = "1500",
		.help = "bytes of the largest IP packet on devices that DPDK owns; interfaces of the kernel "
			"have their own"},
	{.path = "dataplane.lcores",
		.type = CONFIG_TYPE_CORES,
		LIST(lcores, n_lcores, sizeof(struct config_word), CONFIG_LCORES_MAX),
		.min = 0,
		.max = 1023,
		.help = "CPU numbers that poll; none: the first two"},
	COUNT("dataplane.queues", queues, 0, 64, "0",
		"queue pairs per port, at least one per lcore; 0: as many as lcores"),
	/* per lcore 2^18 flows at 64 bytes and an index are 20 MB: 512 times the default hard limit, for
	   half-open ones */
	COUNT("dataplane.flows_log2", flows_log2, 10, 26, "18",
		"flow table entries of one lcore, as a power of two"),
	/* 8 bytes a prefix: 8 MiB, every /64 of a botnet of a million */
	COUNT("dataplane.pressure_keys_log2", pressure_keys_log2, 10, 26, "20",
		"prefixes whose rate is tracked, as a power of two"),
	/* sources that connect within timeouts.proven: 2^18 is one newcomer every 14 ms for an hour */
	COUNT("dataplane.proven_log2", proven_log2, 8, 24, "18",
		"proven sources that are remembered, as a power of two"),
	/* a packet waits at most so long at an idle lcore; 1 ms is far below a round trip across a continent
	 */
	COUNT("dataplane.idle_sleep_us", idle_sleep_us, 0, 10000, "1000",
		"longest sleep of an idle lcore in microseconds; 0: never sleep"),
	/* each takes two rules for each node address and outside port; devices have some thousand */
	COUNT("dataplane.offload_bans", offload_bans, 0, 2048, "0",
		"heaviest banned sources that the outside ports drop, where they can; 0: never"),
	CHOICE("dataplane.memory", memory_huge, choices_memory, "huge", "huge pages, or ordinary memory"),
#include "control/config_governor.def"
	{.path = "dataplane.eal_args",
		.type = CONFIG_TYPE_WORDS,
		LIST(eal_args, n_eal_args, sizeof(struct config_word), CONFIG_ARGUMENTS_MAX),
		.max = 95,
		.help = "further arguments for DPDK's EAL"},
};

const size_t config_n_rows = sizeof(config_rows) / sizeof(config_rows[0]);
_Static_assert(sizeof(config_rows) / sizeof(config_rows[0]) <= CONFIG_KEYS_MAX, "positions are kept per row");

const char *config_profile_name(enum config_profile profile)
{
	return (unsigned)profile < CONFIG_PROFILE_COUNT ? choices_profile[profile].name : NULL;
}

const struct config_row *config_row_find(const char *path)
{
	for (size_t i = 0; i < config_n_rows; i++) {
		if (strcmp(config_rows[i].path, path) == 0)
			return &config_rows[i];
	}
	return NULL;
}

unsigned config_row_element_index(const struct config_row *row)
{
	const char *mark = strstr(row->path, "[].");
	if (mark == NULL)
		return 0;
	size_t length = (size_t)(mark - row->path) + 3;
	unsigned index = 1;
	for (const struct config_row *other = row - 1; other >= config_rows; other--, index++) {
		if (strncmp(other->path, row->path, length) != 0)
			break;
	}
	return index;
}
