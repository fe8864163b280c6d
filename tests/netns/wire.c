// SPDX-License-Identifier: BSD-3-Clause
/* Raw frames on one interface (wire.h).
 */
#include "tests/netns/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { LISTENER_BYTES = 64 << 20, IPV4_BYTES = 20, IPV6_BYTES = 40 };

static int wire_open(const char *interface, int protocol)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
		.sll_protocol = htons((uint16_t)protocol),
		.sll_ifindex = (int)if_nametoindex(interface)};
	int fd, error;

	if (address.sll_ifindex == 0)
		return -ENODEV;
	/* Protocol 0: hears nothing, not even of other interfaces before the bind. */
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int wire_open_sender(const char *interface)
{
	int fd = wire_open(interface, 0), yes = 1;

	if (fd >= 0)
		(void)setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof(yes));
	return fd;
}

int wire_open_listener(const char *interface)
{
	int fd = wire_open(interface, ETH_P_ALL), yes = 1, bytes = LISTENER_BYTES, error;

	if (fd < 0)
		return fd;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) == 0 &&
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes)) == 0 &&
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof(yes)) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

int wire_open_in(const char *namespace_path, int (*open_socket)(const char *interface), const char *interface)
{
	int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(namespace_path, O_RDONLY | O_CLOEXEC);
	int fd = -EBADF;

	if (home >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0) {
		fd = open_socket(interface);
		if (setns(home, CLONE_NEWNET) != 0)
			_exit(70); /* nothing of a test is safe in the wrong namespace */
	}
	close(home);
	close(there);
	return fd;
}

int wire_send(int fd, const struct frame *const frames[], unsigned n)
{
	struct mmsghdr messages[WIRE_BATCH];
	struct iovec parts[WIRE_BATCH];

	while (n > 0) {
		unsigned batch = n < WIRE_BATCH ? n : WIRE_BATCH;
		int sent;

		memset(messages, 0, sizeof(messages[0]) * batch);
		for (unsigned i = 0; i < batch; i++) {
			parts[i] = (struct iovec){
				.iov_base = (void *)(uintptr_t)frames[i]->bytes, .iov_len = frames[i]->n};
			messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
		}
		sent = sendmmsg(fd, messages, batch, 0);
		if (sent < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (sent < 0) {
			struct timespec pause = {.tv_nsec = 20000};

			nanosleep(&pause, NULL);
			continue;
		}
		frames += sent;
		n -= (unsigned)sent;
	}
	return 0;
}

static bool parse(const uint8_t *bytes, size_t n, struct wire_packet *packet)
{
	size_t l4 = ETH_HLEN;
	uint16_t type;

	if (n < ETH_HLEN + IPV4_BYTES)
		return false;
	type = (uint16_t)(bytes[12] << 8 | bytes[13]);
	if (type == ETH_P_IP) {
		packet->source = address_from_v4((uint32_t)bytes[26] << 24 | (uint32_t)bytes[27] << 16 |
						 (uint32_t)bytes[28] << 8 | bytes[29]);
		packet->destination = address_from_v4((uint32_t)bytes[30] << 24 | (uint32_t)bytes[31] << 16 |
						      (uint32_t)bytes[32] << 8 | bytes[33]);
		packet->protocol = bytes[23];
		l4 += (size_t)(bytes[14] & 15) * 4;
	} else if (type == ETH_P_IPV6 && n >= ETH_HLEN + IPV6_BYTES) {
		memcpy(packet->source.bytes, bytes + 22, 16);
		memcpy(packet->destination.bytes, bytes + 38, 16);
		packet->protocol = bytes[20];
		l4 += IPV6_BYTES;
	} else {
		return false;
	}
	packet->source_port = packet->destination_port = 0;
	packet->tcp_flags = 0;
	if ((packet->protocol == IPPROTO_TCP || packet->protocol == IPPROTO_UDP) && n >= l4 + 4) {
		packet->source_port = (uint16_t)(bytes[l4] << 8 | bytes[l4 + 1]);
		packet->destination_port = (uint16_t)(bytes[l4 + 2] << 8 | bytes[l4 + 3]);
	}
	if (packet->protocol == IPPROTO_TCP && n >= l4 + 14)
		packet->tcp_flags = bytes[l4 + 13];
	return true;
}

static int64_t arrival_ns(struct msghdr *message)
{
	for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
		struct timespec time;

		if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&time, CMSG_DATA(part), sizeof(time));
		return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
	}
	return 0;
}

int wire_receive(int fd, struct wire_packet packets[WIRE_BATCH], int wait_ms)
{
	static _Thread_local uint8_t bytes[WIRE_BATCH][WIRE_FRAME_BYTES];
	static _Thread_local _Alignas(struct cmsghdr) uint8_t controls[WIRE_BATCH][128];
	struct mmsghdr messages[WIRE_BATCH] = {0};
	struct iovec parts[WIRE_BATCH];
	struct pollfd ready = {.fd = fd, .events = POLLIN};
	int n, used = 0;

	if (wait_ms != 0 && poll(&ready, 1, wait_ms) <= 0)
		return 0;
	for (unsigned i = 0; i < WIRE_BATCH; i++) {
		parts[i] = (struct iovec){.iov_base = bytes[i], .iov_len = WIRE_FRAME_BYTES};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
			.msg_iovlen = 1,
			.msg_control = controls[i],
			.msg_controllen = sizeof(controls[i])};
	}
	n = recvmmsg(fd, messages, WIRE_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		if (!parse(bytes[i], messages[i].msg_len, &packets[used]))
			continue;
		packets[used++].time_ns = arrival_ns(&messages[i].msg_hdr);
	}
	return used;
}

unsigned wire_lost(int fd)
{
	struct tpacket_stats stats;
	socklen_t bytes = sizeof(stats);

	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0 ? stats.tp_drops : 0;
}

bool wire_mac_parse(const char *text, uint8_t ret_mac[6])
{
	int end = 0;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%n", &ret_mac[0], &ret_mac[1], &ret_mac[2],
		       &ret_mac[3], &ret_mac[4], &ret_mac[5], &end) == 6 &&
	       text[end] == '\0';
}

int64_t wire_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}
