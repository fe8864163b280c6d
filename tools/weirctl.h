/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of weirctl share: the options, one invocation, and how a command talks to control and fails.
 * One thread.
 */
#ifndef WEIR_TOOLS_WEIRCTL_H
#define WEIR_TOOLS_WEIRCTL_H

#include "control/config.h"
#include "tools/options.h"
#include "tools/output.h"
#include "tools/rpc_client.h"

/** Indices into weirctl_options. */
enum weirctl_option {
	OPTION_HELP,
	OPTION_JSON,
	OPTION_SOCKET,
	OPTION_CONFIG,
	OPTION_TIMEOUT,
	OPTION_PORT,
	OPTION_PROTOCOL,
	OPTION_FOR,
	OPTION_REASON,
	OPTION_FORCE,
	OPTION_SYNC,
	OPTION_TIER,
	OPTION_LIMIT,
	OPTION_SKIP_BAD,
	OPTION_FORMAT,
	OPTION_PROFILE,
	OPTION_EFFECTIVE,
	OPTION_STATUS,
	OPTION_TEMPERATURE,
	OPTION_CATEGORY,
	OPTION_BANNED,
	OPTION_ENDED,
	OPTION_COUNT,
};
#define OPTION_BIT(option) (1u << (option))
/** Options that every command takes. */
#define OPTIONS_COMMON \
	(OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_JSON) | OPTION_BIT(OPTION_SOCKET) | \
		OPTION_BIT(OPTION_CONFIG) | OPTION_BIT(OPTION_TIMEOUT))

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOT_RUNNING = 3 };

/** Where a page of ban.list or list.show is cut: an answer then stays far below 1 MiB. */
enum { WEIRCTL_PAGE = 1000 };

#define WEIRCTL_CONFIG_DEFAULT "/etc/weir/weir.yaml"

struct weirctl {
	const struct weirctl_command *command;
	struct options options;
	const char *const *words; /* behind the command's name */
	size_t n_words;
	struct output *output;
	struct rpc_client *client; /* after weirctl_connect */
	struct rpc_error error;    /* why the command failed */
	json_t *error_lines;       /* [{file,line,message}], or NULL */
};

/** `run` prints through weirctl->output and returns 0, or -1 after weirctl_fail. */
struct weirctl_command {
	const char *name;       /* "ban add"; NULL ends the table */
	const char *words_help; /* "PREFIX" */
	unsigned words_min, words_max;
	unsigned options; /* OPTION_BIT, beside OPTIONS_COMMON */
	int (*run)(struct weirctl *weirctl);
	const char *help;
};

/** Always -1. */
__attribute__((format(printf, 3, 4))) int weirctl_fail(
	struct weirctl *weirctl, int code, const char *format, ...);
/** Connect if not yet done. -1 after weirctl_fail. */
int weirctl_connect(struct weirctl *weirctl);
/** One call; `params` becomes its own. -1 after weirctl_fail. */
int weirctl_call(struct weirctl *weirctl, const char *method, json_t *params, json_t **ret_result);

/** The option's value, or NULL. */
const char *weirctl_option(const struct weirctl *weirctl, enum weirctl_option option);
/** Put what was given into `params`; -1 after weirctl_fail when a value is wrong. */
int weirctl_param_count(struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key,
	uint64_t min, uint64_t max);
int weirctl_param_seconds(
	struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key);
void weirctl_param_text(struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key);
void weirctl_param_flag(struct weirctl *weirctl, json_t *params, enum weirctl_option option, const char *key);
/** A prefix or address from the command line, checked here so that the sentence can say what was meant. -1
 * after weirctl_fail. */
int weirctl_prefix(struct weirctl *weirctl, const char *text, struct prefix *ret_prefix);
/** "id:PEER" puts id, all else prefix. -1 after weirctl_fail. */
int weirctl_param_target(struct weirctl *weirctl, json_t *params, const char *text);

int weirctl_status(struct weirctl *weirctl);
int weirctl_why(struct weirctl *weirctl);
int weirctl_snapshot(struct weirctl *weirctl);
int weirctl_reload(struct weirctl *weirctl);
int weirctl_sync(struct weirctl *weirctl);
int weirctl_version(struct weirctl *weirctl);
int weirctl_events(struct weirctl *weirctl);
int weirctl_ban_add(struct weirctl *weirctl);
int weirctl_ban_del(struct weirctl *weirctl);
int weirctl_ban_list(struct weirctl *weirctl);
int weirctl_ban_import(struct weirctl *weirctl);
int weirctl_ban_export(struct weirctl *weirctl);
/** allow and deny: the list is the first word of the command's name. */
int weirctl_list_add(struct weirctl *weirctl);
int weirctl_list_del(struct weirctl *weirctl);
int weirctl_list_show(struct weirctl *weirctl);
int weirctl_peers_list(struct weirctl *weirctl);
int weirctl_peers_show(struct weirctl *weirctl);
int weirctl_disconnect(struct weirctl *weirctl);
int weirctl_book_list(struct weirctl *weirctl);
int weirctl_book_best(struct weirctl *weirctl);
int weirctl_book_add(struct weirctl *weirctl);
int weirctl_book_remove_failed(struct weirctl *weirctl);
int weirctl_config_check(struct weirctl *weirctl);
int weirctl_config_show(struct weirctl *weirctl);
int weirctl_config_dataplane_args(struct weirctl *weirctl);
/** Becomes weir-control --simulate; argv as of main, from the word "simulate" on. Returns an exit status when
 * it cannot. */
int weirctl_simulate(char **argv);
/** The word came after an option of weirctl. */
int weirctl_simulate_late(struct weirctl *weirctl);

#endif
