// SPDX-License-Identifier: BSD-3-Clause
/* weir-flood's command line. Main thread, before EAL starts: nothing is sent before the target guard has
 * agreed.
 */
#include "bench/flood_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "bench/option_value.h"
#include "bench/socket_address.h"
#include "bench/target_guard.h"

enum { PAYLOAD_MAX = 1440 }; /* TCP over IPv6 without options in 1500 bytes; other headers are shorter */

static const char usage[] =
	"usage: weir-flood --port VDEV|PCI --target ADDRESS:PORT --mac MAC --sources PREFIX [...] [options]\n"
	"Open-loop packets through any DPDK port, e.g. --port net_af_packet0,iface=veth0,qdisc_bypass=1\n"
	"  --target A:P        up to 4, IPv4 and IPv6 ([V6]:PORT); --mac: their next hop\n"
	"  --packet K          syn (with options, default) | syn-bare | ack | rst | data | fin | udp | quic "
	"| quic-v2 |\n"
	"                      icmp; several are mixed evenly\n"
	"  --model M           who sends: spoof (default) | few-subnets | zipf | botnet | v6-64 | v6-48 | "
	"slow |\n"
	"                      reconnect | rotate | cgnat | collide | victim\n"
	"  --population N      addresses, subnets or slots of a model (default 256)\n"
	"  --exponent X        of zipf's ranks, or the spread of ln(rate) in a botnet (default 1.1)\n"
	"  --run N             packets in a row of reconnect, patience of rotate (default 8)\n"
	"  --sources PREFIX    up to 32; --exclude PREFIX: never drawn; --v6-share 0..1 (default 0.25)\n"
	"  --source-ports L-H  default 1024-65535\n"
	"  --rate PPS          in all (default 10000); --ramp S: grow to it; --on-off ON:OFF seconds; "
	"--poisson\n"
	"  --seconds S         default 10; --payload BYTES of udp, icmp and data; --seed N; --label TEXT\n"
	"  --connect B         clients that go on when they are answered: complete | syn-only | silent | "
	"reset |\n"
	"                      never-ack | never-close | half | mixed; --payload: their request (default "
	"64)\n"
	"  --in-flight N       at most N of them wait for an answer, per lcore; what is due beyond is not "
	"sent\n"
	"  --replay FILE       send the frames of a capture at its times; --time-scale X: X times as fast "
	"(default 1)\n"
	"  --stream            open a connection of each source, then send data of all in turn and count "
	"what arrives at\n"
	"                      --respond; needs --model slow\n"
	"  --imix              packets of 40, 576 and 1500 bytes, 7 : 4 : 1, of --stream or --packet udp or "
	"data\n"
	"  --respond VDEV      be the node behind this device too, on the same lcores\n"
	"  --lcores N          sending threads, one queue each (default 1); --cpu C: on CPUs C, C+1, ...\n"
	"  --poll              spin between bursts instead of sleeping; --huge: use huge pages\n"
	"  --eal ARG           a further argument for DPDK's EAL\n"
	"  --live              one line a second on standard error; --json: result as one object\n"
	"  --csv FILE          one line a second\n"
	"  --i-own-this-target allow a public target address\n"
	"What could not be sent in time is not sent late but counted as not_sent.\n";

static bool mac_parse(const char *text, uint8_t mac[FLOOD_MAC_BYTES])
{
	int end = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &mac[0], &mac[1], &mac[2], &mac[3],
		       &mac[4], &mac[5], &end) == 6 &&
	       text[end] == '\0';
}

static bool ports_parse(const char *text, struct flood_options *options)
{
	unsigned low, high;
	int end = 0;

	if (sscanf(text, "%5u-%5u%n", &low, &high, &end) != 2 || text[end] != '\0' || low == 0 ||
		low > high || high > 65535)
		return false;
	options->source_port_low = (uint16_t)low;
	options->source_port_high = (uint16_t)high;
	return true;
}

