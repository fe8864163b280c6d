/* SPDX-License-Identifier: BSD-3-Clause
 * The event loop on epoll.
 */
#include "control/event_loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { EVENTS_PER_TURN = 64 };

enum source_kind { SOURCE_DESCRIPTOR, SOURCE_TIMER, SOURCE_SIGNALS };

struct event_source {
	struct event_source *next;
	int fd;
	enum source_kind kind;
	bool removed; /* freed at the end of the turn: later events of the same turn may still name it */
	event_handler handler;
	void *context;
};

struct event_loop {
	int epoll_fd;
	bool stopping;
	struct event_source *sources;
	void (*begin)(void *context);
	void (*end)(void *context);
	void *context;
};

int event_loop_create(struct event_loop **ret_loop)
{
	struct event_loop *loop = calloc(1, sizeof(*loop));
	if (loop == NULL)
		return -ENOMEM;
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		int error = -errno;
		free(loop);
		return error;
	}
	*ret_loop = loop;
	return 0;
}

static void source_free(struct event_source *source)
{
	if (source->kind != SOURCE_DESCRIPTOR && source->fd >= 0)
		close(source->fd);
	free(source);
}

static void sources_sweep(struct event_loop *loop, bool all)
{
	struct event_source **link = &loop->sources;
	while (*link != NULL) {
		struct event_source *source = *link;
		if (all || source->removed) {
			*link = source->next;
			source_free(source);
		} else {
			link = &source->next;
		}
	}
}

void event_loop_destroy(struct event_loop *loop)
{
	if (loop == NULL)
		return;
	sources_sweep(loop, true);
	close(loop->epoll_fd);
	free(loop);
}

static uint32_t epoll_interest(unsigned interest)
{
	return ((interest & EVENT_LOOP_IN) ? (uint32_t)EPOLLIN : 0) |
	       ((interest & EVENT_LOOP_OUT) ? (uint32_t)EPOLLOUT : 0);
}

static int source_add(struct event_loop *loop, int fd, enum source_kind kind, unsigned interest,
	event_handler handler, void *context, struct event_source **ret_source)
{
	struct event_source *source = calloc(1, sizeof(*source));
	if (source == NULL)
		return -ENOMEM;
	*source = (struct event_source){.fd = fd, .kind = kind, .handler = handler, .context = context};
	struct epoll_event event = {.events = epoll_interest(interest), .data.ptr = source};
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
		int error = -errno;
		free(source);
		return error;
	}
	source->next = loop->sources;
	loop->sources = source;
	if (ret_source != NULL)
		*ret_source = source;
	return 0;
}

int event_loop_add(struct event_loop *loop, int fd, unsigned interest, event_handler handler, void *context,
	struct event_source **ret_source)
{
	return source_add(loop, fd, SOURCE_DESCRIPTOR, interest, handler, context, ret_source);
}

int event_loop_change(struct event_loop *loop, struct event_source *source, unsigned interest)
{
	struct epoll_event event = {.events = epoll_interest(interest), .data.ptr = source};
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, source->fd, &event) != 0 ? -errno : 0;
}

void event_loop_remove(struct event_loop *loop, struct event_source *source)
{
	if (source == NULL || source->removed)
		return;
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	source->removed = true;
}

int event_loop_add_timer(
	struct event_loop *loop, event_handler handler, void *context, struct event_source **ret_source)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = source_add(loop, fd, SOURCE_TIMER, EVENT_LOOP_IN, handler, context, ret_source);
	if (error != 0)
		close(fd);
	return error;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
}

int event_loop_arm(struct event_source *source, uint64_t delay_ns, uint64_t period_ns)
{
	struct itimerspec when = {timespec_of(period_ns), timespec_of(delay_ns == 0 ? 1 : delay_ns)};
	return timerfd_settime(source->fd, 0, &when, NULL) != 0 ? -errno : 0;
}

int event_loop_add_signals(struct event_loop *loop, const int *signals, event_handler handler, void *context)
{
	sigset_t set;
	sigemptyset(&set);
	for (; *signals != 0; signals++)
		sigaddset(&set, *signals);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -errno;
	int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	int error = source_add(loop, fd, SOURCE_SIGNALS, EVENT_LOOP_IN, handler, context, NULL);
	if (error != 0)
		close(fd);
	return error;
}

void event_loop_set_hooks(
	struct event_loop *loop, void (*begin)(void *context), void (*end)(void *context), void *context)
{
	loop->begin = begin;
	loop->end = end;
	loop->context = context;
}

static void source_dispatch(struct event_source *source, uint32_t events)
{
	unsigned ready = 0;
	uint64_t expirations;
	struct signalfd_siginfo info;

	if (source->kind == SOURCE_TIMER) {
		if (read(source->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
			source->handler(source->context, EVENT_LOOP_IN);
		return;
	}
	if (source->kind == SOURCE_SIGNALS) {
		while (!source->removed && read(source->fd, &info, sizeof(info)) == sizeof(info))
			source->handler(source->context, info.ssi_signo);
		return;
	}
	ready |= (events & EPOLLIN) ? EVENT_LOOP_IN : 0u;
	ready |= (events & EPOLLOUT) ? EVENT_LOOP_OUT : 0u;
	ready |= (events & (EPOLLHUP | EPOLLERR)) ? EVENT_LOOP_HANGUP : 0u;
	source->handler(source->context, ready);
}

int event_loop_run(struct event_loop *loop)
{
	struct epoll_event events[EVENTS_PER_TURN];
	while (!loop->stopping) {
		int n = epoll_wait(loop->epoll_fd, events, EVENTS_PER_TURN, -1);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (loop->begin != NULL)
			loop->begin(loop->context);
		for (int i = 0; i < n; i++) {
			struct event_source *source = events[i].data.ptr;
			if (!source->removed)
				source_dispatch(source, events[i].events);
		}
		if (loop->end != NULL)
			loop->end(loop->context);
		sources_sweep(loop, false);
	}
	return 0;
}

void event_loop_stop(struct event_loop *loop)
{
	loop->stopping = true;
}
