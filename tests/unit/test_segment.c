// SPDX-License-Identifier: BSD-3-Clause
/* Tests of segments: ownership across processes and deaths, every byte of the header flipped, foreign files,
 * take-over, readers of truncated and replaced files, a full disk; and of the checksum, both variants.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/checksum.h"
#include "shm/segment.h"
#include "shm/segment_header.h"
#include "tests/check.h"
#include "tests/unit/segment_fixture.h"

enum { LAYOUT = 0x1234, PAYLOAD = 8192 };

static const uint64_t parameters[8] = {5, 6, 7};

static enum segment_error create(const char *path, struct segment *segment)
{
	return segment_create(path, SEGMENT_KIND_CONTROL, LAYOUT, PAYLOAD, parameters, segment);
}

static void test_create_and_read(void)
{
	struct segment_fixture fixture;
	struct segment segment;
	struct segment_reader reader;
	char copy[16] = "";
	struct stat file;

	segment_fixture_make(&fixture);
	CHECK_EQ("a segment is made", (int)create(fixture.path, &segment), (int)SEGMENT_OK);
	CHECK_TRUE("nothing is left beside it", access(fixture.new_path, F_OK) != 0);
	CHECK_EQ("mode", stat(fixture.path, &file) == 0 ? file.st_mode & 0777 : 0, 0640u);
	CHECK_TRUE("its space is allocated", file.st_blocks * 512 >= PAYLOAD + SEGMENT_HEADER_BYTES);
	CHECK_EQ("payload size", segment.payload_bytes, (size_t)PAYLOAD);
	CHECK_TRUE("an instance", segment.header->instance != 0);
	memcpy((char *)segment.payload + PAYLOAD - 6, "hello", 6);
	atomic_store(&segment.header->heartbeat_ns, 99);
	CHECK_EQ("a reader opens it",
		(int)segment_reader_open(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &reader),
		(int)SEGMENT_OK);
	CHECK_EQ("with its parameters", reader.header.parameters[2], 7u);
	CHECK_EQ("its pid", reader.header.owner_pid, (uint32_t)getpid());
	CHECK_EQ("heartbeat", segment_reader_heartbeat_ns(&reader), 99u);
	CHECK_EQ("the payload is read", segment_reader_read(&reader, PAYLOAD - 6, copy, 6), 0);
	CHECK_EQ("as written", (const char *)copy, "hello");
	CHECK_EQ("not one byte behind the end", segment_reader_read(&reader, PAYLOAD - 5, copy, 6), -ENODATA);
	CHECK_EQ("nor with an offset that wraps", segment_reader_read(&reader, SIZE_MAX - 2, copy, 6),
		-ENODATA);
	CHECK_FALSE("it is not stale", segment_reader_is_stale(&reader, fixture.path));
	segment_close(&segment, fixture.path);
	CHECK_TRUE("it is stale when it is gone", segment_reader_is_stale(&reader, fixture.path));
	CHECK_EQ("and still readable", segment_reader_read(&reader, PAYLOAD - 6, copy, 6), 0);
	segment_reader_close(&reader);
	CHECK_EQ("no segment", (int)segment_reader_open(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &reader),
		(int)SEGMENT_ERROR_ABSENT);
	CHECK_TRUE("nothing else was left", segment_fixture_remove(&fixture));
}

static void test_reader_meets_change(void)
{
	struct segment_fixture fixture;
	struct segment first, second;
	struct segment_reader reader;
	char copy[16];

	segment_fixture_make(&fixture);
	CHECK_EQ("a segment is made", (int)create(fixture.path, &first), (int)SEGMENT_OK);
	CHECK_EQ("opened", (int)segment_reader_open(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &reader),
		(int)SEGMENT_OK);
	atomic_store(&first.header->heartbeat_ns, 5);
	segment_close(&first, NULL);
	CHECK_EQ("a new owner replaces it", (int)create(fixture.path, &second), (int)SEGMENT_OK);
	CHECK_TRUE("the instance is another", second.header->instance != reader.header.instance);
	CHECK_TRUE("the reader can tell", segment_reader_is_stale(&reader, fixture.path));
	CHECK_EQ("and reads the old one whole", segment_reader_read(&reader, 0, copy, sizeof(copy)), 0);
	segment_reader_close(&reader);
	CHECK_EQ("opened anew", (int)segment_reader_open(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &reader),
		(int)SEGMENT_OK);
	CHECK_EQ("somebody truncates it", truncate(fixture.path, SEGMENT_HEADER_BYTES + 8), 0);
	CHECK_EQ("the reader gets an error and no signal",
		segment_reader_read(&reader, 0, copy, sizeof(copy)), -ENODATA);
	CHECK_EQ("even the heartbeat may go", truncate(fixture.path, 10), 0);
	CHECK_EQ("no heartbeat", segment_reader_heartbeat_ns(&reader), 0u);
	segment_reader_close(&reader);
	segment_close(&second, fixture.path);
	CHECK_TRUE("nothing else was left", segment_fixture_remove(&fixture));
}

static void test_header_flipped(void)
{
	struct segment_fixture fixture;
	struct segment segment;
	uint8_t *bytes;
	size_t heartbeat = offsetof(struct segment_header, heartbeat_ns);

	segment_fixture_make(&fixture);
	CHECK_EQ("a segment is made", (int)create(fixture.path, &segment), (int)SEGMENT_OK);
	bytes = (uint8_t *)segment.header;
	for (size_t i = 0; i < SEGMENT_HEADER_BYTES; i++)
		for (int bit = 0; bit < 8; bit++) {
			struct segment_reader reader;
			enum segment_error error;
			char text[512];

			bytes[i] ^= (uint8_t)(1 << bit);
			error = segment_reader_open(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &reader);
			bytes[i] ^= (uint8_t)(1 << bit);
			if (error == SEGMENT_OK)
				segment_reader_close(&reader);
			/* The heartbeat is a live word: any value is only a wrong time. */
			if ((error == SEGMENT_OK) != (i >= heartbeat && i < heartbeat + 8))
				CHECK_FAIL("each flipped bit but the heartbeat's is refused",
					"byte %zu bit %d: %d", i, bit, (int)error);
			segment_error_text(error, fixture.path, text, sizeof(text));
			if (text[strlen(text) - 1] != '.' || !strstr(text, fixture.path))
				CHECK_FAIL("with a sentence", "%s", text);
		}
	segment_close(&segment, fixture.path);
	CHECK_TRUE("nothing else was left", segment_fixture_remove(&fixture));
}

