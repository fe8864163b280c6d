/* SPDX-License-Identifier: BSD-3-Clause
 * simulate (simulate.h): options, the virtual clock, lines in and out. What the methods do is rpc*.c's, live
 * and here. Must not read the machine's clock: two runs of one trace give the same bytes.
 */
#include "control/simulate.h"

#include <errno.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"
#include "control/moment.h"
#include "control/rpc.h"
#include "control/rpc_private.h"

enum {
	ADVANCE_BUDGET = 4096,
	DURABLE_POLLS = 10000, /* of a millisecond: a disk that does not answer for 10 s never will */
	SETS_MAX = 256,
	TREE_DEPTH = 4, /* open descriptors while the directory is removed */
};

/* 2^43 ms, 278 years: far below where doubles lose milliseconds */
#define T_MAX_S 8796093022.0

/* Lines that came from the sink, kept until the answer is whole. */
struct text {
	char *bytes;
	size_t n, capacity;
};

struct simulation {
	struct control control;
	struct rpc *rpc;
	struct rpc_client *client;
	struct text answer, events;
	bool no_tick;
	char directory[64];
	const char *profile, *config_path, *sets[SETS_MAX];
	size_t n_sets;
	uint64_t seed;
};

static bool text_add(struct text *text, const char *bytes, size_t n)
{
	if (text->n + n + 1 > text->capacity) {
		size_t capacity = (text->n + n + 1) * 2;
		char *grown = realloc(text->bytes, capacity);
		if (grown == NULL)
			return false;
		text->bytes = grown;
		text->capacity = capacity;
	}
	memcpy(text->bytes + text->n, bytes, n);
	text->n += n;
	text->bytes[text->n] = '\0';
	return true;
}

/* The sink: events are notifications of one method, whatever else comes is the answer. */
static void take_line(void *context, const char *line, size_t bytes)
{
	static const char head[] =
		"{\"jsonrpc\":\"2.0\",\"method\":\"" PROTOCOL_EVENT_METHOD "\",\"params\":";
	struct simulation *simulation = context;
	size_t skip = sizeof(head) - 1;
	if (bytes > skip + 2 && memcmp(line, head, skip) == 0) {
		if (simulation->events.n != 0)
			(void)text_add(&simulation->events, ",", 1);
		(void)text_add(&simulation->events, line + skip, bytes - skip - 2); /* without "}\n" */
		return;
	}
	(void)text_add(&simulation->answer, line, bytes - 1);
}

/* Everything due up to `to_ms`, at the times at which it is due. */
static void advance(struct simulation *simulation, int64_t to_ms)
{
	struct control *control = &simulation->control;
	bool ticks = !simulation->no_tick;
	int64_t next_ms = roster_next_due_ms(control->roster, ticks), before_ms = INT64_MIN;
	while (next_ms <= to_ms && next_ms != before_ms) {
		if (next_ms > control->clock.wall_ms)
			control->clock.wall_ms = next_ms;
		while (roster_advance(control->roster, control->clock.wall_ms, ADVANCE_BUDGET, ticks))
			;
		before_ms = next_ms;
		next_ms = roster_next_due_ms(control->roster, ticks);
	}
	control->clock.wall_ms = to_ms;
	control->clock.mono_ns = (uint64_t)moment_tell(to_ms) * 1000000;
	store_set_time(control->store, to_ms);
}

static void wait_for_answer(struct simulation *simulation)
{
	for (int i = 0; i < DURABLE_POLLS && rpc_pending(simulation->rpc) != 0; i++) {
		rpc_tick(simulation->rpc);
		if (rpc_pending(simulation->rpc) != 0)
			(void)usleep(1000);
	}
}

static void fail(struct simulation *simulation, json_t *id, const char *sentence)
{
	json_t *message = json_pack("{s:s, s:O, s:{s:i, s:s}}", "jsonrpc", "2.0", "id", id, "error", "code",
		(int)PROTOCOL_ERROR_REQUEST, "message", sentence);
	char *text = json_dumps(message, JSON_COMPACT);
	if (text != NULL)
		(void)text_add(&simulation->answer, text, strlen(text));
	free(text);
	json_decref(message);
}

