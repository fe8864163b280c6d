/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/rpc.h: line in, line out, over the real governor, store, publisher and (absent) dataplane.
 * Each method is called well and wrongly; the envelope, rights, paging, waiting requests and events are
 * tested apart.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/rpc_fixture.h"

static void test_envelope(void)
{
	static const struct rpc_case cases[] = {
		{"not JSON", "hello",
			"\"id\":null,\"error\":{\"code\":-32600,\"message\":\"not a JSON object on one line"},
		{"cut short", "{\"jsonrpc\":\"2.0\"", "\"code\":-32600"},
		{"a batch", "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}]",
			"batches are not supported"},
		{"a number", "7", "\"code\":-32600"},
		{"bytes that are not UTF-8", "{\"jsonrpc\":\"\xff\xfe\"}", "\"code\":-32600"},
		{"a NUL escape", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sta\\u0000tus\"}",
			"\"code\":-32600"},
		{"a key twice", "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"status\"}",
			"\"code\":-32600"},
		{"no version", "{\"id\":1,\"method\":\"status\"}",
			"\"code\":-32600,\"message\":\"jsonrpc: must be"},
		{"version 1", "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"status\"}", "\"code\":-32600"},
		{"no method", "{\"jsonrpc\":\"2.0\",\"id\":1}",
			"\"code\":-32600,\"message\":\"method: must be a string"},
		{"a method that is no text", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":3}",
			"\"code\":-32600"},
		{"an id that is an object", "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"status\"}",
			"\"id\":null,\"error\":{\"code\":-32600"},
		{"an unknown member", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"extra\":1}",
			"extra: unknown member"},
		{"params in an array", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":[1]}",
			"\"code\":-32602"},
		{"an unknown method", CALL("ban.eat", "{}"),
			"\"id\":1,\"error\":{\"code\":-32601,\"message\":\"ban.eat: no such method\"}"},
		{"an unknown parameter", CALL("status", "{\"x\":1}"),
			"\"code\":-32602,\"message\":\"x: unknown parameter (allowed: none)\""},
		{"a text id comes back", "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"governor.status\"}",
			"\"id\":\"a\",\"result\":{\"profile\":\"bootstrap\""},
		{"a null id comes back", "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"governor.status\"}",
			"\"id\":null,\"result\""},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));

	call(admin, &admin_lines,
		"{\"jsonrpc\":\"2.0\",\"method\":\"ban.add\",\"params\":{\"ip\":\"203.0.113.77\"}}");
	CHECK_EQ("a notification is not answered", admin_lines.count, 0u);
	CHECK_EQ("but done", governor_ban_count(control.governor), 1u);

	static char deep[400000];
	memset(deep, '[', sizeof(deep) - 1);
	CHECK_CONTAINS("deep nesting is refused", call(admin, &admin_lines, deep), "\"code\":-32600");
	static char large[PROTOCOL_LINE_BYTES_MAX + 2];
	memset(large, ' ', sizeof(large) - 1);
	CHECK_CONTAINS("a line over 1 MiB is refused", call(admin, &admin_lines, large),
		"the line is longer than 1048576 bytes");
	world_close();
}

