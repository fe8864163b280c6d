// SPDX-License-Identifier: BSD-3-Clause
/* weir-delay: a line between two ports that delays, loses, reorders and copies frames, because a kernel without netem has
 * none. This file starts EAL and the ports, moves frames and reports; delay_queue.c decides what happens to each. One thread for
 * both directions, which sleeps until a frame arrives or is due.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "bench/delay_options.h"
#include "bench/delay_port.h"
#include "bench/delay_queue.h"
#include "bench/histogram.h"
#include "bench/option_value.h"
#include "dataplane/port_kernel.h"

#define SECOND_NS UINT64_C(1000000000)

enum {
	BURST = 64,
	EAL_ARGS_MAX = 16,
	EAL_MEGABYTES = 64, /* EAL itself and its drivers */
	IDLE_NS_MAX = 100000000, /* a signal may come between looking and waiting */
	BLIND_NS_MAX = 50000, /* a device without a descriptor to wait on is looked at this often */
};

struct direction {
	struct delay_queue queue;
	uint64_t dropped_port, dropped_copy; /* the port did not take it; no buffer for a copy */
	struct histogram late_ns; /* how long after its due time a frame was sent */
};

struct delay {
	struct delay_options options;
	struct delay_port ports[DELAY_DIRECTIONS];
	struct direction directions[DELAY_DIRECTIONS];
	struct rte_mempool *pool;
	double seconds;
};

static atomic_bool stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = true;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

static unsigned pool_buffers(const struct delay_options *options)
{
	return DELAY_DIRECTIONS * (options->n_frames + DELAY_PORT_BUFFERS + 2 * BURST);
}

static unsigned pool_data_bytes(const struct delay_options *options)
{
	unsigned a = delay_port_data_bytes(options->ports[0]), b = delay_port_data_bytes(options->ports[1]);

	return a > b ? a : b;
}

static int eal_start(const struct delay_options *options)
{
	static char lcores[64], megabytes[32], allow[DELAY_DIRECTIONS][96];
	uint64_t pool_bytes = (uint64_t)pool_buffers(options) * (pool_data_bytes(options) + sizeof(struct rte_mbuf) + 64);
	char *args[EAL_ARGS_MAX + DELAY_EAL_ARGS_MAX];
	bool pci = false;
	int n = 0;

	snprintf(lcores, sizeof(lcores), "--lcores=0@(0-%ld)", sysconf(_SC_NPROCESSORS_ONLN) - 1);
	args[n++] = (char *)"weir-delay";
	args[n++] = lcores;
	args[n++] = (char *)"--no-telemetry";
	args[n++] = (char *)"--log-level=4"; /* errors */
	for (unsigned i = 0; i < DELAY_DIRECTIONS; i++)
		if (strchr(options->ports[i], '.') != NULL && strncmp(options->ports[i], "net_", 4) != 0 &&
			strncmp(options->ports[i], "auto:", 5) != 0) {
			snprintf(allow[i], sizeof(allow[i]), "--allow=%s", options->ports[i]);
			args[n++] = allow[i];
			pci = true;
		}
	if (!pci)
		args[n++] = (char *)"--no-pci";
	/* nothing of ours is shared with other processes, and nothing may outlive us */
	if (options->huge) {
		args[n++] = (char *)"--in-memory";
	} else {
		snprintf(megabytes, sizeof(megabytes), "%u", EAL_MEGABYTES + (unsigned)(pool_bytes >> 20));
		args[n++] = (char *)"--no-shconf";
		args[n++] = (char *)"--no-huge";
		args[n++] = (char *)"-m";
		args[n++] = megabytes;
	}
	for (unsigned i = 0; i < options->n_eal_args; i++)
		args[n++] = (char *)options->eal_args[i];
	if (rte_eal_init(n, args) < 0) {
		fprintf(stderr, "weir-delay: EAL does not start: %s\n", rte_strerror(rte_errno));
		return -EIO;
	}
	return 0;
}

