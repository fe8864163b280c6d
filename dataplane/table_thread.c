// SPDX-License-Identifier: BSD-3-Clause
/* The table thread (table_thread.h). One turn: what control has written, what the builder has finished, commands, expiry, then
 * sleep until the doorbell, a signal, the builder, or a millisecond. A command is published as applied only after its store: a lcore
 * that starts a burst after that store sees it, so every packet received after the answer meets the new table.
 */
#include "dataplane/table_thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "dataplane/monotonic_clock.h"
#include "dataplane/notify.h"
#include "dataplane/table_commands.h"

enum {
	TABLE_MISSED_MS = 1000,	  /* the devices' own counts: dozens of registers or a system call each */
	TABLE_BEAT_MS = 50,	  /* heartbeat, clock anchor; readers call 100 ms and more a hang */
	TABLE_RETRY_MS = 50,	  /* between two looks for an image that is missing */
	TABLE_REFUSED_MS = 1000,  /* after one was refused: reading ten million bans again takes a while */
	TABLE_POLL_US = 1000,	  /* without a doorbell: a ban shall bite within some 1 ms */
	TABLE_POLL_RUNG_US = 10000, /* with one: only the consumed numbers and expiry wait for it */
	TABLE_BACKLOG_PAUSE_US = 50,  /* between two batches of a backlog: at a real-time priority an lcore may share our CPU */
	TABLE_EXPIRE_BUCKETS = 256,   /* a turn: 2^21 buckets, ten million bans, in 8 to 80 s; lookups check the end themselves */
	TABLE_SPARE_MIN = 1 << 16,    /* as many as the log can hold before the next image */
	TABLE_SPARE_MAX = 1 << 26,
	TABLE_PRIORITY_NICE = -10,
};

