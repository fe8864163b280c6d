# SPDX-License-Identifier: BSD-3-Clause
"""What makes rte_hash a fair peer of our tables, and keeps it answering of the right keys; see tests/mutants.py."""
PEERS, TEST = "bench/tables_peers.c", "test_bench_peers"
MUTANTS = [
    ("bench peers: a value beside the key", PEERS, "if (cuckoo->keys != TABLES_FLOW)\n		return cuckoo_lookup_values(cuckoo, keys, n);", "", TEST),
    ("bench peers: what is only read has no record", PEERS,
     "if (cuckoo->keys != TABLES_FLOW)\n		return rte_hash_add_key_data(cuckoo->hash, &wide, (void *)CUCKOO_VALUE);", "", TEST),
    ("bench peers: a hit is one of the mask", PEERS, "(found >> i & 1) && (uintptr_t)values[i] == CUCKOO_VALUE", "values[i] != 0", TEST),
    ("bench peers: somebody leaves", PEERS, "while (cuckoo->count >= cuckoo->limit)", "while (0)", TEST),
]
