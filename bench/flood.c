// SPDX-License-Identifier: BSD-3-Clause
/* weir-flood: packets that nobody asked for, through any DPDK port, at a rate that the receiver cannot slow down. This
 * file starts EAL and the port, launches the lcores and reports. Main thread; see flood_worker.c for the sending loop.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "bench/flood_options.h"
#include "bench/flood_port.h"
#include "bench/flood_worker.h"
#include "bench/option_value.h"

enum { SERIES_MAX = 7200, EAL_ARGS_MAX = 32 };

struct flood {
	struct flood_options options;
	struct flood_worker workers[FLOOD_LCORES_MAX];
	struct rte_mempool *pool;
	uint16_t port_id;
	uint64_t start_monotonic_ns;
	double seconds;
	unsigned n_series;
	uint64_t series[SERIES_MAX]; /* packets sent in each second */
};

static atomic_bool stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = true;
}

static uint64_t sum_sent(const struct flood *flood)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < flood->options.n_lcores; i++)
		sum += flood->workers[i].counts.sent;
	return sum;
}

static void sum_counts(const struct flood *flood, struct flood_counts *ret_counts)
{
	memset(ret_counts, 0, sizeof(*ret_counts));
	for (unsigned i = 0; i < flood->options.n_lcores; i++) {
		const struct flood_counts *counts = &flood->workers[i].counts;

		ret_counts->sent += counts->sent;
		ret_counts->bytes += counts->bytes;
		ret_counts->received += counts->received;
		ret_counts->not_sent_late += counts->not_sent_late;
		ret_counts->not_sent_port += counts->not_sent_port;
		for (unsigned k = 0; k < FLOOD_KINDS; k++)
			ret_counts->by_kind[k] += counts->by_kind[k];
	}
}

/* EAL wants to be told on the command line what we know: the main thread floats, workers have their CPUs. */
static int eal_start(const struct flood_options *options)
{
	static char lcores[512], device[512];
	char *args[EAL_ARGS_MAX + FLOOD_EAL_ARGS_MAX];
	long last_cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	bool vdev = strncmp(options->port, "net_", 4) == 0 || strncmp(options->port, "eth_", 4) == 0;
	int n = 0, used = snprintf(lcores, sizeof(lcores), "--lcores=0@(0-%ld)", last_cpu);

	for (unsigned i = 0; i < options->n_lcores; i++) {
		if (options->have_cpu)
			used += snprintf(lcores + used, sizeof(lcores) - (size_t)used, ",%u@%u", i + 1, options->cpu + i);
		else
			used += snprintf(lcores + used, sizeof(lcores) - (size_t)used, ",%u@(0-%ld)", i + 1, last_cpu);
	}
	snprintf(device, sizeof(device), vdev ? "--vdev=%s" : "--allow=%s", options->port);
	args[n++] = (char *)"weir-flood";
	args[n++] = lcores;
	args[n++] = (char *)"--no-telemetry";
	args[n++] = (char *)"--log-level=4"; /* errors: results own standard output, and the live line standard error */
	args[n++] = device;
	if (vdev)
		args[n++] = (char *)"--no-pci";
	/* nothing of ours is shared with other processes, and nothing may outlive us */
	if (options->huge) {
		args[n++] = (char *)"--in-memory";
	} else {
		args[n++] = (char *)"--no-shconf";
		args[n++] = (char *)"--no-huge";
		args[n++] = (char *)"-m";
		args[n++] = (char *)"64"; /* 16,384 buffers of 2.2 kB are 36 MB */
	}
	for (unsigned i = 0; i < options->n_eal_args; i++)
		args[n++] = (char *)options->eal_args[i];
	if (rte_eal_init(n, args) < 0) {
		fprintf(stderr, "weir-flood: EAL does not start with %s: %s\n", device, rte_strerror(rte_errno));
		return -EIO;
	}
	return 0;
}

static void live_print(const struct flood *flood, double t, uint64_t last_second)
{
	struct flood_counts counts;

	sum_counts(flood, &counts);
	fprintf(stderr, "flood%s%s t=%.0f sent=%lu not_sent=%lu pps=%lu\n", flood->options.label[0] != '\0' ? " " : "",
		flood->options.label, t, counts.sent, counts.not_sent_late + counts.not_sent_port, last_second);
}

/* Wait for the workers; note each second. */
static void watch(struct flood *flood, uint64_t start_tsc)
{
	double hz = (double)rte_get_tsc_hz();
	uint64_t before = 0;

	for (unsigned running = 1; running > 0;) {
		rte_delay_us_sleep(20000);
		running = 0;
		for (unsigned i = 0; i < flood->options.n_lcores; i++)
			running += rte_eal_get_lcore_state(i + 1) == RUNNING;
		flood->seconds = (double)(rte_rdtsc() - start_tsc) / hz;
		if (flood->seconds < flood->n_series + 1.0 || flood->n_series == SERIES_MAX)
			continue;
		uint64_t sent = sum_sent(flood);

		flood->series[flood->n_series++] = sent - before;
		if (flood->options.live)
			live_print(flood, flood->seconds, sent - before);
		before = sent;
	}
}

