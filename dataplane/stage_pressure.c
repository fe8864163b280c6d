/* SPDX-License-Identifier: BSD-3-Clause
 * Is a service under pressure, is the lcore in flood mode, are answers to challenges being guessed? Unproven
 * attempts a second and half-open flows, with hysteresis: entered at once, left only after the rate stayed
 * below the lower threshold for the hold time. Thread: owning lcore; each lcore judges services by its own
 * share of their thresholds, because clients are spread over lcores evenly by a keyed hash. Flood mode is
 * about what one lcore can bear, so its threshold is not shared.
 */
#include "dataplane/stage_private.h"

/* A tenth of a second: short enough to challenge before a node's backlog of 128 fills at 1,000 attempts a
 * second. */
#define PRESSURE_WINDOW_NS UINT64_C(100000000)
enum { PRESSURE_WINDOWS_PER_S = 10, SERVICE_ALL = 255 };

/* Flood mode is left when the rate stayed below half of what it was entered at for as long as the unproven
 * counters need to forget half of the flood: before that a prefix that took part would be let in at once. */
#define FLOOD_HOLD_NS ((uint64_t)UNPROVEN_HALF_LIFE_MS * 1000000)
/* Time spent is added to the counters in steps of this: at least once a second, not with every poll. */
#define SPENT_STEP_NS UINT64_C(100000000)

static uint32_t share(const struct stage *stage, uint32_t threshold)
{
	uint32_t part = threshold / (stage->lcores > 0 ? stage->lcores : 1);

	return part > 0 ? part : 1;
}

static void pressure_event(struct stage *stage, const struct moment *moment, uint8_t service,
	enum event_kind kind, uint32_t detail)
{
	struct event_record event = {
		.time_ns = moment->now_ns,
		.kind = (uint8_t)kind,
		.service = service,
		.protocol = service == SERVICE_ALL ? 0 : moment->rules->services[service].protocol,
		.detail = detail,
	};

	stage->output.event(stage->output.context, &event);
}

/* Whole milliseconds since the last count; what is left of one waits. */
static void spent_count(
	struct stage *stage, enum counter counter, uint64_t *counted_ns, uint64_t now_ns, uint64_t least_ns)
{
	uint64_t ms = (now_ns - *counted_ns) / 1000000;

	if (now_ns - *counted_ns < least_ns || ms == 0)
		return;
	counter_add(stage->counters, counter, ms);
	*counted_ns += ms * 1000000;
}

static void pressure_enter(
	struct stage *stage, const struct moment *moment, uint8_t service, uint32_t rate_per_s)
{
	struct service_pressure *pressure = &stage->services[service];

	pressure->hold_until_ns =
		moment->now_ns + (uint64_t)moment->rules->services[service].pressure_hold_ms * 1000000;
	if (pressure->under_pressure)
		return;
	pressure->under_pressure = true;
	pressure->entered_ns = pressure->counted_ns = moment->now_ns;
	gauge_add(stage, COUNTER_UNDER_PRESSURE, 1);
	pressure_event(stage, moment, service, EVENT_FLOOD_ENTER, rate_per_s);
}

static void pressure_leave(
	struct stage *stage, const struct moment *moment, struct service_pressure *pressure)
{
	pressure->under_pressure = false;
	gauge_add(stage, COUNTER_UNDER_PRESSURE, -1);
	spent_count(stage, COUNTER_PRESSURE_MS, &pressure->counted_ns, moment->now_ns, 0);
}

static uint32_t seconds_since(const struct moment *moment, uint64_t then_ns)
{
	return (uint32_t)((moment->now_ns - then_ns) / 1000000000);
}

static void pressure_judge(struct stage *stage, const struct moment *moment, uint8_t service)
{
	const struct image_service *config = &moment->rules->services[service];
	struct service_pressure *pressure = &stage->services[service];
	uint32_t rate_now = pressure->attempts_in_window * PRESSURE_WINDOWS_PER_S;
	bool half_open_full = config->pressure_half_open != 0 &&
			      pressure->half_open >= share(stage, config->pressure_half_open);

	if ((config->pressure_enter_per_s != 0 && rate_now > share(stage, config->pressure_enter_per_s)) ||
		half_open_full)
		pressure_enter(stage, moment, service, rate_now);
}

static void pressure_roll(struct stage *stage, const struct moment *moment, uint8_t service)
{
	const struct image_service *config = &moment->rules->services[service];
	struct service_pressure *pressure = &stage->services[service];

	if (moment->now_ns - pressure->window_start_ns < PRESSURE_WINDOW_NS)
		return;
	pressure->rate_per_s = pressure->attempts_in_window * PRESSURE_WINDOWS_PER_S;
	pressure->attempts_in_window = 0;
	pressure->window_start_ns = moment->now_ns;
	if (!pressure->under_pressure)
		return;
	if (pressure->rate_per_s >= share(stage, config->pressure_leave_per_s) ||
		(config->pressure_half_open != 0 &&
			pressure->half_open >= share(stage, config->pressure_half_open))) {
		pressure->hold_until_ns = moment->now_ns + (uint64_t)config->pressure_hold_ms * 1000000;
		return;
	}
	if (moment->now_ns < pressure->hold_until_ns)
		return;
	pressure_leave(stage, moment, pressure);
	pressure_event(
		stage, moment, service, EVENT_FLOOD_LEAVE, seconds_since(moment, pressure->entered_ns));
}

