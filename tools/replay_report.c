/* SPDX-License-Identifier: BSD-3-Clause
 * The report of a replay. See replay_report.h.
 */
#include "tools/replay_report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A packet that the capture cut before its headers end: no verdict would be true. */
#define UNDECIDED_VERDICT "skip"
#define UNDECIDED_REASON  "capture_cut"

static const char *protocol_name(const struct packet *packet, char text[8])
{
	static const char *const infrastructure[INFRASTRUCTURE_COUNT] = {"arp", "nd", "link", "other"};

	if (packet->kind == PACKET_KIND_INFRASTRUCTURE)
		return infrastructure[packet->infrastructure];
	switch (packet->protocol) {
	case 1:
		return "icmp";
	case 6:
		return "tcp";
	case 17:
		return "udp";
	case 58:
		return "icmpv6";
	default:
		snprintf(text, 8, "%u", packet->protocol);
		return text;
	}
}

static bool has_ports(const struct packet *packet)
{
	return packet->kind == PACKET_KIND_TCP || packet->kind == PACKET_KIND_UDP;
}

static const char *action_name(const struct decision *decision)
{
	static const char *const names[] = {
		[WIRE_ACTION_COOKIE] = "cookie", [WIRE_ACTION_RST] = "rst", [WIRE_ACTION_ICMP] = "icmp"};

	return decision->action == WIRE_ACTION_NONE ? NULL : names[decision->action];
}

static void packet_json(FILE *to, const struct report_packet *packet, const char *verdict, const char *reason)
{
	const struct packet *parsed = &packet->arrival->packet;
	const struct decision *decision = packet->decision;
	char text[PREFIX_TEXT_MAX], number[8];

	fprintf(to, "{\"n\":%" PRIu64 ",\"t\":%" PRIu64 ".%09" PRIu64 ",\"verdict\":\"%s\",\"reason\":\"%s\"",
		packet->n, packet->time_ns / 1000000000, packet->time_ns % 1000000000, verdict, reason);
	if (parsed->family != 0)
		fprintf(to, ",\"src\":\"%s\"", address_format(&parsed->source, text));
	else
		fputs(",\"src\":null", to);
	if (parsed->family != 0)
		fprintf(to, ",\"dst\":\"%s\"", address_format(&parsed->destination, text));
	if (has_ports(parsed))
		fprintf(to, ",\"sport\":%u,\"dport\":%u", parsed->source_port, parsed->destination_port);
	if (packet->arrival->malformed == REASON_COUNT)
		fprintf(to, ",\"proto\":\"%s\"", protocol_name(parsed, number));
	fprintf(to, ",\"side\":\"%s\"", packet->arrival->side == SIDE_INSIDE ? "inside" : "outside");
	if (packet->cut)
		fputs(",\"cut\":true", to);
	if (decision && decision->verdict != reason_info((enum reason)decision->reason)->verdict)
		fputs(",\"monitored\":true", to);
	if (decision && action_name(decision))
		fprintf(to, ",\"reply\":\"%s\"", action_name(decision));
	if (decision && decision->action == WIRE_ACTION_COOKIE)
		fprintf(to, ",\"reply_ack\":%" PRIu32 ",\"reply_seq\":%" PRIu32,
			decision->segment.acknowledgement, decision->segment.sequence);
	fputs("}\n", to);
}

static void end_text(const struct packet *packet, bool source, char *text, size_t bytes)
{
	const struct address *address = source ? &packet->source : &packet->destination;
	char address_text[PREFIX_TEXT_MAX];
	bool v6 = packet->family == 6;

	if (packet->family == 0)
		snprintf(text, bytes, "-");
	else if (has_ports(packet))
		snprintf(text, bytes, "%s%s%s:%u", v6 ? "[" : "", address_format(address, address_text),
			v6 ? "]" : "", source ? packet->source_port : packet->destination_port);
	else
		snprintf(text, bytes, "%s", address_format(address, address_text));
}

static void packet_line(const struct report *report, const struct report_packet *packet, const char *verdict,
	const char *reason)
{
	const struct packet *parsed = &packet->arrival->packet;
	const struct decision *decision = packet->decision;
	char source[96], destination[96], number[8];
	int64_t since_ns = (int64_t)(packet->time_ns - report->first_ns);

	end_text(parsed, true, source, sizeof(source));
	end_text(parsed, false, destination, sizeof(destination));
	fprintf(report->to, "%8" PRIu64 " %14.6f  %-9s %-21s %s > %s %s%s%s%s\n", packet->n,
		(double)since_ns / 1e9, verdict, reason, source, destination,
		packet->arrival->malformed == REASON_COUNT ? protocol_name(parsed, number) : "",
		packet->arrival->side == SIDE_INSIDE ? " from the node" : "",
		packet->cut ? " (cut by the capture)" : "",
		decision && decision->verdict != reason_info((enum reason)decision->reason)->verdict
			? " (monitor: forwarded)"
			: "");
}

