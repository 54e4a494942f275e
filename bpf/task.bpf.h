/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* A task's life: created and destroyed, counted at its site. */
#ifndef ASYNCLEAK_TASK_BPF_H
#define ASYNCLEAK_TASK_BPF_H

#include "site.bpf.h"
#include "seed.bpf.h"
#include "pending.bpf.h"

/* What a task is about to run, read from its coroutine. */
struct coroutine_view {
	__u64 object;
	__u64 qualname; /* str; 0: not a coroutine or a generator */
	__u64 code; /* code object; the awaitable's type where qualname is 0 */
	__u64 print;
};

/* The values of a dict as it is while a call is made with keywords: nothing was deleted, at most 8 entries. */
struct dict_entries {
	__u64 values; /* address of the first */
	__u32 stride;
};

static __always_inline bool open_dict(struct dict_entries *entries, const struct al_layout *layout, __u64 dict)
{
	__u64 keys = dict ? user_u64(dict + layout->dict_keys) : 0;
	__u32 index_bytes = 8, value_at = 16; /* dk_size 8, the smallest there is (<= 3.10) */

	if (!keys)
		return false;
	entries->stride = 24;
	if (layout->keys_log2_index_bytes != AL_ABSENT)
		index_bytes = 1u << (user_u8(keys + layout->keys_log2_index_bytes) & 15);
	if (layout->keys_kind != AL_ABSENT && user_u8(keys + layout->keys_kind)) {
		entries->stride = 16;
		value_at = 8;
	}
	entries->values = keys + layout->keys_indices + index_bytes + value_at;
	return true;
}

#define AL_TASK_KEYWORDS 5 /* coro, loop, name, context, eager_start: Modules/_asynciomodule.c, Task.__init__ */

/* Task(coro=...) by keyword: the value in KWDS that is a coroutine. */
static __noinline __u64 coroutine_in_dict(const struct al_layout *layout, __u64 coro_type, __u64 kwds)
{
	struct dict_entries entries;

	if (!open_dict(&entries, layout, kwds))
		return 0;
	for (int i = 0; i < AL_TASK_KEYWORDS; i++) {
		__u64 value = user_u64(entries.values + i * entries.stride);

		if (value && user_u64(value + layout->ob_type) == coro_type)
			return value;
	}
	return 0;
}

/* The task's first argument; args is a tuple, kwds a dict or 0. */
static __always_inline __u64 coroutine_argument(const struct al_layout *layout, __u64 bias, const void *regs,
						const struct al_registers *registers)
{
	__u64 args = trapped_register(regs, registers->args);
	__u64 tuple[3]; /* ob_size, hash (3.14+), first item */

	/* At the end of a page the third word may not be there, and be none of the tuple's. */
	if (bpf_probe_read_user(tuple, sizeof(tuple), (void *)(args + layout->tuple_size))) {
		tuple[0] = user_u64(args + layout->tuple_size);
		tuple[1] = user_u64(args + layout->tuple_items);
		tuple[2] = tuple[1];
	}
	if (tuple[0])
		return layout->tuple_items - layout->tuple_size == 8 ? tuple[1] : tuple[2];
	return coroutine_in_dict(layout, layout->coro_type + bias, trapped_register(regs, registers->kwds));
}

/* PyCoroObject up to its code, 3.8 to 3.15, free-threaded builds included. */
#define AL_CORO_HEAD_WORDS 12
static __noinline int view_coroutine(struct coroutine_view *view, const struct al_layout *layout, __u64 bias)
{
	AL_WINDOW(head, AL_CORO_HEAD_WORDS);
	__u64 type, code;

	if (!open_window(head, view->object)) {
		view->code = user_u64(view->object + layout->ob_type);
		return 0;
	}
	type = view->code = window_u64(head, layout->ob_type);
	if (type != layout->coro_type + bias && type != layout->gen_type + bias)
		return 0; /* another awaitable (Cython, collections.abc.Coroutine): named by its type */
	code = window_u64(head, layout->coro_code) & ~3ull;
	view->print = code_print(layout, bias, code);
	if (!view->print) {
		count(AL_DROP_CODE_UNREADABLE);
		return 0;
	}
	view->code = code;
	view->qualname = window_u64(head, layout->coro_qualname);
	return 0;
}

/* Who runs there; to be followed by publish_site(). */
static __noinline int describe_site(const struct al_layout *layout, const struct al_process *process, __u32 id,
				    const struct coroutine_view *view)
{
	struct al_origin *origin = bpf_map_lookup_elem(&origins, &id);
	struct al_code_key key = {.code = view->code, .print = view->print, .process = process->id};

	if (!origin)
		return 0;
	origin->process = process->id;
	origin->core = process->core;
	origin->code = view->code;
	origin->print = view->print;
	if (view->qualname) {
		if (!copy_name(&origin->qualname, layout, view->qualname))
			count(AL_DROP_NAME_UNREADABLE);
		remember_code(layout, &key);
	} else {
		origin->flags |= AL_ORIGIN_TYPE;
		if (!copy_type_name(&origin->qualname, layout, view->code))
			count(AL_DROP_NAME_UNREADABLE);
	}
	return 0;
}

