// SPDX-License-Identifier: BSD-3-Clause
/* The command line (options.h). Each wrong word is answered by one sentence that names the option, what it got and
 * what it wants. Runs in main before anything else; changes nothing outside the structure it fills.
 */
#include "dataplane/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum option_id {
	OPTION_INSTANCE = 256,
	OPTION_SHM_DIR,
	OPTION_RUN_DIR,
	OPTION_OUTSIDE,
	OPTION_INSIDE,
	OPTION_MTU,
	OPTION_LCORES,
	OPTION_QUEUES,
	OPTION_FLOWS_LOG2,
	OPTION_PRESSURE_KEYS_LOG2,
	OPTION_PROVEN_LOG2,
	OPTION_MEMORY,
	OPTION_START_WAIT,
	OPTION_START_FAIL,
	OPTION_IDLE_SLEEP_US,
	OPTION_OFFLOAD_BANS,
	OPTION_COOKIE_SECRET,
	OPTION_EAL,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{ "instance", required_argument, NULL, OPTION_INSTANCE },
	{ "shm-dir", required_argument, NULL, OPTION_SHM_DIR },
	{ "run-dir", required_argument, NULL, OPTION_RUN_DIR },
	{ "outside", required_argument, NULL, OPTION_OUTSIDE },
	{ "inside", required_argument, NULL, OPTION_INSIDE },
	{ "mtu", required_argument, NULL, OPTION_MTU },
	{ "lcores", required_argument, NULL, OPTION_LCORES },
	{ "queues", required_argument, NULL, OPTION_QUEUES },
	{ "flows-log2", required_argument, NULL, OPTION_FLOWS_LOG2 },
	{ "pressure-keys-log2", required_argument, NULL, OPTION_PRESSURE_KEYS_LOG2 },
	{ "proven-log2", required_argument, NULL, OPTION_PROVEN_LOG2 },
	{ "memory", required_argument, NULL, OPTION_MEMORY },
	{ "start-wait", required_argument, NULL, OPTION_START_WAIT },
	{ "start-fail", required_argument, NULL, OPTION_START_FAIL },
	{ "idle-sleep-us", required_argument, NULL, OPTION_IDLE_SLEEP_US },
	{ "offload-bans", required_argument, NULL, OPTION_OFFLOAD_BANS },
	{ "cookie-secret", required_argument, NULL, OPTION_COOKIE_SECRET },
	{ "eal", required_argument, NULL, OPTION_EAL },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char help_text[] =
	"Usage: weir-dataplane [--outside DEV --inside DEV]... [OPTION]...\n"
	"The packet path of Weir: stands between an outside and an inside port as a bump in the wire.\n"
	"\n"
	"  --outside DEV, --inside DEV  a port pair: PCI address (0000:01:00.0), auto:IFACE (net_af_xdp, else\n"
	"                               net_af_packet), or a DPDK device (net_af_xdp0,iface=veth0); may be repeated\n"
	"  --mtu N                      largest IP packet of the pair that was named last, 1280..16000 (default: 1500;\n"
	"                               interfaces of the kernel have their own, and N must be that)\n"
	"  --lcores LIST                CPUs to run on, such as 0,1 or 2-5 (default 0)\n"
	"  --queues N                   queues of each port, at least one per lcore (default: as many as lcores)\n"
	"  --memory huge|no-huge        2 MiB pages or ordinary ones (default huge)\n"
	"  --flows-log2 N               flows of one lcore: 2^N, 6..26 (default 18)\n"
	"  --pressure-keys-log2 N       prefixes whose rate is tracked: 2^N, 10..26 (default 20)\n"
	"  --proven-log2 N              proven sources remembered: 2^N, 8..24 (default 18)\n"
	"  --start-wait SECONDS         how long to wait for a first image, 0..3600 (default 10)\n"
	"  --start-fail open|closed     what to do when none came: forward everything or nothing (default closed)\n"
	"  --idle-sleep-us N            longest sleep of an idle lcore, 0 = never sleep, ..10000 (default 1000)\n"
	"  --offload-bans N             have the outside ports drop up to N of the heaviest banned sources, where they can\n"
	"                               (rte_flow), 0..2048 (default 0: never)\n"
	"  --cookie-secret FILE         secret of the challenges, shared by the governors of one address: 64 hexadecimal\n"
	"                               digits or 32 bytes, mode 0600; their clocks must agree (default: one of its own)\n"
	"  --instance NAME              name of this Weir (default weir)\n"
	"  --shm-dir DIR                segments and image (default /dev/shm/weir)\n"
	"  --run-dir DIR                sockets (default /run/weir)\n"
	"  --eal ARG                    one more argument for DPDK's EAL; may be repeated\n"
	"  --version, --help\n";

__attribute__((format(printf, 2, 3))) static bool options_fail(char error[OPTIONS_ERROR_MAX], const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, OPTIONS_ERROR_MAX, format, arguments);
	va_end(arguments);
	return false;
}

