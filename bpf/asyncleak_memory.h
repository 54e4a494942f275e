/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The contract of the memory modes (--memory malloc, all) and of --slow-step: which probes on the allocator and on
 * task steps there are, and what they count. Beside asyncleak.h, with the same rules.
 *
 * Included by bpf/, src/probe and tests/bpf. In mode `objects`, without --slow-step, nothing of this is loaded.
 */
#ifndef ASYNCLEAK_MEMORY_H
#define ASYNCLEAK_MEMORY_H

#include <linux/types.h>

/* What a trapped function does; the wanted arguments in the order they are told. */
enum al_call {
	AL_CALL_MALLOC, /* size */
	AL_CALL_CALLOC, /* count, size */
	AL_CALL_REALLOC, /* pointer, size */
	AL_CALL_REALLOCARRAY, /* pointer, count, size */
	AL_CALL_ALIGNED, /* alignment, size */
	AL_CALL_POSIX_MEMALIGN, /* where the pointer is stored, alignment, size */
	AL_CALL_FREE, /* pointer */
	AL_CALL_MALLOC_RETURN, /* block, size: a place inside malloc instead of its return */
	AL_CALL_MALLOC_NOTED, /* size: where malloc is about to lose it ... */
	AL_CALL_MALLOC_DONE, /* block: ... and where it then knows the block; others come here too, with nothing noted */
	AL_CALL_STEP, /* self: the task, or an object that holds it at `third` */
	AL_CALL_STEP_LEFT, /* a place inside, behind the step, instead of the return */
	AL_CALL_EAGER, /* self, kwds: Task.__init__, which may run the first step at once (3.12+) */
};

/*
 * The attach cookie of every memory probe says all that is known beforehand: no map is asked. Registers are
 * offsets into struct pt_regs, in words.
 */
struct al_memory_cookie {
	__u16 memory; /* index of `memories` */
	__u8 call; /* enum al_call */
	__u8 first, second, third; /* registers; AL_CALL_STEP: third is the offset of the task in self, in words */
	__u8 object; /* bool: a function of Python's own allocator */
	__u8 padding;
};

#define AL_MAX_MEMORIES 256 /* processes whose allocations, or steps, are counted at a time */

enum al_memory_flag {
	AL_MEMORY_LINES = 1 << 0, /* --memory-lines */
	AL_MEMORY_OBJECTS = 1 << 1, /* --memory all */
	AL_MEMORY_STEPS_ONLY = 1 << 2, /* --slow-step: no allocation is counted */
};

/* A process whose allocations are counted, or whose task steps are measured. User space fills the first part before it attaches. */
struct al_memory {
	__u32 process; /* al_process.id; 0: over (exec, or switched off) */
	__u32 tgid;
	__u32 core;
	__u32 flags; /* enum al_memory_flag */
	__u64 bias;
	__u64 min_size; /* smaller ones are not looked at */
	__u64 true_object; /* the object True: eager_start=True is recognised by it */
	__u64 slow_step_ns; /* steps that take longer are counted at al_site; 0: steps are not measured */
	__u32 task_coro; /* TaskObj.task_coro */
	__u32 padding;
	/* counted by the probes */
	__u64 hits;
	__u64 timed_hits; /* every 256th is timed ... */
	__u64 timed_ns; /* ... from entry to exit of the program, the trap itself not included */
	__u64 return_hits; /* of hits: at the return of a function, a trap more */
	__u64 untracked_blocks; /* no room for their record */
	/* AL_MEMORY_OBJECTS: small blocks that Python's own allocator gave, took back, and took back without our record */
	__u64 small_born, small_freed, small_unknown;
};

/* A task step that has not returned. */
struct al_step {
	__u64 sp; /* where the stack was when it began */
	__u64 task;
	__u64 began_ns; /* CLOCK_MONOTONIC; 0: not measured */
	__u32 site; /* 0: not asked for yet */
	__u32 padding;
};
#define AL_MAX_NESTED_STEPS 8

/* `memory_threads`, key: tid. Of a thread of a counted process, first in its value: what user space reads too. */
struct al_thread_steps {
	__u32 process; /* the id goes with it: tids are reused */
	__u32 count; /* how many of the array are in use */
	struct al_step step[AL_MAX_NESTED_STEPS];
};

#define AL_SMALL_BYTES 512 /* Python's own allocator serves these, except 0: Objects/obmalloc.c, 3.8 to 3.15 */

/* A block that was not freed. */
struct al_allocation {
	__u64 size; /* asked for */
	__u64 born_ns; /* CLOCK_MONOTONIC, to a timer tick */
	__u32 site;
	__u32 line; /* al_line's index; 0: none */
};

/*
 * `allocations`: a hash table of buckets, each block in one of the two that its key names, so that taking one
 * out needs no tombstone and a million reuses of an address leave nothing behind. 64 bytes a block at the fill the
 * table is sized for. The keys stand first: looking for an address touches one cache line of a bucket.
 */
#define AL_BUCKET_SLOTS 4
struct al_allocation_bucket {
	__u64 keys[AL_BUCKET_SLOTS]; /* address >> 3 << 20 | process; 0: free */
	struct al_allocation slots[AL_BUCKET_SLOTS];
};
#define AL_ALLOCATION_PROCESS_BITS 20

/*
 * Bytes by age: rings of AL_BYTE_SLOTS slots, each sixteen times coarser, as in struct al_site. A word is
 * epoch << 40 | bytes.
 */
#define AL_BYTE_LEVELS 3 /* 4.3 s, 69 s, 1100 s */
#define AL_BYTE_SLOTS 32
#define AL_BYTE_SHIFT 32
#define AL_BYTE_LEVEL_SHIFT 4
#define AL_BYTE_BITS 40

/* `site_memory`, key: site id. What was allocated while a task of the site, or this code outside any task, ran. */
struct al_site_memory {
	__u64 allocated_bytes, allocated_blocks;
	__u64 freed_bytes, freed_blocks; /* of allocated, whoever freed them */
	__u64 untracked_bytes, untracked_blocks; /* of allocated: no room, their end will not be seen */
	__u64 cohorts[AL_BYTE_LEVELS][AL_BYTE_SLOTS];
};

/* `lines`, by index: what one place in Python allocated for a site. */
struct al_line_key {
	__u64 code;
	__u64 print; /* al_code_key.print */
	__u32 offset; /* bytes into the bytecode; or AL_NO_OFFSET */
	__u32 site;
};
#define AL_NO_OFFSET 0xffffffff /* AL_CODE_COPIES: the line is not known */
struct al_line {
	struct al_line_key key;
	__u32 process; /* whose `codes` row names it */
	__u32 ready; /* written last */
	__u64 allocated_bytes, allocated_blocks;
	__u64 freed_bytes, freed_blocks;
};
#define AL_MAX_LINES 16384

/* No hash of a stack (al_site_key.stack): what code outside any task allocated. */
#define AL_STACK_CALLBACK 4 /* al_site_key.code: of the function the event loop called */
#define AL_STACK_OUTSIDE 6 /* start-up, other threads, the loop itself */

#endif
