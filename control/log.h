/* SPDX-License-Identifier: BSD-3-Clause
 * The log of weir-control: one line a message on standard error, with the priority prefix that journald
 * understands when it listens. Event loop only; libraries of Weir never log.
 */
#ifndef WEIR_CONTROL_LOG_H
#define WEIR_CONTROL_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/** Messages less urgent than this are not written. */
void log_set_level(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
