/* SPDX-License-Identifier: BSD-3-Clause
 * weirctl status, why, snapshot, reload, sync, version and events: questions about the whole, and orders
 * without arguments.
 */
#include <stdio.h>
#include <string.h>

#include "shm/reasons.h"
#include "tools/weirctl.h"

int weirctl_status(struct weirctl *weirctl)
{
	static const struct output_column control[] = {{"version", "version", OUTPUT_TEXT},
		{"control.config", "configuration", OUTPUT_TEXT}, {"control.profile", "profile", OUTPUT_TEXT},
		{"control.mode", "mode", OUTPUT_TEXT}, {"control.uptime_s", "control runs for", OUTPUT_SPAN},
		{"dataplane.state", "dataplane", OUTPUT_TEXT}, {"dataplane.text", "  it says", OUTPUT_TEXT},
		{"dataplane.heartbeat_age_ms", "  last heartbeat", OUTPUT_SPAN_MS},
		{"dataplane.deaths", "  deaths seen", OUTPUT_COUNT},
		{"dataplane.events_lost", "  events lost", OUTPUT_COUNT},
		{"dataplane.rx_missed", "  frames missed by devices", OUTPUT_COUNT},
		{"counters.flows_proven", "connections", OUTPUT_COUNT},
		{"counters.flows_half_open", "half-open", OUTPUT_COUNT},
		{"counters.under_pressure", "services under pressure", OUTPUT_COUNT},
		{"counters.pressure_ms", "  so far", OUTPUT_SPAN_MS},
		{"counters.flood_mode", "lcores in flood mode", OUTPUT_COUNT},
		{"counters.flood_mode_ms", "  so far", OUTPUT_SPAN_MS},
		{"counters.cookies_sent", "challenges sent", OUTPUT_COUNT},
		{"counters.proofs_challenge", "  passed", OUTPUT_COUNT},
		{"counters.cookies_bad", "  wrong answers", OUTPUT_COUNT},
		{"counters.evidence_withheld", "  doubtful", OUTPUT_COUNT},
		{"counters.proxy_dialled", "connections proxied", OUTPUT_COUNT},
		{"counters.flows_translated", "  open now", OUTPUT_COUNT},
		{"counters.proxy_refused", "  refused by the node", OUTPUT_COUNT},
		{"counters.proxy_silent", "  not answered by the node", OUTPUT_COUNT},
		{"reasons.shaped", "attempts shaped", OUTPUT_COUNT},
		{"counters.shaped_collateral", "  of proven sources", OUTPUT_COUNT},
		{"counters.flows_idle", "cut as idle", OUTPUT_COUNT},
		{"counters.flows_straggling", "cut as stragglers", OUTPUT_COUNT},
		{"bans.all", "bans in force", OUTPUT_COUNT}, {"control.allow", "allow list", OUTPUT_COUNT},
		{"control.deny", "deny list", OUTPUT_COUNT}, {"image.generation", "snapshot", OUTPUT_COUNT},
		{"image.text", "  last error", OUTPUT_TEXT}, {"store.ok", "store works", OUTPUT_YES_NO},
		{"store.text", "  it says", OUTPUT_TEXT}, {NULL}};
	static const struct output_column reasons[] = {{"name", "REASON", OUTPUT_TEXT},
		{"packets", "PACKETS", OUTPUT_COUNT}, {"verdict", "VERDICT", OUTPUT_TEXT},
		{"help", "MEANING", OUTPUT_TEXT}, {NULL}};
	static const struct output_view views[] = {
		{"", NULL, control, false}, {"explained", "Packets by reason:", reasons, true}, {NULL}};
	json_t *result, *counts, *explained = json_array();

	if (weirctl_call(weirctl, "status", NULL, &result) < 0) {
		json_decref(explained);
		return -1;
	}
	/* The same numbers with what they mean; programs get it too. */
	counts = json_object_get(result, "reasons");
	for (int i = 0; i < REASON_COUNT; i++) {
		const struct reason_info *info = reason_info((enum reason)i);
		json_t *packets = json_object_get(counts, info->name);
		if (packets)
			json_array_append_new(explained,
				json_pack("{s:s,s:O,s:s,s:s}", "name", info->name, "packets", packets,
					"verdict", verdict_name((enum verdict)info->verdict), "help",
					info->help));
	}
	json_object_set_new(result, "explained", explained);
	output_answer(weirctl->output, result, views);
	json_decref(result);
	return 0;
}

