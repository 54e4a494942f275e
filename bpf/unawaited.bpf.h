/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Coroutines destroyed without ever having been awaited. The probe is in the middle of a function of the
 * interpreter's core (src/elf/unawaited_warnings.h), so the coroutine is looked for in the registers.
 */
#ifndef ASYNCLEAK_UNAWAITED_BPF_H
#define ASYNCLEAK_UNAWAITED_BPF_H

#include "task.bpf.h"

/* True with VIEW filled in if its object is a coroutine of this process; the first one seen tells its bias. */
static __noinline int view_unawaited(struct coroutine_view *view, const struct al_layout *layout,
				     struct al_process *process, __u32 core)
{
	__u64 bias = user_u64(view->object + layout->ob_type) - layout->coro_type;
	bool known = process->core != AL_NO_CORE;

	if (known ? process->core != core || bias != process->bias : !is_load_bias(layout, bias))
		return 0;
	view->code = user_u64(view->object + layout->coro_code) & ~3ull;
	view->print = code_print(layout, bias, view->code);
	if (!view->print)
		return 0;
	view->qualname = user_u64(view->object + layout->coro_qualname);
	if (!known) {
		process->bias = bias;
		process->core = core;
	}
	return 1;
}

static __noinline int count_unawaited(const struct coroutine_view *view, const struct al_layout *layout,
				      const struct al_process *process)
{
	struct al_site_key key = {
	    .code = view->code,
	    .code_print = view->print,
	    .qualname = view->qualname,
	    .stack = AL_STACK_UNAWAITED,
	    .process = process->id,
	};
	__u32 *known = bpf_map_lookup_elem(&site_ids, &key), id;
	struct al_site *site;

	if (known) {
		id = *known;
	} else {
		id = make_site(&key, &empty_origin, current_tgid());
		if (id) {
			describe_site(layout, process, id, view);
			publish_site(id);
		}
	}
	site = bpf_map_lookup_elem(&sites, &id);
	if (!id || !site)
		return 0;
	__sync_fetch_and_add(&site->created, 1);
	site->last_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void coroutine_unawaited(const void *regs, __u32 core)
{
	struct al_process *process = process_destroying();
	struct al_layout *layout = bpf_map_lookup_elem(&layouts, &core);
	struct coroutine_view view = {};
	/* struct pt_regs: those a call keeps, rbx, rbp, r12 to r15; then the first two arguments, rdi, rsi. */
	static const __u16 registers[] = {40, 32, 24, 16, 8, 0, 112, 104};

	if (!process || !layout)
		return;
#pragma unroll
	for (int i = 0; i < 8; i++) {
		view.object = trapped_register(regs, registers[i]);
		if (view_unawaited(&view, layout, process, core)) {
			count_unawaited(&view, layout, process);
			return;
		}
	}
	count(AL_DROP_UNAWAITED);
}

#endif
