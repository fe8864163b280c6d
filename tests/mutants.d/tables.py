# SPDX-License-Identifier: BSD-3-Clause
"""Mutants of the tables' hashes and lines (dataplane/keyed_hash.h, pressure_table*, flow_table.c)."""
HASH = "dataplane/keyed_hash.h"
LINE = "dataplane/pressure_table_line.c"
PRIVATE = "dataplane/pressure_table_private.h"
PRESSURE = "dataplane/pressure_table.c"

MUTANTS = [
    ("hash: four rounds", HASH, "enum { KEYED_HASH_ROUNDS = 4 };", "enum { KEYED_HASH_ROUNDS = 1 };", "test_keyed_hash"),
    ("hash: the third word", "dataplane/keyed_hash.c", "	block.low ^= c;\n", "", "test_keyed_hash"),
    ("hash: the key", HASH, "__m128i secret = _mm_set_epi64x((int64_t)key->k1, (int64_t)key->k0);", "__m128i secret = _mm_setzero_si128(); (void)key;",
     "test_keyed_hash"),
    ("hash: a round's columns", "dataplane/aes_round.c", "(4 * (column + row) + row) % 16", "(4 * column + row) % 16", "test_keyed_hash"),
    ("pressure: the time is no key", PRIVATE, "_mm_packs_epi16(low, high)) >> 1;", "_mm_packs_epi16(low, high));", "test_pressure_line"),
    ("pressure: the time is no load", PRIVATE, "_mm_or_si128(_mm_and_si128(words[0], loads), _mm_cvtsi32_si128(0xffff));",
     "_mm_and_si128(words[0], loads);", "test_pressure_line"),
    ("pressure: decay leaves ids", LINE, "words, 0xaa);", "words, 0x00);", "test_pressure_line"),
    ("pressure: decay leaves the time", LINE, "first_store(words, keys_decay(words[0], factor, seeds, 0));",
     "words[0] = keys_decay(words[0], factor, seeds, 0);", "test_pressure_line"),
    ("pressure: decay rounds at random", LINE, "(load * multiplier + (uint16_t)(seed * line_odds[half])) >> 16", "(load * multiplier) >> 16",
     "test_pressure_line"),
    ("pressure: decay carries", LINE, "	return _mm_add_epi16(\n		_mm_add_epi16(_mm_mulhi_epu16(halves, multiplier), _mm_set1_epi16(1)), no_carry);",
     "	(void)no_carry;\n	return _mm_mulhi_epu16(halves, multiplier);", "test_pressure_line"),
    ("pressure: a low load needs no check, a high one does", PRESSURE, "most > load_within(limits->load[level], saturation) &&", "0 &&", "test_pressure_line"),
    ("pressure: what is saturated is over every limit", PRESSURE, "return within < saturation ? within : saturation - 1;", "return within;", "test_pressure_table"),
    ("flow index: proven flows stay", "dataplane/flow_index.h", "_mm_or_si128(flow_bucket_empty_halves(bucket), _mm_srai_epi16(stamps, 15));",
     "flow_bucket_empty_halves(bucket);", "test_flow_index"),
    ("flow index: empty slots are nobody", "dataplane/flow_index.h",
     "_mm_or_si128(flow_bucket_empty_halves(bucket), _mm_srai_epi16(stamps, 15));", "_mm_srai_epi16(stamps, 15);", "test_flow_index"),
    ("flow index: a victim that was proven meanwhile", "dataplane/flow_table.c",
     "if (!(table->storage[oldest.bucket->places[oldest.slot] - 1].flags & FLOW_FLAG_PROVEN)) {", "if (1) {", "test_flow_table"),
    ("flow index: who was displaced is said", "dataplane/flow_table.c", "	*ret_evicted = table->storage[place];\n", "", "test_flow_table"),
    ("proven: a source has a bounded number of proofs", "dataplane/proven_table.c", "return n >= PROVEN_FINGERPRINTS_MAX ? soonest : NULL;", "return NULL;",
     "test_proven_table"),
    ("proven: the soonest to end goes", "dataplane/proven_table.c", "choice = soonest[1] >> 2 < soonest[0] >> 2;", "choice = soonest[1] >> 2 > soonest[0] >> 2;",
     "test_proven_table"),
    ("proven: room is used first", "dataplane/proven_table.c", "choice = n_free[1] > n_free[0];", "choice = n_free[1] < n_free[0];", "test_proven_table"),
    ("concurrency: both buckets count", "dataplane/concurrency_table.c", "mask | bucket_match(place->second, tag) << (2 * CONCURRENCY_SLOTS);", "mask;",
     "test_concurrency_table"),
    ("concurrency: a saturated count stays", "dataplane/concurrency_table.c", "if ((value & CONCURRENCY_COUNT_MAX) == CONCURRENCY_COUNT_MAX)", "if (0)",
     "test_concurrency_table"),
]