static int delay_start(struct delay *delay)
{
	const struct delay_options *options = &delay->options;
	char error_text[256];

	delay->pool = delay_port_pool_create(pool_buffers(options), pool_data_bytes(options));
	if (delay->pool == NULL) {
		fprintf(stderr, "weir-delay: no memory for %u buffers (try fewer --frames)\n", pool_buffers(options));
		return -ENOMEM;
	}
	for (unsigned i = 0; i < DELAY_DIRECTIONS; i++) {
		/* directions draw from streams of their own: frames of one never change what happens to the other's */
		int result = delay_queue_create(&delay->directions[i].queue, &options->models[i], options->seed * 2 + i, options->n_frames);

		histogram_clear(&delay->directions[i].late_ns);
		if (result != 0) {
			fprintf(stderr, "weir-delay: no memory for %u frames\n", options->n_frames);
			return result;
		}
		result = delay_port_open(options->ports[i], i, delay->pool, &delay->ports[i], error_text, sizeof(error_text));
		if (result != 0) {
			fprintf(stderr, "weir-delay: %s\n", error_text);
			return result;
		}
	}
	return 0;
}

static void frame_put(struct delay *delay, struct direction *direction, struct rte_mbuf *frame, uint64_t at_ns)
{
	enum delay_verdict verdict;

	/* a tag that the driver took out goes back in on the other side */
	if (frame->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)
		frame->ol_flags |= RTE_MBUF_F_TX_VLAN;
	verdict = delay_queue_put(&direction->queue, frame, rte_pktmbuf_pkt_len(frame), at_ns);
	if (verdict == DELAY_DROPPED) {
		rte_pktmbuf_free(frame);
	} else if (verdict == DELAY_KEPT_COPY_WANTED) {
		/* before the frame itself can come out and be changed by a driver */
		struct rte_mbuf *copy = rte_pktmbuf_copy(frame, delay->pool, 0, UINT32_MAX);

		if (copy == NULL)
			direction->dropped_copy++;
		else if (!delay_queue_put_copy(&direction->queue, copy))
			rte_pktmbuf_free(copy);
	}
}

static bool direction_receive(struct delay *delay, unsigned i, uint64_t at_ns)
{
	struct rte_mbuf *frames[BURST];
	uint16_t n = rte_eth_rx_burst(delay->ports[i].id, 0, frames, BURST);

	for (uint16_t k = 0; k < n; k++)
		frame_put(delay, &delay->directions[i], frames[k], at_ns);
	return n > 0;
}

static bool direction_send(struct delay *delay, unsigned i, uint64_t at_ns)
{
	struct direction *direction = &delay->directions[i];
	struct rte_mbuf *frames[BURST];
	uint64_t due_ns;
	uint16_t n = 0;

	while (n < BURST && (frames[n] = delay_queue_take(&direction->queue, at_ns, &due_ns)) != NULL) {
		histogram_add(&direction->late_ns, at_ns - due_ns);
		n++;
	}
	if (n == 0)
		return false;
	uint16_t n_sent = rte_eth_tx_burst(delay->ports[1 - i].id, 0, frames, n);
	direction->dropped_port += (uint64_t)(n - n_sent);
	if (n_sent < n)
		rte_pktmbuf_free_bulk(frames + n_sent, (unsigned)(n - n_sent));
	return true;
}

/* Until a frame arrives, one is due, or the run is over. */
static void idle_wait(struct delay *delay, uint64_t at_ns, uint64_t end_ns)
{
	struct pollfd fds[DELAY_DIRECTIONS];
	uint64_t wait_ns = IDLE_NS_MAX;

	for (unsigned i = 0; i < DELAY_DIRECTIONS; i++) {
		uint64_t next_ns = delay_queue_next_ns(&delay->directions[i].queue);

		if (next_ns > end_ns)
			next_ns = end_ns;
		if (next_ns <= at_ns)
			return;
		if (next_ns - at_ns < wait_ns)
			wait_ns = next_ns - at_ns;
		if (delay->ports[i].wait_fd < 0 && wait_ns > BLIND_NS_MAX)
			wait_ns = BLIND_NS_MAX;
		fds[i] = (struct pollfd){.fd = delay->ports[i].wait_fd, .events = POLLIN};
	}
	struct timespec wait = {.tv_sec = (time_t)(wait_ns / SECOND_NS), .tv_nsec = (long)(wait_ns % SECOND_NS)};
	(void)ppoll(fds, DELAY_DIRECTIONS, &wait, NULL);
}

