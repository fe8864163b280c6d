/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/simulate.h and moment.h: traces through the whole of it, one process each, from t 0; what they
 * answer is in their last line. tests/vectors has the policy's own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/moment.h"
#include "control/simulate.h"
#include "tests/check.h"

enum { ANSWER_MAX = 65536, WORDS_MAX = 8 };

static char answer[ANSWER_MAX]; /* the last line of the last trace */

/* Simulate in a process of its own: it holds options and buffers for its whole life. Returns its exit status. */
static int simulate(const char *const *options, const char *trace)
{
	char *words[WORDS_MAX + 2] = {(char *)"simulate"};
	FILE *in = tmpfile(), *out = tmpfile();
	int n = 1, status = -1;
	answer[0] = '\0';
	if (!CHECK_TRUE("files", in != NULL && out != NULL))
		return -1;
	for (; n <= WORDS_MAX && options[n - 1] != NULL; n++)
		words[n] = (char *)options[n - 1];
	fputs(trace, in);
	fflush(in);
	rewind(in);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		(void)dup2(fileno(in), STDIN_FILENO);
		(void)dup2(fileno(out), STDOUT_FILENO);
		int result = simulate_main(n, words);
		fflush(stdout);
		_exit(result);
	}
	CHECK_TRUE("a process", child > 0);
	(void)waitpid(child, &status, 0);
	rewind(out);
	while (fgets(answer, sizeof(answer), out) != NULL)
		;
	fclose(in);
	fclose(out);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define AT(t, method, params) \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"t\":" t ",\"method\":\"" method "\",\"params\":" params "}\n"
#define EVAL(what, in) AT("0", "sim.eval", "{\"what\":\"" what "\",\"in\":" in "}")
#define WHERE          "\"ip\":\"11.0.0.9\",\"port\":4000"
#define CONNECT(t) \
	AT(t, "conn.open", "{" WHERE ",\"direction\":\"out\"}") \
	AT(t, "peer.bind", "{" WHERE ",\"id\":\"a\",\"agent\":\"lighthouse/x\"}")

struct trace_case {
	const char *name, *options[WORDS_MAX + 1], *trace, *answer;
};

static void run_cases(const struct trace_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		CHECK_EQ(cases[i].name, simulate(cases[i].options, cases[i].trace), 0);
		CHECK_CONTAINS(cases[i].name, answer, cases[i].answer);
	}
}

