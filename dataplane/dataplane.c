// SPDX-License-Identifier: BSD-3-Clause
/* Assembly (dataplane.h). Segments come first, because their lock refuses a second instance before it touches a port; ports come
 * before dispatch, because they decide how owners are computed; lcores come last. */
#include "dataplane/dataplane.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <rte_lcore.h>

#include "dataplane/cookie_secret.h"
#include "dataplane/eal.h"
#include "dataplane/memory.h"
#include "dataplane/port_rss.h"

enum {
	/* First fragments that await the rest for FRAGMENT_LIFETIME_MS, of one lcore. */
	DATAPLANE_FRAGMENTS = 4096,
	/* Prefixes with proven connections: up to four a flow, shared by all lcores. */
	DATAPLANE_CONCURRENCY_PER_FLOW = 4,
};

static int dataplane_ports_open(struct dataplane *dataplane)
{
	const struct options *options = &dataplane->options;
	int rc = 0;

	port_kernel_libraries_quieten();
	for (unsigned pair = 0; rc == 0 && pair < options->n_pairs; pair++) {
		rc = port_open(options, options->pairs[pair].outside, pair, SIDE_OUTSIDE, dataplane->pool,
			dataplane->dispatch.rss_key, &dataplane->pairs[pair][SIDE_OUTSIDE]);
		if (rc == 0)
			rc = port_open(options, options->pairs[pair].inside, pair, SIDE_INSIDE, dataplane->pool,
				dataplane->dispatch.rss_key, &dataplane->pairs[pair][SIDE_INSIDE]);
	}
	return rc;
}

/* RSS is used only if every port does it alike: one that does not would bring frames to the wrong lcore all the time. */
static void dataplane_rss_verify(struct dataplane *dataplane)
{
	unsigned size = 0;

	for (unsigned i = 0; i < dataplane->options.n_pairs * 2; i++) {
		const struct port *port = &dataplane->pairs[i / 2][i % 2];
		bool possible = dataplane->options.n_lcores > 1 && port->n_devices == 1;
		unsigned found = possible ? port_rss_verify(port->devices[0].id, (enum side)port->side, port->n_queues,
						    dataplane->dispatch.rss_key) : 0;

		if (found == 0 || (i != 0 && found != size)) {
			size = 0;
			break;
		}
		size = found;
	}
	dataplane->dispatch.rss_table_size = size;
	atomic_store_explicit(&dataplane->dispatch.rss_trusted, size != 0, memory_order_relaxed);
	if (dataplane->options.n_lcores > 1)
		fprintf(stderr, "weir-dataplane: %s.\n",
			size ? "the devices bring each client to its lcore (RSS by address)" :
			       "the devices cannot bring each client to one lcore: lcores hand frames over to each other");
}

static int dataplane_shared_create(struct dataplane *dataplane)
{
	const struct options *options = &dataplane->options;
	const struct stage_shared_sizes sizes = { .pressure_keys = UINT64_C(1) << options->pressure_keys_log2,
		.proven_sources = UINT64_C(1) << options->proven_log2,
		.concurrency_prefixes = ((uint64_t)options->n_lcores << options->flows_log2) * DATAPLANE_CONCURRENCY_PER_FLOW };
	struct hash_key keys[3];

	for (unsigned i = 0; i < 3; i++)
		keys[i] = (struct hash_key){ .k0 = random_u64(), .k1 = random_u64() };
	return stage_shared_create(&sizes, keys, &memory_tables, &dataplane->stage_shared);
}

static int dataplane_worker_create(struct dataplane *dataplane, unsigned lcore)
{
	struct worker *worker = &dataplane->workers[lcore];
	const struct stage_sizes sizes = { .fragments = DATAPLANE_FRAGMENTS };
	struct stage_output output = worker_output(worker);
	struct flow_table *flows;
	int rc;

	worker->lcore = lcore;
	worker->shared = &dataplane->shared;
	worker->dispatch = &dataplane->dispatch;
	worker->segment = &dataplane->segment.payload->lcores[lcore];
	rc = packet_io_create(lcore, (const struct port(*)[2])dataplane->pairs, dataplane->options.n_pairs, dataplane->pool,
		&dataplane->dispatch, &worker->segment->counters, &worker->io);
	if (rc == 0)
		rc = flow_table_create(flow_segment_storage(&dataplane->flows, lcore), dataplane->flows.capacity,
			&dataplane->stage_shared->table_key, &memory_tables, &flows);
	if (rc != 0)
		return rc;
	rc = stage_create(dataplane->stage_shared, flows, &worker->segment->counters, &output, &sizes, &memory_tables, random_u64(),
		monotonic_kernel_ns(), &worker->stage);
	if (rc != 0) {
		flow_table_destroy(flows);
		return rc;
	}
	worker->stage->lcores = dataplane->options.n_lcores;
	worker_prepare(worker);
	return 0;
}

