// SPDX-License-Identifier: BSD-3-Clause
/* The link to control (link_server.h). Every descriptor is non-blocking; each turn does a bounded amount for each client. */
#include "dataplane/link_server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	LINK_MESSAGES_A_TURN = 16,
	LINK_PLACES_A_TURN = 1 << 16, /* places of the flow storage that a dump looks at in one turn: 4 MiB, some 1 ms */
};

int link_server_open(struct link_server *server, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int rc = 0;

	for (unsigned i = 0; i < LINK_SERVER_CLIENTS; i++)
		server->clients[i] = (struct link_client){ .fd = -1 };
	snprintf(server->path, sizeof(server->path), "%s", path);
	memcpy(address.sun_path, server->path, sizeof(address.sun_path));
	server->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* We own the instance (the segment's lock says so): a socket at the path is a dead one. */
	unlink(path);
	if (server->fd < 0 || bind(server->fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
		chmod(path, 0660) != 0 || listen(server->fd, LINK_SERVER_CLIENTS) != 0)
		rc = -errno;
	if (rc < 0) {
		fprintf(stderr, "weir-dataplane: the socket %s cannot be made (%s); check the directory.\n", path, strerror(-rc));
		link_server_close(server);
	}
	return rc;
}

void link_server_poll_set(const struct link_server *server, struct pollfd *ret_set)
{
	ret_set[0] = (struct pollfd){ .fd = server->fd, .events = POLLIN };
	for (unsigned i = 0; i < LINK_SERVER_CLIENTS; i++)
		ret_set[1 + i] = (struct pollfd){ .fd = server->clients[i].fd,
			.events = (short)(POLLIN | (server->clients[i].dumping ? POLLOUT : 0)) };
}

static void link_client_close(struct link_client *client)
{
	close(client->fd);
	*client = (struct link_client){ .fd = -1 };
}

static void link_server_accept(struct link_server *server)
{
	int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (unsigned i = 0; fd >= 0 && i < LINK_SERVER_CLIENTS; i++)
		if (server->clients[i].fd < 0) {
			server->clients[i].fd = fd;
			return;
		}
	if (fd >= 0)
		close(fd);
}

static void link_client_probe(struct link_client *client, const struct link_probe *probe, const struct link_server_view *view)
{
	struct link_probe_answer answer = { .message = { LINK_VERSION, LINK_PROBE_ANSWER, probe->message.cookie },
		.reason = REASON_NOT_READY };
	struct address source;
	uint8_t service = 0;
	uint64_t hash;

	memcpy(source.bytes, probe->client, sizeof(source.bytes));
	if (view->rules) {
		if (probe->port != 0)
			service = ruleset_service_find(view->rules, probe->protocol, probe->port);
		answer.reason = (uint16_t)stage_probe(view->shared, view->stage, view->rules, &source, service, view->now_ns);
		proven_table_prefetch(view->shared->proven, &source, &hash);
		answer.proven = proven_table_has(view->shared->proven, hash, view->now_ns);
		if (service < IMAGE_SERVICES_MAX)
			answer.under_pressure =
				view->stage->flood.on || view->stage->services[service].under_pressure;
		for (unsigned level = 0; level < IMAGE_LEVEL_COUNT; level++)
			answer.concurrency[level] =
				concurrency_table_count(view->shared->concurrency, &source, (enum image_level)level);
	}
	send(client->fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void link_flow_fill(const struct flow *flow, uint32_t now_ms, struct link_flow *ret_flow)
{
	*ret_flow = (struct link_flow){ .client_port = flow->client_port, .node_port = flow->node_port,
		.protocol = flow->protocol, .service = flow->service, .state = flow->state,
		.flags = (uint8_t)(EVENT_FLAG_PROVEN | ((flow->flags & FLOW_FLAG_OUTBOUND) ? EVENT_FLAG_OUTBOUND : 0)),
		.age_ms = now_ms - flow->born_ms, .idle_ms = now_ms - flow->last_ms,
		.bytes_in = (uint32_t)(flow->bytes_in_256 << 8), .bytes_out = (uint32_t)(flow->bytes_out_256 << 8),
		.rtt_us = flow->flags & FLOW_FLAG_TRANSLATED ? 0 : flow->handshake_us, .born_ms = flow->born_ms };
	memcpy(ret_flow->client, flow->client, sizeof(ret_flow->client));
}

/* A connection that control has been told of, or will be. One that the SYN proxy still dials is none yet. */
static bool link_flow_is_open(const struct flow *flow)
{
	switch ((enum flow_state)flow->state) {
	case FLOW_STATE_FREE:
	case FLOW_STATE_CLOSED:
	case FLOW_STATE_CUT:
	case FLOW_STATE_PROXY_DIAL:
	case FLOW_STATE_COUNT:
		return false;
	default:
		return flow->state < FLOW_STATE_COUNT && (flow->flags & FLOW_FLAG_PROVEN);
	}
}

/* One message's worth of proven flows. The lcores go on writing: a flow is copied first, and the copy is judged. */
static void link_client_dump(struct link_client *client, const struct link_server_view *view)
{
	uint64_t n_places = (uint64_t)view->flows->n_lcores * view->flows->capacity, looked = 0;
	struct link_flows message = { .message = { LINK_VERSION, LINK_FLOWS, client->dump_cookie } };
	uint64_t place = client->dump_place;

	while (place < n_places && message.n < LINK_FLOWS_PER_MESSAGE && looked++ < LINK_PLACES_A_TURN) {
		struct flow copy = view->flows->payload->flows[place++];

		if (link_flow_is_open(&copy))
			link_flow_fill(&copy, (uint32_t)(view->now_ns / 1000000), &message.flows[message.n++]);
	}
	if (message.n == 0 && place < n_places) {
		client->dump_place = place;
		return;
	}
	/* Not taken: the place stays, and POLLOUT brings us back. */
	if (send(client->fd, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno != EAGAIN && errno != ENOBUFS)
			client->dumping = false;
		return;
	}
	client->dump_place = place;
	client->dumping = message.n != 0;
}

static bool link_client_serve(struct link_client *client, const struct link_server_view *view)
{
	union {
		struct link_message message;
		struct link_probe probe;
		uint8_t bytes[256];
	} in;
	bool rang = false;

	for (unsigned i = 0; i < LINK_MESSAGES_A_TURN; i++) {
		ssize_t n = recv(client->fd, &in, sizeof(in), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return rang;
		/* A message of another version is from another build: control sees the hang-up and says so. */
		if (n < (ssize_t)sizeof(in.message) || in.message.version != LINK_VERSION) {
			link_client_close(client);
			return rang;
		}
		if (in.message.kind == LINK_DOORBELL) {
			rang = true;
		} else if (in.message.kind == LINK_PROBE && n >= (ssize_t)sizeof(in.probe)) {
			link_client_probe(client, &in.probe, view);
		} else if (in.message.kind == LINK_FLOW_DUMP) {
			client->dumping = true;
			client->dump_cookie = in.message.cookie;
			client->dump_place = 0;
		}
	}
	return rang;
}

bool link_server_serve(struct link_server *server, const struct pollfd *set, const struct link_server_view *view)
{
	bool rang = false;

	for (unsigned i = 0; i < LINK_SERVER_CLIENTS; i++) {
		struct link_client *client = &server->clients[i];

		if (client->fd < 0 || client->fd != set[1 + i].fd)
			continue;
		if (set[1 + i].revents & (POLLIN | POLLHUP | POLLERR))
			rang |= link_client_serve(client, view);
		if (client->fd >= 0 && client->dumping)
			link_client_dump(client, view);
	}
	if (set[0].revents & POLLIN)
		link_server_accept(server);
	return rang;
}

bool link_server_is_connected(const struct link_server *server)
{
	for (unsigned i = 0; i < LINK_SERVER_CLIENTS; i++)
		if (server->clients[i].fd >= 0)
			return true;
	return false;
}

void link_server_close(struct link_server *server)
{
	for (unsigned i = 0; i < LINK_SERVER_CLIENTS; i++)
		if (server->clients[i].fd >= 0)
			link_client_close(&server->clients[i]);
	if (server->fd >= 0) {
		close(server->fd);
		unlink(server->path);
	}
	server->fd = -1;
}
