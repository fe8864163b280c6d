// SPDX-License-Identifier: BSD-3-Clause
/* Attempts from socket() to their outcome. An epoll event names slot and generation, so that an event of a socket that
 * was closed earlier in the same batch cannot touch its successor. One thread.
 */
#include "bench/dial_attempt.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/dial_heap.h"
#include "bench/socket_address.h"
#include "bench/traffic_model.h"

#define SECOND_NS UINT64_C(1000000000)

/* A client that never reads asks so often: 64 answers are more than the smallest receive window holds. */
enum { NEVER_READ_REQUESTS = 64, NEVER_READ_WINDOW_BYTES = 1024 };

enum attempt_state { ATTEMPT_FREE, ATTEMPT_CONNECTING, ATTEMPT_ASKED, ATTEMPT_HELD };

struct attempt {
	enum attempt_state state;
	enum dial_behaviour behaviour;
	int fd;
	uint32_t generation, next_free, resends;
	uint8_t class, n_reply;
	uint64_t intended_ns, deadline_ns, connected_ns, replied_ns, next_resend_ns;
	struct address source;
	uint8_t nonce[ECHO_NONCE_BYTES];
	uint8_t reply[ECHO_REPLY_BYTES];
};

struct dial_engine {
	const struct dial_options *options;
	struct dial_report *report;
	struct dial_sources *sources;
	struct dial_heap heap;
	int epoll_fd;
	uint32_t first_free, pending;
	uint64_t random_state;
	struct attempt *attempts;
};

int dial_engine_create(const struct dial_options *options, int epoll_fd, struct dial_report *report,
	struct dial_engine **ret_engine)
{
	struct dial_engine *engine = calloc(1, sizeof(*engine));
	int result;

	if (engine == NULL)
		return -ENOMEM;
	engine->options = options;
	engine->report = report;
	engine->epoll_fd = epoll_fd;
	engine->random_state = options->seed;
	engine->attempts = calloc(options->open_max, sizeof(engine->attempts[0]));
	result = engine->attempts == NULL ? -ENOMEM : dial_heap_create(&engine->heap, options->open_max);
	if (result == 0)
		result = dial_sources_create(options->sources, options->n_sources, options->first, options->addresses,
			options->seed, &engine->sources);
	if (result != 0) {
		dial_engine_destroy(engine);
		return result;
	}
	for (uint32_t i = 0; i < options->open_max; i++)
		engine->attempts[i].next_free = i + 1;
	*ret_engine = engine;
	return 0;
}

void dial_engine_destroy(struct dial_engine *engine)
{
	if (engine == NULL)
		return;
	for (uint32_t i = 0; engine->attempts != NULL && i < engine->options->open_max; i++) {
		if (engine->attempts[i].state != ATTEMPT_FREE)
			close(engine->attempts[i].fd);
	}
	dial_sources_destroy(engine->sources);
	dial_heap_done(&engine->heap);
	free(engine->attempts);
	free(engine);
}

static uint32_t slot_of(const struct dial_engine *engine, const struct attempt *attempt)
{
	return (uint32_t)(attempt - engine->attempts);
}

static void attempt_release(struct dial_engine *engine, struct attempt *attempt)
{
	if (attempt->fd >= 0)
		close(attempt->fd);
	dial_heap_remove(&engine->heap, slot_of(engine, attempt));
	attempt->state = ATTEMPT_FREE;
	attempt->generation++;
	attempt->next_free = engine->first_free;
	engine->first_free = slot_of(engine, attempt);
	engine->report->open--;
}

static void attempt_count(struct dial_engine *engine, struct attempt *attempt, enum dial_outcome outcome, uint64_t now_ns)
{
	struct dial_ended ended = {.source = attempt->source,
		.class = attempt->class,
		.intended_ns = attempt->intended_ns,
		.connected_ns = attempt->connected_ns,
		.replied_ns = attempt->replied_ns,
		.ended_ns = now_ns,
		.resends = attempt->resends,
		.outcome = outcome};

	engine->pending--;
	dial_report_add(engine->report, &ended);
}

