/* SPDX-License-Identifier: BSD-3-Clause
 * What an error in a request costs the peer (policy.md LH-20), for nodes that report errors instead of
 * actions. Pure, any thread.
 */
#ifndef WEIR_CONTROL_ERROR_RULE_H
#define WEIR_CONTROL_ERROR_RULE_H

#include <stdbool.h>

#include "control/governor.h"

/** -ENOENT: no such error. *ret_action is PEER_ACTION_COUNT when the error costs nothing. `by_us`: we asked
 * and the peer answered wrongly; else it asked. `protocol` as in requests: "ping", "status", "metadata",
 * "goodbye", "blocks_by_range", ... */
int error_rule_action(const char *error, const char *protocol, bool by_us, enum peer_action *ret_action);

#endif
