// SPDX-License-Identifier: BSD-3-Clause
/* A control for tests of the dataplane: owns a control segment, publishes images and writes commands, all with the real shm
 * library, and does nothing by itself. One command a line on standard input, one answer a line on standard output.
 *
 *   make_image serve SHM_DIR RUN_DIR      publish a first image and take commands:
 *     ban PREFIX SECONDS | unban PREFIX | cut ADDRESS PORT   answers "applied MICROSECONDS" once it is in force
 *     bans N          N bans of 100.64.0.0 and following as commands, one after another; answers "p50 p99 max" in us
 *     load N          an image with N bans of 100.64.0.0 and following; answers like image
 *     image           publish; answers "loaded MICROSECONDS"
 *     node ADDRESS    one more node address, for the next image
 *     service NAME tcp|udp PORT   one more service, for the next image
 *     probe ADDRESS   answers the reason
 *     flows           answers how many proven flows the dataplane dumps
 *   make_image state SHM_DIR NAME         exit 0 if the dataplane's state is NAME
 *   make_image counter SHM_DIR NAME [INSTANCE]   print a counter or reason, summed over lcores (INSTANCE: weir)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "shm/command_log.h"
#include "shm/event_ring.h"
#include "shm/image_builder.h"
#include "shm/image_file.h"
#include "shm/link.h"
#include "shm/paths.h"

enum { WAIT_MS = 10000, BANS_MAX = 1000000 };

struct served {
	const char *shm_dir, *run_dir;
	struct segment segment;
	struct control_payload *payload;
	struct image_builder *builder;
	uint64_t generation, covers;
	int link;
};

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
	fprintf(stderr, "make_image: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static int dataplane_open(const char *shm_dir, const char *instance, struct segment_reader *reader)
{
	char path[PATHS_TEXT_MAX];

	paths_dataplane_segment(shm_dir, instance, path);
	return segment_reader_open(path, SEGMENT_KIND_DATAPLANE, dataplane_payload_layout_hash(), reader) == SEGMENT_OK ? 0 : -1;
}

static int state_check(const char *shm_dir, const char *name)
{
	static const char *const names[] = { "starting", "waiting", "governing", "open", "closed", "stopped" };
	struct segment_reader reader;
	struct dataplane_payload fixed;

	if (dataplane_open(shm_dir, "weir", &reader) < 0 || dataplane_payload_read(&reader, &fixed) != 0)
		return 1;
	return !(fixed.state < 6 && strcmp(names[fixed.state], name) == 0);
}

static int counter_print(const char *shm_dir, const char *name, const char *instance)
{
	static struct counters counters;
	struct segment_reader reader;
	struct dataplane_payload fixed;
	uint64_t sum = 0;
	int found = 0;

	if (dataplane_open(shm_dir, instance, &reader) < 0 || dataplane_payload_read(&reader, &fixed) != 0)
		return 1;
	for (unsigned lcore = 0; lcore < fixed.n_lcores; lcore++) {
		must(dataplane_counters_read(&reader, lcore, &counters), "counters");
		for (unsigned i = 0; i < COUNTER_COUNT; i++)
			if (strcmp(counter_info((enum counter)i)->name, name) == 0) {
				sum += counters.values[i];
				found = 1;
			}
		for (unsigned i = 0; i < REASON_COUNT; i++)
			if (strcmp(reason_info((enum reason)i)->name, name) == 0) {
				sum += counters.reasons[i];
				found = 1;
			}
	}
	printf("%lu\n", (unsigned long)sum);
	return !found;
}

static struct image_service service_make(const char *name, uint8_t protocol, uint16_t port)
{
	struct image_service service = { .port = port, .protocol = protocol, .udp_unanswered_packets = 16,
		.refuse_with_rst = protocol == 6, .pressure_enter_per_s = 1000000, .pressure_leave_per_s = 500000,
		.pressure_half_open = 1000000, .pressure_hold_ms = 1000, .challenge = IMAGE_CHALLENGE_OFF };

	snprintf(service.name, sizeof(service.name), "%s", name);
	return service;
}

static void builder_prepare(struct image_builder *builder)
{
	static const char *const nodes[] = { "10.77.0.1", "fd77::1" };
	const struct image_policy policy = { .accept_inbound = 1, .verify_checksums = 1, .replies_per_s = 100000,
		.icmp_per_s = 10000, .infrastructure_per_s = 10000, .other_per_s = 1000000, .half_open_timeout_ms = 10000,
		.auth_timeout_ms = 10000, .tcp_idle_timeout_ms = 7800000, .udp_idle_timeout_ms = 60000,
		.udp_unanswered_timeout_ms = 10000, .closing_timeout_ms = 5000, .proven_lifetime_ms = 600000,
		.adopt_window_ms = 1000, .adopt_per_s = 1000, .start_wait_ms = 1000 };
	const struct image_service services[] = { service_make("echo-tcp", 6, 7777), service_make("echo-udp", 17, 7777),
		service_make("iperf", 6, 5201), service_make("iperf-udp", 17, 5201) };
	struct address address;

	must(image_builder_set_policy(builder, &policy), "policy");
	for (unsigned i = 0; i < 2; i++) {
		must(address_parse(nodes[i], &address), "node");
		must(image_builder_add_node_address(builder, &address), "node");
	}
	for (unsigned i = 0; i < 4; i++)
		must(image_builder_add_service(builder, &services[i]), "service");
}

static void doorbell(struct served *served)
{
	struct link_message message = { .version = LINK_VERSION, .kind = LINK_DOORBELL };
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	for (unsigned try = 0; try < 2; try++) {
		if (served->link < 0) {
			paths_link_socket(served->run_dir, "weir", address.sun_path);
			served->link = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
			if (connect(served->link, (struct sockaddr *)&address, sizeof(address)) != 0) {
				close(served->link);
				served->link = -1;
				return;
			}
		}
		if (send(served->link, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) > 0 || errno == EAGAIN)
			return;
		close(served->link);
		served->link = -1;
	}
}

/* Waits until the word at `offset` of the dataplane's payload has reached `value`, for our instance. -1: it does not. */
static long reached_us(struct served *served, size_t offset, uint64_t value)
{
	uint64_t start = now_ns(), word = 0, instance = 0;
	struct segment_reader reader = { .fd = -1 };

	if (dataplane_open(served->shm_dir, "weir", &reader) < 0)
		return -1;
	do {
		segment_reader_read(&reader, offset, &word, sizeof(word));
		segment_reader_read(&reader, offsetof(struct dataplane_payload, control_instance), &instance, sizeof(instance));
	} while ((instance != served->segment.header->instance || word < value) && now_ns() - start < WAIT_MS * UINT64_C(1000000));
	segment_reader_close(&reader);
	return word >= value && instance == served->segment.header->instance ? (long)((now_ns() - start) / 1000) : -1;
}

