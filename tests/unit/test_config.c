/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/config.h: every kind of error with its line and column, defaults and presets, and what
 * other programs derive from a configuration.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/config.h"
#include "control/config_schema.h"
#include "tests/check.h"

#define NODE    "node: {addresses: [192.0.2.1]}\n"
#define SERVICE "services: [{port: 80, protocol: tcp}]\n"

static struct config config;
static char error[CONFIG_ERROR_MAX];

static int load(const char *text)
{
	error[0] = '\0';
	return config_load_text("w.yaml", text, strlen(text), &config, error, sizeof(error));
}

static void test_errors(void)
{
	static const struct {
		const char *name, *text, *sentence;
	} cases[] = {
		{"an unknown key", NODE SERVICE "colour: red\n",
			"w.yaml:3:1: colour: unknown key (allowed: instance, profile,"},
		{"an unknown key below", NODE SERVICE "limits:\n  hart: 3\n",
			"w.yaml:4:3: limits.hart: unknown key (allowed: hard, soft,"},
		{"an unknown key in a service",
			NODE "services:\n - port: 80\n   protocol: tcp\n   speed: 1\n",
			"w.yaml:5:4: services[].speed: unknown key (allowed: name, port, protocol,"},
		{"a key written with a dot", NODE SERVICE "limits.hard: 5\n",
			"w.yaml:3:1: limits.hard: unknown key"},
		{"a duplicate key", NODE SERVICE "mode: enforce\nmode: monitor\n",
			"w.yaml:4:1: mode: given twice (first at line 3)"},
		{"a duplicate key below", NODE SERVICE "limits: {hard: 5, hard: 5}\n",
			"w.yaml:3:19: limits.hard: given twice (first at line 3)"},
		{"a word for a number", NODE SERVICE "limits:\n  hard: many\n",
			"w.yaml:4:9: limits.hard: \"many\" is not a whole number (allowed: 0..10000000)"},
		{"a negative count", NODE SERVICE "limits: {hard: -1}\n",
			"w.yaml:3:16: limits.hard: \"-1\" is not a whole number (allowed: 0..10000000)"},
		{"a count out of range", NODE SERVICE "limits: {hard: 10000001}\n",
			"w.yaml:3:16: limits.hard: \"10000001\" is out of range (allowed: 0..10000000)"},
		{"a count beyond 64 bits", NODE SERVICE "limits: {hard: 99999999999999999999}\n",
			"w.yaml:3:16: limits.hard: \"99999999999999999999\" is out of range"},
		{"a list for a number", NODE SERVICE "limits: {hard: [1]}\n",
			"w.yaml:3:16: limits.hard: this is a list, not a single value (allowed: "
			"0..10000000)"},
		{"a mapping for a number", NODE SERVICE "limits: {hard: {a: 1}}\n",
			"w.yaml:3:16: limits.hard: this is a mapping, not a single value"},
		{"a value for a mapping", NODE SERVICE "limits: 5\n",
			"w.yaml:3:9: limits: this is a single value, not a mapping (allowed: hard, soft,"},
		{"a value for a list", NODE SERVICE "allow: 10.0.0.1\n",
			"w.yaml:3:1: allow: this is a single value, not a list"},
		{"an unknown choice", NODE SERVICE "mode: observe\n",
			"w.yaml:3:7: mode: \"observe\" is not one of the choices (allowed: enforce | "
			"monitor)"},
		{"a profile that nobody knows", NODE SERVICE "profile: solar\n",
			"w.yaml:3:10: profile: \"solar\" is not one of the choices (allowed: bootstrap | "
			"lighthouse "
			"| ouroboros | dugite | stellar | spacetime | lorachain)"},
		{"a local root without an address",
			NODE SERVICE "local_roots: [{group: a, ip: here, port: 1}]\n",
			"w.yaml:3:15: local_roots: \"here\" is not an address (allowed: IPv4 or IPv6)"},
		{"more hot than warm",
			NODE SERVICE "local_roots: [{group: a, ip: 192.0.2.1, port: 1, hot: 3, warm: 2}]\n",
			"w.yaml:3:15: local_roots: hot is above warm (allowed: hot <= warm)"},
		{"more active than established",
			NODE SERVICE "targets: {known: 9, established: 5, active: 6}\n",
			"w.yaml:3:18: targets: active"},
		{"a duration without sense", NODE SERVICE "timeouts: {auth: soon}\n",
			"w.yaml:3:18: timeouts.auth: \"soon\" is not a duration such as 90, 90s, 10m, 2h or "
			"30d (allowed: 0s..10m)"},
		{"a duration out of range", NODE SERVICE "timeouts: {auth: 2h}\n",
			"w.yaml:3:18: timeouts.auth: \"2h\" is out of range (allowed: 0s..10m)"},
		{"an idle time below the design's", NODE SERVICE "timeouts: {tcp_idle: 2h}\n",
			"w.yaml:3:22: timeouts.tcp_idle: \"2h\" is out of range (allowed: 130m..30d)"},
		{"a rate with four decimals", NODE SERVICE "rate: {proven: {v4: {host: {per_s: 0.0001}}}}\n",
			"w.yaml:3:36: rate.proven.v4.host.per_s: \"0.0001\" is not a number with at most "
			"three decimals"},
		{"a rate of zero", NODE SERVICE "rate: {proven: {v4: {host: {per_s: 0}}}}\n",
			"w.yaml:3:36: rate.proven.v4.host.per_s: \"0\" is out of range (allowed: "
			"0.001..1000000)"},
		{"a relative path", NODE SERVICE "run_dir: run\n",
			"w.yaml:3:10: run_dir: \"run\" cannot be used here (allowed: an absolute path of at "
			"most 64 bytes)"},
		{"an instance with a slash", NODE SERVICE "instance: ../x\n",
			"w.yaml:3:11: instance: \"../x\" cannot be used here (allowed: at most 24 letters,"},
		{"an empty instance", NODE SERVICE "instance: \"\"\n",
			"w.yaml:3:11: instance: \"\" cannot be used here"},
		{"not an address", "node:\n  addresses:\n  - 192.0.2.256\n" SERVICE,
			"w.yaml:3:5: node.addresses: \"192.0.2.256\" is not an address (allowed: IPv4 or "
			"IPv6 addresses)"},
		{"a multicast node", "node: {addresses: [224.0.0.1]}\n" SERVICE,
			"w.yaml:1:20: node.addresses: 224.0.0.1 is not the address of one host"},
		{"a node address twice", "node: {addresses: [192.0.2.1, \"::ffff:192.0.2.1\"]}\n" SERVICE,
			"w.yaml:1:31: node.addresses: 192.0.2.1 is given twice (first at line 1)"},
		{"no node address", SERVICE,
			"w.yaml:1:1: node.addresses: at least one address of the node must be given"},
		{"no service", NODE, "w.yaml:1:1: services: at least one service of the node must be given"},
		{"a service that is no mapping", NODE "services: [80]\n",
			"w.yaml:2:12: services: each entry is a mapping, but this is a single value"},
		{"a service without port", NODE "services: [{protocol: tcp}]\n",
			"w.yaml:2:12: services[].port: must be given (allowed: 1..65535)"},
		{"a service without protocol", NODE "services: [{port: 1}]\n",
			"w.yaml:2:12: services[].protocol: must be given (allowed: tcp | udp)"},
		{"two services on one port",
			NODE "services:\n- {port: 80, protocol: tcp}\n- {port: 80, protocol: tcp, name: b}\n",
			"w.yaml:4:10: services[].port: tcp/80 is a service already (line 3)"},
		{"two services of one name",
			NODE "services:\n- {port: 80, protocol: tcp, name: a}\n- {port: 81, protocol: tcp, "
			     "name: a}\n",
			"w.yaml:4:35: services[].name: \"a\" names another service already (line 3)"},
		{"a challenge for UDP", NODE "services: [{port: 80, protocol: udp, challenge: auto}]\n",
			"w.yaml:2:49: services[].challenge: Weir cannot challenge UDP sources (allowed: "
			"off)"},
		{"a UDP key for TCP",
			NODE "services: [{port: 80, protocol: tcp, udp_unanswered_packets: 3}]\n",
			"w.yaml:2:62: services[].udp_unanswered_packets: this service is TCP, and the key is "
			"for UDP"},
		{"a method for UDP", NODE "services: [{port: 80, protocol: udp, method: proxy}]\n",
			"w.yaml:2:46: services[].method: this service is UDP, whose sources are not "
			"challenged"},
		{"a node that speaks first on UDP",
			NODE "services: [{port: 80, protocol: udp, server_first: yes}]\n",
			"w.yaml:2:52: services[].server_first: this service is UDP, and the key is for TCP"},
		{"a proxy before a node that speaks first",
			NODE "services: [{port: 22, protocol: tcp, server_first: yes, method: proxy}]\n",
			"w.yaml:2:65: services[].method: the node speaks first (server_first), so a lost "
			"last ACK would "
			"never be sent again (allowed: reset)"},
		{"an unknown method", NODE "services: [{port: 22, protocol: tcp, method: cookie}]\n",
			"w.yaml:2:46: services[].method: \"cookie\" is not one of the choices (allowed: "
			"reset | proxy)"},
		{"QUIC over TCP", NODE "services: [{port: 443, protocol: tcp, quic: yes}]\n",
			"w.yaml:2:45: services[].quic: this service is TCP, and the key is for UDP"},
		{"a limit of bytes for TCP",
			NODE "services: [{port: 443, protocol: tcp, amplification_limit: 3}]\n",
			"w.yaml:2:60: services[].amplification_limit: this service is TCP, and the key is "
			"for UDP"},
		{"a limit of bytes that no byte holds",
			NODE "services: [{port: 443, protocol: udp, amplification_limit: 256}]\n",
			"w.yaml:2:60: services[].amplification_limit: \"256\" is out of range (allowed: "
			"0..255)"},
		{"paced attempts beside a challenge",
			NODE "services: [{port: 80, protocol: tcp, paced_per_s: 5}]\n",
			"w.yaml:2:51: services[].paced_per_s: 5 could never pass: this service is challenged "
			"under "
			"pressure (allowed: 0)"},
		{"a price without a prefix", NODE SERVICE "prices: [{price: 2}]\n",
			"w.yaml:3:10: prices[].prefix: must be given (allowed: addresses or ADDRESS/LENGTH)"},
		{"a prefix without a price", NODE SERVICE "prices: [{prefix: 10.0.0.0/8}]\n",
			"w.yaml:3:10: prices[].price: must be given (allowed: 0.1..64)"},
		{"a price of nothing", NODE SERVICE "prices: [{prefix: 10.0.0.0/8, price: 0.099}]\n",
			"w.yaml:3:38: prices[].price: \"0.099\" is out of range (allowed: 0.1..64)"},
		{"a price beyond what an attempt may cost",
			NODE SERVICE "prices: [{prefix: 10.0.0.0/8, price: 65}]\n",
			"w.yaml:3:38: prices[].price: \"65\" is out of range (allowed: 0.1..64)"},
		{"a price for host bits", NODE SERVICE "prices: [{prefix: 10.0.0.1/8, price: 1}]\n",
			"w.yaml:3:19: prices[].prefix: \"10.0.0.1/8\" has bits set behind its length"},
		{"two prices of one prefix",
			NODE SERVICE
			"prices:\n- {prefix: 10.0.0.0/8, price: 1}\n- {price: 2, prefix: 10.0.0.0/8}\n",
			"w.yaml:5:22: prices[].prefix: 10.0.0.0/8 has a price already (line 4)"},
		{"a secret without a path", NODE SERVICE "challenge: {secret_file: secret}\n",
			"w.yaml:3:26: challenge.secret_file: \"secret\" cannot be used here (allowed: an "
			"absolute path"},
		{"an idle limit beyond the dataplane's clock", NODE SERVICE "timeouts: {payload_idle: 25h}\n",
			"w.yaml:3:26: timeouts.payload_idle: \"25h\" is out of range (allowed: 0s..1d)"},
		{"pressure left above where it is entered",
			NODE "services: [{port: 80, protocol: tcp, pressure: {enter_per_s: 10, leave_per_s: "
			     "11}}]\n",
			"w.yaml:2:79: services[].pressure.leave_per_s: 11 is above enter_per_s"},
		{"a prefix with host bits", NODE SERVICE "deny: [10.0.0.1/8]\n",
			"w.yaml:3:8: deny: \"10.0.0.1/8\" has bits set behind its length"},
		{"a prefix that is too long", NODE SERVICE "deny: [10.0.0.0/33]\n",
			"w.yaml:3:8: deny: \"10.0.0.0/33\" has a length out of range"},
		{"not a prefix", NODE SERVICE "deny: [10.0.0]\n",
			"w.yaml:3:8: deny: \"10.0.0\" is not an address or a prefix"},
		{"one prefix in allow and deny", NODE SERVICE "allow: [10.0.0.0/8]\ndeny:\n- 10.0.0.0/8\n",
			"w.yaml:5:3: deny: 10.0.0.0/8 is also in allow (line 3), which contradicts it"},
		{"a deny inside an allow", NODE SERVICE "deny: [10.1.0.0/16]\nallow: [10.0.0.0/8]\n",
			"w.yaml:3:8: deny: 10.1.0.0/16 lies in 10.0.0.0/8 of allow (line 4), so it would "
			"never act"},
		{"a deny inside an allow, with the other family between",
			NODE SERVICE "allow: [\"::/0\"]\ndeny: [10.0.0.0/8, \"2001:db8::/32\"]\n",
			"w.yaml:4:20: deny: 2001:db8::/32 lies in ::/0 of allow (line 3)"},
		{"a prefix twice", NODE SERVICE "deny:\n- 10.0.0.0/8\n- 10.0.0.0/8\n",
			"w.yaml:5:3: deny: 10.0.0.0/8 is given twice (first at line 4)"},
		{"a deny of the node", NODE SERVICE "deny: [192.0.2.0/24]\n",
			"w.yaml:3:8: deny: 192.0.2.0/24 covers the node's own address 192.0.2.1"},
		{"a deny of an own network", NODE SERVICE "own: [10.1.0.0/16]\ndeny: [10.0.0.0/8]\n",
			"w.yaml:4:8: deny: 10.0.0.0/8 covers own network 10.1.0.0/16 (line 3)"},
		{"soft above hard", NODE SERVICE "limits: {hard: 100, soft: 101}\n",
			"w.yaml:3:27: limits.soft: 101 is above limits.hard (allowed: 0..100)"},
		{"a soft limit without pacing", NODE SERVICE "limits: {soft: 101, soft_mode: none}\n",
			"w.yaml:3:16: limits.soft: 101 contradicts soft_mode none (allowed: 0)"},
		{"more connections than flows",
			NODE SERVICE "limits: {hard: 5000}\ndataplane: {flows_log2: 10}\n",
			"w.yaml:3:16: limits.hard: 5000 and 250 reserved do not fit the flow tables of 2 "
			"lcores with 2^10 each"},
		{"ban above disconnect", NODE SERVICE "score: {ban: -10}\n",
			"w.yaml:3:14: score.ban: -10 is not below score.disconnect (-20)"},
		{"one device twice",
			NODE SERVICE
			"dataplane:\n  pairs:\n  - {outside: a, inside: b}\n  - {outside: b, inside: c}\n",
			"w.yaml:6:5: dataplane.pairs: a device is in another pair already (line 5)"},
		{"a pair of one device", NODE SERVICE "dataplane: {pairs: [{outside: a, inside: a}]}\n",
			"w.yaml:3:21: dataplane.pairs: \"a\" is both sides of one pair"},
		{"an lcore twice", NODE SERVICE "dataplane: {lcores: [1, 1]}\n",
			"w.yaml:3:25: dataplane.lcores: 1 is given twice"},
		{"an lcore that is no number", NODE SERVICE "dataplane: {lcores: [one]}\n",
			"w.yaml:3:22: dataplane.lcores: \"one\" is not a whole number (allowed: 0..1023)"},
		{"fewer queues than lcores", NODE SERVICE "dataplane: {lcores: [1, 2], queues: 1}\n",
			"w.yaml:3:37: dataplane.queues: 1 queues leave an lcore without one (allowed: 0, "
			"2..64)"},
		{"a blank in a device", NODE SERVICE "dataplane: {pairs: [{outside: a b, inside: c}]}\n",
			"w.yaml:3:31: dataplane.pairs[].outside: \"a b\" cannot be used here"},
		{"frames that carry no IPv6",
			NODE SERVICE "dataplane: {pairs: [{outside: a, inside: c, mtu: 1279}]}\n",
			"w.yaml:3:50: dataplane.pairs[].mtu: \"1279\" is out of range (allowed: "
			"1280..16000)"},
		{"frames that no device takes",
			NODE SERVICE "dataplane: {pairs: [{outside: a, inside: c, mtu: 16001}]}\n",
			"w.yaml:3:50: dataplane.pairs[].mtu: \"16001\" is out of range (allowed: "
			"1280..16000)"},
		{"a list as the document", "- a\n",
			"w.yaml:1:1: file: this is a list, not a mapping of keys to values"},
		{"a list as a key", "[a, b]: c\n",
			"w.yaml:1:1: file: this is a list, not a single value (allowed: a key)"},
		{"a second document", NODE SERVICE "---\nmode: monitor\n",
			"w.yaml:4:1: file: a second document begins here"},
		{"brackets in brackets", "node: {addresses: [[[[[[[[[[[[[[[[[[[[1\n",
			"w.yaml:1:33: file: nested too deeply (allowed: 16 levels)"},
		{"an unclosed bracket", "node: {addresses: [1\n", "w.yaml:2:1: file: not YAML: "},
		{"a tab for indentation", "node:\n\taddresses: []\n", "w.yaml:2:1: file: not YAML: "},
		{"a NUL inside a value", NODE SERVICE "instance: \"a\\0b\"\n",
			"w.yaml:3:11: instance: the value holds a NUL character"},
		{"bytes that are not UTF-8", "instance: \xff\xfe\n", "file: not YAML: "},
		{"an empty file", "", "w.yaml:1:1: node.addresses: at least one address"},
		{"a file of only a comment", "# nothing\n",
			"w.yaml:1:1: node.addresses: at least one address"},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		memset(&config, 0x5a, sizeof(config));
		CHECK_EQ(cases[i].name, load(cases[i].text), -EINVAL);
		CHECK_CONTAINS(cases[i].name, error, cases[i].sentence);
		CHECK_EQ(cases[i].name, config.n_services, (size_t)UINT64_C(0x5a5a5a5a5a5a5a5a));
	}
}