int weirctl_why(struct weirctl *weirctl)
{
	static const struct output_column columns[] = {{"address", "address", OUTPUT_TEXT},
		{"verdict", "verdict", OUTPUT_TEXT}, {"reason", "reason", OUTPUT_TEXT},
		{"help", "  that is", OUTPUT_TEXT}, {"rule", "rule", OUTPUT_TEXT},
		{"list", "on the list as", OUTPUT_TEXT}, {"ban.key", "ban of", OUTPUT_TEXT},
		{"ban.until", "  until", OUTPUT_TIME}, {"ban.reason", "  because", OUTPUT_TEXT},
		{"ban.source", "  set by", OUTPUT_TEXT}, {"tiers", "tiers in force", OUTPUT_LIST},
		{"score", "score", OUTPUT_NUMBER}, {"state", "state", OUTPUT_TEXT},
		{"mode", "mode", OUTPUT_TEXT}, {"dataplane.reason", "the dataplane says", OUTPUT_TEXT},
		{"dataplane.proven", "  proven", OUTPUT_YES_NO},
		{"dataplane.under_pressure", "  service under pressure", OUTPUT_YES_NO},
		{"dataplane.concurrency", "  connections by prefix", OUTPUT_LIST}, {NULL}};
	static const struct output_view views[] = {{"", NULL, columns, false}, {NULL}};
	const char *protocol = weirctl_option(weirctl, OPTION_PROTOCOL);
	struct address address;
	json_t *params, *result;
	char text[PREFIX_TEXT_MAX];

	if (address_parse(weirctl->words[0], &address) < 0)
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"\"%.64s\" is not an address (like 203.0.113.9 or 2001:db8::1)", weirctl->words[0]);
	if (protocol && strcmp(protocol, "tcp") != 0 && strcmp(protocol, "udp") != 0)
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"--protocol: \"%.64s\" is not a protocol (allowed: tcp, udp)", protocol);
	params = json_pack("{s:s}", "ip", address_format(&address, text));
	if (weirctl_param_count(weirctl, params, OPTION_PORT, "port", 1, 65535) < 0) {
		json_decref(params);
		return -1;
	}
	weirctl_param_text(weirctl, params, OPTION_PROTOCOL, "protocol");
	if (weirctl_call(weirctl, "why", params, &result) < 0)
		return -1;
	json_object_set_new(result, "address", json_string(text));
	output_answer(weirctl->output, result, views);
	json_decref(result);
	return 0;
}

int weirctl_snapshot(struct weirctl *weirctl)
{
	json_t *result;

	if (weirctl_call(weirctl, "snapshot.make", NULL, &result) < 0)
		return -1;
	output_sentence(weirctl->output, result,
		"Snapshot %" JSON_INTEGER_FORMAT " is published: %" JSON_INTEGER_FORMAT
		" bans, %" JSON_INTEGER_FORMAT " bytes, built in %" JSON_INTEGER_FORMAT " ms.",
		json_integer_value(json_object_get(result, "generation")),
		json_integer_value(json_object_get(result, "enforced")),
		json_integer_value(json_object_get(result, "bytes")),
		json_integer_value(json_object_get(result, "build_ms")));
	json_decref(result);
	return 0;
}

int weirctl_reload(struct weirctl *weirctl)
{
	const char *restart;
	json_t *result;

	if (weirctl_call(weirctl, "config.reload", NULL, &result) < 0)
		return -1;
	restart = json_string_value(json_object_get(result, "restart"));
	output_sentence(weirctl->output, result, "The configuration is in force.%s%s",
		restart && restart[0] ? " " : "", restart ? restart : "");
	json_decref(result);
	return 0;
}

int weirctl_sync(struct weirctl *weirctl)
{
	json_t *result;

	if (weirctl_call(weirctl, "sync", NULL, &result) < 0)
		return -1;
	output_sentence(weirctl->output, result, "Everything accepted so far is on disk.");
	json_decref(result);
	return 0;
}

int weirctl_version(struct weirctl *weirctl)
{
	json_t *answer = json_pack("{s:s,s:n}", "version", WEIR_VERSION, "control"), *status;
	const char *control = NULL;

	/* A version is worth knowing when control does not run, too. */
	if (weirctl_call(weirctl, "status", NULL, &status) == 0) {
		json_object_set(answer, "control", json_object_get(status, "version"));
		json_decref(status);
		control = json_string_value(json_object_get(answer, "control"));
	} else if (weirctl->error.code == RPC_CODE_USAGE) {
		json_decref(answer);
		return -1;
	}
	output_sentence(weirctl->output, answer, "weirctl %s, weir-control %s", WEIR_VERSION,
		control ? control : "is not reachable");
	json_decref(answer);
	return 0;
}

/* "2026-11-21 01:02:03  peer.banned  key=value ...". */
static void event_sentence(const json_t *event, char *text, size_t bytes)
{
	char time[64], value[256];
	const char *name;
	json_t *member;
	size_t n;

	output_format(json_object_get(event, "t"), OUTPUT_TIME, time, sizeof(time));
	n = (size_t)snprintf(
		text, bytes, "%s  %s ", time, json_string_value(json_object_get(event, "event")));
	json_object_foreach((json_t *)(uintptr_t)event, name, member)
	{
		if (n >= bytes || strcmp(name, "t") == 0 || strcmp(name, "event") == 0)
			continue;
		n += (size_t)snprintf(text + n, bytes - n, " %s=%s", name,
			output_format(member, OUTPUT_TEXT, value, sizeof(value)));
	}
}

int weirctl_events(struct weirctl *weirctl)
{
	json_t *params = json_object(), *names = json_array(), *message;
	char sentence[2048];

	for (size_t i = 0; i < weirctl->n_words; i++)
		json_array_append_new(names, json_string(weirctl->words[i]));
	if (weirctl->n_words)
		json_object_set(params, "names", names);
	json_decref(names);
	if (weirctl_call(weirctl, "events.subscribe", params, &message) < 0)
		return -1;
	json_decref(message);
	while (rpc_client_notification(weirctl->client, &message, &weirctl->error) == 0) {
		const json_t *event = json_object_get(message, "params");
		int rc;
		event_sentence(event, sentence, sizeof(sentence));
		rc = output_stream(weirctl->output, event, sentence);
		json_decref(message);
		if (rc < 0)
			return weirctl_fail(weirctl, RPC_CODE_FAILED, "cannot write: %s", strerror(-rc));
	}
	return -1;
}
