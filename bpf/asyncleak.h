/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The contract between the kernel side and user space: every map key and value.
 *
 * Included by bpf/ (C, target bpf), src/python (fills al_layout), src/probe
 * (fills and reads the maps) and tests/bpf. Nobody else: views and the model
 * never see these types. Plain __uNN, explicit padding, no bitfields, no
 * pointers: map keys are compared byte by byte.
 *
 * Sentinels: AL_ABSENT in a __u16 offset = "this interpreter has no such
 * field". Process id 0, site id 0 = "none"; real ids start at 1.
 */
#ifndef ASYNCLEAK_H
#define ASYNCLEAK_H

#include <linux/types.h>

#define AL_ABSENT 0xffff

/* Behaviour of an interpreter line. Code asks these, never a version. */
enum al_layout_flag {
	AL_TSTATE_GLOBAL = 1 << 0, /* one current tstate, at runtime + tstate_current (<= 3.11) */
	AL_FRAME_INDIRECT =
	    1 << 1, /* tstate.frame points to a _PyCFrame, whose current_frame is the frame (3.11, 3.12) */
	AL_CODE_TAGGED = 1 << 2, /* the frame's code pointer carries tag bits 0..1 (3.14+) */
	AL_INSTR_IS_INDEX = 1 << 3, /* frame.instr is an int index, not a pointer (<= 3.10) */
	AL_INSTR_IN_UNITS = 1 << 4, /* ... and counts 2-byte code units (3.10) */
	AL_FREE_THREADED = 1 << 5, /* several threads run Python at once */
	AL_CODE_COPIES = 1 << 6, /* bytecode is copied per thread: instr has no fixed base (free-threaded 3.14+) */
};

/*
 * Where one build of CPython keeps its fields. Filled by src/python from the
 * interpreter's own debug offsets or from a checked table row, one per core
 * image (executable or libpython); index in the `layouts` map = core id.
 * Virtual addresses are link-time: add the load bias.
 */
struct al_layout {
	__u64 runtime; /* _PyRuntime */
	__u64 tuple_type; /* PyTuple_Type: its run-time address gives the load bias */
	__u64 code_type; /* PyCode_Type */
	__u64 coro_type; /* PyCoro_Type */
	__u64 gen_type; /* PyGen_Type (generator-based coroutines) */
	__u32 flags; /* enum al_layout_flag */
	__u32 position_independent; /* 0: ET_EXEC, the bias must be 0 */

	__u16 ob_type; /* PyObject */
	__u16 type_name; /* PyTypeObject.tp_name (char *) */
	__u16 tuple_size; /* PyVarObject.ob_size */
	__u16 tuple_items; /* PyTupleObject.ob_item */

	__u16 str_length; /* PyASCIIObject */
	__u16 str_state; /* the 32-bit word that holds kind/compact/ascii */
	__u16 str_kind_shift; /* kind = (state >> shift) & 7; compact, ascii follow */
	__u16 str_ascii_data; /* first character of a compact ASCII string */
	__u16 str_compact_data; /* ... of a compact non-ASCII string */
	__u16 bytes_size;
	__u16 bytes_data;

	__u16 coro_qualname; /* PyCoroObject */
	__u16 coro_code; /* code object, or the frame's executable inside the coroutine */

	__u16 code_filename; /* PyCodeObject */
	__u16 code_name;
	__u16 code_qualname; /* AL_ABSENT before 3.11 */
	__u16 code_firstlineno;
	__u16 code_linetable; /* co_lnotab, co_linetable: bytes object */
	__u16 code_start; /* co_code_adaptive; AL_ABSENT where instr is an index */

	__u16 runtime_tstate_current; /* _PyRuntime; AL_ABSENT from 3.12 */
	__u16 runtime_interpreters; /* _PyRuntime.interpreters.head */
	__u16 interp_next; /* PyInterpreterState */
	__u16 interp_threads; /* .threads.head */
	__u16 thread_next; /* PyThreadState */
	__u16 thread_id; /* pthread_self(), = fs base */
	__u16 thread_status; /* bit word; AL_ABSENT where there is none */
	__u16 thread_active_mask; /* "runs on its thread now" in that word */
	__u16 thread_frame; /* frame, or _PyCFrame with AL_FRAME_INDIRECT */
	__u16 cframe_current; /* _PyCFrame.current_frame */

