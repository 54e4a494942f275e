/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The allocator under --memory malloc and all: what begins, what returns, what is freed, and for whom.
 *
 * A record goes into the table after the allocator has returned and before the program has the pointer, and out
 * before the allocator frees the block: no other thread can have the address in between.
 */
#ifndef ASYNCLEAK_MEMORY_BPF_H
#define ASYNCLEAK_MEMORY_BPF_H

#include "charge.bpf.h"
#include "slow_step.bpf.h"

#define AL_STALE_TICKS 10000 /* 10 to 100 s: an allocation that takes longer has lost its return */

struct memory_trap {
	struct al_memory *memory; /* 0: not counted (any more) */
	struct al_memory_cookie cookie;
	__u64 started; /* 0: not timed */
};

static __always_inline void trapped(struct memory_trap *trap, void *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);
	__u32 index;

	__builtin_memcpy(&trap->cookie, &cookie, sizeof(cookie));
	index = trap->cookie.memory;
	trap->started = 0;
	trap->memory = bpf_map_lookup_elem(&memories, &index);
	if (!trap->memory || !trap->memory->process) {
		trap->memory = 0;
		return;
	}
	if ((__sync_fetch_and_add(&trap->memory->hits, 1) & 0xff) == 0xff)
		trap->started = bpf_ktime_get_ns();
}

static __always_inline void trap_done(const struct memory_trap *trap)
{
	if (trap->started) {
		__sync_fetch_and_add(&trap->memory->timed_hits, 1);
		__sync_fetch_and_add(&trap->memory->timed_ns, bpf_ktime_get_ns() - trap->started);
	}
}

static __always_inline __u64 argument(const void *regs, __u8 word)
{
	return trapped_register(regs, (__u16)word * 8);
}

/* True inside another allocation that is being counted: malloc() of realloc(), or of Python's own allocator. */
static __always_inline bool is_nested(const struct memory_thread *thread, __u64 sp)
{
	return thread->pending.sp > sp && !thread->pending.noted &&
	       bpf_jiffies64() - thread->pending.since_ticks < AL_STALE_TICKS;
}

struct request {
	__u64 size, pointer, store;
	bool moves; /* POINTER is given back */
};

/* False: the product needs more than 64 bits. By halves: BPF has no wider multiplication. */
static __always_inline bool multiply(__u64 *product, __u64 a, __u64 b)
{
	__u64 large = a > b ? a : b, small = a > b ? b : a;
	__u64 low = (__u32)large * small, high = (large >> 32) * small + (low >> 32);

	*product = high << 32 | (__u32)low;
	return !(small >> 32) && !(high >> 32);
}

/* False: it will fail. */
static __always_inline bool read_request(struct request *request, const void *regs,
					 const struct al_memory_cookie *cookie)
{
	__u64 first = argument(regs, cookie->first), count;

	switch (cookie->call) {
	case AL_CALL_MALLOC:
		request->size = first;
		return true;
	case AL_CALL_CALLOC:
		count = first;
		break;
	case AL_CALL_REALLOC:
		request->moves = true;
		request->pointer = first;
		request->size = argument(regs, cookie->second);
		return true;
	case AL_CALL_REALLOCARRAY:
		request->moves = true;
		request->pointer = first;
		count = argument(regs, cookie->second);
		break;
	case AL_CALL_ALIGNED:
		request->size = argument(regs, cookie->second);
		return true;
	case AL_CALL_POSIX_MEMALIGN:
		request->store = first;
		request->size = argument(regs, cookie->third);
		return true;
	default:
		return false;
	}
	return multiply(&request->size, count,
			argument(regs, cookie->call == AL_CALL_CALLOC ? cookie->second : cookie->third));
}

