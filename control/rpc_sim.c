/* SPDX-License-Identifier: BSD-3-Clause
 * sim.restart: what a restart of weir-control would leave. Only in simulate; sim.eval is in rpc_sim_eval.c.
 */
#include "control/rpc_private.h"

void rpc_sim_restart(struct rpc_request *request)
{
	struct control *control = request->control;
	char text[CONFIG_ERROR_MAX];
	if (control_restart_simulated(control, text, sizeof(text)) != 0)
		rpc_fail(request, PROTOCOL_ERROR_BUSY, "store", "the store cannot be read: %s", text);
	else
		request->result = json_pack("{s:{s:I, s:I, s:I, s:I}}", "loaded", "bans",
			(json_int_t)control->loaded.bans, "strikes", (json_int_t)control->loaded.strikes,
			"lists", (json_int_t)control->loaded.lists, "book", (json_int_t)control->loaded.book);
}
