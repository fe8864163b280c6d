// SPDX-License-Identifier: BSD-3-Clause
/* weir-dataplane: a bump in the wire that decides for each packet. Main reads the command line, puts the dataplane together, and
 * then is its first lcore: the loop that every lcore runs is worker_run (worker.c), its heart is stage_decide_burst (stage.h).
 * The table thread (table_thread.c) receives the signals and ends all loops.
 */
#include <stdio.h>

#include <rte_launch.h>

#include "dataplane/dataplane.h"

static struct dataplane dataplane; /* too large for a stack */

int main(int argc, char **argv)
{
	char error[OPTIONS_ERROR_MAX];
	struct options options;

	switch (options_parse(argc, argv, &options, error)) {
	case OPTIONS_EXIT_OK:
		return 0;
	case OPTIONS_EXIT_WRONG:
		fprintf(stderr, "weir-dataplane: %s\n", error);
		return 2;
	case OPTIONS_RUN:
		break;
	}
	table_thread_signals_block();
	if (dataplane_start(&options, &dataplane) < 0)
		return 1;
	for (unsigned lcore = 1; lcore < options.n_lcores; lcore++)
		rte_eal_remote_launch(worker_run, &dataplane.workers[lcore], lcore);
	worker_run(&dataplane.workers[0]);
	rte_eal_mp_wait_lcore();
	dataplane_stop(&dataplane);
	return 0;
}
