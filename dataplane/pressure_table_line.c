// SPDX-License-Identifier: BSD-3-Clause
/* Lines of the pressure tables (pressure_table_private.h): decay of a whole line by one lcore, price of one
 * attempt. All lcores, relaxed atomics, at most 30 steps a line.
 */
#include "dataplane/pressure_table_private.h"

uint32_t pressure_price(
	const struct pressure_table *table, uint32_t price, uint32_t elapsed_ms, uint64_t random)
{
	struct decay_factor factor;

	if (elapsed_ms == 0)
		return price;
	/* 2^(dt/H) = 2 * 2^(-(H - dt)/H); multipliers are in units of 2^-31, so this one is in units of
	 * 2^-30. */
	factor = decay_factor_make(&table->decay, table->half_life_ms - elapsed_ms);
	return (uint32_t)(((uint64_t)price * factor.multiplier + (random >> (64 - 30))) >> 30);
}

/* Who swaps the time owns the decay between the two times. */
static bool line_acquire(const struct pressure_table *table, _Atomic uint32_t *time_ms, uint32_t now_ms,
	uint32_t *ret_elapsed_ms)
{
	uint32_t line_ms = atomic_load_explicit(time_ms, memory_order_relaxed);
	uint32_t elapsed_ms = pressure_elapsed_ms(line_ms, now_ms);

	*ret_elapsed_ms = elapsed_ms;
	if (elapsed_ms < table->quantum_ms)
		return false;
	if (atomic_compare_exchange_strong_explicit(
		    time_ms, &line_ms, now_ms, memory_order_relaxed, memory_order_relaxed))
		return true;
	*ret_elapsed_ms = 0; /* another lcore has just brought the line to now */
	return false;
}

uint32_t pressure_coarse_refresh(const struct pressure_table *table, struct pressure_coarse_line *line,
	uint32_t now_ms, uint64_t random)
{
	struct decay_factor factor;
	uint32_t elapsed_ms;

	if (!line_acquire(table, &line->time_ms, now_ms, &elapsed_ms))
		return elapsed_ms;
	factor = decay_factor_make(&table->decay, elapsed_ms);
	for (unsigned i = 0; i < PRESSURE_COARSE_LOADS; i++) {
		uint32_t load = atomic_load_explicit(&line->loads[i], memory_order_relaxed);

		if (load)
			atomic_store_explicit(&line->loads[i],
				(uint16_t)decay_apply_random(factor, load, pressure_random_next(&random)),
				memory_order_relaxed);
	}
	return 0;
}

uint32_t pressure_key_refresh(
	const struct pressure_table *table, struct pressure_key_line *line, uint32_t now_ms, uint64_t random)
{
	struct decay_factor factor;
	uint32_t elapsed_ms;

	if (!line_acquire(table, &line->time_ms, now_ms, &elapsed_ms))
		return elapsed_ms;
	factor = decay_factor_make(&table->decay, elapsed_ms);
	for (unsigned i = 0; i < PRESSURE_KEYS; i++) {
		uint32_t word = atomic_load_explicit(&line->keys[i], memory_order_relaxed), load;

		if (!word)
			continue;
		load = decay_apply_random(factor, word & 0xffff, pressure_random_next(&random));
		atomic_store_explicit(
			&line->keys[i], load ? (word & 0xffff0000) | load : 0, memory_order_relaxed);
	}
	return 0;
}
