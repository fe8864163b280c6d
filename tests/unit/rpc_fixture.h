/* SPDX-License-Identifier: BSD-3-Clause
 * A whole control without its event loop, in a directory of its own below /tmp, with two clients: one that
 * may write and one that may not. For the tests of JSON-RPC only; included once by each executable.
 */
#ifndef WEIR_TESTS_RPC_FIXTURE_H
#define WEIR_TESTS_RPC_FIXTURE_H

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/log.h"
#include "control/rpc.h"
#include "tests/check.h"

static struct control control;
static struct rpc *rpc;
static struct rpc_client *admin, *reader;
static char directory[64];

struct lines {
	char text[1 << 20];
	size_t n;
	unsigned count;
};
static struct lines admin_lines, reader_lines;

static void collect(void *context, const char *line, size_t bytes)
{
	struct lines *lines = context;
	if (lines->n + bytes < sizeof(lines->text)) {
		memcpy(lines->text + lines->n, line, bytes);
		lines->n += bytes;
		lines->text[lines->n] = '\0';
	}
	lines->count++;
}

static void forget(struct lines *lines)
{
	lines->n = 0;
	lines->count = 0;
	lines->text[0] = '\0';
}

static bool world_open(void)
{
	static struct config config;
	static char text[1024];
	char error[1024] = "";
	log_set_level(LOG_LEVEL_WARNING);
	snprintf(directory, sizeof(directory), "/tmp/weir-test-rpc.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return false;
	int n = snprintf(text, sizeof(text),
		"run_dir: %s/run\nshm_dir: %s/shm\nstate_dir: %s/state\nlog_level: error\n"
		"node: {addresses: [192.0.2.1]}\nservices: [{port: 30303, protocol: tcp}]\nallow: "
		"[198.51.100.0/24]\n"
		"own: [192.0.2.0/24]\nban: {bans: 1000}\n",
		directory, directory, directory);
	if (!CHECK_EQ("the configuration",
		    config_load_text("w.yaml", text, (size_t)n, &config, error, sizeof(error)), 0))
		return false;
	if (!CHECK_EQ("control opens", control_open(&control, &config, error, sizeof(error)), 0)) {
		fprintf(stderr, "%s\n", error);
		return false;
	}
	struct rpc_host host = {0};
	CHECK_EQ("rpc", rpc_create(&control, &host, &rpc), 0);
	CHECK_EQ("admin", rpc_client_add(rpc, &(struct rpc_sink){&admin_lines, collect}, true, &admin), 0);
	CHECK_EQ(
		"reader", rpc_client_add(rpc, &(struct rpc_sink){&reader_lines, collect}, false, &reader), 0);
	forget(&admin_lines);
	forget(&reader_lines);
	return true;
}

static void world_close(void)
{
	char command[128];
	rpc_destroy(rpc);
	CHECK_EQ("control closes", control_close(&control), 0);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK_EQ("nothing is left", system(command), 0);
}

/* The turns of the event loop, until no request waits. */
static void settle(void)
{
	for (int i = 0; i < 2000 && rpc_pending(rpc) > 0; i++) {
		control_clock(&control);
		(void)control_tick(&control);
		(void)publisher_reap(control.publisher, &control.clock);
		rpc_tick(rpc);
		control_turn_end(&control);
		usleep(2000);
	}
	CHECK_EQ("every request is answered", rpc_pending(rpc), 0u);
}

static const char *call(struct rpc_client *client, struct lines *lines, const char *line)
{
	forget(lines);
	control_clock(&control);
	rpc_line(rpc, client, line, strlen(line));
	settle();
	return lines->text;
}

#define CALL(method, params) "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" method "\",\"params\":" params "}"

struct rpc_case {
	const char *name, *line, *answer;
};

static void run_cases(struct rpc_client *client, struct lines *lines, const struct rpc_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *text = call(client, lines, cases[i].line);
		CHECK_CONTAINS(cases[i].name, text, cases[i].answer);
		CHECK_EQ(cases[i].name, lines->count, 1u);
		CHECK_EQ(cases[i].name, text[lines->n > 0 ? lines->n - 1 : 0], '\n');
	}
}

#endif