/* How often the kernel sent the SYN again; it still knows after an error has ended the connection. */
static void resends_read(struct attempt *attempt)
{
	struct tcp_info info;
	socklen_t info_bytes = sizeof(info);

	if (getsockopt(attempt->fd, IPPROTO_TCP, TCP_INFO, &info, &info_bytes) == 0)
		attempt->resends = info.tcpi_total_retrans;
}

static void attempt_end(struct dial_engine *engine, struct attempt *attempt, enum dial_outcome outcome, uint64_t now_ns)
{
	/* who connected keeps what was true then: later resends are of data; UDP's are counted as they are sent */
	if (attempt->state == ATTEMPT_CONNECTING && attempt->connected_ns == 0 && attempt->fd >= 0)
		resends_read(attempt);
	attempt_count(engine, attempt, outcome, now_ns);
	attempt_release(engine, attempt);
}

static void attempt_watch(struct dial_engine *engine, struct attempt *attempt, int operation, uint32_t events)
{
	struct epoll_event event = {
		.events = events, .data.u64 = (uint64_t)attempt->generation << 32 | slot_of(engine, attempt)};

	/* ADD can fail only for lack of memory: the attempt then times out and is seen as failed */
	(void)epoll_ctl(engine->epoll_fd, operation, attempt->fd, &event);
}

/* Hold an ended attempt's connection. Its peer closing it is all that is waited for. */
static void attempt_hold(struct dial_engine *engine, struct attempt *attempt, uint64_t now_ns)
{
	uint64_t hold_ns = engine->options->hold_ns;

	attempt_count(engine, attempt, DIAL_SUCCEEDED, now_ns);
	attempt->state = ATTEMPT_HELD;
	attempt_watch(engine, attempt, EPOLL_CTL_MOD, EPOLLRDHUP);
	if (hold_ns > 0)
		dial_heap_set(&engine->heap, slot_of(engine, attempt), now_ns + hold_ns);
	else
		dial_heap_remove(&engine->heap, slot_of(engine, attempt));
}

static enum dial_outcome outcome_of(int error, bool connected)
{
	switch (error) {
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EACCES: /* ICMP administratively prohibited arrives as EACCES or EHOSTUNREACH */
		return DIAL_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return connected ? DIAL_CUT : DIAL_REFUSED;
	case ETIMEDOUT:
		return DIAL_TIMED_OUT;
	default:
		return DIAL_LOCAL_ERROR;
	}
}

/* False: the attempt has ended. */
static bool request_send(struct dial_engine *engine, struct attempt *attempt, size_t bytes, uint64_t now_ns)
{
	uint8_t request[ECHO_REQUEST_BYTES];

	echo_request_write(attempt->nonce, request);
	if (send(attempt->fd, request, bytes, MSG_NOSIGNAL) == (ssize_t)bytes)
		return true;
	/* the first 24 bytes of a connection always fit its buffer */
	attempt_end(engine, attempt, outcome_of(errno, attempt->connected_ns != 0), now_ns);
	return false;
}

static void misbehave(struct dial_engine *engine, struct attempt *attempt, uint64_t now_ns)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	switch (attempt->behaviour) {
	case DIAL_RESET:
		(void)setsockopt(attempt->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		attempt_end(engine, attempt, DIAL_SUCCEEDED, now_ns);
		return;
	case DIAL_STORM:
		attempt_end(engine, attempt, DIAL_SUCCEEDED, now_ns);
		return;
	case DIAL_HALF_REQUEST:
		if (request_send(engine, attempt, ECHO_REQUEST_BYTES / 2, now_ns))
			attempt_hold(engine, attempt, now_ns);
		return;
	case DIAL_NEVER_READ:
		for (unsigned i = 0; i < NEVER_READ_REQUESTS; i++) {
			if (!request_send(engine, attempt, ECHO_REQUEST_BYTES, now_ns))
				return;
		}
		attempt_hold(engine, attempt, now_ns);
		return;
	default: /* DIAL_SILENT */
		attempt_hold(engine, attempt, now_ns);
		return;
	}
}

