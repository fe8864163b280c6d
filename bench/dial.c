// SPDX-License-Identifier: BSD-3-Clause
/* weir-dial: clients on kernel sockets, honest or not. Open loop: attempts have intended times that nothing delays, and
 * latency counts from them. This file is the loop: start what is due, wait, take events and deadlines. One thread.
 */
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench/dial_attempt.h"
#include "bench/dial_options.h"
#include "bench/dial_report.h"
#include "bench/traffic_model.h"

#define SECOND_NS UINT64_C(1000000000)

/* Starts per turn: an overdue schedule must not keep replies waiting. */
enum { EVENTS_MAX = 256, STARTS_MAX = 64 };

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

struct schedule {
	uint64_t next_ns, end_ns, random_state;
	double gap_ns;
	bool poisson;
};

static void schedule_advance(struct schedule *schedule)
{
	double gap = schedule->gap_ns;

	if (schedule->poisson) {
		/* 53 random bits in (0, 1] */
		double uniform = (double)((traffic_random_next(&schedule->random_state) >> 11) + 1) * 0x1p-53;

		gap *= -log(uniform);
	}
	schedule->next_ns += (uint64_t)gap;
}

static void wait_events(struct dial_engine *engine, int epoll_fd, uint64_t until_ns)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t now = now_ns(), wait_ns = until_ns > now ? until_ns - now : 0;
	struct timespec timeout = {.tv_sec = (time_t)(wait_ns / SECOND_NS), .tv_nsec = (long)(wait_ns % SECOND_NS)};
	int n = epoll_pwait2(epoll_fd, events, EVENTS_MAX, &timeout, NULL);

	now = now_ns();
	for (int i = 0; i < n; i++)
		dial_engine_event(engine, events[i].data.u64, events[i].events, now);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void loop_run(struct dial_engine *engine, const struct dial_options *options, struct dial_report *report, int epoll_fd)
{
	struct schedule schedule = {.next_ns = report->start_ns,
		.end_ns = report->start_ns + (uint64_t)(options->seconds * 1e9),
		.random_state = ~options->seed, /* apart from the engine's stream */
		.gap_ns = 1e9 / options->rate_per_s,
		.poisson = options->poisson};
	uint64_t live_ns = report->start_ns + SECOND_NS;

	while (!stop_asked) {
		uint64_t now = now_ns();
		bool starting = schedule.next_ns < schedule.end_ns;

		for (unsigned i = 0; i < STARTS_MAX && starting && schedule.next_ns <= now; i++) {
			dial_engine_start(engine, schedule.next_ns, now);
			schedule_advance(&schedule);
			starting = schedule.next_ns < schedule.end_ns;
		}
		dial_engine_expire(engine, now);
		if (now >= live_ns) {
			if (options->live)
				dial_report_live(report, options, now);
			live_ns += SECOND_NS;
		}
		/* the last attempts get their whole timeout; held connections last as long as the schedule */
		if (now >= schedule.end_ns && dial_engine_pending(engine) == 0)
			return;
		uint64_t next = starting ? schedule.next_ns : now < schedule.end_ns ? schedule.end_ns : UINT64_MAX;
		wait_events(engine, epoll_fd, least(least(next, live_ns), dial_engine_next_ns(engine)));
	}
}

static void prepare_process(const struct dial_options *options)
{
	/* sockets, and some for the process itself; refused without privileges: socket() then says so, and it is counted */
	struct rlimit limit = {.rlim_cur = options->open_max + 64u, .rlim_max = options->open_max + 64u};
	struct sigaction action = {.sa_handler = on_signal};

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	(void)prctl(PR_SET_TIMERSLACK, 1UL); /* wake at the intended time, not up to 50 us after it */
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int main(int argc, char **argv)
{
	static struct dial_report report;
	static struct dial_options options;
	struct dial_engine *engine = NULL;
	int status = dial_options_parse(argc, argv, &options);

	if (status != -1)
		return status;
	prepare_process(&options);
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	int result = epoll_fd < 0 ? -errno : dial_engine_create(&options, epoll_fd, &report, &engine);
	if (result == 0 && options.csv_path != NULL)
		result = dial_report_csv_open(&report, options.csv_path);
	if (result != 0) {
		fprintf(stderr, "weir-dial: cannot start: %s\n", strerror(-result));
		dial_engine_destroy(engine);
		return 1;
	}
	report.start_ns = now_ns();
	loop_run(engine, &options, &report, epoll_fd);

	double seconds = (double)(now_ns() - report.start_ns) * 1e-9;
	if (options.json)
		dial_report_json(&report, &options, argc, argv, seconds, stdout);
	else
		dial_report_text(&report, &options, stdout);
	dial_engine_destroy(engine);
	if (report.csv != NULL && fclose(report.csv) != 0) {
		fprintf(stderr, "weir-dial: %s: %s\n", options.csv_path, strerror(errno));
		return 1;
	}
	return 0;
}