/* The time of a line; false after an answer that says what is wrong. A line that is no JSON has none: the
 * methods say why. */
static bool time_take(struct simulation *simulation, const char *line, size_t bytes)
{
	json_t *message = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, NULL);
	json_t *t = json_object_get(message, "t"), *id = json_object_get(message, "id"), *null = json_null();
	double seconds = json_number_value(t);
	int64_t t_ms = moment_take(llround(json_is_number(t) && fabs(seconds) <= T_MAX_S ? seconds * 1000.0 : 0));
	bool is_object = json_is_object(message), good = true;
	if (is_object && (!json_is_number(t) || !(seconds >= 0 && seconds <= T_MAX_S))) {
		fail(simulation, id != NULL ? id : null, "t: must be given (allowed: seconds 0..8796093022)");
		good = false;
	} else if (is_object && t_ms < simulation->control.clock.wall_ms) {
		fail(simulation, id != NULL ? id : null,
			"t: falls (allowed: the time of the line before, or later)");
		good = false;
	} else if (is_object) {
		advance(simulation, t_ms);
	}
	json_decref(message);
	return good;
}

static bool answer_write(struct simulation *simulation)
{
	struct text *answer = &simulation->answer;
	double seconds = (double)moment_tell(simulation->control.clock.wall_ms) / 1000.0;
	if (answer->n == 0)
		return true; /* a notification; its events wait for the next answer */
	printf("%.*s,\"t\":%.15g,\"events\":[%s]}\n", (int)answer->n - 1, answer->bytes, seconds,
		simulation->events.n != 0 ? simulation->events.bytes : "");
	answer->n = simulation->events.n = 0;
	return fflush(stdout) == 0;
}

static int serve(struct simulation *simulation)
{
	char *line = NULL;
	size_t capacity = 0;
	ssize_t bytes;
	bool written = true;
	while (written && (bytes = getline(&line, &capacity, stdin)) >= 0) {
		while (bytes > 0 && (line[bytes - 1] == '\n' || line[bytes - 1] == '\r'))
			bytes--;
		if (bytes == 0)
			continue;
		if (time_take(simulation, line, (size_t)bytes)) {
			rpc_line(simulation->rpc, simulation->client, line, (size_t)bytes);
			wait_for_answer(simulation);
		}
		written = answer_write(simulation);
	}
	free(line);
	return written && !ferror(stdin) ? 0 : 1;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
	(void)status;
	(void)type;
	(void)place;
	return remove(path);
}

static int config_make(
	struct simulation *simulation, struct config *config, char *error_text, size_t error_bytes)
{
	int error = 0;
	if (simulation->config_path != NULL) {
		error = config_load(simulation->config_path, config, error_text, error_bytes);
	} else {
		int profile = 0;
		while (config_profile_name((enum config_profile)profile) != NULL &&
			strcmp(config_profile_name((enum config_profile)profile), simulation->profile) != 0)
			profile++;
		if (config_profile_name((enum config_profile)profile) == NULL) {
			snprintf(error_text, error_bytes,
				"--profile: \"%.60s\" is not a profile (allowed: bootstrap, lighthouse, "
				"ouroboros, dugite, "
				"stellar, spacetime, lorachain)",
				simulation->profile);
			return -EINVAL;
		}
		config_default(config, (enum config_profile)profile);
	}
	for (size_t i = 0; i < simulation->n_sets && error == 0; i++) {
		char key[128];
		const char *equals = strchr(simulation->sets[i], '=');
		if (equals == NULL || equals == simulation->sets[i] ||
			(size_t)(equals - simulation->sets[i]) >= sizeof(key)) {
			snprintf(error_text, error_bytes, "--set: \"%.60s\" is not KEY=VALUE",
				simulation->sets[i]);
			return -EINVAL;
		}
		snprintf(key, sizeof(key), "%.*s", (int)(equals - simulation->sets[i]), simulation->sets[i]);
		error = config_put(config, key, equals + 1, error_text, error_bytes);
	}
	if (error == 0)
		error = config_complete(config, error_text, error_bytes);
	snprintf(config->state_dir, sizeof(config->state_dir), "%s", simulation->directory);
	snprintf(config->instance, sizeof(config->instance), "simulate");
	return error;
}