static void test_defaults(void)
{
	CHECK_EQ("the least file is read", load(NODE SERVICE), 0);
	CHECK_EQ("hard limit", config.limit_hard, 512u);
	CHECK_EQ("soft is 75 % of hard", config.limit_soft, 384u);
	CHECK_EQ("5 % rounded up are reserved", config.reserved_slots, 26u);
	CHECK_EQ("idle is 2 h 10 min", config.tcp_idle_ms, 7800000u);
	CHECK_EQ("host rate", config.proven_v4[IMAGE_LEVEL_HOST].per_1000_s, 200u);
	CHECK_EQ("the service has a name", (const char *)config.services[0].name, "tcp/80");
	CHECK_EQ("TCP is challenged under pressure", config.services[0].challenge,
		(uint64_t)IMAGE_CHALLENGE_AUTO);
	CHECK_EQ("automatic bans are on", config.ban_auto, 1u);
	CHECK_NEAR("freeze", config.score_freeze_s, 3600.0, 0);
	CHECK_NEAR("disconnect", config.score_disconnect, -20.0, 0);
	config_free(&config);

	CHECK_EQ("the preset comes before the keys, wherever it is written",
		load("limits: {hard: 50}\n" NODE SERVICE "profile: lighthouse\n"), 0);
	CHECK_EQ("a key overrides the preset", config.limit_hard, 50u);
	CHECK_EQ("lighthouse paces nobody", config.limit_soft, 0u);
	CHECK_EQ("lighthouse bans nobody by itself", config.ban_auto, 0u);
	CHECK_NEAR("lighthouse freezes 12 h", config.score_freeze_s, 43200.0, 0);
	CHECK_EQ("lighthouse has no time to authenticate", config.auth_ms, 0u);
	CHECK_EQ("nor an idle limit", config.payload_idle_ms, 0u);
	CHECK_EQ("nor one for stragglers", config.straggler_ms, 0u);
	config_free(&config);
}

