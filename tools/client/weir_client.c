/* SPDX-License-Identifier: BSD-3-Clause
 * The connection (weir_client.h): socket, lines, answers by their id, connecting again. The typed calls are
 * in weir_calls.c. The caller's thread.
 */
#include "tools/client/weir_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <jansson.h>

enum {
	LINE_BYTES_MAX = 1 << 20, /* rpc.md */
	PENDING_MAX = 1024,       /* as weir-control has waiting at most */
	READ_BYTES = 65536,
	READS_PER_RUN = 16, /* a node has other work */
	RETRY_FIRST_MS = 100,
	RETRY_MAX_MS = 5000,
};

struct pending {
	struct pending *next;
	int64_t id;
	weir_answer_callback callback;
	void *context;
};

struct bytes {
	char *at;
	size_t n, capacity;
};

struct weir_client {
	struct weir_client_options options;
	struct sockaddr_un address;
	int fd;
	int64_t next_id, retry_at_ms, retry_ms;
	struct bytes in, out;
	struct pending *first, **last;
	unsigned n_pending;
};

int weir_client_create(const struct weir_client_options *options, struct weir_client **ret_client)
{
	const char *path = options->socket_path != NULL ? options->socket_path : "/run/weir/weir.sock";
	struct weir_client *client = calloc(1, sizeof(*client));

	if (client == NULL)
		return -ENOMEM;
	if (strlen(path) >= sizeof(client->address.sun_path)) {
		free(client);
		return -EINVAL;
	}
	client->options = *options;
	client->options.socket_path = NULL; /* the caller's text may go; the address keeps a copy */
	client->address.sun_family = AF_UNIX;
	memcpy(client->address.sun_path, path, strlen(path) + 1);
	client->fd = -1;
	client->last = &client->first;
	client->retry_ms = RETRY_FIRST_MS;
	*ret_client = client;
	return 0;
}

/* The first of those that wait, or the one with this id. */
static struct pending *pending_take(struct weir_client *client, int64_t id, bool any)
{
	for (struct pending **link = &client->first; *link != NULL; link = &(*link)->next) {
		struct pending *pending = *link;

		if (!any && pending->id != id)
			continue;
		*link = pending->next;
		if (client->last == &pending->next)
			client->last = link;
		client->n_pending--;
		return pending;
	}
	return NULL;
}

static void pending_answer(struct pending *pending, int code, const char *message, const char *json)
{
	const struct weir_answer answer = {code, message, json};

	if (pending->callback != NULL)
		pending->callback(pending->context, &answer);
	free(pending);
}

static void disconnected(struct weir_client *client, int64_t now_ms)
{
	struct pending *pending;

	if (client->fd >= 0) {
		close(client->fd);
		client->fd = -1;
		if (client->options.state != NULL)
			client->options.state(client->options.context, false);
	}
	client->in.n = client->out.n = 0;
	client->retry_at_ms = now_ms + client->retry_ms;
	client->retry_ms = client->retry_ms * 2 < RETRY_MAX_MS ? client->retry_ms * 2 : RETRY_MAX_MS;
	while ((pending = pending_take(client, 0, true)) != NULL)
		pending_answer(pending, WEIR_LOST, "the connection to weir-control ended", "null");
}

void weir_client_destroy(struct weir_client *client)
{
	if (client == NULL)
		return;
	client->options.state = NULL;
	disconnected(client, 0);
	free(client->in.at);
	free(client->out.at);
	free(client);
}

int weir_client_fd(const struct weir_client *client)
{
	return client->fd;
}

short weir_client_poll_events(const struct weir_client *client)
{
	return (short)(POLLIN | (client->out.n != 0 ? POLLOUT : 0));
}

int weir_client_timeout_ms(const struct weir_client *client, int64_t now_ms)
{
	if (client->fd >= 0)
		return -1;
	return client->retry_at_ms > now_ms ? (int)(client->retry_at_ms - now_ms) : 0;
}

bool weir_client_is_connected(const struct weir_client *client)
{
	return client->fd >= 0;
}

static bool bytes_reserve(struct bytes *bytes, size_t more)
{
	size_t capacity = bytes->capacity == 0 ? READ_BYTES : bytes->capacity;
	char *grown;

	while (capacity < bytes->n + more)
		capacity *= 2;
	if (capacity == bytes->capacity)
		return true;
	grown = realloc(bytes->at, capacity);
	if (grown == NULL)
		return false;
	bytes->at = grown;
	bytes->capacity = capacity;
	return true;
}

static void bytes_drop(struct bytes *bytes, size_t n)
{
	memmove(bytes->at, bytes->at + n, bytes->n - n);
	bytes->n -= n;
}

