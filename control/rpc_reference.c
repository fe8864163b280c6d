/* SPDX-License-Identifier: BSD-3-Clause
 * The reference page of the socket (control/RPC.md), from the table that dispatches: what it says is what
 * holds. Runs once, in `weir-control --rpc-reference`.
 */
#include <stdio.h>

#include "control/rpc_private.h"

static void method_print(FILE *file, const struct rpc_method *method)
{
	char range[512];
	fprintf(file, "\n### %s\n\n%s\n", method->name, method->help);
	if (method->where == RPC_SIMULATE)
		fprintf(file, "In `weirctl simulate` only.\n");
	else if (method->where == RPC_LIVE)
		fprintf(file, "Not in `weirctl simulate`.\n");
	if (method->writes && method->where != RPC_SIMULATE)
		fprintf(file, "Needs write permission.\n");
	fprintf(file, "\n");
	for (const struct rpc_parameter *parameter = method->parameters;
		parameter != NULL && parameter->name != NULL; parameter++) {
		rpc_parameter_range(parameter, range, sizeof(range));
		fprintf(file, "- `%s`: %s%s\n", parameter->name, range,
			parameter->required ? ", required" : "");
	}
	if (method->results[0] != '\0')
		fprintf(file, "- result: `%s`\n", method->results);
	else
		fprintf(file, "- result: an empty object\n");
}

void rpc_reference(FILE *file)
{
	fprintf(file,
		"# The node's interface\n\n"
		"Printed by `weir-control --rpc-reference` from the table that dispatches "
		"(`rpc_table.c`); `tests/lint/rpc_names.py`\nholds this page current. Do not edit it.\n\n"
		"JSON-RPC 2.0 on a unix socket, one object a line of at most %d bytes. Members of `params` "
		"that are not\n\"required\" may be left out or null. `[]` is an array, `{}` an object. "
		"Times are seconds, moments seconds since 1970\n(in `weirctl simulate` since its start), "
		"`_ms` milliseconds; null is never or for ever.\n\n"
		"Errors: %d request, %d method, %d parameter (the message names the field and what it may "
		"be), %d refused (`data.reason`),\n%d unknown peer, connection or address, %d busy.\n\n"
		"## Methods\n",
		PROTOCOL_LINE_BYTES_MAX, PROTOCOL_ERROR_REQUEST, PROTOCOL_ERROR_METHOD,
		PROTOCOL_ERROR_PARAMETER, PROTOCOL_ERROR_REFUSED, PROTOCOL_ERROR_UNKNOWN,
		PROTOCOL_ERROR_BUSY);
	for (size_t i = 0; i < rpc_n_methods; i++)
		method_print(file, &rpc_methods[i]);
	fprintf(file,
		"\n## Events\n\nWho called `events.subscribe` gets each as a notification of the method "
		"`%s`, whose `params` hold `t`, `event`,\n`id` or `ip` and `port`, `reason`, and the old and "
		"the new state where there is one.\n\n",
		PROTOCOL_EVENT_METHOD);
	for (int i = 0; i < RPC_EVENT_NAMES; i++)
		fprintf(file, "- `%s`\n", rpc_event_name(i));
}
