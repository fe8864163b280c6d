// SPDX-License-Identifier: BSD-3-Clause
/* weir-node: the node that the demo protects and the benchmarks dial. A TCP and UDP echo service on the kernel's own
 * stack with an application's default backlog and connection limit. One thread. It knows nothing of Weir.
 */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/node_service.h"
#include "bench/option_value.h"
#include "bench/socket_address.h"
#include "shm/prefix.h"

enum { ADDRESSES_MAX = 8, EVENTS_MAX = 128 };

struct options {
	struct address addresses[ADDRESSES_MAX];
	unsigned n_addresses;
	uint16_t port;
	int backlog;
	uint32_t connections_max;
	uint64_t idle_timeout_ns;
	struct echo_key key;
	const char *complaints_path; /* of argv; NULL: none */
};

static const char usage[] =
	"usage: weir-node --listen ADDRESS [--listen ADDRESS] [--port N] [--backlog N] [--max-connections N]\n"
	"                 [--idle-timeout SECONDS] [--key 32 HEX DIGITS]\n"
	"                 [--complaints FILE]\n"
	"Echoes nonces over TCP and UDP. SIGUSR1 prints its counts as one JSON line; so does its end.\n"
	"--complaints: a line \"ADDRESS full|nothing|malformed|idle\" for each connection that a log would name; ban scripts read it.\n";

static bool option_take(struct options *options, int letter, const char *text)
{
	uint64_t value = 0;

	switch (letter) {
	case 'l':
		return options->n_addresses < ADDRESSES_MAX &&
			address_parse(text, &options->addresses[options->n_addresses]) == 0 && ++options->n_addresses > 0;
	case 'p':
		if (!option_count_parse(text, 1, 65535, &value))
			return false;
		options->port = (uint16_t)value;
		return true;
	case 'b':
		if (!option_count_parse(text, 1, 65535, &value))
			return false;
		options->backlog = (int)value;
		return true;
	case 'm':
		if (!option_count_parse(text, 1, 1000000, &value))
			return false;
		options->connections_max = (uint32_t)value;
		return true;
	case 'i':
		if (!option_count_parse(text, 0, 86400, &value))
			return false;
		options->idle_timeout_ns = value * UINT64_C(1000000000);
		return true;
	case 'k':
		return echo_key_parse(text, &options->key) == 0;
	case 'c':
		options->complaints_path = text;
		return true;
	default:
		return false;
	}
}

/* 0: run; otherwise the exit status plus 1. */
static int options_parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {{"listen", required_argument, NULL, 'l'}, {"port", required_argument, NULL, 'p'},
		{"backlog", required_argument, NULL, 'b'}, {"max-connections", required_argument, NULL, 'm'},
		{"idle-timeout", required_argument, NULL, 'i'}, {"key", required_argument, NULL, 'k'},
		{"complaints", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int letter, index = 0;

	while ((letter = getopt_long(argc, argv, "", known, &index)) != -1) {
		if (letter == 'h') {
			fputs(usage, stdout);
			return 1;
		}
		if (letter == '?')
			return 3;
		if (!option_take(options, letter, optarg)) {
			fprintf(stderr, "weir-node: --%s: '%s' is not valid\n", known[index].name, optarg);
			return 3;
		}
	}
	if (optind != argc || options->n_addresses == 0) {
		fprintf(stderr, "weir-node: --listen ADDRESS is needed, and nothing else; see --help\n");
		return 3;
	}
	return 0;
}

static int socket_open(const struct address *address, const struct options *options, int type, int *ret_fd)
{
	struct sockaddr_storage name;
	socklen_t name_bytes = socket_address_fill(address, options->port, &name);
	int one = 1, fd = socket(name.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
		(name.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) != 0) ||
		bind(fd, (struct sockaddr *)&name, name_bytes) != 0 ||
		(type == SOCK_STREAM && listen(fd, options->backlog) != 0)) {
		int error = errno;

		close(fd);
		return -error;
	}
	*ret_fd = fd;
	return 0;
}

