/*
 * bpf/asyncleak.bpf.c as a library of this process: its programs, its options, its maps.
 *
 * Written by host.c (C, the production file itself), used by fake_kernel.cpp and the tests.
 */
#ifndef HOST_H
#define HOST_H

#include <linux/bpf.h>
#include <linux/types.h>

#include "asyncleak.h"
#include "asyncleak_memory.h"

#ifdef __cplusplus
extern "C" {
#endif

int task_init(void* ctx);
int task_dealloc(void* ctx);
int unawaited_warning(void* ctx);
int calibrate(void* ctx);
int process_fork(struct bpf_raw_tracepoint_args* ctx);
int process_exec(struct bpf_raw_tracepoint_args* ctx);
int process_exit(struct bpf_raw_tracepoint_args* ctx);
int purge_process(struct al_purge* purge);
int open_process(struct al_open_process* opening);
int set_seeding(struct al_set_seeding* setting);
int seed_tasks(struct al_seed_tasks* seed);
int sites_of_tasks(struct al_sites_of* asked);
int allocating(void* ctx);
int allocated(void* ctx);
int passing_malloc(void* ctx);
int freeing(void* ctx);
int step_entered(void* ctx);
int eager_step_entered(void* ctx);
int step_left(void* ctx);
int memory_exec(struct bpf_raw_tracepoint_args* ctx);
int memory_thread_exit(struct bpf_raw_tracepoint_args* ctx);

extern volatile __u32 al_stack_depth, al_max_sites, al_allocation_buckets;
extern volatile __u8 al_only_watched;
extern __u32 al_process_ids_used, al_site_ids_used, al_line_ids_used;
extern __u64 al_spilled_tasks, al_seeded_tasks, al_crowded_out;

struct host_map {
  void* map; /* what the programs pass to the helpers */
  const char* name;
  __u32 type; /* enum bpf_map_type */
  __u32 key_size, value_size, max_entries;
};
extern const struct host_map host_maps[];
extern const unsigned host_map_count;

/* The kernel's task_struct of a thread; valid until the next call with the same slot. */
#define HOST_TASK_SLOTS 4
struct host_thread {
  int tgid;
  int live_threads; /* of its process, that have not begun to exit */
  void* mm;
  unsigned long fsbase;
};
void* host_task(unsigned slot, const struct host_thread* thread);

/* The table of blocks by itself, for tests that leave everything else out. */
int host_take_allocation(__u64 key, struct al_allocation* block);
int host_put_allocation(__u64 key, struct al_allocation* block);

#ifdef __cplusplus
}
#endif

#endif