static bool options_number(const char *name, const char *text, unsigned min, unsigned max, unsigned *ret_value,
	char error[OPTIONS_ERROR_MAX])
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 || value < min || value > max)
		return options_fail(error, "--%s wants a number from %u to %u, not \"%s\".", name, min, max, text);
	*ret_value = (unsigned)value;
	return true;
}

static bool options_word(const char *name, const char *text, const char *yes, const char *no, bool *ret_value,
	char error[OPTIONS_ERROR_MAX])
{
	if (strcmp(text, yes) != 0 && strcmp(text, no) != 0)
		return options_fail(error, "--%s wants %s or %s, not \"%s\".", name, yes, no, text);
	*ret_value = strcmp(text, yes) == 0;
	return true;
}

static bool options_directory(const char *name, const char *text, char ret_directory[PATHS_DIRECTORY_MAX + 1],
	char error[OPTIONS_ERROR_MAX])
{
	if (text[0] != '/' || strlen(text) > PATHS_DIRECTORY_MAX)
		return options_fail(error, "--%s wants an absolute path of at most %d characters, not \"%s\".", name,
			PATHS_DIRECTORY_MAX, text);
	strcpy(ret_directory, text);
	return true;
}

static bool options_instance(const char *text, struct options *options, char error[OPTIONS_ERROR_MAX])
{
	size_t length = strlen(text);

	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
			length = 0;
	if (length == 0 || length > PATHS_INSTANCE_MAX)
		return options_fail(error, "--instance wants 1 to %d letters, digits, - or _, not \"%s\".",
			PATHS_INSTANCE_MAX, text);
	strcpy(options->instance, text);
	return true;
}

static bool options_lcore_add(struct options *options, unsigned cpu, char error[OPTIONS_ERROR_MAX])
{
	for (unsigned i = 0; i < options->n_lcores; i++)
		if (options->lcores[i] == cpu)
			return options_fail(error, "--lcores names CPU %u twice.", cpu);
	if (options->n_lcores == OPTIONS_LCORES_MAX)
		return options_fail(error, "--lcores takes at most %d CPUs.", OPTIONS_LCORES_MAX);
	options->lcores[options->n_lcores++] = cpu;
	return true;
}

