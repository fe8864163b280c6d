/* SPDX-License-Identifier: BSD-3-Clause
 * The JSON-RPC client over a non-blocking unix socket. See rpc_client.h.
 */
#include "tools/rpc_client.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

struct rpc_client {
	int fd;
	int timeout_ms;
	int64_t last_id;
	char *input; /* bytes received and not yet parsed */
	size_t input_bytes, input_capacity;
	json_t *answers;       /* array: messages with an id */
	json_t *notifications; /* array */
};

__attribute__((format(printf, 3, 4))) static int error_set(
	struct rpc_error *error, int code, const char *format, ...)
{
	va_list arguments;

	error->code = code;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return -1;
}

int rpc_client_open(
	const char *socket_path, int timeout_ms, struct rpc_client **ret_client, struct rpc_error *ret_error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	struct rpc_client *client;
	int fd, code;

	if (strlen(socket_path) >= sizeof(address.sun_path))
		return error_set(ret_error, RPC_CODE_USAGE, "the socket's path is longer than %zu bytes",
			sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, socket_path, strlen(socket_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(ret_error, RPC_CODE_FAILED, "cannot make a socket: %s", strerror(errno));
	/* A stopped control's queue of connections fills up: connect would then wait for ever. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		code = errno;
		close(fd);
		if (code == EACCES || code == EPERM)
			return error_set(ret_error, RPC_CODE_FAILED,
				"no permission to use %s: run as root, or join the group that control.socket "
				"names",
				socket_path);
		if (code == ENOENT || code == ECONNREFUSED)
			return error_set(ret_error, RPC_CODE_NOT_RUNNING,
				"weir-control is not running: nobody listens at %s (systemctl start "
				"weir-control, or --socket PATH)",
				socket_path);
		if (code == EAGAIN)
			return error_set(ret_error, RPC_CODE_LOST,
				"control does not take connections at %s: it is stopped or overloaded",
				socket_path);
		return error_set(
			ret_error, RPC_CODE_FAILED, "cannot connect to %s: %s", socket_path, strerror(code));
	}
	client = calloc(1, sizeof(*client));
	if (client) {
		client->fd = fd;
		client->timeout_ms = timeout_ms;
		client->answers = json_array();
		client->notifications = json_array();
	}
	if (!client || !client->answers || !client->notifications) {
		if (client)
			rpc_client_close(client);
		else
			close(fd);
		return error_set(ret_error, RPC_CODE_FAILED, "out of memory");
	}
	*ret_client = client;
	return 0;
}

void rpc_client_close(struct rpc_client *client)
{
	if (!client)
		return;
	close(client->fd);
	json_decref(client->answers);
	json_decref(client->notifications);
	free(client->input);
	free(client);
}

static int line_take(struct rpc_client *client, const char *line, size_t bytes, struct rpc_error *error)
{
	json_t *message = json_loadb(line, bytes, 0, NULL);
	json_t *list;

	if (!json_is_object(message)) {
		json_decref(message);
		return error_set(error, RPC_CODE_LOST, "control sent a line that is not a JSON-RPC message");
	}
	list = json_object_get(message, "method") ? client->notifications : client->answers;
	if (json_array_append_new(list, message) < 0)
		return error_set(error, RPC_CODE_FAILED, "out of memory");
	return 0;
}

/* Everything that is there now. */
static int input_read(struct rpc_client *client, struct rpc_error *error)
{
	ssize_t n;
	char *line, *end;

	if (client->input_capacity - client->input_bytes < 65536) {
		size_t capacity = client->input_capacity + (1 << 18);
		char *larger = realloc(client->input, capacity);
		if (!larger)
			return error_set(error, RPC_CODE_FAILED, "out of memory");
		client->input = larger;
		client->input_capacity = capacity;
	}
	n = recv(client->fd, client->input + client->input_bytes,
		client->input_capacity - client->input_bytes, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_set(
			error, RPC_CODE_LOST, "the connection to control broke: %s", strerror(errno));
	if (n == 0)
		return error_set(error, RPC_CODE_LOST, "control closed the connection");
	line = client->input;
	/* Only the new bytes can hold the end of the first line. */
	end = memchr(client->input + client->input_bytes, '\n', (size_t)n);
	client->input_bytes += (size_t)n;
	while (end) {
		if (end > line && line_take(client, line, (size_t)(end - line), error) < 0)
			return -1;
		line = end + 1;
		end = memchr(line, '\n', client->input_bytes - (size_t)(line - client->input));
	}
	client->input_bytes -= (size_t)(line - client->input);
	memmove(client->input, line, client->input_bytes);
	if (client->input_bytes > RPC_LINE_BYTES_MAX)
		return error_set(error, RPC_CODE_LOST, "control sent a line longer than 1 MiB");
	return 0;
}

/* Wait for room to write (if asked) or something to read, and read it. 1: room to write; 0; -1. */
static int client_poll(struct rpc_client *client, bool want_write, int timeout_ms, struct rpc_error *error)
{
	struct pollfd wait = {.fd = client->fd, .events = (short)(POLLIN | (want_write ? POLLOUT : 0))};
	int n = poll(&wait, 1, timeout_ms);

	if (n < 0 && errno == EINTR)
		return 0;
	if (n < 0)
		return error_set(error, RPC_CODE_FAILED, "poll: %s", strerror(errno));
	if (n == 0)
		return error_set(error, RPC_CODE_LOST, "control did not answer within %d s",
			client->timeout_ms / 1000);
	if ((wait.revents & (POLLIN | POLLHUP | POLLERR)) && input_read(client, error) < 0)
		return -1;
	return (wait.revents & POLLOUT) != 0;
}

static int bytes_write(struct rpc_client *client, const char *bytes, size_t n, struct rpc_error *error)
{
	while (n > 0) {
		ssize_t done = send(client->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
			continue;
		}
		if (done < 0 && errno != EAGAIN && errno != EINTR)
			return error_set(
				error, RPC_CODE_LOST, "the connection to control broke: %s", strerror(errno));
		if (client_poll(client, true, client->timeout_ms, error) < 0)
			return -1;
	}
	return 0;
}

int rpc_client_send(struct rpc_client *client, const char *method, json_t *params, int64_t *ret_id,
	struct rpc_error *ret_error)
{
	int64_t id = client->last_id + 1;
	json_t *message =
		json_pack("{s:s,s:I,s:s}", "jsonrpc", "2.0", "id", (json_int_t)id, "method", method);
	char *line = NULL;
	size_t bytes;
	int rc;

	if (message && params)
		json_object_set(message, "params", params);
	if (message)
		line = json_dumps(message, JSON_COMPACT);
	json_decref(message);
	json_decref(params);
	if (!line)
		return error_set(ret_error, RPC_CODE_FAILED, "out of memory");
	bytes = strlen(line);
	if (bytes + 1 > RPC_LINE_BYTES_MAX) {
		free(line);
		return error_set(ret_error, RPC_CODE_FAILED, "the request is longer than 1 MiB");
	}
	line[bytes] = '\n'; /* the NUL's place; bytes_write needs no terminator */
	rc = bytes_write(client, line, bytes + 1, ret_error);
	free(line);
	if (rc < 0)
		return -1;
	client->last_id = id;
	*ret_id = id;
	return 0;
}

int rpc_client_receive(
	struct rpc_client *client, int64_t *ret_id, json_t **ret_result, struct rpc_error *ret_error)
{
	struct timespec now;
	int64_t now_ms, deadline_ms = 0;
	json_t *answer, *error, *result;

	*ret_id = -1;
	while (json_array_size(client->answers) == 0) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
		if (deadline_ms == 0)
			deadline_ms = now_ms + client->timeout_ms;
		if (now_ms >= deadline_ms)
			return error_set(ret_error, RPC_CODE_LOST, "control did not answer within %d s",
				client->timeout_ms / 1000);
		if (client_poll(client, false, (int)(deadline_ms - now_ms), ret_error) < 0)
			return -1;
	}
	answer = json_incref(json_array_get(client->answers, 0));
	json_array_remove(client->answers, 0);
	if (json_is_integer(json_object_get(answer, "id")))
		*ret_id = json_integer_value(json_object_get(answer, "id"));
	error = json_object_get(answer, "error");
	result = json_object_get(answer, "result");
	if (result && !error) {
		*ret_result = json_incref(result);
		json_decref(answer);
		return 0;
	}
	if (json_is_string(json_object_get(error, "message")))
		error_set(ret_error, (int)json_integer_value(json_object_get(error, "code")), "%s",
			json_string_value(json_object_get(error, "message")));
	else
		error_set(
			ret_error, RPC_CODE_LOST, "control sent an answer without result and without error");
	json_decref(answer);
	return -1;
}

int rpc_client_call(struct rpc_client *client, const char *method, json_t *params, json_t **ret_result,
	struct rpc_error *ret_error)
{
	int64_t id, answered;

	if (rpc_client_send(client, method, params, &id, ret_error) < 0)
		return -1;
	return rpc_client_receive(client, &answered, ret_result, ret_error);
}

int rpc_client_notification(struct rpc_client *client, json_t **ret_message, struct rpc_error *ret_error)
{
	while (json_array_size(client->notifications) == 0) {
		if (client_poll(client, false, -1, ret_error) < 0)
			return -1;
	}
	*ret_message = json_incref(json_array_get(client->notifications, 0));
	json_array_remove(client->notifications, 0);
	return 0;
}
