// SPDX-License-Identifier: BSD-3-Clause
/* Replays a corpus through a fuzz target without libFuzzer, so that the suite needs no clang: NAME DIRECTORY.
 * Each target links this file and its own LLVMFuzzerTestOneInput, which ends the process (abort, sanitizer)
 * when it finds a fault. Each input also runs cut at lengths spread over it and with bits flipped: a corpus
 * of good inputs then meets the refusals too. Must not write to the corpus.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Inputs are small; a variant for each of 64 cuts and 512 flips keeps a corpus of hundreds within seconds. */
enum { REPLAY_BYTES_MAX = 1 << 20, REPLAY_CUTS = 64, REPLAY_FLIPS = 512, REPLAY_PATH_MAX = 4096 };

/* A copy of exactly these bytes, so that ASan sees a read behind them. */
static void replay_bytes(const uint8_t *data, size_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);

	if (!copy)
		abort();
	memcpy(copy, data, bytes);
	LLVMFuzzerTestOneInput(copy, bytes);
	free(copy);
}

static void replay_variants(uint8_t *data, size_t bytes)
{
	size_t cuts = bytes < REPLAY_CUTS ? bytes : REPLAY_CUTS,
	       flips = bytes * 8 < REPLAY_FLIPS ? bytes * 8 : REPLAY_FLIPS;

	replay_bytes(data, bytes);
	for (size_t i = 0; i < cuts; i++)
		replay_bytes(data, bytes * i / cuts);
	for (size_t i = 0; i < flips; i++) {
		size_t bit = bytes * 8 * i / flips + i % 8;

		if (bit >= bytes * 8)
			continue;
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		replay_bytes(data, bytes);
		data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

static int replay_file(const char *path)
{
	uint8_t *data = malloc(REPLAY_BYTES_MAX);
	FILE *file = fopen(path, "rb");
	size_t bytes = 0;
	int rc = -1;

	if (data && file) {
		bytes = fread(data, 1, REPLAY_BYTES_MAX, file);
		rc = ferror(file) ? -1 : 0;
	}
	if (rc == 0)
		replay_variants(data, bytes);
	else
		fprintf(stderr, "%s cannot be read\n", path);
	if (file)
		fclose(file);
	free(data);
	return rc;
}

int main(int argc, char **argv)
{
	unsigned passed = 0, failed = 0;
	struct dirent *entry;
	DIR *directory;

	if (argc != 3 || !(directory = opendir(argv[2]))) {
		fprintf(stderr, "usage: %s NAME DIRECTORY (of inputs)\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(directory))) {
		char path[REPLAY_PATH_MAX];

		if (entry->d_name[0] == '.')
			continue;
		if ((size_t)snprintf(path, sizeof(path), "%s/%s", argv[2], entry->d_name) < sizeof(path) &&
			replay_file(path) == 0)
			passed++;
		else
			failed++;
	}
	closedir(directory);
	printf("suite %s: %u passed, %u failed\n", argv[1], passed, failed);
	return passed > 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