/* "0,2-4" */
static bool options_lcores(const char *text, struct options *options, char error[OPTIONS_ERROR_MAX])
{
	const char *p = text;

	options->n_lcores = 0;
	while (true) {
		unsigned long first, last;
		char *end;

		if (!isdigit((unsigned char)*p))
			break;
		first = last = strtoul(p, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		/* RTE_MAX_LCORE of every DPDK that Debian ships is at least 128; EAL refuses a CPU that does not exist. */
		if (last < first || last > 1023)
			break;
		for (unsigned long cpu = first; cpu <= last; cpu++)
			if (!options_lcore_add(options, (unsigned)cpu, error))
				return false;
		if (*end == '\0')
			return true;
		if (*end != ',')
			break;
		p = end + 1;
	}
	return options_fail(error, "--lcores wants CPU numbers such as 0,1 or 2-5, not \"%s\".", text);
}

static bool options_port(int id, const char *text, struct options *options, char error[OPTIONS_ERROR_MAX])
{
	const char *name = id == OPTION_OUTSIDE ? "outside" : "inside";
	const char **place;

	if (text[0] == '\0' || strlen(text) > 200)
		return options_fail(error, "--%s wants a device of 1 to 200 characters.", name);
	/* A pair is complete when both are given; the next of either kind begins another. */
	if (options->n_pairs == 0 || (options->pairs[options->n_pairs - 1].outside && options->pairs[options->n_pairs - 1].inside)) {
		if (options->n_pairs == OPTIONS_PAIRS_MAX)
			return options_fail(error, "At most %d port pairs are possible.", OPTIONS_PAIRS_MAX);
		options->n_pairs++;
	}
	place = id == OPTION_OUTSIDE ? &options->pairs[options->n_pairs - 1].outside :
				       &options->pairs[options->n_pairs - 1].inside;
	if (*place)
		return options_fail(error, "--%s \"%s\" follows --%s \"%s\": give each pair one of both.", name, text, name, *place);
	*place = text;
	return true;
}

static bool options_mtu(const char *text, struct options *options, char error[OPTIONS_ERROR_MAX])
{
	unsigned *place;

	if (options->n_pairs == 0)
		return options_fail(error, "--mtu belongs to a port pair: give it after --outside or --inside.");
	place = &options->pairs[options->n_pairs - 1].mtu;
	if (*place != 0)
		return options_fail(error, "--mtu is given twice for one port pair.");
	return options_number("mtu", text, OPTIONS_MTU_MIN, OPTIONS_MTU_MAX, place, error);
}

static bool options_set(int id, const char *text, struct options *options, char error[OPTIONS_ERROR_MAX])
{
	unsigned seconds = 0;

	switch (id) {
	case OPTION_INSTANCE:
		return options_instance(text, options, error);
	case OPTION_SHM_DIR:
		return options_directory("shm-dir", text, options->shm_dir, error);
	case OPTION_RUN_DIR:
		return options_directory("run-dir", text, options->run_dir, error);
	case OPTION_OUTSIDE:
	case OPTION_INSIDE:
		return options_port(id, text, options, error);
	case OPTION_MTU:
		return options_mtu(text, options, error);
	case OPTION_LCORES:
		return options_lcores(text, options, error);
	case OPTION_QUEUES:
		return options_number("queues", text, 1, OPTIONS_QUEUES_MAX, &options->n_queues, error);
	case OPTION_FLOWS_LOG2:
		return options_number("flows-log2", text, 6, 26, &options->flows_log2, error);
	case OPTION_PRESSURE_KEYS_LOG2:
		return options_number("pressure-keys-log2", text, 10, 26, &options->pressure_keys_log2, error);
	case OPTION_PROVEN_LOG2:
		return options_number("proven-log2", text, 8, 24, &options->proven_log2, error);
	case OPTION_MEMORY:
		return options_word("memory", text, "huge", "no-huge", &options->huge, error);
	case OPTION_START_FAIL:
		return options_word("start-fail", text, "open", "closed", &options->fail_open, error);
	case OPTION_START_WAIT:
		if (!options_number("start-wait", text, 0, 3600, &seconds, error))
			return false;
		options->start_wait_ms = seconds * 1000;
		return true;
	case OPTION_COOKIE_SECRET:
		/* as the configuration takes it; the file is read later */
		if (text[0] != '/' || strlen(text) > OPTIONS_FILE_MAX)
			return options_fail(error, "--cookie-secret wants an absolute path of at most %d characters, not \"%s\".",
				OPTIONS_FILE_MAX, text);
		options->cookie_secret = text;
		return true;
	case OPTION_IDLE_SLEEP_US:
		return options_number("idle-sleep-us", text, 0, 10000, &options->idle_sleep_us, error);
	case OPTION_OFFLOAD_BANS:
		return options_number("offload-bans", text, 0, OPTIONS_OFFLOAD_BANS_MAX, &options->offload_bans, error);
	default:
		if (options->n_eal_arguments == OPTIONS_EAL_ARGUMENTS_MAX)
			return options_fail(error, "--eal can be given %d times at most.", OPTIONS_EAL_ARGUMENTS_MAX);
		options->eal_arguments[options->n_eal_arguments++] = text;
		return true;
	}
}

/* What only the whole command line can tell. */
static bool options_check(struct options *options, char error[OPTIONS_ERROR_MAX])
{
	if (options->n_pairs == 0)
		return options_fail(error, "No port was given: name a pair with --outside DEV --inside DEV.");
	for (unsigned i = 0; i < options->n_pairs; i++)
		if (!options->pairs[i].outside || !options->pairs[i].inside)
			return options_fail(error, "Port pair %u has no --%s port.", i + 1,
				options->pairs[i].outside ? "inside" : "outside");
	if (options->n_queues == 0)
		options->n_queues = options->n_lcores;
	if (options->n_queues < options->n_lcores)
		return options_fail(error, "--queues %u is too few for %u lcores: each sends on a queue of its own.",
			options->n_queues, options->n_lcores);
	return true;
}

enum options_result options_parse(int argc, char **argv, struct options *ret_options, char error[OPTIONS_ERROR_MAX])
{
	struct options options = { .instance = PATHS_INSTANCE_DEFAULT, .shm_dir = PATHS_SHM_DIR_DEFAULT,
		.run_dir = PATHS_RUN_DIR_DEFAULT, .lcores = { 0 }, .n_lcores = 1, .flows_log2 = 18,
		.pressure_keys_log2 = 20, .proven_log2 = 18, .huge = true, .start_wait_ms = 10000, .idle_sleep_us = 1000 };
	int id;

	opterr = 0;
	optind = 1;
	while ((id = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
		if (id == OPTION_VERSION) {
			printf("weir-dataplane %s\n", WEIR_VERSION);
			return OPTIONS_EXIT_OK;
		}
		if (id == OPTION_HELP) {
			fputs(help_text, stdout);
			return OPTIONS_EXIT_OK;
		}
		if (id == '?' || id == ':') {
			options_fail(error, id == ':' ? "%s wants a value; see --help." : "%s is not an option; see --help.",
				argv[optind - 1]);
			return OPTIONS_EXIT_WRONG;
		}
		if (!options_set(id, optarg, &options, error))
			return OPTIONS_EXIT_WRONG;
	}
	if (optind < argc) {
		options_fail(error, "\"%s\" is not an option; see --help.", argv[optind]);
		return OPTIONS_EXIT_WRONG;
	}
	if (!options_check(&options, error))
		return OPTIONS_EXIT_WRONG;
	*ret_options = options;
	return OPTIONS_RUN;
}
