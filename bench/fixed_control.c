// SPDX-License-Identifier: BSD-3-Clause
/* weir-fixed-control: stands in for weir-control while the packet path alone is measured. It publishes one
 * image made from its command line, reads and forgets the dataplane's events as a control that has nothing to
 * do would, and answers "counters" on standard input with one JSON line. Ends when standard input does. One
 * thread; it decides nothing.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/option_value.h"
#include "bench/socket_address.h"
#include "shm/command_log.h"
#include "shm/event_ring.h"
#include "shm/image_builder.h"
#include "shm/image_file.h"
#include "shm/paths.h"

enum {
	NODES_MAX = 16,
	EVENTS_PER_READ = 4096,
	WAIT_MS = 2,       /* a ring of 16,384 events fills in 2 ms at 8 M events a second */
	BAN_S = 24 * 3600, /* longer than any run */
};

struct fixed_control {
	const char *shm_dir, *instance;
	struct segment segment;
	struct control_payload *payload;
	struct image_builder *builder;
	struct image_policy policy;
	struct image_service service; /* what the next --service gets */
	unsigned n_nodes;
	struct segment_reader reader;
	bool attached;
	uint64_t cursors[DATAPLANE_LCORES_MAX];
	uint64_t events, events_lost, n_lcores;
	struct prefix churn; /* bans one after the other from here on */
	uint64_t churn_per_s, churn_begun_ns, churned;
};

static const char usage[] =
	"usage: weir-fixed-control --shm-dir DIR --node ADDRESS --service tcp|udp:PORT [...] [options]\n"
	"One image for weir-dataplane, and its counters; for measurements of the packet path.\n"
	"  --instance NAME     default weir\n"
	"  --challenge off|auto|always, --method reset|proxy   of the services named after it (default off, "
	"reset)\n"
	"  --bans PREFIX:N     ban N addresses from the first of PREFIX on (IPv6: N /64s)\n"
	"  --replies N         cookies and refusals a second and lcore (default 0: no bound)\n"
	"  --no-checksums      trust the transport checksums of packets from outside\n"
	"On standard input: counters | quit | churn PREFIX RATE\n"
	"churn bans one address after the other from the first of PREFIX on, RATE a second, until the log has no room (65,536 bans)\n"
	"or RATE is 0; \"bans_sent\" counts them.\n";

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void must(int rc, const char *what)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "weir-fixed-control: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void defaults_set(struct fixed_control *control)
{
	control->instance = "weir";
	/* Times of a default configuration; no limits: rows 7 to 11 are looked up and let everything pass. */
	control->policy = (struct image_policy){.accept_inbound = 1,
		.verify_checksums = 1,
		.replies_per_s = 0,
		.icmp_per_s = 10000,
		.infrastructure_per_s = 10000,
		.other_per_s = 1000000,
		.half_open_timeout_ms = 10000,
		.auth_timeout_ms = 10000,
		.tcp_idle_timeout_ms = 7800000,
		.udp_idle_timeout_ms = 60000,
		.udp_unanswered_timeout_ms = 10000,
		.closing_timeout_ms = 5000,
		.proven_lifetime_ms = 600000,
		.adopt_window_ms = 0,
		.adopt_per_s = 1000,
		.start_wait_ms = 1000};
	control->service = (struct image_service){.udp_unanswered_packets = 16,
		.refuse_with_rst = 1,
		.pressure_enter_per_s = 1000000000,
		.pressure_leave_per_s = 500000000,
		.pressure_half_open = 1000000000,
		.pressure_hold_ms = 1000};
}

static bool service_add(struct fixed_control *control, const char *text)
{
	struct image_service *service = &control->service;
	bool udp = strncmp(text, "udp:", 4) == 0;
	uint64_t port;

	if ((!udp && strncmp(text, "tcp:", 4) != 0) || !option_count_parse(text + 4, 1, 65535, &port))
		return false;
	service->port = (uint16_t)port;
	service->protocol = udp ? 17 : 6;
	service->udp_idle_timeout_ms = 0;
	snprintf(service->name, sizeof(service->name), "%s-%u", udp ? "udp" : "tcp", service->port);

	struct image_service added = *service;
	if (udp)
		added.challenge = IMAGE_CHALLENGE_OFF;
	must(image_builder_add_service(control->builder, &added), text);
	return true;
}

/* The i-th host (IPv4) or /64 (IPv6) from the first of `first` on. */
static struct prefix prefix_after(const struct prefix *first, uint64_t i)
{
	unsigned last = prefix_is_v4(first) ? 16 : 8, carry = 0;
	struct prefix after = *first;

	after.length = prefix_is_v4(first) ? PREFIX_HOST_LENGTH : PREFIX_V6_SITE_LENGTH;
	for (unsigned byte = 0; byte < 4; byte++) {
		unsigned sum = after.address.bytes[last - 1 - byte] + (unsigned)(i >> (8 * byte) & 0xff) + carry;

		after.address.bytes[last - 1 - byte] = (uint8_t)sum;
		carry = sum >> 8;
	}
	return after;
}

