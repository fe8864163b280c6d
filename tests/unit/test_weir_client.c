/* SPDX-License-Identifier: BSD-3-Clause
 * The node's client library against the real control behind its real socket, in a process of its own that is
 * stopped, killed and started again; and against a socket that says what control never would.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "control/log.h"
#include "control/rpc_server.h"
#include "tests/check.h"
#include "tools/client/weir_client.h"

enum {
	WAIT_MS = 20000,      /* of anything, on a machine that does other work */
	LINE_BYTES = 1 << 20, /* the most that may wait to be written, and the longest line */
	CALLS_MAX = 1024,     /* that wait for an answer */
	TICK_NS = 20000000,   /* as control's own */
};

static char directory[64], socket_path[128];
static pid_t control_pid;

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- control, in the child */

struct served {
	struct control control;
	struct event_loop *loop;
	struct rpc *rpc;
	struct rpc_server *server;
	struct event_source *tick;
};

static void turn_begin(void *context)
{
	struct served *served = context;
	control_clock(&served->control);
}

static void turn_end(void *context)
{
	struct served *served = context;
	rpc_server_run(served->server);
	rpc_tick(served->rpc);
	control_turn_end(&served->control);
	rpc_server_turn_end(served->server);
}

static void on_tick(void *context, unsigned ready)
{
	struct served *served = context;
	(void)ready;
	(void)control_tick(&served->control);
	(void)publisher_reap(served->control.publisher, &served->control.clock);
}

static int config_read(struct config *config)
{
	char text[1024], error[1024];
	int n = snprintf(text, sizeof(text),
		"run_dir: %s/run\nshm_dir: %s/shm\nstate_dir: %s/state\nlog_level: error\n"
		"node: {addresses: [192.0.2.1]}\nservices: [{port: 30303, protocol: tcp}]\nban: {bans: "
		"1000}\n",
		directory, directory, directory);
	return config_load_text("w.yaml", text, (size_t)n, config, error, sizeof(error));
}

static void serve(void)
{
	static struct served served;
	static struct config config;
	struct rpc_host host = {0};
	char error[1024];
	log_set_level(LOG_LEVEL_ERROR);
	signal(SIGPIPE, SIG_IGN);
	if (config_read(&config) != 0 || event_loop_create(&served.loop) != 0 ||
		control_open(&served.control, &config, error, sizeof(error)) != 0 ||
		rpc_create(&served.control, &host, &served.rpc) != 0 ||
		event_loop_add_timer(served.loop, on_tick, &served, &served.tick) != 0 ||
		event_loop_arm(served.tick, TICK_NS, TICK_NS) != 0)
		return;
	event_loop_set_hooks(served.loop, turn_begin, turn_end, &served);
	if (rpc_server_open(served.loop, served.rpc, &served.control.config, &served.server, error,
		    sizeof(error)) != 0)
		return;
	(void)event_loop_run(served.loop);
}

static void control_start(void)
{
	control_pid = fork();
	if (control_pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		serve();
		_exit(1);
	}
}

static void control_kill(void)
{
	kill(control_pid, SIGKILL);
	waitpid(control_pid, NULL, 0);
}

/* --- the node */

struct answer {
	unsigned n, place; /* how many came; the first was the place-th of all */
	int code;
	char json[4096], message[256];
};

struct node {
	struct weir_client *client;
	unsigned n_answers, n_connected, n_disconnected, n_events;
	char event[64], event_ip[64];
	struct answer *nested; /* asked for from within a callback */
};

static void on_state(void *context, bool connected)
{
	struct node *node = context;
	node->n_connected += connected;
	node->n_disconnected += !connected;
}

static void on_event(void *context, const char *name, const char *id, const char *ip, const char *json)
{
	struct node *node = context;
	(void)id;
	(void)json;
	if (strcmp(name, "peer.banned") != 0)
		return;
	node->n_events++;
	snprintf(node->event, sizeof(node->event), "%s", name);
	snprintf(node->event_ip, sizeof(node->event_ip), "%s", ip);
}

static struct node node;

static void on_answer(void *context, const struct weir_answer *answer)
{
	struct answer *into = context;
	if (into->n++ == 0)
		into->place = ++node.n_answers;
	into->code = answer->code;
	snprintf(into->json, sizeof(into->json), "%s", answer->json);
	snprintf(into->message, sizeof(into->message), "%s", answer->message);
}

