# SPDX-License-Identifier: BSD-3-Clause
"""What the address book answers an asker, spares from eviction, and tells of its circuits; see tests/mutants.py."""
BOOK, ADD, UPDATE, QUERY = ("control/address_book.c", "control/address_book_add.c", "control/address_book_update.c", "control/address_book_query.c")
MUTANTS = [
    ("book: the asker is left out", QUERY, "(sharing->asker == NULL || address_compare(&record->address, sharing->asker) != 0)", "true",
     "test_address_book_query"),
    ("book: a source alone spares nobody", BOOK, "(book->config.keeps_configured || record->category == PEER_CATEGORY_LOCAL_ROOT ||", "(true ||",
     "test_address_book"),
    ("book: configured preferred ones are spared", BOOK, "record->type == BOOK_TYPE_PREFERRED);", "false);", "test_address_book"),
    ("book: configured roots are spared", BOOK, "book->config.keeps_configured || record->category == PEER_CATEGORY_LOCAL_ROOT ||",
     "book->config.keeps_configured ||", "test_address_book"),
    ("book: only the configured are spared", BOOK, "return record->source == PEER_SOURCE_CONFIG &&", "return", "test_address_book"),
    ("book: what is configured is kept where the profile says so", BOOK, "book->config.keeps_configured || record", "record", "test_address_book"),
    ("book: a loaded record has its type", UPDATE, ".type = which & BOOK_PUT_TYPE ? values->type : BOOK_TYPE_INBOUND,", "", "test_address_book"),
]