	/* One read per frame: frame_span bytes at frame + frame_first (multiple of 8). */
	__u16 frame_first;
	__u16 frame_span; /* at most 8 * AL_FRAME_WORDS */
	__u16 frame_back; /* offsets below are from the frame, not from frame_first */
	__u16 frame_code;
	__u16 frame_instr;
	__u16 frame_owner; /* char; AL_ABSENT where all frames are Python frames */
	__u16 frame_owner_c; /* owner values from here on are entry frames that run no Python of their own */

	__u16 dict_keys; /* PyDictObject.ma_keys */
	__u16 keys_entries_used; /* dk_nentries */
	__u16 keys_log2_index_bytes; /* u8; AL_ABSENT: index table is dk_size entries of 1/2/4/8 bytes (<= 3.10) */
	__u16 keys_kind; /* u8: 0 general entries (24 bytes, value at 16), else (16, 8); AL_ABSENT: always general */
	__u16 keys_indices; /* offset of the index table */
	__u16 padding[3];
};

#define AL_FRAME_WORDS 16 /* 64-bit words read of a frame, at most */
#define AL_MAX_FRAMES 32 /* --stack-depth, upper limit */
#define AL_MAX_CORES 256 /* distinct interpreter images */
#define AL_MAX_BINARIES 256 /* distinct images with the task functions */
#define AL_CORES_PER_BINARY 4 /* an _asyncio module can be loaded by executables and by libpython */

/* Offsets into struct pt_regs where the wanted arguments are at the probe. */
struct al_registers {
	__u16 self;
	__u16 args;
	__u16 kwds;
	__u16 padding;
};

/* One image that holds the task functions; the attach cookie is its index. */
struct al_binary {
	struct al_registers init;
	struct al_registers dealloc; /* only .self */
	__u32 core_count;
	__u32 cores[AL_CORES_PER_BINARY]; /* candidates; the kernel picks by the load bias */
	__u16 task_state; /* TaskObj.task_state, 32 bits; AL_ABSENT: it and the next three are not known */
	__u16 task_coro; /* TaskObj.task_coro */
	__s16 task_finalized; /* of the byte, from the task on, that says whether its finaliser ran ... */
	__u16 task_finalized_mask; /* ... and its bit */
};

/* Whether a process's tasks from before we watched are in the counts (seed.bpf.h). */
enum al_seeding {
	AL_UNSEEDED = 0,
	AL_SEEDING, /* user space is looking for them: destructions are set aside */
	AL_SEEDING_LOST, /* one could not be set aside: begin again */
	AL_SEEDED, /* all of them */
};

#define AL_NO_CORE 0xffffffff

/* A process that has created or destroyed a task, or that user space has opened; key: tgid. */
struct al_process {
	__u32 id; /* unique for the session: PID reuse is another process */
	__u32 seeding; /* enum al_seeding; changed together with id as one 64-bit word */
	__u32 core;
	__u32 parent; /* process id it was forked from, tasks inherited; 0: none */
	__u64 bias;
	__u64 first_ns; /* CLOCK_MONOTONIC of its first event */
	__u64 outstanding; /* records of tasks created under our eyes or inherited */
	__u64 destroyed_unknown; /* destroyed, but created before we watched or not tracked */
	__u64 thread; /* that created a task last, and its tstate: a hint, checked before it is used */
	__u64 tstate;
};

/* `tasks`: what destruction needs to know. */
struct al_task_key {
	__u64 address;
	__u32 process;
	__u32 seeded; /* bool: told by user space, not seen by a probe; the two never collide */
};
struct al_task {
	__u64 born_ns; /* CLOCK_MONOTONIC; seeded: born before */
	__u32 site;
	__u32 unsure; /* bool: being seeded, may be taken back */
};

/* A site: coroutine code x creation stack, in one process. */
struct al_site_key {
	__u64 code; /* the code object (or the type, where the awaitable has none) */
	__u64 code_print; /* al_code_key.print */
	__u64 qualname; /* address of the qualified name: decorated closures share code */
	__u64 stack; /* hash of (code, instruction) per frame; 0 with --stack-depth 0; or AL_STACK_* */
	__u32 process;
	__u32 padding;
};

