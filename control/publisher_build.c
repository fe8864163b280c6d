/* SPDX-License-Identifier: BSD-3-Clause
 * The worker side of the publisher. Its time is proportional to the set; nothing waits for it but start and
 * stop.
 */
#include "control/publisher_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "shm/image_file.h"

static int build_compile(struct publisher_build *build, void **ret_block, size_t *ret_bytes)
{
	struct snapshot snapshot;
	struct prefix prefix;
	int error = snapshot_begin(&build->policy, &build->clock, &snapshot);
	if (error != 0)
		return error;
	for (size_t i = 0; i < build->lists->n_allow && error == 0; i++)
		error = snapshot_add_allow(&snapshot, &build->lists->allow[i]);
	for (size_t i = 0; i < build->lists->n_deny && error == 0; i++)
		error = snapshot_add_deny(&snapshot, &build->lists->deny[i]);
	for (size_t i = 0; i < build->merged.n && error == 0; i++) {
		const struct enforced_entry *entry = &build->merged.items[i];
		memcpy(prefix.address.bytes, entry->address, sizeof(entry->address));
		prefix.length = entry->length;
		error = snapshot_add_ban(
			&snapshot, &prefix, entry->class, enforced_end_ms(entry->end_wall_s));
	}
	if (error == 0)
		error = snapshot_finish(&snapshot, build->instance, build->generation, build->covers_sequence,
			ret_block, ret_bytes);
	snapshot_free(&snapshot);
	return error;
}

static int build_run(struct publisher_build *build)
{
	void *block = NULL;
	size_t bytes = 0;
	memset(&build->merged, 0, sizeof(build->merged));
	int error = enforced_set_merge(build->set, (uint32_t)(build->clock.wall_ms / 1000), &build->merged);
	if (error == 0)
		error = build_compile(build, &block, &bytes);
	if (error == 0)
		error = image_file_publish(build->image_path, block, bytes);
	free(block);
	if (error != 0) {
		free(build->merged.items);
		memset(&build->merged, 0, sizeof(build->merged));
	}
	build->image_bytes = bytes;
	return error;
}

static uint64_t elapsed_ms(const struct timespec *from, const struct timespec *to)
{
	return (uint64_t)(to->tv_sec - from->tv_sec) * 1000 +
	       (uint64_t)((to->tv_nsec - from->tv_nsec) / 1000000);
}

static void *build_main(void *argument)
{
	struct publisher_build *build = argument;
	struct timespec start, end;
	uint64_t one = 1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	build->error = build_run(build);
	clock_gettime(CLOCK_MONOTONIC, &end);
	build->build_ms = elapsed_ms(&start, &end);
	/* an eventfd takes a count of one unless it holds 2^64 - 2 of them */
	(void)!write(build->event_fd, &one, sizeof(one));
	return NULL;
}

int publisher_build_open(struct publisher_build *build, const char *image_path)
{
	snprintf(build->image_path, sizeof(build->image_path), "%s", image_path);
	build->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return build->event_fd < 0 ? -errno : 0;
}

int publisher_build_start(struct publisher_build *build)
{
	build->error = 0; /* before the worker is there: the word is its own from then on */
	int error = pthread_create(&build->thread, NULL, build_main, build);
	build->running = error == 0;
	if (error != 0)
		build->error = -error;
	return -error;
}

bool publisher_build_reap(struct publisher_build *build)
{
	uint64_t count;
	if (!build->running || read(build->event_fd, &count, sizeof(count)) != sizeof(count))
		return false;
	pthread_join(build->thread, NULL); /* it wrote the event as its last act */
	build->running = false;
	return true;
}

void publisher_build_wait(struct publisher_build *build)
{
	uint64_t count;
	if (!build->running)
		return;
	pthread_join(build->thread, NULL);
	build->running = false;
	(void)!read(build->event_fd, &count, sizeof(count));
}

void publisher_build_close(struct publisher_build *build)
{
	publisher_build_wait(build);
	if (build->event_fd >= 0)
		close(build->event_fd);
}