static void test_moments(void)
{
	static const struct trace_case cases[] = {
		{"since 0", {"--no-tick"}, CONNECT("0") AT("0", "peer.get", "{\"id\":\"a\"}"), "\"since\":0.0"},
		{"last_in 0", {"--no-tick"},
			CONNECT("0") AT("0", "conn.data", "{\"conn\":1,\"bytes_in\":1}") AT("0", "conn.list", "{}"),
			"\"last_in\":0.0"},
		{"seen at 0", {"--no-tick"},
			AT("0", "book.add", "{\"entries\":[{" WHERE ",\"source\":\"gossip\",\"seen\":0}]}")
				AT("5", "book.get", "{" WHERE "}"),
			"\"last_seen\":0.0,\"last_attempt\":null"},
		{"seen when it came, if nobody said when", {"--no-tick"},
			AT("4", "book.add", "{\"entries\":[{" WHERE ",\"source\":\"gossip\"}]}")
				AT("5", "book.get", "{" WHERE "}"),
			"\"last_seen\":4.0"},
		{"tried at 0", {"--no-tick"},
			AT("0", "book.put", "{" WHERE ",\"next_attempt\":7.5}")
				AT("0", "book.record", "{" WHERE ",\"ok\":true}") AT("0", "book.get", "{" WHERE "}"),
			"\"last_attempt\":0.0"},
		{"an attempt at 7.5", {"--no-tick"},
			AT("0", "book.put", "{" WHERE ",\"next_attempt\":7.5}") AT("1", "book.get", "{" WHERE "}"),
			"\"next_attempt\":7.5,\"ready\":false"},
		{"a ban until 70", {"--no-tick"}, AT("0", "ban.add", "{\"ip\":\"11.0.0.1\",\"until\":70}"),
			"\"until\":70.0"},
		{"a ban for 70", {"--no-tick"}, AT("2", "ban.add", "{\"ip\":\"11.0.0.1\",\"for\":70}"),
			"\"until\":72.0"},
		{"its event", {"--no-tick"}, AT("2", "ban.add", "{\"ip\":\"11.0.0.1\",\"for\":70}"),
			"\"events\":[{\"t\":2.000,"},
		{"a ban that would have ended", {"--no-tick"},
			AT("71", "ban.add", "{\"ip\":\"11.0.0.1\",\"until\":70}"), "would have ended already"},
		{"a ban has its moments after a restart", {"--no-tick"},
			AT("1", "ban.add", "{\"ip\":\"11.0.0.1\",\"for\":70}") AT("2", "sim.restart", "{}")
				AT("2", "ban.list", "{}"),
			"\"start\":1.0,\"until\":71.0"},
		{"and what came after a restart is stored too", {"--no-tick"},
			AT("1", "sim.restart", "{}") AT("2", "ban.add", "{\"ip\":\"11.0.0.1\",\"for\":70}")
				AT("3", "sim.restart", "{}") AT("3", "ban.list", "{}"),
			"\"start\":2.0,\"until\":72.0"},
		{"a duty", {"--no-tick"},
			CONNECT("0") AT("0", "peer.tag", "{\"id\":\"a\",\"duty_until\":{\"3\":50}}"), "\"3\":50.0"},
		{"a subnet that is needed", {"--profile", "lighthouse", "--no-tick"},
			AT("0", "node.subnets", "{\"needed\":[{\"subnet\":3,\"min_ttl\":50}]}")
				AT("49", "governor.tick", "{}"),
			"\"subnets\":[3]"},
		{"and one that no longer is", {"--profile", "lighthouse", "--no-tick"},
			AT("0", "node.subnets", "{\"needed\":[{\"subnet\":3,\"min_ttl\":50}]}")
				AT("51", "governor.tick", "{}"),
			"\"name\":\"nothing of the kind\""},
		{"an address that went", {"--profile", "spacetime", "--set", "book.capacity=1", "--no-tick"},
			AT("0", "book.add", "{\"entries\":[{" WHERE "}]}")
				AT("3", "book.add", "{\"entries\":[{\"ip\":\"12.0.0.1\",\"port\":1}]}"),
			"{\"t\":3.000,\"event\":\"book.evicted\""},
		{"V17: a fetch at 0", {"--profile", "dugite", "--no-tick"},
			CONNECT("0") AT("0", "peer.metrics", "{\"id\":\"a\",\"fetch_ms\":388,\"blocks\":200,\"rtt_ms\":30}")
				AT("0", "peer.get", "{\"id\":\"a\"}"),
			"\"dugite\":0.74781"},
	};
	/* the two that must not be there are checked here */
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		CHECK_EQ(cases[i].name, simulate(cases[i].options, cases[i].trace), 0);
		if (strstr(cases[i].answer, "nothing of the kind") != NULL)
			CHECK_TRUE(cases[i].name, strstr(answer, "\"subnets\":[3]") == NULL);
		else
			CHECK_CONTAINS(cases[i].name, answer, cases[i].answer);
	}
}

/* --no-tick: a tick that never comes holds nothing back. */
static void test_due(void)
{
	static const struct trace_case cases[] = {
		{"a dial that nobody heard of", {"--no-tick"},
			AT("8000.25", "conn.dial", "{" WHERE "}") AT("8020", "conn.list", "{}"),
			"{\"t\":8015.250,\"event\":\"conn.failed\""},
		{"and another", {"--no-tick"},
			AT("8000.25", "conn.dial", "{" WHERE "}")
				AT("8000.75", "conn.dial", "{\"ip\":\"11.0.0.10\",\"port\":4000}")
				AT("8020", "conn.list", "{}"),
			"{\"t\":8015.750,\"event\":\"conn.failed\""},
		{"a ban ends when it does", {"--no-tick"},
			AT("8000.25", "ban.add", "{\"ip\":\"11.0.0.1\",\"for\":70}") AT("8100", "ban.list", "{}"),
			"{\"bans\":[]"},
		{"time falls", {"--no-tick"}, AT("8", "conn.list", "{}") AT("7.999", "conn.list", "{}"), "t: falls"},
		{"no time", {"--no-tick"}, AT("\"8\"", "conn.list", "{}"), "t: must be given"},
		{"before the beginning", {"--no-tick"}, AT("-1", "conn.list", "{}"), "t: must be given"},
		{"the last moment", {"--no-tick"}, AT("8796093022", "conn.list", "{}"), "\"t\":8796093022,"},
		{"and the one behind", {"--no-tick"}, AT("8796093022.5", "conn.list", "{}"), "t: must be given"},
	};
	run_cases(cases, CHECK_COUNT(cases));
}

