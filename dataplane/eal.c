// SPDX-License-Identifier: BSD-3-Clause
/* EAL set-up (eal.h). With huge pages the run is shared (neither --in-memory nor --huge-unlink): dpdk-dumpcap and
 * dpdk-proc-info attach as secondary processes, and what a killed run left in hugetlbfs is removed by EAL's next
 * start. Without huge pages no secondary process can attach anyway: --no-shconf then leaves nothing to be shared.
 */
#include "dataplane/eal.h"
#include "dataplane/port.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

enum {
	EAL_ARGUMENTS_MAX = 64,
	EAL_ARGUMENT_BYTES = 256,
	EAL_BURST_RESERVE = 4096, /* mbufs in bursts, caches and dispatch rings beside the ports' rings */
	EAL_QUEUE_MBUFS = 8192,	  /* AF_XDP keeps 4096 in its fill ring, 2048 in its receive ring and 2048 in its send ring */
	EAL_POOL_CACHE = 256,
	EAL_BASE_MEGABYTES = 96, /* EAL itself, rings, drivers; measured 40 with af_xdp */
};

struct eal_arguments {
	char text[EAL_ARGUMENTS_MAX][EAL_ARGUMENT_BYTES];
	char *pointers[EAL_ARGUMENTS_MAX + 1];
	int n;
};

__attribute__((format(printf, 2, 3))) static void eal_argument(struct eal_arguments *arguments, const char *format, ...)
{
	va_list values;

	if (arguments->n == EAL_ARGUMENTS_MAX)
		return;
	va_start(values, format);
	vsnprintf(arguments->text[arguments->n], EAL_ARGUMENT_BYTES, format, values);
	va_end(values);
	arguments->pointers[arguments->n] = arguments->text[arguments->n];
	arguments->n++;
}

bool eal_device_pci_name(const char *device, char ret_name[EAL_PCI_NAME_BYTES])
{
	unsigned domain, bus, slot, function;
	int end = 0;

	if (sscanf(device, "%4x:%2x:%2x.%1x%n", &domain, &bus, &slot, &function, &end) != 4 || device[end] != '\0') {
		domain = 0;
		end = 0;
		if (sscanf(device, "%2x:%2x.%1x%n", &bus, &slot, &function, &end) != 3 || device[end] != '\0')
			return false;
	}
	snprintf(ret_name, EAL_PCI_NAME_BYTES, "%04x:%02x:%02x.%x", domain & 0xffff, bus & 0xff, slot & 0xff, function & 0xf);
	return true;
}

bool eal_device_is_pci(const char *device)
{
	char name[EAL_PCI_NAME_BYTES];

	return eal_device_pci_name(device, name);
}

static unsigned eal_pool_mbufs(const struct options *options)
{
	return options->n_pairs * 2 * options->n_queues * EAL_QUEUE_MBUFS + options->n_lcores * EAL_BURST_RESERVE;
}

/* A line of a file in /proc or /sys as a number; 0 when it cannot be read. */
static unsigned long eal_file_number(const char *path)
{
	unsigned long value = 0;
	FILE *file = fopen(path, "re");

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

static bool eal_hugetlbfs_is_mounted(void)
{
	char line[512];
	bool found = false;
	FILE *file = fopen("/proc/mounts", "re");

	if (!file)
		return true; /* unknown: let EAL find out */
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, " hugetlbfs ") != NULL;
	fclose(file);
	return found;
}

