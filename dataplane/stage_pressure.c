/* SPDX-License-Identifier: BSD-3-Clause
 * Is a service under pressure? Unproven attempts a second and half-open flows, with hysteresis: entered at
 * once, left only after the rate stayed below the lower threshold for the hold time. Thread: owning lcore;
 * each lcore judges by its own share of the thresholds, because clients are spread over lcores evenly by a
 * keyed hash.
 */
#include "dataplane/stage_private.h"

/* A tenth of a second: short enough to challenge before a node's backlog of 128 fills at 1,000 attempts a
 * second. */
#define PRESSURE_WINDOW_NS UINT64_C(100000000)
enum { PRESSURE_WINDOWS_PER_S = 10 };

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
		.protocol = moment->rules->services[service].protocol,
		.detail = detail,
	};

	stage->output.event(stage->output.context, &event);
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
	pressure->entered_ns = moment->now_ns;
	gauge_add(stage, COUNTER_UNDER_PRESSURE, 1);
	pressure_event(stage, moment, service, EVENT_FLOOD_ENTER, rate_per_s);
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
	pressure->under_pressure = false;
	gauge_add(stage, COUNTER_UNDER_PRESSURE, -1);
	pressure_event(stage, moment, service, EVENT_FLOOD_LEAVE,
		(uint32_t)((moment->now_ns - pressure->entered_ns) / 1000000000));
}

void service_pressure_attempt(struct stage *stage, const struct moment *moment, uint8_t service)
{
	pressure_roll(stage, moment, service);
	stage->services[service].attempts_in_window++;
	pressure_judge(stage, moment, service);
}

void service_pressure_step(struct stage *stage, const struct moment *moment)
{
	for (unsigned service = 0; service < IMAGE_SERVICES_MAX; service++) {
		struct service_pressure *pressure = &stage->services[service];

		if (service >= moment->rules->n_services) {
			/* A reload took it away; one that comes later in its place starts in peace. */
			if (pressure->under_pressure)
				gauge_add(stage, COUNTER_UNDER_PRESSURE, -1);
			pressure->under_pressure = false;
			continue;
		}
		if (pressure->under_pressure || pressure->attempts_in_window > 0)
			pressure_roll(stage, moment, (uint8_t)service);
	}
}

bool service_under_pressure(const struct stage *stage, uint8_t service)
{
	return stage->services[service].under_pressure;
}

/* The window of bad answers and that of attempts are of different lengths: guesses are rare or a flood, and a second tells which. */
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
