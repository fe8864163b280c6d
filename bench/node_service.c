// SPDX-License-Identifier: BSD-3-Clause
/* The node's sockets. Each connection is a state of at most one request read and one reply being written: a peer that
 * never reads holds one slot and 32 bytes, as in a real node that limits what it queues. One thread, level-triggered.
 */
#include "bench/node_service.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/socket_address.h"

/* Work per event, so that one busy socket does not starve the others. */
enum { LISTENERS_MAX = 16, BATCH_MAX = 64 };

enum handle_kind { HANDLE_FREE, HANDLE_LISTENER, HANDLE_DATAGRAMS, HANDLE_CONNECTION };

struct handle {
	enum handle_kind kind;
	int fd;
	uint32_t next_free;
	uint8_t n_request, n_reply_left;
	bool waits_to_write, has_asked;
	uint64_t last_ns;
	struct address source;
	uint8_t request[ECHO_REQUEST_BYTES];
	uint8_t reply[ECHO_REPLY_BYTES];
};

struct node_service {
	int epoll_fd;
	uint32_t connections_max, first_free;
	uint64_t idle_timeout_ns;
	struct echo_key key;
	struct node_counts counts;
	FILE *complaints;
	unsigned n_listeners;
	struct handle listeners[LISTENERS_MAX];
	struct handle *connections;
};

int node_service_create(int epoll_fd, uint32_t connections_max, uint64_t idle_timeout_ns, const struct echo_key *key,
	struct node_service **ret_service)
{
	struct node_service *service = calloc(1, sizeof(*service));

	if (service == NULL)
		return -ENOMEM;
	service->connections = calloc(connections_max, sizeof(service->connections[0]));
	if (service->connections == NULL) {
		free(service);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < connections_max; i++)
		service->connections[i].next_free = i + 1;
	service->epoll_fd = epoll_fd;
	service->connections_max = connections_max;
	service->idle_timeout_ns = idle_timeout_ns;
	service->key = *key;
	*ret_service = service;
	return 0;
}

void node_service_complain(struct node_service *service, FILE *file)
{
	service->complaints = file;
}

static void complain(const struct node_service *service, const struct address *source, const char *why)
{
	char text[PREFIX_TEXT_MAX];

	if (service->complaints != NULL)
		fprintf(service->complaints, "%s %s\n", address_format(source, text), why);
}

void node_service_destroy(struct node_service *service)
{
	if (service == NULL)
		return;
	for (unsigned i = 0; i < service->n_listeners; i++)
		close(service->listeners[i].fd);
	for (uint32_t i = 0; i < service->connections_max; i++) {
		if (service->connections[i].kind == HANDLE_CONNECTION)
			close(service->connections[i].fd);
	}
	free(service->connections);
	free(service);
}

