/* SPDX-License-Identifier: BSD-3-Clause
 * weirctl: what an operator says to weir-control. One table of commands and one of options: parsing, checking
 * and help come from them. One thread; nothing is written to standard output unless the command succeeds.
 */
#include "tools/weirctl.h"

#include <stdio.h>
#include <string.h>

static const struct option_spec weirctl_options[] = {
	[OPTION_HELP] = {"help", NULL, "say what a command does"},
	[OPTION_JSON] = {"json", NULL,
		"one JSON object (a stream: one a line); an error goes to standard error as "
		"{\"error\":{code,message}}"},
	[OPTION_SOCKET] = {"socket", "PATH",
		"control's socket (default /run/weir/weir.sock, else what the configuration says)"},
	[OPTION_CONFIG] = {"config", "FILE", "the configuration (default " WEIRCTL_CONFIG_DEFAULT ")"},
	[OPTION_TIMEOUT] = {"timeout", "DURATION", "how long to wait for control (default 70s)"},
	[OPTION_PORT] = {"port", "PORT",
		"the node's port that the address would try (default: of the first service)"},
	[OPTION_PROTOCOL] = {"protocol", "tcp|udp", "the protocol that it would try (default tcp)"},
	[OPTION_FOR] = {"for", "DURATION", "how long: 90s, 10m, 12h, 30d or never (default never)"},
	[OPTION_REASON] = {"reason", "TEXT", "why; shown by \"why\" and \"list\", at most 127 bytes"},
	[OPTION_FORCE] = {"force", NULL, "also ban what is allowlisted or our own"},
	[OPTION_SYNC] = {"sync", NULL, "return only when it is on disk"},
	[OPTION_TIER] = {"tier", "N", "1 throttle, 2 temporary, 3 score, 4 address, 5 manual"},
	[OPTION_LIMIT] = {"limit", "N", "at most N rows"},
	[OPTION_SKIP_BAD] = {"skip-bad", NULL, "import the good lines although others are bad"},
	[OPTION_FORMAT] = {"format", "plain|ipset", "what \"export\" writes (default plain)"},
	[OPTION_PROFILE] = {"profile", "NAME",
		"the values of a profile instead of a file: bootstrap, lighthouse, ouroboros, dugite, "
		"stellar, spacetime, "
		"lorachain"},
	[OPTION_EFFECTIVE] = {"effective", NULL, "what the running control has in force"},
	[OPTION_STATUS] = {"status", "WORD",
		"only peers that are unknown, dialing, connected, disconnecting, disconnected or banned"},
	[OPTION_TEMPERATURE] = {"temperature", "WORD", "only peers that are cold, warm, hot or cooling"},
	[OPTION_CATEGORY] = {"category", "WORD",
		"only peers of none, local_root, public_root, big_ledger, ledger, shared or bootstrap"},
	[OPTION_BANNED] = {"banned", NULL, "only peers with a ban"},
	[OPTION_ENDED] = {"ended", NULL, "the last bans that ended since control began, the latest first"},
	[OPTION_COUNT] = {NULL, NULL, NULL},
};
_Static_assert((int)OPTION_COUNT < (int)OPTIONS_MAX, "options are parsed into a table of fixed size");

static int weirctl_help(struct weirctl *weirctl);

