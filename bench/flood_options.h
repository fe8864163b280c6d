/* SPDX-License-Identifier: BSD-3-Clause
 * weir-flood's command line. Filled once at start, read-only afterwards.
 */
#ifndef WEIR_BENCH_FLOOD_OPTIONS_H
#define WEIR_BENCH_FLOOD_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/flood_connect.h"
#include "bench/flood_packet.h"
#include "bench/traffic_model.h"

enum { FLOOD_TARGETS_MAX = 4, FLOOD_LCORES_MAX = 16, FLOOD_EAL_ARGS_MAX = 16 };

struct flood_options {
	const char *port; /* a vdev text or a PCI address */
	struct flood_target targets[FLOOD_TARGETS_MAX];
	unsigned n_targets;
	enum flood_kind kinds[FLOOD_KINDS];
	unsigned n_kinds;
	struct traffic_config sources;
	struct traffic_schedule schedule; /* of all lcores together */
	double seconds;
	uint16_t payload_bytes;
	uint16_t source_port_low, source_port_high;
	uint8_t mac[FLOOD_MAC_BYTES];
	unsigned n_lcores, cpu; /* workers run on cpu, cpu + 1, ... */
	bool have_mac, have_cpu, json, live, poll, owned, huge;
	bool connect; /* clients that answer (flood_client.h) instead of packets */
	enum connect_behaviour behaviour;
	bool stream, imix;        /* data of connections that exist (flood_stream.h); of mixed sizes */
	uint64_t in_flight;       /* of each lcore; 0: as many as the schedule starts */
	const char *respond_port; /* a vdev behind which weir-flood plays the node too, or NULL */
	const char *replay_path;  /* a capture to be sent instead, or NULL */
	double time_scale;        /* > 0: how much faster */
	const char *csv_path;     /* NULL: none */
	const char *label;
	const char *eal_args[FLOOD_EAL_ARGS_MAX];
	unsigned n_eal_args;
};

/** Returns -1 to run, otherwise the exit status; says why on standard error. */
int flood_options_parse(int argc, char **argv, struct flood_options *ret_options);

#endif
