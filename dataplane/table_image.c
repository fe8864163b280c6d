// SPDX-License-Identifier: BSD-3-Clause
/* The builder (table_image.h). It runs while packets flow, on whatever CPU the scheduler gives it, and may take seconds for
 * ten million bans. It shares nothing with anybody but the result, which it hands over through done_fd.
 */
#include "dataplane/table_image.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/memory.h"
#include "shm/image_file.h"

static int table_image_rules_build(const struct table_image *image, const struct image_view *view, struct ruleset **ret_rules)
{
	struct ruleset *rules = NULL;
	int rc = ruleset_create(view, image->shared->unproven, image->shared->proven_opens, &rules);

	if (rc < 0)
		return rc;
	rc = ruleset_tables_create(rules, view, image->spare, &image->shared->table_key, &memory_tables);
	if (rc < 0) {
		ruleset_destroy(rules);
		return rc;
	}
	*ret_rules = rules;
	return 0;
}

static void table_image_build(struct table_image *image)
{
	struct table_image_result *result = &image->result;
	struct image_view view;
	void *block = NULL;
	size_t bytes = 0;

	memset(result, 0, sizeof(*result));
	result->error = image_file_read(image->path, &block, &bytes);
	if (result->error < 0)
		return;
	result->image_error = image_validate(block, bytes, &view);
	if (result->image_error == IMAGE_OK) {
		result->instance = view.header->instance;
		result->generation = view.header->generation;
		result->covers_sequence = view.header->covers_sequence;
		result->error = table_image_rules_build(image, &view, &result->rules);
	} else {
		result->error = -EBADMSG;
	}
	free(block);
}

static void *table_image_run(void *argument)
{
	struct table_image *image = argument;
	static const uint64_t one = 1;

	table_image_build(image);
	/* The only way this fails is a full counter, and it is read before each start. */
	if (write(image->done_fd, &one, sizeof(one)) < 0)
		abort();
	return NULL;
}

int table_image_prepare(struct table_image *image, const char *path, const struct stage_shared *shared)
{
	memset(image, 0, sizeof(*image));
	snprintf(image->path, sizeof(image->path), "%s", path);
	image->shared = shared;
	image->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return image->done_fd < 0 ? -errno : 0;
}

int table_image_start(struct table_image *image, uint64_t spare)
{
	struct sched_param ordinary = { .sched_priority = 0 };
	pthread_attr_t attributes;
	int rc;

	if (image->running)
		return -EBUSY;
	image->spare = spare;
	pthread_attr_init(&attributes);
	/* The table thread may run at a real-time priority; a build of seconds must not inherit it. */
	pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
	pthread_attr_setschedparam(&attributes, &ordinary);
	rc = pthread_create(&image->thread, &attributes, table_image_run, image);
	pthread_attr_destroy(&attributes);
	if (rc != 0)
		return -EAGAIN;
	image->running = true;
	return 0;
}

bool table_image_finish(struct table_image *image, struct table_image_result *ret_result)
{
	uint64_t ended;

	if (!image->running || read(image->done_fd, &ended, sizeof(ended)) < 0)
		return false;
	pthread_join(image->thread, NULL);
	image->running = false;
	*ret_result = image->result;
	return true;
}

void table_image_close(struct table_image *image)
{
	if (image->running) {
		pthread_join(image->thread, NULL);
		table_image_rules_free(image->result.rules);
		image->running = false;
	}
	if (image->done_fd >= 0)
		close(image->done_fd);
	image->done_fd = -1;
}

void table_image_rules_free(struct ruleset *rules)
{
	if (!rules)
		return;
	ruleset_tables_destroy(rules);
	ruleset_destroy(rules);
}