static void test_eval(void)
{
	static const struct trace_case cases[] = {
		{"V11 in its own words", {"--no-tick"},
			EVAL("lorachain", "{\"uptime\":0.9,\"conn\":0.8,\"delivery\":0.95,\"latency\":120,\"thr\":0.8,"
					  "\"msgs\":100,\"invalid\":5,\"relayed\":60,\"compliance\":0.95}"),
			"\"overall\":84.1"},
		{"V17: a fetch of now", {"--no-tick"}, EVAL("dugite", "{\"rtt_ms\":30,\"fetch_ms\":1.94,\"blocks\":200,\"ok\":3}"),
			"\"out\":0.747"},
		{"V21", {"--no-tick"}, EVAL("halving", "{\"count\":8,\"elapsed_s\":600}"), "\"out\":2"},
		{"V25: Dugite's own", {"--profile", "dugite"}, EVAL("backoff", "{\"failures\":1,\"rand\":0}"),
			"\"max\":10.0,\"wait\":10.0"},
		{"V25: Ouroboros' own", {"--profile", "ouroboros"}, EVAL("backoff", "{\"failures\":3,\"rand\":2000}"),
			"\"max\":20.0"},
		{"V25: another's by name", {"--profile", "dugite"},
			EVAL("backoff", "{\"policy\":\"stellar\",\"failures\":3,\"rand\":0}"), "\"max\":80.0"},
		{"V26: (P,O,true)", {"--no-tick"},
			EVAL("type_update", "{\"stored\":\"preferred\",\"observed\":\"outbound\",\"preferred_known\":true}"),
			"\"out\":\"outbound\""},
		{"what nobody reads", {"--no-tick"}, EVAL("limits", "{\"targt\":50}"),
			"\"code\":-32602,\"message\":\"in.targt: unknown member (allowed: target)"},
		{"a word for a number", {"--no-tick"}, EVAL("limits", "{\"target\":\"50\"}"),
			"in.target: wrong type (allowed: number)"},
		{"a number for yes", {"--no-tick"}, EVAL("combine", "{\"app\":1,\"ignore\":1}"),
			"in.ignore: wrong type (allowed: true or false)"},
		{"twice the same", {"--no-tick"}, EVAL("halving", "{\"count\":8,\"elapsed\":1,\"elapsed_s\":600}"),
			"in.elapsed_s: given beside elapsed"},
		{"below", {"--no-tick"}, EVAL("churn", "{\"active\":15,\"blp\":{\"hot\":1}}"), "in.blp.hot: unknown member"},
		{"in a candidate", {"--no-tick"}, EVAL("evict", "{\"candidates\":[{\"pign\":1}]}"),
			"in.candidates.pign: unknown member"},
		{"a candidate that is none", {"--no-tick"}, EVAL("evict", "[7]"), "in: candidates: not objects"},
		{"a sample that is none", {"--no-tick"}, EVAL("ewma", "[\"7\"]"), "in: samples: not numbers"},
		{"no object", {"--no-tick"}, EVAL("limits", "7"), "in: wrong type (allowed: object)"},
		{"null is not given", {"--no-tick"}, EVAL("limits", "{\"target\":null}"), "\"max\":55"},
		{"LH-11: an unknown client", {"--no-tick"}, EVAL("agent", "\"lighthouse/x\""),
			"{\"kind\":\"Unknown\",\"version\":\"\",\"os\":\"\",\"agent\":\"lighthouse/x\"}"},
		{"LH-11: as bound", {"--no-tick"}, CONNECT("0"), "\"agent\":\"lighthouse/x\""},
		{"LH-11: as known", {"--no-tick"}, CONNECT("0") AT("0", "peer.get", "{\"id\":\"a\"}"),
			"\"os\":\"\",\"agent\":\"lighthouse/x\"}"},
	};
	run_cases(cases, CHECK_COUNT(cases));
}

