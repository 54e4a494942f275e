/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Tasks destroyed before they finished: the program lost them. CPython says so on its log ("Task was destroyed but it
 * is pending!"), unless it was told not to, and where a handler of the program does not swallow it.
 */
#ifndef ASYNCLEAK_PENDING_BPF_H
#define ASYNCLEAK_PENDING_BPF_H

#include "process.bpf.h"
#include "frame.bpf.h"

/*
 * With the interpreter every object goes, and then no Python function runs any more. A process of which nothing is
 * known but that task counts as one that ends: no claim is made.
 */
static __noinline int interpreter_ends(struct al_process *process)
{
	struct al_layout *layout = bpf_map_lookup_elem(&layouts, &process->core);
	struct frame_view view;

	if (!layout)
		return 1;
	return !python_frame(layout, innermost_frame(layout, process), &view);
}

/* At the beginning of its tp_dealloc; RECORD: what was known of it. */
static __always_inline bool ends_pending(struct al_process *process, const struct al_binary *binary, __u64 task,
					 const struct al_task *record)
{
	__u32 state; /* enum fut_state, Modules/_asynciomodule.c: STATE_PENDING is 0 in 3.8 to 3.15 */

	if (binary->task_state == AL_ABSENT ||
	    bpf_probe_read_user(&state, sizeof(state), (void *)(task + binary->task_state)) || state)
		return false;
	/*
	 * __init__ failed: there is no coroutine. Nor is there in what the collector has cleared, but then it has run
	 * its finaliser before (PEP 442), and a plain deallocation only comes to that.
	 */
	if (!user_u64(task + binary->task_coro) &&
	    !(user_u8(task + binary->task_finalized) & binary->task_finalized_mask))
		return false;
	/* A forked child has its parent's tasks and does not run them. */
	if (process->parent && record->born_ns < process->first_ns)
		return false;
	return !interpreter_ends(process);
}

#endif
