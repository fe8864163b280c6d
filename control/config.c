/* SPDX-License-Identifier: BSD-3-Clause
 * Entry points of the configuration library: defaults, loading, and what other parts derive from a
 * configuration.
 */
#include "control/config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/config_schema.h"
#include "control/config_yaml.h"
#include "shm/paths.h"

static void value_default(struct config *config, const char *key, const char *value)
{
	char why[384];
	const struct config_row *row = config_row_find(key);
	if (row != NULL)
		(void)config_value_parse(row, value, config, why, sizeof(why));
}

void config_default(struct config *config, enum config_profile profile)
{
	memset(config, 0, sizeof(*config));
	for (size_t i = 0; i < config_n_rows; i++) {
		const struct config_row *row = &config_rows[i];
		if (row->default_text != NULL && config_row_element_index(row) == 0)
			value_default(config, row->path, row->default_text);
	}
	config->profile = profile;
	config_profile_fill(config, profile);
}

void config_free(struct config *config)
{
	struct config_prefixes *lists[] = {&config->allow, &config->deny, &config->own};
	for (size_t i = 0; i < 3; i++) {
		free(lists[i]->items);
		memset(lists[i], 0, sizeof(*lists[i]));
	}
}

int config_load_text(const char *name, const char *text, size_t bytes, struct config *ret_config,
	char *error_text, size_t error_bytes)
{
	struct config *config = calloc(1, sizeof(*config));
	if (config == NULL) {
		snprintf(error_text, error_bytes, "%s:1:1: file: not enough memory to read it", name);
		return -ENOMEM;
	}
	config_default(config, CONFIG_PROFILE_BOOTSTRAP);
	snprintf(config->file, sizeof(config->file), "%s", name);
	int error = config_yaml_read(text, bytes, config, error_text, error_bytes);
	if (error == 0)
		error = config_check(config, error_text, error_bytes);
	if (error == 0)
		*ret_config = *config;
	else
		config_free(config);
	free(config);
	return error;
}

static int file_read(const char *path, char **ret_text, size_t *ret_bytes)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not hold a reload */
	if (fd < 0)
		return -errno;
	int error = fstat(fd, &status) != 0                  ? -errno
		    : !S_ISREG(status.st_mode)               ? -EISDIR
		    : status.st_size > CONFIG_FILE_BYTES_MAX ? -EFBIG
							     : 0;
	char *text = error == 0 ? malloc((size_t)status.st_size + 1) : NULL;
	if (error == 0 && text == NULL)
		error = -ENOMEM;
	size_t used = 0;
	while (error == 0 && used < (size_t)status.st_size) {
		ssize_t n = read(fd, text + used, (size_t)status.st_size - used);
		if (n < 0 && errno != EINTR)
			error = -errno;
		if (n == 0)
			break;
		used += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	if (error != 0) {
		free(text);
		return error;
	}
	*ret_text = text;
	*ret_bytes = used;
	return 0;
}

int config_load(const char *path, struct config *ret_config, char *error_text, size_t error_bytes)
{
	char *text = NULL;
	size_t bytes = 0;
	int error = file_read(path, &text, &bytes);
	if (error != 0) {
		snprintf(error_text, error_bytes, "%s:1:1: file: cannot be read: %s", path,
			error == -EISDIR  ? "it is not a regular file"
			: error == -EFBIG ? "it is larger than 64 MiB"
					  : strerror(-error));
		return error;
	}
	error = config_load_text(path, text, bytes, ret_config, error_text, error_bytes);
	free(text);
	return error;
}

/* "a,b,c" piece by piece; an empty piece is an error. */
static const char *next_piece(const char *from, char *piece, size_t bytes)
{
	size_t length = strcspn(from, ",");
	if (length == 0 || length >= bytes)
		return NULL;
	memcpy(piece, from, length);
	piece[length] = '\0';
	return from + length;
}

static int option_service(
	const char *piece, struct config_service *service, char *error_text, size_t error_bytes)
{
	unsigned port;
	char end;
	memset(service, 0, sizeof(*service));
	for (size_t i = 0; i < config_n_rows; i++) {
		char why[256];
		if (strncmp(config_rows[i].path, "services[].", 11) == 0 &&
			config_rows[i].default_text != NULL)
			(void)config_value_parse(
				&config_rows[i], config_rows[i].default_text, service, why, sizeof(why));
	}
	if (sscanf(piece + 3, "/%5u%c", &port, &end) != 1 || port == 0 || port > 65535 ||
		(strncmp(piece, "tcp/", 4) != 0 && strncmp(piece, "udp/", 4) != 0)) {
		snprintf(error_text, error_bytes,
			"--service: \"%s\" is not a service (allowed: tcp/PORT or udp/PORT)", piece);
		return -EINVAL;
	}
	service->port = port;
	service->protocol = piece[0] == 't' ? 6 : 17;
	return 0;
}

