/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Which task runs on a thread: a stack of the steps that have begun and not returned, told apart by where the
 * thread's stack was. A lost return (the kernel keeps a bounded number of them) ends with the next step that
 * begins further out.
 */
#ifndef ASYNCLEAK_STEP_BPF_H
#define ASYNCLEAK_STEP_BPF_H

#include "memory_maps.bpf.h"
#include "task.bpf.h"

static const struct memory_thread empty_thread;
static const struct al_origin preexisting_origin = {.flags = AL_ORIGIN_PREEXISTING};

static __always_inline __u64 stack_pointer(const void *regs)
{
	__u64 value;

	asm volatile("%0 = *(u64 *)(%1 + 152)" : "=r"(value) : "r"(regs)); /* struct pt_regs.sp */
	return value;
}

/* The state of the current thread, made at first sight; 0: no room. */
static __always_inline struct memory_thread *this_thread(const struct al_memory *memory)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct memory_thread *thread = bpf_map_lookup_elem(&memory_threads, &tid);

	if (thread && thread->steps.process == memory->process)
		return thread;
	if (bpf_map_update_elem(&memory_threads, &tid, &empty_thread, BPF_ANY))
		return 0;
	thread = bpf_map_lookup_elem(&memory_threads, &tid);
	if (thread)
		thread->steps.process = memory->process;
	return thread;
}

#define AL_STEP_SLOT(steps_) (&(steps_)->step[((steps_)->count - 1) & (AL_MAX_NESTED_STEPS - 1)])

/* Takes out steps that began further in than SP: they have returned. The outermost of them, or 0. */
static __always_inline struct al_step *unwind_steps(struct al_thread_steps *steps, __u64 sp)
{
	struct al_step *last = 0;

	for (int i = 0; i < AL_MAX_NESTED_STEPS && steps->count; i++) {
		struct al_step *step = AL_STEP_SLOT(steps);

		if (step->sp > sp)
			break;
		if (last && last->began_ns) /* nobody saw it return */
			count(AL_DROP_STEP);
		last = step;
		steps->count--;
	}
	return last;
}

static __always_inline void step_begun(struct memory_thread *thread, const struct al_memory *memory, __u64 sp,
				       __u64 task)
{
	struct al_thread_steps *steps = &thread->steps;
	struct al_step *step = unwind_steps(steps, sp);

	if (step && step->began_ns)
		count(AL_DROP_STEP);
	if (steps->count >= AL_MAX_NESTED_STEPS) { /* charged to the step around it */
		if (memory->slow_step_ns)
			count(AL_DROP_STEP);
		return;
	}
	steps->count++;
	step = AL_STEP_SLOT(steps);
	step->sp = sp;
	step->task = task;
	step->site = 0;
	step->began_ns = memory->slow_step_ns ? bpf_ktime_get_ns() : 0;
}

/* The innermost frame of the current thread, whether it holds the GIL or not; 0: it is no thread of Python's. */
static __noinline __u64 thread_frame(struct memory_thread *thread, const struct al_layout *layout, __u64 bias)
{
	__u64 pthread = current_pthread(), idle = 0, frame = 0;
	int use = thread->tstate ? view_tstate(layout, thread->tstate, pthread, &frame) : AL_TSTATE_OTHER;

	if (use == AL_TSTATE_RUNS)
		return frame;
	if (use == AL_TSTATE_OTHER)
		thread->tstate = 0;
	if (thread->stateless) {
		thread->stateless--;
		return frame;
	}
	/* It is no thread of Python's, or has let the GIL go, or is in another interpreter. The search is long. */
	thread->tstate = find_tstate(layout, layout->runtime + bias, thread->steps.process, pthread, &idle);
	if (!thread->tstate) {
		thread->tstate = idle;
		thread->stateless = 256;
	}
	if (!thread->tstate)
		return 0;
	view_tstate(layout, thread->tstate, pthread, &frame);
	return frame;
}

/*
 * The function from which the event loop calls what it has to call is the innermost Python function when a step
 * begins: Handle._run of asyncio, or whoever runs a loop written in C, at the instruction that calls. Looked at now
 * and then.
 */
#define AL_STEPS_PER_LOOK 1024
static __noinline int learn_dispatcher(struct memory_thread *thread, const struct al_layout *layout, __u64 bias)
{
	struct frame_view view;

	if (thread->dispatcher && thread->steps_begun++ < AL_STEPS_PER_LOOK)
		return 0;
	thread->steps_begun = 0;
	if (python_frame(layout, thread_frame(thread, layout, bias), &view)) {
		thread->dispatcher = view.code;
		thread->dispatching = view.instr;
	}
	return 0;
}

struct callback_search {
	const struct al_layout *layout;
	const struct al_block *block;
	__u64 frame;
	__u64 dispatcher, dispatching;
	__u64 callback; /* the Python function last seen, further in */
	bool found;
	bool moved; /* the dispatcher is there, and does something else */
	struct frame_shape shape;
};