static __always_inline void allocation_begins(const void *regs, struct memory_trap *trap)
{
	struct request request = {};
	struct memory_thread *thread;
	struct pending_allocation *pending;
	__u64 sp = stack_pointer(regs), old_key;

	if (!read_request(&request, regs, &trap->cookie) || (!request.moves && request.size < trap->memory->min_size))
		return;
	thread = this_thread(trap->memory);
	if (!thread) {
		__sync_fetch_and_add(&trap->memory->untracked_blocks, 1);
		return;
	}
	if (is_nested(thread, sp))
		return;
	pending = &thread->pending;
	old_key = request.pointer ? allocation_key(request.pointer, trap->memory->process) : 0;
	/* glibc's reallocarray() jumps to realloc(), which then is asked for the block that was taken out already. */
	if (pending->old_key != old_key || pending->sp != sp) {
		if (pending->old_key) /* of a call whose return was lost: most of them succeed */
			block_ends(&pending->old, true);
		pending->old_key = old_key && take_allocation(old_key, &pending->old) ? old_key : 0;
	}
	pending->sp = sp;
	pending->noted = 0;
	pending->size = request.size;
	pending->store = request.store;
	pending->since_ticks = bpf_jiffies64();
}

static __always_inline bool is_small(const struct al_memory_cookie *cookie, __u64 size)
{
	return cookie->object && size && size <= AL_SMALL_BYTES;
}

/* What realloc() was given is freed, or still there when it failed. */
static __always_inline void settle_old(struct pending_allocation *pending, __u64 pointer,
				       const struct memory_trap *trap)
{
	struct al_memory *memory = trap->memory;

	if (!pending->old_key)
		return;
	if (pointer || !pending->size) { /* realloc(p, 0) frees, and may return NULL */
		block_ends(&pending->old, true);
		if (is_small(&trap->cookie, pending->old.size))
			__sync_fetch_and_add(&memory->small_freed, 1);
	} else if (!put_allocation(pending->old_key, &pending->old)) {
		__sync_fetch_and_add(&memory->untracked_blocks, 1);
		block_ends(&pending->old, false);
	}
	pending->old_key = 0;
}

static __always_inline void allocation_ends(const void *regs, struct memory_trap *trap)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct memory_thread *thread = bpf_map_lookup_elem(&memory_threads, &tid);
	struct pending_allocation *pending;
	__u64 pointer;

	__sync_fetch_and_add(&trap->memory->return_hits, 1);
	if (!thread || thread->steps.process != trap->memory->process)
		return;
	pending = &thread->pending;
	if (!pending->sp || pending->noted ||
	    stack_pointer(regs) <= pending->sp) /* of one within it, or too small to be looked at */
		return;
	pointer = trapped_register(regs, 80); /* rax */
	if (pending->store)
		pointer = (__u32)pointer ? 0 : user_u64(pending->store); /* an int */
	settle_old(pending, pointer, trap);
	pending->sp = 0;
	if (!pointer || pending->size < trap->memory->min_size)
		return;
	if (is_small(&trap->cookie, pending->size))
		__sync_fetch_and_add(&trap->memory->small_born, 1);
	charge(thread, trap->memory, pointer, pending->size);
}

/* The same at places inside malloc (src/elf/return_points.h): at one, or its size at one and its block at another. */
static __always_inline void malloc_passed(const void *regs, struct memory_trap *trap)
{
	__u64 first = argument(regs, trap->cookie.first), sp = stack_pointer(regs);
	struct memory_thread *thread;
	struct pending_allocation *pending;
	__u64 pointer = first, size = first;

	if (trap->cookie.call == AL_CALL_MALLOC_RETURN) {
		size = argument(regs, trap->cookie.second);
		if (!pointer || size < trap->memory->min_size)
			return;
	}
	thread = this_thread(trap->memory);
	if (!thread) {
		__sync_fetch_and_add(&trap->memory->untracked_blocks, 1);
		return;
	}
	pending = &thread->pending;
	if (is_nested(thread, sp))
		return;
	if (trap->cookie.call == AL_CALL_MALLOC_NOTED) {
		pending->sp = sp;
		pending->noted = 1;
		pending->size = first;
		return;
	}
	if (trap->cookie.call == AL_CALL_MALLOC_DONE) {
		if (!pointer || !pending->noted)
			return;
		size = pending->size;
	}
	pending->sp = 0;
	pending->noted = 0;
	if (size >= trap->memory->min_size)
		charge(thread, trap->memory, pointer, size);
}