/* Write a header with a right checksum, as another version or a bug would. */
static enum segment_error open_with(const char *path, const struct segment_header *header, size_t file_bytes)
{
	struct segment_reader reader;
	struct segment_header copy = *header;
	enum segment_error error;
	int fd = open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);

	copy.checksum = segment_header_checksum(&copy);
	if (fd < 0 || ftruncate(fd, (off_t)file_bytes) != 0)
		abort();
	if (pwrite(fd, &copy, file_bytes < sizeof(copy) ? file_bytes : sizeof(copy), 0) < 0)
		abort();
	close(fd);
	error = segment_reader_open(path, SEGMENT_KIND_CONTROL, LAYOUT, &reader);
	if (error == SEGMENT_OK)
		segment_reader_close(&reader);
	return error;
}

static void test_refusals(void)
{
	const struct segment_header good = {.magic = SEGMENT_MAGIC,
		.version = SEGMENT_VERSION,
		.kind = SEGMENT_KIND_CONTROL,
		.layout_hash = LAYOUT,
		.header_bytes = SEGMENT_HEADER_BYTES,
		.total_bytes = SEGMENT_HEADER_BYTES + PAYLOAD,
		.instance = 9};
	struct segment_header unfinished = good, foreign = good, older = good, newer = good, kind = good,
			      layout = good, header_size = good, size = good, nobody = good;
	const struct {
		const char *name;
		const struct segment_header *header;
		size_t file_bytes;
		enum segment_error expected;
	} cases[] = {
		{"a good header", &good, SEGMENT_HEADER_BYTES + PAYLOAD, SEGMENT_OK},
		{"an empty file", &good, 0, SEGMENT_ERROR_SHORT},
		{"half a magic", &good, 4, SEGMENT_ERROR_SHORT},
		{"half a header", &good, 128, SEGMENT_ERROR_SHORT},
		{"a header alone", &good, SEGMENT_HEADER_BYTES, SEGMENT_ERROR_SHORT},
		{"one byte missing", &good, SEGMENT_HEADER_BYTES + PAYLOAD - 1, SEGMENT_ERROR_SHORT},
		{"one byte too many", &good, SEGMENT_HEADER_BYTES + PAYLOAD + 1, SEGMENT_ERROR_SHORT},
		{"a segment whose owner died while making it", &unfinished, SEGMENT_HEADER_BYTES + PAYLOAD,
			SEGMENT_ERROR_MAGIC},
		{"a foreign file", &foreign, SEGMENT_HEADER_BYTES + PAYLOAD, SEGMENT_ERROR_MAGIC},
		{"an older version", &older, SEGMENT_HEADER_BYTES + PAYLOAD, SEGMENT_ERROR_OLDER},
		{"a newer version", &newer, SEGMENT_HEADER_BYTES + PAYLOAD, SEGMENT_ERROR_NEWER},
		{"another kind", &kind, SEGMENT_HEADER_BYTES + PAYLOAD, SEGMENT_ERROR_KIND},
		{"another layout", &layout, SEGMENT_HEADER_BYTES + PAYLOAD, SEGMENT_ERROR_LAYOUT},
		{"another header size", &header_size, SEGMENT_HEADER_BYTES + PAYLOAD, SEGMENT_ERROR_LAYOUT},
		{"a size smaller than its header", &size, 100 + SEGMENT_HEADER_BYTES, SEGMENT_ERROR_SHORT},
		{"no instance", &nobody, SEGMENT_HEADER_BYTES + PAYLOAD, SEGMENT_ERROR_CHECKSUM},
	};
	struct segment_fixture fixture;
	struct segment segment;
	struct segment_reader reader;

	unfinished.magic = 0;
	foreign.magic = UINT64_C(0x7f454c46);
	older.version = SEGMENT_VERSION - 1;
	newer.version = SEGMENT_VERSION + 1;
	kind.kind = SEGMENT_KIND_FLOWS;
	layout.layout_hash = LAYOUT + 1;
	header_size.header_bytes = 128;
	size.total_bytes = 100;
	nobody.instance = 0;
	segment_fixture_make(&fixture);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		CHECK_EQ(cases[i].name, (int)open_with(fixture.path, cases[i].header, cases[i].file_bytes),
			(int)cases[i].expected);
		if (cases[i].expected == SEGMENT_OK)
			continue;
		CHECK_EQ(cases[i].name,
			(int)segment_take_over(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &segment),
			(int)cases[i].expected);
		/* Whatever lies there, an owner may replace it. */
		if (CHECK_EQ(cases[i].name, (int)create(fixture.path, &segment), (int)SEGMENT_OK))
			segment_close(&segment, NULL);
	}
	unlink(fixture.path);
	CHECK_EQ("a symbolic link", symlink("/etc/passwd", fixture.path), 0);
	CHECK_EQ("is not followed", (int)create(fixture.path, &segment), (int)SEGMENT_ERROR_PERMISSION);
	CHECK_EQ("nor by a reader",
		(int)segment_reader_open(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &reader),
		(int)SEGMENT_ERROR_PERMISSION);
	CHECK_TRUE("nothing else was left", segment_fixture_remove(&fixture));
}

