/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-floor [--count] PID [created|destroyed|passed|returned FILE OFFSET]...: programs of floor.bpf.c at file offsets
 * (hexadecimal), in one process; "returned": where the function that begins there returns to.
 *
 * Prints "ready" once attached and stays until end of input, then prints a number for each place: distinct tasks for
 * created and destroyed, times for passed and returned, which are empty and count with --count only. Zero means that
 * it was not attached where it should have been. Used by bench/overhead.py and bench/memory.py.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floor.skel.h"

enum { MAX_PLACES = 64, WORDS = 3 };

static bool attach(const struct floor_bpf *floor, int pid, unsigned int place, char **words)
{
	LIBBPF_OPTS(bpf_uprobe_opts, options, .bpf_cookie = place, .retprobe = !strcmp(words[0], "returned"));
	const struct bpf_program *program;
	char name[32];

	snprintf(name, sizeof(name), "on_%s", words[0]);
	program = bpf_object__find_program_by_name(floor->obj, name);
	errno = EINVAL;
	if (program && bpf_program__attach_uprobe_opts(program, pid, words[1], strtoul(words[2], NULL, 16), &options))
		return true;
	fprintf(stderr, "bench-floor: %s %s+%s: %s\n", words[0], words[1], words[2], strerror(errno));
	return false;
}

static unsigned long long count_keys(const struct bpf_map *map)
{
	unsigned long long key, *previous = NULL, count = 0;

	while (!bpf_map_get_next_key(bpf_map__fd(map), previous, &key)) {
		previous = &key;
		count++;
	}
	return count;
}

static unsigned long long count_of(const struct floor_bpf *floor, unsigned int place, const char *name)
{
	unsigned long long count = 0;

	if (!strcmp(name, "created"))
		return count_keys(floor->maps.created);
	if (!strcmp(name, "destroyed"))
		return count_keys(floor->maps.destroyed);
	bpf_map_lookup_elem(bpf_map__fd(floor->maps.passed), &place, &count);
	return count;
}

int main(int argc, char **argv)
{
	bool counting = argc > 1 && !strcmp(argv[1], "--count");
	char **words = argv + 2 + counting;
	unsigned int i, places = (argc - 2 - counting) / WORDS;
	struct floor_bpf *floor;

	if (argc < 2 + counting + WORDS || (argc - 2 - counting) % WORDS || places > MAX_PLACES) {
		fprintf(stderr,
			"usage: bench-floor [--count] PID [created|destroyed|passed|returned FILE OFFSET]...\n");
		return 2;
	}
	floor = floor_bpf__open();
	if (floor)
		floor->rodata->counting = counting;
	if (!floor || floor_bpf__load(floor)) {
		fprintf(stderr, "bench-floor: cannot load: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	for (i = 0; i < places; i++) {
		if (!attach(floor, atoi(words[-1]), i, words + WORDS * i))
			return EXIT_FAILURE; /* the end of the process frees all there is */
	}
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	for (i = 0; i < places; i++)
		printf("%llu%c", count_of(floor, i, words[WORDS * i]), i + 1 < places ? ' ' : '\n');
	return EXIT_SUCCESS;
}
