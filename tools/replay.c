/* SPDX-License-Identifier: BSD-3-Clause
 * weir-replay: what Weir would have done to the packets of a capture. The decide code is weir-dataplane's
 * own; time is the capture's. Reads a file and prints; needs no root, huge pages or network card. One thread.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tools/options.h"
#include "tools/output.h"
#include "tools/replay_capture.h"
#include "tools/replay_report.h"
#include "tools/replay_stage.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, SENTENCE_MAX = 768 };
/* Codes of --json errors: as weirctl's own (rpc_client.h). */
enum { CODE_FAILED = 101, CODE_USAGE = 102 };

enum replay_option {
	OPTION_HELP,
	OPTION_JSON,
	OPTION_CONFIG,
	OPTION_NODE,
	OPTION_SERVICE,
	OPTION_SET,
	OPTION_BANS,
	OPTION_QUIET,
	OPTION_BY_SOURCE,
	OPTION_NO_CHECKSUMS,
	OPTION_SEED,
	OPTION_COUNT,
};

static const struct option_spec replay_options[] = {
	[OPTION_HELP] = {"help", NULL, "this"},
	[OPTION_JSON] = {"json", NULL,
		"one object a packet, then {\"totals\":{...}}; an error goes to standard error as an object"},
	[OPTION_CONFIG] = {"config", "FILE", "node, services, lists and policy from weir.yaml"},
	[OPTION_NODE] = {"node", "ADDRESS[,ADDRESS]", "without --config: the addresses of the node"},
	[OPTION_SERVICE] = {"service", "tcp/30303,udp/30303", "without --config: what it offers"},
	[OPTION_SET] = {"set", "KEY=VALUE[,KEY=VALUE]",
		"change keys of the configuration, as in mode=monitor,limits.hard=100"},
	[OPTION_BANS] = {"bans", "FILE",
		"bans in force from the first packet on: a plain list or ipset save"},
	[OPTION_QUIET] = {"quiet", NULL, "totals only"},
	[OPTION_BY_SOURCE] = {"summary-by-source", "N",
		"the N sources that were refused most, in the totals"},
	[OPTION_NO_CHECKSUMS] = {"no-checksums", NULL,
		"do not verify them: the capture was taken where a card fills them in"},
	[OPTION_SEED] = {"seed", "N",
		"the number that all keys are made of (default 1); the same gives the same report"},
	[OPTION_COUNT] = {NULL, NULL, NULL},
};
_Static_assert((int)OPTION_COUNT < (int)OPTIONS_MAX, "options are parsed into a table of fixed size");

struct replay {
	struct options options;
	struct config config;
	struct ban_file bans;
	struct capture *capture;
	struct replay_stage *stage;
	struct report report;
	const char *path;
	uint64_t seed;
	bool has_config, json;
	int code;
	char sentence[SENTENCE_MAX];
};

__attribute__((format(printf, 3, 4))) static int replay_fail(
	struct replay *replay, int code, const char *format, ...)
{
	va_list arguments;

	replay->code = code;
	va_start(arguments, format);
	vsnprintf(replay->sentence, sizeof(replay->sentence), format, arguments);
	va_end(arguments);
	return -1;
}

static void help(void)
{
	char left[64];

	printf("weir-replay FILE.pcap (--config FILE | --node ADDRESS --service LIST) [OPTIONS]\n\n"
	       "What Weir would have done to each packet of a capture (\"-\": standard input), on the "
	       "capture's own clock.\n\n");
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		snprintf(left, sizeof(left), "--%s%s%s", replay_options[i].name,
			replay_options[i].metavar ? " " : "",
			replay_options[i].metavar ? replay_options[i].metavar : "");
		printf("  %-30s %s\n", left, replay_options[i].help);
	}
	printf("\nExit status: 0 the whole capture was replayed, 1 failed, 2 wrong usage.\n");
}

/* "key=value,key=value" over the configuration. */
static int config_change(struct replay *replay)
{
	const char *text = replay->options.values[OPTION_SET];
	char error[CONFIG_ERROR_MAX], *copy, *save = NULL;
	int rc = 0;

	if (!text)
		return 0;
	copy = strdup(text);
	if (!copy)
		return replay_fail(replay, CODE_FAILED, "out of memory");
	for (char *pair = strtok_r(copy, ",", &save); pair && rc == 0; pair = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(pair, '=');
		if (!equals) {
			rc = replay_fail(replay, CODE_USAGE, "--set: \"%.64s\" is not KEY=VALUE", pair);
			break;
		}
		*equals = '\0';
		if (config_set(&replay->config, pair, equals + 1, error, sizeof(error)) < 0)
			rc = replay_fail(replay, CODE_USAGE, "--set: %s", error);
	}
	free(copy);
	return rc;
}