/* What the image says when the file says little, and when it says all. */
static void test_defence(void)
{
	static struct image_service services[IMAGE_SERVICES_MAX];
	struct image_policy policy;

	CHECK_EQ("loads",
		load(NODE "services:\n- {port: 80, protocol: tcp}\n- {port: 22, protocol: tcp, server_first: "
			  "yes}\n"
			  "- {port: 25, protocol: tcp, challenge: off}\n"
			  "- {port: 443, protocol: udp, quic: yes, pressure: {enter_per_s: 500}}\n"
			  "- {port: 53, protocol: udp}\n"),
		0);
	config_to_policy(&config, &policy);
	config_to_services(&config, services);
	CHECK_EQ("half of 2^18 places in 10 s", policy.flood_per_s, 13107u);
	CHECK_EQ("one guess in 2 days and lcore, shared by two", policy.challenge_bad_per_s, 12u);
	CHECK_EQ("no cap per prefix", policy.replies_per_prefix_per_s, 0u);
	CHECK_EQ("32 clients are a limit more", policy.clients_per_limit, 32u);
	CHECK_EQ("idle after a minute", policy.payload_idle_timeout_ms, 60000u);
	CHECK_EQ("straggling after two", policy.straggler_timeout_ms, 120000u);
	CHECK_EQ("TCP is proxied", services[0].challenge_method, IMAGE_METHOD_PROXY);
	CHECK_EQ("nothing passes unproven beside a challenge", services[0].paced_per_s, 0u);
	CHECK_EQ("a node that speaks first is not", services[1].challenge_method, IMAGE_METHOD_RESET);
	CHECK_EQ("and the dataplane knows why", services[1].server_first, 1u);
	CHECK_EQ("without challenge as many pass as make pressure", services[2].paced_per_s, 256u);
	CHECK_EQ("QUIC is marked", services[3].quic, 1u);
	CHECK_EQ("RFC 9000's limit", services[3].amplification_limit, 3u);
	CHECK_EQ("paced at its own pressure", services[3].paced_per_s, 500u);
	CHECK_EQ("other UDP has no limit", services[4].amplification_limit, 0u);
	for (size_t i = 0; i < config.n_services; i++)
		CHECK_TRUE("the image takes it", image_service_is_valid(&services[i]));
	CHECK_TRUE("the image takes the policy", image_policy_is_valid(&policy));
	config_free(&config);

	CHECK_EQ("loads",
		load(NODE "services: [{port: 443, protocol: udp, amplification_limit: 255, paced_per_s: 7}]\n"
			  "rate: {replies_per_prefix_per_s: 9, clients_per_limit: 0}\nflood: {per_s: 0}\n"
			  "challenge: {bad_per_s: 3}\ntimeouts: {payload_idle: 5m, straggler: 0}\n"),
		0);
	config_to_policy(&config, &policy);
	config_to_services(&config, services);
	CHECK_EQ("the file's limit", services[0].amplification_limit, 255u);
	CHECK_EQ("the file's pace", services[0].paced_per_s, 7u);
	CHECK_EQ("never flood mode", policy.flood_per_s, 0u);
	CHECK_EQ("the file's rate of bad cookies", policy.challenge_bad_per_s, 3u);
	CHECK_EQ("the file's cap per prefix", policy.replies_per_prefix_per_s, 9u);
	CHECK_EQ("limits are not weighted", policy.clients_per_limit, 0u);
	CHECK_EQ("the file's idle limit", policy.payload_idle_timeout_ms, 300000u);
	CHECK_EQ("stragglers stay", policy.straggler_timeout_ms, 0u);
	config_free(&config);
}

