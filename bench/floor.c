/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench-floor PID FILE OFFSET FILE OFFSET: the programs of floor.bpf.c at two file offsets
 * (hexadecimal), in one process.
 *
 * Prints "ready" once attached and stays until end of input, then prints how many distinct tasks each saw:
 * zero means that it was not attached where it should have been. Used by bench/overhead.py.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "floor.skel.h"

static int attach(struct bpf_program *program, struct bpf_link **link, int pid, const char *file, const char *offset)
{
	*link = bpf_program__attach_uprobe(program, false, pid, file, strtoul(offset, NULL, 16));
	if (!*link)
		fprintf(stderr, "bench-floor: %s+%s: %s\n", file, offset, strerror(errno));
	return *link ? 0 : -1;
}

static unsigned long count_keys(const struct bpf_map *map)
{
	unsigned long long key, *previous = NULL;
	unsigned long count = 0;

	while (!bpf_map_get_next_key(bpf_map__fd(map), previous, &key)) {
		previous = &key;
		count++;
	}
	return count;
}

int main(int argc, char **argv)
{
	struct floor_bpf *floor;
	int status = EXIT_FAILURE;

	if (argc != 6) {
		fprintf(stderr, "usage: bench-floor PID FILE OFFSET FILE OFFSET\n");
		return 2;
	}
	floor = floor_bpf__open_and_load();
	if (!floor) {
		fprintf(stderr, "bench-floor: cannot load: %s\n", strerror(errno));
		return EXIT_FAILURE;
	}
	if (!attach(floor->progs.on_created, &floor->links.on_created, atoi(argv[1]), argv[2], argv[3]) &&
	    !attach(floor->progs.on_destroyed, &floor->links.on_destroyed, atoi(argv[1]), argv[4], argv[5])) {
		puts("ready");
		fflush(stdout);
		while (getchar() != EOF)
			;
		printf("%lu %lu\n", count_keys(floor->maps.created), count_keys(floor->maps.destroyed));
		status = EXIT_SUCCESS;
	}
	floor_bpf__destroy(floor);
	return status;
}
