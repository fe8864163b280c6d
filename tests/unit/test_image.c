// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the image's validation and of image files: every byte flipped, every length cut, every rule of
 * image.h broken one at a time under a right checksum, and files that vanish, shrink or do not fit.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sched.h>
#include <unistd.h>

#include "shm/image_file.h"
#include "shm/image_layout.h"
#include "tests/check.h"
#include "tests/unit/image_fixture.h"

static void *small_image(size_t *ret_bytes)
{
	void *block = image_fixture_small(ret_bytes);
	struct image_view view;

	if (!CHECK_TRUE("a small image is built", block != NULL))
		exit(EXIT_FAILURE);
	CHECK_EQ("it is valid", (int)image_validate(block, *ret_bytes, &view), (int)IMAGE_OK);
	return block;
}

static bool is_sentence(const char *text)
{
	size_t n = strlen(text);

	return n > 20 && text[n - 1] == '.';
}

static void test_view(void)
{
	size_t bytes;
	void *block = small_image(&bytes);
	struct image_view view;

	CHECK_EQ("valid", (int)image_validate(block, bytes, &view), (int)IMAGE_OK);
	CHECK_EQ("the stamp is in the header", view.header->generation, 3u);
	CHECK_EQ("covers", view.header->covers_sequence, 9u);
	CHECK_EQ("the policy is there", view.policy->limit_hard, 100u);
	CHECK_EQ("one node address", view.n_node_addresses, 1u);
	CHECK_EQ("two services", view.n_services, 2u);
	CHECK_EQ("service order is the order of adding", view.services[1].protocol, 17u);
	CHECK_EQ("two IPv4 bans", view.n_bans_v4, 2u);
	CHECK_EQ("ascending", view.bans_v4[0].address, 0xcb007105u);
	CHECK_EQ("one site", view.n_bans_v6, 1u);
	CHECK_EQ("its number", view.bans_v6[0].site, UINT64_C(0x20010db800010000));
	CHECK_EQ("one exact", view.n_bans_exact, 1u);
	CHECK_EQ("its low half", view.bans_exact[0].low, 1u);
	CHECK_EQ("four labels and label 0", view.n_list_labels, 5u);
	free(block);
}

static void test_flipped(void)
{
	size_t bytes;
	uint8_t *block = small_image(&bytes);
	struct image_view view;

	for (size_t i = 0; i < bytes; i++) {
		for (int bit = 0; bit < 8; bit++) {
			enum image_error error;

			block[i] ^= (uint8_t)(1 << bit);
			error = image_validate(block, bytes, &view);
			if (error == IMAGE_OK)
				CHECK_FAIL("every flipped bit is refused", "byte %zu bit %d was accepted", i,
					bit);
			else if (!is_sentence(image_error_text(error)))
				CHECK_FAIL("every refusal has a sentence", "error %d", (int)error);
			block[i] ^= (uint8_t)(1 << bit);
		}
	}
	CHECK_EQ("flipped back it is valid", (int)image_validate(block, bytes, &view), (int)IMAGE_OK);
	free(block);
}

/* Each length in a block of exactly that size, so that ASan sees a read behind it. */
static void test_truncated(void)
{
	size_t bytes;
	uint8_t *block = small_image(&bytes);
	struct image_view view;

	for (size_t n = 0; n < bytes; n++) {
		uint8_t *cut;
		enum image_error error;

		if (posix_memalign((void **)&cut, 64, n ? n : 1) != 0)
			exit(EXIT_FAILURE);
		memcpy(cut, block, n);
		error = image_validate(cut, n, &view);
		if (error != (n < sizeof(struct image_header) ? IMAGE_ERROR_SHORT : IMAGE_ERROR_SIZE))
			CHECK_FAIL("every cut is refused", "length %zu: %d", n, (int)error);
		free(cut);
	}
	free(block);
}

static struct image_header *header_of(uint8_t *block)
{
	return (struct image_header *)block;
}

static void *section_of(uint8_t *block, enum image_section section)
{
	return block + header_of(block)->sections[section].offset_bytes;
}