/* Thresholds that follow from sizes and times. */
static void test_flood_threshold(void)
{
	static const struct {
		const char *name, *text;
		uint64_t flood_per_s, bad_per_s;
	} cases[] = {
		{"half of the places within the time of a handshake",
			"dataplane: {flows_log2: 12}\ntimeouts: {half_open: 1s}\nlimits: {hard: 100}\n", 2048,
			12},
		{"never more than half of what a kernel takes", "dataplane: {flows_log2: 26}\n", 67000, 12},
		{"one lcore guesses alone", "dataplane: {lcores: [0]}\n", 13107, 24},
		{"many lcores share the guesses",
			"dataplane: {lcores: "
			"[0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24]}\n",
			13107, 1},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		char text[512];
		snprintf(text, sizeof(text), "%s%s%s", NODE, SERVICE, cases[i].text);
		if (!CHECK_EQ(cases[i].name, load(text), 0))
			continue;
		CHECK_EQ(cases[i].name, config.flood_per_s, cases[i].flood_per_s);
		CHECK_EQ(cases[i].name, config.challenge_bad_per_s, cases[i].bad_per_s);
		config_free(&config);
	}
}

static void test_prices(void)
{
	static const struct {
		const char *name;
		double price;
		uint32_t sixteenths;
	} cases[] = {{"the usual price", 1, 16}, {"the least", 0.1, 2}, {"the most", 64, 1024},
		{"rounded to the nearest", 1.04, 17}, {"never nothing", 0, 1}};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, config_price_to_image(cases[i].price), cases[i].sixteenths);
	CHECK_EQ("loads",
		load(NODE SERVICE "prices: [{prefix: 10.0.0.0/8, price: 2.5}, {prefix: \"2001:db8::/32\", "
				  "price: 0.5}]\n"),
		0);
	CHECK_EQ("two prices", config.n_prices, 2u);
	CHECK_NEAR("as written", config.prices[0].price, 2.5, 0);
	CHECK_EQ("of a prefix of any family", config.prices[1].prefix.length, 32u);
	config_free(&config);
}

