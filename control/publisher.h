/* SPDX-License-Identifier: BSD-3-Clause
 * The publisher owns control's segment (command log, heartbeat) and the image file. A change goes into the
 * log at once and into the enforced set; a worker thread, one build at a time, merges and writes images.
 * Every function is called from the event loop, which never waits for the worker but at start and stop, and
 * never walks the set. Must not decide policy.
 */
#ifndef WEIR_CONTROL_PUBLISHER_H
#define WEIR_CONTROL_PUBLISHER_H

#include "control/snapshot.h"
#include "shm/segment.h"

struct publisher;

struct publisher_options {
	const char *segment_path, *image_path; /* copied */
	uint64_t interval_ms;                  /* a new image so often while there are changes */
	uint64_t commands_max;                 /* or after so many commands */
};

/** Create the segment and own it. -EBUSY: another weir-control owns it; other -errno; error_text then has a
 * sentence. */
int publisher_open(const struct publisher_options *options, const struct snapshot_policy *policy,
	struct publisher **ret_publisher, char *error_text, size_t error_bytes);
/** Waits for a running build. The segment and the image stay in place for the dataplane. Accepts NULL. */
void publisher_close(struct publisher *publisher);

/* Changes. None can fail: what does not fit the log is carried by the next image, which is then forced. */
void publisher_enforce(struct publisher *publisher, const struct prefix *prefix, enum source_class class,
	int64_t end_wall_ms, const struct snapshot_clock *clock);
/** As above without a command: at start, before the first image. */
void publisher_load(struct publisher *publisher, const struct prefix *prefix, enum source_class class,
	int64_t end_wall_ms);
void publisher_cut(struct publisher *publisher, const struct address *address, uint16_t port,
	const struct snapshot_clock *clock);
/** An entry of a list came or went: the command only; publisher_set_lists gives the images their copy. */
void publisher_list(struct publisher *publisher, bool allow, const struct prefix *prefix, bool present,
	const struct snapshot_clock *clock);
/** Copies. -ENOMEM: the old lists stay. */
int publisher_set_lists(struct publisher *publisher, const struct prefix *allow, size_t n_allow,
	const struct prefix *deny, size_t n_deny);
void publisher_set_policy(struct publisher *publisher, const struct snapshot_policy *policy);
void publisher_set_pace(struct publisher *publisher, uint64_t interval_ms, uint64_t commands_max);

/** Ask for an image that contains everything up to now. It is in place once publisher_done reaches the number
 * returned. */
uint64_t publisher_request(struct publisher *publisher);
uint64_t publisher_done(const struct publisher *publisher);

/** When the segment's file was removed under us (or its directory): make it anew, with a whole image to
 * follow, so that the next dataplane finds both. The payload is another one then. 1: done; 0: it is in place,
 * or a build runs and the next call will do it; -errno with a sentence. */
int publisher_restore(struct publisher *publisher, char *error_text, size_t error_bytes);

/** Heartbeat, pending cuts, clock steps, and the start of a build that is due. At least every 100 ms. */
void publisher_tick(struct publisher *publisher, const struct snapshot_clock *clock);
/** Readable when a build ended; then call publisher_reap. */
int publisher_event_fd(const struct publisher *publisher);
/** 0, or the -errno of the build that ended (its changes are kept and tried again a second later). */
int publisher_reap(struct publisher *publisher, const struct snapshot_clock *clock);
/** Build an image now and wait for it: start and stop only. 0 or -errno. */
int publisher_publish_now(struct publisher *publisher, const struct snapshot_clock *clock);

/** True once after the log or the image has news for the dataplane: ring the doorbell. */
bool publisher_take_news(struct publisher *publisher);
struct control_payload *publisher_payload(struct publisher *publisher);

struct publisher_status {
	uint64_t instance, generation, head_sequence, covered_sequence;
	uint64_t images, image_errors, log_overflows, clock_steps, changes_lost;
	uint64_t enforced;              /* entries of the last image's set */
	uint64_t image_bytes, build_ms; /* of the last image */
	uint64_t published_mono_ns;
	int last_error;
	bool building;
};
void publisher_status(const struct publisher *publisher, struct publisher_status *ret_status);

#endif
