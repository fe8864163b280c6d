// SPDX-License-Identifier: BSD-3-Clause
/* ban_delay: how long after the answer to `ban.add` does the last packet of the banned source reach the node?
 * One source after the other opens a UDP flow, probes it at a steady rate, is banned over JSON-RPC and probes
 * on until nothing arrives any more.
 *
 * The main thread sends at the clients' end and talks to control; the listener hears at the node's end, where
 * the kernel stamps each frame, and sends the node's one answer that makes the flow two-way. The number of
 * the ban is in the source port, so that a late packet of an earlier source is never taken for one of the
 * current. Both share one machine's clock.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "tests/netns/wire.h"

enum {
	BANS_MAX = 20000,
	PORT_BASE = 20000,
	SETTLE_NS = 10000000,
	BITE_NS = 1000000000,
	WARM_NS = 3000000,
	WARM_SPREAD_NS = 5000000,
	WARM_MAX_NS = 500000000,
	FLOWING_NS = 500000,
	/* A quarter of the datagrams that a flow may send after an answer (16 for each of 8, stage_udp.c): the probe never waits. */
	ANSWER_EVERY = 32,
};

struct ban {
	_Atomic int64_t last_ns; /* arrival of its newest packet */
	_Atomic unsigned arrived;
	int64_t request_ns, answer_ns, end_ns;
	unsigned sent; /* from request to end */
	bool flowing;  /* a packet arrived in the last half millisecond before the request */
};

struct probe {
	const char *socket_path, *client_namespace, *node_namespace, *node_v4, *node_v6;
	uint8_t client_mac[6], node_mac[6];
	unsigned port, n_bans;
	int64_t interval_ns;
	char (*sources)[PREFIX_TEXT_MAX];
	struct ban *bans;
	int client_fd, node_fd, listener_fd, rpc_fd;
	_Atomic bool stop;
	uint64_t random;
};

static void fail(const char *what, int error)
{
	fprintf(stderr, "ban_delay: %s%s%s\n", what, error ? ": " : "", error ? strerror(error) : "");
	exit(1);
}

static void probe_frame(const struct probe *probe, unsigned number, bool from_node, struct frame *frame)
{
	const char *source = probe->sources[number];
	const char *node = strchr(source, ':') ? probe->node_v6 : probe->node_v4;
	struct frame_spec spec = {
		.source = from_node ? node : source,
		.destination = from_node ? source : node,
		.source_mac = from_node ? probe->node_mac : probe->client_mac,
		.destination_mac = from_node ? probe->client_mac : probe->node_mac,
		.protocol = 17,
		.source_port = (uint16_t)(from_node ? probe->port : PORT_BASE + number),
		.destination_port = (uint16_t)(from_node ? PORT_BASE + number : probe->port),
		.payload_bytes = 32,
	};

	frame_make(&spec, frame);
}

static void *listener_run(void *argument)
{
	struct probe *probe = argument;
	struct wire_packet packets[WIRE_BATCH];
	static struct frame frame;
	const struct frame *pointer = &frame;

	while (!atomic_load(&probe->stop)) {
		int n = wire_receive(probe->listener_fd, packets, 50);

		for (int i = 0; i < n; i++) {
			unsigned number = (unsigned)packets[i].source_port - PORT_BASE;

			if (packets[i].protocol != 17 || packets[i].destination_port != probe->port ||
				number >= probe->n_bans)
				continue;
			atomic_store(&probe->bans[number].last_ns, packets[i].time_ns);
			if (atomic_fetch_add(&probe->bans[number].arrived, 1) % ANSWER_EVERY != 0)
				continue;
			probe_frame(probe, number, true, &frame);
			if (wire_send(probe->node_fd, &pointer, 1) < 0)
				fail("the node's answer could not be sent", 0);
		}
	}
	return NULL;
}