static bool bans_add(struct fixed_control *control, const char *text)
{
	uint32_t end_s = (uint32_t)(now_ns() / 1000000000) + BAN_S;
	const char *colon = strrchr(text, ':');
	struct prefix prefix;
	char head[64];
	uint64_t n;

	if (colon == NULL || (size_t)(colon - text) >= sizeof(head) ||
		!option_count_parse(colon + 1, 1, 1 << 26, &n))
		return false;
	memcpy(head, text, (size_t)(colon - text));
	head[colon - text] = '\0';
	if (prefix_parse(head, &prefix) != 0)
		return false;
	for (uint64_t i = 0; i < n; i++) {
		struct prefix banned = prefix_after(&prefix, i);

		must(image_builder_add_ban(
			     control->builder, &banned, ban_meta_make(SOURCE_CLASS_BANNED, end_s)),
			text);
	}
	return true;
}

static bool option_take(struct fixed_control *control, int letter, const char *text)
{
	struct address address;
	uint64_t value;

	switch (letter) {
	case 'd':
		control->shm_dir = text;
		return true;
	case 'i':
		control->instance = text;
		return true;
	case 'n':
		control->n_nodes++;
		return address_parse(text, &address) == 0 &&
		       image_builder_add_node_address(control->builder, &address) == 0;
	case 's':
		return service_add(control, text);
	case 'b':
		return bans_add(control, text);
	case 'c':
		control->service.challenge = strcmp(text, "always") == 0 ? IMAGE_CHALLENGE_ALWAYS
					     : strcmp(text, "auto") == 0 ? IMAGE_CHALLENGE_AUTO
									 : IMAGE_CHALLENGE_OFF;
		return control->service.challenge != IMAGE_CHALLENGE_OFF || strcmp(text, "off") == 0;
	case 'm':
		control->service.challenge_method =
			strcmp(text, "proxy") == 0 ? IMAGE_METHOD_PROXY : IMAGE_METHOD_RESET;
		return control->service.challenge_method == IMAGE_METHOD_PROXY || strcmp(text, "reset") == 0;
	case 'r':
		if (!option_count_parse(text, 0, 1000000000, &value))
			return false;
		control->policy.replies_per_s = (uint32_t)value;
		return true;
	case 'C':
		control->policy.verify_checksums = 0;
		return true;
	default:
		return false;
	}
}

