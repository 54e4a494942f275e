/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Every map, with who writes it, who reads it, and why this type and size.
 * Sizes marked "resized" are set by user space before load (--max-tasks, ...).
 * Not preallocated = memory by need (bpf_mem_alloc, Linux 6.1).
 */
#ifndef ASYNCLEAK_MAPS_BPF_H
#define ASYNCLEAK_MAPS_BPF_H

#include "kernel.bpf.h"

/*
 * Compared with an int: before Linux 6.4 (d7ba4cc900bf) a map's functions return one, and the upper half of the
 * register, where they are called without the helper between, is not its sign.
 */
#define AL_EEXIST 17

/* Set by user space between open and load; constants to the verifier. */
const volatile __u32 al_stack_depth = 8;
const volatile __u32 al_max_sites = 8192;
const volatile __u8 al_only_watched = 0; /* bool: C++ does not know the skeleton's _Bool */

/* Ids handed out so far; user space reads al_site_ids_used to bound its scan of `sites`. */
__u32 al_process_ids_used = 0;
__u32 al_site_ids_used = 0;

#define AL_MAP(name_, type_, key_, value_, entries_, flags_)                                                           \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_##type_);                                                                    \
		__uint(max_entries, entries_);                                                                         \
		__type(key, key_);                                                                                     \
		__type(value, value_);                                                                                 \
		__uint(map_flags, flags_);                                                                             \
	} name_ SEC(".maps")

/* User space writes, probes read: where fields and arguments are. Index: core id, attach cookie. */
AL_MAP(layouts, ARRAY, __u32, struct al_layout, AL_MAX_CORES, 0);
AL_MAP(binaries, ARRAY, __u32, struct al_binary, AL_MAX_BINARIES, 0);

/* `run`: process tree to watch. User space adds the root, fork adds children, exit removes. */
AL_MAP(watched, HASH, __u32, __u8, 16384, BPF_F_NO_PREALLOC);

/* Probes add at the first event, exec and exit remove; user space reads. Key: tgid. */
AL_MAP(processes, HASH, __u32, struct al_process, 16384, BPF_F_NO_PREALLOC);

/* When a process last called exec: whether we watch it from its first task on. Key: tgid. */
AL_MAP(execs, LRU_HASH, __u32, __u64, 4096, 0);

/* tstate of a thread (3.12+ has no global one). Probes only. LRU: threads come and go unseen. */
struct al_thread {
	__u64 tstate;
	__u32 process;
	__u32 padding;
};
AL_MAP(threads, LRU_HASH, __u64, struct al_thread, 4096, 0);

/*
 * One record per outstanding task. Probes only; user space never walks them. Two tiers: the
 * first is preallocated, which halves the price of a short life; when long-lived tasks have
 * filled it, new ones go to the second, which takes memory by need. Seeded ones, long-lived by
 * nature, are in the second only. Resized.
 */
AL_MAP(recent_tasks, HASH, struct al_task_key, struct al_task, 1 << 16, 0);
AL_MAP(tasks, HASH, struct al_task_key, struct al_task, 1 << 20, BPF_F_NO_PREALLOC);

/*
 * While a process is seeded, the tasks of it that ended. Probes add, the end of seeding removes.
 * Full = the seeding is void: churn uses the same addresses again, so that takes a long time.
 */
AL_MAP(set_aside, HASH, struct al_task_key, __u8, 1 << 18, BPF_F_NO_PREALLOC);

/* User space writes addresses and reads sites through mmap, around a run of a seed.bpf.h program. */
AL_MAP(batch, ARRAY, __u32, struct al_batch, 1, BPF_F_MMAPABLE);

/*
 * Sites: ids by key, counters by id. Probes write, user space reads the counters through
 * mmap without a system call and returns the ids of ended processes to free_sites. Resized.
 */
AL_MAP(site_ids, HASH, struct al_site_key, __u32, 8192, BPF_F_NO_PREALLOC);
AL_MAP(sites, ARRAY, __u32, struct al_site, 8192, BPF_F_MMAPABLE);
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 8192);
	__uint(value_size, sizeof(__u32));
} free_sites SEC(".maps");

/* Names, written once by probes, read once by user space, deleted with their process. */
AL_MAP(origins, HASH, __u32, struct al_origin, 8192, BPF_F_NO_PREALLOC);
AL_MAP(codes, HASH, struct al_code_key, struct al_code, 16384, BPF_F_NO_PREALLOC);

/* Index: enum al_counter. Per CPU, still added to atomically: a probe can be preempted. */
AL_MAP(counters, PERCPU_ARRAY, __u32, __u64, AL_COUNTERS, 0);

/* Returns the total before, on this CPU. */
static __always_inline __u64 count_many(enum al_counter which, __u64 amount)
{
	__u32 index = which;
	__u64 *total = bpf_map_lookup_elem(&counters, &index);

	return total ? __sync_fetch_and_add(total, amount) : 0;
}

static __always_inline __u64 count(enum al_counter which)
{
	return count_many(which, 1);
}

#endif
