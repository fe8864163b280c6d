/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/outcome.c: the classification of policy.md 2.1 in a table, and V39: nothing unproven is
 * ever a success or a failure, and no limit of ours is ever a failure, whatever else is true.
 */
#include "control/keyed_random.h"
#include "control/outcome.h"
#include "tests/check.h"

/* Proven, inbound, the node up, closed by the client in order after ten seconds, timeouts of 5 and 10 s. */
#define BASE \
	.proven = true, .node_up = true, .by = CLOSED_BY_CLIENT, .how = CLOSED_HOW_FIN, .payload_ms = -1, \
	.age_ms = 10000, .auth_timeout_ms = 5000, .min_life_ms = 10000

#pragma GCC diagnostic ignored "-Woverride-init"

static void test_table(void)
{
	static const struct {
		const char *name;
		struct outcome_input input;
		enum outcome outcome;
	} cases[] = {
		{"payload in time", {BASE, .payload_ms = 100}, OUTCOME_SUCCESS},
		{"payload at the last moment", {BASE, .payload_ms = 5000}, OUTCOME_SUCCESS},
		{"payload too late", {BASE, .payload_ms = 5001}, OUTCOME_FAILURE},
		{"no payload in time", {BASE}, OUTCOME_FAILURE},
		{"no payload, cut by us for it", {BASE, .by = CLOSED_BY_WEIR, .how = CLOSED_HOW_IDLE},
			OUTCOME_FAILURE},
		{"reset before payload", {BASE, .age_ms = 500, .how = CLOSED_HOW_RST}, OUTCOME_FAILURE},
		{"reset after payload", {BASE, .age_ms = 500, .how = CLOSED_HOW_RST, .payload_ms = 100},
			OUTCOME_SUCCESS},
		{"closed in order before payload", {BASE, .age_ms = 500}, OUTCOME_NEUTRAL},
		{"reset by the node before payload",
			{BASE, .age_ms = 500, .by = CLOSED_BY_NODE, .how = CLOSED_HOW_RST}, OUTCOME_NEUTRAL},
		{"the node authenticates", {BASE, .auth = OUTCOME_AUTH_OK}, OUTCOME_SUCCESS},
		{"the node does not", {BASE, .payload_ms = 100, .auth = OUTCOME_AUTH_FAILED},
			OUTCOME_FAILURE},
		{"closed soon for its fault",
			{BASE, .payload_ms = 100, .age_ms = 9999, .by = CLOSED_BY_NODE,
				.cause = OUTCOME_CAUSE_PEER_FAULT},
			OUTCOME_FAILURE},
		{"closed later for a fault",
			{BASE, .payload_ms = 100, .by = CLOSED_BY_NODE, .cause = OUTCOME_CAUSE_PEER_FAULT},
			OUTCOME_SUCCESS},
		{"the node has no place", {BASE, .cause = OUTCOME_CAUSE_TOO_MANY, .by = CLOSED_BY_NODE},
			OUTCOME_NEUTRAL},
		{"our own limit", {BASE, .cause = OUTCOME_CAUSE_OWN_LIMIT, .by = CLOSED_BY_WEIR},
			OUTCOME_NEUTRAL},
		{"a restart", {BASE, .cause = OUTCOME_CAUSE_RESTART}, OUTCOME_NEUTRAL},
		{"the node shuts down", {BASE, .cause = OUTCOME_CAUSE_SHUTDOWN}, OUTCOME_NEUTRAL},
		{"the node refuses", {BASE, .how = CLOSED_HOW_BACKEND_REFUSED}, OUTCOME_NEUTRAL},
		{"the node does not answer", {BASE, .how = CLOSED_HOW_BACKEND_SILENT}, OUTCOME_NEUTRAL},
		{"the node is known to be down", {BASE, .node_up = false}, OUTCOME_NEUTRAL},
		{"V39: unproven", {BASE, .proven = false, .payload_ms = 100}, OUTCOME_NEUTRAL},
		{"V39: unproven, reset", {BASE, .proven = false, .how = CLOSED_HOW_RST}, OUTCOME_NEUTRAL},
		{"V39: unproven, authenticated by nobody we can name",
			{BASE, .proven = false, .auth = OUTCOME_AUTH_FAILED}, OUTCOME_NEUTRAL},
		{"dialled, answered", {BASE, .outbound = true}, OUTCOME_SUCCESS},
		{"dialled, answered, not authenticated", {BASE, .outbound = true, .wants_auth = true},
			OUTCOME_NEUTRAL},
		{"dialled, answered, not authenticated, reset",
			{BASE, .outbound = true, .wants_auth = true, .how = CLOSED_HOW_RST}, OUTCOME_FAILURE},
		{"dialled, answered, not authenticated, reset by the node",
			{BASE, .outbound = true, .wants_auth = true, .by = CLOSED_BY_NODE,
				.how = CLOSED_HOW_RST},
			OUTCOME_NEUTRAL},
		{"dialled, answered, payload where the node tells of authentication",
			{BASE, .outbound = true, .wants_auth = true, .payload_ms = 100}, OUTCOME_NEUTRAL},
		{"dialled, answered, payload where the node never does",
			{BASE, .outbound = true, .wants_auth = true, .payload_is_auth = true,
				.payload_ms = 100},
			OUTCOME_SUCCESS},
		{"dialled, answered, silent where the node never does",
			{BASE, .outbound = true, .wants_auth = true, .payload_is_auth = true},
			OUTCOME_NEUTRAL},
		{"dialled, authenticated",
			{BASE, .outbound = true, .wants_auth = true, .auth = OUTCOME_AUTH_OK},
			OUTCOME_SUCCESS},
		{"dialled, refused where authentication is wanted",
			{BASE, .outbound = true, .wants_auth = true, .proven = false, .how = CLOSED_HOW_RST},
			OUTCOME_FAILURE},
		{"dialled, refused", {BASE, .outbound = true, .proven = false, .how = CLOSED_HOW_RST},
			OUTCOME_FAILURE},
		{"dialled, no answer", {BASE, .outbound = true, .proven = false, .how = CLOSED_HOW_TIMEOUT},
			OUTCOME_FAILURE},
		{"dialled, given up by the node",
			{BASE, .outbound = true, .proven = false, .by = CLOSED_BY_NODE,
				.how = CLOSED_HOW_RST},
			OUTCOME_NEUTRAL},
		{"dialled, our own limit",
			{BASE, .outbound = true, .proven = false, .how = CLOSED_HOW_TIMEOUT,
				.cause = OUTCOME_CAUSE_OWN_LIMIT},
			OUTCOME_NEUTRAL},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		const char *why = NULL;
		CHECK_EQ(cases[i].name, outcome_name(outcome_classify(&cases[i].input, &why)),
			outcome_name(cases[i].outcome));
		CHECK_TRUE("every outcome says why", why != NULL && why[0] != '\0');
	}
}

