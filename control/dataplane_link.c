/* SPDX-License-Identifier: BSD-3-Clause
 * The link socket and the life of the dataplane as control sees it. Reading the rings is in
 * dataplane_events.c.
 */
#include "control/dataplane_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/dataplane_events.h"

#define DUMP_PAUSE_NS UINT64_C(1000000000)  /* a million flows are 16 k messages: not back to back */
#define DUMP_LOST_NS  UINT64_C(10000000000) /* a dump that has not ended by then was lost: ask anew */
#define RETRY_NS      UINT64_C(200000000)   /* design: a restarted dataplane is met within 200 ms */
#define HUNG_NS       UINT64_C(1000000000)  /* ten missed heartbeats of 100 ms */
enum { MESSAGES_PER_TURN = 256 };           /* 16 k flows of a dump; then the loop serves others */

struct dataplane_link {
	char socket_path[128];
	struct dataplane_events events;
	struct dataplane_link_callbacks callbacks;
	int fd;
	uint64_t next_connect_ns, next_attach_ns, next_dump_ns, dump_cookie;
	uint64_t flow_dumps, deaths;
	bool hung, dump_wanted, dump_running;
};

int dataplane_link_create(const char *socket_path, const char *segment_path, struct control_payload *payload,
	const struct dataplane_link_callbacks *callbacks, struct dataplane_link **ret_link)
{
	struct dataplane_link *link = calloc(1, sizeof(*link));
	if (link == NULL)
		return -ENOMEM;
	snprintf(link->socket_path, sizeof(link->socket_path), "%s", socket_path);
	link->callbacks = *callbacks;
	link->fd = -1;
	dataplane_events_init(&link->events, segment_path, payload);
	*ret_link = link;
	return 0;
}

void dataplane_link_destroy(struct dataplane_link *link)
{
	if (link == NULL)
		return;
	if (link->fd >= 0)
		close(link->fd);
	dataplane_events_detach(&link->events);
	free(link);
}

void dataplane_link_set_payload(struct dataplane_link *link, struct control_payload *payload)
{
	link->events.payload = payload;
}

static void link_lost(struct dataplane_link *link, uint64_t mono_ns)
{
	close(link->fd);
	link->fd = -1;
	link->deaths++;
	link->dump_running = false;
	link->next_dump_ns = 0;
	link->next_connect_ns = mono_ns + RETRY_NS;
	link->callbacks.watch(link->callbacks.context, -1);
	link->callbacks.note(
		link->callbacks.context, false, "the dataplane hung up: it ended or was restarted");
}

static void link_connect(struct dataplane_link *link, uint64_t mono_ns)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t length = strlen(link->socket_path);
	link->next_connect_ns = mono_ns + RETRY_NS;
	if (length >= sizeof(address.sun_path))
		return;
	memcpy(address.sun_path, link->socket_path, length + 1);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0) {
		close(fd);
		return;
	}
	link->fd = fd;
	link->dump_wanted = true; /* a restarted control or dataplane: counts start from what is */
	link->callbacks.watch(link->callbacks.context, fd);
	link->callbacks.note(link->callbacks.context, true, "connected to the dataplane");
	dataplane_link_doorbell(link);
}

static int link_send(struct dataplane_link *link, const void *message, size_t bytes)
{
	if (link->fd < 0)
		return -ENOTCONN;
	/* A hang-up is noticed by the reader; a full buffer means that the other side has bells enough. */
	if (send(link->fd, message, bytes, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)bytes)
		return -EAGAIN;
	return 0;
}

void dataplane_link_doorbell(struct dataplane_link *link)
{
	struct link_message message = {.version = LINK_VERSION, .kind = LINK_DOORBELL};
	(void)link_send(link, &message, sizeof(message));
}

int dataplane_link_probe(struct dataplane_link *link, const struct address *client, uint16_t port,
	uint8_t protocol, uint64_t cookie)
{
	struct link_probe probe = {.message = {.version = LINK_VERSION, .kind = LINK_PROBE, .cookie = cookie},
		.port = port,
		.protocol = protocol};
	memcpy(probe.client, client->bytes, sizeof(probe.client));
	return link_send(link, &probe, sizeof(probe));
}

