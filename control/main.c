/* SPDX-License-Identifier: BSD-3-Clause
 * weir-control: arguments, start, event loop, end. Read control/README.md first; the state is in control.h.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "control/control.h"
#include "control/event_loop.h"
#include "control/log.h"
#include "control/rpc.h"
#include "control/rpc_server.h"
#include "control/simulate.h"

#define TICK_NS      UINT64_C(20000000) /* events and heartbeat; the reader of the heartbeat allows a second */
#define NOTIFY_TICKS 50                 /* systemd hears of us once a second */

struct process {
	const char *config_path;
	struct control control;
	struct event_loop *loop;
	struct rpc *rpc;
	struct rpc_server *server;
	struct event_source *tick, *due, *link, *image, *store;
	int64_t due_armed_ms;
	unsigned ticks;
	bool more;
};

static void turn_begin(void *context)
{
	struct process *process = context;
	control_clock(&process->control);
}

/* The governor's timer: armed for what is due next, never later than a minute, so that a stepped wall clock
 * is noticed. */
static void due_arm(struct process *process)
{
	struct control *control = &process->control;
	int64_t next_ms = roster_next_due_ms(control->roster, /* ticks= */ true);
	int64_t wait_ms = next_ms <= control->clock.wall_ms ? 0 : next_ms - control->clock.wall_ms;
	if (wait_ms > 60000)
		wait_ms = 60000;
	(void)event_loop_arm(process->due, (uint64_t)wait_ms * 1000000, 0);
}

static void turn_end(void *context)
{
	struct process *process = context;
	rpc_server_run(process->server);
	rpc_tick(process->rpc);
	control_turn_end(&process->control);
	rpc_server_turn_end(process->server);
	int64_t next_ms = roster_next_due_ms(process->control.roster, /* ticks= */ true);
	if (next_ms != process->due_armed_ms) {
		process->due_armed_ms = next_ms;
		due_arm(process);
	}
}

static void on_due(void *context, unsigned ready)
{
	struct process *process = context;
	(void)ready;
	(void)control_advance(&process->control);
	process->due_armed_ms = roster_next_due_ms(process->control.roster, /* ticks= */ true);
	due_arm(process);
}

static void on_tick(void *context, unsigned ready)
{
	struct process *process = context;
	(void)ready;
	bool more = control_tick(&process->control);
	if (more != process->more) {
		/* a burst of events: read on every millisecond until the rings are empty */
		process->more = more;
		(void)event_loop_arm(
			process->tick, more ? TICK_NS / 20 : TICK_NS, more ? TICK_NS / 20 : TICK_NS);
	}
	if (++process->ticks % NOTIFY_TICKS != 0)
		return;
	rpc_server_restore(process->server);
	(void)sd_notifyf(0, "WATCHDOG=1\nSTATUS=%llu bans in force",
		(unsigned long long)governor_ban_count(process->control.governor));
}

static void on_link(void *context, unsigned ready)
{
	struct process *process = context;
	(void)ready;
	dataplane_link_on_input(process->control.link, process->control.clock.mono_ns);
}

static void on_link_change(void *context, int fd)
{
	struct process *process = context;
	event_loop_remove(process->loop, process->link);
	process->link = NULL;
	if (fd >= 0 &&
		event_loop_add(process->loop, fd, EVENT_LOOP_IN, on_link, process, &process->link) != 0)
		log_warning("the dataplane's socket cannot be watched, ignoring its answers");
}

static void on_image(void *context, unsigned ready)
{
	struct process *process = context;
	(void)ready;
	int error = publisher_reap(process->control.publisher, &process->control.clock);
	if (error != 0)
		log_error("the image cannot be published, trying again in a second: %s", strerror(-error));
}

static void on_store(void *context, unsigned ready)
{
	struct process *process = context;
	uint64_t count;
	(void)ready;
	/* the waiting requests look at it at the end of the turn */
	(void)!read(store_event_fd(process->control.store), &count, sizeof(count));
}

static int reload(void *context, char *text, size_t bytes)
{
	struct process *process = context;
	struct config *config = malloc(sizeof(*config));
	char restart[256];
	if (config == NULL) {
		snprintf(text, bytes, "not enough memory");
		return -ENOMEM;
	}
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		(unsigned long long)(process->control.clock.mono_ns / 1000));
	int error = config_load(process->config_path, config, text, bytes);
	if (error == 0) {
		error = control_reload(&process->control, config, text, bytes, restart, sizeof(restart));
		if (error != 0)
			config_free(config);
	}
	free(config);
	if (error != 0) {
		log_error("the configuration is wrong, keeping the old one: %s", text);
	} else {
		log_info("configuration reloaded%s%s", restart[0] != '\0' ? "; only a restart changes " : "",
			restart);
		snprintf(text, bytes, "%s", restart);
	}
	(void)sd_notify(0, "READY=1");
	return error;
}

