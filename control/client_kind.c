/* SPDX-License-Identifier: BSD-3-Clause
 * Agent strings (client_kind.h): tokens between slashes, by the first one. Case counts, as upstream. Pure
 * functions, any thread.
 */
#include "control/client_kind.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct client_rule {
	const char *token; /* the whole first token */
	enum client_kind kind;
	unsigned char skip; /* tokens between it and the version */
	bool has_os;        /* the token after the version */
};

static const struct client_rule rules[] = {
	{"Lighthouse", CLIENT_KIND_LIGHTHOUSE, 0, true},
	{"teku", CLIENT_KIND_TEKU, 1, true},
	{"Prysm", CLIENT_KIND_PRYSM, 1, false},
	{"github.com", CLIENT_KIND_PRYSM, 1, false},
	{"nimbus", CLIENT_KIND_NIMBUS, 1, false},
	{"nim-libp2p", CLIENT_KIND_NIMBUS, 1, false},
	{"js-libp2p", CLIENT_KIND_LODESTAR, 0, false},
	{"lodestar", CLIENT_KIND_LODESTAR, 0, false},
	{"Grandine", CLIENT_KIND_GRANDINE, 0, false},
	{"erigon", CLIENT_KIND_CAPLIN, 0, false},
	{"caplin", CLIENT_KIND_CAPLIN, 0, false},
};

const char *client_kind_name(enum client_kind kind)
{
	static const char *const names[CLIENT_KIND_COUNT] = {
		[CLIENT_KIND_UNKNOWN] = "Unknown",
		[CLIENT_KIND_LIGHTHOUSE] = "Lighthouse",
		[CLIENT_KIND_NIMBUS] = "Nimbus",
		[CLIENT_KIND_TEKU] = "Teku",
		[CLIENT_KIND_PRYSM] = "Prysm",
		[CLIENT_KIND_LODESTAR] = "Lodestar",
		[CLIENT_KIND_GRANDINE] = "Grandine",
		[CLIENT_KIND_CAPLIN] = "Caplin",
	};
	return (unsigned)kind < CLIENT_KIND_COUNT ? names[kind] : "Unknown";
}

/** The token at *at, which moves behind it and its slash; false at the end. */
static bool token_next(const char **at, const char **ret_token, size_t *ret_bytes)
{
	if (*at == NULL)
		return false;
	const char *slash = strchr(*at, '/');
	*ret_token = *at;
	*ret_bytes = slash != NULL ? (size_t)(slash - *at) : strlen(*at);
	*at = slash != NULL ? slash + 1 : NULL;
	return true;
}

static void token_copy(const char **at, char text[CLIENT_TEXT_MAX])
{
	const char *token = "";
	size_t bytes = 0;
	if (!token_next(at, &token, &bytes))
		return;
	if (bytes >= CLIENT_TEXT_MAX)
		bytes = CLIENT_TEXT_MAX - 1;
	memcpy(text, token, bytes);
	text[bytes] = '\0';
}

void client_parse(const char *agent, struct client *ret_client)
{
	const char *at = agent, *token = "";
	size_t bytes = 0;
	*ret_client = (struct client){.kind = CLIENT_KIND_UNKNOWN};
	(void)token_next(&at, &token, &bytes);
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct client_rule *rule = &rules[i];
		if (strlen(rule->token) != bytes || memcmp(rule->token, token, bytes) != 0)
			continue;
		ret_client->kind = rule->kind;
		for (unsigned skip = 0; skip < rule->skip; skip++)
			(void)token_next(&at, &token, &bytes);
		token_copy(&at, ret_client->version);
		if (rule->has_os)
			token_copy(&at, ret_client->os);
		return;
	}
}