#define BIT OPTION_BIT
static const struct weirctl_command commands[] = {
	{"status", "", 0, 0, 0, weirctl_status,
		"what runs, what is in force, what was forwarded and refused, and why"},
	{"why", "ADDRESS", 1, 1, BIT(OPTION_PORT) | BIT(OPTION_PROTOCOL), weirctl_why,
		"what would happen to a connection attempt of this address now, and which rule says so"},
	{"ban add", "PREFIX|id:PEER", 1, 1,
		BIT(OPTION_FOR) | BIT(OPTION_REASON) | BIT(OPTION_FORCE) | BIT(OPTION_SYNC) |
			BIT(OPTION_TIER),
		weirctl_ban_add, "ban an address, a prefix or a peer; in force when the command returns"},
	{"ban del", "PREFIX|id:PEER", 1, 1, BIT(OPTION_TIER) | BIT(OPTION_SYNC), weirctl_ban_del,
		"lift the bans of exactly this address, prefix or peer, or the one of a tier"},
	{"ban list", "[ADDRESS|PREFIX|id:PEER]", 0, 1,
		BIT(OPTION_TIER) | BIT(OPTION_LIMIT) | BIT(OPTION_ENDED), weirctl_ban_list,
		"bans in force: all, those that cover an address, those inside a prefix, or those of a peer"},
	{"ban import", "FILE|-", 1, 1,
		BIT(OPTION_FOR) | BIT(OPTION_REASON) | BIT(OPTION_FORCE) | BIT(OPTION_SYNC) |
			BIT(OPTION_TIER) | BIT(OPTION_SKIP_BAD),
		weirctl_ban_import,
		"ban what a file lists: ADDRESS[/LENGTH] [DURATION] [# comment] a line, or ipset save; all "
		"of it or nothing"},
	{"ban export", "", 0, 0, BIT(OPTION_FORMAT) | BIT(OPTION_TIER), weirctl_ban_export,
		"the bans of addresses and prefixes as a file that import reads (default: those of tier 5)"},
	{"allow add", "PREFIX", 1, 1, BIT(OPTION_REASON) | BIT(OPTION_SYNC), weirctl_list_add,
		"never ban, deny or limit these addresses"},
	{"allow del", "PREFIX", 1, 1, BIT(OPTION_SYNC), weirctl_list_del, "take a prefix off the allow list"},
	{"allow list", "", 0, 0, BIT(OPTION_LIMIT), weirctl_list_show, "show the allow list"},
	{"deny add", "PREFIX", 1, 1, BIT(OPTION_REASON) | BIT(OPTION_SYNC), weirctl_list_add,
		"always drop these addresses"},
	{"deny del", "PREFIX", 1, 1, BIT(OPTION_SYNC), weirctl_list_del, "take a prefix off the deny list"},
	{"deny list", "", 0, 0, BIT(OPTION_LIMIT), weirctl_list_show, "show the deny list"},
	{"peers list", "", 0, 0,
		BIT(OPTION_STATUS) | BIT(OPTION_TEMPERATURE) | BIT(OPTION_CATEGORY) | BIT(OPTION_BANNED) |
			BIT(OPTION_LIMIT),
		weirctl_peers_list, "whom the governor knows: all, or those that match every option"},
	{"peers show", "ID|ADDRESS[:PORT]", 1, 1, 0, weirctl_peers_show,
		"what is known of a peer: its state, score, values, bans and history"},
	{"disconnect", "ID|ADDRESS[:PORT]", 1, 1, BIT(OPTION_REASON), weirctl_disconnect,
		"close the connections of a peer, of an address, or the one of an address and port"},
	{"book list", "", 0, 0, BIT(OPTION_LIMIT), weirctl_book_list,
		"the addresses that the governor keeps for dialling and sharing"},
	{"book best", "", 0, 0, BIT(OPTION_LIMIT), weirctl_book_best,
		"the best of them, best first (default 8)"},
	{"book add", "ADDRESS:PORT", 1, 1, 0, weirctl_book_add, "keep an address, as of the operator"},
	{"book remove-failed", "N", 1, 1, 0, weirctl_book_remove_failed,
		"forget the addresses with N failures or more"},
	{"config check", "[FILE]", 0, 1, 0, weirctl_config_check,
		"check a configuration; the first mistake with file, line and column"},
	{"config show", "[FILE]", 0, 1, BIT(OPTION_PROFILE) | BIT(OPTION_EFFECTIVE), weirctl_config_show,
		"each key with its value, where it comes from and what it may be"},
	{"config dataplane-args", "[FILE]", 0, 1, 0, weirctl_config_dataplane_args,
		"the command line of weir-dataplane, on one line"},
	{"simulate", "[OPTION]...", 0, 0, 0, weirctl_simulate_late,
		"the governor on a virtual clock: requests with times from standard input (see simulate "
		"--help)"},
	{"snapshot", "", 0, 0, 0, weirctl_snapshot,
		"publish everything to the dataplane now, and wait for it"},
	{"reload", "", 0, 0, 0, weirctl_reload, "read the configuration again; a wrong one changes nothing"},
	{"sync", "", 0, 0, 0, weirctl_sync, "wait until everything accepted so far is on disk"},
	{"events", "[NAME...]", 0, OPTIONS_WORDS_MAX, 0, weirctl_events,
		"print events as they happen, until interrupted"},
	{"version", "", 0, 0, 0, weirctl_version, "the versions of weirctl and of the control that runs"},
	{"help", "[COMMAND]", 0, 2, 0, weirctl_help, "this, or what one command does"},
	{NULL},
};
#undef BIT

