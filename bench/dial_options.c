// SPDX-License-Identifier: BSD-3-Clause
/* weir-dial's command line. Main thread, before anything else runs.
 */
#include "bench/dial_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "bench/option_value.h"
#include "bench/socket_address.h"
#include "bench/target_guard.h"

static const char usage[] =
	"usage: weir-dial --target tcp/ADDRESS:PORT [--target udp/[V6]:PORT ...] --sources PREFIX [...] [options]\n"
	"Clients on kernel sockets, open loop: each attempt has an intended time, and latency counts from there.\n"
	"  --addresses N      client addresses per family (default 320); --first K: begin at the K-th\n"
	"  --rate R           attempts a second (default 50), --poisson: exponential gaps instead of equal ones\n"
	"  --seconds S        how long attempts are started (default 10)\n"
	"  --timeout S        an attempt without an echo fails after this (default 10)\n"
	"  --behave B         honest | silent | reset | half | never-read | never-close | storm | mixed\n"
	"  --hold S           a misbehaving client lets go after this (default: when the run ends)\n"
	"  --open-max N       sockets at once (default 16384); attempts beyond are counted as not_started\n"
	"  --key HEX          32 digits, the node's key; --seed N; --label TEXT\n"
	"  --live             one line a second on standard error; --json: result as one object; --csv FILE: each attempt\n"
	"  --i-own-this-target  allow a public target address\n"
	"The result names the bottleneck: generator when more than a thousandth of the attempts began 10 ms late or more, or not at all.\n"
	"Exit status: 0 when the run took place, 1 when it could not, 2 for usage.\n";

static const char *const behaviour_names[DIAL_BEHAVIOURS] = {
	[DIAL_HONEST] = "honest",
	[DIAL_SILENT] = "silent",
	[DIAL_RESET] = "reset",
	[DIAL_HALF_REQUEST] = "half",
	[DIAL_NEVER_READ] = "never-read",
	[DIAL_NEVER_CLOSE] = "never-close",
	[DIAL_STORM] = "storm",
	[DIAL_MIXED] = "mixed",
};

const char *dial_behaviour_name(enum dial_behaviour behaviour)
{
	return behaviour_names[behaviour];
}

static bool behaviour_parse(const char *text, enum dial_behaviour *ret_behaviour)
{
	for (unsigned i = 0; i < DIAL_BEHAVIOURS; i++) {
		if (strcmp(text, behaviour_names[i]) == 0) {
			*ret_behaviour = (enum dial_behaviour)i;
			return true;
		}
	}
	return false;
}

static bool target_parse(struct dial_options *options, const char *text)
{
	struct dial_target *target = &options->targets[options->n_targets];

	if (options->n_targets == DIAL_TARGETS_MAX || (strncmp(text, "tcp/", 4) != 0 && strncmp(text, "udp/", 4) != 0) ||
		socket_address_parse(text + 4, &target->address, &target->port) != 0)
		return false;
	target->udp = text[0] == 'u';
	options->n_targets++;
	return true;
}

static bool seconds_parse(const char *text, uint64_t *ret_ns)
{
	double seconds;

	if (!option_real_parse(text, 0, 86400, &seconds))
		return false;
	*ret_ns = (uint64_t)(seconds * 1e9);
	return true;
}

