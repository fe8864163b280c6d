/* SPDX-License-Identifier: BSD-3-Clause
 * Connections of the RPC socket: buffers in, buffers out, rights by peer credentials.
 */
#include "control/rpc_server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/log.h"

enum {
	READ_BYTES = 65536, /* read at once from one client */
	INPUT_MAX = PROTOCOL_LINE_BYTES_MAX + 1,
	OUTPUT_PAUSE = 262144, /* more than this waits: read no further requests of the client */
	GROUPS_MAX = 1024,
	TURN_NS = 5000000, /* of each turn for requests: the heartbeat and the dataplane's events come every
			      20 ms */
};

struct buffer {
	char *bytes;
	size_t n, start, capacity;
};

struct connection {
	struct connection *next;
	struct rpc_server *server;
	struct rpc_client *client;
	struct event_source *source;
	int fd;
	unsigned interest;
	bool dead, ended; /* close at once; close when the output is written */
	bool discarding;  /* inside a line that is too long */
	bool has_lines;   /* whole lines may wait in `in`; until they are run nothing more is read */
	struct buffer in, out;
};

struct rpc_server {
	struct event_loop *loop;
	struct rpc *rpc;
	struct event_source *source, *again;
	struct connection *connections;
	int fd;
	unsigned n;
	uint64_t clients_max, output_max;
	gid_t group, admin_group;
	bool has_group, has_admin_group;
	char path[128];
};

static bool buffer_append(struct buffer *buffer, const char *bytes, size_t n, size_t limit)
{
	if (buffer->start > 0 && (buffer->start == buffer->n || buffer->start > buffer->capacity / 2)) {
		memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->n - buffer->start);
		buffer->n -= buffer->start;
		buffer->start = 0;
	}
	if (buffer->n - buffer->start + n > limit)
		return false;
	if (buffer->n + n > buffer->capacity) {
		size_t capacity = buffer->capacity < 4096 ? 4096 : buffer->capacity * 2;
		while (capacity < buffer->n + n)
			capacity *= 2;
		char *grown = realloc(buffer->bytes, capacity);
		if (grown == NULL)
			return false;
		buffer->bytes = grown;
		buffer->capacity = capacity;
	}
	memcpy(buffer->bytes + buffer->n, bytes, n);
	buffer->n += n;
	return true;
}

static void connection_free(struct connection *connection)
{
	struct rpc_server *server = connection->server;
	struct connection **link = &server->connections;
	while (*link != connection)
		link = &(*link)->next;
	*link = connection->next;
	server->n--;
	event_loop_remove(server->loop, connection->source);
	if (connection->client != NULL)
		rpc_client_remove(server->rpc, connection->client);
	close(connection->fd);
	free(connection->in.bytes);
	free(connection->out.bytes);
	free(connection);
}

static void connection_send(void *context, const char *line, size_t bytes)
{
	struct connection *connection = context;
	if (connection->dead)
		return;
	if (!buffer_append(&connection->out, line, bytes, connection->server->output_max)) {
		log_warning("a client that does not read its answers is disconnected");
		connection->dead = true;
	}
}

/* Runs one line of the input. False: what is left has no newline yet. */
static bool line_take(struct connection *connection)
{
	struct buffer *in = &connection->in;
	char *line = in->bytes + in->start;
	if (connection->dead || in->start == in->n)
		return false;
	char *end = memchr(line, '\n', in->n - in->start);
	if (end == NULL && in->n - in->start <= PROTOCOL_LINE_BYTES_MAX)
		return false;
	if (end == NULL) {
		if (!connection->discarding)
			rpc_line_too_long(connection->client);
		connection->discarding = true;
		in->start = in->n;
		return false;
	}
	size_t bytes = (size_t)(end - line);
	in->start += bytes + 1;
	if (connection->discarding)
		connection->discarding = false;
	else if (bytes > 0)
		rpc_line(connection->server->rpc, connection->client, line, bytes);
	return true;
}

static bool output_is_full(const struct connection *connection)
{
	return connection->out.n - connection->out.start > OUTPUT_PAUSE;
}

static uint64_t clock_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The next turn begins with the connection behind `last`. */
static void connections_rotate(struct rpc_server *server, struct connection *last)
{
	struct connection *tail = last;
	while (tail->next != NULL)
		tail = tail->next;
	if (tail == last)
		return;
	tail->next = server->connections;
	server->connections = last->next;
	last->next = NULL;
}