static void on_answer_ask(void *context, const struct weir_answer *answer)
{
	on_answer(context, answer);
	(void)weir_call(node.client, "book.count", NULL, on_answer, node.nested);
}

static bool node_open(const char *path)
{
	struct weir_client_options options = {path, &node, on_event, on_state};
	memset(&node, 0, sizeof(node));
	return CHECK_EQ("the client", weir_client_create(&options, &node.client), 0);
}

/* As a node's loop does, until *value has reached `wanted`. */
static bool node_run(const char *what, const unsigned *value, unsigned wanted)
{
	int64_t end_ms = now_ms() + WAIT_MS;
	while (*value < wanted && now_ms() < end_ms) {
		struct pollfd fd = {weir_client_fd(node.client), weir_client_poll_events(node.client), 0};
		int wait_ms = weir_client_timeout_ms(node.client, now_ms());
		(void)poll(&fd, 1, wait_ms < 0 || wait_ms > 100 ? 100 : wait_ms);
		weir_client_run(node.client, now_ms());
	}
	return CHECK_TRUE(what, *value >= wanted);
}

static bool world_open(void)
{
	static struct config config;
	snprintf(directory, sizeof(directory), "/tmp/weir-test-client.XXXXXX");
	if (mkdtemp(directory) == NULL || !CHECK_EQ("the configuration", config_read(&config), 0))
		return false;
	config_rpc_socket_path(&config, socket_path, sizeof(socket_path));
	config_free(&config);
	control_start();
	return node_open(socket_path) && node_run("connected", &node.n_connected, 1);
}

static void world_close(void)
{
	char command[128];
	weir_client_destroy(node.client);
	control_kill();
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK_EQ("nothing is left", system(command), 0);
}

static void call(const char *method, const char *parameters, struct answer *into)
{
	CHECK_EQ(method, weir_call(node.client, method, parameters, on_answer, into), 0);
}

/* --- against control */

static void test_order(void)
{
	struct answer durable = {0}, count = {0}, unknown = {0}, nested = {0};
	if (!world_open())
		return;
	node.nested = &nested;
	/* the disk takes its time (the store commits every 250 ms), the book does not */
	call("ban.add", "{\"ip\":\"203.0.113.5\",\"sync\":true}", &durable);
	CHECK_EQ("a call from a callback", weir_call(node.client, "book.count", NULL, on_answer_ask, &count),
		0);
	call("peer.get", "{\"id\":\"nobody\"}", &unknown);
	node_run("all are answered", &node.n_answers, 4);
	CHECK_TRUE("the first call is answered behind the others",
		durable.place > count.place && durable.place > unknown.place);
	CHECK_EQ("and is the ban's", durable.code, WEIR_OK);
	CHECK_CONTAINS("and is the ban's", durable.json, "\"tier\":5");
	CHECK_EQ("the book's", count.json, "{\"count\":0}");
	CHECK_EQ("asked from within a callback", nested.json, "{\"count\":0}");
	CHECK_EQ("an error has control's code", unknown.code, 2);
	CHECK_CONTAINS("and its sentence", unknown.message, "nothing is known of this peer");
	CHECK_EQ("and null", unknown.json, "null");
	CHECK_EQ("each once", durable.n + count.n + unknown.n + nested.n, 4u);
	world_close();
}

static void test_lost(void)
{
	struct answer first = {0}, second = {0}, third = {0};
	if (!world_open())
		return;
	kill(control_pid, SIGSTOP);
	call("governor.status", NULL, &first);
	weir_client_run(node.client, now_ms());               /* sent */
	call("ban.add", "{\"ip\":\"203.0.113.9\"}", &second); /* not even sent */
	control_kill();
	node_run("what waited is answered", &node.n_answers, 2);
	CHECK_EQ("sent", first.code, WEIR_LOST);
	CHECK_EQ("not sent", second.code, WEIR_LOST);
	CHECK_EQ("with a sentence", first.message, "the connection to weir-control ended");
	CHECK_EQ("each once", first.n + second.n, 2u);
	CHECK_FALSE("not connected", weir_client_is_connected(node.client));
	CHECK_EQ("which is told once", node.n_disconnected, 1u);
	CHECK_EQ("nothing to poll", weir_client_fd(node.client), -1);
	CHECK_EQ("a call is refused", weir_call(node.client, "governor.status", NULL, on_answer, &third),
		-ENOTCONN);
	int64_t at_ms = now_ms();
	CHECK_TRUE("it tries again within 5 s", weir_client_timeout_ms(node.client, at_ms) <= 5000);
	weir_client_run(node.client, at_ms + 5000);
	CHECK_TRUE("nobody is there: it waits again", weir_client_timeout_ms(node.client, at_ms) > 5000);
	control_start();
	/* what has failed at a time to come waits for it */
	CHECK_TRUE("connected again", node_run("connected again", &node.n_connected, 2));
	call("ban.list", NULL, &third);
	node_run("and answered", &node.n_answers, 3);
	CHECK_EQ("what was lost is not done behind the caller's back", third.json,
		"{\"bans\":[],\"next\":null}");
	CHECK_EQ("the lost ones stay lost", first.n + second.n, 2u);
	world_close();
}

