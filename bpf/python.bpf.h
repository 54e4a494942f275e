/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Reading Python objects of the current process, by the layout's offsets. Failures are
 * values; the caller counts them.
 */
#ifndef ASYNCLEAK_PYTHON_BPF_H
#define ASYNCLEAK_PYTHON_BPF_H

#include "maps.bpf.h"

/*
 * 0, which the verifier does not know. Before Linux 6.7 (ab5cfac139ab) it looks at the callback of bpf_loop() as if it
 * were called once, and takes out the branches that the first call does not take: bounds too. What a callback changes
 * and then tests must begin as something unknown.
 */
static volatile __u64 al_zero;

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

/*
 * Functions that call each other have 512 bytes of stack together, each rounded up to 32 (check_max_stack_depth(),
 * kernel/bpf/verifier.c; 6.13 gives a probe's program more on x86-64). So the large windows and copies below are in
 * functions of their own that call no other.
 */

enum tstate_use {
	AL_TSTATE_OTHER, /* another thread's, or unreadable */
	AL_TSTATE_IDLE, /* the thread's, of a subinterpreter it is not in now, or it has let the GIL go (3.12+) */
	AL_TSTATE_RUNS,
};

/* A thread has one tstate per subinterpreter it has entered; one of them is active. STATUS: what is read of it. */
static __always_inline enum tstate_use use_of_tstate(const struct al_layout *layout, __u32 status)
{
	if (layout->thread_status == AL_ABSENT || status & layout->thread_active_mask)
		return AL_TSTATE_RUNS;
	return AL_TSTATE_IDLE;
}

/*
 * enum tstate_use, and what the tstate says is the innermost frame: one, or two reads where it goes by a _PyCFrame.
 * PTHREAD 0: whoever's it is. Of PyThreadState this is all that is read, 3.8 to 3.15.
 */
#define AL_TSTATE_HEAD_WORDS 24
static __noinline int view_tstate(const struct al_layout *layout, __u64 tstate, __u64 pthread, __u64 *frame)
{
	AL_WINDOW(head, AL_TSTATE_HEAD_WORDS);

	*frame = 0;
	if (!open_window(head, tstate) || (pthread && window_u64(head, layout->thread_id) != pthread))
		return AL_TSTATE_OTHER;
	*frame = window_u64(head, layout->thread_frame);
	if (layout->flags & AL_FRAME_INDIRECT)
		*frame = user_u64(*frame + layout->cframe_current);
	return use_of_tstate(layout, window_u32(head, layout->thread_status));
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

	if (!search->tstate) {
		if (!search->interpreter)
			return 1;
		search->tstate = user_u64(search->interpreter + layout->interp_threads);
		search->interpreter = user_u64(search->interpreter + layout->interp_next);
		return 0;
	}
	if (user_u64(search->tstate + layout->thread_id) == search->pthread) {
		if (use_of_tstate(layout, user_u32(search->tstate + layout->thread_status)) == AL_TSTATE_RUNS) {
			search->found = true;
			return 1;
		}
		if (!search->idle)
			search->idle = search->tstate;
	}
	search->tstate = user_u64(search->tstate + layout->thread_next);
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
	struct thread_search search = {.layout = layout, .pthread = pthread, .tstate = al_zero, .idle = al_zero};
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

/* The innermost frame of the current thread; 0: not found. */
static __noinline __u64 innermost_frame(const struct al_layout *layout, struct al_process *process)
{
	__u64 runtime = layout->runtime + process->bias, address, pthread, idle, frame;
	__u64 thread = bpf_get_current_pid_tgid();

	if (layout->flags & AL_TSTATE_GLOBAL) {
		view_tstate(layout, user_u64(runtime + layout->runtime_tstate_current), 0, &frame);
		return frame;
	}
	pthread = current_pthread();
	address = remembered_tstate(process, thread);
	if (address && view_tstate(layout, address, pthread, &frame) == AL_TSTATE_RUNS)
		return frame;
	address = find_tstate(layout, runtime, process->id, pthread, &idle);
	if (!address)
		return 0;
	process->tstate = address; /* another thread may write in between: then the check above fails */
	process->thread = thread;
	view_tstate(layout, address, pthread, &frame);
	return frame;
}

#endif
