/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * --slow-step: how long a step of a task held its event loop. A step within another one (an eager task, a nested loop)
 * is measured on its own; the one around it lasts as long as both: it held the loop.
 */
#ifndef ASYNCLEAK_SLOW_STEP_BPF_H
#define ASYNCLEAK_SLOW_STEP_BPF_H

#include "step.bpf.h"

/*
 * The stack at the place where a step begins and at that where it leaves are not further apart than this: both are in
 * one function, near its ends. Steps within each other are, by a frame of the interpreter at least.
 */
#define AL_STEP_FRAME 512

static __always_inline void raise_to(__u64 *longest, __u64 ns)
{
	for (int attempt = 0; attempt < 8; attempt++) {
		__u64 old = *(volatile __u64 *)longest;

		if (old >= ns || __sync_val_compare_and_swap(longest, old, ns) == old)
			return;
	}
}

static __noinline int count_slow_step(const struct al_memory *memory, struct al_step *step, __u64 ns)
{
	struct al_layout *layout = bpf_map_lookup_elem(&layouts, &memory->core);
	__u32 id = step->site;
	struct al_site *site;

	if (!id && layout)
		id = site_of_task(layout, memory, step->task);
	site = bpf_map_lookup_elem(&sites, &id);
	if (!id || !site) {
		count(AL_DROP_STEP);
		return 0;
	}
	__sync_fetch_and_add(&site->slow_steps, 1);
	raise_to(&site->slow_longest_ns, ns);
	return 0;
}

/* STEP is the outermost that has returned now that the stack is at SP. */
static __always_inline void step_measured(const struct al_memory *memory, struct al_step *step, __u64 sp)
{
	__u64 ns = bpf_ktime_get_ns() - step->began_ns;

	if (sp - step->sp > AL_STEP_FRAME) /* another one leaves, that we did not see begin */
		count(AL_DROP_STEP);
	else if (ns > memory->slow_step_ns)
		count_slow_step(memory, step, ns);
}

#endif