static void on_signal(void *context, unsigned number)
{
	struct process *process = context;
	char text[CONFIG_ERROR_MAX];
	if (number == SIGHUP) {
		(void)reload(process, text, sizeof(text));
		return;
	}
	log_info("ending on signal %u", number);
	(void)sd_notify(0, "STOPPING=1");
	event_loop_stop(process->loop);
}

static int watch_start(struct process *process)
{
	static const int signals[] = {SIGHUP, SIGTERM, SIGINT, 0};
	struct event_loop *loop = process->loop;
	int error = event_loop_add_signals(loop, signals, on_signal, process);
	if (error == 0)
		error = event_loop_add_timer(loop, on_tick, process, &process->tick);
	if (error == 0)
		error = event_loop_arm(process->tick, TICK_NS, TICK_NS);
	if (error == 0)
		error = event_loop_add_timer(loop, on_due, process, &process->due);
	if (error == 0)
		error = event_loop_add(loop, publisher_event_fd(process->control.publisher), EVENT_LOOP_IN,
			on_image, process, &process->image);
	if (error == 0)
		error = event_loop_add(loop, store_event_fd(process->control.store), EVENT_LOOP_IN, on_store,
			process, &process->store);
	event_loop_set_hooks(loop, turn_begin, turn_end, process);
	process->control.watch = on_link_change;
	process->control.watch_context = process;
	due_arm(process);
	return error;
}

static int run(struct process *process, char *error_text, size_t error_bytes)
{
	struct rpc_host host = {process, reload};
	int error = watch_start(process);
	if (error == 0)
		error = rpc_create(&process->control, &host, &process->rpc);
	if (error != 0) {
		snprintf(error_text, error_bytes, "the event loop cannot start: %s", strerror(-error));
		return error;
	}
	error = rpc_server_open(process->loop, process->rpc, &process->control.config, &process->server,
		error_text, error_bytes);
	if (error != 0)
		return error;
	log_info("weir-control %s is ready: instance %s, %llu bans", WEIR_VERSION,
		process->control.config.instance,
		(unsigned long long)governor_ban_count(process->control.governor));
	(void)sd_notify(0, "READY=1");
	error = event_loop_run(process->loop);
	if (error != 0)
		snprintf(error_text, error_bytes, "the event loop failed: %s", strerror(-error));
	return error;
}

static int serve(struct process *process, struct config *config)
{
	static const int early[] = {SIGHUP, SIGTERM, SIGINT, SIGPIPE, 0};
	char error_text[CONFIG_ERROR_MAX + 512] = "";
	sigset_t set;
	/* Blocked before any thread exists, so that every thread inherits it; signalfd takes them later, none
	 * is lost. */
	sigemptyset(&set);
	for (const int *number = early; *number != 0; number++)
		sigaddset(&set, *number);
	sigprocmask(SIG_BLOCK, &set, NULL);
	log_set_level((enum log_level)config->log_level);

	int error = event_loop_create(&process->loop);
	if (error == 0)
		error = control_open(&process->control, config, error_text, sizeof(error_text));
	bool opened = error == 0;
	if (error == 0)
		error = run(process, error_text, sizeof(error_text));
	if (error != 0)
		log_error("%s", error_text[0] != '\0' ? error_text : strerror(-error));
	rpc_server_close(process->server);
	rpc_destroy(process->rpc);
	process->control.watch = NULL;
	if (opened) {
		int close_error = control_close(&process->control);
		if (close_error != 0)
			log_error("not everything could be written at the end: %s", strerror(-close_error));
		error = error != 0 ? error : close_error;
	}
	event_loop_destroy(process->loop);
	return error == 0 ? 0 : 1;
}

static void usage(FILE *file)
{
	fprintf(file, "usage: weir-control --config FILE [--check]\n"
		      "       weir-control --simulate [OPTION]...   (see --simulate --help)\n"
		      "       weir-control --rpc-reference | --version | --help\n"
		      "  --config FILE     the configuration\n"
		      "  --check           only check it: exit 0 when it is right, 1 when not\n"
		      "  --rpc-reference   print the methods of the socket\n");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 'k'}, {"rpc-reference", no_argument, NULL, 'r'},
		{"version", no_argument, NULL, 'v'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	static struct process process;
	static struct config config;
	char error_text[CONFIG_ERROR_MAX];
	bool check = false;
	int option;

	if (argc > 1 && strcmp(argv[1], "--simulate") == 0)
		return simulate_main(argc - 1, argv + 1);

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			process.config_path = optarg;
			break;
		case 'k':
			check = true;
			break;
		case 'r':
			rpc_reference(stdout);
			return 0;
		case 'v':
			printf("weir-control %s\n", WEIR_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return 2;
		}
	}
	if (process.config_path == NULL || optind != argc) {
		usage(stderr);
		return 2;
	}
	if (config_load(process.config_path, &config, error_text, sizeof(error_text)) != 0) {
		log_error("%s", error_text);
		return 1;
	}
	if (check) {
		config_free(&config);
		return 0;
	}
	return serve(&process, &config);
}