/* It is complete: user space may read it. */
static __always_inline void publish_site(__u32 id)
{
	struct al_origin *origin = bpf_map_lookup_elem(&origins, &id);
	struct al_site *site = bpf_map_lookup_elem(&sites, &id);

	if (!origin || !site)
		return;
	if (al_stack_depth && !origin->depth && !(origin->flags & AL_ORIGIN_PREEXISTING))
		origin->flags |= AL_ORIGIN_NO_STACK;
	origin->ready = 1;
	site->state = AL_SITE_READY;
}

static __noinline __u32 creation_site(const struct al_layout *layout, struct al_process *process, __u64 coroutine)
{
	struct coroutine_view view = {.object = coroutine};
	struct al_site_key key = {};
	__u64 frame = 0;
	__u32 *known, id;

	view_coroutine(&view, layout, process->bias);
	if (!view.code)
		count(AL_DROP_ARGS_UNREADABLE);
	if (al_stack_depth) {
		frame = innermost_frame(layout, process);
		if (!frame)
			count(AL_DROP_THREAD_NOT_FOUND);
		key.stack = hash_stack(layout, frame);
	}
	key.code = view.code;
	key.code_print = view.print;
	key.qualname = view.qualname;
	key.process = process->id;
	known = bpf_map_lookup_elem(&site_ids, &key);
	if (known)
		return *known;
	id = make_site(&key, &empty_origin, current_tgid());
	if (!id)
		return 0;
	describe_site(layout, process, id, &view);
	if (frame) {
		keep_stack(layout, id, frame);
		name_frames(layout, process, id);
	}
	publish_site(id);
	return id;
}

/* A recorded task is gone: deallocated, or initialised a second time. */
static __always_inline void leave_site(const struct al_task *task)
{
	struct al_site *site = bpf_map_lookup_elem(&sites, &task->site);

	if (!site)
		return;
	__sync_fetch_and_add(&site->destroyed, 1);
	cohort_add(site, task->born_ns, -1);
}

/* After leave_site(): it had not finished. */
static __always_inline void lost_at_site(const struct al_task *task)
{
	struct al_site *site = bpf_map_lookup_elem(&sites, &task->site);

	if (site)
		__sync_fetch_and_add(&site->destroyed_pending, 1);
}

static __always_inline void enter_site(__u32 id, __u64 now, bool tracked)
{
	struct al_site *site = bpf_map_lookup_elem(&sites, &id);

	if (!site)
		return;
	__sync_fetch_and_add(&site->created, 1);
	site->last_ns = now;
	if (tracked)
		cohort_add(site, now, 1);
	else
		__sync_fetch_and_add(&site->untracked, 1);
}

static __always_inline void task_created(const void *regs, const struct al_binary *binary)
{
	struct al_process *process = process_creating(regs, binary);
	struct al_task_key key = {.address = trapped_register(regs, binary->init.self)};
	struct al_task task = {.born_ns = bpf_ktime_get_ns()};
	struct al_layout *layout;
	struct al_task old;
	int error;

	if (!process)
		return;
	layout = bpf_map_lookup_elem(&layouts, &process->core);
	if (!layout)
		return;
	task.site = creation_site(layout, process, coroutine_argument(layout, process->bias, regs, &binary->init));
	if (!task.site)
		return;
	key.process = process->id;
	error = record_task(&key, &task);
	if (error == -AL_EEXIST && forget_record(&key, &old)) { /* __init__ on a living task */
		leave_site(&old);
		__sync_fetch_and_add(&process->outstanding, -1);
		count(AL_TASKS_REINITIALISED);
		error = record_task(&key, &task);
	}
	if (error)
		count(AL_DROP_TASKS_FULL);
	else
		__sync_fetch_and_add(&process->outstanding, 1); /* and a full barrier: seed.bpf.h */
	if (forget_seed(&key, &old)) { /* __init__ on a living task from before */
		leave_site(&old);
		count(AL_TASKS_REINITIALISED);
	}
	enter_site(task.site, task.born_ns, !error);
}

static __always_inline void task_destroyed(const void *regs, const struct al_binary *binary)
{
	struct al_task_key key = {.address = trapped_register(regs, binary->dealloc.self)};
	struct al_process *process = process_destroying();
	struct al_task task;

	if (!process)
		return;
	key.process = process->id;
	if (process->seeding == AL_SEEDING)
		set_aside_task(process, &key);
	if (forget_record(&key, &task)) {
		__sync_fetch_and_add(&process->outstanding, -1);
	} else if (!forget_seed(&key, &task)) {
		__sync_fetch_and_add(&process->destroyed_unknown, 1);
		count(AL_TASKS_DESTROYED_UNKNOWN);
		return;
	}
	leave_site(&task);
	if (ends_pending(process, binary, key.address, &task))
		lost_at_site(&task);
}

#endif