static void flood_hold(struct stage *stage, const struct moment *moment, uint32_t rate_per_s)
{
	struct flood *flood = &stage->flood;

	flood->hold_until_ns = moment->now_ns + FLOOD_HOLD_NS;
	if (flood->on)
		return;
	flood->on = true;
	flood->entered_ns = flood->counted_ns = moment->now_ns;
	gauge_add(stage, COUNTER_FLOOD_MODE, 1);
	pressure_event(stage, moment, SERVICE_ALL, EVENT_FLOOD_ENTER, rate_per_s);
}

static void flood_leave(struct stage *stage, const struct moment *moment)
{
	struct flood *flood = &stage->flood;

	flood->on = false;
	gauge_add(stage, COUNTER_FLOOD_MODE, -1);
	spent_count(stage, COUNTER_FLOOD_MODE_MS, &flood->counted_ns, moment->now_ns, 0);
	pressure_event(
		stage, moment, SERVICE_ALL, EVENT_FLOOD_LEAVE, seconds_since(moment, flood->entered_ns));
}

static void flood_roll(struct stage *stage, const struct moment *moment)
{
	uint32_t enter_per_s = moment->rules->policy.flood_per_s;
	struct flood *flood = &stage->flood;
	uint32_t rate_per_s;

	if (moment->now_ns - flood->window_start_ns < PRESSURE_WINDOW_NS)
		return;
	rate_per_s = flood->attempts_in_window * PRESSURE_WINDOWS_PER_S;
	flood->attempts_in_window = 0;
	flood->window_start_ns = moment->now_ns;
	if (!flood->on)
		return;
	if (enter_per_s != 0 && rate_per_s >= enter_per_s / 2)
		flood_hold(stage, moment, rate_per_s);
	else if (enter_per_s == 0 || moment->now_ns >= flood->hold_until_ns)
		flood_leave(stage, moment);
}

static void flood_attempt(struct stage *stage, const struct moment *moment)
{
	uint32_t enter_per_s = moment->rules->policy.flood_per_s;
	struct flood *flood = &stage->flood;

	flood_roll(stage, moment);
	flood->attempts_in_window++;
	if (enter_per_s != 0 && (uint64_t)flood->attempts_in_window * PRESSURE_WINDOWS_PER_S > enter_per_s)
		flood_hold(stage, moment, flood->attempts_in_window * PRESSURE_WINDOWS_PER_S);
}

void service_pressure_attempt(struct stage *stage, const struct moment *moment, uint8_t service)
{
	flood_attempt(stage, moment);
	pressure_roll(stage, moment, service);
	stage->services[service].attempts_in_window++;
	pressure_judge(stage, moment, service);
}

void service_pressure_step(struct stage *stage, const struct moment *moment)
{
	if (stage->flood.on || stage->flood.attempts_in_window > 0)
		flood_roll(stage, moment);
	if (stage->flood.on)
		spent_count(stage, COUNTER_FLOOD_MODE_MS, &stage->flood.counted_ns, moment->now_ns,
			SPENT_STEP_NS);
	for (unsigned service = 0; service < IMAGE_SERVICES_MAX; service++) {
		struct service_pressure *pressure = &stage->services[service];

		if (service >= moment->rules->n_services) {
			/* A reload took it away; one that comes later in its place starts in peace. */
			if (pressure->under_pressure)
				pressure_leave(stage, moment, pressure);
			continue;
		}
		if (pressure->under_pressure || pressure->attempts_in_window > 0)
			pressure_roll(stage, moment, (uint8_t)service);
		if (pressure->under_pressure)
			spent_count(stage, COUNTER_PRESSURE_MS, &pressure->counted_ns, moment->now_ns,
				SPENT_STEP_NS);
	}
}

bool service_under_pressure(const struct stage *stage, uint8_t service)
{
	return stage->flood.on || stage->services[service].under_pressure;
}

bool stage_in_flood(const struct stage *stage)
{
	return stage->flood.on;
}

/* The window of bad answers and that of attempts are of different lengths: guesses are rare or a flood, and a
 * second tells which. */
#define BAD_WINDOW_NS UINT64_C(1000000000)

static void bad_roll(struct stage *stage, const struct moment *moment)
{
	uint64_t elapsed_ns = moment->now_ns - stage->bad_window_ns;

	if (elapsed_ns < BAD_WINDOW_NS)
		return;
	stage->bad_last = elapsed_ns < 2 * BAD_WINDOW_NS ? stage->bad_now : 0;
	stage->bad_now = 0;
	stage->bad_window_ns = moment->now_ns;
}

void challenge_bad_count(struct stage *stage, const struct moment *moment)
{
	bad_roll(stage, moment);
	stage->bad_now++;
	counter_add(stage->counters, COUNTER_COOKIES_BAD, 1);
}

bool challenge_is_doubtful(const struct stage *stage, const struct moment *moment)
{
	uint32_t most = moment->rules->policy.challenge_bad_per_s;
	uint64_t elapsed_ns = moment->now_ns - stage->bad_window_ns;

	if (most == 0 || elapsed_ns >= 2 * BAD_WINDOW_NS)
		return false;
	return stage->bad_now > most || (elapsed_ns < BAD_WINDOW_NS && stage->bad_last > most);
}