static void dump_ask(struct dataplane_link *link, uint64_t mono_ns)
{
	struct link_message message = {
		.version = LINK_VERSION, .kind = LINK_FLOW_DUMP, .cookie = link->dump_cookie + 1};
	if ((link->dump_running && mono_ns < link->next_dump_ns + DUMP_LOST_NS) ||
		mono_ns < link->next_dump_ns || link_send(link, &message, sizeof(message)) != 0)
		return;
	link->next_dump_ns = mono_ns + DUMP_PAUSE_NS;
	link->dump_cookie++;
	link->dump_wanted = false;
	link->dump_running = true;
	if (link->callbacks.flows_asked != NULL)
		link->callbacks.flows_asked(link->callbacks.context, mono_ns);
}

static void flows_take(struct dataplane_link *link, const struct link_flows *flows, size_t bytes)
{
	size_t head = offsetof(struct link_flows, flows);
	if (bytes < head || flows->message.cookie != link->dump_cookie || !link->dump_running)
		return;
	if (flows->n > LINK_FLOWS_PER_MESSAGE || bytes < head + flows->n * sizeof(flows->flows[0]))
		return;
	for (uint32_t i = 0; i < flows->n; i++)
		link->callbacks.flow(link->callbacks.context, &flows->flows[i]);
	if (flows->n == 0) {
		link->dump_running = false;
		link->flow_dumps++;
		link->callbacks.flow(link->callbacks.context, NULL);
	}
}

static void message_take(struct dataplane_link *link, const struct link_flows *message, size_t bytes)
{
	if (bytes < sizeof(struct link_message) || message->message.version != LINK_VERSION)
		return;
	if (message->message.kind == LINK_PROBE_ANSWER && bytes >= sizeof(struct link_probe_answer)) {
		struct link_probe_answer answer;
		memcpy(&answer, message, sizeof(answer));
		if (answer.reason < REASON_COUNT)
			link->callbacks.probe_answer(link->callbacks.context, &answer);
	} else if (message->message.kind == LINK_FLOWS) {
		flows_take(link, message, bytes);
	}
}

void dataplane_link_on_input(struct dataplane_link *link, uint64_t mono_ns)
{
	struct link_flows message;
	for (int i = 0; i < MESSAGES_PER_TURN && link->fd >= 0; i++) {
		ssize_t n = recv(link->fd, &message, sizeof(message), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			link_lost(link, mono_ns);
			return;
		}
		message_take(link, &message, (size_t)n);
	}
}

static void heartbeat_check(struct dataplane_link *link, uint64_t mono_ns)
{
	uint64_t beat_ns = dataplane_events_heartbeat_ns(&link->events);
	bool hung = link->fd >= 0 && beat_ns != 0 && mono_ns > beat_ns + HUNG_NS;
	if (hung == link->hung)
		return;
	link->hung = hung;
	link->callbacks.note(link->callbacks.context, !hung,
		hung ? "the dataplane hangs: no heartbeat for a second"
		     : "the dataplane's heartbeat is back");
}

bool dataplane_link_tick(struct dataplane_link *link, uint64_t mono_ns)
{
	if (link->fd < 0 && mono_ns >= link->next_connect_ns)
		link_connect(link, mono_ns);
	if (mono_ns >= link->next_attach_ns) {
		link->next_attach_ns = mono_ns + RETRY_NS;
		if (dataplane_events_attach(&link->events))
			link->dump_wanted = true;
		heartbeat_check(link, mono_ns);
	}
	uint64_t lost = link->events.lost;
	bool more = dataplane_events_read(&link->events, &link->callbacks);
	if (link->events.lost != lost || (link->dump_running && mono_ns >= link->next_dump_ns + DUMP_LOST_NS))
		link->dump_wanted = true;
	if (link->dump_wanted)
		dump_ask(link, mono_ns);
	return more;
}

void dataplane_link_status(struct dataplane_link *link, uint64_t mono_ns, struct dataplane_status *ret_status)
{
	memset(ret_status, 0, sizeof(*ret_status));
	ret_status->connected = link->fd >= 0;
	ret_status->hung = link->hung;
	ret_status->flow_dumps = link->flow_dumps;
	ret_status->deaths = link->deaths;
	dataplane_events_status(&link->events, mono_ns, ret_status);
}