int node_service_add(struct node_service *service, int fd, int socket_type)
{
	struct handle *handle = &service->listeners[service->n_listeners];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = handle};

	if (service->n_listeners == LISTENERS_MAX)
		return -ENOSPC;
	if (epoll_ctl(service->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
		return -errno;
	handle->kind = socket_type == SOCK_STREAM ? HANDLE_LISTENER : HANDLE_DATAGRAMS;
	handle->fd = fd;
	service->n_listeners++;
	return 0;
}

static void connection_close(struct node_service *service, struct handle *connection)
{
	close(connection->fd);
	connection->kind = HANDLE_FREE;
	connection->next_free = service->first_free;
	service->first_free = (uint32_t)(connection - service->connections);
	service->counts.open--;
}

static void connection_watch(struct node_service *service, struct handle *connection, bool for_write)
{
	struct epoll_event event = {.events = for_write ? EPOLLOUT : EPOLLIN, .data.ptr = connection};

	if (connection->waits_to_write == for_write)
		return;
	connection->waits_to_write = for_write;
	/* cannot fail: the descriptor is registered and ours */
	(void)epoll_ctl(service->epoll_fd, EPOLL_CTL_MOD, connection->fd, &event);
}

static void connection_open(
	struct node_service *service, int fd, const struct address *source, uint64_t now_ns)
{
	if (service->first_free == service->connections_max) {
		service->counts.refused_full++;
		complain(service, source, "full");
		close(fd);
		return;
	}
	struct handle *connection = &service->connections[service->first_free];
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};

	if (epoll_ctl(service->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		service->counts.refused_full++;
		close(fd);
		return;
	}
	service->first_free = connection->next_free;
	*connection = (struct handle){.kind = HANDLE_CONNECTION, .fd = fd, .last_ns = now_ns, .source = *source};
	service->counts.accepted++;
	if (++service->counts.open > service->counts.open_max)
		service->counts.open_max = service->counts.open;
}

static void listener_accept(struct node_service *service, struct handle *listener, uint64_t now_ns)
{
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		struct sockaddr_storage name;
		struct address source = {0};
		socklen_t name_bytes = sizeof(name);
		int fd = accept4(listener->fd, (struct sockaddr *)&name, &name_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return; /* EAGAIN, or a peer that went away in the queue */
		socket_address_read(&name, &source);
		connection_open(service, fd, &source, now_ns);
	}
}

/* False: the connection is gone. */
static bool connection_write(struct node_service *service, struct handle *connection)
{
	const uint8_t *from = connection->reply + ECHO_REPLY_BYTES - connection->n_reply_left;
	ssize_t n = send(connection->fd, from, connection->n_reply_left, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN) {
		service->counts.reset_by_peer++;
		connection_close(service, connection);
		return false;
	}
	if (n > 0)
		connection->n_reply_left -= (uint8_t)n;
	if (connection->n_reply_left == 0)
		service->counts.echoed_tcp++;
	connection_watch(service, connection, connection->n_reply_left > 0);
	return true;
}

/* Read until nothing is left, a reply does not fit the socket, or the batch is over. */
static void connection_read(struct node_service *service, struct handle *connection)
{
	for (unsigned i = 0; i < BATCH_MAX && connection->n_reply_left == 0; i++) {
		ssize_t n = recv(connection->fd, connection->request + connection->n_request,
			ECHO_REQUEST_BYTES - connection->n_request, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			if (n == 0)
				service->counts.closed_by_peer++;
			else
				service->counts.reset_by_peer++;
			if (!connection->has_asked)
				complain(service, &connection->source, "nothing");
			connection_close(service, connection);
			return;
		}
		connection->n_request += (uint8_t)n;
		if (connection->n_request < ECHO_REQUEST_BYTES)
			continue;
		connection->n_request = 0;
		if (!echo_request_valid(connection->request)) {
			service->counts.malformed++;
			complain(service, &connection->source, "malformed");
			connection_close(service, connection);
			return;
		}
		connection->has_asked = true;
		echo_reply_write(&service->key, connection->request, connection->reply);
		connection->n_reply_left = ECHO_REPLY_BYTES;
		if (!connection_write(service, connection))
			return;
	}
}

static void datagrams_answer(struct node_service *service, struct handle *handle)
{
	for (unsigned i = 0; i < BATCH_MAX; i++) {
		struct sockaddr_storage from;
		socklen_t from_bytes = sizeof(from);
		uint8_t request[ECHO_REQUEST_BYTES + 1], reply[ECHO_REPLY_BYTES];
		ssize_t n = recvfrom(handle->fd, request, sizeof(request), 0, (struct sockaddr *)&from, &from_bytes);

		if (n < 0)
			return;
		if (n != ECHO_REQUEST_BYTES || !echo_request_valid(request)) {
			service->counts.malformed++;
			continue;
		}
		echo_reply_write(&service->key, request, reply);
		if (sendto(handle->fd, reply, sizeof(reply), 0, (struct sockaddr *)&from, from_bytes) == sizeof(reply))
			service->counts.echoed_udp++;
	}
}

void node_service_event(struct node_service *service, void *pointer, uint32_t events, uint64_t now_ns)
{
	struct handle *handle = pointer;

	(void)events; /* errors and hang-ups show in the calls themselves */
	switch (handle->kind) {
	case HANDLE_LISTENER:
		listener_accept(service, handle, now_ns);
		break;
	case HANDLE_DATAGRAMS:
		datagrams_answer(service, handle);
		break;
	case HANDLE_CONNECTION:
		handle->last_ns = now_ns;
		if (handle->n_reply_left == 0 || connection_write(service, handle))
			connection_read(service, handle);
		break;
	case HANDLE_FREE: /* closed by an earlier event of the same batch */
		break;
	}
}

void node_service_sweep(struct node_service *service, uint64_t now_ns)
{
	for (uint32_t i = 0; service->idle_timeout_ns > 0 && i < service->connections_max; i++) {
		struct handle *connection = &service->connections[i];

		if (connection->kind == HANDLE_CONNECTION && now_ns - connection->last_ns > service->idle_timeout_ns) {
			service->counts.idle_closed++;
			complain(service, &connection->source, "idle");
			connection_close(service, connection);
		}
	}
}

const struct node_counts *node_service_counts(const struct node_service *service)
{
	return &service->counts;
}