int config_from_options(const char *node, const char *services, struct config *ret_config, char *error_text,
	size_t error_bytes)
{
	char piece[PREFIX_TEXT_MAX];
	struct config *config = calloc(1, sizeof(*config));
	if (config == NULL)
		return -ENOMEM;
	config_default(config, CONFIG_PROFILE_BOOTSTRAP);
	snprintf(config->file, sizeof(config->file), "options");
	int error = 0;
	const char *at;
	for (at = node; error == 0; at++) {
		at = next_piece(at, piece, sizeof(piece));
		if (at == NULL || config->n_node_addresses == IMAGE_NODE_ADDRESSES_MAX ||
			address_parse(piece, &config->node_addresses[config->n_node_addresses].address) !=
				0) {
			snprintf(error_text, error_bytes,
				"--node: \"%s\" is not ADDRESS[,ADDRESS...] with at most %d addresses", node,
				IMAGE_NODE_ADDRESSES_MAX);
			error = -EINVAL;
			break;
		}
		config->n_node_addresses++;
		if (*at == '\0')
			break;
	}
	for (at = services; error == 0; at++) {
		at = next_piece(at, piece, sizeof(piece));
		if (at == NULL || strlen(piece) < 5 || config->n_services == IMAGE_SERVICES_MAX) {
			snprintf(error_text, error_bytes,
				"--service: \"%s\" is not tcp/PORT or udp/PORT, with commas between",
				services);
			error = -EINVAL;
			break;
		}
		error = option_service(
			piece, &config->services[config->n_services++], error_text, error_bytes);
		if (*at == '\0')
			break;
	}
	if (error == 0)
		error = config_check(config, error_text, error_bytes);
	if (error == 0)
		*ret_config = *config;
	free(config);
	return error;
}

int config_complete(struct config *config, char *error_text, size_t error_bytes)
{
	return config_check(config, error_text, error_bytes);
}

/* A list takes the place of the one before. It is read as the file's would be: "a.b" and "[1, 2]" as
 * "a: {b: [1, 2]}". */
static int list_put(struct config *config, const struct config_row *row, const char *value, char *error_text,
	size_t error_bytes)
{
	char file[sizeof(config->file)], sentence[CONFIG_ERROR_MAX] = "", *text = NULL;
	const char *dot = strchr(row->path, '.');
	struct config_prefixes *prefixes = (void *)((char *)config + row->offset);
	size_t *count = row->type == CONFIG_TYPE_PREFIXES ? &prefixes->n
							  : (void *)((char *)config + row->count_offset);
	if (strpbrk(value, "\r\n") != NULL) {
		snprintf(error_text, error_bytes, "%s: more than a line (allowed: [ENTRY, ENTRY...])", row->path);
		return -EINVAL;
	}
	int length = dot == NULL ? asprintf(&text, "%s: %s\n", row->path, value)
				 : asprintf(&text, "%.*s:\n  %s: %s\n", (int)(dot - row->path), row->path,
					   dot + 1, value);
	if (length < 0)
		return -ENOMEM;
	memcpy(file, config->file, sizeof(file));
	config->file[0] = '\0';
	*count = 0;
	int error = config_yaml_read(text, (size_t)length, config, sentence, sizeof(sentence));
	memcpy(config->file, file, sizeof(file));
	free(text);
	if (error != 0) {
		/* ":LINE:COLUMN: key: what": a place that nobody wrote */
		const char *what = strstr(sentence, ": ");
		snprintf(error_text, error_bytes, "%s", what != NULL ? what + 2 : sentence);
		*count = 0;
	}
	return error;
}

int config_put(
	struct config *config, const char *key, const char *value, char *error_text, size_t error_bytes)
{
	char why[384];
	const struct config_row *row = config_row_find(key);
	if (row == NULL || config_row_element_index(row) != 0) {
		snprintf(error_text, error_bytes, "%s: no such key, or one inside a list (allowed: the list)", key);
		return -ENOENT;
	}
	if (row->type >= CONFIG_TYPE_ADDRESSES) {
		int error = list_put(config, row, value, error_text, error_bytes);
		if (error != 0)
			return error;
	} else if (config_value_parse(row, value, config, why, sizeof(why)) != 0) {
		snprintf(error_text, error_bytes, "%s: %s", key, why);
		return -EINVAL;
	}
	config->at[row - config_rows] = (struct config_position){1, 1};
	return 0;
}

int config_set(
	struct config *config, const char *key, const char *value, char *error_text, size_t error_bytes)
{
	int error = config_put(config, key, value, error_text, error_bytes);
	return error != 0 ? error : config_check(config, error_text, error_bytes);
}

static const char *path_make(
	char *text, size_t bytes, const char *dir, const char *instance, const char *suffix)
{
	snprintf(text, bytes, "%s/%s%s", dir, instance, suffix);
	return text;
}

const char *config_rpc_socket_path(const struct config *config, char *text, size_t bytes)
{
	if (config->socket_path[0] == '\0')
		return path_make(text, bytes, config->run_dir, config->instance, ".sock");
	snprintf(text, bytes, "%s", config->socket_path);
	return text;
}

const char *config_link_socket_path(const struct config *config, char *text, size_t bytes)
{
	char path[PATHS_TEXT_MAX];
	(void)paths_link_socket(config->run_dir, config->instance, path);
	snprintf(text, bytes, "%s", path);
	return text;
}

const char *config_control_segment_path(const struct config *config, char *text, size_t bytes)
{
	char path[PATHS_TEXT_MAX];
	(void)paths_control_segment(config->shm_dir, config->instance, path);
	snprintf(text, bytes, "%s", path);
	return text;
}

const char *config_dataplane_segment_path(const struct config *config, char *text, size_t bytes)
{
	char path[PATHS_TEXT_MAX];
	(void)paths_dataplane_segment(config->shm_dir, config->instance, path);
	snprintf(text, bytes, "%s", path);
	return text;
}

const char *config_image_path(const struct config *config, char *text, size_t bytes)
{
	char path[PATHS_TEXT_MAX];
	(void)paths_image(config->shm_dir, config->instance, path);
	snprintf(text, bytes, "%s", path);
	return text;
}

const char *config_store_path(const struct config *config, char *text, size_t bytes)
{
	return path_make(text, bytes, config->state_dir, config->instance, "");
}
