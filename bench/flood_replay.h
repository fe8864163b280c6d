/* SPDX-License-Identifier: BSD-3-Clause
 * A capture to be sent again: frames in memory with the time of each since the first, sped up or slowed down.
 * Loading refuses what the target guard refuses. Must not read clocks; one thread.
 */
#ifndef WEIR_BENCH_FLOOD_REPLAY_H
#define WEIR_BENCH_FLOOD_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	FLOOD_REPLAY_FRAMES_MAX = 1 << 22,
	FLOOD_REPLAY_FRAME_BYTES_MAX = 1518, /* Ethernet and a VLAN tag around 1500 bytes */
};

struct flood_replay_frame {
	uint64_t at_ns;  /* since the first frame, as it will be sent; never before the frame in front */
	uint32_t offset; /* into bytes, in units of 16 */
	uint16_t n_bytes;
};

struct flood_replay {
	struct flood_replay_frame *frames;
	uint8_t *bytes;
	uint32_t n;
	uint64_t skipped; /* not IPv4 or IPv6 over Ethernet, too long, or cut short by the capture */
};

/** Reads a pcap or pcapng file. `scale` > 0: 2 sends twice as fast. Destinations and sources of frames get
 * the given MAC addresses. `owned`: public destinations are allowed. -EINVAL, -EPERM, -ENOMEM, with a
 * sentence in `error_text`. */
int flood_replay_load(const char *path, double scale, bool owned, const uint8_t source_mac[6],
	const uint8_t mac[6], struct flood_replay *ret_replay, char *error_text, size_t error_bytes);
void flood_replay_done(struct flood_replay *replay);
/** How many frames are due `elapsed_ns` after the start, given that `sent` have been. */
uint32_t flood_replay_due(const struct flood_replay *replay, uint32_t sent, uint64_t elapsed_ns);
static inline const uint8_t *flood_replay_bytes(const struct flood_replay *replay, uint32_t frame)
{
	return replay->bytes + (size_t)replay->frames[frame].offset * 16;
}

#endif
