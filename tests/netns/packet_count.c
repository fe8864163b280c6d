// SPDX-License-Identifier: BSD-3-Clause
/* packet_count INTERFACE PORT: listens at the node until SIGTERM or SIGINT, then prints one line for each
 * source that sent TCP or UDP to that port: "ADDRESS PACKETS". Prints "ready" when it hears, and "lost N"
 * last when its own socket lost packets, so that silence is never taken for a drop. One thread; memory for
 * 2^21 sources.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/netns/wire.h"

enum { SLOTS = 1 << 22, SOURCES_MAX = 1 << 21 };

struct slot {
	struct address source;
	unsigned packets;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static uint32_t slot_of(const struct address *address)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (unsigned i = 0; i < sizeof(address->bytes); i++)
		hash = (hash ^ address->bytes[i]) * UINT64_C(0x100000001b3);
	return (uint32_t)(hash >> 32) % SLOTS;
}

/* Linear probing; less than half full. False: too many sources. */
static bool count(struct slot *slots, unsigned *n_used, const struct address *source)
{
	uint32_t i = slot_of(source);

	while (slots[i].packets != 0 && memcmp(&slots[i].source, source, sizeof(*source)) != 0)
		i = (i + 1) % SLOTS;
	if (slots[i].packets == 0 && (*n_used)++ == SOURCES_MAX)
		return false;
	slots[i].source = *source;
	slots[i].packets++;
	return true;
}

int main(int argc, char **argv)
{
	struct slot *slots = calloc(SLOTS, sizeof(*slots));
	struct wire_packet packets[WIRE_BATCH];
	struct sigaction action = {.sa_handler = on_signal};
	unsigned n_used = 0, lost = 0;
	int fd, n = 0;

	if (argc != 3 || !slots) {
		fputs("usage: packet_count INTERFACE PORT\n", stderr);
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	fd = wire_open_listener(argv[1]);
	if (fd < 0) {
		fprintf(stderr, "packet_count: %s: %s\n", argv[1], strerror(-fd));
		return 1;
	}
	puts("ready");
	fflush(stdout);
	while (!stop || n > 0) {
		n = wire_receive(fd, packets, stop ? 0 : 100);
		for (int i = 0; i < n; i++)
			if (packets[i].destination_port == atoi(argv[2]) &&
				!count(slots, &n_used, &packets[i].source))
				return 1;
	}
	lost = wire_lost(fd);
	for (unsigned i = 0; i < SLOTS; i++) {
		char text[PREFIX_TEXT_MAX];

		if (slots[i].packets != 0)
			printf("%s %u\n", address_format(&slots[i].source, text), slots[i].packets);
	}
	if (lost != 0)
		printf("lost %u\n", lost);
	return 0;
}
