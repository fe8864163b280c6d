/* SPDX-License-Identifier: BSD-3-Clause
 * Example: a node in C that is joined to Weir with weir_client.h. It listens on TCP; a peer says "HELLO ID"
 * and is bound, whatever else it says comes back, and "BAD" is a misdeed that is reported. Who is banned is
 * told "BYE CODE" and closed.
 *
 *	node-c PORT [SOCKET]        from the source tree: cc -I. tools/examples/node.c -lweir_client -ljansson
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "tools/client/weir_client.h"

enum { PEERS_MAX = 64, LINE_MAX_BYTES = 256 };

struct peer {
	int fd; /* -1: a free place */
	char ip[INET_ADDRSTRLEN], id[64], line[LINE_MAX_BYTES];
	uint16_t port;
	size_t n;
};

static struct peer peers[PEERS_MAX];
static struct weir_client *weir;

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void say(struct peer *peer, const char *text)
{
	(void)!write(peer->fd, text, strlen(text));
}

static void hang_up(struct peer *peer, int code)
{
	char bye[32];

	snprintf(bye, sizeof(bye), "BYE %d\n", code);
	say(peer, bye);
	close(peer->fd);
	peer->fd = -1;
}

/* The answer to peer.bind; `context` is the place of the peer. */
static void on_bound(void *context, const struct weir_answer *answer)
{
	struct peer *peer = context;
	json_t *result = json_loads(answer->json, JSON_DECODE_ANY, NULL);

	if (peer->fd >= 0 && answer->code == WEIR_OK && !json_is_true(json_object_get(result, "accepted")))
		hang_up(peer, (int)json_integer_value(json_object_get(result, "code")));
	else if (peer->fd >= 0)
		say(peer, "WELCOME\n"); /* also when Weir is away: the node lives without it */
	json_decref(result);
}

static void on_event(void *context, const char *name, const char *id, const char *ip, const char *json)
{
	(void)context;
	(void)ip;
	(void)json;
	if (strcmp(name, "peer.banned") != 0 && strcmp(name, "peer.disconnect") != 0)
		return;
	for (int i = 0; i < PEERS_MAX; i++) {
		if (peers[i].fd >= 0 && peers[i].id[0] != '\0' && strcmp(peers[i].id, id) == 0)
			hang_up(&peers[i], 251);
	}
}

static void on_line(struct peer *peer, const char *line)
{
	if (strncmp(line, "HELLO ", 6) == 0) {
		snprintf(peer->id, sizeof(peer->id), "%s", line + 6);
		if (weir_peer_bind(weir, peer->id, peer->ip, peer->port, "example/1", 0, on_bound, peer) != 0)
			say(peer, "WELCOME\n");
	} else if (strcmp(line, "BAD") == 0) {
		(void)weir_peer_report(weir, peer->id, "fatal", "it said BAD", line);
	} else {
		char echo[LINE_MAX_BYTES + 8];

		snprintf(echo, sizeof(echo), "%s\n", line);
		say(peer, echo);
	}
}

static void peer_read(struct peer *peer)
{
	ssize_t n = read(peer->fd, peer->line + peer->n, sizeof(peer->line) - 1 - peer->n);
	char *end;

	if (n <= 0) {
		close(peer->fd);
		peer->fd = -1;
		return;
	}
	peer->n += (size_t)n;
	peer->line[peer->n] = '\0';
	while (peer->fd >= 0 && (end = strchr(peer->line, '\n')) != NULL) {
		*end = '\0';
		on_line(peer, peer->line);
		peer->n -= (size_t)(end + 1 - peer->line);
		memmove(peer->line, end + 1, peer->n + 1);
	}
	if (peer->n == sizeof(peer->line) - 1)
		peer->n = 0; /* a line without an end */
}

static void peer_accept(int listener)
{
	struct sockaddr_in address;
	socklen_t bytes = sizeof(address);
	int fd = accept(listener, (struct sockaddr *)&address, &bytes), place = 0;

	while (place < PEERS_MAX && peers[place].fd >= 0)
		place++;
	if (fd < 0 || place == PEERS_MAX) {
		if (fd >= 0)
			close(fd);
		return;
	}
	peers[place] = (struct peer){.fd = fd, .port = ntohs(address.sin_port)};
	inet_ntop(AF_INET, &address.sin_addr, peers[place].ip, sizeof(peers[place].ip));
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 64) != 0) {
		perror("node-c: cannot listen");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct weir_client_options options = {.socket_path = argc > 2 ? argv[2] : NULL, .event = on_event};
	int listener;

	if (argc < 2 || atoi(argv[1]) < 1 || atoi(argv[1]) > 65535) {
		fprintf(stderr, "usage: node-c PORT [SOCKET]\n");
		return 2;
	}
	if (weir_client_create(&options, &weir) != 0) {
		fprintf(stderr, "node-c: the socket's path is too long\n");
		return 1;
	}
	for (int i = 0; i < PEERS_MAX; i++)
		peers[i].fd = -1;
	listener = listen_on((uint16_t)atoi(argv[1]));
	weir_client_run(weir, now_ms());
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		struct pollfd fds[PEERS_MAX + 2] = {
			{listener, POLLIN, 0}, {weir_client_fd(weir), weir_client_poll_events(weir), 0}};

		for (int i = 0; i < PEERS_MAX; i++)
			fds[i + 2] = (struct pollfd){peers[i].fd, POLLIN, 0};
		if (poll(fds, PEERS_MAX + 2, weir_client_timeout_ms(weir, now_ms())) < 0 && errno != EINTR)
			return 1;
		if (fds[0].revents)
			peer_accept(listener);
		for (int i = 0; i < PEERS_MAX; i++) {
			if (fds[i + 2].revents && peers[i].fd == fds[i + 2].fd)
				peer_read(&peers[i]);
		}
		weir_client_run(weir, now_ms());
	}
}
