/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Reading Python objects of the current process, by the layout's offsets. The only file
 * that reads user memory. Failures are values; the caller counts them.
 */
#ifndef ASYNCLEAK_PYTHON_BPF_H
#define ASYNCLEAK_PYTHON_BPF_H

#include "maps.bpf.h"

static __always_inline __u64 user_u64(__u64 address)
{
	__u64 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline __u32 user_u32(__u64 address)
{
	__u32 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

static __always_inline __u8 user_u8(__u64 address)
{
	__u8 value = 0;

	bpf_probe_read_user(&value, sizeof(value), (void *)address);
	return value;
}

/*
 * The first words of an object in one read: a read costs some 60 ns whatever its length, which
 * is most of what a probe costs beyond the trap. A window of N words is an array of N + 1: the
 * verifier takes an offset below 8 * N, rounded down to a word, for up to 8 * N - 1.
 */
#define AL_WINDOW(name_, words_) __u64 name_[(words_) + 1]
#define open_window(window_, object_)                                                                                  \
	({                                                                                                             \
		(window_)[sizeof(window_) / 8 - 1] = 0;                                                                \
		!bpf_probe_read_user(window_, sizeof(window_) - 8, (void *)(object_));                                 \
	})
#define window_u64(window_, offset_) window_word(window_, sizeof(window_) / 8 - 1, offset_)
#define window_u32(window_, offset_) ((__u32)(window_u64(window_, offset_) >> (((offset_)&4) * 8)))

static __always_inline __u64 window_word(const __u64 *words, __u32 count, __u32 offset)
{
	__u32 word = offset >> 3;

	return word < count ? words[word] : 0;
}

static __always_inline __u64 mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ull;
	return hash ^ (hash >> 29);
}

/* A str's bytes as they lie. KEEP_TAIL: of a long path the end says more than the start. */
static __always_inline __u16 copy_text(__u8 *text, __u64 capacity, __u8 *kind, __u8 *truncated,
				       const struct al_layout *layout, __u64 str, bool keep_tail)
{
	__u64 characters, data, whole, length;
	__u32 state, width;

	*kind = 0;
	characters = user_u64(str + layout->str_length);
	state = user_u32(str + layout->str_state) >> layout->str_kind_shift;
	width = state & 7;
	/* Bits after kind: compact, ascii (Include/cpython/unicodeobject.h, 3.8 to 3.15). */
	if (!str || !(state & 8) || (width != 1 && width != 2 && width != 4) || characters > 1 << 20)
		return 0;
	data = str + ((state & 16) ? layout->str_ascii_data : layout->str_compact_data);
	whole = characters * width;
	length = whole;
	*truncated = 0;
	if (whole > capacity) {
		length = capacity;
		*truncated = 1;
		if (keep_tail)
			data += whole - capacity;
	}
	if (length > capacity || bpf_probe_read_user(text, length, (void *)data))
		return 0;
	*kind = width;
	return length;
}

static __noinline int copy_name(struct al_name *name, const struct al_layout *layout, __u64 str)
{
	name->length = copy_text(name->text, AL_NAME_BYTES, &name->kind, &name->truncated, layout, str, false);
	return name->kind != 0;
}

static __noinline int copy_file(struct al_file *file, const struct al_layout *layout, __u64 str)
{
	file->length = copy_text(file->text, AL_FILE_BYTES, &file->kind, &file->truncated, layout, str, true);
	return file->kind != 0;
}

/* A type's name, which is a C string. */
static __always_inline int copy_type_name(struct al_name *name, const struct al_layout *layout, __u64 type)
{
	long length = bpf_probe_read_user_str(name->text, AL_NAME_BYTES, (void *)user_u64(type + layout->type_name));

	if (length <= 0)
		return 0;
	name->length = length - 1;
	name->truncated = length == AL_NAME_BYTES;
	name->kind = 8;
	return 1;
}

/*
 * Tells a code object from another one that later lies at the same address; changes no
 * more than the object does. 0: not a code object. Its names and first line lie within the
 * first 144 bytes from 3.8 to 3.15, free-threaded builds included.
 */
#define AL_CODE_HEAD_WORDS 18
static __noinline __u64 code_print(const struct al_layout *layout, __u64 bias, __u64 code)
{
	AL_WINDOW(head, AL_CODE_HEAD_WORDS);

	if (!open_window(head, code) || window_u64(head, layout->ob_type) != layout->code_type + bias)
		return 0;
	return mix(mix(window_u64(head, layout->code_filename), window_u64(head, layout->code_name)),
		   window_u32(head, layout->code_firstlineno)) |
	       1;
}

/* PyThreadState up to what is read of it, 3.8 to 3.15. */
#define AL_TSTATE_HEAD_WORDS 24
struct tstate_head {
	AL_WINDOW(words, AL_TSTATE_HEAD_WORDS);
};

static __always_inline bool thread_runs_here(const struct tstate_head *tstate, const struct al_layout *layout,
					     __u64 pthread)
{
	if (window_u64(tstate->words, layout->thread_id) != pthread)
		return false;
	/* A thread has one tstate per subinterpreter it has entered; one of them is active. */
	return layout->thread_status == AL_ABSENT ||
	       (window_u32(tstate->words, layout->thread_status) & layout->thread_active_mask);
}

struct thread_search {
	const struct al_layout *layout;
	__u64 pthread;
	__u64 interpreter;
	__u64 tstate;
	__u64 idle; /* one of the thread's that it does not use now */
	bool found;
};

static long search_thread(__u32 index, struct thread_search *search)
{
	const struct al_layout *layout = search->layout;
	struct tstate_head tstate;

	if (!search->tstate) {
		if (!search->interpreter)
			return 1;
		search->tstate = user_u64(search->interpreter + layout->interp_threads);
		search->interpreter = user_u64(search->interpreter + layout->interp_next);
		return 0;
	}
	if (!open_window(tstate.words, search->tstate))
		return 1;
	if (thread_runs_here(&tstate, layout, search->pthread)) {
		search->found = true;
		return 1;
	}
	if (!search->idle && window_u64(tstate.words, layout->thread_id) == search->pthread)
		search->idle = search->tstate;
	search->tstate = window_u64(tstate.words, layout->thread_next);
	return 0;
}

#define AL_THREAD_SEARCH_STEPS 4096

/*
 * PyThreadState of the current thread, found in the runtime's lists and remembered; 0: none. A thread without the
 * GIL uses none of its own (3.12+): then the one it will take again is in *IDLE.
 */
static __noinline __u64 find_tstate(const struct al_layout *layout, __u64 runtime, __u32 process, __u64 pthread,
				    __u64 *idle)
{
	struct thread_search search = {.layout = layout, .pthread = pthread};
	__u64 thread = bpf_get_current_pid_tgid();
	struct al_thread found = {.process = process};

	search.interpreter = user_u64(runtime + layout->runtime_interpreters);
	bpf_loop(AL_THREAD_SEARCH_STEPS, search_thread, &search, 0);
	*idle = search.idle;
	if (!search.found)
		return 0;
	found.tstate = search.tstate;
	bpf_map_update_elem(&threads, &thread, &found, BPF_ANY);
	return search.tstate;
}

/* Where it was last time: the process's last creator, else the thread's own entry; 0: not seen. */
static __always_inline __u64 remembered_tstate(struct al_process *process, __u64 thread)
{
	struct al_thread *known;

	if (process->thread == thread)
		return process->tstate;
	known = bpf_map_lookup_elem(&threads, &thread);
	return known && known->process == process->id ? known->tstate : 0;
}

/* What the tstate says is the innermost frame: one, or two reads where it goes by a _PyCFrame. */
static __always_inline __u64 frame_of(const struct tstate_head *tstate, const struct al_layout *layout)
{
	__u64 frame = window_u64(tstate->words, layout->thread_frame);

	return layout->flags & AL_FRAME_INDIRECT ? user_u64(frame + layout->cframe_current) : frame;
}

/* The innermost frame of the current thread; 0: not found. */
static __noinline __u64 innermost_frame(const struct al_layout *layout, struct al_process *process)
{
	__u64 runtime = layout->runtime + process->bias, address, pthread, idle;
	__u64 thread = bpf_get_current_pid_tgid();
	struct tstate_head tstate;

	if (layout->flags & AL_TSTATE_GLOBAL) {
		address = user_u64(runtime + layout->runtime_tstate_current);
		return open_window(tstate.words, address) ? frame_of(&tstate, layout) : 0;
	}
	pthread = current_pthread();
	address = remembered_tstate(process, thread);
	if (address && open_window(tstate.words, address) && thread_runs_here(&tstate, layout, pthread))
		return frame_of(&tstate, layout);
	address = find_tstate(layout, runtime, process->id, pthread, &idle);
	if (!address || !open_window(tstate.words, address))
		return 0;
	process->tstate = address; /* another thread may write in between: then the check above fails */
	process->thread = thread;
	return frame_of(&tstate, layout);
}

/*
 * Frames of Python functions that call each other lie one after the other on the thread's data
 * stack (3.11+): one read of the end of that stack gives most of a creation stack. Per CPU;
 * while one probe is preempted with it, another one reads frame by frame.
 */
#define AL_BLOCK_WORDS 256
struct al_block {
	__u64 taken;
	__u64 base; /* address of words[0] */
	__u64 bytes;
	__u64 words[AL_BLOCK_WORDS + AL_FRAME_WORDS];
};
AL_MAP(blocks, PERCPU_ARRAY, __u32, struct al_block, 1, 0);

/* One frame. */
struct frame_view {
	__u64 code;
	__u64 instr; /* pointer or index, as the interpreter keeps it: for hashing */
	__u64 back;
	bool python; /* false: an entry frame of the C stack, skip it */
};

/* Where the fields are among the words of a frame: the layout's offsets, worked out once a walk. */
struct frame_shape {
	__u32 back, code, instr, owner; /* index of the word */
	__u32 owner_shift, owner_limit; /* owners from the limit on run no Python code of their own */
	__u64 code_mask;
	__u32 instr_shift;
	__u64 instr_mask;
};

static __always_inline __u32 frame_index(const struct al_layout *layout, __u16 offset)
{
	return ((offset - layout->frame_first) >> 3) & (AL_FRAME_WORDS - 1);
}

static __always_inline void shape_frame(struct frame_shape *shape, const struct al_layout *layout)
{
	bool index = layout->flags & AL_INSTR_IS_INDEX; /* int f_lasti: half a word */
	bool owned = layout->frame_owner != AL_ABSENT;

	shape->back = frame_index(layout, layout->frame_back);
	shape->code = frame_index(layout, layout->frame_code);
	shape->instr = frame_index(layout, layout->frame_instr);
	shape->owner = owned ? frame_index(layout, layout->frame_owner) : 0;
	shape->owner_shift = owned ? (layout->frame_owner & 7) * 8 : 0;
	shape->owner_limit = owned ? layout->frame_owner_c : 0x100;
	shape->code_mask = layout->flags & AL_CODE_TAGGED ? ~3ull : ~0ull;
	shape->instr_shift = index ? (layout->frame_instr & 4) * 8 : 0;
	shape->instr_mask = index ? 0xffffffff : ~0ull;
}

static __always_inline void decode_frame(struct frame_view *view, const struct frame_shape *shape, const __u64 *words)
{
	view->back = words[shape->back & (AL_FRAME_WORDS - 1)];
	view->code = words[shape->code & (AL_FRAME_WORDS - 1)] & shape->code_mask;
	view->instr = (words[shape->instr & (AL_FRAME_WORDS - 1)] >> shape->instr_shift) & shape->instr_mask;
	view->python = (__u8)(words[shape->owner & (AL_FRAME_WORDS - 1)] >> shape->owner_shift) < shape->owner_limit;
}

static __always_inline bool view_frame(struct frame_view *view, const struct frame_shape *shape,
				       const struct al_layout *layout, __u64 frame)
{
	__u64 words[AL_FRAME_WORDS] = {};
	__u32 span = layout->frame_span;

	if (span > sizeof(words) || bpf_probe_read_user(words, span, (void *)(frame + layout->frame_first)))
		return false;
	decode_frame(view, shape, words);
	return true;
}

/* The same from the block; false: the frame is not in it. */
static __always_inline bool view_frame_in(const struct al_block *block, struct frame_view *view,
					  const struct frame_shape *shape, const struct al_layout *layout, __u64 frame)
{
	__u64 at = frame + layout->frame_first - block->base;
	__u32 word;

	if (at >= block->bytes || at + layout->frame_span > block->bytes)
		return false;
	word = at >> 3;
	if (word >= AL_BLOCK_WORDS)
		return false;
	decode_frame(view, shape, &block->words[word]);
	return true;
}

static __always_inline void release_block(struct al_block *block)
{
	*(volatile __u64 *)&block->taken = 0;
}

/* To be released. Reads what lies below the end of FRAME, never beyond its page: that may not be there. */
static __always_inline struct al_block *read_block(const struct al_layout *layout, __u64 frame)
{
	__u64 end = frame + layout->frame_first + layout->frame_span, base = end - 8 * AL_BLOCK_WORDS;
	__u64 page = frame & ~0xfffull, bytes;
	struct al_block *block;
	__u32 zero = 0;

	if (layout->flags & AL_INSTR_IS_INDEX) /* frames are objects of their own, anywhere (<= 3.10) */
		return 0;
	block = bpf_map_lookup_elem(&blocks, &zero);
	if (!block || __sync_val_compare_and_swap(&block->taken, 0, 1))
		return 0;
	if (base < page)
		base = page;
	bytes = end - base;
	block->base = base;
	block->bytes = bytes;
	if (bytes > 8 * AL_BLOCK_WORDS || bpf_probe_read_user(block->words, bytes, (void *)base)) {
		release_block(block);
		return 0;
	}
	return block;
}

/* Byte offset of the instruction in its bytecode. */
static __always_inline __u32 instruction_offset(const struct al_layout *layout, const struct frame_view *view)
{
	if (layout->flags & AL_INSTR_IS_INDEX)
		return layout->flags & AL_INSTR_IN_UNITS ? view->instr * 2 : view->instr;
	return view->instr - (view->code + layout->code_start);
}

/* The first Python function at or outside FRAME; false: there is none. */
static __always_inline bool python_frame(const struct frame_shape *shape, const struct al_layout *layout, __u64 frame,
					 struct frame_view *view)
{
	for (int i = 0; i < 4 && frame; i++) { /* entry frames of the C stack come one at a time */
		if (!view_frame(view, shape, layout, frame))
			return false;
		if (view->python)
			return true;
		frame = view->back;
	}
	return false;
}

#endif
