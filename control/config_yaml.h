/* SPDX-License-Identifier: BSD-3-Clause
 * From YAML text to struct config, inside the configuration library only.
 */
#ifndef WEIR_CONTROL_CONFIG_YAML_H
#define WEIR_CONTROL_CONFIG_YAML_H

#include "control/config_schema.h"

/** Fill `config`, which holds the defaults and the file's name. 0, -EINVAL or -ENOMEM with a sentence. */
int config_yaml_read(
	const char *text, size_t bytes, struct config *config, char *error_text, size_t error_bytes);

#endif