/* What EAL would only say in many lines of its own. */
static int eal_check(const struct options *options)
{
	unsigned long megabytes = eal_file_number("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages") * 2 +
				  eal_file_number("/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages") * 1024;

	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (geteuid() != 0 && access("/dev/vfio/vfio", R_OK | W_OK) != 0) {
		fputs("weir-dataplane: no permission to drive ports; run it as root, or give its user /dev/vfio and CAP_NET_ADMIN, CAP_NET_RAW, CAP_IPC_LOCK and CAP_SYS_NICE.\n",
			stderr);
		return -EPERM;
	}
	for (unsigned i = 0; i < options->n_lcores; i++)
		if (!CPU_ISSET(options->lcores[i], &cpus)) {
			fprintf(stderr, "weir-dataplane: --lcores names CPU %u, which this machine does not have or this process may not use.\n",
				options->lcores[i]);
			return -EINVAL;
		}
	if (!options->huge)
		return 0;
	if (megabytes == 0) {
		fputs("weir-dataplane: no huge pages are free; get them with \"sysctl -w vm.nr_hugepages=512\" (1 GiB), or run with --memory no-huge.\n",
			stderr);
		return -ENOMEM;
	}
	if (!eal_hugetlbfs_is_mounted()) {
		fputs("weir-dataplane: hugetlbfs is not mounted; mount it with \"mkdir -p /dev/hugepages && mount -t hugetlbfs none /dev/hugepages\", or run with --memory no-huge.\n",
			stderr);
		return -ENOENT;
	}
	return 0;
}

static void eal_arguments_build(const struct options *options, struct eal_arguments *arguments)
{
	char lcores[EAL_ARGUMENT_BYTES] = "";
	uint64_t pool_bytes;
	size_t used = 0;
	bool pci = false;

	eal_argument(arguments, "weir-dataplane");
	/* lcore ids count from 0 whatever the CPUs are called: rings, counters and flows are indexed by them. */
	for (unsigned i = 0; i < options->n_lcores && used < sizeof(lcores); i++)
		used += (size_t)snprintf(lcores + used, sizeof(lcores) - used, "%s%u@%u", i ? "," : "", i, options->lcores[i]);
	eal_argument(arguments, "--lcores=%s", lcores);
	eal_argument(arguments, "--file-prefix=weir-%s", options->instance);
	eal_argument(arguments, "--no-telemetry");
	eal_argument(arguments, "--log-level=*:warning");
	if (!options->huge) {
		/* Each mbuf: its data room, struct rte_mbuf (128) and the mempool header (64). */
		eal_argument(arguments, "--no-huge");
		eal_argument(arguments, "--no-shconf");
		eal_argument(arguments, "-m");
		pool_bytes = (uint64_t)eal_pool_mbufs(options) * (port_data_bytes(options) + sizeof(struct rte_mbuf) + 64);
		eal_argument(arguments, "%u", EAL_BASE_MEGABYTES + (unsigned)(pool_bytes >> 20));
	}
	for (unsigned i = 0; i < options->n_pairs; i++) {
		const char *devices[2] = { options->pairs[i].outside, options->pairs[i].inside };

		for (unsigned j = 0; j < 2; j++) {
			char name[EAL_PCI_NAME_BYTES];

			if (eal_device_pci_name(devices[j], name)) {
				eal_argument(arguments, "--allow=%s", name);
				pci = true;
			}
		}
	}
	/* Without it EAL would take every NIC that is bound to vfio, also those of other programs. */
	if (!pci)
		eal_argument(arguments, "--no-pci");
	for (unsigned i = 0; i < options->n_eal_arguments; i++)
		eal_argument(arguments, "%s", options->eal_arguments[i]);
}

static void eal_explain(const struct options *options, int error)
{
	switch (error) {
	case EEXIST:
	case EALREADY:
	case EAGAIN:
	case EBUSY:
		fprintf(stderr, "weir-dataplane: another DPDK process uses the name \"weir-%s\"; stop it, or choose another --instance.\n",
			options->instance);
		break;
	case ENOMEM:
		fputs("weir-dataplane: EAL got too little memory; reserve more huge pages (vm.nr_hugepages), or use fewer --queues.\n", stderr);
		break;
	case EACCES:
	case EPERM:
		fputs("weir-dataplane: EAL was refused permission; run as root.\n", stderr);
		break;
	default:
		fprintf(stderr, "weir-dataplane: EAL could not start (%s); check --lcores against the CPUs of this machine and each --eal argument.\n",
			rte_strerror(error));
	}
}