static bool on_off_parse(const char *text, struct traffic_schedule *schedule)
{
	double on, off;
	int end = 0;

	if (sscanf(text, "%lf:%lf%n", &on, &off, &end) != 2 || text[end] != '\0' ||
		!(on > 0 && on <= 86400) || !(off >= 0 && off <= 86400))
		return false;
	schedule->pattern = TRAFFIC_ON_OFF;
	schedule->on_ns = (uint64_t)(on * 1e9);
	schedule->off_ns = (uint64_t)(off * 1e9);
	return true;
}

static bool number_take(struct flood_options *options, int letter, const char *text)
{
	uint64_t value;
	double real;

	switch (letter) {
	case 'n':
		return option_count_parse(text, 1, TRAFFIC_POPULATION_MAX, &value) &&
		       (options->sources.population = (uint32_t)value) > 0;
	case 'T':
		return option_real_parse(text, 0.001, 1000, &options->time_scale);
	case 'i':
		return option_count_parse(text, 1, 1 << 24, &options->in_flight);
	case 'N':
		return option_count_parse(text, 1, 1000000, &value) &&
		       (options->sources.run = (uint32_t)value) > 0;
	case 'x':
		return option_real_parse(text, 0, 10, &options->sources.exponent);
	case '6':
		return option_real_parse(text, 0, 1, &options->sources.v6_share);
	case 'r':
		return option_real_parse(text, 0.1, 1e9, &options->schedule.rate_pps);
	case 'R':
		if (!option_real_parse(text, 0.1, 86400, &real))
			return false;
		options->schedule.pattern = TRAFFIC_RAMP;
		options->schedule.ramp_ns = (uint64_t)(real * 1e9);
		return true;
	case 'd':
		return option_real_parse(text, 0.1, 86400, &options->seconds);
	case 'P':
		if (!option_count_parse(text, 0, PAYLOAD_MAX, &value))
			return false;
		options->payload_bytes = (uint16_t)value;
		return true;
	case 'S':
		return option_count_parse(text, 0, UINT64_MAX, &options->sources.seed);
	case 'l':
		return option_count_parse(text, 1, FLOOD_LCORES_MAX, &value) &&
		       (options->n_lcores = (unsigned)value) > 0;
	case 'c':
		if (!option_count_parse(text, 0, 1023, &value))
			return false;
		options->cpu = (unsigned)value;
		options->have_cpu = true;
		return true;
	default:
		return false;
	}
}

static bool option_take(struct flood_options *options, int letter, const char *text)
{
	struct traffic_config *sources = &options->sources;

	switch (letter) {
	case 'p':
		options->port = text;
		return true;
	case 't':
		return options->n_targets < FLOOD_TARGETS_MAX &&
		       socket_address_parse(text, &options->targets[options->n_targets].address,
			       &options->targets[options->n_targets].port) == 0 &&
		       ++options->n_targets > 0;
	case 'm':
		return options->have_mac = mac_parse(text, options->mac);
	case 'k':
		return options->n_kinds < FLOOD_KINDS &&
		       flood_kind_parse(text, &options->kinds[options->n_kinds]) == 0 &&
		       ++options->n_kinds > 0;
	case 'M':
		return traffic_kind_parse(text, &sources->kind) == 0;
	case 's':
		return sources->n_prefixes < TRAFFIC_PREFIXES_MAX &&
		       prefix_parse(text, &sources->prefixes[sources->n_prefixes]) == 0 &&
		       ++sources->n_prefixes > 0;
	case 'e':
		return sources->n_excluded < TRAFFIC_EXCLUDED_MAX &&
		       prefix_parse(text, &sources->excluded[sources->n_excluded]) == 0 &&
		       ++sources->n_excluded > 0;
	case 'o':
		return ports_parse(text, options);
	case 'f':
		return on_off_parse(text, &options->schedule);
	case 'L':
		options->label = text;
		return true;
	case 'C':
		options->connect = true;
		return connect_behaviour_parse(text, &options->behaviour) == 0;
	case 'b':
		options->respond_port = text;
		return strncmp(text, "net_", 4) == 0;
	case 'F':
		options->replay_path = text;
		return true;
	case 'V':
		options->csv_path = text;
		return true;
	case 'E':
		if (options->n_eal_args == FLOOD_EAL_ARGS_MAX)
			return false;
		options->eal_args[options->n_eal_args++] = text;
		return true;
	default:
		return number_take(options, letter, text);
	}
}