/* FNV-1a: an offline tool's own table; a hostile capture makes it slow, not wrong. */
static size_t source_hash(const struct address *address)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (unsigned i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * UINT64_C(1099511628211);
	return (size_t)(hash ^ hash >> 32);
}

static struct report_source *source_place(
	struct report_source *sources, size_t capacity, const struct address *address)
{
	size_t at = source_hash(address) & (capacity - 1);

	while (sources[at].packets != 0 && memcmp(&sources[at].address, address, sizeof(*address)) != 0)
		at = (at + 1) & (capacity - 1);
	return &sources[at];
}

static int source_count(struct report *report, const struct address *address, enum verdict verdict)
{
	struct report_source *source;

	if (report->n_sources * 2 >= report->capacity) {
		size_t capacity = report->capacity ? report->capacity * 2 : 1024;
		struct report_source *larger = calloc(capacity, sizeof(*larger));
		if (!larger)
			return -ENOMEM;
		for (size_t i = 0; i < report->capacity; i++) {
			if (report->sources[i].packets != 0)
				*source_place(larger, capacity, &report->sources[i].address) =
					report->sources[i];
		}
		free(report->sources);
		report->sources = larger;
		report->capacity = capacity;
	}
	source = source_place(report->sources, report->capacity, address);
	report->n_sources += source->packets == 0;
	source->address = *address;
	source->packets++;
	source->verdicts[verdict]++;
	return 0;
}

int report_packet(struct report *report, const struct report_packet *packet)
{
	const struct decision *decision = packet->decision;
	const char *verdict = decision ? verdict_name((enum verdict)decision->verdict) : UNDECIDED_VERDICT;
	const char *reason = decision ? reason_info((enum reason)decision->reason)->name : UNDECIDED_REASON;

	if (report->packets == 0)
		report->first_ns = report->last_ns = packet->time_ns;
	report->packets++;
	report->bytes += packet->arrival->frame_bytes;
	report->cut += packet->cut;
	report->undecided += decision == NULL;
	if (packet->time_ns < report->last_ns)
		report->backwards++;
	else
		report->last_ns = packet->time_ns;
	if (decision) {
		uint8_t meant = reason_info((enum reason)decision->reason)->verdict;
		report->verdicts[decision->verdict]++;
		report->reasons[decision->reason]++;
		report->monitored += decision->verdict != meant;
		if (report->n_top && packet->arrival->packet.family != 0 &&
			source_count(report, &packet->arrival->packet.source, (enum verdict)meant) < 0)
			return -ENOMEM;
	}
	if (report->quiet)
		return 0;
	if (report->json)
		packet_json(report->to, packet, verdict, reason);
	else
		packet_line(report, packet, verdict, reason);
	return 0;
}

/* Most refused first, then most packets, then by address, so that equal captures give equal reports. */
static int source_order(const void *a, const void *b)
{
	const struct report_source *one = a, *other = b;
	uint64_t kept_one = one->packets - one->verdicts[VERDICT_FORWARD];
	uint64_t kept_other = other->packets - other->verdicts[VERDICT_FORWARD];

	if (kept_one != kept_other)
		return kept_one > kept_other ? -1 : 1;
	if (one->packets != other->packets)
		return one->packets > other->packets ? -1 : 1;
	return address_compare(&one->address, &other->address);
}

/* The sources moved to the front of their table and sorted. How many are to be shown. */
static size_t sources_sort(struct report *report)
{
	size_t n = 0;

	for (size_t i = 0; i < report->capacity; i++) {
		if (report->sources[i].packets != 0)
			report->sources[n++] = report->sources[i];
	}
	if (n > 0)
		qsort(report->sources, n, sizeof(*report->sources), source_order);
	return n < report->n_top ? n : report->n_top;
}

static const char *event_name(unsigned kind)
{
	static const char *const names[EVENT_KIND_COUNT] = {[EVENT_FLOW_PROVEN] = "flow_proven",
		[EVENT_FLOW_PAYLOAD] = "flow_payload",
		[EVENT_FLOW_SILENT] = "flow_silent",
		[EVENT_FLOW_CLOSED] = "flow_closed",
		[EVENT_SOURCE_OVER_RATE] = "source_over_rate",
		[EVENT_FLOOD_ENTER] = "flood_enter",
		[EVENT_FLOOD_LEAVE] = "flood_leave",
		[EVENT_FLOW_OUT_RESULT] = "flow_out_result",
		[EVENT_FLOW_MALFORMED] = "flow_malformed"};

	return names[kind] ? names[kind] : "unknown";
}