/* EAL answers an argument that it does not like with pages of usage on standard output. */
static int eal_init_quietly(struct eal_arguments *arguments)
{
	int saved, null = open("/dev/null", O_WRONLY | O_CLOEXEC), rc;

	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	if (null >= 0 && saved >= 0)
		dup2(null, STDOUT_FILENO);
	rc = rte_eal_init(arguments->n, arguments->pointers);
	fflush(stdout);
	if (null >= 0 && saved >= 0)
		dup2(saved, STDOUT_FILENO);
	if (null >= 0)
		close(null);
	if (saved >= 0)
		close(saved);
	return rc;
}

int eal_start(const struct options *options)
{
	static struct eal_arguments arguments; /* EAL keeps pointers into it */
	int rc = eal_check(options);

	if (rc < 0)
		return rc;
	eal_arguments_build(options, &arguments);
	if (eal_init_quietly(&arguments) < 0) {
		rc = rte_errno > 0 ? rte_errno : EINVAL;
		eal_explain(options, rc);
		return -rc;
	}
	return 0;
}

/* As rte_pktmbuf_pool_create, but without its spreading of objects over memory channels: net_af_xdp hands the kernel
 * (number of objects) * (size of one) bytes from the first, so a gap anywhere leaves the last objects outside, and each of them that
 * gets into a fill ring is lost there. 4096 bytes each, from a page's start, leave no gap in pages of any size. */
struct rte_mempool *eal_pool_create(const struct options *options, unsigned data_bytes)
{
	struct rte_pktmbuf_pool_private private = { .mbuf_data_room_size = (uint16_t)data_bytes };
	unsigned n = eal_pool_mbufs(options), element_bytes = (unsigned)sizeof(struct rte_mbuf) + data_bytes;
	struct rte_mempool *pool = rte_mempool_create_empty("weir_frames", n, element_bytes, EAL_POOL_CACHE, sizeof(private),
		(int)rte_socket_id(), RTE_MEMPOOL_F_NO_SPREAD);

	if (pool && rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) == 0) {
		rte_pktmbuf_pool_init(pool, &private);
		if (rte_mempool_populate_default(pool) == (int)n) {
			rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
			return pool;
		}
	}
	rte_mempool_free(pool);
	fprintf(stderr, "weir-dataplane: no memory for %u frame buffers (%s); reserve more huge pages, or use fewer --queues.\n", n,
		rte_strerror(rte_errno));
	return NULL;
}

/* Unlink what begins with `prefix` in a directory. */
static void eal_unlink_all(const char *directory, const char *prefix)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;

	while (entries && (entry = readdir(entries)) != NULL)
		if (entry->d_type == DT_REG && strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			unlinkat(dirfd(entries), entry->d_name, 0);
	if (entries)
		closedir(entries);
}

/* EAL leaves some of its pages and its shared configuration behind. The instance is ours alone (the segment's lock says so), so
 * at a clean end both can go at once instead of at the next start. */
static void eal_leftovers_remove(const struct options *options, const char *runtime_directory)
{
	char prefix[PATHS_INSTANCE_MAX + 16], line[512], mount[256];
	FILE *mounts = options->huge ? fopen("/proc/mounts", "re") : NULL;

	snprintf(prefix, sizeof(prefix), "weir-%smap_", options->instance);
	while (mounts && fgets(line, sizeof(line), mounts))
		if (sscanf(line, "%*s %255s hugetlbfs ", mount) == 1 && strstr(line, " hugetlbfs "))
			eal_unlink_all(mount, prefix);
	if (mounts)
		fclose(mounts);
	if (options->huge)
		eal_unlink_all(runtime_directory, "");
	rmdir(runtime_directory);
}

void eal_stop(const struct options *options)
{
	char runtime_directory[256];

	snprintf(runtime_directory, sizeof(runtime_directory), "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	eal_leftovers_remove(options, runtime_directory);
}
