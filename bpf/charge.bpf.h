/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* A block that an allocation returned goes to the site, and the line, of what runs on the thread. */
#ifndef ASYNCLEAK_CHARGE_BPF_H
#define ASYNCLEAK_CHARGE_BPF_H

#include "allocation.bpf.h"
#include "step.bpf.h"

/* Indices of `lines` handed out so far; user space bounds its scan by it. */
__u32 al_line_ids_used = 0;

/* Index of the line that allocates; 0: not known, or no room. */
static __noinline __u32 allocating_line(struct memory_thread *thread, const struct al_layout *layout,
					const struct al_memory *memory, __u32 site)
{
	struct al_line_key key = {.site = site};
	struct al_code_key name = {.process = memory->process};
	struct frame_view view;
	struct al_line *line;
	__u32 *known, index;

	if (!python_frame(layout, thread_frame(thread, layout, memory->bias), &view))
		return 0;
	name.code = key.code = view.code;
	name.print = key.print = code_print(layout, memory->bias, view.code);
	key.offset = layout->flags & AL_CODE_COPIES ? AL_NO_OFFSET : instruction_offset(layout, &view);
	if (!key.print)
		return 0;
	known = bpf_map_lookup_elem(&line_ids, &key);
	if (known)
		return *known;
	if (bpf_map_pop_elem(&free_lines, &index)) {
		if (al_line_ids_used + 1 >= AL_MAX_LINES)
			return 0;
		index = __sync_fetch_and_add(&al_line_ids_used, 1) + 1;
	}
	line = bpf_map_lookup_elem(&lines, &index);
	if (!line)
		return 0;
	line->key = key;
	line->process = memory->process;
	if (bpf_map_update_elem(&line_ids, &key, &index, BPF_NOEXIST)) {
		line->process = 0; /* another thread was faster: nobody's */
		bpf_map_push_elem(&free_lines, &index, BPF_ANY);
		known = bpf_map_lookup_elem(&line_ids, &key);
		return known ? *known : 0;
	}
	remember_code(layout, &name);
	line->ready = 1;
	return index;
}

/* CLOCK_MONOTONIC to a timer tick: reading the tick count is a load, reading the clock is not. */
static __always_inline __u64 tick_ns(struct memory_thread *thread)
{
	__u64 ticks = bpf_jiffies64();

	if (thread->ticks != ticks) {
		thread->ticks = ticks;
		thread->tick_ns = bpf_ktime_get_ns();
	}
	return thread->tick_ns;
}

static __noinline int charge(struct memory_thread *thread, struct al_memory *memory, __u64 address, __u64 size)
{
	struct al_layout *layout = bpf_map_lookup_elem(&layouts, &memory->core);
	struct al_allocation block = {.size = size, .born_ns = tick_ns(thread)}, unseen;
	__u64 key = allocation_key(address, memory->process);

	if (!layout)
		return 0;
	if (take_allocation(key, &unseen)) /* freed where no probe is */
		block_ends(&unseen, true);
	block.site = running_site(thread, layout, memory);
	if (!block.site) {
		__sync_fetch_and_add(&memory->untracked_blocks, 1);
		return 0;
	}
	if (memory->flags & AL_MEMORY_LINES)
		block.line = allocating_line(thread, layout, memory, block.site);
	if (put_allocation(key, &block)) {
		block_born(&block, true);
	} else {
		__sync_fetch_and_add(&memory->untracked_blocks, 1);
		block_born(&block, false);
	}
	return 0;
}

#endif
