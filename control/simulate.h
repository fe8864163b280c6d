/* SPDX-License-Identifier: BSD-3-Clause
 * simulate: the governor on a virtual clock (rpc.md). Lines come in, each with its time; all that is due up
 * to then happens first; one line goes out for each, with the answer and the events since the last.
 * Deterministic for a seed. One thread. Real store, in a directory of its own; no dataplane, no socket.
 */
#ifndef WEIR_CONTROL_SIMULATE_H
#define WEIR_CONTROL_SIMULATE_H

/** `argv` as of main, after the word that asked for it: --profile, --config, --set, --seed, --no-tick,
 * --help. Returns the exit status: 0, 1 (it failed, with a sentence on standard error), 2 (usage). */
int simulate_main(int argc, char **argv);

#endif