/* The self-check: a rate is the receiver's only when its queue was full; else it is this generator's, or the schedule's.
 * A thousandth is not enough: start and end of a run are not steady. */
static const char *bottleneck_of(const struct flood_counts *counts)
{
	uint64_t tried = counts->sent + counts->not_sent_port;

	if (counts->not_sent_port > tried / 1000)
		return "port";
	return counts->not_sent_late > tried / 1000 ? "generator" : "none";
}

static void result_print(const struct flood *flood, int argc, char *const argv[])
{
	const struct flood_options *options = &flood->options;
	struct flood_counts counts;

	sum_counts(flood, &counts);
	double seconds = flood->seconds < options->seconds ? flood->seconds : options->seconds;
	if (!options->json) {
		printf("%s: %lu packets sent in %.1f s (%.0f a second), %lu not sent, bottleneck: %s\n",
			traffic_kind_name(options->sources.kind), counts.sent, seconds, (double)counts.sent / seconds,
			counts.not_sent_late + counts.not_sent_port, bottleneck_of(&counts));
		return;
	}
	printf("{\"tool\": \"weir-flood\", \"version\": \"%s\", \"command\": ", WEIR_VERSION);
	option_command_print(stdout, argc, argv);
	printf(", \"seed\": %lu, \"model\": \"%s\", \"start_monotonic_ns\": %lu, \"seconds\": %.3f, \"sent\": %lu, "
	       "\"bytes\": %lu, \"rate_pps\": %.0f, \"not_sent\": %lu, \"not_sent_late\": %lu, \"not_sent_port\": %lu, "
	       "\"received\": %lu, \"bottleneck\": \"%s\", \"by_packet\": {",
		options->sources.seed, traffic_kind_name(options->sources.kind), flood->start_monotonic_ns, seconds, counts.sent,
		counts.bytes, (double)counts.sent / seconds, counts.not_sent_late + counts.not_sent_port, counts.not_sent_late,
		counts.not_sent_port, counts.received, bottleneck_of(&counts));
	for (unsigned k = 0; k < FLOOD_KINDS; k++)
		printf("%s\"%s\": %lu", k == 0 ? "" : ", ", flood_kind_name((enum flood_kind)k), counts.by_kind[k]);
	printf("}, \"series_pps\": [");
	for (unsigned i = 0; i < flood->n_series; i++)
		printf("%s%lu", i == 0 ? "" : ", ", flood->series[i]);
	printf("]}\n");
}

static int flood_start(struct flood *flood)
{
	struct flood_options *options = &flood->options;
	const char *why = "out of memory";
	char error_text[256];

	if (flood_port_start(options->n_lcores, &flood->port_id, &flood->pool, error_text, sizeof(error_text)) != 0) {
		fprintf(stderr, "weir-flood: %s\n", error_text);
		return -EIO;
	}
	for (unsigned t = 0; t < options->n_targets; t++)
		flood_port_mac(flood->port_id, options->targets[t].source_mac);
	for (unsigned i = 0; i < options->n_lcores; i++) {
		if (flood_worker_prepare(&flood->workers[i], options, i, &why) != 0) {
			fprintf(stderr, "weir-flood: %s\n", why);
			return -EINVAL;
		}
	}
	return 0;
}

static void flood_run(struct flood *flood)
{
	struct timespec now;
	uint64_t start_tsc = rte_rdtsc();

	clock_gettime(CLOCK_MONOTONIC, &now);
	flood->start_monotonic_ns = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	for (unsigned i = 0; i < flood->options.n_lcores; i++) {
		flood->workers[i].port_id = flood->port_id;
		flood->workers[i].pool = flood->pool;
		flood->workers[i].stop = &stop_asked;
		flood->workers[i].start_tsc = start_tsc;
		rte_eal_remote_launch(flood_worker_run, &flood->workers[i], i + 1);
	}
	watch(flood, start_tsc);
	rte_eal_mp_wait_lcore();
}

int main(int argc, char **argv)
{
	static struct flood flood;
	struct sigaction action = {.sa_handler = on_signal};
	int status = flood_options_parse(argc, argv, &flood.options);

	if (status != -1)
		return status;
	if (eal_start(&flood.options) != 0)
		return 1;
	/* after EAL, which may set handlers of its own */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	status = flood_start(&flood) == 0 ? 0 : 1;
	if (status == 0) {
		flood_run(&flood);
		result_print(&flood, argc, argv);
		flood_port_stop(flood.port_id);
	}
	for (unsigned i = 0; i < flood.options.n_lcores; i++)
		flood_worker_done(&flood.workers[i]);
	rte_eal_cleanup();
	return status;
}
