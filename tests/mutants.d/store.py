# SPDX-License-Identifier: BSD-3-Clause
"""Protections of the store: what it trusts on disk, whom it lets in, what it says is durable; see tests/mutants.py."""
STORE, RECORD, WRITER = "control/store.c", "control/store_record.c", "control/store_writer.c"
MUTANTS = [
    ("store: the checksum of records", RECORD,
     "le32toh(checksum) != checksum_crc32c(checksum_crc32c(0, key->mv_data, key->mv_size), reader.at, "
     "(size_t)(reader.end - reader.at))", "0", "test_store_damage"),
    ("store: one owner", STORE, "if (fcntl(store->lock_fd, F_OFD_SETLK, &lock) == 0)", "if (1)", "test_store_faults"),
    ("store: the newer schema", STORE, "found > STORE_SCHEMA_VERSION ? -EPROTONOSUPPORT : 0", "0", "test_store_faults"),
    ("store: durable is what is on disk", WRITER, "if (had_batch && error == 0) batch_done(store, sequence);",
     "if (had_batch) batch_done(store, sequence);", "test_store_faults"),
    ("store: a full disk is told", WRITER, "if (had_batch || error != 0 || store->status.error != 0) status_set(store, error);",
     "if (error != -ENOSPC) status_set(store, error);", "test_store_faults"),
    ("store: a commit is a commit", WRITER, "if (store->writing.n != 0) error = batch_commit(store);", "error = 0;",
     "test_store_faults"),
]
