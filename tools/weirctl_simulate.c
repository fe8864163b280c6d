/* SPDX-License-Identifier: BSD-3-Clause
 * weirctl simulate: weir-control has the governor, so it is called in our place, with our arguments. Nothing
 * else happens here.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/weirctl.h"

/* Where packages and the build put it, relative to our own executable: bin beside sbin, and tools beside
 * control. */
static const char *const places[] = {"/weir-control", "/../sbin/weir-control", "/../control/weir-control"};

enum { NOT_FOUND = 127 }; /* as shells say it */

int weirctl_simulate_late(struct weirctl *weirctl)
{
	return weirctl_fail(weirctl, RPC_CODE_USAGE,
		"simulate must be the first word: all that follows is for it (allowed: weirctl simulate "
		"...)");
}

int weirctl_simulate(char **argv)
{
	char own[512], path[600];
	ssize_t n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;

	argv[0] = (char *)"--simulate"; /* argv[-1] is our name's place */
	argv[-1] = (char *)"weir-control";
	if (n > 0) {
		own[n] = '\0';
		slash = strrchr(own, '/');
		if (slash != NULL)
			*slash = '\0';
		for (size_t i = 0; slash != NULL && i < sizeof(places) / sizeof(places[0]); i++) {
			snprintf(path, sizeof(path), "%s%s", own, places[i]);
			execv(path, argv - 1);
		}
	}
	execvp("weir-control", argv - 1);
	fprintf(stderr, "weirctl: weir-control cannot be run: %s; simulate is a part of it\n",
		strerror(errno));
	return NOT_FOUND;
}
