// SPDX-License-Identifier: BSD-3-Clause
/* The pool of client addresses. Indices are spread by reversing their bits: 0, 1/2, 1/4, 3/4 and so on of the range.
 */
#include "bench/dial_sources.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/traffic_model.h"

struct family {
	struct address *addresses;
	uint32_t n, next;
};

struct dial_sources {
	struct family families[2]; /* v6, v4 */
};

static uint64_t bits_reverse(uint64_t value, unsigned bits)
{
	uint64_t reversed = 0;

	for (unsigned i = 0; i < bits; i++)
		reversed |= ((value >> i) & 1) << (bits - 1 - i);
	return reversed;
}

static struct address v4_at(uint32_t base, unsigned host_bits, uint32_t index)
{
	if (host_bits == 0)
		return address_from_v4(base);
	if (host_bits <= 8) {
		/* not the network's own and not the broadcast address, where there are such */
		uint32_t usable = host_bits > 1 ? (1u << host_bits) - 2 : 2;

		return address_from_v4(base + (host_bits > 1) + index % usable);
	}
	uint32_t subnets = 1u << (host_bits - 8);
	uint32_t subnet = (uint32_t)bits_reverse(index % subnets, host_bits - 8);
	/* 37 is coprime to 254: hosts of one subnet lie apart and do not repeat before 254 of them */
	uint32_t host = 1 + (10 + index / subnets * 37) % 254;

	return address_from_v4(base + (subnet << 8) + host);
}

struct address dial_source_at(const struct prefix *prefix, uint32_t index)
{
	struct address address = prefix->address;

	if (prefix_is_v4(prefix))
		return v4_at(address_v4(&prefix->address), PREFIX_HOST_LENGTH - prefix->length, index);

	unsigned site_bits = PREFIX_V6_SITE_LENGTH - prefix->length;
	uint64_t site = address_v6_site(&address) | bits_reverse(index, site_bits);
	for (unsigned i = 0; i < 8; i++)
		address.bytes[i] = (uint8_t)(site >> (56 - 8 * i));
	address.bytes[15] = 1;
	return address;
}

static int family_create(struct family *family, const struct prefix *prefixes, size_t n_prefixes, bool v4,
	uint32_t first, uint32_t count, uint64_t *state)
{
	const struct prefix *of_family[DIAL_SOURCE_PREFIXES_MAX];
	uint32_t n = 0;

	for (size_t i = 0; i < n_prefixes; i++) {
		if (prefix_is_v4(&prefixes[i]) == v4)
			of_family[n++] = &prefixes[i];
	}
	if (n == 0)
		return 0;
	family->addresses = calloc(count, sizeof(family->addresses[0]));
	if (family->addresses == NULL)
		return -ENOMEM;
	family->n = count;
	for (uint32_t i = 0; i < count; i++)
		family->addresses[i] = dial_source_at(of_family[(first + i) % n], (first + i) / n);
	for (uint32_t i = count - 1; i > 0; i--) { /* Fisher and Yates */
		uint32_t other = (uint32_t)(traffic_random_next(state) % (i + 1));
		struct address kept = family->addresses[i];

		family->addresses[i] = family->addresses[other];
		family->addresses[other] = kept;
	}
	return 0;
}

int dial_sources_create(const struct prefix *prefixes, size_t n_prefixes, uint32_t first, uint32_t per_family,
	uint64_t seed, struct dial_sources **ret_sources)
{
	if (n_prefixes == 0 || n_prefixes > DIAL_SOURCE_PREFIXES_MAX || per_family == 0 || per_family > DIAL_SOURCES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n_prefixes; i++) {
		if (!prefix_is_v4(&prefixes[i]) && prefixes[i].length > PREFIX_V6_SITE_LENGTH)
			return -EINVAL;
	}
	struct dial_sources *sources = calloc(1, sizeof(*sources));
	if (sources == NULL)
		return -ENOMEM;
	for (int v4 = 0; v4 < 2; v4++) {
		int result = family_create(&sources->families[v4], prefixes, n_prefixes, v4, first, per_family, &seed);

		if (result != 0) {
			dial_sources_destroy(sources);
			return result;
		}
	}
	*ret_sources = sources;
	return 0;
}

void dial_sources_destroy(struct dial_sources *sources)
{
	if (sources == NULL)
		return;
	free(sources->families[0].addresses);
	free(sources->families[1].addresses);
	free(sources);
}

bool dial_sources_next(struct dial_sources *sources, bool v4, struct address *ret_address, uint32_t *ret_index)
{
	struct family *family = &sources->families[v4];

	if (family->n == 0)
		return false;
	*ret_index = family->next;
	*ret_address = family->addresses[family->next];
	family->next = family->next + 1 == family->n ? 0 : family->next + 1;
	return true;
}
