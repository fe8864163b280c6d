// SPDX-License-Identifier: BSD-3-Clause
/* weir-dial's results. One thread.
 */
#include "bench/dial_report.h"

#include <errno.h>
#include <string.h>

#include "bench/option_value.h"

static const char *const outcome_names[DIAL_OUTCOMES] = {
	[DIAL_SUCCEEDED] = "succeeded",
	[DIAL_REFUSED] = "refused",
	[DIAL_CUT] = "cut",
	[DIAL_CLOSED_EARLY] = "closed_early",
	[DIAL_TIMED_OUT] = "timed_out",
	[DIAL_WRONG_REPLY] = "wrong_reply",
	[DIAL_LOCAL_ERROR] = "local_error",
};
static const char *const class_names[DIAL_CLASSES] = {"tcp4", "udp4", "tcp6", "udp6"};

static double to_ms(uint64_t ns)
{
	return (double)ns * 1e-6;
}

struct dial_second *dial_report_second(struct dial_report *report, uint64_t now_ns)
{
	uint64_t second = now_ns < report->start_ns ? 0 : (now_ns - report->start_ns) / UINT64_C(1000000000);

	return &report->series[second < DIAL_SERIES_MAX ? second : DIAL_SERIES_MAX - 1];
}

static double after_ms(uint64_t then_ns, uint64_t since_ns)
{
	return then_ns == 0 ? -1 : to_ms(then_ns - since_ns);
}

void dial_report_start(struct dial_report *report, uint64_t late_ns)
{
	histogram_add(&report->late_ns, late_ns);
	if (late_ns > DIAL_LATE_MS * UINT64_C(1000000))
		report->late++;
}

/* Whose limit the result shows: ours when more than a thousandth of the attempts began late, found no place,
 * or failed here. */
static const char *bottleneck_of(const struct dial_report *report)
{
	uint64_t ours = report->late + report->not_started + report->outcomes[DIAL_LOCAL_ERROR];

	return ours > report->attempts / 1000 ? "generator" : "none";
}

void dial_report_add(struct dial_report *report, const struct dial_ended *ended)
{
	struct dial_class *class = &report->classes[ended->class];

	class->attempts++;
	report->outcomes[ended->outcome]++;
	dial_report_second(report, ended->ended_ns)->outcomes[ended->outcome]++;
	if (ended->class % 2 == 0)
		report->syn_resends += ended->resends;
	else
		report->udp_resends += ended->resends;
	if (ended->connected_ns != 0 && ended->class % 2 == 0) {
		report->connected++;
		histogram_add(&report->connect_ns, ended->connected_ns - ended->intended_ns);
	}
	if (ended->outcome == DIAL_SUCCEEDED) {
		class->succeeded++;
		if (ended->replied_ns != 0) {
			histogram_add(&class->reply_ns, ended->replied_ns - ended->intended_ns);
			histogram_add(&report->recent_ns, ended->replied_ns - ended->intended_ns);
		}
	}
	if (report->csv != NULL) {
		char text[PREFIX_TEXT_MAX];

		fprintf(report->csv, "%.6f,%s,%s,%.3f,%.3f,%u,%s\n",
			(double)(ended->intended_ns - report->start_ns) * 1e-9, class_names[ended->class],
			address_format(&ended->source, text), after_ms(ended->connected_ns, ended->intended_ns),
			after_ms(ended->replied_ns, ended->intended_ns), ended->resends, outcome_names[ended->outcome]);
	}
}

static uint64_t failed(const struct dial_report *report)
{
	uint64_t sum = 0;

	for (unsigned i = DIAL_SUCCEEDED + 1; i < DIAL_OUTCOMES; i++)
		sum += report->outcomes[i];
	return sum;
}

void dial_report_live(struct dial_report *report, const struct dial_options *options, uint64_t now_ns)
{
	fprintf(stderr, "dial%s%s t=%.0f attempts=%lu succeeded=%lu failed=%lu open=%u p50_ms=%.2f p99_ms=%.2f\n",
		options->label[0] != '\0' ? " " : "", options->label, (double)(now_ns - report->start_ns) * 1e-9,
		report->attempts, report->outcomes[DIAL_SUCCEEDED], failed(report), report->open,
		to_ms(histogram_quantile(&report->recent_ns, 0.5)), to_ms(histogram_quantile(&report->recent_ns, 0.99)));
	histogram_clear(&report->recent_ns);
}

int dial_report_csv_open(struct dial_report *report, const char *path)
{
	report->csv = fopen(path, "we");
	if (report->csv == NULL)
		return -errno;
	fputs("intended_s,class,source,connect_ms,reply_ms,resends,outcome\n", report->csv);
	return 0;
}