#define POLICY(block)        ((struct image_policy *)section_of(block, IMAGE_SECTION_POLICY))
#define SERVICE(block)       ((struct image_service *)section_of(block, IMAGE_SECTION_SERVICES))
#define LABEL(block)         ((struct image_list_label *)section_of(block, IMAGE_SECTION_LIST_LABELS))
#define V4_STARTS(block)     ((uint32_t *)section_of(block, IMAGE_SECTION_LIST_V4_STARTS))
#define V4_LABELS(block)     ((uint32_t *)section_of(block, IMAGE_SECTION_LIST_V4_LABELS))
#define V6_STARTS(block)     ((struct image_v6_start *)section_of(block, IMAGE_SECTION_LIST_V6_STARTS))
#define V6_LABELS(block)     ((uint32_t *)section_of(block, IMAGE_SECTION_LIST_V6_LABELS))
#define BAN_V4(block)        ((struct image_ban_v4 *)section_of(block, IMAGE_SECTION_BANS_V4))
#define BAN_V6(block)        ((struct image_ban_v6 *)section_of(block, IMAGE_SECTION_BANS_V6))
#define BAN_EXACT(block)     ((struct image_ban_exact *)section_of(block, IMAGE_SECTION_BANS_EXACT))
#define SECTION(block, name) (header_of(block)->sections[IMAGE_SECTION_##name])

/* One wrong field under a right checksum, as a control with a bug or another build would write it. */
#define BREAK(function, statement) \
	static void function(uint8_t *b) \
	{ \
		statement; \
	}