static int config_make(struct replay *replay)
{
	const char *file = replay->options.values[OPTION_CONFIG], *node = replay->options.values[OPTION_NODE];
	const char *service = replay->options.values[OPTION_SERVICE];
	char error[CONFIG_ERROR_MAX];

	if (file && (node || service))
		return replay_fail(replay, CODE_USAGE, "--config says what --%s says: give one of them",
			node ? "node" : "service");
	if (!file && (!node || !service))
		return replay_fail(replay, CODE_USAGE,
			"--%s is missing: --config FILE, or --node ADDRESS and --service tcp/30303",
			node      ? "service"
			: service ? "node"
				  : "config");
	if (file && config_load(file, &replay->config, error, sizeof(error)) < 0)
		return replay_fail(replay, CODE_FAILED, "%s", error);
	if (!file && config_from_options(node, service, &replay->config, error, sizeof(error)) < 0)
		return replay_fail(replay, CODE_USAGE, "%s", error);
	replay->has_config = true;
	if (config_change(replay) < 0)
		return -1;
	if (replay->options.values[OPTION_NO_CHECKSUMS])
		replay->config.verify_checksums = 0;
	return 0;
}

struct complaints {
	struct replay *replay;
	char first[SENTENCE_MAX - 128];
};

static void complain(void *context, uint32_t line, const char *sentence)
{
	struct complaints *complaints = context;

	if (complaints->first[0] == '\0')
		snprintf(complaints->first, sizeof(complaints->first), "%s:%u: %s",
			complaints->replay->options.values[OPTION_BANS], line, sentence);
}

static int bans_read(struct replay *replay)
{
	const char *path = replay->options.values[OPTION_BANS];
	struct complaints complaints = {.replay = replay};
	int rc;

	if (!path)
		return 0;
	rc = ban_file_read(path, complain, &complaints, &replay->bans);
	if (rc < 0)
		return replay_fail(replay, CODE_FAILED, "%s: cannot be read: %s", path, strerror(-rc));
	if (replay->bans.bad)
		return replay_fail(
			replay, CODE_FAILED, "%s (%zu bad lines in all)", complaints.first, replay->bans.bad);
	return 0;
}

static bool is_node(const struct config *config, const struct address *address)
{
	for (size_t i = 0; i < config->n_node_addresses; i++) {
		if (address_compare(&config->node_addresses[i].address, address) == 0)
			return true;
	}
	return false;
}

/* What the node sent comes from inside. A packet from the node to the node does not: it would never leave it.
 */
static enum side side_of(const struct config *config, const struct packet *packet)
{
	if (packet->family != 0 && is_node(config, &packet->source) && !is_node(config, &packet->destination))
		return SIDE_INSIDE;
	return SIDE_OUTSIDE;
}

/* Do the captured bytes hold everything that the decision reads? */
static bool headers_are_captured(const struct arrival *arrival, const struct capture_frame *frame)
{
	uint32_t needed = arrival->packet.payload_offset;

	if (frame->captured_bytes == frame->wire_bytes)
		return true;
	if (arrival->malformed != REASON_COUNT)
		return capture_has_headers(frame);
	/* The quoted IP header without options and the first eight bytes behind it. */
	if (arrival->packet.kind == PACKET_KIND_ICMP_ERROR)
		needed = arrival->packet.quoted_offset + (arrival->packet.family == 6 ? 40u : 20u) + 8u;
	return frame->captured_bytes >= needed && capture_has_headers(frame);
}

static int frame_replay(struct replay *replay, const struct capture_frame *frame, uint64_t n)
{
	struct arrival arrival = {.frame = frame->bytes, .frame_bytes = frame->wire_bytes};
	struct arrival *const arrivals[] = {&arrival};
	struct decision decision;
	struct report_packet packet = {.n = n,
		.time_ns = frame->time_ns,
		.arrival = &arrival,
		.cut = frame->captured_bytes < frame->wire_bytes};
	uint64_t since_ns =
		frame->time_ns > replay->report.first_ns ? frame->time_ns - replay->report.first_ns : 0;

	arrival.malformed = packet_parse(frame->bytes, frame->wire_bytes, NULL, 0, frame->wire_bytes,
		PACKET_CHECK_IP, &arrival.packet);
	arrival.side = side_of(&replay->config, &arrival.packet);
	/* As the dataplane: from outside, and only when all bytes are there. */
	if (arrival.malformed == REASON_COUNT && arrival.side == SIDE_OUTSIDE &&
		replay->config.verify_checksums && !packet.cut)
		arrival.malformed = packet_parse(frame->bytes, frame->wire_bytes, NULL, 0, frame->wire_bytes,
			PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &arrival.packet);
	replay_stage_advance(replay->stage, REPLAY_CLOCK_BASE_NS + since_ns);
	if (headers_are_captured(&arrival, frame)) {
		stage_decide_burst(replay->stage->stage, replay->stage->rules, arrivals, 1,
			replay->stage->now_ns, &decision);
		packet.decision = &decision;
	}
	if (report_packet(&replay->report, &packet) < 0)
		return replay_fail(replay, CODE_FAILED,
			"out of memory: fewer sources by leaving --summary-by-source away");
	return 0;
}