static void test_take_over(void)
{
	struct segment_fixture fixture;
	struct segment segment, successor;
	uint64_t instance;

	segment_fixture_make(&fixture);
	CHECK_EQ("nothing to take over",
		(int)segment_take_over(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &successor),
		(int)SEGMENT_ERROR_ABSENT);
	CHECK_TRUE("and nothing made", access(fixture.path, F_OK) != 0);
	CHECK_EQ("a segment is made", (int)create(fixture.path, &segment), (int)SEGMENT_OK);
	instance = segment.header->instance;
	strcpy(segment.payload, "kept");
	CHECK_EQ("not while it is owned",
		(int)segment_take_over(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &successor),
		(int)SEGMENT_ERROR_BUSY);
	CHECK_EQ("nor may it be replaced", (int)create(fixture.path, &successor), (int)SEGMENT_ERROR_BUSY);
	segment_close(&segment, NULL);
	CHECK_EQ("taken over", (int)segment_take_over(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &successor),
		(int)SEGMENT_OK);
	CHECK_EQ("the instance is kept", successor.header->instance, instance);
	CHECK_EQ("the contents too", (const char *)successor.payload, "kept");
	segment_close(&successor, fixture.path);
	segment_close(&successor, fixture.path);
	CHECK_TRUE("unlinked, and closing twice is harmless", access(fixture.path, F_OK) != 0);
	CHECK_TRUE("nothing else was left", segment_fixture_remove(&fixture));
}

