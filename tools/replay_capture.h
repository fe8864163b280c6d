/* SPDX-License-Identifier: BSD-3-Clause
 * Capture files as Ethernet frames: libpcap reads pcap and pcapng; other link types get an Ethernet header in
 * front; frames that the capture cut are filled up with zeros to the length they had. One thread; a frame
 * lives until the next.
 */
#ifndef WEIR_TOOLS_REPLAY_CAPTURE_H
#define WEIR_TOOLS_REPLAY_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CAPTURE_FRAME_BYTES_MAX =
		65535 +
		64, /* the largest IP packet behind Ethernet and two tags; longer ones are cut to this */
	CAPTURE_SENTENCE_MAX = 512,
};

struct capture_frame {
	const uint8_t *bytes;    /* wire_bytes of them */
	uint32_t captured_bytes; /* what is real; zeros follow */
	uint32_t wire_bytes;
	uint64_t
		time_ns; /* of the capture: nanoseconds since 1970, as written, also when it goes backwards */
};

struct capture;

/** Open a capture ("-": standard input). -EINVAL with a sentence: no capture, or a link type without Ethernet
 * or IP. -errno. */
int capture_open(const char *path, struct capture **ret_capture, char sentence[CAPTURE_SENTENCE_MAX]);
void capture_close(struct capture *capture);
/** 1: a frame; 0: the end; -EINVAL with a sentence: the file is truncated or damaged here. */
int capture_next(
	struct capture *capture, struct capture_frame *ret_frame, char sentence[CAPTURE_SENTENCE_MAX]);

/** Were all headers captured that decide whether the packet is well formed? Else a verdict on a cut frame
 * would blame the packet for what the capture left away. */
bool capture_has_headers(const struct capture_frame *frame);

#endif