BREAK(break_magic, header_of(b)->magic ^= 1)
BREAK(break_older, header_of(b)->version = 0)
BREAK(break_newer, header_of(b)->version = IMAGE_VERSION + 1)
BREAK(break_layout, header_of(b)->layout_hash ^= 1)
BREAK(break_size, header_of(b)->total_bytes += 64)
BREAK(break_instance, header_of(b)->instance = 0)
BREAK(break_generation, header_of(b)->generation = 0)
BREAK(break_reserved, header_of(b)->reserved = 1)
BREAK(break_outside, SECTION(b, BANS_V4).offset_bytes = UINT64_C(1) << 63)
BREAK(break_wrapping, SECTION(b, BANS_V4).count = UINT64_MAX / 8 + 2)
BREAK(break_misaligned, SECTION(b, BANS_V4).offset_bytes += 8)
BREAK(break_in_header, SECTION(b, BANS_V4).offset_bytes = 64)
BREAK(break_overlap, SECTION(b, BANS_V4).offset_bytes = SECTION(b, LIST_LABELS).offset_bytes)
BREAK(break_long, SECTION(b, BANS_EXACT).count += 100)
BREAK(break_no_policy, SECTION(b, POLICY).count = 0)
BREAK(break_no_labels, SECTION(b, LIST_LABELS).count = 0)
BREAK(break_no_starts, SECTION(b, LIST_V4_STARTS).count = SECTION(b, LIST_V4_LABELS).count = 0)
BREAK(break_uneven, SECTION(b, LIST_V6_LABELS).count -= 1)
BREAK(break_mode, POLICY(b)->mode = 2)
BREAK(break_other, POLICY(b)->other_policy = 2)
BREAK(break_accept, POLICY(b)->accept_inbound = 2)
BREAK(break_verify, POLICY(b)->verify_checksums = 2)
BREAK(break_linear, POLICY(b)->soft_linear = 2)
BREAK(break_burst, POLICY(b)->proven_rate_v4[1].burst = 1000001)
BREAK(break_rate, POLICY(b)->unproven_rate_v6[3].per_1000_s = 1000000001)
BREAK(break_no_refill, POLICY(b)->proven_rate_v6[0].burst = 1)
BREAK(break_concurrency, POLICY(b)->concurrency_v6[2] = UINT32_MAX)
BREAK(break_soft, POLICY(b)->limit_soft = 101)
BREAK(break_replies, POLICY(b)->replies_per_s = UINT32_MAX)
BREAK(break_half_open, POLICY(b)->half_open_timeout_ms = 0)
BREAK(break_tcp_idle, POLICY(b)->tcp_idle_timeout_ms = UINT32_MAX)
BREAK(break_payload_idle, POLICY(b)->payload_idle_timeout_ms = 86400001)
BREAK(break_straggler, POLICY(b)->straggler_timeout_ms = 86400001)
BREAK(break_proven, POLICY(b)->proven_lifetime_ms = 0)
BREAK(break_adopt, POLICY(b)->adopt_window_ms = UINT32_MAX)
BREAK(break_policy_reserved, POLICY(b)->reserved1[7] = 1)
BREAK(break_name, memset(SERVICE(b)->name, 'a', IMAGE_SERVICE_NAME_BYTES))
BREAK(break_name_empty, SERVICE(b)->name[0] = '\0')
BREAK(break_name_escape, SERVICE(b)->name[0] = '\033')
BREAK(break_port, SERVICE(b)->port = 0)
BREAK(break_protocol, SERVICE(b)->protocol = 1)
BREAK(break_challenge, SERVICE(b)->challenge = 3)
BREAK(break_udp_challenge, SERVICE(b)[1].challenge = IMAGE_CHALLENGE_AUTO)
BREAK(break_method, SERVICE(b)->challenge_method = 2)
BREAK(break_unanswered, SERVICE(b)[1].udp_unanswered_packets = 0)
BREAK(break_rst, SERVICE(b)->refuse_with_rst = 2)
BREAK(break_hysteresis, SERVICE(b)->pressure_leave_per_s = 257)
BREAK(break_service_reserved, SERVICE(b)->reserved1[0] = 1)
BREAK(break_twice, SERVICE(b)[1] = SERVICE(b)[0])
BREAK(break_label_0, LABEL(b)[0].kind = IMAGE_LIST_BAN)
BREAK(break_label_self, LABEL(b)[1].parent = 1)
BREAK(break_label_forward, LABEL(b)[1].parent = 2)
BREAK(break_label_kind, LABEL(b)[1].kind = 5)
BREAK(break_label_length, LABEL(b)[1].length = 129)
BREAK(break_label_meta, LABEL(b)[1].meta = 0)
BREAK(break_label_price, LABEL(b)[1].kind = IMAGE_LIST_PRICE)
BREAK(break_label_price_none, (LABEL(b)[1].kind = IMAGE_LIST_PRICE, LABEL(b)[1].meta = 0))
BREAK(break_label_meta_unused, LABEL(b)[2].meta = 1)
BREAK(break_label_order, LABEL(b)[2].length = LABEL(b)[1].length - 1)
BREAK(break_label_allow, LABEL(b)[2].any_allow = 0)
BREAK(break_label_reserved, LABEL(b)[1].reserved = 1)
BREAK(break_v4_first, V4_STARTS(b)[0] = 1)
BREAK(break_v4_order, V4_STARTS(b)[2] = V4_STARTS(b)[1])
BREAK(break_v4_label, V4_LABELS(b)[1] = 5)
BREAK(break_v4_family, V4_LABELS(b)[1] = 3)
BREAK(break_v6_first, V6_STARTS(b)[0].low = 1)
BREAK(break_v6_order, V6_STARTS(b)[2] = V6_STARTS(b)[1])
BREAK(break_v6_label, V6_LABELS(b)[1] = UINT32_MAX)
BREAK(break_ban_v4_order, BAN_V4(b)[1].address = BAN_V4(b)[0].address)
BREAK(break_ban_v4_class, BAN_V4(b)[0].meta &= BAN_META_NEVER)
BREAK(break_ban_v6_class, BAN_V6(b)[0].meta = UINT32_MAX)
BREAK(break_ban_v6_reserved, BAN_V6(b)[0].reserved = 1)
BREAK(break_ban_exact_class, BAN_EXACT(b)[0].meta = 0)