static int sockets_open(struct node_service *service, const struct options *options)
{
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};

	for (unsigned i = 0; i < 2 * options->n_addresses; i++) {
		const struct address *address = &options->addresses[i / 2];
		char text[PREFIX_TEXT_MAX];
		int fd = -1, result = socket_open(address, options, types[i % 2], &fd);

		if (result == 0)
			result = node_service_add(service, fd, types[i % 2]);
		if (result != 0) {
			fprintf(stderr, "weir-node: %s port %u: %s\n", address_format(address, text), options->port,
				strerror(-result));
			return result;
		}
	}
	return 0;
}

static void counts_print(const struct node_counts *counts)
{
	printf("{\"accepted\": %lu, \"refused_full\": %lu, \"echoed_tcp\": %lu, \"echoed_udp\": %lu, \"malformed\": %lu, "
	       "\"closed_by_peer\": %lu, \"reset_by_peer\": %lu, \"idle_closed\": %lu, \"open\": %u, \"open_max\": %u}\n",
		counts->accepted, counts->refused_full, counts->echoed_tcp, counts->echoed_udp, counts->malformed,
		counts->closed_by_peer, counts->reset_by_peer, counts->idle_closed, counts->open, counts->open_max);
	fflush(stdout);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void loop_run(struct node_service *service, int epoll_fd, int signal_fd)
{
	uint64_t next_sweep_ns = now_ns() + UINT64_C(1000000000);

	for (;;) {
		struct epoll_event events[EVENTS_MAX];
		int n = epoll_wait(epoll_fd, events, EVENTS_MAX, 1000);
		uint64_t now = now_ns();

		for (int i = 0; i < n; i++) {
			struct signalfd_siginfo signal_info;

			if (events[i].data.ptr != NULL) {
				node_service_event(service, events[i].data.ptr, events[i].events, now);
				continue;
			}
			if (read(signal_fd, &signal_info, sizeof(signal_info)) != sizeof(signal_info))
				continue;
			if (signal_info.ssi_signo != SIGUSR1)
				return;
			counts_print(node_service_counts(service));
		}
		if (now >= next_sweep_ns) {
			node_service_sweep(service, now);
			next_sweep_ns = now + UINT64_C(1000000000);
		}
	}
}

int main(int argc, char **argv)
{
	/* 128: the backlog of most runtimes (Go, Rust's std, SOMAXCONN of old). 512: Weir's own default hard limit, so a
	 * node behind it is never asked for more. */
	struct options options = {.port = 30303, .backlog = 128, .connections_max = 512,
		.idle_timeout_ns = UINT64_C(60000000000)};
	struct node_service *service = NULL;
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t signals;
	int parsed = options_parse(argc, argv, &options);

	if (parsed != 0)
		return parsed - 1;
	/* descriptors for every connection, and a batch that is accepted only to be closed */
	struct rlimit limit = {.rlim_cur = options.connections_max + 256u, .rlim_max = options.connections_max + 256u};
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	sigemptyset(&signals);
	sigaddset(&signals, SIGUSR1);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);

	int epoll_fd = epoll_create1(EPOLL_CLOEXEC), signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (epoll_fd < 0 || signal_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signal_fd, &event) != 0 ||
		node_service_create(epoll_fd, options.connections_max, options.idle_timeout_ns, &options.key, &service) != 0) {
		perror("weir-node");
		return 1;
	}
	FILE *complaints = options.complaints_path != NULL ? fopen(options.complaints_path, "we") : NULL;
	if (options.complaints_path != NULL && complaints == NULL) {
		fprintf(stderr, "weir-node: %s: %s\n", options.complaints_path, strerror(errno));
		return 1;
	}
	if (complaints != NULL)
		setvbuf(complaints, NULL, _IOLBF, BUFSIZ); /* whoever follows it wants each line now */
	node_service_complain(service, complaints);
	int status = 1;
	if (sockets_open(service, &options) == 0) {
		fprintf(stderr, "weir-node: listening on port %u\n", options.port);
		loop_run(service, epoll_fd, signal_fd);
		counts_print(node_service_counts(service));
		status = 0;
	}
	node_service_destroy(service);
	if (complaints != NULL)
		fclose(complaints);
	return status;
}
