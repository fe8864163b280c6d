// SPDX-License-Identifier: BSD-3-Clause
/* weir-flood: packets that nobody asked for, through any DPDK port, at a rate that the receiver cannot slow
 * down. This file starts EAL and the port, launches the lcores and reports. Main thread; see flood_worker.c
 * for the sending loop.
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
#include "bench/flood_report.h"

static atomic_bool stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = true;
}

static int eal_start(const struct flood_options *options)
{
	const struct flood_eal eal = {.program = "weir-flood",
		.devices = {options->port, options->respond_port},
		.n_lcores = options->n_lcores,
		.cpu = options->cpu,
		.have_cpu = options->have_cpu,
		.huge = options->huge,
		.args = options->eal_args,
		.n_args = options->n_eal_args};

	return flood_eal_start(&eal);
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
		if (flood->seconds < flood->n_series + 1.0 || flood->n_series == FLOOD_SERIES_MAX)
			continue;
		uint64_t sent = flood_report_sent(flood);

		flood->series[flood->n_series++] = sent - before;
		flood_report_csv_line(flood);
		if (flood->options.live)
			flood_report_live(flood, sent - before);
		before = sent;
	}
}

static int ports_start(struct flood *flood)
{
	const struct flood_options *options = &flood->options;
	bool respond = options->respond_port != NULL;
	char error_text[256];
	int result = flood_pool_create(
		options->n_lcores, respond ? 2 : 1, &flood->pool, error_text, sizeof(error_text));

	if (result == 0)
		result = flood_port_start(options->port, options->n_lcores, flood->pool, &flood->port_id,
			error_text, sizeof(error_text));
	if (result == 0 && respond)
		result = flood_port_start(options->respond_port, options->n_lcores, flood->pool,
			&flood->respond_port_id, error_text, sizeof(error_text));
	if (result != 0)
		fprintf(stderr, "weir-flood: %s\n", error_text);
	return result;
}

static int replay_start(struct flood *flood)
{
	struct flood_options *options = &flood->options;
	uint8_t source_mac[FLOOD_MAC_BYTES];
	char error_text[256];

	flood_port_mac(flood->port_id, source_mac);
	flood->workers[0].options = options;
	flood->replay.worker = &flood->workers[0];
	if (flood_replay_load(options->replay_path, options->time_scale, options->owned, source_mac,
		    options->mac, &flood->replay.replay, error_text, sizeof(error_text)) == 0)
		return 0;
	fprintf(stderr, "weir-flood: --replay %s: %s\n", options->replay_path, error_text);
	return -EINVAL;
}

static int flood_start(struct flood *flood)
{
	struct flood_options *options = &flood->options;
	const char *why = "out of memory";

	if (options->csv_path != NULL && flood_report_csv_open(flood) != 0) {
		fprintf(stderr, "weir-flood: %s cannot be written: %s\n", options->csv_path, strerror(errno));
		return -EIO;
	}
	if (ports_start(flood) != 0)
		return -EIO;
	if (options->replay_path != NULL)
		return replay_start(flood);
	for (unsigned t = 0; t < options->n_targets; t++)
		flood_port_mac(flood->port_id, options->targets[t].source_mac);
	for (unsigned i = 0; i < options->n_lcores; i++) {
		if (flood_worker_prepare(&flood->workers[i], options, i, &why) != 0) {
			fprintf(stderr, "weir-flood: %s\n", why);
			return -EINVAL;
		}
		flood->responders[i] =
			(struct responder){.port_id = flood->respond_port_id, .queue_id = (uint16_t)i};
		flood_client_prepare(&flood->clients[i], &flood->workers[i],
			options->respond_port != NULL ? &flood->responders[i] : NULL);
	}
	if (options->stream)
		flood_stream_prepare(&flood->stream, &flood->clients[0]);
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
		if (flood->options.replay_path != NULL)
			rte_eal_remote_launch(flood_replay_run, &flood->replay, i + 1);
		else if (flood->options.stream)
			rte_eal_remote_launch(flood_stream_run, &flood->stream, i + 1);
		else if (flood->options.connect)
			rte_eal_remote_launch(flood_client_run, &flood->clients[i], i + 1);
		else
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
		flood_report_result(&flood, argc, argv);
		flood_port_stop(flood.port_id);
		if (flood.options.respond_port != NULL)
			flood_port_stop(flood.respond_port_id);
	}
	for (unsigned i = 0; i < flood.options.n_lcores; i++)
		flood_worker_done(&flood.workers[i]);
	flood_replay_done(&flood.replay.replay);
	if (flood.csv != NULL && fclose(flood.csv) != 0)
		status = 1;
	rte_eal_cleanup();
	return status;
}