static void test_rules(void)
{
	static const struct {
		const char *name;
		void (*damage)(uint8_t *block);
		enum image_error expected;
	} cases[] = {
		{"a foreign magic", break_magic, IMAGE_ERROR_MAGIC},
		{"an older version", break_older, IMAGE_ERROR_OLDER},
		{"a newer version", break_newer, IMAGE_ERROR_NEWER},
		{"another layout", break_layout, IMAGE_ERROR_LAYOUT},
		{"another size", break_size, IMAGE_ERROR_SIZE},
		{"no instance", break_instance, IMAGE_ERROR_SECTION},
		{"no generation", break_generation, IMAGE_ERROR_SECTION},
		{"a reserved header word", break_reserved, IMAGE_ERROR_SECTION},
		{"a section far outside", break_outside, IMAGE_ERROR_SECTION},
		{"a count whose bytes wrap around", break_wrapping, IMAGE_ERROR_SECTION},
		{"a misaligned section", break_misaligned, IMAGE_ERROR_SECTION},
		{"a section inside the header", break_in_header, IMAGE_ERROR_SECTION},
		{"two sections on the same bytes", break_overlap, IMAGE_ERROR_SECTION},
		{"a section that runs past the end", break_long, IMAGE_ERROR_SECTION},
		{"no policy", break_no_policy, IMAGE_ERROR_SECTION},
		{"no label 0", break_no_labels, IMAGE_ERROR_SECTION},
		{"no interval", break_no_starts, IMAGE_ERROR_SECTION},
		{"fewer labels than intervals", break_uneven, IMAGE_ERROR_SECTION},
		{"an unknown mode", break_mode, IMAGE_ERROR_POLICY},
		{"an unknown policy for other services", break_other, IMAGE_ERROR_POLICY},
		{"accept_inbound above 1", break_accept, IMAGE_ERROR_POLICY},
		{"verify_checksums above 1", break_verify, IMAGE_ERROR_POLICY},
		{"soft_linear above 1", break_linear, IMAGE_ERROR_POLICY},
		{"a burst above a million", break_burst, IMAGE_ERROR_POLICY},
		{"a rate above a million a second", break_rate, IMAGE_ERROR_POLICY},
		{"a burst that never refills", break_no_refill, IMAGE_ERROR_POLICY},
		{"too large a concurrency", break_concurrency, IMAGE_ERROR_POLICY},
		{"a soft limit above the hard one", break_soft, IMAGE_ERROR_POLICY},
		{"too large a reply budget", break_replies, IMAGE_ERROR_POLICY},
		{"half-open flows that end at birth", break_half_open, IMAGE_ERROR_POLICY},
		{"an idle time above 30 days", break_tcp_idle, IMAGE_ERROR_POLICY},
		{"an idle limit above a day", break_payload_idle, IMAGE_ERROR_POLICY},
		{"a straggler limit above a day", break_straggler, IMAGE_ERROR_POLICY},
		{"a proof that ends at birth", break_proven, IMAGE_ERROR_POLICY},
		{"an adoption window above 30 days", break_adopt, IMAGE_ERROR_POLICY},
		{"a reserved policy byte", break_policy_reserved, IMAGE_ERROR_POLICY},
		{"a name without its end", break_name, IMAGE_ERROR_SERVICE},
		{"an empty name", break_name_empty, IMAGE_ERROR_SERVICE},
		{"an escape in a name", break_name_escape, IMAGE_ERROR_SERVICE},
		{"port 0", break_port, IMAGE_ERROR_SERVICE},
		{"a protocol that is neither TCP nor UDP", break_protocol, IMAGE_ERROR_SERVICE},
		{"an unknown challenge", break_challenge, IMAGE_ERROR_SERVICE},
		{"a challenge for UDP", break_udp_challenge, IMAGE_ERROR_SERVICE},
		{"an unknown method", break_method, IMAGE_ERROR_SERVICE},
		{"UDP that may send nothing", break_unanswered, IMAGE_ERROR_SERVICE},
		{"refuse_with_rst above 1", break_rst, IMAGE_ERROR_SERVICE},
		{"pressure that is left above where it is entered", break_hysteresis, IMAGE_ERROR_SERVICE},
		{"a reserved service byte", break_service_reserved, IMAGE_ERROR_SERVICE},
		{"a service twice", break_twice, IMAGE_ERROR_SERVICE},
		{"a label 0 that says something", break_label_0, IMAGE_ERROR_LISTS},
		{"a label that is its own parent", break_label_self, IMAGE_ERROR_LISTS},
		{"a parent that comes later", break_label_forward, IMAGE_ERROR_LISTS},
		{"an unknown kind", break_label_kind, IMAGE_ERROR_LISTS},
		{"a prefix longer than 128", break_label_length, IMAGE_ERROR_LISTS},
		{"a ban without a class", break_label_meta, IMAGE_ERROR_LISTS},
		{"a price above the highest", break_label_price, IMAGE_ERROR_LISTS},
		{"a price of nothing", break_label_price_none, IMAGE_ERROR_LISTS},
		{"a meta word where none belongs", break_label_meta_unused, IMAGE_ERROR_LISTS},
		{"a parent longer than its child", break_label_order, IMAGE_ERROR_LISTS},
		{"a wrong any_allow", break_label_allow, IMAGE_ERROR_LISTS},
		{"a reserved label byte", break_label_reserved, IMAGE_ERROR_LISTS},
		{"IPv4 intervals that begin after 0", break_v4_first, IMAGE_ERROR_LISTS},
		{"IPv4 intervals that do not ascend", break_v4_order, IMAGE_ERROR_LISTS},
		{"an IPv4 interval without its label", break_v4_label, IMAGE_ERROR_LISTS},
		{"an IPv4 interval with an IPv6 label", break_v4_family, IMAGE_ERROR_LISTS},
		{"IPv6 intervals that begin after ::", break_v6_first, IMAGE_ERROR_LISTS},
		{"IPv6 intervals that do not ascend", break_v6_order, IMAGE_ERROR_LISTS},
		{"an IPv6 interval without its label", break_v6_label, IMAGE_ERROR_LISTS},
		{"an IPv4 ban twice", break_ban_v4_order, IMAGE_ERROR_BANS},
		{"an IPv4 ban of no class", break_ban_v4_class, IMAGE_ERROR_BANS},
		{"an IPv6 ban of an unknown class", break_ban_v6_class, IMAGE_ERROR_BANS},
		{"a reserved ban word", break_ban_v6_reserved, IMAGE_ERROR_BANS},
		{"an exact ban of no class", break_ban_exact_class, IMAGE_ERROR_BANS},
	};
	struct image_view view, untouched;

	memset(&view, 0xa5, sizeof(view));
	untouched = view;
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		size_t bytes;
		uint8_t *block = image_fixture_small(&bytes);

		if (!CHECK_TRUE("an image to break", block != NULL))
			return;
		cases[i].damage(block);
		header_of(block)->checksum = image_checksum(block, bytes);
		CHECK_EQ(cases[i].name, (int)image_validate(block, bytes, &view), (int)cases[i].expected);
		CHECK_TRUE(cases[i].name, is_sentence(image_error_text(cases[i].expected)));
		CHECK_MEM_EQ(cases[i].name, &view, &untouched, sizeof(view));
		free(block);
	}
}