static void test_values(void)
{
	static const struct {
		const char *name, *text;
		uint64_t ms;
		int expected;
	} cases[] = {
		{"a bare number is seconds", "90", 90000, 0},
		{"seconds", "90s", 90000, 0},
		{"milliseconds", "250ms", 250, 0},
		{"a fraction", "1.5h", 5400000, 0},
		{"days", "30d", UINT64_C(2592000000), 0},
		{"a unit alone", "s", 0, -EINVAL},
		{"an unknown unit", "3y", 0, -EINVAL},
		{"a blank between", "3 s", 0, -EINVAL},
		{"a sign", "-3s", 0, -EINVAL},
		{"a dot at the end", "3.", 0, -EINVAL},
		{"more than a century", "40000d", 0, -ERANGE},
		{"more than 64 bits", "99999999999999999999d", 0, -EINVAL},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		uint64_t ms = 0;
		CHECK_EQ(cases[i].name, config_duration_parse(cases[i].text, &ms), cases[i].expected);
		CHECK_EQ(cases[i].name, ms, cases[i].ms);
	}
}

/* Every scalar key: what is printed can be read again and gives the same value, and the ends of the range are
 * in it. */
static void test_schema_round_trip(void)
{
	char text[128], again[128], why[256];
	config_default(&config, CONFIG_PROFILE_BOOTSTRAP);
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];
		if (row->type >= CONFIG_TYPE_ADDRESSES || config_row_element_index(row) != 0)
			continue;
		struct config other;
		config_default(&other, CONFIG_PROFILE_BOOTSTRAP);
		config_value_format(row, &config, text, sizeof(text));
		if (row->default_text != NULL || row->type != CONFIG_TYPE_NAME)
			CHECK_EQ(row->path, config_value_parse(row, text, &other, why, sizeof(why)), 0);
		CHECK_EQ(row->path, config_value_format(row, &other, again, sizeof(again)),
			(const char *)text);
		CHECK_TRUE(row->path, row->help != NULL && row->help[0] != '\0');
	}
}

