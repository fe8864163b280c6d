// SPDX-License-Identifier: BSD-3-Clause
/* Ports that are kernel interfaces (port_kernel.h), by ioctl, libbpf and /proc/self/fd. Start, stop and the link relay
 * only; nothing here is called while a packet waits. */
#include "dataplane/port_kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

_Static_assert(PORT_KERNEL_NAME_BYTES == IFNAMSIZ, "an interface's name fits");

/* One ioctl on the interface; `request` keeps the answer. */
static int port_kernel_ioctl(const char *interface, unsigned long number, struct ifreq *request)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (fd < 0)
		return -errno;
	snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", interface);
	rc = ioctl(fd, number, request) < 0 ? -errno : 0;
	close(fd);
	return rc;
}

int port_kernel_facts_read(const char *interface, struct port_kernel_facts *ret_facts)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct port_kernel_facts facts = { .index = if_nametoindex(interface) };
	struct ifreq request = { 0 };

	if (facts.index == 0 || port_kernel_ioctl(interface, SIOCGIFMTU, &request) < 0)
		return -ENODEV;
	facts.mtu = (unsigned)request.ifr_mtu;
	memset(&request, 0, sizeof(request));
	request.ifr_data = (void *)&channels;
	if (port_kernel_ioctl(interface, SIOCETHTOOL, &request) == 0)
		facts.receive_queues = channels.rx_count + channels.combined_count;
	*ret_facts = facts;
	return 0;
}

int port_kernel_up_set(const char *interface, bool up)
{
	struct ifreq request = { 0 };
	int rc = port_kernel_ioctl(interface, SIOCGIFFLAGS, &request);

	if (rc < 0)
		return rc;
	if (up == ((request.ifr_flags & IFF_UP) != 0))
		return 0;
	request.ifr_flags = (short)(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
	return port_kernel_ioctl(interface, SIOCSIFFLAGS, &request);
}

int port_kernel_link_get(const char *interface)
{
	struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
	struct ifreq request = { .ifr_data = (void *)&link };
	/* Not IFF_RUNNING: that follows the carrier with a delay of up to a second. */
	int rc = port_kernel_ioctl(interface, SIOCETHTOOL, &request);

	return rc < 0 ? rc : link.data != 0;
}

void port_kernel_libraries_quieten(void)
{
	libbpf_set_print(NULL);
	libxdp_set_print(NULL);
}

int port_kernel_xdp_detach(unsigned index)
{
	uint32_t program = 0;
	int rc = bpf_xdp_query_id((int)index, 0, &program);

	if (rc < 0 || program == 0)
		return rc;
	rc = bpf_xdp_detach((int)index, 0, NULL);
	return rc < 0 ? rc : 1;
}

void port_kernel_fds_read(struct port_kernel_fds *ret_fds)
{
	memset(ret_fds, 0, sizeof(*ret_fds));
	for (int fd = 0; fd < PORT_KERNEL_FDS; fd++)
		if (fcntl(fd, F_GETFD) != -1)
			ret_fds->bits[fd / 64] |= UINT64_C(1) << (fd % 64);
}

int port_kernel_fd_new(const struct port_kernel_fds *before, int domain, int after)
{
	for (int fd = after + 1; fd < PORT_KERNEL_FDS; fd++) {
		int found = 0;
		socklen_t bytes = sizeof(found);

		if (before->bits[fd / 64] & (UINT64_C(1) << (fd % 64)))
			continue;
		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &found, &bytes) == 0 && found == domain)
			return fd;
	}
	return -1;
}

/* net_af_packet puts each of its sockets into a fanout group, whatever its arguments. The group would have the kernel reassemble
 * IPv4 fragments and spread frames over the sockets of an interface, of which only one receives here. The driver has no switch for
 * it, but it is a shared object: its call is resolved to this function (the build exports it), which leaves that one option out. */
int setsockopt(int fd, int level, int option, const void *value, socklen_t bytes)
{
	if (level == SOL_PACKET && option == PACKET_FANOUT)
		return 0;
	return (int)syscall(SYS_setsockopt, fd, level, option, value, bytes);
}

int port_kernel_packet_prepare(int fd, bool receives)
{
	struct sock_filter nothing = { .code = BPF_RET | BPF_K, .k = 0 };
	struct sock_fprog program = { .len = 1, .filter = &nothing };
	int one = 1;

	/* Every packet socket hears every frame, those that another one sends too: one receives, the others only send. */
	if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) != 0)
		return -errno;
	if (!receives && setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) != 0)
		return -errno;
	return 0;
}

/* Interface indexes repeat in other network namespaces: the namespace's inode tells them apart. */
static int port_kernel_lock_path(const char *run_dir, unsigned index, char *path, size_t bytes)
{
	struct stat namespace;

	if (stat("/proc/self/ns/net", &namespace) != 0)
		return -errno;
	snprintf(path, bytes, "%s/port.%lu.%u.lock", run_dir, (unsigned long)namespace.st_ino, index);
	return 0;
}

int port_kernel_lock(const char *run_dir, unsigned index, int *ret_fd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char path[256];
	int fd, rc = port_kernel_lock_path(run_dir, index, path, sizeof(path));

	if (rc < 0)
		return rc;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return -errno;
	if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
		rc = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	return 0;
}

void port_kernel_unlock(const char *run_dir, unsigned index, int fd)
{
	char path[256];

	if (fd < 0)
		return;
	/* Unlinked while locked: whoever opens the name next makes a new file. */
	if (port_kernel_lock_path(run_dir, index, path, sizeof(path)) == 0)
		unlink(path);
	close(fd);
}