static void test_file(void)
{
	char directory[] = "/tmp/weir_test_image_XXXXXX", path[64], new_path[80];
	size_t bytes, read_bytes = 1;
	uint8_t *block = small_image(&bytes);
	void *read_block = NULL;
	struct image_view view;
	struct stat file;

	if (!CHECK_TRUE("a directory", mkdtemp(directory) != NULL))
		return;
	snprintf(path, sizeof(path), "%s/image", directory);
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	CHECK_EQ("no image yet", image_file_read(path, &read_block, &read_bytes), -ENOENT);
	CHECK_EQ("an image is published", image_file_publish(path, block, bytes), 0);
	CHECK_EQ("it is read", image_file_read(path, &read_block, &read_bytes), 0);
	CHECK_EQ("as long as it was", read_bytes, bytes);
	CHECK_MEM_EQ("and the same", read_block, block, bytes);
	CHECK_EQ("its copy is aligned", (uintptr_t)read_block % 64, 0u);
	CHECK_EQ("and valid", (int)image_validate(read_block, read_bytes, &view), (int)IMAGE_OK);
	free(read_block);
	CHECK_EQ("mode", stat(path, &file) == 0 ? file.st_mode & 0777 : 0, 0640u);
	CHECK_TRUE("nothing is left beside it", access(new_path, F_OK) != 0);
	CHECK_EQ("the rest of a killed publisher", mknod(new_path, S_IFREG | 0600, 0), 0);
	CHECK_EQ("is no obstacle", image_file_publish(path, block, bytes), 0);
	CHECK_EQ("a truncated file", truncate(path, (off_t)sizeof(struct image_header) - 1), 0);
	read_block = NULL;
	CHECK_EQ("is refused", image_file_read(path, &read_block, &read_bytes), -ENODATA);
	CHECK_PTR_EQ("and nothing is handed out", read_block, NULL);
	CHECK_EQ("a huge sparse file", truncate(path, (off_t)IMAGE_BYTES_MAX + 1), 0);
	CHECK_EQ("is refused unread", image_file_read(path, &read_block, &read_bytes), -EFBIG);
	CHECK_EQ("a directory at the path", image_file_read(directory, &read_block, &read_bytes), -EINVAL);
	CHECK_EQ("no such directory", image_file_publish("/tmp/weir_no_such_dir/image", block, bytes),
		-ENOENT);
	unlink(path);
	CHECK_EQ("nothing else was left", rmdir(directory), 0);
	free(block);
}

