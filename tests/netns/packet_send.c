// SPDX-License-Identifier: BSD-3-Clause
/* packet_send: a stranger who writes any source into his packets. Sends at a rate, from one source or from a
 * list (a packet each, round and round), and says how many were sent in which time. One thread; runs in the
 * caller's namespace.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/netns/wire.h"

enum {
	FLAGS_FIN = 0x11,
	FLAGS_SYN = 0x02,
	FLAGS_RST = 0x04,
	KINDS_MAX = 8,
	SOURCES_MAX = 1 << 21,
	BATCH_NS = 500000
};

struct kind {
	const char *name;
	uint8_t protocol, flags;
};

static const struct kind kinds_known[] = {{"syn", 6, FLAGS_SYN}, {"rst", 6, FLAGS_RST}, {"fin", 6, FLAGS_FIN},
	{"ack", 6, 0x10}, {"udp", 17, 0}};

struct sender {
	const char *interface, *node_v4, *node_v6, *sources_path;
	uint8_t mac[6], own_mac[6];
	struct kind kinds[KINDS_MAX];
	unsigned n_kinds;
	char (*sources)[PREFIX_TEXT_MAX];
	unsigned n_sources;
	unsigned port, source_port_low, source_port_high;
	unsigned long rate_pps, count;
	uint64_t random;
};

static void fail(const char *what)
{
	fprintf(stderr, "packet_send: %s\n", what);
	exit(2);
}

/* xorshift64: sequence numbers and ports that nobody guesses by counting; not for secrets */
static uint32_t random_u32(struct sender *sender)
{
	sender->random ^= sender->random << 13;
	sender->random ^= sender->random >> 7;
	sender->random ^= sender->random << 17;
	return (uint32_t)(sender->random >> 16);
}

static void kinds_parse(struct sender *sender, char *text)
{
	for (char *save = NULL, *word = strtok_r(text, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		unsigned n = sender->n_kinds;

		for (size_t i = 0; i < sizeof(kinds_known) / sizeof(kinds_known[0]) && n < KINDS_MAX; i++)
			if (strcmp(kinds_known[i].name, word) == 0)
				sender->kinds[sender->n_kinds++] = kinds_known[i];
		if (sender->n_kinds == n)
			fail("--kind wants syn, rst, fin, ack or udp, separated by commas");
	}
}

static void sources_read(struct sender *sender, const char *path)
{
	FILE *file = fopen(path, "r");

	sender->sources = calloc(SOURCES_MAX, sizeof(sender->sources[0]));
	if (!file || !sender->sources)
		fail("the list of sources cannot be read");
	while (sender->n_sources < SOURCES_MAX &&
		fscanf(file, "%63s", sender->sources[sender->n_sources]) == 1)
		sender->n_sources++;
	fclose(file);
	if (sender->n_sources == 0)
		fail("the list of sources is empty");
}

static void options_read(struct sender *sender, int argc, char **argv)
{
	static const struct option options[] = {{"interface", 1, NULL, 'i'}, {"mac", 1, NULL, 'm'},
		{"own-mac", 1, NULL, 'o'}, {"v4", 1, NULL, '4'}, {"v6", 1, NULL, '6'}, {"port", 1, NULL, 'p'},
		{"kind", 1, NULL, 'k'}, {"source", 1, NULL, 's'}, {"sources", 1, NULL, 'S'},
		{"source-ports", 1, NULL, 'P'}, {"rate", 1, NULL, 'r'}, {"count", 1, NULL, 'c'},
		{"seed", 1, NULL, 'x'}, {NULL, 0, NULL, 0}};
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (letter) {
		case 'i':
			sender->interface = optarg;
			break;
		case 'm':
		case 'o':
			if (!wire_mac_parse(optarg, letter == 'm' ? sender->mac : sender->own_mac))
				fail("--mac and --own-mac want six bytes with colons");
			break;
		case '4':
			sender->node_v4 = optarg;
			break;
		case '6':
			sender->node_v6 = optarg;
			break;
		case 'p':
			sender->port = (unsigned)atoi(optarg);
			break;
		case 'k':
			kinds_parse(sender, optarg);
			break;
		case 's':
			sender->sources = calloc(1, sizeof(sender->sources[0]));
			snprintf(sender->sources[0], sizeof(sender->sources[0]), "%s", optarg);
			sender->n_sources = 1;
			break;
		case 'S':
			sources_read(sender, optarg);
			break;
		case 'P':
			if (sscanf(optarg, "%u-%u", &sender->source_port_low, &sender->source_port_high) != 2)
				fail("--source-ports wants LOW-HIGH");
			break;
		case 'r':
			sender->rate_pps = strtoul(optarg, NULL, 10);
			break;
		case 'c':
			sender->count = strtoul(optarg, NULL, 10);
			break;
		case 'x':
			sender->random ^= strtoul(optarg, NULL, 10) * UINT64_C(0x9e3779b97f4a7c15);
			break;
		default:
			fail("unknown option");
		}
	}
	if (!sender->interface || sender->n_kinds == 0 || sender->n_sources == 0 || sender->rate_pps == 0)
		fail("--interface, --kind, --source or --sources, and --rate are needed");
	if (sender->count == 0)
		sender->count = sender->n_sources;
}

static void frame_fill(struct sender *sender, unsigned long number, struct frame *frame)
{
	const char *source = sender->sources[number % sender->n_sources];
	const struct kind *kind = &sender->kinds[number / sender->n_sources % sender->n_kinds];
	unsigned span = sender->source_port_high - sender->source_port_low + 1;
	struct frame_spec spec = {
		.source = source,
		.destination = strchr(source, ':') ? sender->node_v6 : sender->node_v4,
		.source_mac = sender->own_mac,
		.destination_mac = sender->mac,
		.protocol = kind->protocol,
		.source_port = (uint16_t)(sender->source_port_low + random_u32(sender) % span),
		.destination_port = (uint16_t)sender->port,
		.sequence = random_u32(sender),
		.acknowledgement = kind->flags & 0x10 ? random_u32(sender) : 0,
		.tcp_flags = kind->flags,
		.payload_bytes = kind->protocol == 17 ? 32 : 0,
	};

	frame_make(&spec, frame);
}

int main(int argc, char **argv)
{
	static struct frame frames[WIRE_BATCH];
	const struct frame *pointers[WIRE_BATCH];
	struct sender sender = {.port = 30303,
		.source_port_low = 1024,
		.source_port_high = 65535,
		.random = UINT64_C(0x2545f4914f6cdd1d)};
	struct timespec pause = {.tv_nsec = BATCH_NS};
	unsigned long sent = 0;
	int64_t began_ns;
	int fd;

	options_read(&sender, argc, argv);
	fd = wire_open_sender(sender.interface);
	if (fd < 0)
		fail("the interface cannot be opened");
	began_ns = wire_now_ns();
	while (sent < sender.count) {
		double due = (double)(wire_now_ns() - began_ns) * 1e-9 * (double)sender.rate_pps;
		unsigned n = 0;

		while (n < WIRE_BATCH && sent + n < sender.count && (double)(sent + n) < due) {
			frame_fill(&sender, sent + n, &frames[n]);
			pointers[n] = &frames[n];
			n++;
		}
		if (n == 0)
			nanosleep(&pause, NULL);
		else if (wire_send(fd, pointers, n) < 0)
			fail("a packet could not be sent");
		sent += n;
	}
	printf("{\"sent\": %lu, \"seconds\": %.3f}\n", sent, (double)(wire_now_ns() - began_ns) * 1e-9);
	return 0;
}