/* No hash of a stack: the site of tasks from before we watched, made by user space. */
#define AL_STACK_PREEXISTING 1
/* Nor this (those are odd): no tasks, but coroutines destroyed without ever having been awaited; only `created` counts. */
#define AL_STACK_UNAWAITED 2

/*
 * Birth cohorts: AL_COHORT_LEVELS rings of AL_COHORT_SLOTS, each eight times
 * coarser. Each task is counted in every level, in the slot of its birth. A word is
 * epoch << 32 | outstanding; a slot whose epoch is not the expected one has been
 * reused, its tasks show in the coarser rings only. Changed by compare-and-swap.
 */
#define AL_COHORT_LEVELS 5 /* 1 s, 8 s, 64 s, 512 s, 4096 s */
#define AL_COHORT_SLOTS 32
#define AL_COHORT_FIRST_NS 1073741824ull /* 2^30 ns, about a second: epoch = ns >> (30 + 3 * level) */
#define AL_COHORT_SHIFT 30
#define AL_COHORT_LEVEL_SHIFT 3
#define AL_COHORT_BITS 32 /* of a word, for the count */

enum al_site_state { AL_SITE_FREE = 0, AL_SITE_READY = 1 };

struct al_site {
	struct al_site_key key;
	__u64 created;
	__u64 destroyed; /* of created + inherited */
	__u64 inherited; /* by fork, or seeded: existed without having been created here */
	__u64 untracked; /* created, but the task map was full: their end will not be seen */
	__u64 destroyed_pending; /* of destroyed: had not finished (pending.bpf.h) */
	__u64 slow_steps; /* --slow-step: that ended ... */
	__u64 slow_longest_ns; /* ... and the longest of them */
	__u64 first_ns;
	__u64 last_ns; /* last creation */
	__u32 state; /* enum al_site_state, written last */
	__u32 tgid; /* with comm: for processes that end between two refreshes */
	__u8 comm[16];
	__u64 cohorts[AL_COHORT_LEVELS][AL_COHORT_SLOTS];
};

/* Text copied from a str object as it lies there; kind 0: unreadable. */
#define AL_NAME_BYTES 192
#define AL_FILE_BYTES 256
#define AL_LINETABLE_BYTES 1400
struct al_name {
	__u16 length; /* bytes valid */
	__u8 kind; /* 1 Latin-1, 2 UCS-2, 4 UCS-4, 8 UTF-8 (C string) */
	__u8 truncated;
	__u32 padding;
	__u8 text[AL_NAME_BYTES];
};
struct al_file {
	__u16 length;
	__u8 kind;
	__u8 truncated;
	__u32 padding;
	__u8 text[AL_FILE_BYTES];
};

/* `codes`: names of a code object, copied at first sight so that rows survive their process. */
struct al_code_key {
	__u64 code;
	__u64 print; /* of filename, name, first line: tells a reused address */
	__u32 process;
	__u32 padding;
};
struct al_code {
	struct al_name name; /* qualified name where the code object has one */
	struct al_file file;
	__u32 first_line;
	__u16 linetable_length; /* the object's own length: more than AL_LINETABLE_BYTES = read it from the process */
	__u16 ready; /* written last */
	__u8 linetable[AL_LINETABLE_BYTES];
};

/* `origins`, key: site id. Who creates the tasks of a site. */
struct al_frame {
	__u64 code;
	__u64 print;
	__u32 offset; /* bytes into the bytecode */
	__u32 padding;
};
enum al_origin_flag {
	AL_ORIGIN_TYPE = 1 << 0, /* no coroutine object: name is the awaitable's type, code is 0 */
	AL_ORIGIN_MORE = 1 << 1, /* the stack went on below the last frame kept */
	AL_ORIGIN_NO_STACK = 1 << 2, /* wanted, but could not be read */
	AL_ORIGIN_NO_OFFSETS = 1 << 3, /* AL_CODE_COPIES: frames have no line */
	AL_ORIGIN_PREEXISTING = 1 << 4, /* created before we watched: no creation stack, ages are "at least" */
};
struct al_origin {
	struct al_name qualname;
	__u32 depth;
	__u32 flags; /* enum al_origin_flag */
	__u32 process; /* whose `codes` rows name the frames: an ancestor's after fork */
	__u32 ready; /* written last */
	__u32 core; /* whose layout says how to read their line tables */
	__u32 padding;
	__u64 code; /* the coroutine's own code object, key of `codes` with print and process */
	__u64 print;
	struct al_frame frames[AL_MAX_FRAMES];
};