static void test_words(void)
{
	CHECK_EQ("too many", (int)outcome_cause_from("too_many_peers"), (int)OUTCOME_CAUSE_TOO_MANY);
	CHECK_EQ("a fault", (int)outcome_cause_from("fault"), (int)OUTCOME_CAUSE_PEER_FAULT);
	CHECK_EQ("a prune", (int)outcome_cause_from("prune"), (int)OUTCOME_CAUSE_OWN_LIMIT);
	CHECK_EQ("anything else", (int)outcome_cause_from("whatever"), (int)OUTCOME_CAUSE_NONE);
}

static void test_never(void)
{
	struct keyed_random random = keyed_random_from_seed(2, 2);
	for (unsigned i = 0; i < 50000; i++) {
		struct outcome_input input = {.proven = keyed_random_below(&random, 2) == 0,
			.outbound = keyed_random_below(&random, 4) == 0,
			.node_up = keyed_random_below(&random, 4) != 0,
			.wants_auth = keyed_random_below(&random, 2) == 0,
			.payload_is_auth = keyed_random_below(&random, 2) == 0,
			.auth = (enum outcome_auth)keyed_random_below(&random, 3),
			.cause = (enum outcome_cause)keyed_random_below(&random, 6),
			.by = (enum closed_by)keyed_random_below(&random, 4),
			.how = (enum closed_how)keyed_random_below(&random, CLOSED_HOW_STRAGGLER + 1),
			.payload_ms = (int64_t)keyed_random_below(&random, 10000) - 2000,
			.age_ms = (int64_t)keyed_random_below(&random, 20000),
			.auth_timeout_ms = 5000,
			.min_life_ms = 10000};
		enum outcome outcome = outcome_classify(&input, NULL);
		bool good = CHECK_TRUE("V39: nothing unproven counts",
			input.proven || input.outbound || outcome == OUTCOME_NEUTRAL);
		bool ours = input.cause != OUTCOME_CAUSE_NONE && input.cause != OUTCOME_CAUSE_PEER_FAULT;
		good = good &&
		       CHECK_TRUE("our own limits are no failures",
			       !ours || input.auth == OUTCOME_AUTH_FAILED || outcome != OUTCOME_FAILURE);
		good = good && CHECK_TRUE("HE-13: no dial succeeds without what is taken for authentication",
				       !input.outbound || !input.wants_auth || outcome != OUTCOME_SUCCESS ||
					       input.auth == OUTCOME_AUTH_OK ||
					       (input.payload_is_auth && input.payload_ms >= 0));
		good = good && CHECK_TRUE("nor is a node that is down",
				       input.outbound || input.node_up || input.auth == OUTCOME_AUTH_FAILED ||
					       outcome != OUTCOME_FAILURE);
		if (!good)
			return;
	}
}

static const struct check_test tests[] = {
	{"the classification", test_table},
	{"words of the node", test_words},
	{"what never counts", test_never},
};
CHECK_MAIN("outcome", tests)