/* In a child with its own mounts, so that a crash leaves nothing behind. Exit status: the step that failed.
 */
static int full_disk_child(const char *directory, const uint8_t *block, size_t bytes)
{
	char path[64], new_path[80];
	void *read_block;
	size_t read_bytes;
	int fd;

	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("tmpfs", directory, "tmpfs", 0, "size=64k") != 0)
		return 1;
	snprintf(path, sizeof(path), "%s/image", directory);
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	if (image_file_publish(path, block, bytes) != 0)
		return 2;
	snprintf(new_path, sizeof(new_path), "%s/filler", directory);
	fd = open(new_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return 3;
	for (int i = 0; i < 16 && posix_fallocate(fd, 0, 4096 * (i + 1)) == 0; i++)
		;
	if (image_file_publish(path, block, bytes) != -ENOSPC)
		return 4;
	if (image_file_read(path, &read_block, &read_bytes) != 0)
		return 5;
	if (read_bytes != bytes || memcmp(read_block, block, bytes) != 0)
		return 6;
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	return access(new_path, F_OK) == 0 ? 7 : 0;
}

static void test_full_disk(void)
{
	char directory[] = "/tmp/weir_test_image_XXXXXX";
	size_t bytes;
	uint8_t *block = small_image(&bytes);
	int status = -1;
	pid_t child;

	if (!CHECK_TRUE("a directory", mkdtemp(directory) != NULL))
		return;
	child = fork();
	if (child == 0)
		_exit(full_disk_child(directory, block, bytes));
	CHECK_TRUE("the child ends", child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK_EQ("a full disk is said and the old image stays (else: the step that failed)",
		WEXITSTATUS(status), 0);
	rmdir(directory);
	free(block);
}

static void test_unknown_error(void)
{
	CHECK_TRUE(
		"an unknown error has a sentence too", is_sentence(image_error_text((enum image_error)99)));
}

static const struct check_test tests[] = {
	{"an image is seen as it was built", test_view},
	{"every flipped bit is refused with a sentence", test_flipped},
	{"every cut is refused", test_truncated},
	{"every rule is enforced under a right checksum", test_rules},
	{"image files are replaced whole", test_file},
	{"a full disk loses nothing", test_full_disk},
	{"unknown errors are said", test_unknown_error},
};
CHECK_MAIN("image", tests)
