/* SPDX-License-Identifier: BSD-3-Clause
 * From an image file to a ruleset with its own tables, built aside by a short-lived builder thread at ordinary priority, so that
 * the table thread stays free for commands. Nothing that lcores can see is touched here. Only the table thread calls these.
 */
#ifndef WEIR_DATAPLANE_TABLE_IMAGE_H
#define WEIR_DATAPLANE_TABLE_IMAGE_H

#include <pthread.h>
#include <stdatomic.h>

#include "dataplane/ruleset.h"
#include "dataplane/stage.h"
#include "shm/paths.h"

struct table_image_result {
	int error; /* 0; -errno of reading or building; -EBADMSG: image_error says what is wrong */
	enum image_error image_error;
	struct ruleset *rules; /* NULL unless error is 0 */
	uint64_t instance, generation, covers_sequence; /* of the image; 0 when it could not be read */
};

struct table_image {
	char path[PATHS_TEXT_MAX];
	const struct stage_shared *shared;
	int done_fd; /* readable when a build has ended; the owner polls it */
	bool running;
	pthread_t thread;
	uint64_t spare; /* room for so many more bans of each kind */
	struct table_image_result result; /* the builder's until done_fd is readable */
};

/** Opens done_fd. 0 or -errno. */
int table_image_prepare(struct table_image *image, const char *path, const struct stage_shared *shared);
/** Begin to build what is at the path now. -EBUSY: one is being built; -EAGAIN: no thread could be made. */
int table_image_start(struct table_image *image, uint64_t spare);
/** True when a build has ended: its result is the caller's, rules included. */
bool table_image_finish(struct table_image *image, struct table_image_result *ret_result);
/** Wait for a running build and throw it away. */
void table_image_close(struct table_image *image);
/** Free a ruleset and its tables. The caller has ended a grace period since lcores could reach it. */
void table_image_rules_free(struct ruleset *rules);

#endif
