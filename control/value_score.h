/* SPDX-License-Identifier: BSD-3-Clause
 * The value score (policy.md 5.3 B): how useful a peer is, for ranking only. It is never mixed with the
 * penalty score, which decides who may connect (score.h). One formula, V = clamp(base + sum of weight *
 * (component - neutral)) * scale; the systems differ in its terms. Pure functions, any thread; runtime only.
 * Observations that were never made are negative unless said otherwise.
 */
#ifndef WEIR_CONTROL_VALUE_SCORE_H
#define WEIR_CONTROL_VALUE_SCORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/peer_category.h"

struct value_model {
	double base, neutral, minimum, maximum, scale;
};
struct value_term {
	double weight, component;
	bool omitted; /* nothing was observed and nothing is assumed */
};
double value_combine(const struct value_model *model, const struct value_term *terms, size_t n);

/** DU-4, as in the seed. 0.15 to 0.85; a fresh peer has 0.45. */
struct value_dugite_input {
	double rtt_ms, fetch_ms; /* averages */
	uint64_t blocks;
	uint32_t ok, fail;
	double fetch_age_min; /* since the last fetch */
};
double value_dugite(const struct value_dugite_input *input);
/** DU-4, the later rank. `failures` is the decayed count. */
double value_rank(double reputation, double fetch_ms, uint32_t failures);
/** The reputation behind the rank: 0.5 at first, +0.01 a success, -0.1 a failure, 0.05 toward 0.5 per 300 s.
 * Returns the new one. */
double value_reputation_outcome(double reputation, bool ok);
double value_reputation_recover(double reputation, uint64_t steps);

/** LO-6: 0 to 100. */
struct value_lorachain_input {
	double uptime, conn_success, delivery, latency_ms, throughput,
		compliance; /* ratios 0..1, but latency */
	double signal_dbm;  /* any; NaN: no radio */
	uint64_t messages, invalid, relayed;
	bool light; /* 20 messages a period are expected of it instead of 100 */
};
struct value_lorachain {
	double reliability, performance, behaviour, overall;
};
struct value_lorachain value_lorachain(const struct value_lorachain_input *input);
/** LO-7: e^(-0.01 a day) toward 0. */
double value_lorachain_decay(double value, double days);
/** LO-8: is the change large enough to tell subscribers? */
bool value_lorachain_is_news(double before, double after);
/** LO-11: does a newcomer take the place of the lowest of a full pool? */
bool value_replaces(double lowest, double newcomer);

/** SP-4. */
double value_quality(uint64_t ok, uint64_t fail);
/** SP-8: +1 and -2; the blacklist at -10 or at 5 failures in a row, until it is lifted by hand (5.5.5). */
struct value_standing {
	int32_t reputation;
	uint32_t streak;
	bool blacklisted;
};
void value_standing_outcome(struct value_standing *standing, bool ok);

/** DU-6: of an address in a subnet with `connected` peers. */
double value_subnet_penalty(uint32_t connected);

/** DU-7: the order in which known addresses are dialled. */
struct value_selection_input {
	double reputation; /* 0..1 */
	enum peer_category category;
	enum peer_source source;
	uint32_t failures; /* decayed */
	bool tip_known;
};
double value_selection(const struct value_selection_input *input);

/** The default for inbound peers [R]. */
struct value_inbound_input {
	double rtt_ms;
	double useful; /* 0..1 as the node says; negative: by bytes */
	uint64_t bytes_in;
	uint32_t ok, fail;
	double age_s, idle_s;
	uint32_t subnet_connected;
};
double value_inbound(const struct value_inbound_input *input);

#endif