static int dataplane_tables_create(struct dataplane *dataplane)
{
	int rc = dispatch_create(&dataplane->dispatch, dataplane->options.n_lcores, dataplane->options.n_queues);

	if (rc != 0)
		return rc;
	dataplane_rss_verify(dataplane);
	rc = flow_segment_place(&dataplane->flows, &dataplane->dispatch);
	if (rc == 0)
		rc = dataplane_shared_create(dataplane);
	for (unsigned lcore = 0; rc == 0 && lcore < dataplane->options.n_lcores; lcore++)
		rc = dataplane_worker_create(dataplane, lcore);
	if (rc != 0)
		fputs("weir-dataplane: no memory for the tables; free some, or choose smaller --flows-log2, --pressure-keys-log2 and --proven-log2.\n",
			stderr);
	return rc;
}

static int dataplane_offload_create(struct dataplane *dataplane)
{
	struct stage *stages[OPTIONS_LCORES_MAX];

	for (unsigned lcore = 0; lcore < dataplane->options.n_lcores; lcore++)
		stages[lcore] = dataplane->workers[lcore].stage;
	return table_offload_create(&dataplane->options, (const struct port(*)[2])dataplane->pairs, stages, dataplane->segment.payload,
		&dataplane->offload);
}

static int dataplane_table_start(struct dataplane *dataplane, const cpu_set_t *cpus)
{
	struct table_thread_setup setup = { .options = &dataplane->options, .shared = &dataplane->shared,
		.stage_shared = dataplane->stage_shared, .dispatch = &dataplane->dispatch, .segment = &dataplane->segment,
		.flows = &dataplane->flows, .relay = &dataplane->relay, .offload = dataplane->offload, .cpus = *cpus,
		.cookie_secret = dataplane->options.cookie_secret ? &dataplane->cookie_secret : NULL };

	for (unsigned lcore = 0; lcore < dataplane->options.n_lcores; lcore++)
		setup.stages[lcore] = dataplane->workers[lcore].stage;
	return table_thread_start(&dataplane->table, &setup);
}

int dataplane_start(const struct options *options, struct dataplane *dataplane)
{
	char error[COOKIE_SECRET_ERROR_MAX];
	cpu_set_t cpus;
	int rc = 0;

	memset(dataplane, 0, sizeof(*dataplane));
	dataplane->options = *options;
	if (options->cookie_secret)
		rc = cookie_secret_read(options->cookie_secret, &dataplane->cookie_secret, error);
	if (rc != 0) {
		fprintf(stderr, "weir-dataplane: %s\n", error);
		return rc;
	}
	dataplane->table.link.fd = -1;
	sched_getaffinity(0, sizeof(cpus), &cpus); /* EAL pins this thread */
	memory_configure(options->huge);
	rc = dataplane_segment_open(options, &dataplane->segment);
	if (rc == 0)
		rc = flow_segment_open(options, &dataplane->flows, &dataplane->dispatch.key);
	if (rc == 0)
		rc = eal_start(options);
	dataplane->eal_runs = rc == 0;
	if (rc == 0) {
		dataplane->pool = eal_pool_create(options, port_data_bytes(options));
		rc = dataplane->pool ? 0 : -ENOMEM;
	}
	port_rss_key_make(&dataplane->dispatch.key, dataplane->dispatch.rss_key);
	if (rc == 0)
		rc = dataplane_ports_open(dataplane);
	dataplane->shared.idle_sleep_us = options->idle_sleep_us;
	dataplane->relay.pairs = (const struct port(*)[2])dataplane->pairs;
	dataplane->relay.n_pairs = options->n_pairs;
	if (rc == 0) {
		monotonic_clock_start(&dataplane->shared.clock);
		dataplane->shared.first_governed_mono_ns = &dataplane->segment.payload->first_governed_mono_ns;
		rc = dataplane_tables_create(dataplane);
	}
	if (rc == 0)
		rc = dataplane_offload_create(dataplane);
	if (rc == 0)
		rc = dataplane_table_start(dataplane, &cpus);
	dataplane->table_runs = rc == 0;
	if (rc != 0)
		dataplane_stop(dataplane);
	return rc;
}

void dataplane_stop(struct dataplane *dataplane)
{
	if (dataplane->table_runs)
		table_thread_stop(&dataplane->table);
	table_offload_destroy(dataplane->offload);
	for (unsigned i = 0; i < OPTIONS_PAIRS_MAX * 2; i++)
		port_close(&dataplane->options, &dataplane->pairs[i / 2][i % 2]);
	dispatch_destroy(&dataplane->dispatch);
	for (unsigned lcore = 0; lcore < dataplane->options.n_lcores; lcore++) {
		struct worker *worker = &dataplane->workers[lcore];

		if (worker->stage)
			flow_table_destroy(worker->stage->flows);
		stage_destroy(worker->stage, &memory_tables);
		packet_io_destroy(worker->io);
	}
	stage_shared_destroy(dataplane->stage_shared, &memory_tables);
	rte_mempool_free(dataplane->pool);
	if (dataplane->eal_runs)
		eal_stop(&dataplane->options);
	flow_segment_close(&dataplane->flows);
	dataplane_segment_close(&dataplane->segment);
}