static int frames_replay(struct replay *replay)
{
	char sentence[CAPTURE_SENTENCE_MAX];
	struct capture_frame frame;
	uint64_t n = 0;
	int rc;

	while ((rc = capture_next(replay->capture, &frame, sentence)) == 1) {
		if (!replay->stage) {
			/* The first packet's time is when the stage begins, and its bans. */
			replay->report.first_ns = frame.time_ns;
			if (replay_stage_create(&replay->config, &replay->bans,
				    (int64_t)(frame.time_ns / 1000000), replay->seed, sentence,
				    sizeof(sentence), &replay->stage) < 0)
				return replay_fail(replay, CODE_FAILED, "%s", sentence);
		}
		if (frame_replay(replay, &frame, ++n) < 0)
			return -1;
		if (ferror(stdout))
			return replay_fail(
				replay, CODE_FAILED, "cannot write the report: %s", strerror(errno));
	}
	if (rc < 0)
		return replay_fail(replay, CODE_FAILED, "%s: %s", replay->path, sentence);
	if (n == 0)
		return replay_fail(replay, CODE_FAILED, "%s: the capture holds no packet", replay->path);
	return 0;
}

static double clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int arguments_read(struct replay *replay, int argc, char **argv)
{
	const char *seed, *top;
	uint64_t n = 0;

	if (options_parse(replay_options, argc, argv, &replay->options, replay->sentence,
		    sizeof(replay->sentence)) < 0) {
		replay->code = CODE_USAGE;
		return -1;
	}
	replay->json = replay->options.values[OPTION_JSON] != NULL;
	if (replay->options.values[OPTION_HELP])
		return 0;
	if (replay->options.n_words != 1)
		return replay_fail(replay, CODE_USAGE,
			replay->options.n_words ? "more than one capture is named"
						: "which capture? (weir-replay FILE.pcap; see --help)");
	replay->path = replay->options.words[0];
	seed = replay->options.values[OPTION_SEED];
	replay->seed = 1;
	if (seed && !options_count(seed, 0, INT64_MAX, &replay->seed))
		return replay_fail(replay, CODE_USAGE, "--seed: \"%.32s\" is not a whole number", seed);
	top = replay->options.values[OPTION_BY_SOURCE];
	if (top && !options_count(top, 1, 1000000, &n))
		return replay_fail(replay, CODE_USAGE,
			"--summary-by-source: \"%.32s\" is not a whole number from 1 to 1000000", top);
	replay->report = (struct report){.to = stdout,
		.json = replay->json,
		.n_top = (unsigned)n,
		.quiet = replay->options.values[OPTION_QUIET] != NULL};
	return 0;
}

static int run(struct replay *replay, int argc, char **argv)
{
	char sentence[CAPTURE_SENTENCE_MAX];
	double started_s;
	int rc;

	if (arguments_read(replay, argc, argv) < 0)
		return -1;
	if (replay->options.values[OPTION_HELP]) {
		help();
		return 0;
	}
	if (config_make(replay) < 0 || bans_read(replay) < 0)
		return -1;
	if (capture_open(replay->path, &replay->capture, sentence) < 0)
		return replay_fail(replay, CODE_FAILED, "%s", sentence);
	started_s = clock_seconds();
	rc = frames_replay(replay);
	/* A damaged end does not make the packets before it untold. */
	if (replay->stage)
		report_totals(&replay->report, replay->stage->events, replay->stage->segments,
			clock_seconds() - started_s);
	return rc;
}

int main(int argc, char **argv)
{
	static struct replay replay;
	static char buffer[1 << 16];
	int rc;

	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	for (int i = 1; i < argc; i++)
		replay.json |= strcmp(argv[i], "--json") == 0;
	rc = run(&replay, argc, argv);
	if (fflush(stdout) != 0 && rc == 0)
		rc = replay_fail(&replay, CODE_FAILED, "cannot write the report: %s", strerror(errno));
	if (rc < 0)
		output_error(replay.json, "weir-replay", replay.code, replay.sentence, NULL);
	replay_stage_destroy(replay.stage);
	report_done(&replay.report);
	capture_close(replay.capture);
	ban_file_done(&replay.bans);
	if (replay.has_config)
		config_free(&replay.config);
	return rc == 0 ? 0 : replay.code == CODE_USAGE ? EXIT_USAGE : EXIT_FAILED;
}
