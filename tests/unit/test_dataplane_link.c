/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/dataplane_link.h over a real segment with real rings and a real socket, both owned by the
 * test in the dataplane's place: no event is read twice or missed, whoever restarts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/dataplane_link.h"
#include "tests/check.h"

#define SECOND UINT64_C(1000000000)

static char directory[64], socket_path[96], segment_path[96];
static struct control_payload payload;
static struct segment segment;
static struct dataplane_link *link_;
static int listener = -1, peer = -1, watched = -1;
static unsigned n_events, n_flows, n_dumps, n_probes, n_notes;
static uint64_t last_detail;

static void on_event(void *context, const struct event_record *event)
{
	(void)context;
	n_events++;
	last_detail = event->detail;
}

static void on_probe(void *context, const struct link_probe_answer *answer)
{
	(void)context;
	n_probes += answer->message.cookie == 42;
}

static void on_flow(void *context, const struct link_flow *flow)
{
	(void)context;
	n_flows += flow != NULL;
	n_dumps += flow == NULL;
}

static void on_watch(void *context, int fd)
{
	(void)context;
	watched = fd;
}

static void on_note(void *context, bool good, const char *text)
{
	(void)context;
	(void)good;
	n_notes += text[0] != '\0';
}

static void link_make(void)
{
	struct dataplane_link_callbacks callbacks = {
		NULL, on_event, on_probe, on_flow, on_watch, on_note, NULL};
	CHECK_EQ("a link", dataplane_link_create(socket_path, segment_path, &payload, &callbacks, &link_), 0);
}

static void segment_make(uint64_t n_lcores)
{
	uint64_t parameters[8] = {n_lcores};
	CHECK_EQ("a segment",
		segment_create(segment_path, SEGMENT_KIND_DATAPLANE, dataplane_payload_layout_hash(),
			dataplane_payload_bytes((unsigned)n_lcores), parameters, &segment),
		SEGMENT_OK);
	atomic_store(&segment.header->heartbeat_ns, SECOND);
}