static void totals_json(struct report *report, const uint64_t events[EVENT_KIND_COUNT], uint64_t segments,
	double seconds_run, size_t n_top)
{
	FILE *to = report->to;
	char text[PREFIX_TEXT_MAX];
	const char *comma = "";

	fprintf(to,
		"{\"totals\":{\"packets\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.9f,\"cut\":%" PRIu64
		",\"skipped\":%" PRIu64 ",\"backwards\":%" PRIu64 ",\"monitored\":%" PRIu64 ",\"verdicts\":{",
		report->packets, report->bytes, (double)(report->last_ns - report->first_ns) / 1e9,
		report->cut, report->undecided, report->backwards, report->monitored);
	for (unsigned i = 0; i < VERDICT_COUNT; i++)
		fprintf(to, "%s\"%s\":%" PRIu64, i ? "," : "", verdict_name((enum verdict)i),
			report->verdicts[i]);
	fputs("},\"reasons\":{", to);
	for (unsigned i = 0; i < REASON_COUNT; i++) {
		if (report->reasons[i] == 0)
			continue;
		fprintf(to, "%s\"%s\":%" PRIu64, comma, reason_info((enum reason)i)->name,
			report->reasons[i]);
		comma = ",";
	}
	fputs("},\"events\":{", to);
	comma = "";
	for (unsigned i = 1; i < EVENT_KIND_COUNT; i++) {
		if (events[i] == 0)
			continue;
		fprintf(to, "%s\"%s\":%" PRIu64, comma, event_name(i), events[i]);
		comma = ",";
	}
	fprintf(to, "},\"resets_sent\":%" PRIu64, segments);
	if (report->n_top)
		fprintf(to, ",\"n_sources\":%zu,\"sources\":[", report->n_sources);
	for (size_t i = 0; i < n_top; i++) {
		const struct report_source *source = &report->sources[i];
		fprintf(to, "%s{\"src\":\"%s\",\"packets\":%" PRIu64, i ? "," : "",
			address_format(&source->address, text), source->packets);
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			fprintf(to, ",\"%s\":%" PRIu64, verdict_name((enum verdict)v), source->verdicts[v]);
		fputs("}", to);
	}
	fprintf(to, "%s,\"replay_seconds\":%.6f,\"replay_pps\":%.0f}}\n", report->n_top ? "]" : "",
		seconds_run, seconds_run > 0 ? (double)report->packets / seconds_run : 0.0);
}

static void totals_text(struct report *report, const uint64_t events[EVENT_KIND_COUNT], uint64_t segments,
	double seconds_run, size_t n_top)
{
	FILE *to = report->to;
	char text[PREFIX_TEXT_MAX];

	fprintf(to, "%s%" PRIu64 " packets, %" PRIu64 " bytes in %.6f s of capture; replayed in %.3f s\n",
		report->quiet ? "" : "\n", report->packets, report->bytes,
		(double)(report->last_ns - report->first_ns) / 1e9, seconds_run);
	for (unsigned i = 0; i < VERDICT_COUNT; i++) {
		if (report->verdicts[i])
			fprintf(to, "%12" PRIu64 "  %s\n", report->verdicts[i],
				verdict_name((enum verdict)i));
	}
	if (report->undecided)
		fprintf(to,
			"%12" PRIu64 "  " UNDECIDED_VERDICT
			": the capture cut their headers, so they were not judged\n",
			report->undecided);
	fputs("by reason:\n", to);
	for (unsigned i = 0; i < REASON_COUNT; i++) {
		const struct reason_info *info = reason_info((enum reason)i);
		if (report->reasons[i])
			fprintf(to, "%12" PRIu64 "  %-22s %s\n", report->reasons[i], info->name, info->help);
	}
	for (unsigned i = 1; i < EVENT_KIND_COUNT; i++) {
		if (events[i])
			fprintf(to, "%12" PRIu64 "  event %s\n", events[i], event_name(i));
	}
	if (segments)
		fprintf(to, "%12" PRIu64 "  RSTs sent to cut connections\n", segments);
	if (report->monitored)
		fprintf(to, "%" PRIu64 " packets were forwarded only because the mode is monitor.\n",
			report->monitored);
	if (report->cut > report->undecided)
		fprintf(to,
			"%" PRIu64 " packets were cut by the capture behind their headers: judged, their "
				   "checksums not verified.\n",
			report->cut - report->undecided);
	if (report->backwards)
		fprintf(to,
			"%" PRIu64
			" packets have an earlier time than one before them: judged at the later time.\n",
			report->backwards);
	if (n_top)
		fprintf(to, "by source, most refused first (%zu of %zu):\n", n_top, report->n_sources);
	for (size_t i = 0; i < n_top; i++) {
		const struct report_source *source = &report->sources[i];
		fprintf(to, "%12" PRIu64 "  %-39s forwarded %" PRIu64 "\n", source->packets,
			address_format(&source->address, text), source->verdicts[VERDICT_FORWARD]);
	}
}

void report_totals(
	struct report *report, const uint64_t events[EVENT_KIND_COUNT], uint64_t segments, double seconds_run)
{
	size_t n_top = sources_sort(report);

	if (report->json)
		totals_json(report, events, segments, seconds_run, n_top);
	else
		totals_text(report, events, segments, seconds_run, n_top);
}

void report_done(struct report *report)
{
	free(report->sources);
	report->sources = NULL;
	report->n_sources = report->capacity = 0;
}