void table_thread_signals_block(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static struct dataplane_payload *table_payload(struct table_thread *thread)
{
	return thread->setup.segment->payload;
}

static void table_state_set(struct table_thread *thread, enum dataplane_state state)
{
	atomic_store_explicit(&table_payload(thread)->state, (uint64_t)state, memory_order_release);
}

static void table_counts_publish(struct table_thread *thread)
{
	struct dataplane_payload *payload = table_payload(thread);

	if (!thread->rules)
		return;
	atomic_store_explicit(&payload->bans_v4, ban_table_count(thread->rules->bans_v4), memory_order_relaxed);
	atomic_store_explicit(&payload->bans_v6, ban_table_count(thread->rules->bans_v6), memory_order_relaxed);
	atomic_store_explicit(&payload->bans_exact, ban_table_count(thread->rules->bans_exact), memory_order_relaxed);
	atomic_store_explicit(&payload->list_labels, lists_label_count(thread->rules->lists), memory_order_relaxed);
}

static void table_missed_publish(struct table_thread *thread, uint64_t now_ns)
{
	const struct link_relay *relay = thread->setup.relay;
	uint64_t missed = 0;

	if (now_ns < thread->next_missed_ns)
		return;
	thread->next_missed_ns = now_ns + TABLE_MISSED_MS * UINT64_C(1000000);
	for (unsigned i = 0; i < relay->n_pairs * 2; i++)
		missed += port_missed(&relay->pairs[i / 2][i % 2]);
	atomic_store_explicit(&table_payload(thread)->rx_missed, missed, memory_order_relaxed);
}

/* Flows look at the tables again when an epoch of theirs has moved. After the store that it announces. */
static void table_command_announce(struct table_thread *thread, const struct command_record *record)
{
	struct prefix prefix = { .length = record->prefix_length };

	memcpy(prefix.address.bytes, record->address, sizeof(prefix.address.bytes));
	if (record->kind == COMMAND_BAN_SET || record->kind == COMMAND_BAN_CLEAR)
		stage_shared_ban_moved(thread->setup.stage_shared, &prefix);
	else if (record->kind != COMMAND_FLOW_CUT)
		stage_shared_all_moved(thread->setup.stage_shared);
}

static void table_applied_publish(struct table_thread *thread, uint64_t sequence)
{
	struct dataplane_payload *payload = table_payload(thread);

	thread->applied_sequence = sequence;
	atomic_store_explicit(&payload->control_instance, thread->loaded_instance, memory_order_relaxed);
	atomic_store_explicit(&payload->applied_sequence, sequence, memory_order_release);
}

enum table_replay {
	TABLE_REPLAY_DONE,  /* all, or as far as a command that must wait */
	TABLE_REPLAY_FULL,  /* a table is too small */
	TABLE_REPLAY_SHORT, /* the log does not reach back to the image, or is damaged */
};

/* Commands after the image, on tables that no lcore sees yet. *applied moves from what the image covers to the last command done. */
static enum table_replay table_log_replay(struct table_thread *thread, struct ruleset *rules, uint64_t *applied)
{
	const struct dataplane_segment *segment = thread->setup.segment;
	struct command_log_cursor cursor = { .applied_sequence = *applied };
	uint64_t done = thread->cursor.applied_sequence; /* cuts are made once */
	enum command_log_result result;
	unsigned n = 0;

	if (thread->loaded_instance != thread->control.instance)
		done = segment->predecessor_control_instance == thread->control.instance ? segment->predecessor_applied_sequence : 0;
	while ((result = command_log_read(&thread->control.reader, &cursor, thread->replayed, TABLE_THREAD_BATCH, &n)) ==
		COMMAND_LOG_RECORDS_READ)
		for (unsigned i = 0; i < n; i++) {
			bool cut = thread->replayed[i].sequence > done;
			int rc = table_commands_apply(rules, &thread->replayed[i], false, cut ? thread->setup.dispatch : NULL);

			if (rc == -ENOSPC)
				return TABLE_REPLAY_FULL;
			if (rc == -EAGAIN || rc == -E2BIG)
				return TABLE_REPLAY_DONE;
			*applied = thread->replayed[i].sequence;
		}
	return result == COMMAND_LOG_EMPTY ? TABLE_REPLAY_DONE : TABLE_REPLAY_SHORT;
}

/* From NULL or old numbers to new ones: lcores must not use their stages while flows are indexed again. */
static void table_flows_adopt(struct table_thread *thread, struct ruleset *rules)
{
	struct ruleset *published = rcu_xchg_pointer(&thread->setup.shared->rules, NULL);
	uint64_t known;

	if (published)
		synchronize_rcu();
	known = flow_segment_adopt(thread->setup.flows, thread->setup.dispatch, rules, thread->setup.stages,
		(uint32_t)(monotonic_kernel_ns() / 1000000));
	if (known != 0)
		fprintf(stderr, "weir-dataplane: %lu flows go on.\n", (unsigned long)known);
}

static void table_image_put_in_force(struct table_thread *thread, const struct table_image_result *result, uint64_t applied)
{
	struct dataplane_payload *payload = table_payload(thread);
	struct ruleset *old = thread->rules;

	/* A ban that the new rules lift must not go on in a device. */
	table_offload_follow(thread->setup.offload, result->rules, monotonic_kernel_ns());
	if (!old || !flow_segment_fits(thread->setup.flows, result->rules))
		table_flows_adopt(thread, result->rules);
	rcu_xchg_pointer(&thread->setup.shared->rules, result->rules);
	stage_shared_all_moved(thread->setup.stage_shared);
	thread->rules = result->rules;
	thread->loaded_instance = result->instance;
	thread->loaded_generation = result->generation;
	thread->cursor.applied_sequence = applied;
	thread->n_records = thread->next_record = 0;
	thread->reload = false;
	synchronize_rcu();
	/* Again: until here an lcore may have looked a flow up in the old tables under the new epoch. */
	stage_shared_all_moved(thread->setup.stage_shared);
	table_image_rules_free(old);
	atomic_store_explicit(&payload->loaded_generation, result->generation, memory_order_relaxed);
	table_applied_publish(thread, applied);
	table_state_set(thread, DATAPLANE_STATE_GOVERNING);
	if (!thread->ready_said)
		notify_send("READY=1\nSTATUS=governing");
	thread->ready_said = true;
}

static void table_image_refuse(struct table_thread *thread, const struct table_image_result *result)
{
	struct dataplane_payload *payload = table_payload(thread);
	const char *why = result->error == -EBADMSG ? image_error_text(result->image_error) : strerror(-result->error);

	/* No image at all is what a first start looks like: the gate speaks of it. */
	if (result->error == -ENOENT)
		return;
	/* A damaged image carries no numbers to be trusted: control's word says which one it was. */
	thread->refused_instance = thread->control.open ? thread->control.instance : 0;
	thread->refused_generation = thread->control.image_generation;
	if (thread->missing_said && atomic_load_explicit(&payload->last_image_error, memory_order_relaxed) == result->image_error)
		return;
	thread->missing_said = true;
	atomic_fetch_add_explicit(&payload->image_rejected, 1, memory_order_relaxed);
	atomic_store_explicit(&payload->last_image_error, result->image_error, memory_order_relaxed);
	fprintf(stderr, "weir-dataplane: the image %s is refused: %s%s\n", thread->image.path, why,
		thread->rules ? " The rules in force stay." : "");
}

/* Bring the new tables up to the last command. False: they must not replace what is in force. */
static bool table_image_complete(struct table_thread *thread, const struct table_image_result *result, uint64_t *applied)
{
	enum table_replay replay;

	*applied = result->covers_sequence;
	/* An image of another control is the truth only while nothing newer is in force. */
	if (result->instance != thread->control.instance)
		return !thread->rules || !thread->control.open;
	replay = table_log_replay(thread, result->rules, applied);
	if (replay == TABLE_REPLAY_FULL) {
		thread->spare = thread->spare < TABLE_SPARE_MAX ? thread->spare * 2 : thread->spare;
		thread->reload = true;
		return false;
	}
	/* Never back behind what is in force. With nothing in force, an image without all of its log is better than none, unless
	 * a newer image is there already. */
	if (thread->rules && result->instance == thread->loaded_instance)
		return *applied >= thread->applied_sequence;
	return replay == TABLE_REPLAY_DONE || thread->control.image_generation <= result->generation;
}

static void table_build_finish(struct table_thread *thread, uint64_t now_ns)
{
	struct table_image_result result;
	uint64_t applied;

	if (!table_image_finish(&thread->image, &result))
		return;
	thread->next_try_ns = now_ns + TABLE_RETRY_MS * UINT64_C(1000000);
	if (result.error != 0) {
		table_image_refuse(thread, &result);
		thread->next_try_ns = now_ns + TABLE_REFUSED_MS * UINT64_C(1000000);
	} else if (!table_image_complete(thread, &result, &applied)) {
		table_image_rules_free(result.rules);
	} else {
		thread->missing_said = false;
		table_image_put_in_force(thread, &result, applied);
		table_counts_publish(thread);
	}
}

static bool table_image_is_wanted(const struct table_thread *thread)
{
	const struct table_control *control = &thread->control;

	if (!thread->rules)
		return access(thread->image.path, F_OK) == 0;
	if (thread->reload)
		return true;
	if (!control->open || control->image_generation == 0)
		return false;
	if (control->instance == thread->refused_instance && control->image_generation == thread->refused_generation)
		return false;
	return control->instance != thread->loaded_instance || control->image_generation > thread->loaded_generation;
}

static void table_image_follow(struct table_thread *thread, uint64_t now_ns)
{
	table_build_finish(thread, now_ns);
	if (thread->image.running || now_ns < thread->next_try_ns || !table_image_is_wanted(thread))
		return;
	if (table_image_start(&thread->image, thread->spare) < 0)
		thread->next_try_ns = now_ns + TABLE_RETRY_MS * UINT64_C(1000000);
}

/* Apply what was read. False: a record must wait. */
static bool table_records_apply(struct table_thread *thread)
{
	uint64_t applied = 0;
	int rc = 0;

	while (thread->next_record < thread->n_records) {
		const struct command_record *record = &thread->records[thread->next_record];

		table_offload_command(thread->setup.offload, record);
		rc = table_commands_apply(thread->rules, record, true, thread->setup.dispatch);
		if (rc == -ENOSPC || rc == -EAGAIN || rc == -E2BIG)
			break;
		table_command_announce(thread, record);
		applied = record->sequence;
		thread->next_record++;
	}
	if (applied != 0)
		table_applied_publish(thread, applied);
	if ((rc == -ENOSPC || table_commands_should_grow(thread->rules)) && !thread->reload && thread->spare < TABLE_SPARE_MAX) {
		thread->spare *= 2;
		thread->reload = true;
	}
	return thread->next_record == thread->n_records;
}

/* Returns true when there is more to read. A log that has gone past us or is damaged gives nothing: the next image covers it. */
static bool table_commands_follow(struct table_thread *thread)
{
	enum command_log_result result;
	bool again = false;

	if (!thread->rules || !thread->control.open || thread->control.instance != thread->loaded_instance)
		return false;
	if (thread->next_record == thread->n_records && thread->control.head_sequence != thread->cursor.applied_sequence) {
		thread->n_records = thread->next_record = 0;
		result = command_log_read(&thread->control.reader, &thread->cursor, thread->records, TABLE_THREAD_BATCH,
			&thread->n_records);
		again = result == COMMAND_LOG_RECORDS_READ && thread->n_records == TABLE_THREAD_BATCH;
	}
	if (thread->next_record < thread->n_records) {
		again = table_records_apply(thread) && again;
		table_counts_publish(thread);
	}
	return again;
}

/* Nothing to govern by: wait for a while, then do what the operator said, aloud. */
static void table_gate_follow(struct table_thread *thread, uint64_t now_ns)
{
	const struct options *options = thread->setup.options;

	if (thread->rules || thread->gate_said || now_ns - thread->started_ns < options->start_wait_ms * UINT64_C(1000000))
		return;
	thread->gate_said = true;
	atomic_store_explicit(&thread->setup.shared->gate, options->fail_open ? WORKER_GATE_OPEN : WORKER_GATE_CLOSED,
		memory_order_relaxed);
	table_state_set(thread, options->fail_open ? DATAPLANE_STATE_OPEN : DATAPLANE_STATE_CLOSED);
	fprintf(stderr, "weir-dataplane: no image came within %u s: %s until one does (--start-fail %s).\n",
		options->start_wait_ms / 1000, options->fail_open ? "EVERYTHING is forwarded ungoverned" : "nothing is forwarded",
		options->fail_open ? "open" : "closed");
	notify_send(options->fail_open ? "READY=1\nSTATUS=no image: open" : "READY=1\nSTATUS=no image: closed");
	thread->ready_said = true;
}

static uint64_t table_wall_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* Before any lcore runs. */
static void table_cookie_start(struct table_thread *thread)
{
	const struct hash_key *secret = thread->setup.cookie_secret;

	cookie_keys_start(&thread->cookie_keys, thread->setup.stage_shared,
		secret ? secret : &thread->setup.flows->payload->cookie_master, secret != NULL, thread->started_ns, table_wall_ns());
}

static void table_beat(struct table_thread *thread, uint64_t now_ns)
{
	uint64_t consumed[CONTROL_RINGS_MAX];

	table_control_consumed_read(&thread->control, thread->setup.segment->segment.header->instance, consumed);
	for (unsigned i = 0; i < thread->setup.options->n_lcores; i++)
		atomic_store_explicit(&thread->setup.shared->ring_consumed[i], consumed[i], memory_order_relaxed);
	if (thread->rules)
		table_commands_expire(thread->rules, (uint32_t)(now_ns / 1000000000), TABLE_EXPIRE_BUCKETS);
	table_offload_step(thread->setup.offload, thread->rules, now_ns);
	link_relay_step(thread->setup.relay, now_ns);
	if (now_ns < thread->next_beat_ns)
		return;
	thread->next_beat_ns = now_ns + TABLE_BEAT_MS * UINT64_C(1000000);
	atomic_store_explicit(&thread->setup.segment->segment.header->heartbeat_ns, now_ns, memory_order_release);
	table_counts_publish(thread);
	table_missed_publish(thread, now_ns);
	/* The slots that lcores left at the last beat are written now. */
	synchronize_rcu();
	monotonic_clock_anchor(&thread->setup.shared->clock);
	cookie_keys_follow(&thread->cookie_keys, thread->setup.stage_shared, now_ns, table_wall_ns());
}

static void table_signals_read(struct table_thread *thread)
{
	struct signalfd_siginfo info;

	if (read(thread->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	notify_send("STOPPING=1");
	table_state_set(thread, DATAPLANE_STATE_STOPPED);
	atomic_store_explicit(&thread->setup.shared->stop, true, memory_order_relaxed);
	for (unsigned i = 0; i < thread->setup.options->n_lcores; i++)
		dispatch_wake(thread->setup.dispatch, i);
}

/* One turn; returns true when there is more to do at once. */
static bool table_turn(struct table_thread *thread)
{
	uint64_t now_ns = monotonic_kernel_ns();
	bool more;

	table_control_follow(&thread->control, now_ns);
	table_image_follow(thread, now_ns);
	more = table_commands_follow(thread);
	table_gate_follow(thread, now_ns);
	table_beat(thread, now_ns);
	return more;
}

static void table_wait(struct table_thread *thread, bool more)
{
	struct pollfd set[3 + LINK_SERVER_CLIENTS];
	unsigned wait_us = link_server_is_connected(&thread->link) ? TABLE_POLL_RUNG_US : TABLE_POLL_US;
	struct timespec limit = { .tv_nsec = 1000 * (long)(more ? TABLE_BACKLOG_PAUSE_US : wait_us) };
	struct link_server_view view = { .shared = thread->setup.stage_shared, .stage = thread->setup.stages[0],
		.rules = thread->rules, .flows = thread->setup.flows };

	set[0] = (struct pollfd){ .fd = thread->signal_fd, .events = POLLIN };
	set[1] = (struct pollfd){ .fd = thread->image.done_fd, .events = POLLIN };
	link_server_poll_set(&thread->link, set + 2);
	if (ppoll(set, 3 + LINK_SERVER_CLIENTS, &limit, NULL) <= 0)
		return;
	if (set[0].revents & POLLIN)
		table_signals_read(thread);
	view.now_ns = monotonic_kernel_ns();
	link_server_serve(&thread->link, set + 2, &view);
}

/* A ban must not wait for a time slice of a busy lcore on our CPU. The work of a turn is short, a backlog pauses, and builds
 * run in a thread of ordinary priority. */
static void table_priority_raise(void)
{
	struct sched_param parameter = { .sched_priority = 1 };

	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameter) == 0)
		return;
	if (setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), TABLE_PRIORITY_NICE) != 0)
		fputs("weir-dataplane: no permission to raise the table thread's priority (CAP_SYS_NICE): a ban may take some milliseconds on a busy machine.\n",
			stderr);
}