void rpc_server_run(struct rpc_server *server)
{
	uint64_t end_ns = clock_ns() + TURN_NS;
	bool more;
	do {
		more = false;
		for (struct connection *connection = server->connections; connection != NULL;
			connection = connection->next) {
			if (!connection->has_lines || output_is_full(connection))
				continue;
			connection->has_lines = line_take(connection);
			more |= connection->has_lines;
			if (!connection->has_lines || clock_ns() < end_ns)
				continue;
			connections_rotate(server, connection);
			(void)event_loop_arm(server->again, 0, 0);
			return;
		}
	} while (more);
}

static void on_again(void *context, unsigned ready)
{
	/* the turn that it begins runs the lines */
	(void)context;
	(void)ready;
}

static void input_read(struct connection *connection)
{
	char bytes[READ_BYTES];
	ssize_t n = recv(connection->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection->ended =
			n == 0; /* it may have asked, shut down its side, and wait for the answer */
		connection->dead |= n < 0;
		return;
	}
	/* while discarding nothing is kept, so the limit holds for one line and one read */
	if (connection->discarding) {
		char *end = memchr(bytes, '\n', (size_t)n);
		if (end == NULL)
			return;
		connection->discarding = false;
		size_t used = (size_t)(end - bytes) + 1;
		memmove(bytes, bytes + used, (size_t)n - used);
		n -= (ssize_t)used;
	}
	if (!buffer_append(&connection->in, bytes, (size_t)n, (size_t)INPUT_MAX + READ_BYTES))
		connection->dead = true;
	else
		connection->has_lines = true;
}

static void output_write(struct connection *connection)
{
	struct buffer *out = &connection->out;
	while (out->start < out->n) {
		ssize_t n = send(connection->fd, out->bytes + out->start, out->n - out->start,
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			connection->dead = true;
			return;
		}
		out->start += (size_t)n;
	}
	if (out->start == out->n)
		out->start = out->n = 0;
}

static void connection_ready(void *context, unsigned ready)
{
	struct connection *connection = context;
	if (ready & EVENT_LOOP_IN)
		input_read(connection);
	else if ((ready & EVENT_LOOP_HANGUP) && !connection->has_lines)
		connection->dead = true;
	/* lines are run and output is written at the end of the turn */
}

static void interest_update(struct connection *connection)
{
	size_t waiting = connection->out.n - connection->out.start;
	unsigned interest = waiting > 0 ? EVENT_LOOP_OUT : 0;
	if (!connection->ended && !connection->has_lines && !output_is_full(connection))
		interest |= EVENT_LOOP_IN;
	if (interest == connection->interest)
		return;
	connection->interest = interest;
	if (event_loop_change(connection->server->loop, connection->source, interest) != 0)
		connection->dead = true;
}

void rpc_server_turn_end(struct rpc_server *server)
{
	struct connection *next;
	for (struct connection *connection = server->connections; connection != NULL; connection = next) {
		next = connection->next;
		if (!connection->dead && connection->out.n > connection->out.start)
			output_write(connection);
		if (!connection->dead)
			interest_update(connection);
		/* whoever ended its side gets what is written now; later answers have no reader any more */
		if (connection->dead || (connection->ended && !connection->has_lines &&
						connection->out.n == connection->out.start &&
						rpc_client_pending(connection->client) == 0))
			connection_free(connection);
	}
}

/* Rights of the process at the other end, as they were when it connected. */
static void rights_of(struct rpc_server *server, int fd, bool *ret_read, bool *ret_write)
{
	struct ucred peer = {0};
	gid_t groups[GROUPS_MAX];
	socklen_t bytes = sizeof(peer);
	bool in_group = false, in_admin = false;

	*ret_read = *ret_write = false;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0)
		return;
	bytes = sizeof(groups);
	size_t n = getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &bytes) == 0 ? bytes / sizeof(groups[0])
										  : 0;
	for (size_t i = 0; i <= n; i++) {
		gid_t gid = i == n ? peer.gid : groups[i];
		in_group |= server->has_group && gid == server->group;
		in_admin |= server->has_admin_group && gid == server->admin_group;
	}
	*ret_write = peer.uid == 0 || peer.uid == geteuid() || in_admin;
	*ret_read = *ret_write || in_group;
}

