/* SPDX-License-Identifier: BSD-3-Clause
 * One stage for a replay: configuration and bans become an image by the same code as in weir-control, the
 * image becomes rules and tables by the same code as in weir-dataplane. One thread; time is the capture's.
 */
#ifndef WEIR_TOOLS_REPLAY_STAGE_H
#define WEIR_TOOLS_REPLAY_STAGE_H

#include "control/config.h"
#include "dataplane/stage.h"
#include "tools/ban_file.h"

/** The stage's clock (as CLOCK_MONOTONIC) at the first packet: an hour, so that "before the start" is a time
 * too. */
#define REPLAY_CLOCK_BASE_NS UINT64_C(3600000000000)

struct replay_stage {
	struct ruleset *rules;
	struct stage_shared *shared;
	struct flow_table *flows;
	struct stage *stage;
	struct counters *counters;
	uint64_t events[EVENT_KIND_COUNT];
	uint64_t segments; /* RSTs that cut flows would have sent */
	/* private */
	void *image;
	struct flow *storage;
	size_t flows_bytes;
	uint64_t seed, now_ns, stepped_ns, cookie_epoch;
};

/** `bans` may be NULL; their durations begin at start_wall_ms, the first packet's time. `seed` decides all
 * keys. -ENOMEM, or -EINVAL: the configuration gives no image that the dataplane would take; `sentence` says
 * why. */
int replay_stage_create(const struct config *config, const struct ban_file *bans, int64_t start_wall_ms,
	uint64_t seed, char *sentence, size_t sentence_bytes, struct replay_stage **ret_replay);
void replay_stage_destroy(struct replay_stage *replay);
/** Let time pass until now_ns (never backwards): timeouts, the end of bans and of pressure.
 * replay->now_ns is then the stage's time. */
void replay_stage_advance(struct replay_stage *replay, uint64_t now_ns);

#endif