static void attempt_connected(struct dial_engine *engine, struct attempt *attempt, uint64_t now_ns)
{
	attempt->connected_ns = now_ns;
	resends_read(attempt);
	if (attempt->behaviour != DIAL_HONEST && attempt->behaviour != DIAL_NEVER_CLOSE) {
		misbehave(engine, attempt, now_ns);
		return;
	}
	if (!request_send(engine, attempt, ECHO_REQUEST_BYTES, now_ns))
		return;
	attempt->state = ATTEMPT_ASKED;
	attempt_watch(engine, attempt, EPOLL_CTL_MOD, EPOLLIN);
}

static void reply_read(struct dial_engine *engine, struct attempt *attempt, uint64_t now_ns)
{
	ssize_t n = recv(attempt->fd, attempt->reply + attempt->n_reply, ECHO_REPLY_BYTES - attempt->n_reply, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		attempt_end(engine, attempt, n == 0 ? DIAL_CLOSED_EARLY : outcome_of(errno, true), now_ns);
		return;
	}
	if (attempt->n_reply == 0)
		attempt->replied_ns = now_ns;
	attempt->n_reply += (uint8_t)n;
	if (attempt->n_reply < ECHO_REPLY_BYTES && attempt->class % 2 == 0)
		return;
	if (attempt->n_reply < ECHO_REPLY_BYTES || !echo_reply_valid(&engine->options->key, attempt->nonce, attempt->reply))
		attempt_end(engine, attempt, DIAL_WRONG_REPLY, now_ns);
	else if (attempt->behaviour == DIAL_NEVER_CLOSE)
		attempt_hold(engine, attempt, now_ns);
	else
		attempt_end(engine, attempt, DIAL_SUCCEEDED, now_ns);
}

static int socket_begin(struct attempt *attempt, const struct dial_target *target)
{
	struct sockaddr_storage local, remote;
	socklen_t local_bytes = socket_address_fill(&attempt->source, 0, &local);
	socklen_t remote_bytes = socket_address_fill(&target->address, target->port, &remote);
	int one = 1, window = NEVER_READ_WINDOW_BYTES;

	attempt->fd = socket(local.ss_family, (target->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0)
		return -errno;
	/* many addresses times few ports: the port is chosen at connect(), for the whole tuple */
	if (setsockopt(attempt->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one)) != 0)
		return -errno;
	/* clients' addresses are routed to this host as whole prefixes, not configured one by one */
	if (local.ss_family == AF_INET ? setsockopt(attempt->fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)) != 0
				       : setsockopt(attempt->fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one)) != 0)
		return -errno;
	if (attempt->behaviour == DIAL_NEVER_READ &&
		setsockopt(attempt->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window)) != 0)
		return -errno;
	if (bind(attempt->fd, (struct sockaddr *)&local, local_bytes) != 0)
		return -errno;
	if (connect(attempt->fd, (struct sockaddr *)&remote, remote_bytes) != 0 && errno != EINPROGRESS)
		return -errno;
	return 0;
}

static void attempt_begin(struct dial_engine *engine, struct attempt *attempt, const struct dial_target *target, uint64_t now_ns)
{
	uint64_t words[2] = {traffic_random_next(&engine->random_state), traffic_random_next(&engine->random_state)};
	int result = socket_begin(attempt, target);

	if (result != 0) {
		enum dial_outcome outcome = outcome_of(-result, false);

		if (outcome == DIAL_LOCAL_ERROR && engine->report->first_local_errno == 0)
			engine->report->first_local_errno = -result;
		attempt_end(engine, attempt, outcome, now_ns);
		return;
	}
	memcpy(attempt->nonce, words, sizeof(words));
	attempt->state = target->udp ? ATTEMPT_ASKED : ATTEMPT_CONNECTING;
	attempt->next_resend_ns = target->udp ? now_ns + SECOND_NS : UINT64_MAX;
	attempt_watch(engine, attempt, EPOLL_CTL_ADD, target->udp ? EPOLLIN : EPOLLOUT);
	if (target->udp && !request_send(engine, attempt, ECHO_REQUEST_BYTES, now_ns))
		return;
	dial_heap_set(&engine->heap, slot_of(engine, attempt),
		attempt->next_resend_ns < attempt->deadline_ns ? attempt->next_resend_ns : attempt->deadline_ns);
}

