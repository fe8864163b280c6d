/* SPDX-License-Identifier: BSD-3-Clause
 * The file with the secret that governors of one address share (--cookie-secret). Read once, by main, before
 * any lcore runs.
 */
#ifndef WEIR_DATAPLANE_COOKIE_SECRET_H
#define WEIR_DATAPLANE_COOKIE_SECRET_H

#include "dataplane/keyed_hash.h"

enum { COOKIE_SECRET_BYTES = 32, COOKIE_SECRET_ERROR_MAX = 320 };

/** The master key in a regular file of 32 bytes, or of 64 hexadecimal digits with at most one newline, that
 * only its owner may read; the owner is root or ourselves. Otherwise -errno, and `error` holds one sentence.
 */
int cookie_secret_read(const char *path, struct hash_key *ret_master, char error[COOKIE_SECRET_ERROR_MAX]);

#endif