static void test_owner_killed(void)
{
	struct segment_fixture fixture;
	struct segment segment;
	int ready[2], status;
	char byte;
	pid_t child;

	segment_fixture_make(&fixture);
	if (!CHECK_EQ("a pipe", pipe(ready), 0))
		return;
	child = fork();
	if (child == 0) {
		if (create(fixture.path, &segment) != SEGMENT_OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		alarm(30); /* whatever becomes of the test */
		for (;;)
			pause();
	}
	close(ready[1]);
	CHECK_EQ("the child owns it", read(ready[0], &byte, 1), 1);
	close(ready[0]);
	CHECK_EQ("a second owner is refused", (int)create(fixture.path, &segment), (int)SEGMENT_ERROR_BUSY);
	kill(child, SIGKILL);
	CHECK_EQ("the child is killed", waitpid(child, &status, 0), child);
	CHECK_TRUE("by us", WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_EQ("its lock went with it",
		(int)segment_take_over(fixture.path, SEGMENT_KIND_CONTROL, LAYOUT, &segment),
		(int)SEGMENT_OK);
	segment_close(&segment, fixture.path);
	CHECK_TRUE("nothing else was left", segment_fixture_remove(&fixture));
}

/* 40,000 rounds: fewer did not always find the two owners that a missing identity check after the lock lets
 * in. Many processes start at once: one owner, at every moment. Each holds it for a while and unlinks it. */
static void test_owners_race(void)
{
	enum { CHILDREN = 8, ROUNDS = 40000 };
	struct segment_fixture fixture;
	pid_t children[CHILDREN];
	char mark[96];
	int owned = 0;

	segment_fixture_make(&fixture);
	snprintf(mark, sizeof(mark), "%s/mark", fixture.directory);
	for (int i = 0; i < CHILDREN; i++) {
		children[i] = fork();
		if (children[i] != 0)
			continue;
		int status = 2;

		for (int round = 0; round < ROUNDS; round++) {
			struct segment segment;
			enum segment_error error = create(fixture.path, &segment);
			int fd;

			if (error == SEGMENT_ERROR_BUSY)
				continue;
			if (error != SEGMENT_OK)
				_exit(3);
			/* O_EXCL fails if another process believes that it owns the segment too. */
			fd = open(mark, O_CREAT | O_EXCL | O_WRONLY, 0600);
			if (fd < 0)
				_exit(4);
			close(fd);
			sched_yield();
			unlink(mark);
			segment_close(&segment, round % 2 ? fixture.path : NULL);
			status = 0;
		}
		_exit(status);
	}
	for (int i = 0; i < CHILDREN; i++) {
		int status = -1;

		CHECK_TRUE(
			"a child ends", waitpid(children[i], &status, 0) == children[i] && WIFEXITED(status));
		CHECK_TRUE("never two owners at once", WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2);
		owned += WEXITSTATUS(status) == 0;
	}
	CHECK_TRUE("somebody owned it", owned > 0);
	CHECK_TRUE("nothing else was left", segment_fixture_remove(&fixture));
}

/* In a child with its own mounts. Exit status: the step that failed. */
static int full_disk_child(const char *directory)
{
	char path[96], new_path[104];
	struct segment small, large;
	struct segment_reader reader;

	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("tmpfs", directory, "tmpfs", 0, "size=64k") != 0)
		return 1;
	snprintf(path, sizeof(path), "%s/segment", directory);
	snprintf(new_path, sizeof(new_path), "%s.new", path);
	if (segment_create(path, SEGMENT_KIND_CONTROL, LAYOUT, 1 << 20, NULL, &large) !=
		SEGMENT_ERROR_NO_SPACE)
		return 2;
	if (access(path, F_OK) == 0 || access(new_path, F_OK) == 0)
		return 3;
	if (create(path, &small) != SEGMENT_OK)
		return 4;
	strcpy(small.payload, "kept");
	segment_close(&small, NULL);
	if (segment_create(path, SEGMENT_KIND_CONTROL, LAYOUT, 1 << 20, NULL, &large) !=
		SEGMENT_ERROR_NO_SPACE)
		return 5;
	if (segment_reader_open(path, SEGMENT_KIND_CONTROL, LAYOUT, &reader) != SEGMENT_OK)
		return 6;
	char text[8] = "";

	if (segment_reader_read(&reader, 0, text, 5) != 0 || strcmp(text, "kept") != 0)
		return 7;
	return access(new_path, F_OK) == 0 ? 8 : 0;
}

static void test_full_disk(void)
{
	struct segment_fixture fixture;
	int status = -1;
	pid_t child;

	segment_fixture_make(&fixture);
	child = fork();
	if (child == 0)
		_exit(full_disk_child(fixture.directory));
	CHECK_TRUE("the child ends", child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
	CHECK_EQ("a full disk is said and the old segment stays (else: the step that failed)",
		WEXITSTATUS(status), 0);
	CHECK_TRUE("nothing else was left", segment_fixture_remove(&fixture));
}

static void test_sentences(void)
{
	for (int error = SEGMENT_OK; error <= SEGMENT_ERROR_SYSTEM + 1; error++) {
		char text[512], cut[8];

		errno = EIO;
		CHECK_TRUE("the text is returned",
			segment_error_text((enum segment_error)error, "/x/y", text, sizeof(text)) == text);
		CHECK_CONTAINS("it names the file", text, "/x/y: ");
		CHECK_EQ("it is a sentence", text[strlen(text) - 1], '.');
		segment_error_text((enum segment_error)error, "/x/y", cut, sizeof(cut));
		CHECK_TRUE("a short buffer is kept to", strlen(cut) < sizeof(cut));
		CHECK_EQ("errno is left alone", errno, EIO);
	}
}

static void test_checksum(void)
{
	static const struct {
		const char *name, *data;
		uint32_t expected;
	} cases[] = {
		{"the check value of CRC-32C", "123456789", 0xe3069283},
		{"nothing", "", 0},
		{"one letter", "a", 0xc1d04330},
	};
	uint8_t data[300];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		CHECK_EQ(cases[i].name, checksum_crc32c(0, cases[i].data, strlen(cases[i].data)),
			cases[i].expected);
		CHECK_EQ(cases[i].name, checksum_crc32c_scalar(0, cases[i].data, strlen(cases[i].data)),
			cases[i].expected);
	}
	memset(data, 0, 32);
	CHECK_EQ("32 zero bytes (RFC 3720 B.4)", checksum_crc32c(0, data, 32), 0x8a9136aau);
	memset(data, 0xff, 32);
	CHECK_EQ("32 bytes of ones (RFC 3720 B.4)", checksum_crc32c(0, data, 32), 0x62a8ab43u);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + i / 7);
	for (size_t first = 0; first < 16; first++)
		for (size_t n = 0; n + first <= sizeof(data); n++) {
			uint32_t whole = checksum_crc32c(0, data + first, n);

			if (whole != checksum_crc32c_scalar(0, data + first, n))
				CHECK_FAIL("both variants agree", "offset %zu, %zu bytes", first, n);
			if (whole != checksum_crc32c(checksum_crc32c(0, data + first, n / 3),
					     data + first + n / 3, n - n / 3))
				CHECK_FAIL("parts add up", "offset %zu, %zu bytes", first, n);
		}
}

static void test_random(void)
{
	uint64_t ones = 0, zeros = 0;

	for (int i = 0; i < 200; i++) {
		uint64_t value = random_u64();

		ones |= value;
		zeros |= ~value;
	}
	/* 200 draws leave a bit constant with a chance of 128 / 2^200. */
	CHECK_EQ("each bit is set sometimes", ones, UINT64_MAX);
	CHECK_EQ("and clear sometimes", zeros, UINT64_MAX);
}

static const struct check_test tests[] = {
	{"a segment is made, read and removed", test_create_and_read},
	{"a reader survives replacement and truncation", test_reader_meets_change},
	{"every flipped bit of the header is refused", test_header_flipped},
	{"older, newer, foreign and damaged segments are refused", test_refusals},
	{"a successor takes over what it finds", test_take_over},
	{"the lock ends with a killed owner", test_owner_killed},
	{"owners race and one wins", test_owners_race},
	{"a full disk loses nothing", test_full_disk},
	{"every error has a sentence", test_sentences},
	{"the checksum, by instruction and by table", test_checksum},
	{"random numbers", test_random},
};
CHECK_MAIN("segment", tests)