void dial_engine_start(struct dial_engine *engine, uint64_t intended_ns, uint64_t now_ns)
{
	const struct dial_options *options = engine->options;
	const struct dial_target *target =
		&options->targets[traffic_random_next(&engine->random_state) % options->n_targets];
	bool v4 = address_is_v4(&target->address);
	uint32_t index;

	engine->report->attempts++;
	dial_report_second(engine->report, intended_ns)->attempts++;
	if (engine->first_free == options->open_max) {
		engine->report->not_started++;
		return;
	}
	dial_report_start(engine->report, now_ns - intended_ns);
	struct attempt *attempt = &engine->attempts[engine->first_free];
	struct attempt fresh = {.generation = attempt->generation,
		.fd = -1,
		.state = ATTEMPT_CONNECTING,
		.class = (uint8_t)((v4 ? 0 : 2) + (target->udp ? 1 : 0)),
		.intended_ns = intended_ns,
		.deadline_ns = intended_ns + options->timeout_ns};

	/* options were checked: each target's family has sources */
	(void)dial_sources_next(engine->sources, v4, &fresh.source, &index);
	fresh.behaviour = options->behaviour == DIAL_MIXED ? (enum dial_behaviour)(DIAL_SILENT + index % (DIAL_MIXED - DIAL_SILENT))
							   : options->behaviour;
	engine->first_free = attempt->next_free;
	*attempt = fresh;
	engine->pending++;
	engine->report->open++;
	attempt_begin(engine, attempt, target, now_ns);
}

void dial_engine_event(struct dial_engine *engine, uint64_t data, uint32_t events, uint64_t now_ns)
{
	struct attempt *attempt = &engine->attempts[(uint32_t)data];
	int error = 0;
	socklen_t error_bytes = sizeof(error);

	if (attempt->state == ATTEMPT_FREE || attempt->generation != (uint32_t)(data >> 32))
		return;
	switch (attempt->state) {
	case ATTEMPT_CONNECTING:
		(void)getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes);
		if (error != 0)
			attempt_end(engine, attempt, outcome_of(error, false), now_ns);
		else if (events & (EPOLLOUT | EPOLLHUP))
			attempt_connected(engine, attempt, now_ns);
		break;
	case ATTEMPT_ASKED:
		reply_read(engine, attempt, now_ns);
		break;
	default: /* ATTEMPT_HELD: the other side, or what stands before it, has had enough */
		engine->report->closed_on++;
		dial_report_second(engine->report, now_ns)->closed_on++;
		attempt_release(engine, attempt);
		break;
	}
}

static void attempt_expire(struct dial_engine *engine, struct attempt *attempt, uint64_t now_ns)
{
	if (attempt->state == ATTEMPT_HELD) {
		attempt_release(engine, attempt);
		return;
	}
	if (now_ns >= attempt->deadline_ns) {
		attempt_end(engine, attempt, DIAL_TIMED_OUT, now_ns);
		return;
	}
	/* UDP, doubling as a resolver or DHT client would: after 1, 3 and 7 s */
	if (!request_send(engine, attempt, ECHO_REQUEST_BYTES, now_ns))
		return;
	attempt->resends++;
	attempt->next_resend_ns = now_ns + (SECOND_NS << attempt->resends);
	dial_heap_set(&engine->heap, slot_of(engine, attempt),
		attempt->next_resend_ns < attempt->deadline_ns ? attempt->next_resend_ns : attempt->deadline_ns);
}

void dial_engine_expire(struct dial_engine *engine, uint64_t now_ns)
{
	while (dial_heap_next_ns(&engine->heap) <= now_ns)
		attempt_expire(engine, &engine->attempts[dial_heap_first(&engine->heap)], now_ns);
}

uint64_t dial_engine_next_ns(const struct dial_engine *engine)
{
	return dial_heap_next_ns(&engine->heap);
}

uint32_t dial_engine_pending(const struct dial_engine *engine)
{
	return engine->pending;
}