static int options_parse(struct fixed_control *control, int argc, char **argv)
{
	static const struct option known[] = {{"shm-dir", required_argument, NULL, 'd'},
		{"instance", required_argument, NULL, 'i'}, {"node", required_argument, NULL, 'n'},
		{"service", required_argument, NULL, 's'}, {"bans", required_argument, NULL, 'b'},
		{"challenge", required_argument, NULL, 'c'}, {"method", required_argument, NULL, 'm'},
		{"replies", required_argument, NULL, 'r'}, {"no-checksums", no_argument, NULL, 'C'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	int letter, index = 0;

	while ((letter = getopt_long(argc, argv, "", known, &index)) != -1) {
		if (letter == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (letter == '?')
			return 2;
		if (!option_take(control, letter, optarg)) {
			fprintf(stderr, "weir-fixed-control: --%s: '%s' is not valid\n", known[index].name,
				optarg);
			return 2;
		}
	}
	if (optind == argc && control->shm_dir != NULL && control->n_nodes > 0)
		return -1;
	fprintf(stderr, "weir-fixed-control: --shm-dir and --node are needed; see --help\n");
	return 2;
}

static void segment_make(struct fixed_control *control)
{
	char path[PATHS_TEXT_MAX], text[512];
	enum segment_error error;

	must(paths_control_segment(control->shm_dir, control->instance, path), control->shm_dir);
	error = segment_create(path, SEGMENT_KIND_CONTROL, control_payload_layout_hash(),
		sizeof(struct control_payload), NULL, &control->segment);
	if (error != SEGMENT_OK) {
		fprintf(stderr, "weir-fixed-control: %s\n",
			segment_error_text(error, path, text, sizeof(text)));
		exit(1);
	}
	control->payload = control->segment.payload;
}

static void image_publish(struct fixed_control *control)
{
	struct image_stamp stamp = {.instance = control->segment.header->instance,
		.generation = 1,
		.built_mono_ns = now_ns(),
		.built_wall_ns = 1};
	char path[PATHS_TEXT_MAX];
	void *block;
	size_t bytes;

	must(image_builder_set_policy(control->builder, &control->policy), "policy");
	must(image_builder_finish(control->builder, &stamp, &block, &bytes), "image");
	paths_image(control->shm_dir, control->instance, path);
	must(image_file_publish(path, block, bytes), path);
	free(block);
	image_builder_destroy(control->builder);
	command_log_cover(control->payload, 1, 0);
}

/* The dataplane comes after us: look for its segment until it is there. */
static bool dataplane_attach(struct fixed_control *control)
{
	struct dataplane_payload fixed;
	char path[PATHS_TEXT_MAX];

	if (control->attached)
		return true;
	paths_dataplane_segment(control->shm_dir, control->instance, path);
	if (segment_reader_open(path, SEGMENT_KIND_DATAPLANE, dataplane_payload_layout_hash(),
		    &control->reader) != SEGMENT_OK)
		return false;
	if (dataplane_payload_read(&control->reader, &fixed) != 0 || fixed.n_lcores == 0 ||
		fixed.n_lcores > DATAPLANE_LCORES_MAX) {
		segment_reader_close(&control->reader);
		return false;
	}
	control->n_lcores = fixed.n_lcores;
	control->payload->dataplane_instance = control->reader.header.instance; /* whose rings we empty */
	control->attached = true;
	return true;
}

static void events_forget(struct fixed_control *control)
{
	static struct event_record records[EVENTS_PER_READ];

	for (unsigned lcore = 0; control->attached && lcore < control->n_lcores; lcore++) {
		int n;

		do {
			n = event_ring_read(&control->reader, lcore, &control->cursors[lcore], records,
				EVENTS_PER_READ, &control->events_lost);
			if (n > 0)
				control->events += (uint64_t)n;
			atomic_store_explicit(&control->payload->ring_consumed[lcore],
				control->cursors[lcore], memory_order_release);
		} while (n == EVENTS_PER_READ);
	}
}

static void counters_print(struct fixed_control *control)
{
	static struct counters counters, sum;
	struct dataplane_payload fixed = {0};

	memset(&sum, 0, sizeof(sum));
	if (!dataplane_attach(control) || dataplane_payload_read(&control->reader, &fixed) != 0) {
		puts("{\"state\": -1}");
		return;
	}
	for (unsigned lcore = 0; lcore < control->n_lcores; lcore++) {
		must(dataplane_counters_read(&control->reader, lcore, &counters), "counters");
		for (unsigned i = 0; i < COUNTER_COUNT; i++)
			sum.values[i] += counters.values[i];
		for (unsigned i = 0; i < REASON_COUNT; i++)
			sum.reasons[i] += counters.reasons[i];
	}
	printf("{\"state\": %lu, \"at_ns\": %lu, \"events\": %lu, \"bans\": %lu, \"bans_sent\": %lu, \"counters\": {",
		(unsigned long)fixed.state, now_ns(), control->events,
		(unsigned long)(fixed.bans_v4 + fixed.bans_v6 + fixed.bans_exact), control->churned);
	for (unsigned i = 0; i < COUNTER_COUNT; i++)
		printf("%s\"%s\": %lu", i == 0 ? "" : ", ", counter_info((enum counter)i)->name,
			(unsigned long)sum.values[i]);
	printf("}, \"reasons\": {");
	for (unsigned i = 0; i < REASON_COUNT; i++)
		printf("%s\"%s\": %lu", i == 0 ? "" : ", ", reason_info((enum reason)i)->name,
			(unsigned long)sum.reasons[i]);
	puts("}}");
}

static bool churn_start(struct fixed_control *control, const char *line)
{
	char text[64], rate[16];
	struct prefix prefix;
	uint64_t per_s;

	if (sscanf(line, "churn %63s %15s", text, rate) != 2 || prefix_parse(text, &prefix) != 0 ||
		!option_count_parse(rate, 0, 1000000, &per_s))
		return false;
	control->churn = prefix;
	control->churn_per_s = per_s;
	control->churn_begun_ns = now_ns();
	control->churned = 0;
	return true;
}

/* What is due by now; there is no doorbell here: the dataplane looks once a millisecond. */
static void churn_go_on(struct fixed_control *control)
{
	uint64_t now = now_ns(), sequence;
	uint64_t due = (now - control->churn_begun_ns) / 1000 * control->churn_per_s / 1000000;

	while (control->churn_per_s != 0 && control->churned < due) {
		struct prefix prefix = prefix_after(&control->churn, control->churned);
		struct command_record record = {.kind = COMMAND_BAN_SET,
			.prefix_length = prefix.length,
			.meta = ban_meta_make(SOURCE_CLASS_BANNED, (uint32_t)(now / 1000000000) + BAN_S),
			.written_ns = now};

		memcpy(record.address, prefix.address.bytes, sizeof(record.address));
		if (command_log_append(control->payload, &record, &sequence) != 0) {
			control->churn_per_s = 0;
			return;
		}
		control->churned++;
	}
}

static void serve(struct fixed_control *control)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (true) {
		int n = poll(&input, 1, control->attached ? WAIT_MS : 50);

		if (n < 0 && errno != EINTR)
			return;
		dataplane_attach(control);
		events_forget(control);
		churn_go_on(control);
		if (n <= 0)
			continue;
		if (fgets(line, sizeof(line), stdin) == NULL || strcmp(line, "quit\n") == 0)
			return;
		if (strcmp(line, "counters\n") == 0)
			counters_print(control);
		else if (strncmp(line, "churn ", 6) == 0)
			puts(churn_start(control, line) ? "churning" : "what is to be churned?");
	}
}

int main(int argc, char **argv)
{
	static struct fixed_control control;
	int status;

	must(image_builder_create(&control.builder), "image builder");
	defaults_set(&control);
	status = options_parse(&control, argc, argv);
	if (status != -1)
		return status;
	segment_make(&control);
	image_publish(&control);
	serve(&control);
	return 0;
}
