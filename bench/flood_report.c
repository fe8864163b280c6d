// SPDX-License-Identifier: BSD-3-Clause
/* Sums over lcores and their printing (flood_report.h). Main thread.
 */
#include "bench/flood_report.h"

#include <errno.h>
#include <string.h>

#include "bench/option_value.h"

struct totals {
	uint64_t sent, bytes, received, late, port, by_kind[FLOOD_KINDS];
	uint64_t events[CONNECT_EVENTS], answers, answers_not_sent, not_sent_open, abandoned;
	uint64_t node_received, node_answered, node_not_sent;
	uint64_t stream_sent, stream_not_sent;
};

static void totals_sum(const struct flood *flood, struct totals *ret_totals)
{
	*ret_totals = (struct totals){0};
	for (unsigned i = 0; i < flood->options.n_lcores; i++) {
		const struct flood_counts *counts = &flood->workers[i].counts;
		const struct flood_client_counts *clients = &flood->clients[i].counts;
		const struct responder_counts *node = &flood->responders[i].counts;

		ret_totals->sent += counts->sent;
		ret_totals->bytes += counts->bytes;
		ret_totals->received += counts->received;
		ret_totals->late += counts->not_sent_late;
		ret_totals->port += counts->not_sent_port;
		for (unsigned k = 0; k < FLOOD_KINDS; k++)
			ret_totals->by_kind[k] += counts->by_kind[k];
		for (unsigned k = 0; k < CONNECT_EVENTS; k++)
			ret_totals->events[k] += clients->events[k];
		ret_totals->answers += clients->answers;
		ret_totals->answers_not_sent += clients->answers_not_sent;
		ret_totals->not_sent_open += clients->not_sent_open;
		ret_totals->abandoned += clients->abandoned;
		ret_totals->node_received += node->received;
		ret_totals->node_answered += node->answered;
		ret_totals->node_not_sent += node->not_sent;
	}
	ret_totals->stream_sent = flood->stream.counts.sent;
	ret_totals->stream_not_sent = flood->stream.counts.not_sent;
	ret_totals->late += flood->stream.counts.not_sent_late;
}

uint64_t flood_report_sent(const struct flood *flood)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < flood->options.n_lcores; i++)
		sum += flood->workers[i].counts.sent;
	return sum;
}

/* The self-check: a rate is the receiver's only when its queue was full or its answers were waited for; else
 * it is this generator's, or the schedule's. A thousandth is not enough: start and end of a run are not
 * steady. Who is behind its schedule and met a full queue once in a hundred packets met a stall of the
 * receiver, not its limit. */
static const char *bottleneck_of(const struct totals *totals)
{
	uint64_t refused = totals->port + totals->stream_not_sent;
	uint64_t tried = totals->sent + totals->stream_sent + refused;

	if (refused > tried / (totals->late > tried / 1000 ? 100 : 1000))
		return "port";
	if (totals->not_sent_open > tried / 1000)
		return "answers";
	return totals->late > tried / 1000 ? "generator" : "none";
}

int flood_report_csv_open(struct flood *flood)
{
	flood->csv = fopen(flood->options.csv_path, "we");
	if (flood->csv == NULL)
		return -errno;
	fprintf(flood->csv, "second,sent,bytes,received,not_sent_late,not_sent_port,not_sent_open");
	for (unsigned k = 1; k < CONNECT_EVENTS; k++)
		fprintf(flood->csv, ",%s", connect_event_name((enum connect_event)k));
	fputc('\n', flood->csv);
	return 0;
}

void flood_report_csv_line(const struct flood *flood)
{
	struct totals totals;

	if (flood->csv == NULL)
		return;
	totals_sum(flood, &totals);
	fprintf(flood->csv, "%u,%lu,%lu,%lu,%lu,%lu,%lu", flood->n_series, totals.sent, totals.bytes,
		totals.received, totals.late, totals.port, totals.not_sent_open);
	for (unsigned k = 1; k < CONNECT_EVENTS; k++)
		fprintf(flood->csv, ",%lu", totals.events[k]);
	fputc('\n', flood->csv);
}

void flood_report_live(const struct flood *flood, uint64_t last_second)
{
	struct totals totals;

	totals_sum(flood, &totals);
	fprintf(stderr, "flood%s%s t=%.0f sent=%lu not_sent=%lu pps=%lu",
		flood->options.label[0] != '\0' ? " " : "", flood->options.label, flood->seconds, totals.sent,
		totals.late + totals.port + totals.not_sent_open, last_second);
	if (flood->options.connect)
		fprintf(stderr, " shaken=%lu opened=%lu served=%lu refused=%lu",
			totals.events[CONNECT_SHAKEN] + totals.events[CONNECT_SHAKEN_CLOSED],
			totals.events[CONNECT_OPENED], totals.events[CONNECT_SERVED],
			totals.events[CONNECT_REFUSED]);
	fputc('\n', stderr);
}

