/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The maps of the memory modes, as maps.bpf.h has them. Created when such a mode is first switched on, in a
 * second instance of this object that shares all other maps with the first.
 */
#ifndef ASYNCLEAK_MEMORY_MAPS_BPF_H
#define ASYNCLEAK_MEMORY_MAPS_BPF_H

#include "maps.bpf.h"
#include "asyncleak_memory.h"

/* Set by user space between open and load. */
const volatile __u32 al_allocation_buckets = 1;

/* User space fills, switches off and reads; probes count. Index: al_memory_cookie.memory. */
AL_MAP(memories, ARRAY, __u32, struct al_memory, AL_MAX_MEMORIES, BPF_F_MMAPABLE);

/* Which of them a process is, for exec. Key: tgid. */
AL_MAP(memory_of, HASH, __u32, __u32, AL_MAX_MEMORIES, 0);

/* Probes add and take out; user space clears what a process that ended left. Resized. */
AL_MAP(allocations, ARRAY, __u32, struct al_allocation_bucket, 1, BPF_F_MMAPABLE);

/* Blocks both of whose buckets were full. */
AL_MAP(crowded_out, HASH, __u64, struct al_allocation, 16384, BPF_F_NO_PREALLOC);

/* Parallel to `sites`. Resized. */
AL_MAP(site_memory, ARRAY, __u32, struct al_site_memory, 8192, BPF_F_MMAPABLE);

/* Lines: indices by key, counters by index. Ends with its process; user space gives indices back. */
AL_MAP(line_ids, HASH, struct al_line_key, __u32, AL_MAX_LINES, BPF_F_NO_PREALLOC);
AL_MAP(lines, ARRAY, __u32, struct al_line, AL_MAX_LINES, BPF_F_MMAPABLE);
struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, AL_MAX_LINES);
	__uint(value_size, sizeof(__u32));
} free_lines SEC(".maps");

/* An allocation that has begun: what its return will need. */
struct pending_allocation {
	__u64 sp; /* 0: none */
	__u64 size;
	__u64 store; /* posix_memalign: where the pointer will be */
	__u64 old_key; /* realloc: of the block given in, taken out of the table meanwhile; 0: none known */
	struct al_allocation old;
	__u64 since_ticks;
	__u64 noted; /* bool: only the size of a malloc() that passes places inside; nothing is within it */
};

/* A thread of a counted process. Only its own probes touch it; its exit removes it. Key: tid. */
struct memory_thread {
	struct al_thread_steps steps;
	struct pending_allocation pending;
	__u64
	    passed_on; /* a pointer without a record that Python's own allocator was given: it may pass it on to free() */
	__u64 tstate; /* a hint, checked before it is used */
	__u64 dispatcher; /* code of the Python function from which the event loop calls callbacks; 0: not known */
	__u64 dispatching; /* ... and its instruction that does, as the interpreter keeps it */
	__u32 steps_begun; /* since the dispatcher was looked at */
	__u32 stateless; /* allocations to go before its tstate is searched again */
	__u64 ticks, tick_ns; /* the tick count and the clock when it was last read */
};
AL_MAP(memory_threads, HASH, __u32, struct memory_thread, 16384, BPF_F_NO_PREALLOC);

#endif