static void publish(struct served *served)
{
	struct image_stamp stamp = { .instance = served->segment.header->instance, .generation = ++served->generation,
		.covers_sequence = served->covers, .built_mono_ns = now_ns(), .built_wall_ns = 1 };
	char path[PATHS_TEXT_MAX];
	void *block;
	size_t bytes;

	must(image_builder_finish(served->builder, &stamp, &block, &bytes), "image_builder_finish");
	paths_image(served->shm_dir, "weir", path);
	must(image_file_publish(path, block, bytes), path);
	free(block);
	/* Commands so far stay in the log: the images of this control never contain them. */
	command_log_cover(served->payload, served->generation, 0);
	doorbell(served);
}

static long command(struct served *served, enum command_kind kind, const char *text, unsigned seconds, unsigned port)
{
	uint64_t now = now_ns(), sequence;
	struct command_record record = { .kind = (uint8_t)kind, .port = (uint16_t)port, .written_ns = now };
	struct prefix prefix;

	if (prefix_parse(text, &prefix) < 0)
		return -1;
	memcpy(record.address, prefix.address.bytes, 16);
	record.prefix_length = prefix.length;
	if (kind == COMMAND_BAN_SET)
		record.meta = ban_meta_make(SOURCE_CLASS_BANNED, (uint32_t)(now / 1000000000) + seconds);
	must(command_log_append(served->payload, &record, &sequence), "command_log_append");
	doorbell(served);
	return reached_us(served, offsetof(struct dataplane_payload, applied_sequence), sequence);
}

