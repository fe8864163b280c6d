# SPDX-License-Identifier: BSD-3-Clause
"""DU-13: the sync targets of ouroboros; see tests/mutants.py."""
MUTANTS = [
    ("sync targets: of ouroboros too", "control/profile.c", "profile->sync = target_dugite_sync; /* 5.5.12 names no system */",
     "profile->sync = target_ouroboros;", "test_profile"),
]