static void test_bans(void)
{
	static const struct rpc_case cases[] = {
		{"an address", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"reason\":\"spam\"}"),
			"\"result\":{\"tier\":5,\"until\":null,\"seq\":1}"},
		{"a prefix for a time",
			CALL("ban.add", "{\"prefix\":\"203.0.113.0/25\",\"for\":600,\"tier\":2}"),
			"\"result\":{\"tier\":2,\"until\":1"},
		{"durable at once", CALL("ban.add", "{\"ip\":\"2001:db8::5\",\"sync\":true}"),
			"\"result\":{\"tier\":5"},
		{"an id", CALL("ban.add", "{\"id\":\"peer-1\"}"), "\"result\":{\"tier\":5"},
		{"it covers an allowed network", CALL("ban.add", "{\"prefix\":\"198.51.0.0/16\"}"),
			"\"code\":1,\"message\":\"the ban covers 198.51.100.0/24"},
		{"the refusal has a word", CALL("ban.add", "{\"prefix\":\"198.51.0.0/16\"}"),
			"\"data\":{\"reason\":\"protected\"}"},
		{"it covers an own network", CALL("ban.add", "{\"ip\":\"192.0.2.9\"}"),
			"\"code\":1,\"message\":\"the ban covers 192.0.2.0/24"},
		{"unless forced", CALL("ban.add", "{\"ip\":\"198.51.100.9\",\"force\":true}"),
			"\"result\":{\"tier\":5"},
		{"nobody named", CALL("ban.add", "{\"reason\":\"x\"}"),
			"\"code\":-32602,\"message\":\"id, ip: name the peer"},
		{"two named", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"id\":\"x\"}"),
			"\"code\":-32602,\"message\":\"id and ip"},
		{"a prefix and an address",
			CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"prefix\":\"10.0.0.0/8\"}"),
			"\"code\":-32602,\"message\":\"prefix: given beside"},
		{"not an address", CALL("ban.add", "{\"ip\":\"203.0.113\"}"),
			"\"code\":-32602,\"message\":\"ip: not an address"},
		{"host bits", CALL("ban.add", "{\"prefix\":\"10.0.0.1/8\"}"),
			"\"code\":-32602,\"message\":\"prefix: 10.0.0.1/8 has bits set behind its length"},
		{"a length out of range", CALL("ban.add", "{\"prefix\":\"10.0.0.0/33\"}"),
			"has a length out of range (allowed: /0../32"},
		{"a tier that only Weir sets", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"tier\":3}"),
			"\"code\":-32602,\"message\":\"tier: 3 is set by Weir itself"},
		{"a tier out of range", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"tier\":6}"),
			"\"message\":\"tier: wrong type or out of range (allowed: integer 1..5)\""},
		{"for a negative time", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"for\":-1}"),
			"\"message\":\"for: wrong type or out of range"},
		{"for no time", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"for\":0}"),
			"for: the ban would have ended already"},
		{"until yesterday", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"until\":1000}"),
			"until: the ban would have ended already"},
		{"for and until", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"for\":1,\"until\":9000000000}"),
			"until: given beside for"},
		{"a reason that is no text", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"reason\":5}"),
			"\"message\":\"reason: wrong type"},
		{"sync that is no flag", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"sync\":1}"),
			"\"message\":\"sync: wrong type or out of range (allowed: true or false)"},
		{"list: of an address those that cover it",
			CALL("ban.list", "{\"ip\":\"203.0.113.5\",\"tier\":2}"),
			"{\"key\":\"203.0.113.0/25\",\"scope\":\"prefix\",\"tier\":2"},
		{"list: the address's own", CALL("ban.list", "{\"ip\":\"203.0.113.5\",\"tier\":5}"),
			"\"bans\":[{\"key\":\"203.0.113.5\",\"scope\":\"ip\",\"tier\":5"},
		{"list: inside a prefix", CALL("ban.list", "{\"prefix\":\"203.0.113.0/24\",\"tier\":5}"),
			"\"bans\":[{\"key\":\"203.0.113.5\""},
		{"list: of an id", CALL("ban.list", "{\"id\":\"peer-1\"}"),
			"\"bans\":[{\"key\":\"peer-1\",\"scope\":\"peer\""},
		{"list: n out of range", CALL("ban.list", "{\"n\":0}"),
			"\"message\":\"n: wrong type or out of range (allowed: integer 1..10000)"},
		{"list: after is no prefix", CALL("ban.list", "{\"after\":\"x\"}"),
			"\"message\":\"after: x is not an address or a prefix"},
		{"remove one tier", CALL("ban.remove", "{\"prefix\":\"203.0.113.0/25\",\"tier\":2}"),
			"\"result\":{\"removed\":[2]"},
		{"remove all", CALL("ban.remove", "{\"ip\":\"203.0.113.5\",\"sync\":true}"),
			"\"result\":{\"removed\":[5]"},
		{"remove what is not there", CALL("ban.remove", "{\"ip\":\"203.0.113.5\"}"),
			"\"code\":2,\"message\":\"there is no such ban\""},
		{"import",
			CALL("ban.import", "{\"prefixes\":[\"10.1.0.0/"
					   "16\",\"10.2.2.2\",\"x\",\"198.51.100.1\"],\"for\":60}"),
			"\"result\":{\"added\":2,\"refused_n\":2,\"refused\":[{\"prefix\":\"x\",\"reason\":"
			"\"not an address or a prefix\"},{\"prefix\":\"198.51.100.1\",\"reason\":\"covers"},
		{"import without prefixes", CALL("ban.import", "{}"),
			"\"message\":\"prefixes: must be given (allowed: array of at most 10000 texts)"},
		{"import of numbers", CALL("ban.import", "{\"prefixes\":[1]}"),
			"\"message\":\"prefixes: wrong type"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_paging(void)
{
	char line[512], after[256] = "";
	unsigned total = 0, pages = 0;
	if (!world_open())
		return;
	for (int i = 0; i < 25; i++) {
		snprintf(line, sizeof(line), CALL("ban.add", "{\"ip\":\"10.0.0.%d\"}"), i);
		call(admin, &admin_lines, line);
		snprintf(line, sizeof(line), CALL("ban.add", "{\"ip\":\"10.0.0.%d\",\"tier\":2}"), i);
		call(admin, &admin_lines, line);
	}
	for (int i = 0; i < 9; i++) {
		snprintf(line, sizeof(line), CALL("ban.add", "{\"id\":\"peer-%d\"}"), i);
		call(admin, &admin_lines, line);
	}
	for (; pages < 100; pages++) {
		snprintf(line, sizeof(line),
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ban.list\",\"params\":{\"n\":4%s%s%s}}",
			after[0] ? ",\"after\":\"" : "", after, after[0] ? "\"" : "");
		json_t *answer = json_loads(call(reader, &reader_lines, line), 0, NULL);
		json_t *result = json_object_get(answer, "result");
		total += (unsigned)json_array_size(json_object_get(result, "bans"));
		const char *next = json_string_value(json_object_get(result, "next"));
		snprintf(after, sizeof(after), "%s", next != NULL ? next : "");
		json_decref(answer);
		if (after[0] == '\0')
			break;
	}
	CHECK_EQ("every ban is on exactly one page", total, 59u);
	CHECK_TRUE("of several", pages >= 10 && pages < 20);
	world_close();
}

static void test_limits(void)
{
	static char line[65536];
	size_t n = 0;
	if (!world_open())
		return;
	n += (size_t)snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ban.import\",\"params\":{\"prefixes\":[");
	for (int i = 0; i < 1100; i++)
		n += (size_t)snprintf(
			line + n, sizeof(line) - n, "%s\"10.0.%d.%d\"", i ? "," : "", i / 256, i % 256);
	snprintf(line + n, sizeof(line) - n, "]}}");
	CHECK_CONTAINS("an import stops at ban.bans and says so", call(admin, &admin_lines, line),
		"\"added\":1000,\"refused_n\":100");
	CHECK_CONTAINS("with the reason", admin_lines.text, "there are as many bans as ban.bans allows");
	CHECK_CONTAINS("one more is refused",
		call(admin, &admin_lines, CALL("ban.add", "{\"ip\":\"10.9.9.9\"}")),
		"\"code\":1,\"message\":\"there are as many bans as ban.bans allows "
		"(1000)\",\"data\":{\"reason\":\"limit\"}");
	world_close();
}