struct shown {
	unsigned n;
	bool hard, soft, service;
};

static bool show(void *context, const char *key, const char *value, const char *origin, const char *help,
	const char *range)
{
	struct shown *shown = context;
	shown->n++;
	shown->hard |= strcmp(key, "limits.hard") == 0 && strcmp(value, "100") == 0 &&
		       strcmp(origin, "w.yaml:3") == 0 && strcmp(range, "0..10000000") == 0 && help != NULL;
	shown->soft |= strcmp(key, "limits.soft") == 0 && strcmp(value, "75") == 0 &&
		       strcmp(origin, "computed") == 0;
	shown->service |= strcmp(key, "services[0].pressure.hold") == 0 && strcmp(value, "10s") == 0 &&
			  strcmp(origin, "default") == 0;
	return true;
}

static void test_show(void)
{
	struct shown shown = {0};
	CHECK_EQ("loads", load(NODE SERVICE "limits: {hard: 100}\n"), 0);
	config_show(&config, show, &shown);
	CHECK_TRUE("the file's value has its line", shown.hard);
	CHECK_TRUE("a derived value is shown as it is in force", shown.soft);
	CHECK_TRUE("elements are shown key by key", shown.service);
	CHECK_TRUE("all keys are shown", shown.n > 90);
	config_free(&config);
}

