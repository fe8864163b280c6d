/* SPDX-License-Identifier: BSD-3-Clause
 * The classification of ends (outcome.h). Pure functions, any thread.
 */
#include "control/outcome.h"

#include <stddef.h>
#include <string.h>

const char *outcome_name(enum outcome outcome)
{
	static const char *const names[] = {
		[OUTCOME_NEUTRAL] = "neutral", [OUTCOME_SUCCESS] = "success", [OUTCOME_FAILURE] = "failure"};
	return (unsigned)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "neutral";
}

enum outcome_cause outcome_cause_from(const char *reason)
{
	static const struct {
		const char *word;
		enum outcome_cause cause;
	} words[] = {
		{"too_many_peers", OUTCOME_CAUSE_TOO_MANY},
		{"shutdown", OUTCOME_CAUSE_SHUTDOWN},
		{"fault", OUTCOME_CAUSE_PEER_FAULT},
		{"bad_score", OUTCOME_CAUSE_PEER_FAULT},
		{"irrelevant_network", OUTCOME_CAUSE_PEER_FAULT},
		{"unable_to_verify", OUTCOME_CAUSE_PEER_FAULT},
		{"banned", OUTCOME_CAUSE_OWN_LIMIT},
		{"banned_ip", OUTCOME_CAUSE_OWN_LIMIT},
		{"limit", OUTCOME_CAUSE_OWN_LIMIT},
		{"prune", OUTCOME_CAUSE_OWN_LIMIT},
		{"throttle", OUTCOME_CAUSE_OWN_LIMIT},
		{"restart", OUTCOME_CAUSE_RESTART},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, reason) == 0)
			return words[i].cause;
	return OUTCOME_CAUSE_NONE;
}

struct verdict {
	enum outcome outcome;
	const char *why;
};

static struct verdict neutral(const char *why)
{
	return (struct verdict){OUTCOME_NEUTRAL, why};
}

static struct verdict failure(const char *why)
{
	return (struct verdict){OUTCOME_FAILURE, why};
}

/** Ends that are our own or the node's doing say nothing; NULL: it is not one of them. */
static const char *not_the_peers(const struct outcome_input *input)
{
	if (input->cause == OUTCOME_CAUSE_TOO_MANY)
		return "too many peers";
	if (input->cause == OUTCOME_CAUSE_OWN_LIMIT)
		return "own limit";
	if (input->cause == OUTCOME_CAUSE_SHUTDOWN || input->cause == OUTCOME_CAUSE_RESTART)
		return "restart";
	if (!input->outbound && (!input->node_up || input->how == CLOSED_HOW_BACKEND_REFUSED ||
					input->how == CLOSED_HOW_BACKEND_SILENT))
		return "node down";
	return NULL;
}

/** It answered the dial, and the node has not said that it authenticated: anybody can answer, and would have
 * his backoff reset by it. */
static struct verdict classify_unauthenticated(const struct outcome_input *input)
{
	if (input->payload_is_auth && input->payload_ms >= 0)
		return (struct verdict){OUTCOME_SUCCESS, "payload"};
	if (input->how == CLOSED_HOW_RST && input->by == CLOSED_BY_CLIENT)
		return failure("reset before it authenticated");
	return neutral("not authenticated");
}

/** The node dialled: the answer, or the lack of one, is the peer's. */
static struct verdict classify_dialled(const struct outcome_input *input)
{
	if (input->proven && !input->wants_auth)
		return (struct verdict){OUTCOME_SUCCESS, "answered"};
	if (input->proven)
		return classify_unauthenticated(input);
	if (input->how == CLOSED_HOW_RST && input->by == CLOSED_BY_CLIENT)
		return failure("refused");
	return input->how == CLOSED_HOW_TIMEOUT ? failure("no answer") : neutral("given up");
}

static struct verdict classify_accepted(const struct outcome_input *input)
{
	bool in_time = input->payload_ms >= 0 && input->payload_ms <= input->auth_timeout_ms;
	if (input->cause == OUTCOME_CAUSE_PEER_FAULT && input->by == CLOSED_BY_NODE &&
		input->age_ms < input->min_life_ms)
		return failure("closed for its fault");
	if (in_time)
		return (struct verdict){OUTCOME_SUCCESS, "payload"};
	if (input->payload_ms < 0 && input->by == CLOSED_BY_CLIENT && input->how == CLOSED_HOW_RST)
		return failure("reset before payload");
	if (input->age_ms >= input->auth_timeout_ms)
		return failure("no payload in time");
	return neutral(input->how == CLOSED_HOW_FIN ? "closed in order" : "ended early");
}

static struct verdict classify(const struct outcome_input *input)
{
	const char *ours;
	if (!input->proven && !input->outbound)
		return neutral("unproven");
	if (input->auth == OUTCOME_AUTH_OK)
		return (struct verdict){OUTCOME_SUCCESS, "authenticated"};
	if (input->auth == OUTCOME_AUTH_FAILED)
		return failure("authentication failed");
	ours = not_the_peers(input);
	if (ours != NULL)
		return neutral(ours);
	return input->outbound ? classify_dialled(input) : classify_accepted(input);
}

enum outcome outcome_classify(const struct outcome_input *input, const char **ret_why)
{
	struct verdict verdict = classify(input);
	if (ret_why != NULL)
		*ret_why = verdict.why;
	return verdict.outcome;
}
