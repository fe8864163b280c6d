/* SPDX-License-Identifier: BSD-3-Clause
 * What a node asks and says over JSON-RPC: its address book, its peers, its connections, its state. The
 * policy behind it has its own tests; here the names, the ranges, the errors and what must not be half done.
 */
#include "tests/unit/rpc_fixture.h"

static void test_book(void)
{
	static const struct rpc_case cases[] = {
		{"nothing yet", CALL("book.count", "{}"), "{\"count\":0}"},
		{"an address",
			CALL("book.add",
				"{\"entries\":[{\"ip\":\"45.1.2.3\",\"port\":30303,\"source\":\"gossip\"}]}"),
			"{\"results\":[{\"added\":true,\"why\":\"added\"}]}"},
		{"the same again",
			CALL("book.add",
				"{\"entries\":[{\"ip\":\"45.1.2.3\",\"port\":30303,\"source\":\"gossip\"}]}"),
			"\"added\":true,\"why\":\"refreshed\""},
		{"a port that no address has is refused with its reason (V41)",
			CALL("book.add", "{\"entries\":[{\"ip\":\"45.1.2.4\",\"port\":65536}]}"),
			"\"added\":false"},
		{"our own address is refused",
			CALL("book.add", "{\"entries\":[{\"ip\":\"192.0.2.1\",\"port\":30303}]}"),
			"\"added\":false"},
		{"get", CALL("book.get", "{\"ip\":\"45.1.2.3\",\"port\":30303}"),
			"\"type\":\"inbound\",\"category\":\"none\",\"source\":\"gossip\",\"next_attempt\":"
			"1"},
		{"get: ready, without failures", CALL("book.get", "{\"ip\":\"45.1.2.3\",\"port\":30303}"),
			"\"ready\":true,\"failures\":0"},
		{"get what is not there", CALL("book.get", "{\"ip\":\"45.1.2.3\",\"port\":30304}"),
			"\"result\":null"},
		{"a failure", CALL("book.record", "{\"ip\":\"45.1.2.3\",\"port\":30303,\"ok\":false}"),
			"\"failures\":1,\"decayed_fail\":1,\"ok\":0,\"fail\":1,\"attempts\":1"},
		{"of what is not there", CALL("book.record", "{\"ip\":\"45.1.2.3\",\"port\":1,\"ok\":true}"),
			"\"code\":2,\"message\":\"the book does not have this address"},
		{"put makes a record",
			CALL("book.put", "{\"ip\":\"45.9.2.3\",\"port\":7,\"ok\":3,\"fail\":1,\"type\":"
					 "\"outbound\",\"failures\":2}"),
			"\"type\":\"outbound\",\"category\":\"none\",\"source\":\"node\""},
		{"with what it was given", CALL("book.get", "{\"ip\":\"45.9.2.3\",\"port\":7}"),
			"\"ok\":3,\"fail\":1,\"attempts\":4"},
		{"put nothing changes nothing", CALL("book.put", "{\"ip\":\"45.9.2.3\",\"port\":7}"),
			"\"ok\":3,\"fail\":1"},
		{"put of a wrong word", CALL("book.put", "{\"ip\":\"45.9.2.3\",\"port\":7,\"type\":\"x\"}"),
			"\"message\":\"type: wrong type or out of range (allowed: "
			"inbound|outbound|preferred)"},
		{"an update of the type",
			CALL("book.update", "{\"ip\":\"45.1.2.3\",\"port\":30303,\"observed\":\"outbound\"}"),
			"\"type\":\"outbound\""},
		{"an update of the backoff",
			CALL("book.update",
				"{\"ip\":\"45.1.2.3\",\"port\":30303,\"backoff\":\"hard_reset\"}"),
			"\"failures\":0"},
		{"the best first", CALL("book.best", "{\"n\":1}"),
			"{\"addrs\":[{\"ip\":\"45.9.2.3\",\"port\":7}]}"},
		{"but for those that the node has",
			CALL("book.best", "{\"n\":2,\"exclude\":[{\"ip\":\"45.9.2.3\",\"port\":7}]}"),
			"{\"addrs\":[{\"ip\":\"45.1.2.3\",\"port\":30303}]}"},
		{"an exclusion that is none", CALL("book.best", "{\"exclude\":[{\"ip\":\"45.9.2.3\"}]}"),
			"\"code\":-32602"},
		{"random ones that match",
			CALL("book.random", "{\"n\":5,\"filter\":\"outbound\",\"max_failures\":0}"),
			"{\"addrs\":[{\"ip\":\"45.1.2.3\",\"port\":30303}]}"},
		{"one that fails", CALL("book.put", "{\"ip\":\"45.9.2.3\",\"port\":7,\"failures\":20}"),
			"\"failures\":20"},
		{"is not among random ones",
			CALL("book.random", "{\"n\":5,\"filter\":\"any\",\"ready\":false}"),
			"{\"addrs\":[{\"ip\":\"45.1.2.3\",\"port\":30303}]}"},
		{"unless any failures will do",
			CALL("book.random",
				"{\"n\":5,\"filter\":\"any\",\"ready\":false,\"max_failures\":null}"),
			"\"45.9.2.3\""},
		{"a most that is none", CALL("book.random", "{\"n\":5,\"max_failures\":-1}"),
			"\"message\":\"max_failures: wrong type or out of range"},
		{"to send, but not to whom it is",
			CALL("book.to_send", "{\"n\":5,\"asker\":\"45.9.2.3\",\"exclude\":[{\"ip\":\"45.1.2."
					     "3\",\"port\":30303}]}"),
			"\"limited\":false"},
		{"to connect", CALL("book.to_connect", "{\"n\":1}"), "\"tier\":"},
		{"a page", CALL("book.list", "{\"n\":1}"), "\"next\":{\"ip\":\"45.1.2.3\",\"port\":30303}}"},
		{"the next", CALL("book.list", "{\"n\":1,\"after\":{\"ip\":\"45.1.2.3\",\"port\":30303}}"),
			"\"ip\":\"45.9.2.3\""},
		{"a page behind no address", CALL("book.list", "{\"after\":{\"ip\":\"45.1.2.3\"}}"),
			"\"message\":\"after.port"},
		{"those that failed", CALL("book.remove_failed", "{\"min\":2}"), "{\"removed\":1}"},
		{"one is left", CALL("book.count", "{}"), "{\"count\":1}"},
		{"all", CALL("book.clear", "{}"), "{\"removed\":1}"},
		{"none is left", CALL("book.count", "{}"), "{\"count\":0}"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_book_entries(void)
{
	static const struct rpc_case cases[] = {
		{"a mistake in the first is its own",
			CALL("book.add",
				"{\"entries\":[{\"ip\":\"x\",\"port\":1},{\"ip\":\"45.1.2.4\",\"port\":1}]}"),
			"{\"results\":[{\"added\":false,\"why\":\"ip\"},{\"added\":true,\"why\":\"added\"}]"
			"}"},
		{"and the second was added", CALL("book.count", "{}"), "{\"count\":1}"},
		{"mistakes are named",
			CALL("book.add",
				"{\"entries\":[{\"ip\":\"45.1.2.4\",\"port\":1,\"source\":\"rumour\"},"
				"{\"ip\":\"45.1.2.4\",\"port\":1,\"source\":\"gossip:\"},"
				"{\"ip\":\"45.1.2.4\",\"port\":\"1\"},{\"ip\":\"45.1.2.4\"},"
				"{\"ip\":\"45.1.2.4\",\"port\":1,\"category\":\"best\"},"
				"{\"ip\":\"45.1.2.4\",\"port\":1,\"type\":3},"
				"{\"ip\":\"45.1.2.4\",\"port\":1,\"seen\":\"now\"}]}"),
			"{\"results\":[{\"added\":false,\"why\":\"source\"},{\"added\":false,\"why\":"
			"\"source\"},"
			"{\"added\":false,\"why\":\"port\"},{\"added\":false,\"why\":\"port\"},"
			"{\"added\":false,\"why\":\"category\"},{\"added\":false,\"why\":\"type\"},"
			"{\"added\":false,\"why\":\"seen\"}]}"},
		{"DU-2's words",
			CALL("book.add",
				"{\"entries\":[{\"ip\":\"45.1.2.5\",\"port\":1,\"source\":\"peer_sharing\","
				"\"category\":\"big_ledger_peer\",\"verified\":true}]}"),
			"\"added\":true"},
		{"are kept as ours", CALL("book.get", "{\"ip\":\"45.1.2.5\",\"port\":1}"),
			"\"category\":\"big_ledger\",\"source\":\"gossip\""},
		{"SP-10: who told it",
			CALL("book.add",
				"{\"entries\":[{\"ip\":\"45.1.2.6\",\"port\":1,\"source\":\"gossip:abc\"}]}"),
			"\"added\":true"},
		{"is gossip", CALL("book.get", "{\"ip\":\"45.1.2.6\",\"port\":1}"), "\"source\":\"gossip\""},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_group(void)
{
	static const struct rpc_case cases[] = {
		{"a group is told back",
			CALL("peer.tag", "{\"ip\":\"45.1.2.9\",\"port\":3001,\"source\":\"peer_sharing\","
					 "\"group\":{\"name\":\"g\",\"hot\":1,\"warm\":2}}"),
			"\"source\":\"gossip\",\"class\":\"full\""},
		{"by its name and numbers", CALL("peer.tag", "{\"ip\":\"45.1.2.9\",\"port\":3001}"),
			"\"group\":{\"name\":\"g\",\"hot\":1,\"warm\":2}}"},
		{"of the peer too", CALL("peer.get", "{\"ip\":\"45.1.2.9\",\"port\":3001}"),
			"\"group\":{\"name\":\"g\",\"hot\":1,\"warm\":2}}"},
		{"as it is now",
			CALL("peer.tag", "{\"ip\":\"45.1.2.8\",\"port\":3001,\"group\":{\"name\":\"g\","
					 "\"hot\":2,\"warm\":3}}"),
			"\"group\":{\"name\":\"g\",\"hot\":2,\"warm\":3}}"},
		{"for all its members", CALL("peer.get", "{\"ip\":\"45.1.2.9\",\"port\":3001}"),
			"\"group\":{\"name\":\"g\",\"hot\":2,\"warm\":3}}"},
		{"others have none", CALL("peer.tag", "{\"ip\":\"45.1.2.7\",\"trusted\":true}"),
			"\"group\":null}"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_book_events(void)
{
	if (!world_open())
		return;
	call(reader, &reader_lines,
		CALL("events.subscribe", "{\"names\":[\"peer.discovered\",\"discovery.new_peers\"]}"));
	forget(&reader_lines);
	call(admin, &admin_lines,
		CALL("book.add", "{\"entries\":[{\"ip\":\"45.1.2.3\",\"port\":1,\"source\":\"dns\"},{\"ip\":"
				 "\"45.2.2.3\",\"port\":2}]}"));
	CHECK_EQ("each new address, and how many", reader_lines.count, 3u);
	CHECK_CONTAINS("with its way", reader_lines.text,
		"\"event\":\"peer.discovered\",\"ip\":\"45.1.2.3\",\"port\":1,\"source\":\"dns\"");
	CHECK_CONTAINS("how many", reader_lines.text, "\"event\":\"discovery.new_peers\",\"count\":2");
	forget(&reader_lines);
	call(admin, &admin_lines, CALL("book.add", "{\"entries\":[{\"ip\":\"45.1.2.3\",\"port\":1}]}"));
	CHECK_EQ("an old one is no news", reader_lines.count, 0u);
	world_close();
}

static void test_told(void)
{
	static const struct rpc_case cases[] = {
		{"bind",
			CALL("peer.bind", "{\"id\":\"p1\",\"ip\":\"203.0.113.5\",\"port\":4000,\"enr\":\"enr:"
					  "-x\",\"metadata\":{\"seq\":7}}"),
			"\"accepted\":true"},
		{"what the node told comes back", CALL("peer.get", "{\"id\":\"p1\"}"),
			"\"enr\":\"enr:-x\",\"metadata\":{\"seq\":7}"},
		{"a record", CALL("peer.record", "{\"id\":\"p1\",\"ok\":false}"),
			"\"ok\":0,\"fail\":1,\"streak\":1,\"blacklisted\":false"},
		{"of nobody", CALL("peer.record", "{\"id\":\"p2\",\"ok\":true}"), "\"code\":2"},
		{"an error that is none",
			CALL("peer.rpc_error",
				"{\"id\":\"p1\",\"error\":\"x\",\"protocol\":\"status\",\"by\":\"us\"}"),
			"\"code\":-32602,\"message\":\"error: no such error"},
		{"gossip of one", CALL("peer.gossip", "{\"id\":\"p1\",\"score\":-5}"), "{\"updated\":1}"},
		{"gossip of many", CALL("peer.gossip", "{\"scores\":{\"p1\":-7.5,\"p9\":1}}"),
			"{\"updated\":1}"},
		{"gossip of neither", CALL("peer.gossip", "{}"), "\"message\":\"scores: must be given"},
		{"gossip that is no number", CALL("peer.gossip", "{\"scores\":{\"p1\":\"bad\"}}"),
			"\"message\":\"scores.p1: wrong type"},
		{"and the old one stays", CALL("peer.get", "{\"id\":\"p1\"}"), "\"gossip\":-7.5"},
		{"an error that costs",
			CALL("peer.rpc_error", "{\"id\":\"p1\",\"error\":\"invalid_data\",\"protocol\":"
					       "\"status\",\"by\":\"them\"}"),
			"\"action\":\"fatal\",\"score\":-100.0,\"state\":\"banned\""},
		{"metrics", CALL("peer.metrics", "{\"id\":\"p1\",\"rtt_ms\":40}"), "\"value\":"},
		{"metrics out of range", CALL("peer.metrics", "{\"id\":\"p1\",\"uptime\":1.5}"),
			"\"message\":\"uptime: wrong type or out of range"},
		{"seen", CALL("peer.seen", "{\"id\":\"p1\",\"what\":\"ping\",\"seq\":1}"), "\"due\":["},
		{"a request", CALL("peer.request", "{\"id\":\"p1\",\"protocol\":\"ping\"}"),
			"\"allow\":true"},
		{"a step that there is not", CALL("peer.state", "{\"id\":\"p1\",\"to\":\"cooling\"}"),
			"\"data\":{\"reason\":\"transition\"}"},
		{"the best", CALL("peer.best", "{\"n\":3}"), "\"ids\":["},
		{"the list of one", CALL("peer.list", "{\"n\":1}"), "\"next\":null"},
		{"by a word that is none", CALL("peer.list", "{\"status\":\"asleep\"}"),
			"\"message\":\"status: wrong type"},
		{"a dial", CALL("conn.dial", "{\"ip\":\"45.1.2.3\",\"port\":1}"),
			"\"allow\":true,\"reason\":\"\",\"wait_s\":0.0,\"circuit\":\"closed\""},
		{"a login of no connection",
			CALL("conn.auth", "{\"ip\":\"45.1.2.9\",\"port\":1,\"ok\":true}"), "\"code\":2"},
		{"nor without a name", CALL("conn.auth", "{\"ok\":true}"),
			"\"message\":\"conn: must be given"},
		{"no connection", CALL("conn.list", "{}"), "{\"conns\":[],\"next\":null}"},
		{"the node's state", CALL("node.sync_state", "{\"state\":\"syncing\"}"), "\"targets\":{"},
		{"ledger peers",
			CALL("node.ledger_peers", "{\"peers\":[{\"ip\":\"45.1.2.3\",\"port\":1,\"stake\":90},"
						  "{\"ip\":\"45.3.2.3\",\"port\":1,\"stake\":10}]}"),
			"{\"added\":2,\"big\":1}"},
		{"a stake below nothing",
			CALL("node.ledger_peers",
				"{\"peers\":[{\"ip\":\"45.1.2.3\",\"port\":1,\"stake\":-1}]}"),
			"\"message\":\"peers[0].stake"},
		{"subnets, of which this profile wants none",
			CALL("node.subnets", "{\"needed\":[{\"subnet\":7,\"min_ttl\":60}]}"),
			"{\"discover\":[]}"},
		{"a subnet beyond the last",
			CALL("node.subnets", "{\"needed\":[{\"subnet\":256,\"min_ttl\":60}]}"),
			"\"message\":\"needed[0].subnet"},
		{"up", CALL("node.up", "{\"up\":false}"), "\"result\":{}"},
		{"a target", CALL("governor.targets", "{\"target\":60}"), "\"target\":60"},
		{"targets that contradict each other",
			CALL("governor.targets", "{\"known\":1,\"established\":5,\"active\":2}"),
			"\"code\":-32602,\"message\":\"targets: established is above known"},
		{"and were not set", CALL("governor.targets", "{}"), "\"target\":60"},
		{"a tick", CALL("governor.tick", "{}"), "\"actions\":["},
		{"the status", CALL("governor.status", "{}"), "\"sync_state\":\"syncing\""},
		{"forgotten", CALL("peer.remove", "{\"id\":\"p1\"}"), "{\"removed\":true}"},
		{"twice", CALL("peer.remove", "{\"id\":\"p1\"}"), "\"code\":2"},
		{"a formula is not for live", CALL("sim.eval", "{\"what\":\"quality\",\"in\":{}}"),
			"\"code\":-32601"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static const struct check_test tests[] = {
	{"the address book, as the node asks", test_book},
	{"addresses are added one by one", test_book_entries},
	{"groups of local roots are told", test_group},
	{"new addresses are told", test_book_events},
	{"what the node tells", test_told},
};
CHECK_MAIN("rpc_node", tests)