/* What V1, V18, V24, V26, V31 and V32 say, as they say it. */
static void test_words(void)
{
	static const struct trace_case cases[] = {
		{"V1: nothing is ignored", {"--no-tick"},
			EVAL("combine", "{\"app\":-1,\"gossip\":-16000,\"ignore_negative\":0}"), "\"score\":-20.0"},
		{"V1: some are", {"--no-tick"},
			EVAL("combine", "{\"app\":-1,\"gossip\":-16000,\"ignore_negative\":5}"), "\"score\":-1.0"},
		{"V1: yes", {"--no-tick"},
			EVAL("combine", "{\"app\":-1,\"gossip\":-16000,\"ignore_negative\":true}"), "\"score\":-1.0"},
		{"no count", {"--no-tick"}, EVAL("combine", "{\"ignore_negative\":-1}"),
			"in.ignore_negative: wrong type (allowed: number from 0, true or false)"},
		{"5.5.4: the most", {"--no-tick"}, EVAL("combine", "{\"app\":1e9}"), "\"score\":100.0"},
		{"5.5.4: the least", {"--no-tick"}, EVAL("combine", "{\"app\":-1e9}"), "\"score\":-100.0"},
		{"V18: shared", {"--no-tick"},
			EVAL("selection", "{\"rep\":0.5,\"source\":\"shared\",\"failures\":2}"), "\"out\":0.2"},
		{"V24: flat", {"--no-tick"}, EVAL("churn", "{\"blp_established\":10,\"blp_active\":5}"),
			"\"blp\":{\"known\":0,\"established\":8,\"active\":4}"},
		{"V24: both", {"--no-tick"}, EVAL("churn", "{\"blp\":{\"active\":5},\"blp_active\":5}"),
			"in: blp and a member that begins with it"},
		{"V26: letters", {"--no-tick"}, EVAL("type_update", "{\"stored\":\"P\",\"observed\":\"I\"}"),
			"\"out\":\"O\""},
		{"V26: names", {"--no-tick"},
			EVAL("type_update", "{\"stored\":\"preferred\",\"observed\":\"I\"}"), "\"out\":\"outbound\""},
		{"V31: keys", {"--no-tick"}, EVAL("evict", "[{\"id\":1,\"group_key\":7}]"), "\"victims\":[]"},
		{"V32: the cap", {"--no-tick"}, EVAL("slots", "{\"target\":8}"), "\"target_cap\":24"},
		{"its directory is nobody's", {"--no-tick"}, AT("0", "config.show", "{}"),
			"{\"key\":\"state_dir\",\"value\":\"\","},
	};
	run_cases(cases, CHECK_COUNT(cases));
}

static void test_options(void)
{
	static const struct {
		const char *name, *options[WORDS_MAX + 1];
		int status;
	} cases[] = {
		{"V15: allow_doc=1", {"--set", "book.allow_doc=1"}, 0},
		{"a list", {"--set", "preferred=[1.2.3.4:9000]"}, 0},
		{"no list", {"--set", "preferred=1.2.3.4"}, 1},
		{"no such key", {"--set", "colour=red"}, 1},
		{"no value", {"--set", "preferred"}, 1},
		{"no such option", {"--colour"}, 2},
		{"no such profile", {"--profile", "solar"}, 1},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, simulate(cases[i].options, AT("0", "conn.list", "{}")), cases[i].status);
}

/* Live, inside and outside are one. */
static void test_live(void)
{
	CHECK_EQ("taken as it is", moment_take(1700000000123), INT64_C(1700000000123));
	CHECK_EQ("told as it is", moment_tell(1700000000123), INT64_C(1700000000123));
	moment_set_epoch(MOMENT_SIMULATED_MS);
	CHECK_EQ("0 is not 0 inside", moment_take(0), (int64_t)MOMENT_SIMULATED_MS);
	CHECK_EQ("and comes out again", moment_tell(moment_take(0)), INT64_C(0));
	moment_set_epoch(0);
	CHECK_TRUE("never is longer ago than any duration", MOMENT_SIMULATED_MS > INT64_C(100) * 365 * 86400 * 1000);
}

static const struct check_test tests[] = {
	{"moments at 0 are moments", test_moments},
	{"what is due comes in its time", test_due},
	{"a formula takes the vectors' words and no others", test_eval},
	{"V1, V18, V24, V26, V31, V32: formulas take the words of each", test_words},
	{"options", test_options},
	{"live, moments are what they are", test_live},
};
CHECK_MAIN("simulate", tests)