static unsigned name_words(const char *name)
{
	return strchr(name, ' ') ? 2 : 1;
}

/* The command that the first words name. */
static const struct weirctl_command *command_find(const char *const words[], size_t n_words)
{
	char name[128];

	for (const struct weirctl_command *command = commands; command->name; command++) {
		unsigned n = name_words(command->name);
		if (n_words < n)
			continue;
		snprintf(name, sizeof(name), n == 2 ? "%s %s" : "%s", words[0], n == 2 ? words[1] : "");
		if (strcmp(name, command->name) == 0)
			return command;
	}
	return NULL;
}

/* "ban add, ban del, ...": the commands of a group. */
static void group_list(const char *group, char *text, size_t bytes)
{
	size_t n = strlen(group), used = 0;

	text[0] = '\0';
	for (const struct weirctl_command *command = commands; command->name && used < bytes; command++) {
		if (strncmp(command->name, group, n) == 0 && command->name[n] == ' ')
			used += (size_t)snprintf(
				text + used, bytes - used, "%s%s", used ? ", " : "", command->name + n + 1);
	}
}

static int command_unknown(struct weirctl *weirctl, const char *const words[], size_t n_words)
{
	const char *candidates[sizeof(commands) / sizeof(commands[0]) + 1], *nearest;
	char firsts[sizeof(commands) / sizeof(commands[0])][32], group[256];
	size_t n = 0;

	if (n_words == 0)
		return weirctl_fail(weirctl, RPC_CODE_USAGE, "which command? (\"weirctl help\" lists them)");
	group_list(words[0], group, sizeof(group));
	if (group[0] != '\0' && n_words == 1)
		return weirctl_fail(weirctl, RPC_CODE_USAGE, "\"%.32s\" needs one of: %s", words[0], group);
	if (group[0] != '\0')
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"\"%.32s %.32s\" is not a command (allowed behind %.32s: %s)", words[0], words[1],
			words[0], group);
	for (const struct weirctl_command *command = commands; command->name; command++, n++) {
		snprintf(firsts[n], sizeof(firsts[n]), "%.*s", (int)strcspn(command->name, " "),
			command->name);
		candidates[n] = firsts[n];
	}
	candidates[n] = NULL;
	nearest = options_nearest(words[0], candidates);
	if (nearest)
		return weirctl_fail(weirctl, RPC_CODE_USAGE,
			"\"%.64s\" is not a command: did you mean \"%s\"?", words[0], nearest);
	return weirctl_fail(weirctl, RPC_CODE_USAGE,
		"\"%.64s\" is not a command (\"weirctl help\" lists them)", words[0]);
}

static int words_check(struct weirctl *weirctl)
{
	const struct weirctl_command *command = weirctl->command;

	if (weirctl->n_words < command->words_min)
		return weirctl_fail(
			weirctl, RPC_CODE_USAGE, "\"%s\" needs %s", command->name, command->words_help);
	if (weirctl->n_words > command->words_max)
		return weirctl_fail(weirctl, RPC_CODE_USAGE, "\"%.64s\" is too much: %s%s%s",
			weirctl->words[command->words_max], command->name, command->words_help[0] ? " " : "",
			command->words_help);
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		if (weirctl->options.values[i] && !((command->options | OPTIONS_COMMON) & OPTION_BIT(i)))
			return weirctl_fail(weirctl, RPC_CODE_USAGE,
				"\"%s\" has no option --%s (see weirctl help %s)", command->name,
				weirctl_options[i].name, command->name);
	}
	/* JSON is UTF-8 and nothing else. */
	for (size_t i = 0; i < weirctl->n_words + OPTION_COUNT; i++) {
		const char *text =
			i < OPTION_COUNT ? weirctl->options.values[i] : weirctl->words[i - OPTION_COUNT];
		json_t *string = text ? json_string(text) : NULL;
		if (text && !string)
			return weirctl_fail(weirctl, RPC_CODE_USAGE, "an argument is not UTF-8");
		json_decref(string);
	}
	return 0;
}

static void option_help(struct output *output, unsigned i)
{
	char left[64];

	snprintf(left, sizeof(left), "--%s%s%s", weirctl_options[i].name,
		weirctl_options[i].metavar ? " " : "",
		weirctl_options[i].metavar ? weirctl_options[i].metavar : "");
	output_text(output, "  %-22s %s\n", left, weirctl_options[i].help);
}