static int run(struct simulation *simulation, char *error_text, size_t error_bytes)
{
	struct rpc_host host = {0};
	struct rpc_sink sink = {simulation, take_line};
	struct config *config = calloc(1, sizeof(*config));
	const char *temporary = getenv("TMPDIR");
	int error = config == NULL ? -ENOMEM : 0;
	snprintf(simulation->directory, sizeof(simulation->directory), "%s/weir-simulate-XXXXXX",
		temporary != NULL && strlen(temporary) < 40 ? temporary : "/tmp");
	if (error == 0 && mkdtemp(simulation->directory) == NULL) {
		snprintf(error_text, error_bytes, "%s: cannot be made: %s", simulation->directory,
			strerror(errno));
		free(config);
		return -EIO;
	}
	if (error == 0)
		error = config_make(simulation, config, error_text, error_bytes);
	if (error == 0)
		error = control_open_simulated(
			&simulation->control, config, simulation->seed, error_text, error_bytes);
	bool opened = error == 0;
	if (opened)
		error = rpc_create(&simulation->control, &host, &simulation->rpc);
	if (opened && error == 0)
		error = rpc_client_add(simulation->rpc, &sink, true, &simulation->client);
	if (opened && error == 0) {
		rpc_client_subscribe_all(simulation->rpc, simulation->client);
		error = serve(simulation) == 0 ? 0 : -EIO;
	}
	rpc_destroy(simulation->rpc);
	if (opened)
		(void)control_close(&simulation->control);
	(void)nftw(simulation->directory, remove_entry, TREE_DEPTH, FTW_DEPTH | FTW_PHYS);
	free(simulation->answer.bytes);
	free(simulation->events.bytes);
	free(config);
	return error;
}

static void usage(FILE *file)
{
	fprintf(file, "usage: weirctl simulate [--profile NAME | --config FILE] [--set KEY=VALUE]... [--seed "
		      "N] [--no-tick]\n"
		      "Reads requests, one JSON object a line with its time t in seconds, from standard "
		      "input; writes for each one\n"
		      "line with the answer and the events since the last.\n"
		      "  --profile NAME   bootstrap (default), lighthouse, ouroboros, dugite, stellar, "
		      "spacetime, lorachain\n"
		      "  --config FILE    a configuration instead\n"
		      "  --set KEY=VALUE  change one key of it; a list in YAML's flow style: "
		      "--set 'preferred=[192.0.2.1:9000]'\n"
		      "  --seed N         of every random choice (default 1)\n"
		      "  --no-tick        the governor ticks only when governor.tick says so\n");
}

static bool seed_parse(const char *text, uint64_t *ret_seed)
{
	char *end;
	errno = 0;
	unsigned long long seed = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-')
		return false;
	*ret_seed = seed;
	return true;
}

int simulate_main(int argc, char **argv)
{
	static const struct option options[] = {{"profile", required_argument, NULL, 'p'},
		{"config", required_argument, NULL, 'c'}, {"set", required_argument, NULL, 's'},
		{"seed", required_argument, NULL, 'n'}, {"no-tick", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct simulation simulation = {.profile = "bootstrap", .seed = 1};
	char error_text[CONFIG_ERROR_MAX + 512] = "";
	int option;
	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'p')
			simulation.profile = optarg;
		else if (option == 'c')
			simulation.config_path = optarg;
		else if (option == 's' && simulation.n_sets < SETS_MAX)
			simulation.sets[simulation.n_sets++] = optarg;
		else if (option == 't')
			simulation.no_tick = true;
		else if (option == 'h' || (option == 'n' && !seed_parse(optarg, &simulation.seed)) ||
			 option == '?' || option == 's') {
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	if (optind != argc) {
		usage(stderr);
		return 2;
	}
	log_set_level(LOG_LEVEL_ERROR);
	int error = run(&simulation, error_text, sizeof(error_text));
	if (error != 0)
		fprintf(stderr, "simulate: %s\n", error_text[0] != '\0' ? error_text : strerror(-error));
	return error == 0 ? 0 : 1;
}