static void table_cpus_set(const struct table_thread *thread)
{
	cpu_set_t cpus = thread->setup.cpus;

	for (unsigned i = 0; i < thread->setup.options->n_lcores; i++)
		CPU_CLR(thread->setup.options->lcores[i], &cpus);
	if (CPU_COUNT(&cpus) == 0)
		cpus = thread->setup.cpus;
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
}

static void *table_thread_run(void *argument)
{
	struct table_thread *thread = argument;
	bool more = false;

	table_cpus_set(thread);
	table_priority_raise();
	table_state_set(thread, DATAPLANE_STATE_WAITING);
	while (!atomic_load_explicit(&thread->setup.shared->stop, memory_order_relaxed)) {
		more = table_turn(thread);
		table_wait(thread, more);
	}
	link_relay_end(thread->setup.relay);
	return NULL;
}

int table_thread_start(struct table_thread *thread, const struct table_thread_setup *setup)
{
	char path[PATHS_TEXT_MAX];
	sigset_t signals;
	int rc;

	memset(thread, 0, sizeof(*thread));
	thread->setup = *setup;
	thread->spare = TABLE_SPARE_MIN;
	thread->started_ns = monotonic_kernel_ns();
	table_cookie_start(thread);
	atomic_store_explicit(&table_payload(thread)->started_mono_ns, thread->started_ns, memory_order_relaxed);
	paths_link_socket(setup->options->run_dir, setup->options->instance, path);
	rc = link_server_open(&thread->link, path);
	if (rc < 0)
		return rc;
	paths_control_segment(setup->options->shm_dir, setup->options->instance, path);
	table_control_prepare(&thread->control, path);
	paths_image(setup->options->shm_dir, setup->options->instance, path);
	rc = table_image_prepare(&thread->image, path, setup->stage_shared);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	thread->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	if (rc == 0 && thread->signal_fd < 0)
		rc = -errno;
	if (rc == 0)
		rc = -pthread_create(&thread->thread, NULL, table_thread_run, thread);
	if (rc < 0) {
		fprintf(stderr, "weir-dataplane: the table thread cannot be started (%s).\n", strerror(-rc));
		link_server_close(&thread->link);
	}
	return rc;
}

void table_thread_stop(struct table_thread *thread)
{
	pthread_join(thread->thread, NULL);
	table_image_close(&thread->image);
	table_control_close(&thread->control);
	link_server_close(&thread->link);
	close(thread->signal_fd);
	table_image_rules_free(thread->rules);
	thread->rules = NULL;
}
