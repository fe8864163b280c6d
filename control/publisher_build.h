/* SPDX-License-Identifier: BSD-3-Clause
 * One build of an image on a thread of its own: merge, compile, write, rename. The event loop fills the
 * inputs, starts it, and takes the outputs after publisher_build_reap or _wait said so; in between it touches
 * none of them.
 */
#ifndef WEIR_CONTROL_PUBLISHER_BUILD_H
#define WEIR_CONTROL_PUBLISHER_BUILD_H

#include <pthread.h>

#include "control/enforced_set.h"
#include "control/snapshot.h"
#include "shm/command_log.h"

/** An immutable copy of the lists, counted by the event loop only. */
struct publisher_lists {
	unsigned references;
	struct prefix *allow, *deny;
	size_t n_allow, n_deny;
};

struct publisher_build {
	char image_path[160];
	int event_fd;
	pthread_t thread;
	bool running;
	/* inputs */
	struct enforced_set *set; /* base and frozen are the worker's while it runs */
	struct snapshot_policy policy;
	struct snapshot_clock clock;
	struct publisher_lists *lists;
	uint64_t instance, generation, covers_sequence;
	/* outputs */
	struct enforced_entries merged;
	int error;
	uint64_t image_bytes, build_ms;
};

int publisher_build_open(struct publisher_build *build, const char *image_path);
/** Waits for a running build. */
void publisher_build_close(struct publisher_build *build);
/** 0, or -errno (also in build->error) when no thread could be made. */
int publisher_build_start(struct publisher_build *build);
/** True once the build has ended; false: still running. */
bool publisher_build_reap(struct publisher_build *build);
void publisher_build_wait(struct publisher_build *build);

#endif