static void test_subscription(void)
{
	struct answer banned = {0};
	if (!world_open())
		return;
	call("ban.add", "{\"ip\":\"203.0.113.7\"}", &banned);
	node_run("an event comes", &node.n_events, 1);
	CHECK_EQ("of the address", node.event_ip, "203.0.113.7");
	control_kill();
	node_run("the connection ends", &node.n_disconnected, 1);
	control_start();
	node_run("connected again", &node.n_connected, 2);
	call("ban.add", "{\"ip\":\"203.0.113.8\"}", &banned);
	node_run("events come again", &node.n_events, 2);
	CHECK_EQ("of the new address", node.event_ip, "203.0.113.8");
	world_close();
}

static void test_bounds(void)
{
	static struct answer answers[CALLS_MAX], big[4];
	static char text[LINE_BYTES + 64];
	unsigned good = 0;
	if (!world_open())
		return;
	call("book.count", NULL, &answers[0]); /* behind the subscription's own answer */
	node_run("nothing waits", &node.n_answers, 1);
	memset(answers, 0, sizeof(answers));
	kill(control_pid, SIGSTOP);
	for (unsigned i = 0; i < CALLS_MAX; i++)
		good += weir_call(node.client, "book.count", NULL, on_answer, &answers[i]) == 0;
	CHECK_EQ("1024 may wait", good, (unsigned)CALLS_MAX);
	CHECK_EQ(
		"one more may not", weir_call(node.client, "book.count", NULL, on_answer, &big[0]), -ENOBUFS);
	kill(control_pid, SIGCONT);
	node_run("all are answered", &node.n_answers, 1 + CALLS_MAX);
	good = 0;
	for (unsigned i = 0; i < CALLS_MAX; i++)
		good += answers[i].code == WEIR_OK && answers[i].n == 1;
	CHECK_EQ("each well and once", good, (unsigned)CALLS_MAX);

	memset(text, 'a', sizeof(text));
	memcpy(text, "{\"ip\":\"", 7);
	snprintf(text + 300000, 8, "\"}");
	for (unsigned i = 0; i < 3; i++)
		call("why", text, &big[i]);
	CHECK_EQ("a mebibyte may wait to be written, not more",
		weir_call(node.client, "why", text, on_answer, &big[3]), -ENOBUFS);
	node_run("they are answered", &node.n_answers, 1 + CALLS_MAX + 3);
	CHECK_EQ("by control", big[0].code, -32602);
	text[300000] = text[300001] = 'a';
	snprintf(text + LINE_BYTES, 8, "\"}");
	text[300002] = 'a';
	CHECK_EQ("nor a line longer than that", weir_call(node.client, "why", text, on_answer, &big[3]),
		-ENOBUFS);
	CHECK_EQ("what was refused is not answered", big[3].n, 0u);
	call("book.count", NULL, &big[3]);
	node_run("and the client goes on", &node.n_answers, 1 + CALLS_MAX + 4);
	CHECK_EQ("and the client goes on", big[3].code, WEIR_OK);
	CHECK_EQ("on the same connection", node.n_disconnected, 0u);
	world_close();
}

/* --- against a socket that is not control's */

static int listen_oddly(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(directory, sizeof(directory), "/tmp/weir-test-client.XXXXXX");
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(socket_path, sizeof(socket_path), "%s/odd.sock", directory);
	memcpy(address.sun_path, socket_path, strlen(socket_path) + 1);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(fd, 1) != 0)
		return -1;
	return fd;
}