/* `counters`, per CPU. First what happened, then every way an event can be lost. */
enum al_counter {
	AL_HITS_INIT,
	AL_HITS_DEALLOC,
	AL_HITS_UNAWAITED,
	AL_TASKS_REINITIALISED, /* __init__ again on a live task: the first life counts as destroyed */
	AL_TASKS_DESTROYED_UNKNOWN,
	AL_TIMED_HITS, /* every 256th hit is timed ... */
	AL_TIMED_NS, /* ... from entry to exit of the program, the trap itself not included */
	/* lost from here on: each is a column of the trust line */
	AL_DROP_BINARY, /* cookie without al_binary */
	AL_DROP_CORE, /* no candidate core fits the load bias */
	AL_DROP_PROCESSES_FULL,
	AL_DROP_ARGS_UNREADABLE, /* the task is counted, its coroutine is not known */
	AL_DROP_CODE_UNREADABLE, /* same: coroutine without readable code */
	AL_DROP_SITES_FULL, /* task not counted */
	AL_DROP_TASKS_FULL, /* task counted as created and untracked */
	AL_DROP_CODES_FULL, /* a name is missing */
	AL_DROP_NAME_UNREADABLE,
	AL_DROP_THREAD_NOT_FOUND, /* stack missing: no tstate for this thread */
	AL_DROP_STACK_UNREADABLE, /* stack cut short */
	AL_DROP_COHORT_CONTENDED, /* an age is off by one task */
	AL_DROP_FORK, /* a forked child's inherited tasks are not known */
	AL_DROP_SET_ASIDE_FULL, /* seeding a process was given up: too many tasks ended meanwhile */
	AL_DROP_SEEDS_FULL, /* a task from before we watched is not counted: the task map was full */
	AL_DROP_UNAWAITED, /* a never-awaited coroutine was in none of the registers */
	AL_DROP_STEP, /* --slow-step: not measured, too deeply nested, or its end or its task could not be seen */
	AL_COUNTERS
};
#define AL_FIRST_DROP AL_DROP_BINARY

/* Argument of the purge program: forget the tasks of a process that ended. */
struct al_purge {
	__u32 process;
	__u32 removed; /* out */
	/* Whether its sites have tasks, and such that a probe did not see created: a walk over tables costs milliseconds. */
	__u32 outstanding;
	__u32 inherited;
};

/* Arguments of the programs that put tasks from before the attach into the counts (seed.bpf.h). */
struct al_open_process {
	__u32 tgid;
	__u32 process; /* out; 0: not watched, or no room */
	__u64 looked_ns; /* CLOCK_MONOTONIC: when it had this core and bias; what came with an exec since has not */
	__u64 bias;
	__u32 core; /* AL_NO_CORE: not known, it is found at the first creation */
	__u32 padding;
};
struct al_set_seeding {
	__u32 tgid;
	__u32 process;
	__u32 state; /* enum al_seeding, wanted; AL_SEEDED is refused after AL_SEEDING_LOST */
	__u32 was; /* out; AL_SEEDING_GONE: not this process any more */
};
#define AL_SEEDING_GONE 0xffffffff
struct al_seed_tasks { /* the first `count` addresses of the batch */
	__u32 tgid;
	__u32 process;
	__u32 site;
	__u32 count;
	__u32 inserted; /* out */
	__u32 end; /* out: enum al_seed_end */
};
enum al_seed_end {
	AL_SEED_ALL, /* every address was looked at */
	AL_SEED_NOT_SEEDING, /* AL_SEEDING_LOST, or the process is gone */
	AL_SEED_FULL, /* no room for more tasks */
	AL_SEED_NO_SITE, /* not a site of this process */
};
struct al_sites_of { /* batch: addresses in, sites and births out */
	__u32 process;
	__u32 count;
};

/* `batch`: the arrays of those arguments. Shared memory: a program's own argument has no variable index. */
#define AL_BATCH_TASKS 4096
struct al_batch {
	__u64 addresses[AL_BATCH_TASKS];
	__u32 sites[AL_BATCH_TASKS]; /* 0: not known */
	__u64 born_ns[AL_BATCH_TASKS]; /* CLOCK_MONOTONIC; seeded: born before */
};

#endif