static void rpc_connect(struct probe *probe)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	probe->rpc_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", probe->socket_path);
	if (probe->rpc_fd < 0 || connect(probe->rpc_fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail("control's socket", errno);
}

/* The answer's arrival, or 0 when none came within `wait_ns`. Waiting here paces the probe, and the answer
 * ends the wait at once. */
static int64_t rpc_wait(struct probe *probe, int64_t wait_ns, bool expected)
{
	struct pollfd ready = {.fd = probe->rpc_fd, .events = expected ? POLLIN : 0};
	struct timespec limit = {.tv_nsec = wait_ns > 0 ? wait_ns : 0};
	char answer[4096];
	ssize_t n;
	int64_t now_ns;

	if (ppoll(&ready, 1, &limit, NULL) <= 0)
		return 0;
	now_ns = wire_now_ns();
	n = recv(probe->rpc_fd, answer, sizeof(answer) - 1, 0);
	if (n <= 0)
		fail("control closed the connection", 0);
	answer[n] = '\0';
	if (!strstr(answer, "\"result\"") || answer[n - 1] != '\n')
		fail(answer, 0);
	return now_ns;
}

static void rpc_request(struct probe *probe, unsigned number)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"ban.add\",\"params\":{\"ip\":\"%s\",\"for\":"
		"3600,\"reason\":\"delay\"}}\n",
		number, probe->sources[number]);

	if (send(probe->rpc_fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		fail("control's socket", errno);
}

/* Send what is due, then wait for the next packet's time or control's answer. */
static int64_t probe_step(
	struct probe *probe, const struct frame *frame, int64_t *next_ns, unsigned *sent, bool expected)
{
	const struct frame *frames[WIRE_BATCH];
	int64_t now_ns = wire_now_ns();
	unsigned n = 0;

	while (n < WIRE_BATCH && *next_ns <= now_ns) {
		frames[n++] = frame;
		*next_ns += probe->interval_ns;
	}
	/* After a pause of the scheduler the rate goes on; what could not be sent in time is not sent in one
	 * heap. */
	if (*next_ns < now_ns - 20 * probe->interval_ns)
		*next_ns = now_ns;
	if (n > 0 && wire_send(probe->client_fd, frames, n) < 0)
		fail("a probe could not be sent", 0);
	*sent += n;
	return rpc_wait(probe, *next_ns - wire_now_ns(), expected);
}

static void ban_open(struct probe *probe, unsigned number, const struct frame *frame)
{
	struct ban *ban = &probe->bans[number];

	for (unsigned try = 0; try < 50 && atomic_load(&ban->arrived) == 0; try++) {
		struct timespec pause = {.tv_nsec = 200000};

		if (wire_send(probe->client_fd, &frame, 1) < 0)
			fail("a probe could not be sent", 0);
		for (unsigned i = 0; i < 100 && atomic_load(&ban->arrived) == 0; i++)
			nanosleep(&pause, NULL);
	}
	if (atomic_load(&ban->arrived) == 0)
		fail("no packet of a source that is not banned reached the node within a second", 0);
}

static void ban_measure(struct probe *probe, unsigned number)
{
	static struct frame frame;
	struct ban *ban = &probe->bans[number];
	int64_t next_ns, warm_ns;
	unsigned warm_sent = 0;

	probe_frame(probe, number, false, &frame);
	ban_open(probe, number, &frame);
	probe->random = probe->random * UINT64_C(6364136223846793005) + 1;
	next_ns = wire_now_ns();
	warm_ns = next_ns + WARM_NS + (int64_t)((probe->random >> 33) % WARM_SPREAD_NS);
	do {
		(void)probe_step(probe, &frame, &next_ns, &warm_sent, false);
		ban->request_ns = wire_now_ns();
		ban->flowing = atomic_load(&ban->last_ns) > ban->request_ns - FLOWING_NS;
		/* A ban of a source whose packets wait for a CPU somewhere would look quicker than it is. */
	} while (ban->request_ns < warm_ns || (!ban->flowing && ban->request_ns < warm_ns + WARM_MAX_NS));
	rpc_request(probe, number);
	while (true) {
		int64_t answer_ns = probe_step(probe, &frame, &next_ns, &ban->sent, ban->answer_ns == 0);
		int64_t now_ns = wire_now_ns(), last_ns = atomic_load(&ban->last_ns);

		if (answer_ns != 0)
			ban->answer_ns = answer_ns;
		if (ban->answer_ns == 0 && now_ns > ban->request_ns + 5 * (int64_t)BITE_NS)
			fail("control did not answer within 5 s", 0);
		if (ban->answer_ns != 0 && now_ns > ban->answer_ns + SETTLE_NS &&
			now_ns > last_ns + SETTLE_NS)
			break;
		if (ban->answer_ns != 0 && now_ns > ban->answer_ns + BITE_NS)
			break;
	}
	ban->end_ns = wire_now_ns();
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

static void print_delays(const char *name, int64_t *delays_ns, unsigned n)
{
	qsort(delays_ns, n, sizeof(*delays_ns), compare);
	printf("\"%s\": {\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f}, ", name,
		(double)delays_ns[n / 2] / 1000, (double)delays_ns[n - 1 - n / 100] / 1000,
		(double)delays_ns[n - 1] / 1000);
}

static void print_results(const struct probe *probe)
{
	int64_t *from_answer = calloc(probe->n_bans, sizeof(int64_t)),
		*from_request = calloc(probe->n_bans, sizeof(int64_t));
	int64_t *answering = calloc(probe->n_bans, sizeof(int64_t));
	unsigned bitten = 0, flowing = 0, after = 0;
	double sent = 0, seconds = 0;

	if (!from_answer || !from_request || !answering)
		fail("not enough memory", 0);
	for (unsigned i = 0; i < probe->n_bans; i++) {
		const struct ban *ban = &probe->bans[i];
		int64_t last_ns = atomic_load(&ban->last_ns);

		from_answer[i] = last_ns > ban->answer_ns ? last_ns - ban->answer_ns : 0;
		from_request[i] = last_ns > ban->request_ns ? last_ns - ban->request_ns : 0;
		answering[i] = ban->answer_ns - ban->request_ns;
		bitten += from_answer[i] < BITE_NS && ban->end_ns > last_ns + SETTLE_NS;
		after += from_answer[i] > 0;
		flowing += ban->flowing;
		sent += ban->sent;
		seconds += (double)(ban->end_ns - ban->request_ns) * 1e-9;
	}
	printf("{\"bans\": %u, \"bitten\": %u, \"flowing\": %u, \"passed_after_answer\": %u, ", probe->n_bans,
		bitten, flowing, after);
	print_delays("after_answer", from_answer, probe->n_bans);
	print_delays("after_request", from_request, probe->n_bans);
	print_delays("answer", answering, probe->n_bans);
	printf("\"probe_pps\": %.0f, \"listener_lost\": %u}\n", sent / seconds,
		wire_lost(probe->listener_fd));
}

static void sources_read(struct probe *probe, const char *path)
{
	FILE *file = fopen(path, "r");

	probe->sources = calloc(BANS_MAX, sizeof(probe->sources[0]));
	probe->bans = calloc(BANS_MAX, sizeof(probe->bans[0]));
	if (!file || !probe->sources || !probe->bans)
		fail("the list of sources cannot be read", errno);
	while (probe->n_bans < BANS_MAX && fscanf(file, "%63s", probe->sources[probe->n_bans]) == 1)
		probe->n_bans++;
	fclose(file);
}

static void options_read(struct probe *probe, int argc, char **argv)
{
	static const struct option options[] = {{"socket", 1, NULL, 's'}, {"client", 1, NULL, 'c'},
		{"node", 1, NULL, 'n'}, {"client-mac", 1, NULL, 'm'}, {"node-mac", 1, NULL, 'o'},
		{"v4", 1, NULL, '4'}, {"v6", 1, NULL, '6'}, {"port", 1, NULL, 'p'}, {"rate", 1, NULL, 'r'},
		{"sources", 1, NULL, 'S'}, {NULL, 0, NULL, 0}};
	long rate_pps = 25000;
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (letter == 's')
			probe->socket_path = optarg;
		else if (letter == 'c')
			probe->client_namespace = optarg;
		else if (letter == 'n')
			probe->node_namespace = optarg;
		else if (letter == '4')
			probe->node_v4 = optarg;
		else if (letter == '6')
			probe->node_v6 = optarg;
		else if (letter == 'p')
			probe->port = (unsigned)atoi(optarg);
		else if (letter == 'r')
			rate_pps = atol(optarg);
		else if (letter == 'S')
			sources_read(probe, optarg);
		else if ((letter != 'm' && letter != 'o') ||
			 !wire_mac_parse(optarg, letter == 'm' ? probe->client_mac : probe->node_mac))
			fail("a wrong option", 0);
	}
	if (!probe->socket_path || !probe->client_namespace || !probe->node_namespace || probe->n_bans == 0 ||
		rate_pps <= 0)
		fail("--socket, --client, --node, --sources and a positive --rate are needed", 0);
	probe->interval_ns = 1000000000 / rate_pps;
}

int main(int argc, char **argv)
{
	struct probe probe = {.port = 30303, .random = UINT64_C(88172645463325252)};
	pthread_t listener;

	options_read(&probe, argc, argv);
	/* The kernel adds 50 us to each wait of an ordinary thread: longer than the pause between two probes.
	 */
	prctl(PR_SET_TIMERSLACK, 1000);
	probe.client_fd = wire_open_in(probe.client_namespace, wire_open_sender, "c0");
	probe.node_fd = wire_open_in(probe.node_namespace, wire_open_sender, "n0");
	probe.listener_fd = wire_open_in(probe.node_namespace, wire_open_listener, "n0");
	if (probe.client_fd < 0 || probe.node_fd < 0 || probe.listener_fd < 0)
		fail("the interfaces cannot be opened", 0);
	rpc_connect(&probe);
	if (pthread_create(&listener, NULL, listener_run, &probe) != 0)
		fail("no thread", 0);
	for (unsigned i = 0; i < probe.n_bans; i++)
		ban_measure(&probe, i);
	atomic_store(&probe.stop, true);
	pthread_join(listener, NULL);
	print_results(&probe);
	return 0;
}
