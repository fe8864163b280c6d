// SPDX-License-Identifier: BSD-3-Clause
/* weir-responder: a node without state behind any DPDK port, for measurements of what stands in front of it.
 * One lcore polls; the main thread waits for a signal and reports.
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_pause.h>

#include "bench/flood_port.h"
#include "bench/option_value.h"
#include "bench/responder.h"

static const char usage[] = "usage: weir-responder --port VDEV|PCI [options]\n"
			    "Answers SYN with SYN-ACK, data with the same data, FIN with FIN and datagrams "
			    "with themselves, without state.\n"
			    "  --cpu C             run on CPU C; --huge: use huge pages; --eal ARG: a "
			    "further argument for DPDK's EAL\n"
			    "  --json              counts as one object at the end, by SIGINT or SIGTERM\n";

struct options {
	struct flood_eal eal;
	const char *args[16];
	bool json;
};

static atomic_bool stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = true;
}

static int responder_run(void *argument)
{
	while (!atomic_load_explicit(&stop_asked, memory_order_relaxed)) {
		if (responder_poll(argument) == 0)
			rte_pause();
	}
	return 0;
}

static int options_parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {{"port", required_argument, NULL, 'p'},
		{"cpu", required_argument, NULL, 'c'}, {"eal", required_argument, NULL, 'E'},
		{"huge", no_argument, NULL, 'u'}, {"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	uint64_t cpu;
	int letter;

	options->eal = (struct flood_eal){.program = "weir-responder", .n_lcores = 1, .args = options->args};
	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (letter == 'h') {
			fputs(usage, stdout);
			return 0;
		} else if (letter == 'p') {
			options->eal.devices[0] = optarg;
		} else if (letter == 'c' && option_count_parse(optarg, 0, 1023, &cpu)) {
			options->eal.cpu = (unsigned)cpu;
			options->eal.have_cpu = true;
		} else if (letter == 'E' && options->eal.n_args < 16) {
			options->args[options->eal.n_args++] = optarg;
		} else if (letter == 'u') {
			options->eal.huge = true;
		} else if (letter == 'j') {
			options->json = true;
		} else {
			fprintf(stderr, "weir-responder: not a valid option; see --help\n");
			return 2;
		}
	}
	if (optind == argc && options->eal.devices[0] != NULL)
		return -1;
	fprintf(stderr, "weir-responder: --port is needed, and nothing that is not an option; see --help\n");
	return 2;
}

int main(int argc, char **argv)
{
	static struct options options;
	static struct responder responder;
	struct sigaction action = {.sa_handler = on_signal};
	struct rte_mempool *pool;
	char error_text[256];
	int status = options_parse(argc, argv, &options);

	if (status != -1)
		return status;
	if (flood_eal_start(&options.eal) != 0)
		return 1;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (flood_pool_create(1, 1, &pool, error_text, sizeof(error_text)) != 0 ||
		flood_port_start(options.eal.devices[0], 1, pool, &responder.port_id, error_text,
			sizeof(error_text)) != 0) {
		fprintf(stderr, "weir-responder: %s\n", error_text);
		rte_eal_cleanup();
		return 1;
	}
	rte_eal_remote_launch(responder_run, &responder, 1);
	rte_eal_mp_wait_lcore();
	printf(options.json ? "{\"tool\": \"weir-responder\", \"received\": %lu, \"answered\": %lu, "
			      "\"not_sent\": %lu}\n"
			    : "%lu frames received, %lu answered, %lu answers not sent\n",
		responder.counts.received, responder.counts.answered, responder.counts.not_sent);
	flood_port_stop(responder.port_id);
	rte_eal_cleanup();
	return 0;
}
