/* SPDX-License-Identifier: BSD-3-Clause
 * Errors to actions (error_rule.h), as Lighthouse's handle_rpc_error decides. Pure functions, any thread.
 */
#include "control/error_rule.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>

/* The names of Lighthouse's types (SSZDecode, MetaData) and those of its wire (ssz_decode, metadata) are the same
 * words. */
static bool is_word(const char *text, const char *word)
{
	for (;; text++, word++) {
		text += *text == '_';
		word += *word == '_';
		if (tolower((unsigned char)*text) != *word)
			return false;
		if (*word == '\0')
			return true;
	}
}

static bool is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (is_word(text, *words))
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
	if (is_word(protocol, "ping"))
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
		if (is_word(error, plain[i].error)) {
			*ret_action = plain[i].action;
			return 0;
		}
	if (is_word(error, "resource_unavailable"))
		*ret_action = by_us ? PEER_ACTION_FATAL : PEER_ACTION_COUNT;
	else if (is_word(error, "rate_limited"))
		*ret_action = is_one_of(protocol, cheap) ? PEER_ACTION_LOW : PEER_ACTION_MID;
	else if (is_word(error, "unsupported_protocol"))
		*ret_action = is_one_of(protocol, essential) ? PEER_ACTION_FATAL : PEER_ACTION_COUNT;
	else if (is_word(error, "stream_timeout"))
		*ret_action = timeout_action(protocol, by_us);
	else
		return -ENOENT;
	return 0;
}