static bool *flag_of(struct flood_options *options, int letter)
{
	switch (letter) {
	case 'j':
		return &options->json;
	case 'v':
		return &options->live;
	case 'y':
		return &options->poll;
	case 'u':
		return &options->huge;
	case 'O':
		return &options->owned;
	case 'a':
		return &options->stream;
	case 'I':
		return &options->imix;
	default:
		return NULL;
	}
}

/* A client knows its target by nothing but the family, and is recognised by its address, port and request. */
static const char *connect_fault(const struct flood_options *options)
{
	unsigned n_of[2] = {0, 0};

	if (options->stream && (options->connect || options->respond_port == NULL ||
				       options->sources.kind != TRAFFIC_SLOW || options->n_lcores != 1))
		return "--stream needs --respond, --model slow and one lcore, and no --connect";
	if (options->imix && !options->stream &&
		(options->n_kinds != 1 ||
			(options->kinds[0] != FLOOD_DATA && options->kinds[0] != FLOOD_UDP)))
		return "--imix needs --stream, or one --packet, udp or data";
	if (!options->connect && !options->stream)
		return options->respond_port != NULL || options->in_flight != 0
			       ? "--respond and --in-flight belong to --connect and --stream"
			       : NULL;
	for (unsigned i = 0; i < options->n_targets; i++)
		n_of[address_is_v4(&options->targets[i].address)]++;
	if (n_of[0] > 1 || n_of[1] > 1)
		return "--connect and --stream take one target of each family";
	if (options->payload_bytes < 2)
		return "a request needs --payload of at least 2 bytes";
	if (options->n_kinds > 1 || (options->n_kinds == 1 && options->kinds[0] != FLOOD_SYN &&
					    options->kinds[0] != FLOOD_SYN_BARE))
		return "--connect begins with --packet syn or syn-bare";
	return NULL;
}

/* A capture brings its own targets, which the guard sees when it is loaded, sources and times. */
static int replay_check(const struct flood_options *options)
{
	if (options->port != NULL && options->have_mac && options->n_targets == 0 &&
		options->sources.n_prefixes == 0 && options->n_kinds == 0 && !options->connect &&
		!options->stream && options->respond_port == NULL && options->n_lcores == 1)
		return -1;
	fprintf(stderr, "weir-flood: --replay needs --port and --mac, and takes one lcore, no targets, "
			"sources, packets or clients\n");
	return 2;
}

/* Each family with sources must have a target, or its packets would have no place to go; and the other way
 * round. */
static int options_check(struct flood_options *options)
{
	bool target_of[2] = {false, false}, source_of[2] = {false, false};
	char why[256];

	if (options->replay_path != NULL)
		return replay_check(options);
	if (options->port == NULL || options->n_targets == 0 || !options->have_mac ||
		options->sources.n_prefixes == 0) {
		fprintf(stderr, "weir-flood: --port, --target, --mac and --sources are needed; see --help\n");
		return 2;
	}
	for (unsigned i = 0; i < options->n_targets; i++) {
		if (target_guard_check(&options->targets[i].address, options->owned, why, sizeof(why)) != 0) {
			fprintf(stderr, "weir-flood: %s\n", why);
			return 2;
		}
		memcpy(options->targets[i].mac, options->mac, FLOOD_MAC_BYTES);
		target_of[address_is_v4(&options->targets[i].address)] = true;
	}
	for (size_t i = 0; i < options->sources.n_prefixes; i++)
		source_of[prefix_is_v4(&options->sources.prefixes[i])] = true;
	if (target_of[0] != source_of[0] || target_of[1] != source_of[1]) {
		fprintf(stderr, "weir-flood: targets and --sources must have the same families\n");
		return 2;
	}
	const char *fault = connect_fault(options);
	if (fault != NULL) {
		fprintf(stderr, "weir-flood: %s\n", fault);
		return 2;
	}
	if (options->n_kinds == 0)
		options->kinds[options->n_kinds++] = FLOOD_SYN;
	return -1;
}

