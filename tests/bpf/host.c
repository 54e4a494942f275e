/*
 * The production file, compiled for the host with fake/ before the system's headers.
 * Nothing in it knows.
 */
#include "asyncleak.bpf.c"

/* Plain C from here on: see fake/bpf/bpf_helpers.h. */
#undef asm
#undef volatile
#undef const
#include "host.h"

#define NUMBER(map_, field_) (sizeof(*(map_).field_) / sizeof(int))
#define HASH_OR_ARRAY(map_) \
  { &map_, #map_, NUMBER(map_, type), sizeof(*map_.key), sizeof(*map_.value), NUMBER(map_, max_entries) }
#define STACK(map_) \
  { &map_, #map_, NUMBER(map_, type), 0, NUMBER(map_, value_size), NUMBER(map_, max_entries) }

const struct host_map host_maps[] = {
    HASH_OR_ARRAY(layouts),     HASH_OR_ARRAY(binaries),       HASH_OR_ARRAY(watched),      HASH_OR_ARRAY(processes),
    HASH_OR_ARRAY(execs),       HASH_OR_ARRAY(threads),        HASH_OR_ARRAY(recent_tasks), HASH_OR_ARRAY(tasks),
    HASH_OR_ARRAY(site_ids),    HASH_OR_ARRAY(sites),          STACK(free_sites),           HASH_OR_ARRAY(origins),
    HASH_OR_ARRAY(codes),       HASH_OR_ARRAY(counters),       HASH_OR_ARRAY(blocks),       HASH_OR_ARRAY(set_aside),
    HASH_OR_ARRAY(batch),       HASH_OR_ARRAY(memories),       HASH_OR_ARRAY(memory_of),    HASH_OR_ARRAY(allocations),
    HASH_OR_ARRAY(crowded_out), HASH_OR_ARRAY(site_memory),    HASH_OR_ARRAY(line_ids),     HASH_OR_ARRAY(lines),
    STACK(free_lines),          HASH_OR_ARRAY(memory_threads),
};
const unsigned host_map_count = sizeof(host_maps) / sizeof(host_maps[0]);

void* host_task(unsigned slot, const struct host_thread* thread) {
  static struct task_struct leaders[HOST_TASK_SLOTS];
  static struct signal_struct signals[HOST_TASK_SLOTS];

  signals[slot].live.counter = thread->live_threads;
  leaders[slot].tgid = thread->tgid;
  leaders[slot].mm = thread->mm;
  leaders[slot].signal = &signals[slot];
  leaders[slot].thread.fsbase = thread->fsbase;
  return &leaders[slot];
}

int host_take_allocation(__u64 key, struct al_allocation* block) { return take_allocation(key, block); }

int host_put_allocation(__u64 key, struct al_allocation* block) { return put_allocation(key, block); }
