/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/client_kind.c: agent strings (LH-11, V10), the odd and the long ones.
 */
#include <string.h>

#include "control/client_kind.h"
#include "tests/check.h"

static void test_agents(void)
{
	static const struct {
		const char *agent, *kind, *version, *os;
	} cases[] = {
		{"Lighthouse/v5.3.0-abc/x86_64-linux", "Lighthouse", "v5.3.0-abc", "x86_64-linux"},
		{"teku/teku/v24.8.0/linux", "Teku", "v24.8.0", "linux"},
		{"github.com/prysmaticlabs/v1", "Prysm", "v1", ""},
		{"github.com/...", "Prysm", "", ""},
		{"Prysm/x/v5.0.0/abc", "Prysm", "v5.0.0", ""},
		{"nim-libp2p/0.0.1", "Nimbus", "", ""},
		{"nimbus/eth2/v24.1", "Nimbus", "v24.1", ""},
		{"js-libp2p/0.1", "Lodestar", "0.1", ""},
		{"lodestar/v1.2/abc", "Lodestar", "v1.2", ""},
		{"Grandine/1.0.0/x", "Grandine", "1.0.0", ""},
		{"erigon/caplin", "Caplin", "caplin", ""},
		{"lighthouse/x", "Unknown", "", ""}, /* V10: case counts */
		{"Lighthouses/v1", "Unknown", "", ""},
		{"Light", "Unknown", "", ""},
		{"Lighthouse", "Lighthouse", "", ""},
		{"Lighthouse/", "Lighthouse", "", ""},
		{"", "Unknown", "", ""},
		{"/", "Unknown", "", ""},
		{"rust-libp2p/0.53", "Unknown", "", ""},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct client client;
		client_parse(cases[i].agent, &client);
		CHECK_EQ(cases[i].agent, client_kind_name(client.kind), cases[i].kind);
		CHECK_EQ(cases[i].agent, (const char *)client.version, cases[i].version);
		CHECK_EQ(cases[i].agent, (const char *)client.os, cases[i].os);
	}
	char agent[512] = "Lighthouse/";
	memset(agent + 11, 'v', 400);
	struct client client;
	client_parse(agent, &client);
	CHECK_EQ("a long version is cut", strlen(client.version), CLIENT_TEXT_MAX - 1);
}

static const struct check_test tests[] = {
	{"V10: agent strings", test_agents},
};
CHECK_MAIN("client_kind", tests)