static void delay_run(struct delay *delay)
{
	uint64_t start_ns = now_ns(), at_ns = start_ns;
	uint64_t end_ns = delay->options.seconds > 0 ? start_ns + (uint64_t)(delay->options.seconds * 1e9) : UINT64_MAX;

	fprintf(stderr, "weir-delay: the line is up\n");
	while (!stop_asked && at_ns < end_ns) {
		bool moved = false;

		for (unsigned i = 0; i < DELAY_DIRECTIONS; i++)
			moved |= direction_receive(delay, i, at_ns);
		at_ns = now_ns();
		for (unsigned i = 0; i < DELAY_DIRECTIONS; i++)
			moved |= direction_send(delay, i, at_ns);
		if (!moved)
			idle_wait(delay, at_ns, end_ns);
		at_ns = now_ns();
	}
	delay->seconds = (double)(at_ns - start_ns) / 1e9;
}

static void direction_print(struct delay *delay, unsigned i)
{
	struct direction *direction = &delay->directions[i];
	const struct delay_counts *counts = &direction->queue.counts;
	uint64_t sent = counts->taken - direction->dropped_port;
	uint64_t missed = delay_port_missed(&delay->ports[i]);

	if (!delay->options.json) {
		printf("%s: %lu received, %lu sent, dropped %lu by loss, %lu by rate, %lu by room, %lu by the port; %lu missed, "
		       "%lu held, %lu copied\n",
			delay_direction_name(i), counts->received, sent, counts->dropped_loss, counts->dropped_rate, counts->dropped_full,
			direction->dropped_port, missed, counts->reordered, counts->duplicated);
		return;
	}
	printf("%s\"%s\": {\"received\": %lu, \"received_bytes\": %lu, \"sent\": %lu, \"dropped_loss\": %lu, \"dropped_rate\": %lu, "
	       "\"dropped_full\": %lu, \"dropped_port\": %lu, \"dropped_copy\": %lu, \"missed\": %lu, \"reordered\": %lu, "
	       "\"duplicated\": %lu, \"left\": %u, \"peak\": %lu, \"late_us_p50\": %.1f, \"late_us_p99\": %.1f, \"late_us_max\": %.1f}",
		i == 0 ? "" : ", ", delay_direction_name(i), counts->received, counts->received_bytes, sent, counts->dropped_loss,
		counts->dropped_rate, counts->dropped_full, direction->dropped_port, direction->dropped_copy, missed, counts->reordered,
		counts->duplicated, direction->queue.n, counts->peak, (double)histogram_quantile(&direction->late_ns, 0.5) / 1e3,
		(double)histogram_quantile(&direction->late_ns, 0.99) / 1e3,
		direction->late_ns.count > 0 ? (double)direction->late_ns.max / 1e3 : 0);
}

static void result_print(struct delay *delay, int argc, char *const argv[])
{
	if (delay->options.json) {
		printf("{\"tool\": \"weir-delay\", \"version\": \"%s\", \"command\": ", WEIR_VERSION);
		option_command_print(stdout, argc, argv);
		printf(", \"seed\": %lu, \"seconds\": %.3f, \"directions\": {", delay->options.seed, delay->seconds);
	}
	for (unsigned i = 0; i < DELAY_DIRECTIONS; i++)
		direction_print(delay, i);
	if (delay->options.json)
		printf("}}\n");
}

static void delay_stop(struct delay *delay)
{
	struct rte_mbuf *frame;

	for (unsigned i = 0; i < DELAY_DIRECTIONS; i++) {
		while ((frame = delay_queue_drain(&delay->directions[i].queue)) != NULL)
			rte_pktmbuf_free(frame);
		delay_queue_done(&delay->directions[i].queue);
		delay_port_close(&delay->ports[i]);
	}
}

int main(int argc, char **argv)
{
	static struct delay delay;
	struct sigaction action = {.sa_handler = on_signal};
	int status = delay_options_parse(argc, argv, &delay.options);

	if (status != -1)
		return status;
	port_kernel_libraries_quieten();
	if (eal_start(&delay.options) != 0)
		return 1;
	/* after EAL, which may set handlers of its own */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* the kernel would add 50 us to every wait */
	(void)prctl(PR_SET_TIMERSLACK, 1);
	status = delay_start(&delay) == 0 ? 0 : 1;
	if (status == 0) {
		delay_run(&delay);
		result_print(&delay, argc, argv);
	}
	delay_stop(&delay);
	rte_eal_cleanup();
	return status;
}