static void test_lists_and_why(void)
{
	static const struct rpc_case cases[] = {
		{"nothing known: forward", CALL("why", "{\"ip\":\"203.0.113.5\"}"),
			"\"verdict\":\"forward\",\"reason\":\"admitted\",\"rule\":\"design 3 row "
			"12\",\"until\":null"},
		{"without a dataplane it says so", CALL("why", "{\"ip\":\"203.0.113.5\"}"),
			"\"dataplane\":null"},
		{"allowed", CALL("why", "{\"ip\":\"198.51.100.7\"}"),
			"\"verdict\":\"forward\",\"reason\":\"admitted\",\"rule\":\"allow\""},
		{"deny",
			CALL("list.add",
				"{\"list\":\"deny\",\"prefix\":\"203.0.113.0/24\",\"reason\":\"bad net\"}"),
			"\"result\":{\"seq\":"},
		{"denied", CALL("why", "{\"ip\":\"203.0.113.5\"}"),
			"\"verdict\":\"drop\",\"reason\":\"denied\",\"rule\":\"deny\""},
		{"deny again is no error",
			CALL("list.add", "{\"list\":\"deny\",\"prefix\":\"203.0.113.0/24\"}"),
			"\"result\":{\"seq\":"},
		{"allow the same", CALL("list.add", "{\"list\":\"allow\",\"prefix\":\"203.0.113.0/24\"}"),
			"\"code\":1,\"message\":\"it contradicts 203.0.113.0/24"},
		{"deny the node", CALL("list.add", "{\"list\":\"deny\",\"prefix\":\"192.0.2.1\"}"),
			"\"code\":1"},
		{"a list that is none", CALL("list.add", "{\"list\":\"grey\",\"prefix\":\"10.0.0.0/8\"}"),
			"\"message\":\"list: wrong type or out of range (allowed: allow|deny)"},
		{"a prefix that is none", CALL("list.add", "{\"list\":\"deny\",\"prefix\":\"10.0.0.0/99\"}"),
			"\"code\":-32602,\"message\":\"prefix: "},
		{"show", CALL("list.show", "{\"list\":\"deny\"}"),
			"\"entries\":[{\"prefix\":\"203.0.113.0/24\",\"reason\":\"bad "
			"net\",\"origin\":\"operator\"}],\"next\":null"},
		{"show what the file says", CALL("list.show", "{\"list\":\"allow\"}"),
			"\"origin\":\"configuration\""},
		{"show own", CALL("list.show", "{\"list\":\"own\"}"), "\"prefix\":\"192.0.2.0/24\""},
		{"remove",
			CALL("list.remove",
				"{\"list\":\"deny\",\"prefix\":\"203.0.113.0/24\",\"sync\":true}"),
			"\"result\":{\"seq\":"},
		{"no more", CALL("list.remove", "{\"list\":\"deny\",\"prefix\":\"203.0.113.0/24\"}"),
			"\"code\":2"},
		{"what the file lists stays",
			CALL("list.remove", "{\"list\":\"allow\",\"prefix\":\"198.51.100.0/24\"}"),
			"\"code\":1,\"message\":\"it stands in the configuration file"},
		{"ban", CALL("ban.add", "{\"prefix\":\"203.0.112.0/22\",\"reason\":\"r\"}"), "\"tier\":5"},
		{"banned by a prefix", CALL("why", "{\"ip\":\"203.0.113.5\",\"port\":30303}"),
			"\"verdict\":\"drop\",\"reason\":\"banned_prefix\",\"rule\":\"T5\",\"until\":null,"
			"\"tiers\":[5]"},
		{"ban the host", CALL("ban.add", "{\"ip\":\"203.0.114.5\",\"for\":1000,\"tier\":2}"),
			"\"tier\":2"},
		{"why without ip", CALL("why", "{}"), "\"message\":\"ip: must be given"},
		{"why with a port out of range", CALL("why", "{\"ip\":\"1.2.3.4\",\"port\":70000}"),
			"\"message\":\"port: wrong type or out of range (allowed: integer 1..65535)"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_peers(void)
{
	static const struct rpc_case cases[] = {
		{"unknown", CALL("peer.get", "{\"ip\":\"203.0.113.5\"}"), "\"code\":2"},
		{"unknown id", CALL("peer.report", "{\"id\":\"nobody\",\"action\":\"low\",\"reason\":\"r\"}"),
			"\"code\":2,\"message\":\"no such peer"},
		{"bind",
			CALL("peer.bind", "{\"id\":\"p1\",\"ip\":\"203.0.113.5\",\"port\":4000,\"agent\":"
					  "\"Lighthouse/v5/x86_64-linux\"}"),
			"\"accepted\":true,\"reason\":\"\",\"code\":null,\"until\":null,\"client\":{\"kind\":"
			"\"Lighthouse\",\"version\":\"v5\",\"os\":\"x86_64-linux\",\"agent\":"},
		{"bind without port", CALL("peer.bind", "{\"id\":\"p1\",\"ip\":\"203.0.113.5\"}"),
			"\"message\":\"port: not a port (allowed: integer 1..65535)"},
		{"low costs ten", CALL("peer.report", "{\"id\":\"p1\",\"action\":\"low\",\"reason\":\"r\"}"),
			"\"score\":-10.0,\"state\":\"healthy\",\"ban\":null"},
		{"unproven changes nothing",
			CALL("peer.report",
				"{\"id\":\"p1\",\"action\":\"fatal\",\"reason\":\"r\",\"proven\":false}"),
			"\"code\":1,\"message\":\"the source is not proven"},
		{"an unknown action",
			CALL("peer.report", "{\"id\":\"p1\",\"action\":\"smack\",\"reason\":\"r\"}"),
			"\"message\":\"action: wrong type or out of range (allowed: fatal|low|"},
		{"no reason", CALL("peer.report", "{\"id\":\"p1\",\"action\":\"low\"}"),
			"\"message\":\"reason: must be given"},
		{"fatal bans",
			CALL("peer.report", "{\"ip\":\"203.0.113.9\",\"action\":\"fatal\",\"reason\":\"r\"}"),
			"\"score\":-100.0,\"state\":\"banned\",\"ban\":{\"tier\":3,\"until\":"},
		{"which why tells", CALL("why", "{\"ip\":\"203.0.113.9\"}"),
			"\"verdict\":\"drop\",\"reason\":\"banned\",\"rule\":\"T3\""},
		{"and bind refuses", CALL("peer.bind", "{\"id\":\"p2\",\"ip\":\"203.0.113.9\",\"port\":1}"),
			"\"accepted\":false,\"reason\":\"banned_ip\",\"code\":252"},
		{"get", CALL("peer.get", "{\"ip\":\"203.0.113.9\"}"),
			"\"score\":{\"app\":-100.0,\"gossip\":null,\"combined\":-100.0,\"state\":\"banned\""},
		{"trust", CALL("peer.tag", "{\"id\":\"p1\",\"trusted\":true}"),
			"\"tags\":{\"trusted\":true,\"protected\":false"},
		{"a trusted peer has no score",
			CALL("peer.report", "{\"id\":\"p1\",\"action\":\"fatal\",\"reason\":\"r\"}"),
			"\"score\":null,\"state\":\"healthy\""},
		{"a tag that says nothing changes nothing", CALL("peer.tag", "{\"id\":\"p1\"}"),
			"\"tags\":{\"trusted\":true,\"protected\":false"},
		{"a subnet beyond the last", CALL("peer.tag", "{\"id\":\"p1\",\"subnets\":[256]}"),
			"\"message\":\"subnets: wrong type or out of range (allowed: array of integers "
			"0..255)"},
		{"more hot than warm",
			CALL("peer.tag", "{\"id\":\"p1\",\"group\":{\"name\":\"g\",\"hot\":2,\"warm\":1}}"),
			"\"message\":\"group.hot: above warm"},
		{"only simulate opens connections by request",
			CALL("conn.open", "{\"ip\":\"203.0.113.9\",\"port\":1,\"direction\":\"in\"}"),
			"\"code\":-32601"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_rights(void)
{
	static const struct rpc_case cases[] = {
		{"a reader may ask", CALL("governor.status", "{}"), "\"result\""},
		{"and list", CALL("ban.list", "{}"), "\"bans\":[]"},
		{"and ask why", CALL("why", "{\"ip\":\"1.2.3.4\"}"), "\"result\""},
		{"but not ban", CALL("ban.add", "{\"ip\":\"1.2.3.4\"}"),
			"\"code\":1,\"message\":\"ban.add changes something"},
		{"nor lift", CALL("ban.remove", "{\"ip\":\"1.2.3.4\"}"),
			"\"data\":{\"reason\":\"permission\"}"},
		{"nor import", CALL("ban.import", "{\"prefixes\":[\"1.2.3.4\"]}"), "\"code\":1"},
		{"nor change lists", CALL("list.add", "{\"list\":\"deny\",\"prefix\":\"1.2.3.4\"}"),
			"\"code\":1"},
		{"nor report",
			CALL("peer.report", "{\"ip\":\"1.2.3.4\",\"action\":\"fatal\",\"reason\":\"\"}"),
			"\"code\":1"},
		{"nor reload", CALL("config.reload", "{}"), "\"code\":1"},
		{"nor make images", CALL("snapshot.make", "{}"), "\"code\":1"},
	};
	if (!world_open())
		return;
	run_cases(reader, &reader_lines, cases, CHECK_COUNT(cases));
	CHECK_EQ("nothing was changed", governor_ban_count(control.governor), 0u);
	world_close();
}

static void test_process_methods(void)
{
	static const struct rpc_case cases[] = {
		{"status has all parts", CALL("status", "{}"), "\"dataplane\":{\"state\":\"absent\""},
		{"status has the image", CALL("status", "{}"), "\"image\":{\"instance\":"},
		{"status has the store", CALL("status", "{}"), "\"store\":{\"ok\":true"},
		{"an image on demand", CALL("snapshot.make", "{}"),
			"\"result\":{\"generation\":2,\"bytes\":"},
		{"sync", CALL("sync", "{}"), "\"result\":{\"durable\":"},
		{"the configuration", CALL("config.show", "{}"),
			"{\"key\":\"ban.bans\",\"value\":\"1000\",\"origin\":\"w.yaml:9\"}"},
		{"no file to reload", CALL("config.reload", "{}"),
			"\"code\":1,\"message\":\"this process has no configuration file"},
		{"subscribe to nonsense", CALL("events.subscribe", "{\"names\":[\"peer.sneezed\"]}"),
			"\"message\":\"names: peer.sneezed is no event"},
		{"subscribe", CALL("events.subscribe", "{\"names\":[\"peer.banned\"]}"),
			"\"result\":{\"ok\":true}"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	CHECK_CONTAINS("a reader subscribes to all",
		call(reader, &reader_lines, CALL("events.subscribe", "{}")), "\"ok\":true");
	forget(&reader_lines);
	call(admin, &admin_lines, CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"reason\":\"\\\"quoted\\\"\"}"));
	CHECK_EQ("a subscriber gets the event beside the answer", admin_lines.count, 2u);
	CHECK_CONTAINS("as a notification", admin_lines.text,
		"{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{");
	CHECK_CONTAINS("with its name", reader_lines.text, "\"event\":\"peer.banned\"");
	json_t *event = json_loads(reader_lines.text, 0, NULL);
	CHECK_TRUE("which is JSON whatever the reason holds", event != NULL);
	json_decref(event);
	forget(&reader_lines);
	call(admin, &admin_lines, CALL("ban.remove", "{\"ip\":\"203.0.113.5\"}"));
	CHECK_EQ("not subscribed, not sent", admin_lines.count, 1u);
	CHECK_CONTAINS("the reader hears", reader_lines.text, "\"event\":\"peer.unbanned\"");
	world_close();
}

static void test_client_leaves(void)
{
	static const char line[] = CALL("snapshot.make", "{}");
	if (!world_open())
		return;
	forget(&reader_lines);
	struct rpc_client *guest;
	CHECK_EQ("a guest", rpc_client_add(rpc, &(struct rpc_sink){&reader_lines, collect}, true, &guest), 0);
	for (int i = 0; i < 50; i++)
		rpc_line(rpc, guest, line, strlen(line));
	CHECK_EQ("his requests wait", rpc_pending(rpc), 50u);
	rpc_client_remove(rpc, guest);
	CHECK_EQ("and are forgotten with him", rpc_pending(rpc), 0u);
	for (int i = 0; i < 1100; i++)
		rpc_line(rpc, admin, line, strlen(line));
	CHECK_EQ("too many are refused", rpc_pending(rpc), 1024u);
	CHECK_CONTAINS("as busy", admin_lines.text, "\"code\":3,\"message\":\"1024 requests wait already\"");
	settle();
	CHECK_EQ("all are answered", admin_lines.count, 1100u);
	CHECK_EQ("the guest got nothing", reader_lines.count, 0u);
	world_close();
}

static const struct check_test tests[] = {
	{"the envelope is checked", test_envelope},
	{"bans are added, listed, removed and imported", test_bans},
	{"lists are paged", test_paging},
	{"limits are said", test_limits},
	{"lists and why", test_lists_and_why},
	{"peers are bound, reported and tagged", test_peers},
	{"readers change nothing", test_rights},
	{"status, images, sync and events", test_process_methods},
	{"a client that leaves takes its requests along", test_client_leaves},
};
CHECK_MAIN("rpc", tests)