static void command_help(struct output *output, const struct weirctl_command *command)
{
	output_text(output, "weirctl %s%s%s [OPTIONS]\n\n%s\n\n", command->name,
		command->words_help[0] ? " " : "", command->words_help, command->help);
	for (unsigned i = 0; i < OPTION_COUNT; i++) {
		if ((command->options | OPTIONS_COMMON) & OPTION_BIT(i))
			option_help(output, i);
	}
}

static int weirctl_help(struct weirctl *weirctl)
{
	const struct weirctl_command *about =
		weirctl->n_words ? command_find(weirctl->words, weirctl->n_words) : NULL;
	char left[64], group[256] = "";

	if (weirctl->n_words && !about) {
		group_list(weirctl->words[0], group, sizeof(group));
		if (group[0] == '\0' || weirctl->n_words > 1)
			return command_unknown(weirctl, weirctl->words, weirctl->n_words);
	}
	if (about) {
		command_help(weirctl->output, about);
	} else {
		output_text(weirctl->output, "weirctl COMMAND [OPTIONS]: speak to weir-control\n\n");
		for (const struct weirctl_command *command = commands; command->name; command++) {
			size_t n = group[0] ? strlen(weirctl->words[0]) : 0;
			if (n && (strncmp(command->name, weirctl->words[0], n) != 0 ||
					 command->name[n] != ' '))
				continue;
			snprintf(left, sizeof(left), "%s %s", command->name, command->words_help);
			output_text(weirctl->output, "  %-36s %s\n", left, command->help);
		}
		output_text(weirctl->output,
			"\nOptions of all commands (\"weirctl help COMMAND\" shows the others):\n");
		for (unsigned i = 0; i <= OPTION_TIMEOUT; i++)
			option_help(weirctl->output, i);
		output_text(weirctl->output,
			"\nExit status: 0 done, 1 failed, 2 wrong usage, 3 control is not running.\n");
	}
	output_text_end(weirctl->output, "help");
	return 0;
}

static int run(struct weirctl *weirctl, int argc, char **argv)
{
	char sentence[OPTIONS_SENTENCE_MAX];
	bool help;

	if (options_parse(weirctl_options, argc, argv, &weirctl->options, sentence, sizeof(sentence)) < 0)
		return weirctl_fail(weirctl, RPC_CODE_USAGE, "%s", sentence);
	help = weirctl_option(weirctl, OPTION_HELP) != NULL;
	weirctl->words = weirctl->options.words;
	weirctl->n_words = weirctl->options.n_words;
	if (output_open(weirctl_option(weirctl, OPTION_JSON) != NULL, &weirctl->output) < 0)
		return weirctl_fail(weirctl, RPC_CODE_FAILED, "out of memory");
	if (help)
		return weirctl_help(weirctl);
	weirctl->command = command_find(weirctl->words, weirctl->n_words);
	if (!weirctl->command)
		return command_unknown(weirctl, weirctl->words, weirctl->n_words);
	weirctl->words += name_words(weirctl->command->name);
	weirctl->n_words -= name_words(weirctl->command->name);
	if (words_check(weirctl) < 0)
		return -1;
	return weirctl->command->run(weirctl);
}

static int exit_status(int code)
{
	return code == RPC_CODE_USAGE         ? EXIT_USAGE
	       : code == RPC_CODE_NOT_RUNNING ? EXIT_NOT_RUNNING
					      : EXIT_FAILED;
}

/* Before options are parsed, or when they are wrong, the caller may still have asked for JSON. */
static bool json_is_wanted(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
		if (strcmp(argv[i], "--json") == 0)
			return true;
	}
	return false;
}

int main(int argc, char **argv)
{
	static struct weirctl weirctl;
	int rc;

	/* its options are its own */
	if (argc > 1 && strcmp(argv[1], "simulate") == 0)
		return weirctl_simulate(argv + 1);
	rc = run(&weirctl, argc, argv);

	if (weirctl.output) {
		int written = output_end(weirctl.output, rc < 0);
		if (written < 0 && rc == 0)
			rc = weirctl_fail(
				&weirctl, RPC_CODE_FAILED, "cannot write the output: %s", strerror(-written));
	}
	if (rc < 0)
		output_error(json_is_wanted(argc, argv), "weirctl", weirctl.error.code, weirctl.error.message,
			weirctl.error_lines);
	json_decref(weirctl.error_lines);
	rpc_client_close(weirctl.client);
	return rc < 0 ? exit_status(weirctl.error.code) : 0;
}
