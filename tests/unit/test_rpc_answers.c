/* SPDX-License-Identifier: BSD-3-Clause
 * Answers that must not mislead: what is really in force, whose ban it is, and what holds when the wall clock
 * falls, when a page's place is gone, or when control ends in the turn of a command.
 */
#include "shm/image_file.h"
#include "tests/unit/rpc_fixture.h"

static void test_bans_in_force(void)
{
	static const struct rpc_case cases[] = {
		{"a ban for ever", CALL("ban.add", "{\"ip\":\"203.0.113.5\"}"), "\"until\":null"},
		{"a shorter one changes nothing and says so",
			CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"for\":60}"), "\"tier\":5,\"until\":null"},
		{"also of a network", CALL("ban.add", "{\"prefix\":\"203.0.112.0/24\"}"), "\"until\":null"},
		{"also of a network", CALL("ban.add", "{\"prefix\":\"203.0.112.0/24\",\"for\":60}"),
			"\"tier\":5,\"until\":null"},
		{"also of an id", CALL("ban.add", "{\"id\":\"peer-1\"}"), "\"until\":null"},
		{"also of an id", CALL("ban.add", "{\"id\":\"peer-1\",\"for\":60}"),
			"\"tier\":5,\"until\":null"},
		{"an own address names the entry that protects it", CALL("why", "{\"ip\":\"192.0.2.77\"}"),
			"\"list\":\"192.0.2.0/24\""},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_banned_ids(void)
{
	static const struct rpc_case cases[] = {
		{"an id is banned", CALL("ban.add", "{\"id\":\"peer-1\"}"), "\"tier\":5"},
		{"it is not accepted when it comes",
			CALL("peer.bind", "{\"id\":\"peer-1\",\"ip\":\"203.0.113.9\",\"port\":4000,\"agent\":"
					  "\"teku/teku/v1/linux\"}"),
			"\"accepted\":false,\"reason\":\"banned\",\"code\":251,\"until\":null"},
		{"why says so too", CALL("why", "{\"ip\":\"203.0.113.9\",\"id\":\"peer-1\"}"),
			"\"verdict\":\"refuse\",\"reason\":\"banned\",\"rule\":\"T5\""},
		{"its client is known", CALL("peer.get", "{\"id\":\"peer-1\"}"),
			"\"client\":{\"kind\":\"Teku\",\"version\":\"v1\",\"os\":\"linux\""},
		{"the address alone is not banned", CALL("why", "{\"ip\":\"203.0.113.9\"}"),
			"\"verdict\":\"forward\""},
		{"lifted", CALL("ban.remove", "{\"id\":\"peer-1\"}"), "\"removed\":[5]"},
		{"it is accepted again",
			CALL("peer.bind", "{\"id\":\"peer-1\",\"ip\":\"203.0.113.9\",\"port\":4000}"),
			"\"accepted\":true"},
		{"an IPv6 source is banned by its /64",
			CALL("peer.report",
				"{\"ip\":\"2001:db8:5::1\",\"action\":\"fatal\",\"reason\":\"r\"}"),
			"\"state\":\"banned\""},
		{"and each address of it shows that", CALL("peer.get", "{\"ip\":\"2001:db8:5::2\"}"),
			"\"bans\":[{\"key\":\"2001:db8:5::/64\""},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

/* There is no dataplane to ask here: what the governor knows of the address holds, then what would follow of the id. */
static void test_why_of_both(void)
{
	static const struct rpc_case cases[] = {
		{"an id is banned for ever", CALL("ban.add", "{\"id\":\"peer-1\"}"), "\"tier\":5"},
		{"and for a time", CALL("ban.add", "{\"id\":\"peer-1\",\"tier\":2,\"for\":60}"), "\"tier\":2"},
		{"why tells both tiers", CALL("why", "{\"ip\":\"203.0.113.9\",\"id\":\"peer-1\"}"),
			"\"verdict\":\"refuse\",\"reason\":\"banned\",\"rule\":\"T5\",\"until\":null,\"tiers\":[2,5]"},
		{"its address is denied", CALL("list.add", "{\"list\":\"deny\",\"prefix\":\"203.0.113.9\"}"), "\"seq\""},
		{"then no packet of it comes so far", CALL("why", "{\"ip\":\"203.0.113.9\",\"id\":\"peer-1\"}"),
			"\"verdict\":\"drop\",\"reason\":\"denied\",\"rule\":\"deny\""},
		{"another address throttled", CALL("ban.add", "{\"ip\":\"203.0.113.8\",\"tier\":2,\"for\":60}"),
			"\"tier\":2"},
		{"has the tiers of both", CALL("why", "{\"ip\":\"203.0.113.8\",\"id\":\"peer-1\"}"),
			"\"verdict\":\"drop\",\"reason\":\"banned\",\"rule\":\"T2\""},
		{"in one list", CALL("why", "{\"ip\":\"203.0.113.8\",\"id\":\"peer-1\"}"), "\"tiers\":[2,5]"},
		{"and the stronger ban", CALL("why", "{\"ip\":\"203.0.113.8\",\"id\":\"peer-1\"}"),
			"\"ban\":{\"key\":\"peer-1\",\"scope\":\"peer\",\"tier\":5"},
		{"an id of which nothing is known", CALL("why", "{\"ip\":\"203.0.113.7\",\"id\":\"peer-9\"}"),
			"\"verdict\":\"forward\",\"reason\":\"admitted\",\"rule\":\"design 3 row 12\""},
		{"is not known for having been asked of", CALL("peer.get", "{\"id\":\"peer-9\"}"), "\"code\":2"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_ended(void)
{
	static const struct rpc_case cases[] = {
		{"a ban", CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"reason\":\"r\"}"), "\"tier\":5"},
		{"none has ended", CALL("ban.list", "{\"ended\":true}"), "{\"bans\":[],\"next\":null}"},
		{"it is removed", CALL("ban.remove", "{\"ip\":\"203.0.113.5\"}"), "\"removed\":[5]"},
		{"it has ended", CALL("ban.list", "{\"ended\":true}"), "\"key\":\"203.0.113.5\",\"scope\":\"ip\",\"tier\":5"},
		{"and says why", CALL("ban.list", "{\"ended\":true}"), "\"why\":\"removed\"}],\"next\":null"},
		{"it covered its address", CALL("ban.list", "{\"ended\":true,\"ip\":\"203.0.113.5\"}"), "203.0.113.5"},
		{"and no other", CALL("ban.list", "{\"ended\":true,\"ip\":\"203.0.113.6\"}"), "{\"bans\":[],"},
		{"it had one tier", CALL("ban.list", "{\"ended\":true,\"tier\":2}"), "{\"bans\":[],"},
		{"a second", CALL("ban.add", "{\"id\":\"peer-1\"}"), "\"tier\":5"},
		{"ends too", CALL("ban.remove", "{\"id\":\"peer-1\"}"), "\"removed\":[5]"},
		{"the later first", CALL("ban.list", "{\"ended\":true,\"n\":1}"), "{\"bans\":[{\"key\":\"peer-1\""},
		{"with the place to go on", CALL("ban.list", "{\"ended\":true,\"n\":1}"), "\"next\":\"ended:2\""},
		{"where the other is", CALL("ban.list", "{\"ended\":true,\"after\":\"ended:2\"}"),
			"{\"bans\":[{\"key\":\"203.0.113.5\""},
		{"a place that is none", CALL("ban.list", "{\"ended\":true,\"after\":\"203.0.113.5\"}"),
			"\"code\":-32602"},
	};
	if (!world_open())
		return;
	run_cases(admin, &admin_lines, cases, CHECK_COUNT(cases));
	world_close();
}

static void test_clock_set_back(void)
{
	if (!world_open())
		return;
	log_set_level(LOG_LEVEL_ERROR);
	/* an hour ahead of the time that the clock is set back to */
	control_clock(&control);
	control.latest_wall_ms = control.clock.wall_ms + 3600000;
	(void)governor_advance(control.governor, control.latest_wall_ms, 1);
	CHECK_CONTAINS("a ban of a minute is taken",
		call(admin, &admin_lines, CALL("ban.add", "{\"ip\":\"203.0.113.5\",\"for\":60}")),
		"\"tier\":5");
	CHECK_CONTAINS("and is in force", call(admin, &admin_lines, CALL("why", "{\"ip\":\"203.0.113.5\"}")),
		"\"T5\"");
	CHECK_TRUE("its end is due by the clock as it is",
		governor_next_due_ms(control.governor) <= control.clock.wall_ms + 60000);
	world_close();
}

/* Two pages; the peer that the second begins behind is unbanned in between. */
static void test_lost_place(void)
{
	if (!world_open())
		return;
	call(admin, &admin_lines, CALL("ban.add", "{\"id\":\"peer-1\"}"));
	call(admin, &admin_lines, CALL("ban.add", "{\"id\":\"peer-2\"}"));
	json_t *answer = json_loads(call(admin, &admin_lines, CALL("ban.list", "{\"n\":1}")), 0, NULL);
	const char *next = json_string_value(json_object_get(json_object_get(answer, "result"), "next"));
	char line[256];
	if (CHECK_TRUE("there is a second page", next != NULL && strncmp(next, "id:", 3) == 0)) {
		snprintf(line, sizeof(line), CALL("ban.remove", "{\"id\":\"%s\"}"), next + 3);
		call(admin, &admin_lines, line);
		snprintf(line, sizeof(line), CALL("ban.list", "{\"after\":\"%s\"}"), next);
		CHECK_CONTAINS(
			"the rest is not silently left out", call(admin, &admin_lines, line), "\"code\":2");
	}
	json_decref(answer);
	world_close();
}

/* A filter that matches one of many: each page looks at a bounded number, and together they find it. */
static void test_bounded_pages(void)
{
	if (!world_open())
		return;
	struct ban ban = {.scope = BAN_SCOPE_PREFIX, .tier = BAN_TIER_MANUAL, .end_ms = GOVERNOR_NEVER_MS};
	struct governor_config config = {.bans_max = 200000, .peers_max = 1000, .temporary_bans_max = 3};
	governor_reconfigure(control.governor, &config, control.clock.wall_ms);
	for (unsigned i = 0; i < 150000; i++) {
		ban.prefix.address = address_from_v4(0x0a000000 + i);
		ban.prefix.length = PREFIX_HOST_LENGTH;
		ban.tier = i == 149999 ? BAN_TIER_STRIKE : BAN_TIER_MANUAL;
		ban.end_ms = i == 149999 ? control.clock.wall_ms + 600000 : GOVERNOR_NEVER_MS;
		if (governor_ban_load(control.governor, &ban, control.clock.wall_ms) != 0)
			break;
	}
	CHECK_EQ("all are there", governor_ban_count(control.governor), 150000u);
	char line[256], after[64] = "";
	unsigned pages = 0, found = 0;
	for (; pages < 10; pages++) {
		snprintf(line, sizeof(line), CALL("ban.list", "{\"tier\":2%s%s%s}"),
			after[0] != '\0' ? ",\"after\":\"" : "", after, after[0] != '\0' ? "\"" : "");
		json_t *answer = json_loads(call(reader, &reader_lines, line), 0, NULL);
		json_t *result = json_object_get(answer, "result");
		const char *next = json_string_value(json_object_get(result, "next"));
		found += (unsigned)json_array_size(json_object_get(result, "bans"));
		snprintf(after, sizeof(after), "%s", next != NULL ? next : "");
		json_decref(answer);
		if (after[0] == '\0')
			break;
	}
	CHECK_EQ("65536 are looked at for a page", pages, 2u);
	CHECK_EQ("none is missed", found, 1u);
	world_close();
}

/* The labels of the image's lists; label 0 is "nothing". 0: no valid image. */
static uint64_t image_labels(void)
{
	char path[96];
	void *block = NULL;
	size_t bytes = 0;
	struct image_view view;
	uint64_t n = 0;
	snprintf(path, sizeof(path), "%s/shm/weir.image", directory);
	if (image_file_read(path, &block, &bytes) == 0 && image_validate(block, bytes, &view) == IMAGE_OK)
		n = view.n_list_labels;
	free(block);
	return n;
}

static void test_end_in_the_turn_of_a_command(void)
{
	char command[128];
	if (!world_open())
		return;
	uint64_t before = image_labels();
	CHECK_TRUE("the first image is there", before > 0);
	call(admin, &admin_lines, CALL("list.add", "{\"list\":\"deny\",\"prefix\":\"203.0.113.0/24\"}"));
	rpc_destroy(rpc);
	CHECK_EQ("control closes", control_close(&control), 0);
	CHECK_EQ("the last image covers the command and has its entry", image_labels(), before + 1);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	CHECK_EQ("nothing is left", system(command), 0);
}

static void tell(enum event_kind kind, uint8_t service, uint16_t port)
{
	struct event_record event = {.kind = (uint8_t)kind,
		.service = service,
		.client_port = port,
		.protocol = 6,
		.flags = EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE};
	struct address client;
	CHECK_EQ("address", address_parse("203.0.113.9", &client), 0);
	memcpy(event.client, client.bytes, sizeof(event.client));
	governor_dataplane_event(control.governor, &event, control.clock.wall_ms);
}

/* The last command of the log. */
static const struct command_record *last_command(void)
{
	struct control_payload *payload = publisher_payload(control.publisher);
	return &payload->records[(payload->head_sequence - 1) % COMMAND_LOG_RECORDS];
}

static bool cuts(const struct command_record *record, const char *text, uint16_t port)
{
	struct address address;
	return address_parse(text, &address) == 0 && record->kind == COMMAND_FLOW_CUT &&
	       record->port == port && memcmp(record->address, address.bytes, sizeof(record->address)) == 0;
}

static void test_disconnect(void)
{
	if (!world_open())
		return;
	CHECK_CONTAINS("an operator listens",
		call(reader, &reader_lines,
			CALL("events.subscribe", "{\"names\":[\"governor.disconnect\"]}")),
		"true");
	for (uint16_t port = 4000; port < 4003; port++)
		tell(EVENT_FLOW_PROVEN, 0, port);
	CHECK_CONTAINS("an address and port is one connection",
		call(admin, &admin_lines,
			CALL("peer.disconnect",
				"{\"ip\":\"203.0.113.9\",\"port\":4001,\"reason\":\"worst\"}")),
		"\"closed\":1}");
	CHECK_TRUE("it alone is cut", cuts(last_command(), "203.0.113.9", 4001));
	CHECK_CONTAINS("the event says why", reader_lines.text, "\"event\":\"governor.disconnect\"");
	CHECK_CONTAINS("the event says why", reader_lines.text, "\"port\":4001,\"reason\":\"worst\"");
	CHECK_CONTAINS("an address is all of its connections",
		call(admin, &admin_lines, CALL("peer.disconnect", "{\"ip\":\"203.0.113.9\"}")),
		"\"closed\":3}");
	CHECK_TRUE("all are cut", cuts(last_command(), "203.0.113.9", 0));
	CHECK_CONTAINS("an address that nothing is known of may have some all the same",
		call(admin, &admin_lines, CALL("peer.disconnect", "{\"ip\":\"203.0.113.77\"}")),
		"\"closed\":0}");
	CHECK_TRUE("so they are cut", cuts(last_command(), "203.0.113.77", 0));
	call(admin, &admin_lines,
		CALL("peer.bind", "{\"id\":\"peer-1\",\"ip\":\"203.0.113.9\",\"port\":4002}"));
	CHECK_CONTAINS("an id is the connection that it is bound to",
		call(admin, &admin_lines, CALL("peer.disconnect", "{\"id\":\"peer-1\",\"code\":3}")),
		"\"closed\":1}");
	CHECK_TRUE("it alone is cut", cuts(last_command(), "203.0.113.9", 4002));
	CHECK_CONTAINS("nobody is behind another id",
		call(admin, &admin_lines, CALL("peer.disconnect", "{\"id\":\"peer-2\"}")), "no such peer");
	call(admin, &admin_lines,
		CALL("peer.bind", "{\"id\":\"peer-3\",\"ip\":\"203.0.113.9\",\"port\":4002}"));
	CHECK_CONTAINS("nor behind one whose address and port another one has now",
		call(admin, &admin_lines, CALL("peer.disconnect", "{\"id\":\"peer-1\"}")), "\"closed\":0}");
	CHECK_TRUE("who is not cut", cuts(last_command(), "203.0.113.9", 4002));
	CHECK_CONTAINS("a reader may not",
		call(reader, &reader_lines, CALL("peer.disconnect", "{\"ip\":\"203.0.113.9\"}")), "error");
	world_close();
}

static void test_disconnect_rate(void)
{
	unsigned closed = 0, busy = 0;
	if (!world_open())
		return;
	uint64_t before = publisher_payload(control.publisher)->head_sequence;
	uint64_t began_ns = control.clock.mono_ns;
	for (unsigned i = 0; i < 60; i++) {
		const char *answer =
			call(admin, &admin_lines, CALL("peer.disconnect", "{\"ip\":\"203.0.113.9\"}"));
		closed += strstr(answer, "\"closed\"") != NULL;
		busy += strstr(answer, "\"code\":3") != NULL;
	}
	uint64_t allowed = 20 + (control.clock.mono_ns - began_ns) / 50000000 + 1;
	CHECK_TRUE("twenty at once, then one in 50 ms", closed >= 20 && closed <= allowed);
	CHECK_EQ("the others are told to wait", busy, 60 - closed);
	CHECK_EQ("and cut nobody", publisher_payload(control.publisher)->head_sequence - before, closed);
	control.disconnect_full_ns = 0;
	CHECK_CONTAINS("after a second it goes on",
		call(admin, &admin_lines, CALL("peer.disconnect", "{\"ip\":\"203.0.113.9\"}")), "\"closed\"");
	world_close();
}

static void test_floods(void)
{
	if (!world_open())
		return;
	call(reader, &reader_lines,
		CALL("events.subscribe", "{\"names\":[\"flood.enter\",\"flood.leave\"]}"));
	forget(&reader_lines);
	tell(EVENT_FLOOD_ENTER, 255, 0);
	CHECK_CONTAINS("an lcore's flood mode", reader_lines.text,
		"\"event\":\"flood.enter\",\"scope\":\"lcore\",\"rate_pps\":0}");
	forget(&reader_lines);
	tell(EVENT_FLOOD_LEAVE, 1, 0);
	CHECK_CONTAINS("a service's pressure", reader_lines.text,
		"\"event\":\"flood.leave\",\"scope\":\"service\",\"service\":1,\"seconds\":0}");
	tell(EVENT_FLOOD_ENTER, 1, 0);
	tell(EVENT_FLOOD_ENTER, 0, 0);
	CHECK_CONTAINS("both are counted", call(reader, &reader_lines, CALL("governor.status", "{}")),
		"\"flood\":{\"lcores\":0,\"floods\":1,\"flood_s\":0.0,\"services\":0,\"pressures\":2,"
		"\"pressure_s\":0.0}");
	world_close();
}

static const struct check_test tests[] = {
	{"peers are disconnected", test_disconnect},
	{"so many a second", test_disconnect_rate},
	{"floods are told and counted", test_floods},
	{"an answer tells what is in force", test_bans_in_force},
	{"a banned id is refused when it is bound", test_banned_ids},
	{"why tells of the address and of the id", test_why_of_both},
	{"bans that ended are listed", test_ended},
	{"a wall clock that is set back", test_clock_set_back},
	{"a page whose place is gone", test_lost_place},
	{"an end in the turn of a command", test_end_in_the_turn_of_a_command},
	{"a page looks at a bounded number of bans", test_bounded_pages},
};
CHECK_MAIN("rpc_answers", tests)
