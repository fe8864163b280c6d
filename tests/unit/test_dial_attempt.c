// SPDX-License-Identifier: BSD-3-Clause
/* weir-dial's engine over the kernel's own TCP on loopback: what an attempt's outcome says and how often its
 * SYN was sent again, also of attempts that fail. A listener whose queue is full drops SYNs; the kernel sends
 * each again after a second.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/dial_attempt.h"
#include "tests/check.h"

enum { FILLERS = 4, ATTEMPTS = 3, SETTLE_MS = 50, RESENT_MS = 1500, PATIENCE_MS = 10000 };
#define MS_NS UINT64_C(1000000)

static struct dial_report report;

struct rig {
	struct dial_options options;
	struct dial_engine *engine;
	int epoll_fd, listener, fillers[FILLERS];
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sleep_ms(unsigned ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000}, NULL);
}

static void rig_start(struct rig *rig, bool full)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);

	memset(&report, 0, sizeof(report));
	*rig = (struct rig){.epoll_fd = epoll_create1(0), .listener = socket(AF_INET, SOCK_STREAM, 0)};
	CHECK_EQ("bind", bind(rig->listener, (struct sockaddr *)&address, bytes), 0);
	CHECK_EQ("listen", listen(rig->listener, full ? 0 : 16), 0);
	CHECK_EQ("its port", getsockname(rig->listener, (struct sockaddr *)&address, &bytes), 0);
	for (unsigned i = 0; i < FILLERS; i++) {
		rig->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (full)
			(void)connect(rig->fillers[i], (struct sockaddr *)&address, bytes);
	}
	sleep_ms(SETTLE_MS);
	rig->options = (struct dial_options){.n_targets = 1,
		.n_sources = 1,
		.addresses = 16,
		.timeout_ns = PATIENCE_MS * MS_NS,
		.open_max = ATTEMPTS,
		.behaviour = DIAL_STORM,
		.seed = 1};
	rig->options.targets[0] =
		(struct dial_target){address_from_v4(INADDR_LOOPBACK), ntohs(address.sin_port), false};
	CHECK_EQ("sources", prefix_parse("127.64.0.0/16", &rig->options.sources[0]), 0);
	CHECK_EQ("engine", dial_engine_create(&rig->options, rig->epoll_fd, &report, &rig->engine), 0);
	report.start_ns = now_ns();
	for (unsigned i = 0; i < ATTEMPTS; i++)
		dial_engine_start(rig->engine, report.start_ns, report.start_ns);
}

static void rig_events(struct rig *rig)
{
	uint64_t end_ns = now_ns() + PATIENCE_MS * MS_NS;

	while (dial_engine_pending(rig->engine) > 0 && now_ns() < end_ns) {
		struct epoll_event events[ATTEMPTS];
		int n = epoll_wait(rig->epoll_fd, events, ATTEMPTS, 100);

		for (int i = 0; i < n; i++)
			dial_engine_event(rig->engine, events[i].data.u64, events[i].events, now_ns());
	}
}

static void rig_end(struct rig *rig)
{
	dial_engine_destroy(rig->engine);
	for (unsigned i = 0; i < FILLERS; i++)
		close(rig->fillers[i]);
	if (rig->listener >= 0)
		close(rig->listener);
	close(rig->epoll_fd);
}

static void who_connects_at_once_sent_one_syn(void)
{
	struct rig rig;

	rig_start(&rig, false);
	rig_events(&rig);
	CHECK_EQ("outcomes", report.outcomes[DIAL_SUCCEEDED], ATTEMPTS);
	CHECK_EQ("resends", report.syn_resends, 0);
	rig_end(&rig);
}

static void who_times_out_is_counted_with_his_resends(void)
{
	struct rig rig;

	rig_start(&rig, true);
	sleep_ms(RESENT_MS);
	dial_engine_expire(rig.engine, report.start_ns + rig.options.timeout_ns);
	CHECK_EQ("outcomes", report.outcomes[DIAL_TIMED_OUT], ATTEMPTS);
	CHECK_TRUE("resends", report.syn_resends >= ATTEMPTS);
	rig_end(&rig);
}

static void who_is_refused_later_is_counted_with_his_resends(void)
{
	struct rig rig;

	rig_start(&rig, true);
	sleep_ms(RESENT_MS);
	close(rig.listener);
	rig.listener = -1;
	rig_events(&rig);
	CHECK_EQ("outcomes", report.outcomes[DIAL_REFUSED], ATTEMPTS);
	CHECK_TRUE("resends", report.syn_resends >= ATTEMPTS);
	rig_end(&rig);
}

static const struct check_test tests[] = {
	{"who connects at once sent one SYN", who_connects_at_once_sent_one_syn},
	{"who times out is counted with the resends", who_times_out_is_counted_with_his_resends},
	{"who is refused later is counted with the resends",
		who_is_refused_later_is_counted_with_his_resends},
};
CHECK_MAIN("dial_attempt", tests)