static long search_callback(__u32 index, struct callback_search *search)
{
	struct frame_view view;

	if (!search->frame)
		return 1;
	if (!(search->block && view_frame_in(search->block, &view, &search->shape, search->layout, search->frame)) &&
	    !view_frame(&view, &search->shape, search->layout, search->frame))
		return 1;
	search->frame = view.back;
	if (!view.python)
		return 0;
	if (view.code == search->dispatcher) {
		search->found = view.instr == search->dispatching;
		search->moved = !search->found;
		return 1;
	}
	search->callback = view.code;
	return 0;
}

#define AL_CALLBACK_DEPTH 128

/* Code of the callback that runs; 0: none does, or it is written in C. */
static __noinline __u64 running_callback(struct memory_thread *thread, const struct al_layout *layout, __u64 bias)
{
	struct callback_search search = {
	    .layout = layout, .dispatcher = thread->dispatcher, .dispatching = thread->dispatching};
	struct al_block *block;

	if (!thread->dispatcher)
		return 0;
	search.frame = thread_frame(thread, layout, bias);
	if (!search.frame)
		return 0;
	block = read_block(layout, search.frame);
	search.block = block;
	shape_frame(&search.shape, layout);
	bpf_loop(AL_CALLBACK_DEPTH, search_callback, &search, 0);
	if (block)
		release_block(block);
	if (search.moved)
		thread->steps_begun = AL_STEPS_PER_LOOK;
	return search.found ? search.callback : 0;
}

/* The site for what code outside any task allocates; CODE 0: outside any callback too. */
static __noinline __u32 taskless_site(const struct al_layout *layout, const struct al_memory *memory, __u64 code)
{
	struct al_code_key name = {.code = code, .process = memory->process};
	struct al_site_key key = {.process = memory->process, .stack = AL_STACK_OUTSIDE};
	struct al_origin *origin;
	struct al_site *site;
	__u32 *known, id;

	name.print = code ? code_print(layout, memory->bias, code) : 0;
	if (name.print) {
		key.code = code;
		key.code_print = name.print;
		key.stack = AL_STACK_CALLBACK;
	}
	known = bpf_map_lookup_elem(&site_ids, &key);
	if (known)
		return *known;
	id = make_site(&key, &empty_origin, memory->tgid);
	origin = bpf_map_lookup_elem(&origins, &id);
	site = bpf_map_lookup_elem(&sites, &id);
	if (!id || !origin || !site)
		return 0;
	origin->process = memory->process;
	origin->core = memory->core;
	if (name.print) {
		origin->code = code;
		origin->print = name.print;
		if (!copy_name(&origin->qualname, layout, name_of_code(layout, code)))
			count(AL_DROP_NAME_UNREADABLE);
		remember_code(layout, &name);
	}
	origin->ready = 1;
	site->state = AL_SITE_READY;
	return id;
}

/* The site of a task that no probe saw and no census told yet: that of its kind from before we watched. */
static __noinline __u32 unrecorded_site(const struct al_layout *layout, const struct al_memory *memory, __u64 task)
{
	struct al_process *process = bpf_map_lookup_elem(&processes, &memory->tgid);
	struct coroutine_view view = {.object = user_u64(task + memory->task_coro)};
	struct al_site_key key = {.stack = AL_STACK_PREEXISTING, .process = memory->process};
	__u32 *known, id;

	if (!process || process->id != memory->process)
		return 0;
	view_coroutine(&view, layout, memory->bias);
	if (!view.code)
		return 0;
	/* Opened by user space, no task created yet: find_core() would say the same. */
	if (process->core == AL_NO_CORE) {
		process->bias = memory->bias;
		process->core = memory->core;
	}
	key.code = view.code;
	key.code_print = view.print;
	key.qualname = view.qualname;
	known = bpf_map_lookup_elem(&site_ids, &key);
	if (known)
		return *known;
	id = make_site(&key, &preexisting_origin, memory->tgid);
	if (id) {
		describe_site(layout, process, id, &view);
		publish_site(id);
	}
	return id;
}

static __always_inline __u32 site_of_task(const struct al_layout *layout, const struct al_memory *memory, __u64 task)
{
	struct al_task_key key = {.address = task, .process = memory->process};
	const struct al_task *known = known_task(&key);

	return known ? known->site : unrecorded_site(layout, memory, task);
}

/* Whom the current thread allocates for; 0: no room for another site. */
static __always_inline __u32 running_site(struct memory_thread *thread, const struct al_layout *layout,
					  const struct al_memory *memory)
{
	struct al_step *step;

	if (!thread->steps.count)
		return taskless_site(layout, memory, running_callback(thread, layout, memory->bias));
	step = AL_STEP_SLOT(&thread->steps);
	if (!step->site)
		step->site = site_of_task(layout, memory, step->task);
	return step->site;
}

#endif
