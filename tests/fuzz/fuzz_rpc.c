/* SPDX-License-Identifier: BSD-3-Clause
 * Fuzzes JSON-RPC over the real governor, store and publisher: the input is split at newlines, each line goes
 * in as the admin's. Checked: no crash, every answer is one line of JSON with either result or error, at most
 * one answer a line. State is kept from input to input and is made anew every 256 inputs, so that a run does
 * not fill the tables.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"
#include "control/rpc.h"

enum { INPUTS_PER_WORLD = 256, FLOWS = 8 };

static struct control control;
static struct rpc *rpc;
static struct rpc_client *client;
static char directory[64];
static unsigned inputs, answers;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void answer_check(void *context, const char *line, size_t bytes)
{
	(void)context;
	if (bytes < 2 || line[bytes - 1] != '\n' || memchr(line, '\n', bytes - 1) != NULL)
		abort();
	json_t *answer = json_loadb(line, bytes, 0, NULL);
	json_t *result = json_object_get(answer, "result"), *error = json_object_get(answer, "error");
	bool event = json_object_get(answer, "method") != NULL;
	if (answer == NULL || (!event && (result == NULL) == (error == NULL)))
		abort();
	if (error != NULL && !json_is_integer(json_object_get(error, "code")))
		abort();
	answers += !event;
	json_decref(answer);
}

static void world_close(void)
{
	char command[128];
	if (rpc == NULL)
		return;
	rpc_destroy(rpc);
	rpc = NULL;
	(void)control_close(&control);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	if (system(command) != 0)
		abort();
}

/** Clients that the dataplane told of: 203.0.113.1 and so on, each from the port of its number. */
static void flows_open(void)
{
	for (uint8_t n = 1; n <= FLOWS; n++) {
		struct event_record event = {.kind = EVENT_FLOW_PROVEN,
			.flags = EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE,
			.client_port = n,
			.protocol = 6,
			.client = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, n}};
		roster_dataplane_event(control.roster, &event, control.clock.wall_ms);
	}
}

static void world_open(void)
{
	static struct config config;
	char text[1024], error[1024];
	struct rpc_host host = {0};
	struct rpc_sink sink = {NULL, answer_check};
	snprintf(directory, sizeof(directory), "/tmp/weir-fuzz-rpc.XXXXXX");
	if (mkdtemp(directory) == NULL)
		abort();
	log_set_level(LOG_LEVEL_ERROR);
	int n = snprintf(text, sizeof(text),
		"run_dir: %s/run\nshm_dir: %s/shm\nstate_dir: %s/state\n"
		"node: {addresses: [192.0.2.1]}\nservices: [{port: 1, protocol: tcp}]\nallow: "
		"[198.51.100.0/24]\n"
		"ban: {bans: 1000, peers: 1000}\n",
		directory, directory, directory);
	if (config_load_text("fuzz", text, (size_t)n, &config, error, sizeof(error)) != 0 ||
		control_open(&control, &config, error, sizeof(error)) != 0 ||
		rpc_create(&control, &host, &rpc) != 0 || rpc_client_add(rpc, &sink, true, &client) != 0)
		abort();
	control_clock(&control);
	flows_open();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (inputs == 0)
		atexit(world_close);
	if (inputs++ % INPUTS_PER_WORLD == 0) {
		world_close();
		world_open();
	}
	control_clock(&control);
	while (bytes > 0) {
		const uint8_t *end = memchr(data, '\n', bytes);
		size_t n = end != NULL ? (size_t)(end - data) : bytes;
		unsigned before = answers;
		rpc_line(rpc, client, (const char *)data, n);
		if (answers > before + 1)
			abort();
		data += end != NULL ? n + 1 : n;
		bytes -= end != NULL ? n + 1 : n;
	}
	(void)control_tick(&control);
	(void)publisher_reap(control.publisher, &control.clock);
	rpc_tick(rpc);
	return 0;
}
