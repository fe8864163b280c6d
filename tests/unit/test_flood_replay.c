// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/flood_replay.h on captures written here: times and their scale, what is skipped, and whom
 * the target guard protects.
 */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/flood_packet.h"
#include "bench/flood_replay.h"
#include "tests/check.h"

enum { FRAMES_MAX = 8 };

struct written {
	const char *to; /* NULL: not an IP packet */
	uint64_t at_us;
	unsigned missing; /* bytes that the capture cut off */
};

static const uint8_t source_mac[6] = {2, 0, 0, 0, 0, 1}, mac[6] = {2, 0, 0, 0, 0, 9};

static void capture_write(const char *path, int link, const struct written *frames, unsigned n)
{
	pcap_t *pcap = pcap_open_dead(link, 65535);
	pcap_dumper_t *dumper = pcap_dump_open(pcap, path);
	static struct flood_template template;
	static uint8_t frame[FLOOD_FRAME_MAX];

	CHECK_TRUE("the capture can be written", dumper != NULL);
	for (unsigned i = 0; dumper != NULL && i < n; i++) {
		struct flood_target target = {.port = 53, .source_mac = {4}, .mac = {6}};
		struct pcap_pkthdr header = {.ts = {.tv_sec = (long)(1000 + frames[i].at_us / 1000000),
						     .tv_usec = (long)(frames[i].at_us % 1000000)}};
		struct address client;

		CHECK_EQ("an address",
			address_parse(frames[i].to != NULL ? frames[i].to : "198.18.0.1", &target.address),
			0);
		flood_template_build(&template, FLOOD_UDP, &target, 20 + i);
		CHECK_EQ("a client",
			address_parse(address_is_v4(&target.address) ? "10.0.0.1" : "fd00::1", &client), 0);
		flood_frame_write(&template, &client, 99, 0, frame);
		if (frames[i].to == NULL)
			memcpy(frame + 12, "\x08\x06", 2);
		header.len = template.frame_bytes;
		header.caplen = header.len - frames[i].missing;
		pcap_dump((u_char *)dumper, &header, frame);
	}
	if (dumper != NULL)
		pcap_dump_close(dumper);
	pcap_close(pcap);
}

static void path_make(char path[64])
{
	int fd;

	snprintf(path, 64, "/tmp/weir-test-replay-XXXXXX");
	fd = mkstemp(path);
	CHECK_TRUE("a file", fd >= 0);
	if (fd >= 0)
		close(fd);
}

static void test_loading(void)
{
	static const struct {
		const char *name;
		int link;
		bool owned;
		double scale;
		unsigned n;
		struct written frames[FRAMES_MAX];
		int rc;
		uint32_t kept, skipped;
		uint64_t at_us[FRAMES_MAX];
	} cases[] = {
		{"times as they were", DLT_EN10MB, false, 1, 3,
			{{"198.18.0.1", 5, 0}, {"fd18::1", 1000007, 0}, {"10.1.1.1", 1000007, 0}}, 0, 3, 0,
			{0, 1000002, 1000002}},
		{"twice as fast", DLT_EN10MB, false, 2, 2, {{"198.18.0.1", 0, 0}, {"198.18.0.1", 3000, 0}}, 0,
			2, 0, {0, 1500}},
		{"ten times slower", DLT_EN10MB, false, 0.1, 2,
			{{"198.18.0.1", 0, 0}, {"198.18.0.1", 3000, 0}}, 0, 2, 0, {0, 30000}},
		{"time does not run backwards", DLT_EN10MB, false, 1, 3,
			{{"198.18.0.1", 100, 0}, {"198.18.0.1", 50, 0}, {"198.18.0.1", 120, 0}}, 0, 3, 0,
			{0, 0, 20}},
		{"no IP, and cut short", DLT_EN10MB, false, 1, 3,
			{{NULL, 0, 0}, {"198.18.0.1", 9, 1}, {"198.18.0.1", 20, 0}}, 0, 1, 2, {0}},
		{"a public destination", DLT_EN10MB, false, 1, 2, {{"198.18.0.1", 0, 0}, {"8.8.8.8", 1, 0}},
			-EPERM, 0, 0, {0}},
		{"a public IPv6 destination", DLT_EN10MB, false, 1, 1, {{"2606:4700::1", 0, 0}}, -EPERM, 0, 0,
			{0}},
		{"a public destination that is owned", DLT_EN10MB, true, 1, 1, {{"8.8.8.8", 1, 0}}, 0, 1, 0,
			{0}},
		{"nothing", DLT_EN10MB, false, 1, 0, {{NULL, 0, 0}}, -EINVAL, 0, 0, {0}},
		{"nothing that is IP", DLT_EN10MB, false, 1, 1, {{NULL, 0, 0}}, -EINVAL, 0, 0, {0}},
		{"not Ethernet", DLT_RAW, false, 1, 1, {{"198.18.0.1", 0, 0}}, -EINVAL, 0, 0, {0}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct flood_replay replay = {0};
		char path[64], why[256] = "";

		path_make(path);
		capture_write(path, cases[i].link, cases[i].frames, cases[i].n);
		CHECK_EQ(cases[i].name,
			flood_replay_load(path, cases[i].scale, cases[i].owned, source_mac, mac, &replay, why,
				sizeof(why)),
			cases[i].rc);
		CHECK_EQ(cases[i].name, replay.n, cases[i].kept);
		CHECK_EQ(cases[i].name, replay.skipped, cases[i].skipped);
		CHECK_TRUE(cases[i].name, cases[i].rc == 0 || why[0] != '\0');
		for (uint32_t k = 0; k < replay.n; k++) {
			CHECK_EQ(cases[i].name, replay.frames[k].at_ns, cases[i].at_us[k] * 1000);
			CHECK_TRUE(cases[i].name, memcmp(flood_replay_bytes(&replay, k), mac, 6) == 0);
			CHECK_TRUE(cases[i].name,
				memcmp(flood_replay_bytes(&replay, k) + 6, source_mac, 6) == 0);
		}
		flood_replay_done(&replay);
		unlink(path);
	}
}

static void test_due(void)
{
	struct flood_replay_frame frames[] = {{.at_ns = 0}, {.at_ns = 10}, {.at_ns = 10}, {.at_ns = 30}};
	struct flood_replay replay = {.frames = frames, .n = 4};

	CHECK_EQ("the first at once", flood_replay_due(&replay, 0, 0), 1);
	CHECK_EQ("not before its time", flood_replay_due(&replay, 1, 9), 1);
	CHECK_EQ("two of one time", flood_replay_due(&replay, 1, 10), 3);
	CHECK_EQ("all in the end", flood_replay_due(&replay, 1, 1000), 4);
	CHECK_EQ("and no more", flood_replay_due(&replay, 4, 1000), 4);
}

static void test_missing(void)
{
	struct flood_replay replay = {0};
	char why[256] = "";

	CHECK_EQ("no file",
		flood_replay_load("/nonexistent.pcap", 1, false, source_mac, mac, &replay, why, sizeof(why)),
		-EINVAL);
	CHECK_TRUE("says why", why[0] != '\0');
}

static const struct check_test tests[] = {
	{"captures are loaded as they should be", test_loading},
	{"frames are due at their time", test_due},
	{"a file that is not there", test_missing},
};
CHECK_MAIN("flood_replay", tests)