int flood_options_parse(int argc, char **argv, struct flood_options *ret_options)
{
	static const struct option known[] = {{"port", required_argument, NULL, 'p'},
		{"target", required_argument, NULL, 't'}, {"mac", required_argument, NULL, 'm'},
		{"packet", required_argument, NULL, 'k'}, {"model", required_argument, NULL, 'M'},
		{"sources", required_argument, NULL, 's'}, {"exclude", required_argument, NULL, 'e'},
		{"source-ports", required_argument, NULL, 'o'}, {"population", required_argument, NULL, 'n'},
		{"run", required_argument, NULL, 'N'}, {"exponent", required_argument, NULL, 'x'},
		{"v6-share", required_argument, NULL, '6'}, {"rate", required_argument, NULL, 'r'},
		{"ramp", required_argument, NULL, 'R'}, {"on-off", required_argument, NULL, 'f'},
		{"seconds", required_argument, NULL, 'd'}, {"payload", required_argument, NULL, 'P'},
		{"seed", required_argument, NULL, 'S'}, {"label", required_argument, NULL, 'L'},
		{"lcores", required_argument, NULL, 'l'}, {"cpu", required_argument, NULL, 'c'},
		{"connect", required_argument, NULL, 'C'}, {"in-flight", required_argument, NULL, 'i'},
		{"respond", required_argument, NULL, 'b'}, {"csv", required_argument, NULL, 'V'},
		{"replay", required_argument, NULL, 'F'}, {"time-scale", required_argument, NULL, 'T'},
		{"eal", required_argument, NULL, 'E'}, {"poisson", no_argument, NULL, 'q'},
		{"stream", no_argument, NULL, 'a'}, {"imix", no_argument, NULL, 'I'},
		{"poll", no_argument, NULL, 'y'}, {"huge", no_argument, NULL, 'u'},
		{"json", no_argument, NULL, 'j'}, {"live", no_argument, NULL, 'v'},
		{"i-own-this-target", no_argument, NULL, 'O'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	static struct flood_options options; /* large */
	int letter, index = 0;

	options = (struct flood_options){.seconds = 10,
		.source_port_low = 1024,
		.source_port_high = 65535,
		.n_lcores = 1,
		.time_scale = 1,
		.label = "",
		.payload_bytes = 64,
		.schedule = {.pattern = TRAFFIC_CONSTANT, .rate_pps = 10000},
		.sources = {.kind = TRAFFIC_SPOOF,
			.population = 256,
			.run = 8,
			.exponent = 1.1,
			.v6_share = 0.25,
			.seed = 1}};
	while ((letter = getopt_long(argc, argv, "", known, &index)) != -1) {
		bool *flag = flag_of(&options, letter);

		if (letter == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (letter == '?')
			return 2;
		if (letter == 'q') {
			options.schedule.pattern = TRAFFIC_POISSON;
		} else if (flag != NULL) {
			*flag = true;
		} else if (!option_take(&options, letter, optarg)) {
			fprintf(stderr, "weir-flood: --%s: '%s' is not valid\n", known[index].name, optarg);
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "weir-flood: '%s' is not an option; see --help\n", argv[optind]);
		return 2;
	}
	int status = options_check(&options);
	if (status == -1)
		*ret_options = options;
	return status;
}
