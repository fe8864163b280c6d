// SPDX-License-Identifier: BSD-3-Clause
/* The corpus of fuzz_image: DIRECTORY checks that each file there is what this program builds and is still a
 * valid image, so a change of the format cannot leave the corpus behind unseen; `--write DIRECTORY` writes it
 * anew after such a change.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/image_fixture.h"

struct corpus_image {
	const char *name;
	void *(*build)(size_t *ret_bytes);
};

static void *corpus_finish(struct image_builder *builder, size_t *ret_bytes)
{
	const struct image_stamp stamp = {.instance = 1, .generation = 1};
	void *block;

	if (image_builder_finish(builder, &stamp, &block, ret_bytes) != 0)
		abort();
	image_builder_destroy(builder);
	return block;
}

static void *corpus_no_lists(size_t *ret_bytes)
{
	return corpus_finish(image_fixture_builder(), ret_bytes);
}

/* Every eighth length of both families, all kinds, at both ends of the address space. */
static void *corpus_nested(size_t *ret_bytes)
{
	struct image_builder *builder = image_fixture_builder();

	for (unsigned length = 0; length <= 128; length += 8)
		for (int kind = IMAGE_LIST_ALLOW; kind <= IMAGE_LIST_PRICE; kind++) {
			struct address last, v4 = address_from_v4(length % 16 ? 0 : UINT32_MAX);
			struct prefix prefix;

			memset(&last, 0xff, sizeof(last));
			prefix = prefix_of(length >= PREFIX_V4_BASE ? &v4 : &last, (uint8_t)length);
			if (image_builder_add_list(builder, (enum image_list_kind)kind, &prefix,
				    kind == IMAGE_LIST_PRICE ? 9 : ban_meta_make(SOURCE_CLASS_BANNED, 9)) !=
				0)
				abort();
		}
	return corpus_finish(builder, ret_bytes);
}

static void *corpus_bans(size_t *ret_bytes)
{
	struct image_builder *builder = image_fixture_builder();

	for (uint32_t i = 0; i < 40; i++) {
		struct prefix v4 = {.address = address_from_v4(i * 77777), .length = 128};
		struct prefix v6 = {.length = i % 2 ? 64 : 128};
		uint32_t meta = ban_meta_make((enum source_class)(1 + i % 4), i);

		v6.address.bytes[0] = 0x20;
		v6.address.bytes[5] = (uint8_t)i;
		v6.address.bytes[15] = i % 2 ? 0 : (uint8_t)i;
		if (image_builder_add_ban(builder, &v4, meta) != 0 ||
			image_builder_add_ban(builder, &v6, meta) != 0)
			abort();
	}
	return corpus_finish(builder, ret_bytes);
}

/* Everything that the defence against floods is told: both methods, QUIC, paces, limits of flows, prices. */
static void *corpus_defence(size_t *ret_bytes)
{
	struct image_policy policy = image_fixture_policy();
	struct image_service proxied = image_fixture_service(80, 6), first = image_fixture_service(22, 6),
			     quic = image_fixture_service(443, 17);
	struct prefix dear = image_fixture_prefix("203.0.113.0/24"),
		      cheap = image_fixture_prefix("203.0.113.128/25"),
		      dear_v6 = image_fixture_prefix("2001:db8::/32");
	struct image_builder *builder = image_fixture_builder();

	policy.flood_per_s = 13107;
	policy.challenge_bad_per_s = 12;
	policy.replies_per_prefix_per_s = 1000;
	policy.payload_idle_timeout_ms = 60000;
	policy.straggler_timeout_ms = 120000;
	policy.clients_per_limit = 32;
	proxied.challenge_method = IMAGE_METHOD_PROXY;
	first.challenge_method = IMAGE_METHOD_RESET;
	first.server_first = 1;
	quic.quic = 1;
	quic.amplification_limit = 3;
	quic.paced_per_s = 256;
	if (image_builder_set_policy(builder, &policy) != 0 ||
		image_builder_add_service(builder, &proxied) != 0 ||
		image_builder_add_service(builder, &first) != 0 ||
		image_builder_add_service(builder, &quic) != 0 ||
		image_builder_add_list(builder, IMAGE_LIST_PRICE, &dear, 64) != 0 ||
		image_builder_add_list(builder, IMAGE_LIST_PRICE, &cheap, 8) != 0 ||
		image_builder_add_list(builder, IMAGE_LIST_PRICE, &dear_v6, IMAGE_PRICE_MAX) != 0)
		abort();
	return corpus_finish(builder, ret_bytes);
}

static bool corpus_file_is(const char *path, const void *block, size_t bytes)
{
	uint8_t *copy = malloc(bytes + 1);
	FILE *file = fopen(path, "rb");
	bool same =
		copy && file && fread(copy, 1, bytes + 1, file) == bytes && memcmp(copy, block, bytes) == 0;

	if (file)
		fclose(file);
	free(copy);
	if (!same)
		fprintf(stderr, "%s is not what the builder makes now; write the corpus anew with --write\n",
			path);
	return same;
}

static bool corpus_file_write(const char *path, const void *block, size_t bytes)
{
	FILE *file = fopen(path, "wb");
	bool written = file && fwrite(block, 1, bytes, file) == bytes;

	return file && fclose(file) == 0 && written;
}

int main(int argc, char **argv)
{
	static const struct corpus_image images[] = {
		{"small", image_fixture_small},
		{"no_lists", corpus_no_lists},
		{"nested", corpus_nested},
		{"bans", corpus_bans},
		{"defence", corpus_defence},
	};
	bool writing = argc == 3 && strcmp(argv[1], "--write") == 0;
	unsigned passed = 0, failed = 0;

	if (argc != 2 && !writing) {
		fprintf(stderr, "usage: %s [--write] DIRECTORY\n", argv[0]);
		return 2;
	}
	for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
		char path[4096];
		size_t bytes;
		void *block = images[i].build(&bytes);
		struct image_view view;
		bool good = block && image_validate(block, bytes, &view) == IMAGE_OK;

		snprintf(path, sizeof(path), "%s/%s", argv[argc - 1], images[i].name);
		good = good && (writing ? corpus_file_write : corpus_file_is)(path, block, bytes);
		free(block);
		passed += good;
		failed += !good;
	}
	printf("suite image_corpus: %u passed, %u failed\n", passed, failed);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
