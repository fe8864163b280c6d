// SPDX-License-Identifier: BSD-3-Clause
/* Socket names. Pure, any thread.
 */
#include "bench/socket_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

socklen_t socket_address_fill(const struct address *address, uint16_t port, struct sockaddr_storage *ret_name)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_name;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_name;

	memset(ret_name, 0, sizeof(*ret_name));
	if (address_is_v4(address)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		v4->sin_addr.s_addr = htonl(address_v4(address));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, address->bytes, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

void socket_address_read(const struct sockaddr_storage *name, struct address *ret_address)
{
	if (name->ss_family == AF_INET)
		*ret_address = address_from_v4(ntohl(((const struct sockaddr_in *)name)->sin_addr.s_addr));
	else if (name->ss_family == AF_INET6)
		memcpy(ret_address->bytes, &((const struct sockaddr_in6 *)name)->sin6_addr, sizeof(ret_address->bytes));
}

int socket_address_parse(const char *text, struct address *ret_address, uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':');
	char host[PREFIX_TEXT_MAX], *end;
	struct address address;

	if (colon == NULL || colon[1] < '0' || colon[1] > '9')
		return -EINVAL;
	unsigned long port = strtoul(colon + 1, &end, 10);
	size_t length = (size_t)(colon - text);
	bool bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';

	if (*end != '\0' || port == 0 || port > 65535)
		return -EINVAL;
	if (bracketed) {
		text++;
		length -= 2;
	}
	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	/* without brackets an IPv6 address would swallow or lose its last group */
	if (address_parse(host, &address) != 0 || (!bracketed && !address_is_v4(&address)))
		return -EINVAL;
	*ret_address = address;
	*ret_port = (uint16_t)port;
	return 0;
}