static void quantiles_print(FILE *file, const char *name, const struct histogram *histogram)
{
	fprintf(file,
		"\"%s\": {\"count\": %lu, \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p99.9\": %.3f, \"max\": %.3f}", name,
		histogram->count, to_ms(histogram_quantile(histogram, 0.5)), to_ms(histogram_quantile(histogram, 0.9)),
		to_ms(histogram_quantile(histogram, 0.99)), to_ms(histogram_quantile(histogram, 0.999)),
		to_ms(histogram->count > 0 ? histogram->max : 0));
}

static void all_replies(const struct dial_report *report, struct histogram *ret_histogram)
{
	histogram_clear(ret_histogram);
	for (unsigned i = 0; i < DIAL_CLASSES; i++)
		histogram_merge(ret_histogram, &report->classes[i].reply_ns);
}

static void series_print(const struct dial_report *report, double seconds, FILE *file)
{
	fputs("\"series\": [", file);
	for (unsigned t = 0; t < DIAL_SERIES_MAX && t < (unsigned)seconds + 1; t++) {
		const struct dial_second *second = &report->series[t];

		fprintf(file, "%s{\"t\": %u, \"attempts\": %u, \"closed_on\": %u", t == 0 ? "" : ", ", t, second->attempts,
			second->closed_on);
		for (unsigned i = 0; i < DIAL_OUTCOMES; i++)
			fprintf(file, ", \"%s\": %u", outcome_names[i], second->outcomes[i]);
		fputc('}', file);
	}
	fputc(']', file);
}

void dial_report_json(const struct dial_report *report, const struct dial_options *options, int argc,
	char *const argv[], double seconds, FILE *file)
{
	static struct histogram replies; /* too large for the stack of a small thread */

	all_replies(report, &replies);
	fprintf(file, "{\"tool\": \"weir-dial\", \"version\": \"%s\", \"command\": ", WEIR_VERSION);
	option_command_print(file, argc, argv);
	fprintf(file,
		", \"seed\": %lu, \"behaviour\": \"%s\", \"start_monotonic_ns\": %lu, \"seconds\": %.3f, \"attempts\": %lu, "
		"\"connected\": %lu, \"failed\": %lu, \"not_started\": %lu, \"closed_on\": %lu, \"syn_resends\": %lu, "
		"\"udp_resends\": %lu",
		options->seed, dial_behaviour_name(options->behaviour), report->start_ns, seconds, report->attempts,
		report->connected, failed(report), report->not_started, report->closed_on, report->syn_resends,
		report->udp_resends);
	for (unsigned i = 0; i < DIAL_OUTCOMES; i++)
		fprintf(file, ", \"%s\": %lu", outcome_names[i], report->outcomes[i]);
	fprintf(file, ", \"late\": %lu, \"bottleneck\": \"%s\"", report->late, bottleneck_of(report));
	if (report->first_local_errno != 0)
		fprintf(file, ", \"first_local_error\": \"%s\"", strerror(report->first_local_errno));
	fputs(", ", file);
	quantiles_print(file, "late_ms", &report->late_ns);
	fputs(", ", file);
	quantiles_print(file, "connect_ms", &report->connect_ns);
	fputs(", ", file);
	quantiles_print(file, "reply_ms", &replies);
	fputs(", \"classes\": {", file);
	for (unsigned i = 0; i < DIAL_CLASSES; i++) {
		const struct dial_class *class = &report->classes[i];

		fprintf(file, "%s\"%s\": {\"attempts\": %lu, \"succeeded\": %lu, ", i == 0 ? "" : ", ", class_names[i],
			class->attempts, class->succeeded);
		quantiles_print(file, "reply_ms", &class->reply_ns);
		fputc('}', file);
	}
	fputs("}, ", file);
	series_print(report, seconds, file);
	fputs("}\n", file);
}

void dial_report_text(const struct dial_report *report, const struct dial_options *options, FILE *file)
{
	static struct histogram replies;

	all_replies(report, &replies);
	fprintf(file, "%s: %lu attempts, %lu succeeded", dial_behaviour_name(options->behaviour), report->attempts,
		report->outcomes[DIAL_SUCCEEDED]);
	for (unsigned i = DIAL_SUCCEEDED + 1; i < DIAL_OUTCOMES; i++) {
		if (report->outcomes[i] > 0)
			fprintf(file, ", %lu %s", report->outcomes[i], outcome_names[i]);
	}
	fprintf(file, "; reply p50 %.2f ms, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f; %lu SYN resends, bottleneck: %s\n",
		to_ms(histogram_quantile(&replies, 0.5)), to_ms(histogram_quantile(&replies, 0.9)),
		to_ms(histogram_quantile(&replies, 0.99)), to_ms(histogram_quantile(&replies, 0.999)),
		to_ms(replies.count > 0 ? replies.max : 0), report->syn_resends, bottleneck_of(report));
}
