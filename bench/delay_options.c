// SPDX-License-Identifier: BSD-3-Clause
/* weir-delay's command line. Main thread, before EAL starts.
 */
#include "bench/delay_options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "bench/option_value.h"

static const char usage[] =
	"usage: weir-delay --a PORT --b PORT [options]\n"
	"A line between two ports that delays, loses, reorders, copies and limits what crosses it.\n"
	"  --a PORT, --b PORT  auto:IFACE (a kernel interface, by net_af_packet), or a DPDK vdev or PCI address\n"
	"  --direction D       both (default) | a-to-b | b-to-a: what the options after it speak of\n"
	"  --delay-us T        every frame; --jitter-us T: up to this much more, in order\n"
	"  --loss SHARE        of frames that vanish, 0..1\n"
	"  --reorder SHARE     of frames that are held for --reorder-us T longer, so that others overtake them\n"
	"  --duplicate SHARE   of frames that come out twice\n"
	"  --rate-mbit R       of the line, 0: any (default); --backlog-bytes N: what may wait for it (default 262144)\n"
	"  --frames N          in flight in each direction (default 8192); those beyond are dropped and counted\n"
	"  --seed N            default 1; --seconds S: default until SIGTERM or SIGINT\n"
	"  --huge              use huge pages; --eal ARG: a further argument for DPDK's EAL\n"
	"  --json              result as one object\n"
	"\"the line is up\" on standard error says that frames cross.\n";

enum { US_MAX = 600000000 /* ten minutes */, FRAMES_MAX = 1 << 20 };

const char *delay_direction_name(unsigned direction)
{
	return direction == DELAY_A_TO_B ? "a-to-b" : "b-to-a";
}

/* Bits: the directions that the next options speak of. */
static bool direction_parse(const char *text, unsigned *directions)
{
	if (strcmp(text, "both") == 0)
		*directions = 1u << DELAY_A_TO_B | 1u << DELAY_B_TO_A;
	else if (strcmp(text, "a-to-b") == 0)
		*directions = 1u << DELAY_A_TO_B;
	else if (strcmp(text, "b-to-a") == 0)
		*directions = 1u << DELAY_B_TO_A;
	else
		return false;
	return true;
}

static bool time_take(const char *text, uint64_t *ret_ns)
{
	uint64_t us;

	if (!option_count_parse(text, 0, US_MAX, &us))
		return false;
	*ret_ns = us * 1000;
	return true;
}

static bool model_take(struct delay_model *model, int letter, const char *text)
{
	double real;

	switch (letter) {
	case 'd':
		return time_take(text, &model->delay_ns);
	case 'J':
		return time_take(text, &model->jitter_ns);
	case 'T':
		return time_take(text, &model->reorder_ns);
	case 'l':
		return option_real_parse(text, 0, 1, &model->loss);
	case 'o':
		return option_real_parse(text, 0, 1, &model->reorder);
	case 'D':
		return option_real_parse(text, 0, 1, &model->duplicate);
	case 'r':
		if (!option_real_parse(text, 0, 1e6, &real))
			return false;
		model->rate_bps = real * 1e6;
		return true;
	case 'k':
		return option_count_parse(text, 0, UINT32_MAX, &model->backlog_bytes);
	default:
		return false;
	}
}

static bool option_take(struct delay_options *options, unsigned *directions, int letter, const char *text)
{
	uint64_t value;

	switch (letter) {
	case 'a':
	case 'b':
		options->ports[letter == 'b'] = text;
		return text[0] != '\0';
	case 'w':
		return direction_parse(text, directions);
	case 'f':
		return option_count_parse(text, 1, FRAMES_MAX, &value) && (options->n_frames = (uint32_t)value) > 0;
	case 'S':
		return option_count_parse(text, 0, UINT64_MAX, &options->seed);
	case 's':
		return option_real_parse(text, 0.1, 86400, &options->seconds);
	case 'E':
		if (options->n_eal_args == DELAY_EAL_ARGS_MAX)
			return false;
		options->eal_args[options->n_eal_args++] = text;
		return true;
	default:
		for (unsigned i = 0; i < DELAY_DIRECTIONS; i++)
			if ((*directions & 1u << i) && !model_take(&options->models[i], letter, text))
				return false;
		return true;
	}
}

static int options_check(const struct delay_options *options)
{
	if (options->ports[0] == NULL || options->ports[1] == NULL) {
		fprintf(stderr, "weir-delay: --a and --b are needed; see --help\n");
		return 2;
	}
	if (strcmp(options->ports[0], options->ports[1]) == 0) {
		fprintf(stderr, "weir-delay: --a and --b are the same port\n");
		return 2;
	}
	for (unsigned i = 0; i < DELAY_DIRECTIONS; i++)
		if (options->models[i].reorder > 0 && options->models[i].reorder_ns == 0) {
			fprintf(stderr, "weir-delay: --reorder needs --reorder-us, %s\n", delay_direction_name(i));
			return 2;
		}
	return -1;
}

int delay_options_parse(int argc, char **argv, struct delay_options *ret_options)
{
	static const struct option known[] = {{"a", required_argument, NULL, 'a'}, {"b", required_argument, NULL, 'b'},
		{"direction", required_argument, NULL, 'w'}, {"delay-us", required_argument, NULL, 'd'},
		{"jitter-us", required_argument, NULL, 'J'}, {"loss", required_argument, NULL, 'l'},
		{"reorder", required_argument, NULL, 'o'}, {"reorder-us", required_argument, NULL, 'T'},
		{"duplicate", required_argument, NULL, 'D'}, {"rate-mbit", required_argument, NULL, 'r'},
		{"backlog-bytes", required_argument, NULL, 'k'}, {"frames", required_argument, NULL, 'f'},
		{"seed", required_argument, NULL, 'S'}, {"seconds", required_argument, NULL, 's'},
		{"eal", required_argument, NULL, 'E'}, {"huge", no_argument, NULL, 'u'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	struct delay_options options = {.n_frames = 8192, .seed = 1,
		.models = {{.backlog_bytes = 262144}, {.backlog_bytes = 262144}}};
	unsigned directions = 1u << DELAY_A_TO_B | 1u << DELAY_B_TO_A;
	int letter, index = 0;

	while ((letter = getopt_long(argc, argv, "", known, &index)) != -1) {
		if (letter == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (letter == '?')
			return 2;
		if (letter == 'j') {
			options.json = true;
		} else if (letter == 'u') {
			options.huge = true;
		} else if (!option_take(&options, &directions, letter, optarg)) {
			fprintf(stderr, "weir-delay: --%s: '%s' is not valid\n", known[index].name, optarg);
			return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "weir-delay: '%s' is not an option; see --help\n", argv[optind]);
		return 2;
	}
	int status = options_check(&options);
	if (status == -1)
		*ret_options = options;
	return status;
}