static void test_odd(void)
{
	static const char lines[] =
		"no "
		"JSON\n[1]\n7\n\n{\"id\":99,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":"
		"\"later\"}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":\"twice\"}\n{\"method\":\"event\"}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"res";
	static char endless[65536];
	struct answer first = {0}, second = {0}, third = {0};
	int listener = listen_oddly(), fd;
	size_t sent = 0;
	if (!CHECK_TRUE("a socket", listener >= 0) || !node_open(socket_path) ||
		!node_run("connected", &node.n_connected, 1))
		return;
	fd = accept(listener, NULL, NULL);
	call("book.count", NULL, &first);  /* id 2: 1 is the subscription's */
	call("book.count", NULL, &second); /* id 3 */
	weir_client_run(node.client, now_ms());
	CHECK_EQ("sent", send(fd, lines, sizeof(lines) - 1, MSG_NOSIGNAL), (ssize_t)sizeof(lines) - 1);
	node_run("the later one is answered", &node.n_answers, 1);
	CHECK_EQ("nonsense is passed over", second.json, "\"later\"");
	CHECK_EQ("half a line is not an answer", first.n, 0u);
	CHECK_EQ("the rest", send(fd, "ult\":1}\n", 8, MSG_NOSIGNAL), (ssize_t)8);
	node_run("the rest", &node.n_answers, 2);
	CHECK_EQ("is answered by both halves", first.json, "1");
	CHECK_EQ("an answer comes once", second.n, 1u);
	memset(endless, 'x', sizeof(endless));
	for (int i = 0; i < 4 * LINE_BYTES / (int)sizeof(endless) && node.n_disconnected == 0; i++) {
		ssize_t n = send(fd, endless, sizeof(endless), MSG_NOSIGNAL | MSG_DONTWAIT);
		sent += n > 0 ? (size_t)n : 0;
		weir_client_run(node.client, now_ms());
	}
	CHECK_EQ("a line without end ends the connection", node.n_disconnected, 1u);
	CHECK_TRUE("after a mebibyte and one read", sent <= LINE_BYTES + 4 * sizeof(endless));
	close(fd);
	node_run("connected again", &node.n_connected, 2);
	fd = accept(listener, NULL, NULL);
	call("book.count", NULL, &third); /* id 5 */
	weir_client_run(node.client, now_ms());
	CHECK_EQ("sent", send(fd, "{\"id\":5,\"result\":2}\n", 20, MSG_NOSIGNAL), (ssize_t)20);
	node_run("nothing of the old connection is left", &node.n_answers, 3);
	CHECK_EQ("nothing of the old connection is left", third.json, "2");
	close(fd);
	close(listener);
	weir_client_destroy(node.client);
	unlink(socket_path);
	CHECK_EQ("nothing is left", rmdir(directory), 0);
}

static void test_arguments(void)
{
	struct answer last = {0};
	struct weir_client *none = NULL;
	char path[200];
	int listener = listen_oddly();
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	CHECK_EQ("a path that no socket can have",
		weir_client_create(&(struct weir_client_options){.socket_path = path}, &none), -EINVAL);
	CHECK_TRUE("leaves nothing", none == NULL);
	if (!CHECK_TRUE("a socket", listener >= 0) || !node_open(socket_path) ||
		!node_run("connected", &node.n_connected, 1))
		return;
	CHECK_EQ("an array", weir_call(node.client, "why", "[1]", on_answer, &last), -EINVAL);
	CHECK_EQ("no JSON", weir_call(node.client, "why", "{", on_answer, &last), -EINVAL);
	call("why", "{\"ip\":\"192.0.2.1\"}", &last);
	weir_client_destroy(node.client);
	CHECK_EQ("what waits at the end is answered", last.code, WEIR_LOST);
	CHECK_EQ("once", last.n, 1u);
	CHECK_EQ("which is no news for the node", node.n_disconnected, 0u);
	close(listener);
	unlink(socket_path);
	CHECK_EQ("nothing is left", rmdir(directory), 0);
}

static const struct check_test tests[] = {
	{"answers find their callbacks, whatever their order", test_order},
	{"a lost connection answers WEIR_LOST, and the client comes back", test_lost},
	{"who comes back is subscribed again", test_subscription},
	{"what waits is bounded", test_bounds},
	{"nonsense is passed over, a line without end is not", test_odd},
	{"wrong arguments are refused, and the end answers what waits", test_arguments},
};
CHECK_MAIN("weir_client", tests)