static void test_dataplane_args(void)
{
	static struct config_arguments arguments;
	static const char *const expected[] = {"weir-dataplane", "--instance", "x", "--shm-dir", "/s",
		"--run-dir", "/r", "--outside", "net_af_xdp0,iface=a", "--inside", "0000:01:00.1",
		"--outside", "0000:02:00.0", "--inside", "0000:02:00.1", "--mtu", "9000", "--lcores", "3,4",
		"--queues", "2", "--flows-log2", "18", "--pressure-keys-log2", "20", "--proven-log2", "18",
		"--idle-sleep-us", "1000", "--offload-bans", "64", "--memory", "no-huge", "--start-wait", "3",
		"--start-fail", "open", "--cookie-secret", "/etc/weir/secret", "--eal", "-v"};
	CHECK_EQ("loads",
		load(NODE SERVICE
			"instance: x\nshm_dir: /s\nrun_dir: /r\nstart: {wait: 2500ms, fail: open}\n"
			"challenge: {secret_file: /etc/weir/secret}\n"
			"dataplane: {pairs: [{outside: \"net_af_xdp0,iface=a\", inside: \"0000:01:00.1\"},\n"
			"  {outside: \"0000:02:00.0\", inside: \"0000:02:00.1\", mtu: 9000}],\n"
			" lcores: [3, 4], memory: no-huge, offload_bans: 64, eal_args: [-v]}\n"),
		0);
	int n = config_dataplane_args(&config, &arguments);
	CHECK_EQ("as many arguments", n, (int)CHECK_COUNT(expected));
	for (int i = 0; i < n && i < (int)CHECK_COUNT(expected); i++)
		CHECK_EQ("argument", (const char *)arguments.argv[i], expected[i]);
	CHECK_TRUE("ends with NULL", n > 0 && arguments.argv[n] == NULL);
	config_free(&config);
}

