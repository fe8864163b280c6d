/* SPDX-License-Identifier: BSD-3-Clause
 * A directory of its own for tests that make segments, removed with what it holds. Header-only; one thread.
 */
#ifndef WEIR_TESTS_UNIT_SEGMENT_FIXTURE_H
#define WEIR_TESTS_UNIT_SEGMENT_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct segment_fixture {
	char directory[64], path[80], new_path[88];
};

/** Under /dev/shm, where segments live. */
static inline void segment_fixture_make(struct segment_fixture *fixture)
{
	snprintf(fixture->directory, sizeof(fixture->directory), "/dev/shm/weir_test_segment_XXXXXX");
	if (!mkdtemp(fixture->directory))
		abort();
	snprintf(fixture->path, sizeof(fixture->path), "%s/segment", fixture->directory);
	snprintf(fixture->new_path, sizeof(fixture->new_path), "%s.new", fixture->path);
}

/** False when something else was left in the directory. */
static inline bool segment_fixture_remove(struct segment_fixture *fixture)
{
	unlink(fixture->path);
	return rmdir(fixture->directory) == 0;
}

#endif