static bool option_take(struct dial_options *options, int letter, const char *text)
{
	uint64_t value;

	switch (letter) {
	case 't':
		return target_parse(options, text);
	case 's':
		return options->n_sources < DIAL_SOURCE_PREFIXES_MAX &&
			prefix_parse(text, &options->sources[options->n_sources]) == 0 && ++options->n_sources > 0;
	case 'a':
		return option_count_parse(text, 1, DIAL_SOURCES_MAX, &value) && (options->addresses = (uint32_t)value) > 0;
	case 'f':
		if (!option_count_parse(text, 0, UINT32_MAX / 2, &value))
			return false;
		options->first = (uint32_t)value;
		return true;
	case 'r':
		return option_real_parse(text, 0.001, 1e6, &options->rate_per_s);
	case 'd':
		return option_real_parse(text, 0.1, 86400, &options->seconds);
	case 'T':
		return seconds_parse(text, &options->timeout_ns) && options->timeout_ns > 0;
	case 'H':
		return seconds_parse(text, &options->hold_ns);
	case 'o':
		return option_count_parse(text, 1, 1 << 20, &value) && (options->open_max = (uint32_t)value) > 0;
	case 'b':
		return behaviour_parse(text, &options->behaviour);
	case 'k':
		return echo_key_parse(text, &options->key) == 0;
	case 'S':
		return option_count_parse(text, 0, UINT64_MAX, &options->seed);
	case 'c':
		options->csv_path = text;
		return true;
	case 'L':
		options->label = text;
		return true;
	default:
		return false;
	}
}

static int options_check(struct dial_options *options)
{
	char why[256];

	if (options->n_targets == 0 || options->n_sources == 0) {
		fprintf(stderr, "weir-dial: at least one --target and one --sources are needed; see --help\n");
		return 2;
	}
	for (unsigned i = 0; i < options->n_targets; i++) {
		bool v4 = address_is_v4(&options->targets[i].address), found = false;

		if (target_guard_check(&options->targets[i].address, options->owned, why, sizeof(why)) != 0) {
			fprintf(stderr, "weir-dial: %s\n", why);
			return 2;
		}
		for (unsigned k = 0; k < options->n_sources; k++)
			found = found || prefix_is_v4(&options->sources[k]) == v4;
		if (!found) {
			fprintf(stderr, "weir-dial: an %s target needs --sources of its family\n", v4 ? "IPv4" : "IPv6");
			return 2;
		}
		if (options->targets[i].udp && options->behaviour != DIAL_HONEST) {
			fprintf(stderr, "weir-dial: --behave %s needs TCP targets\n", dial_behaviour_name(options->behaviour));
			return 2;
		}
	}
	return -1;
}

int dial_options_parse(int argc, char **argv, struct dial_options *ret_options)
{
	static const struct option known[] = {{"target", required_argument, NULL, 't'},
		{"sources", required_argument, NULL, 's'}, {"addresses", required_argument, NULL, 'a'},
		{"first", required_argument, NULL, 'f'}, {"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 'd'}, {"timeout", required_argument, NULL, 'T'},
		{"hold", required_argument, NULL, 'H'}, {"open-max", required_argument, NULL, 'o'},
		{"behave", required_argument, NULL, 'b'}, {"key", required_argument, NULL, 'k'},
		{"seed", required_argument, NULL, 'S'}, {"csv", required_argument, NULL, 'c'},
		{"label", required_argument, NULL, 'L'}, {"poisson", no_argument, NULL, 'P'},
		{"json", no_argument, NULL, 'j'}, {"live", no_argument, NULL, 'l'},
		{"i-own-this-target", no_argument, NULL, 'O'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	/* 10 s: beyond the client's third SYN resend at 7 s */
	struct dial_options options = {.addresses = 320, .rate_per_s = 50, .seconds = 10,
		.timeout_ns = UINT64_C(10000000000), .open_max = 16384, .label = "", .seed = 1};
	int letter, index = 0;

	while ((letter = getopt_long(argc, argv, "", known, &index)) != -1) {
		bool *flag = letter == 'P' ? &options.poisson
			: letter == 'j'	   ? &options.json
			: letter == 'l'	   ? &options.live
			: letter == 'O'	   ? &options.owned
					   : NULL;

		if (letter == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (letter == '?')
			return 2;
		if (flag != NULL) {
			*flag = true;
		} else if (!option_take(&options, letter, optarg)) {
			fprintf(stderr, "weir-dial: --%s: '%s' is not valid\n", known[index].name, optarg);
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "weir-dial: '%s' is not an option; see --help\n", argv[optind]);
		return 2;
	}
	int status = options_check(&options);
	if (status == -1)
		*ret_options = options;
	return status;
}