static void test_options(void)
{
	static const struct {
		const char *name, *node, *services;
		int expected;
		size_t n_nodes, n_services;
	} cases[] = {
		{"one and one", "192.0.2.1", "tcp/30303", 0, 1, 1},
		{"lists", "192.0.2.1,2001:db8::1", "tcp/30303,udp/30303", 0, 2, 2},
		{"a bad address", "192.0.2", "tcp/30303", -EINVAL, 0, 0},
		{"a comma at the end", "192.0.2.1,", "tcp/30303", -EINVAL, 0, 0},
		{"a bad protocol", "192.0.2.1", "sctp/1", -EINVAL, 0, 0},
		{"port 0", "192.0.2.1", "tcp/0", -EINVAL, 0, 0},
		{"a port too large", "192.0.2.1", "tcp/65536", -EINVAL, 0, 0},
		{"one service twice", "192.0.2.1", "tcp/1,tcp/1", -EINVAL, 0, 0},
		{"nothing", "", "", -EINVAL, 0, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		memset(&config, 0, sizeof(config));
		CHECK_EQ(cases[i].name,
			config_from_options(cases[i].node, cases[i].services, &config, error, sizeof(error)),
			cases[i].expected);
		CHECK_EQ(cases[i].name, config.n_node_addresses, cases[i].n_nodes);
		CHECK_EQ(cases[i].name, config.n_services, cases[i].n_services);
		config_free(&config);
	}
}

static void test_large_lists(void)
{
	size_t n = 200000, used = 0, bytes = n * 24 + 256;
	char *text = malloc(bytes);
	if (!CHECK_TRUE("memory", text != NULL))
		return;
	used += (size_t)snprintf(text, bytes, NODE SERVICE "deny:\n");
	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(
			text + used, bytes - used, "- 10.%zu.%zu.%zu\n", i >> 16, (i >> 8) & 255, i & 255);
	int result = config_load_text("w.yaml", text, used, &config, error, sizeof(error));
	CHECK_EQ("200,000 prefixes are read and compared", result, 0);
	CHECK_EQ("all of them", config.deny.n, n);
	if (result == 0)
		config_free(&config);
	free(text);
}

static void test_missing_file(void)
{
	CHECK_EQ(
		"a missing file", config_load("/nonexistent/w.yaml", &config, error, sizeof(error)), -ENOENT);
	CHECK_CONTAINS("says which", error,
		"/nonexistent/w.yaml:1:1: file: cannot be read: No such file or directory");
	CHECK_EQ("a directory", config_load("/", &config, error, sizeof(error)), -EISDIR);
	CHECK_CONTAINS("says why", error, "it is not a regular file");
	const char *fifo = "/tmp/weir-test-config.fifo";
	(void)unlink(fifo);
	if (CHECK_EQ("a FIFO", mkfifo(fifo, 0600), 0)) {
		CHECK_EQ("does not hold the reader", config_load(fifo, &config, error, sizeof(error)),
			-EISDIR);
		(void)unlink(fifo);
	}
}

static const struct check_test tests[] = {
	{"every error is a sentence with its place", test_errors},
	{"defaults are the profile's", test_defaults},
	{"the defence has defaults that follow from the rest", test_defence},
	{"thresholds follow from sizes", test_flood_threshold},
	{"prices are sixteenths", test_prices},
	{"durations are read", test_values},
	{"every key prints what it reads", test_schema_round_trip},
	{"the effective configuration is shown with its origin", test_show},
	{"the dataplane's arguments are derived", test_dataplane_args},
	{"options make a configuration", test_options},
	{"large lists are compared quickly", test_large_lists},
	{"a file that cannot be read is named", test_missing_file},
};
CHECK_MAIN("config", tests)
