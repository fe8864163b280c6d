/* SPDX-License-Identifier: BSD-3-Clause
 * Errors to actions (error_rule.h), as Lighthouse's handle_rpc_error decides. Pure functions, any thread.
 */
#include "control/error_rule.h"

#include <errno.h>
#include <string.h>

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(*words, text) == 0)
			return true;
	return false;
}

static const char *const essential[] = {"ping", "metadata", "status", NULL};
/* Who asks for these too often means harm; blocks are asked for too often by accident. */
static const char *const cheap[] = {"goodbye", "metadata", "status", NULL};
static const char *const blocks[] = {"blocks_by_range", "blocks_by_root", "blobs_by_range", "blobs_by_root",
	"data_columns_by_range", "data_columns_by_root", NULL};

static enum peer_action timeout_action(const char *protocol, bool by_us)
{
	if (!by_us)
		return PEER_ACTION_COUNT;
	if (strcmp(protocol, "ping") == 0)
		return PEER_ACTION_LOW;
	return is_one_of(protocol, blocks) ? PEER_ACTION_MID : PEER_ACTION_COUNT;
}

int error_rule_action(const char *error, const char *protocol, bool by_us, enum peer_action *ret_action)
{
	static const struct {
		const char *error;
		enum peer_action action;
	} plain[] = {
		{"incomplete_stream", PEER_ACTION_MID},
		{"handler_rejected", PEER_ACTION_FATAL},
		{"invalid_data", PEER_ACTION_FATAL},
		{"ssz_decode", PEER_ACTION_FATAL},
		{"io_error", PEER_ACTION_HIGH},
		{"server_error", PEER_ACTION_MID},
		{"invalid_request", PEER_ACTION_LOW},
		{"negotiation_timeout", PEER_ACTION_LOW},
		{"disconnected", PEER_ACTION_COUNT},
	};
	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (strcmp(plain[i].error, error) == 0) {
			*ret_action = plain[i].action;
			return 0;
		}
	if (strcmp(error, "resource_unavailable") == 0)
		*ret_action = by_us ? PEER_ACTION_FATAL : PEER_ACTION_COUNT;
	else if (strcmp(error, "rate_limited") == 0)
		*ret_action = is_one_of(protocol, cheap) ? PEER_ACTION_LOW : PEER_ACTION_MID;
	else if (strcmp(error, "unsupported_protocol") == 0)
		*ret_action = is_one_of(protocol, essential) ? PEER_ACTION_FATAL : PEER_ACTION_COUNT;
	else if (strcmp(error, "stream_timeout") == 0)
		*ret_action = timeout_action(protocol, by_us);
	else
		return -ENOENT;
	return 0;
}