static int compare_long(const void *a, const void *b)
{
	const long *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void bans_measure(struct served *served, unsigned n)
{
	long *delays = calloc(n, sizeof(*delays));
	char text[PREFIX_TEXT_MAX];

	for (unsigned i = 0; delays && i < n; i++) {
		struct timespec pause = { .tv_nsec = 2000000 };
		struct address address = address_from_v4(0x64400000u + i);

		delays[i] = command(served, COMMAND_BAN_SET, address_format(&address, text), 3600, 0);
		nanosleep(&pause, NULL);
	}
	qsort(delays, n, sizeof(*delays), compare_long);
	printf("p50 %ld p99 %ld max %ld\n", delays[n / 2], delays[n * 99 / 100], delays[n - 1]);
	free(delays);
}

static void load(struct served *served, unsigned n)
{
	uint32_t end_s = (uint32_t)(now_ns() / 1000000000) + 3600;

	for (unsigned i = 0; i < n; i++) {
		struct prefix prefix = { .address = address_from_v4(0x64400000u + i), .length = PREFIX_HOST_LENGTH };

		must(image_builder_add_ban(served->builder, &prefix, ban_meta_make(SOURCE_CLASS_BANNED, end_s)), "ban");
	}
}

static void probe(struct served *served, const char *text)
{
	struct link_probe question = { .message = { LINK_VERSION, LINK_PROBE, 7 } };
	struct link_probe_answer answer;
	struct address address;

	must(address_parse(text, &address), text);
	memcpy(question.client, address.bytes, sizeof(question.client));
	doorbell(served);
	if (send(served->link, &question, sizeof(question), MSG_NOSIGNAL) < 0 ||
		recv(served->link, &answer, sizeof(answer), 0) != sizeof(answer) || answer.reason >= REASON_COUNT)
		puts("no answer");
	else
		puts(reason_info((enum reason)answer.reason)->name);
}

static void flows(struct served *served)
{
	struct link_message question = { LINK_VERSION, LINK_FLOW_DUMP, 8 };
	static struct link_flows answer;
	unsigned n = 0;

	doorbell(served);
	if (send(served->link, &question, sizeof(question), MSG_NOSIGNAL) < 0) {
		puts("no answer");
		return;
	}
	do {
		if (recv(served->link, &answer, sizeof(answer), 0) != sizeof(answer))
			break;
		n += answer.n;
	} while (answer.n != 0);
	printf("%u\n", n);
}

static void serve_line(struct served *served, const char *line)
{
	char word[64], text[64] = "", rest[64] = "";
	unsigned number = 0;
	struct address address;
	int n = sscanf(line, "%63s %63s %63s %u", word, text, rest, &number);

	if (n < 1)
		return;
	if (strcmp(word, "ban") == 0) {
		printf("applied %ld\n", command(served, COMMAND_BAN_SET, text, (unsigned)atoi(rest), 0));
	} else if (strcmp(word, "unban") == 0) {
		printf("applied %ld\n", command(served, COMMAND_BAN_CLEAR, text, 0, 0));
	} else if (strcmp(word, "cut") == 0) {
		printf("applied %ld\n", command(served, COMMAND_FLOW_CUT, text, 0, (unsigned)atoi(rest)));
	} else if (strcmp(word, "bans") == 0) {
		bans_measure(served, (unsigned)atoi(text));
	} else if (strcmp(word, "image") == 0 || strcmp(word, "load") == 0) {
		if (word[0] == 'l')
			load(served, (unsigned)atoi(text) % (BANS_MAX * 10 + 1));
		publish(served);
		printf("loaded %ld\n", reached_us(served, offsetof(struct dataplane_payload, loaded_generation), served->generation));
	} else if (strcmp(word, "node") == 0) {
		must(address_parse(text, &address), text);
		printf("%d\n", image_builder_add_node_address(served->builder, &address));
	} else if (strcmp(word, "service") == 0) {
		struct image_service service = service_make(text, strcmp(rest, "tcp") == 0 ? 6 : 17, (uint16_t)number);

		printf("%d\n", image_builder_add_service(served->builder, &service));
	} else if (strcmp(word, "probe") == 0) {
		probe(served, text);
	} else if (strcmp(word, "flows") == 0) {
		flows(served);
	} else {
		puts("unknown");
	}
}

static int serve(const char *shm_dir, const char *run_dir)
{
	struct served served = { .shm_dir = shm_dir, .run_dir = run_dir, .link = -1 };
	char path[PATHS_TEXT_MAX], line[256], text[512];
	enum segment_error error;

	mkdir(shm_dir, 0750);
	paths_control_segment(shm_dir, "weir", path);
	error = segment_create(path, SEGMENT_KIND_CONTROL, control_payload_layout_hash(), sizeof(struct control_payload), NULL,
		&served.segment);
	if (error != SEGMENT_OK) {
		fprintf(stderr, "make_image: %s\n", segment_error_text(error, path, text, sizeof(text)));
		return 1;
	}
	served.payload = served.segment.payload;
	must(image_builder_create(&served.builder), "image_builder_create");
	builder_prepare(served.builder);
	publish(&served);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (fgets(line, sizeof(line), stdin))
		serve_line(&served, line);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "state") == 0)
		return state_check(argv[2], argv[3]);
	if ((argc == 4 || argc == 5) && strcmp(argv[1], "counter") == 0)
		return counter_print(argv[2], argv[3], argc > 4 ? argv[4] : "weir");
	fputs("usage: make_image serve SHM_DIR RUN_DIR | state SHM_DIR NAME | counter SHM_DIR NAME [INSTANCE]\n", stderr);
	return 2;
}
