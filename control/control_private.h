/* SPDX-License-Identifier: BSD-3-Clause
 * What control.c, control_effects.c and control_reload.c share.
 */
#ifndef WEIR_CONTROL_CONTROL_PRIVATE_H
#define WEIR_CONTROL_CONTROL_PRIVATE_H

#include "control/control.h"

/** control_effects.c: the governor with its effects, and the link's callbacks. */
int control_governor_create(struct control *control, char *error_text, size_t error_bytes);
void control_roster_config(
	const struct control *control, const struct config *config, struct roster_config *ret_config);
void control_link_callbacks(struct control *control, struct dataplane_link_callbacks *ret_callbacks);

/** control.c: the store, opened and read into governor and book. */
int control_store_start(struct control *control, char *error_text, size_t error_bytes);

/** control_reload.c: allow, deny, own and the node's addresses into the governor. -EPERM with a sentence. */
int control_config_lists_add(
	struct control *control, const struct config *config, char *error_text, size_t error_bytes);
/** Local roots and preferred peers (DU-17, HE-13). A sentence in error_text. */
int control_roots_add(
	struct control *control, const struct config *config, char *error_text, size_t error_bytes);
/** Give the publisher the lists as they are. -ENOMEM. */
int control_lists_publish(struct control *control);

#endif