static void world_open(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	memset(&payload, 0, sizeof(payload));
	n_events = n_flows = n_dumps = n_probes = n_notes = 0;
	snprintf(directory, sizeof(directory), "/tmp/weir-test-link.XXXXXX");
	CHECK_TRUE("a directory", mkdtemp(directory) != NULL);
	snprintf(socket_path, sizeof(socket_path), "%s/w.sock", directory);
	snprintf(segment_path, sizeof(segment_path), "%s/w.dataplane", directory);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CHECK_EQ("bound", bind(listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_EQ("listens", listen(listener, 1), 0);
	link_make();
}

static void world_close(void)
{
	char command[128];
	dataplane_link_destroy(link_);
	if (segment.header != NULL)
		segment_close(&segment, NULL);
	memset(&segment, 0, sizeof(segment));
	close(listener);
	if (peer >= 0)
		close(peer);
	peer = -1;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK_EQ("nothing is left", system(command), 0);
}

static void push(unsigned lcore, unsigned n)
{
	struct dataplane_payload *dataplane = segment.payload;
	for (unsigned i = 0; i < n; i++) {
		struct event_record event = {.kind = EVENT_FLOW_PROVEN, .detail = i};
		(void)event_ring_push(
			&dataplane->lcores[lcore].events, atomic_load(&payload.ring_consumed[lcore]), &event);
	}
}

static void test_absent(void)
{
	struct dataplane_status status;
	world_open();
	close(listener);
	unlink(socket_path);
	listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	CHECK_FALSE("nothing to do", dataplane_link_tick(link_, SECOND));
	struct address client = address_from_v4(1);
	CHECK_EQ("nobody to ask", dataplane_link_probe(link_, &client, 1, 6, 1), -ENOTCONN);
	dataplane_link_doorbell(link_);
	dataplane_link_status(link_, SECOND, &status);
	CHECK_FALSE("not connected", status.connected);
	CHECK_FALSE("not attached", status.attached);
	CHECK_CONTAINS("a sentence says why", status.text, "w.dataplane");
	world_close();
}

static void test_events(void)
{
	struct dataplane_status status;
	world_open();
	segment_make(2);
	push(0, 100);
	push(1, 5000);
	(void)dataplane_link_tick(link_, SECOND);
	while (dataplane_link_tick(link_, SECOND))
		;
	CHECK_EQ("a turn is bounded, but all come", n_events, 5100u);
	CHECK_EQ("in order", last_detail, 4999u);
	CHECK_EQ("the position is published", atomic_load(&payload.ring_consumed[1]), 5000u);
	(void)dataplane_link_tick(link_, SECOND);
	CHECK_EQ("none comes twice", n_events, 5100u);

	dataplane_link_destroy(link_);
	push(0, 7);
	link_make();
	(void)dataplane_link_tick(link_, SECOND);
	CHECK_EQ("a new control goes on where the old one stopped", n_events, 5107u);

	push(0, EVENT_RING_RECORDS + 10);
	while (dataplane_link_tick(link_, SECOND))
		;
	dataplane_link_status(link_, SECOND, &status);
	CHECK_EQ("what found the ring full is lost", status.events_lost, 10u);
	CHECK_EQ("and counted by the dataplane", status.events_dropped, 10u);

	segment_close(&segment, NULL);
	segment_make(1);
	push(0, 3);
	n_events = 0;
	(void)dataplane_link_tick(link_, 2 * SECOND);
	CHECK_EQ("a new dataplane's events are read from the first", n_events, 3u);
	CHECK_EQ("whose rings these are is published", payload.dataplane_instance, segment.header->instance);
	world_close();
}

static uint32_t peer_receive(void *buffer, size_t bytes)
{
	struct link_message message = {0};
	ssize_t n = recv(peer, buffer, bytes, MSG_DONTWAIT);
	if (n >= (ssize_t)sizeof(message))
		memcpy(&message, buffer, sizeof(message));
	return n < 0 ? 0 : message.kind;
}

static void test_socket(void)
{
	static struct link_flows flows;
	union {
		struct link_message message;
		struct link_probe probe;
	} got;
	struct dataplane_status status;
	struct address client = address_from_v4(0xcb007105);
	world_open();
	segment_make(1);
	(void)dataplane_link_tick(link_, SECOND);
	peer = accept(listener, NULL, NULL);
	CHECK_TRUE("it connects", peer >= 0 && watched >= 0);
	CHECK_EQ("rings", peer_receive(&got, sizeof(got)), (uint32_t)LINK_DOORBELL);
	CHECK_EQ("and asks for the flows", peer_receive(&got, sizeof(got)), (uint32_t)LINK_FLOW_DUMP);

	flows.message = (struct link_message){LINK_VERSION, LINK_FLOWS, got.message.cookie};
	flows.n = 64;
	CHECK_TRUE("flows", send(peer, &flows, sizeof(flows), 0) > 0);
	flows.n = 65;
	CHECK_TRUE("more than a message holds", send(peer, &flows, sizeof(flows), 0) > 0);
	flows.n = 64;
	CHECK_TRUE("fewer than it says", send(peer, &flows, sizeof(flows) - 1, 0) > 0);
	flows.message.cookie++;
	CHECK_TRUE("of another question", send(peer, &flows, sizeof(flows), 0) > 0);
	flows.message.cookie--;
	flows.n = 0;
	CHECK_TRUE("the end", send(peer, &flows, offsetof(struct link_flows, flows), 0) > 0);
	dataplane_link_on_input(link_, SECOND);
	CHECK_EQ("only whole messages count", n_flows, 64u);
	CHECK_EQ("the dump ended", n_dumps, 1u);

	CHECK_EQ("a probe", dataplane_link_probe(link_, &client, 30303, 6, 42), 0);
	CHECK_EQ("arrives", peer_receive(&got, sizeof(got)), (uint32_t)LINK_PROBE);
	CHECK_MEM_EQ("with the address", got.probe.client, client.bytes, 16);
	struct link_probe_answer answer = {
		.message = {LINK_VERSION, LINK_PROBE_ANSWER, 42}, .reason = REASON_COUNT};
	CHECK_TRUE("a reason that is none", send(peer, &answer, sizeof(answer), 0) > 0);
	answer.reason = REASON_BANNED;
	CHECK_TRUE("a short one", send(peer, &answer, sizeof(answer) - 4, 0) > 0);
	CHECK_TRUE("a good one", send(peer, &answer, sizeof(answer), 0) > 0);
	dataplane_link_on_input(link_, SECOND);
	CHECK_EQ("only the good one counts", n_probes, 1u);

	for (int i = 0; i < 100000; i++)
		dataplane_link_doorbell(link_);
	CHECK_TRUE("a full socket never blocks", true);
	(void)dataplane_link_tick(link_, 4 * SECOND);
	dataplane_link_status(link_, 4 * SECOND, &status);
	CHECK_TRUE("no heartbeat for a second is a hang", status.hung);
	close(peer);
	peer = -1;
	dataplane_link_on_input(link_, 4 * SECOND);
	dataplane_link_status(link_, 4 * SECOND, &status);
	CHECK_TRUE("a hang-up is a death", !status.connected && status.deaths == 1 && watched == -1);
	(void)dataplane_link_tick(link_, 4 * SECOND + SECOND / 10);
	CHECK_EQ("it waits 200 ms", watched, -1);
	(void)dataplane_link_tick(link_, 4 * SECOND + SECOND / 4);
	CHECK_TRUE("and connects again", watched >= 0);
	world_close();
}

/* The number of dumps that were asked for since the last look; ret_cookie is the last one's. */
static unsigned dumps_asked(uint64_t *ret_cookie)
{
	struct link_message message;
	unsigned n = 0;
	while (recv(peer, &message, sizeof(message), MSG_DONTWAIT) == sizeof(message)) {
		if (message.kind != LINK_FLOW_DUMP)
			continue;
		*ret_cookie = message.cookie;
		n++;
	}
	return n;
}

static void dump_end(uint64_t cookie, uint64_t mono_ns)
{
	struct link_flows end = {.message = {LINK_VERSION, LINK_FLOWS, cookie}};
	CHECK_TRUE("the end of a dump", send(peer, &end, offsetof(struct link_flows, flows), 0) > 0);
	dataplane_link_on_input(link_, mono_ns);
}

/* Fill a ring beyond its end, then read it: `lost` events less came than happened. */
static void lose(unsigned lost, uint64_t mono_ns)
{
	push(0, EVENT_RING_RECORDS + lost);
	while (dataplane_link_tick(link_, mono_ns))
		;
	(void)dataplane_link_tick(link_, mono_ns);
}

static void test_lost_events(void)
{
	uint64_t cookie = 0;
	world_open();
	segment_make(1);
	(void)dataplane_link_tick(link_, SECOND);
	peer = accept(listener, NULL, NULL);
	CHECK_EQ("the flows are asked for at the start", dumps_asked(&cookie), 1u);
	dump_end(cookie, SECOND);
	push(0, EVENT_RING_RECORDS);
	while (dataplane_link_tick(link_, 3 * SECOND))
		;
	CHECK_EQ("a full ring of which nothing was lost needs no dump", dumps_asked(&cookie), 0u);
	lose(1, 4 * SECOND);
	CHECK_EQ("one lost event asks for the flows", dumps_asked(&cookie), 1u);
	(void)dataplane_link_tick(link_, 5 * SECOND);
	CHECK_EQ("once", dumps_asked(&cookie), 0u);
	lose(10, 6 * SECOND);
	CHECK_EQ("while a dump runs no other begins", dumps_asked(&cookie), 0u);
	dump_end(cookie, 6 * SECOND);
	(void)dataplane_link_tick(link_, 6 * SECOND);
	CHECK_EQ("but what was lost meanwhile is not forgotten", dumps_asked(&cookie), 1u);
	dump_end(cookie, 6 * SECOND);
	for (uint64_t ns = 6 * SECOND; ns < 7 * SECOND; ns += SECOND / 10) {
		lose(3, ns);
		CHECK_EQ("at most one a second", dumps_asked(&cookie), 0u);
	}
	(void)dataplane_link_tick(link_, 7 * SECOND);
	CHECK_EQ("the next one after it", dumps_asked(&cookie), 1u);
	(void)dataplane_link_tick(link_, 17 * SECOND);
	CHECK_EQ("it has ten seconds to end", dumps_asked(&cookie), 0u);
	(void)dataplane_link_tick(link_, 18 * SECOND);
	CHECK_EQ("a dump that never ends is asked for again, or the counts would stay wrong",
		dumps_asked(&cookie), 1u);
	CHECK_EQ("three dumps ended", n_dumps, 3u);
	world_close();
}

static void test_removed_file(void)
{
	struct dataplane_status status;
	world_open();
	segment_make(1);
	(void)dataplane_link_tick(link_, SECOND);
	CHECK_EQ("the file is removed", unlink(segment_path), 0);
	push(0, 3);
	(void)dataplane_link_tick(link_, 2 * SECOND);
	(void)dataplane_link_tick(link_, 3 * SECOND);
	CHECK_EQ("the running dataplane's events still come", n_events, 3u);
	dataplane_link_status(link_, 3 * SECOND, &status);
	CHECK_TRUE("and its counters", status.attached);
	segment_close(&segment, NULL);
	segment_make(1);
	push(0, 2);
	(void)dataplane_link_tick(link_, 4 * SECOND);
	CHECK_EQ("a new one is read from its beginning", n_events, 5u);
	world_close();
}

static const struct check_test tests[] = {
	{"without a dataplane nothing is wrong", test_absent},
	{"every event is read once", test_events},
	{"the socket is believed as far as it makes sense", test_socket},
	{"lost events ask for the flows", test_lost_events},
	{"a segment whose file was removed", test_removed_file},
};
CHECK_MAIN("dataplane_link", tests)
