// SPDX-License-Identifier: BSD-3-Clause
/* Loading a capture (flood_replay.h), at start only. The whole file is held in memory: a disk must not decide
 * when a packet is sent.
 */
#include "bench/flood_replay.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/flood_reply.h"
#include "bench/target_guard.h"

static const size_t BYTES_MAX = (size_t)2 << 30;

struct loading {
	struct flood_replay replay;
	size_t frames_room, bytes_room, bytes_used;
	uint64_t first_ns, last_ns;
};

static int room_make(struct loading *loading, size_t bytes)
{
	struct flood_replay *replay = &loading->replay;

	if (replay->n == loading->frames_room) {
		size_t room = loading->frames_room == 0 ? 1024 : loading->frames_room * 2;
		struct flood_replay_frame *frames = realloc(replay->frames, room * sizeof(*frames));

		if (frames == NULL)
			return -ENOMEM;
		replay->frames = frames;
		loading->frames_room = room;
	}
	if (loading->bytes_used + bytes > loading->bytes_room) {
		size_t room = loading->bytes_room == 0 ? 1 << 20 : loading->bytes_room * 2;
		uint8_t *all = room <= BYTES_MAX ? realloc(replay->bytes, room) : NULL;

		if (all == NULL)
			return -ENOMEM;
		replay->bytes = all;
		loading->bytes_room = room;
	}
	return 0;
}

/* Returns 0 or -ENOMEM. */
static int frame_keep(struct loading *loading, uint64_t at_ns, const uint8_t *frame, uint32_t n_bytes)
{
	struct flood_replay *replay = &loading->replay;
	size_t rounded = (n_bytes + 15u) / 16u * 16u;
	int rc = room_make(loading, rounded);

	if (rc != 0)
		return rc;
	if (replay->n == 0)
		loading->first_ns = at_ns;
	/* captures of several interfaces are not always in order */
	if (at_ns < loading->last_ns)
		at_ns = loading->last_ns;
	loading->last_ns = at_ns;
	memcpy(replay->bytes + loading->bytes_used, frame, n_bytes);
	replay->frames[replay->n++] = (struct flood_replay_frame){.at_ns = at_ns - loading->first_ns,
		.offset = (uint32_t)(loading->bytes_used / 16),
		.n_bytes = (uint16_t)n_bytes};
	loading->bytes_used += rounded;
	return 0;
}

static int frames_read(
	pcap_t *pcap, struct loading *loading, bool owned, char *error_text, size_t error_bytes)
{
	struct pcap_pkthdr *header;
	const u_char *frame;
	int more;

	while ((more = pcap_next_ex(pcap, &header, &frame)) == 1) {
		struct address to;

		if (header->caplen != header->len || header->len > FLOOD_REPLAY_FRAME_BYTES_MAX ||
			!flood_reply_destination(frame, header->caplen, &to)) {
			loading->replay.skipped++;
			continue;
		}
		if (target_guard_check(&to, owned, error_text, error_bytes) != 0)
			return -EPERM;
		if (loading->replay.n == FLOOD_REPLAY_FRAMES_MAX) {
			snprintf(error_text, error_bytes,
				"the capture has more than %d frames; cut it with editcap",
				FLOOD_REPLAY_FRAMES_MAX);
			return -EINVAL;
		}
		/* opened with nanoseconds: tv_usec holds them */
		uint64_t at_ns =
			(uint64_t)header->ts.tv_sec * UINT64_C(1000000000) + (uint64_t)header->ts.tv_usec;
		if (frame_keep(loading, at_ns, frame, header->caplen) != 0) {
			snprintf(error_text, error_bytes,
				"the capture does not fit into memory, or into 2 GiB");
			return -ENOMEM;
		}
	}
	if (more == PCAP_ERROR) {
		snprintf(error_text, error_bytes, "the capture cannot be read to its end: %s",
			pcap_geterr(pcap));
		return -EINVAL;
	}
	return 0;
}

static void frames_adapt(
	struct flood_replay *replay, double scale, const uint8_t source_mac[6], const uint8_t mac[6])
{
	for (uint32_t i = 0; i < replay->n; i++) {
		uint8_t *frame = replay->bytes + (size_t)replay->frames[i].offset * 16;

		memcpy(frame, mac, 6);
		memcpy(frame + 6, source_mac, 6);
		replay->frames[i].at_ns = (uint64_t)((double)replay->frames[i].at_ns / scale);
	}
}

int flood_replay_load(const char *path, double scale, bool owned, const uint8_t source_mac[6],
	const uint8_t mac[6], struct flood_replay *ret_replay, char *error_text, size_t error_bytes)
{
	char pcap_text[PCAP_ERRBUF_SIZE];
	struct loading loading = {0};
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, pcap_text);
	int rc;

	if (pcap == NULL) {
		snprintf(error_text, error_bytes, "%s", pcap_text);
		return -EINVAL;
	}
	if (pcap_datalink(pcap) == DLT_EN10MB) {
		rc = frames_read(pcap, &loading, owned, error_text, error_bytes);
	} else {
		snprintf(error_text, error_bytes, "the capture is not of Ethernet frames");
		rc = -EINVAL;
	}
	pcap_close(pcap);
	if (rc == 0 && loading.replay.n == 0) {
		snprintf(
			error_text, error_bytes, "the capture holds no whole IP packet in an Ethernet frame");
		rc = -EINVAL;
	}
	if (rc != 0) {
		flood_replay_done(&loading.replay);
		return rc;
	}
	frames_adapt(&loading.replay, scale, source_mac, mac);
	*ret_replay = loading.replay;
	return 0;
}

void flood_replay_done(struct flood_replay *replay)
{
	free(replay->frames);
	free(replay->bytes);
	*replay = (struct flood_replay){0};
}

uint32_t flood_replay_due(const struct flood_replay *replay, uint32_t sent, uint64_t elapsed_ns)
{
	uint32_t due = sent;

	while (due < replay->n && replay->frames[due].at_ns <= elapsed_ns)
		due++;
	return due;
}