static void connect_print(const struct flood *flood, const struct totals *totals)
{
	printf(", \"connect\": {\"behaviour\": \"%s\"", connect_behaviour_name(flood->options.behaviour));
	for (unsigned k = 1; k < CONNECT_EVENTS; k++)
		printf(", \"%s\": %lu", connect_event_name((enum connect_event)k), totals->events[k]);
	printf(", \"answers\": %lu, \"answers_not_sent\": %lu, \"not_sent_open\": %lu, \"abandoned\": %lu}",
		totals->answers, totals->answers_not_sent, totals->not_sent_open, totals->abandoned);
	if (flood->options.respond_port != NULL)
		printf(", \"node\": {\"received\": %lu, \"answered\": %lu, \"not_sent\": %lu}",
			totals->node_received, totals->node_answered, totals->node_not_sent);
}

static void stream_print(const struct flood *flood)
{
	const struct flood_stream_counts *counts = &flood->stream.counts;
	double seconds = (double)counts->nanoseconds * 1e-9;

	printf(", \"stream\": {\"flows\": %u, \"sent\": %lu, \"arrived\": %lu, \"not_sent\": %lu, "
	       "\"seconds\": %.3f, "
	       "\"arrived_pps\": %.0f, \"arrived_bits_per_s\": %.0f}",
		flood->options.sources.population, counts->sent, counts->arrived, counts->not_sent, seconds,
		(double)counts->arrived / seconds, (double)counts->arrived_bytes * 8 / seconds);
}

static const char *model_of(const struct flood_options *options)
{
	return options->replay_path != NULL ? "replay" : traffic_kind_name(options->sources.kind);
}

static void json_print(
	const struct flood *flood, const struct totals *totals, double seconds, int argc, char *const argv[])
{
	const struct flood_options *options = &flood->options;

	printf("{\"tool\": \"weir-flood\", \"version\": \"%s\", \"command\": ", WEIR_VERSION);
	option_command_print(stdout, argc, argv);
	printf(", \"seed\": %lu, \"model\": \"%s\", \"start_monotonic_ns\": %lu, \"seconds\": %.3f, "
	       "\"sent\": %lu, "
	       "\"bytes\": %lu, \"rate_pps\": %.0f, \"not_sent\": %lu, \"not_sent_late\": %lu, "
	       "\"not_sent_port\": %lu, "
	       "\"received\": %lu, \"bottleneck\": \"%s\", \"by_packet\": {",
		options->sources.seed, model_of(options), flood->start_monotonic_ns, seconds, totals->sent,
		totals->bytes, (double)totals->sent / seconds,
		totals->late + totals->port + totals->not_sent_open, totals->late, totals->port,
		totals->received, bottleneck_of(totals));
	for (unsigned k = 0; k < FLOOD_KINDS; k++)
		printf("%s\"%s\": %lu", k == 0 ? "" : ", ", flood_kind_name((enum flood_kind)k),
			totals->by_kind[k]);
	printf("}, \"series_pps\": [");
	for (unsigned i = 0; i < flood->n_series; i++)
		printf("%s%lu", i == 0 ? "" : ", ", flood->series[i]);
	printf("]");
	if (options->replay_path != NULL)
		printf(", \"replay\": {\"frames\": %u, \"skipped\": %lu, \"time_scale\": %g}",
			flood->replay.replay.n, flood->replay.replay.skipped, options->time_scale);
	if (options->connect || options->stream)
		connect_print(flood, totals);
	if (options->stream)
		stream_print(flood);
	printf("}\n");
}

void flood_report_result(const struct flood *flood, int argc, char *const argv[])
{
	const struct flood_options *options = &flood->options;
	double seconds = flood->seconds < options->seconds ? flood->seconds : options->seconds;
	struct totals totals;

	totals_sum(flood, &totals);
	if (options->json) {
		json_print(flood, &totals, seconds, argc, argv);
		return;
	}
	printf("%s: %lu packets sent in %.1f s (%.0f a second), %lu not sent, bottleneck: %s\n",
		model_of(options), totals.sent, seconds, (double)totals.sent / seconds,
		totals.late + totals.port + totals.not_sent_open, bottleneck_of(&totals));
	if (options->stream)
		printf("%u connections: %lu segments sent, %lu arrived (%.0f a second)\n",
			options->sources.population, flood->stream.counts.sent, flood->stream.counts.arrived,
			(double)flood->stream.counts.arrived * 1e9 /
				(double)flood->stream.counts.nanoseconds);
	if (options->connect)
		printf("%s: %lu handshakes, %lu opened later, %lu served (%.0f a second), %lu refused\n",
			connect_behaviour_name(options->behaviour),
			totals.events[CONNECT_SHAKEN] + totals.events[CONNECT_SHAKEN_CLOSED],
			totals.events[CONNECT_OPENED], totals.events[CONNECT_SERVED],
			(double)totals.events[CONNECT_SERVED] / seconds, totals.events[CONNECT_REFUSED]);
}