int weir_call(struct weir_client *client, const char *method, const char *parameters,
	weir_answer_callback callback, void *context)
{
	json_t *object = json_loads(parameters != NULL ? parameters : "{}", 0, NULL), *request;
	struct pending *pending;
	char *line;
	size_t n;
	int error = 0;

	if (!json_is_object(object)) {
		json_decref(object);
		return -EINVAL;
	}
	if (client->fd < 0 || client->n_pending >= PENDING_MAX) {
		json_decref(object);
		return client->fd < 0 ? -ENOTCONN : -ENOBUFS;
	}
	request = json_pack("{s:s, s:I, s:s, s:o}", "jsonrpc", "2.0", "id", (json_int_t)++client->next_id,
		"method", method, "params", object);
	line = request != NULL ? json_dumps(request, JSON_COMPACT) : NULL;
	pending = calloc(1, sizeof(*pending));
	json_decref(request);
	n = line != NULL ? strlen(line) : 0;
	if (line == NULL || pending == NULL)
		error = -ENOMEM;
	else if (n + 1 > LINE_BYTES_MAX || client->out.n + n + 1 > LINE_BYTES_MAX)
		error = -ENOBUFS;
	else if (!bytes_reserve(&client->out, n + 1))
		error = -ENOMEM;
	if (error != 0) {
		free(line);
		free(pending);
		return error;
	}
	memcpy(client->out.at + client->out.n, line, n);
	client->out.at[client->out.n + n] = '\n';
	client->out.n += n + 1;
	*pending = (struct pending){NULL, client->next_id, callback, context};
	*client->last = pending;
	client->last = &pending->next;
	client->n_pending++;
	free(line);
	return 0;
}

static void connect_begin(struct weir_client *client, int64_t now_ms)
{
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* a unix socket connects at once, or its listener is not there or full */
	if (client->fd < 0 || connect(client->fd, (const struct sockaddr *)&client->address,
				      sizeof(client->address)) != 0) {
		if (client->fd >= 0)
			close(client->fd);
		client->fd = -1;
		disconnected(client, now_ms);
		return;
	}
	client->retry_ms = RETRY_FIRST_MS;
	if (client->options.event != NULL)
		(void)weir_call(client, "events.subscribe", NULL, NULL, NULL);
	if (client->options.state != NULL)
		client->options.state(client->options.context, true);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text != NULL ? text : "";
}

static void event_take(struct weir_client *client, const json_t *event)
{
	char *json = json_dumps(event, JSON_COMPACT);

	if (json != NULL && client->options.event != NULL)
		client->options.event(client->options.context, text_of(event, "event"), text_of(event, "id"),
			text_of(event, "ip"), json);
	free(json);
}

static void answer_take(struct weir_client *client, const json_t *message)
{
	const json_t *error = json_object_get(message, "error");
	struct pending *pending =
		pending_take(client, json_integer_value(json_object_get(message, "id")), false);
	char *json;

	if (pending == NULL)
		return;
	if (error != NULL) {
		pending_answer(pending, (int)json_integer_value(json_object_get(error, "code")),
			text_of(error, "message"), "null");
		return;
	}
	json = json_dumps(json_object_get(message, "result"), JSON_COMPACT | JSON_ENCODE_ANY);
	pending_answer(pending, json != NULL ? WEIR_OK : WEIR_LOST, json != NULL ? "" : "not enough memory",
		json != NULL ? json : "null");
	free(json);
}

static void line_take(struct weir_client *client, const char *line, size_t n)
{
	json_t *message = json_loadb(line, n, 0, NULL);

	if (strcmp(text_of(message, "method"), "event") == 0)
		event_take(client, json_object_get(message, "params"));
	else if (json_is_object(message))
		answer_take(client, message);
	json_decref(message);
}

/* Lines are taken out before they are acted upon: a callback may call again. */
static void lines_take(struct weir_client *client)
{
	char *end;

	while (client->fd >= 0 && client->in.n != 0 &&
		(end = memchr(client->in.at, '\n', client->in.n)) != NULL) {
		size_t n = (size_t)(end - client->in.at);
		char *line = malloc(n + 1);

		if (line == NULL)
			return;
		memcpy(line, client->in.at, n);
		bytes_drop(&client->in, n + 1);
		line_take(client, line, n);
		free(line);
	}
}

/* False: the connection has ended. */
static bool bytes_read(struct weir_client *client)
{
	for (int i = 0; i < READS_PER_RUN; i++) {
		ssize_t n;

		if (client->in.n > LINE_BYTES_MAX || !bytes_reserve(&client->in, READ_BYTES))
			return false;
		n = recv(client->fd, client->in.at + client->in.n, READ_BYTES, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return false;
		if (n < 0)
			return true;
		client->in.n += (size_t)n;
		lines_take(client);
		if (client->fd < 0)
			return false;
	}
	return true;
}

static bool bytes_write(struct weir_client *client)
{
	while (client->out.n != 0) {
		ssize_t n = send(client->fd, client->out.at, client->out.n, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		bytes_drop(&client->out, (size_t)n);
	}
	return true;
}

void weir_client_run(struct weir_client *client, int64_t now_ms)
{
	if (client->fd < 0 && now_ms >= client->retry_at_ms)
		connect_begin(client, now_ms);
	if (client->fd < 0)
		return;
	/* written again at the end: callbacks may have asked for more */
	if (!bytes_write(client) || !bytes_read(client) || !bytes_write(client))
		disconnected(client, now_ms);
}