/*
 * A block without a record, given back under --memory all. Python's own allocator passes on to free() what is not
 * its own; the rest were small blocks of its pools.
 */
static __always_inline void unknown_given_back(const void *regs, struct memory_trap *trap, __u64 pointer)
{
	struct memory_thread *thread = this_thread(trap->memory);

	if (!thread || is_nested(thread, stack_pointer(regs))) /* realloc() gives back what it was given */
		return;
	if (trap->cookie.object) {
		thread->passed_on = pointer;
		__sync_fetch_and_add(&trap->memory->small_unknown, 1);
	} else if (thread->passed_on == pointer) {
		thread->passed_on = 0;
		__sync_fetch_and_add(&trap->memory->small_unknown, -1);
	}
}

static __always_inline void block_given_back(const void *regs, struct memory_trap *trap)
{
	__u64 pointer = argument(regs, trap->cookie.first);
	struct al_allocation block;

	if (!pointer)
		return;
	if (take_allocation(allocation_key(pointer, trap->memory->process), &block)) {
		block_ends(&block, true);
		if (is_small(&trap->cookie, block.size))
			__sync_fetch_and_add(&trap->memory->small_freed, 1);
	} else if (trap->memory->flags & AL_MEMORY_OBJECTS) {
		unknown_given_back(regs, trap, pointer);
	}
}

static __always_inline void step_begins(const void *regs, struct memory_trap *trap)
{
	struct memory_thread *thread = this_thread(trap->memory);
	struct al_layout *layout = bpf_map_lookup_elem(&layouts, &trap->memory->core);
	__u64 task = argument(regs, trap->cookie.first);

	if (!thread || !layout)
		return;
	if (trap->cookie.third)
		task = user_u64(task + (__u32)trap->cookie.third * 8);
	if (!(trap->memory->flags & AL_MEMORY_STEPS_ONLY))
		learn_dispatcher(thread, layout, trap->memory->bias);
	step_begun(thread, trap->memory, stack_pointer(regs), task);
}

/* Whether Task.__init__ was told to run the first step at once: a value of its keywords is True. */
static __noinline int starts_eagerly(const struct al_layout *layout, const struct al_memory *memory, __u64 kwds)
{
	struct dict_entries entries;

	if (!open_dict(&entries, layout, kwds))
		return 0;
	for (int i = 0; i < AL_TASK_KEYWORDS; i++) {
		if (user_u64(entries.values + i * entries.stride) == memory->true_object)
			return 1;
	}
	return 0;
}

static __always_inline void eager_step_begins(const void *regs, struct memory_trap *trap)
{
	struct al_layout *layout = bpf_map_lookup_elem(&layouts, &trap->memory->core);
	struct memory_thread *thread;

	if (!layout || !starts_eagerly(layout, trap->memory, argument(regs, trap->cookie.second)))
		return;
	thread = this_thread(trap->memory);
	if (thread)
		step_begun(thread, trap->memory, stack_pointer(regs), argument(regs, trap->cookie.first));
}

static __always_inline void step_ends(const void *regs, struct memory_trap *trap)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct memory_thread *thread = bpf_map_lookup_elem(&memory_threads, &tid);
	struct al_step *step;
	__u64 sp;

	if (trap->cookie.call != AL_CALL_STEP_LEFT)
		__sync_fetch_and_add(&trap->memory->return_hits, 1);
	if (!thread || thread->steps.process != trap->memory->process)
		return;
	/* Inside the function the stack may be where it was at its beginning; at its return it is further out. */
	sp = stack_pointer(regs) - (trap->cookie.call != AL_CALL_STEP_LEFT);
	step = unwind_steps(&thread->steps, sp);
	if (step && step->began_ns)
		step_measured(trap->memory, step, sp);
}

/* The memory is another one from here on. */
static __always_inline void memory_replaced(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	__u32 *index = bpf_map_lookup_elem(&memory_of, &tgid);
	struct al_memory *memory = index ? bpf_map_lookup_elem(&memories, index) : 0;

	if (memory)
		memory->process = 0;
}

#endif