static void connection_refuse(int fd, int code, const char *sentence)
{
	char line[256];
	int n = snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,\"message\":\"%s\"}}\n", code,
		sentence);
	(void)send(fd, line, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void connection_add(struct rpc_server *server, int fd)
{
	bool may_read, may_write;
	rights_of(server, fd, &may_read, &may_write);
	if (!may_read) {
		connection_refuse(
			fd, PROTOCOL_ERROR_REFUSED, "only root and members of socket.group may connect");
		return;
	}
	if (server->n >= server->clients_max) {
		connection_refuse(
			fd, PROTOCOL_ERROR_BUSY, "as many clients as socket.clients allows are connected");
		return;
	}
	struct connection *connection = calloc(1, sizeof(*connection));
	if (connection == NULL) {
		connection_refuse(fd, PROTOCOL_ERROR_BUSY, "not enough memory");
		return;
	}
	connection->server = server;
	connection->fd = fd;
	connection->interest = EVENT_LOOP_IN;
	connection->next = server->connections;
	server->connections = connection;
	server->n++;
	struct rpc_sink sink = {connection, connection_send};
	if (rpc_client_add(server->rpc, &sink, may_write, &connection->client) != 0 ||
		event_loop_add(server->loop, fd, EVENT_LOOP_IN, connection_ready, connection,
			&connection->source) != 0)
		connection_free(connection);
}

static void server_ready(void *context, unsigned ready)
{
	struct rpc_server *server = context;
	(void)ready;
	for (int i = 0; i < 16; i++) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		connection_add(server, fd);
	}
}

static int group_find(const char *name, gid_t *ret_gid, bool *ret_has, char *error_text, size_t error_bytes)
{
	if (name[0] == '\0')
		return 0;
	errno = 0;
	struct group *group = getgrnam(name);
	if (group == NULL) {
		snprintf(error_text, error_bytes, "socket: there is no group \"%s\" on this system", name);
		return -ENOENT;
	}
	*ret_gid = group->gr_gid;
	*ret_has = true;
	return 0;
}

static int server_listen(struct rpc_server *server, char *error_text, size_t error_bytes)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(server->path);
	int error = 0;
	if (length >= sizeof(address.sun_path))
		error = -ENAMETOOLONG;
	else
		memcpy(address.sun_path, server->path, length + 1);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (error == 0 && server->fd < 0)
		error = -errno;
	if (error == 0 && unlink(server->path) != 0 && errno != ENOENT)
		error = -errno;
	/* nobody connects before the mode and the group are right: it does not listen yet */
	if (error == 0 && bind(server->fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		error = -errno;
	if (error == 0 && chmod(server->path, 0660) != 0)
		error = -errno;
	if (error == 0 && (server->has_group || server->has_admin_group) &&
		chown(server->path, (uid_t)-1, server->has_group ? server->group : server->admin_group) != 0)
		error = -errno;
	if (error == 0 && listen(server->fd, 128) != 0)
		error = -errno;
	if (error != 0)
		snprintf(error_text, error_bytes, "%s: cannot listen: %s", server->path, strerror(-error));
	return error;
}

void rpc_server_restore(struct rpc_server *server)
{
	char text[256];
	struct event_source *old_source = server->source;
	int old_fd = server->fd;
	if (access(server->path, F_OK) == 0 || errno != ENOENT)
		return;
	int error = server_listen(server, text, sizeof(text));
	if (error == 0)
		error = event_loop_add(
			server->loop, server->fd, EVENT_LOOP_IN, server_ready, server, &server->source);
	if (error != 0) {
		if (server->fd >= 0)
			close(server->fd);
		server->fd = old_fd;
		return; /* its directory may come back: tried again */
	}
	event_loop_remove(server->loop, old_source);
	close(old_fd);
	log_warning("%s was removed while in use: made anew", server->path);
}

int rpc_server_open(struct event_loop *loop, struct rpc *rpc, const struct config *config,
	struct rpc_server **ret_server, char *error_text, size_t error_bytes)
{
	struct rpc_server *server = calloc(1, sizeof(*server));
	if (server == NULL)
		return -ENOMEM;
	*server = (struct rpc_server){.loop = loop,
		.rpc = rpc,
		.fd = -1,
		.clients_max = config->socket_clients_max,
		.output_max = config->socket_output_bytes_max};
	config_rpc_socket_path(config, server->path, sizeof(server->path));
	int error =
		group_find(config->socket_group, &server->group, &server->has_group, error_text, error_bytes);
	if (error == 0)
		error = group_find(config->socket_admin_group, &server->admin_group, &server->has_admin_group,
			error_text, error_bytes);
	if (error == 0)
		error = server_listen(server, error_text, error_bytes);
	if (error == 0)
		error = event_loop_add(
			loop, server->fd, EVENT_LOOP_IN, server_ready, server, &server->source);
	if (error == 0)
		error = event_loop_add_timer(loop, on_again, server, &server->again);
	if (error != 0) {
		if (server->fd >= 0)
			close(server->fd);
		free(server);
		return error;
	}
	*ret_server = server;
	return 0;
}

void rpc_server_close(struct rpc_server *server)
{
	if (server == NULL)
		return;
	while (server->connections != NULL) {
		output_write(server->connections);
		connection_free(server->connections);
	}
	event_loop_remove(server->loop, server->source);
	event_loop_remove(server->loop, server->again);
	close(server->fd);
	unlink(server->path);
	free(server);
}
