/* SPDX-License-Identifier: BSD-3-Clause
 * The names of the files and sockets that control and dataplane share: one contract, so that neither guesses.
 * SHM_DIR holds segments and the image, RUN_DIR the sockets. Pure functions, any thread.
 */
#ifndef WEIR_SHM_PATHS_H
#define WEIR_SHM_PATHS_H

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#define PATHS_SHM_DIR_DEFAULT  "/dev/shm/weir"
#define PATHS_RUN_DIR_DEFAULT  "/run/weir"
#define PATHS_INSTANCE_DEFAULT "weir"

/* A directory, a name and the longest suffix must fit struct sockaddr_un's sun_path, 108 bytes with its NUL. */
enum { PATHS_DIRECTORY_MAX = 64, PATHS_INSTANCE_MAX = 24, PATHS_TEXT_MAX = 108 };

/** "DIR/INSTANCE.SUFFIX" into `path`. 0, or -ENAMETOOLONG (then `path` is ""). */
static inline int paths_make(const char *directory, const char *instance, const char *suffix, char path[PATHS_TEXT_MAX])
{
	int n = snprintf(path, PATHS_TEXT_MAX, "%s/%s.%s", directory, instance, suffix);

	if (n > 0 && n < PATHS_TEXT_MAX)
		return 0;
	path[0] = '\0';
	return -ENAMETOOLONG;
}

/** Control's segment with the command log. Owner: control. */
static inline int paths_control_segment(const char *shm_dir, const char *instance, char path[PATHS_TEXT_MAX])
{
	return paths_make(shm_dir, instance, "control", path);
}
/** The newest snapshot image. Writer: control, by rename. */
static inline int paths_image(const char *shm_dir, const char *instance, char path[PATHS_TEXT_MAX])
{
	return paths_make(shm_dir, instance, "image", path);
}
/** The dataplane's segment with counters and event rings. Owner: dataplane. */
static inline int paths_dataplane_segment(const char *shm_dir, const char *instance, char path[PATHS_TEXT_MAX])
{
	return paths_make(shm_dir, instance, "dataplane", path);
}
/** The flows, which survive the dataplane. Owner: dataplane; reader: its successor. */
static inline int paths_flow_segment(const char *shm_dir, const char *instance, char path[PATHS_TEXT_MAX])
{
	return paths_make(shm_dir, instance, "flows", path);
}
/** The unix socket on which the dataplane listens for control (link.h). */
static inline int paths_link_socket(const char *run_dir, const char *instance, char path[PATHS_TEXT_MAX])
{
	return paths_make(run_dir, instance, "dataplane.sock", path);
}

#endif
