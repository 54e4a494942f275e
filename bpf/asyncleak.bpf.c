/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Entry points, in the order a task and its process live. Each only rings a bell. */
#include "kernel.bpf.h"
#include "memory.bpf.h"
#include "task.bpf.h"
#include "unawaited.bpf.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline const struct al_binary *trapped_binary(void *ctx)
{
	__u32 cookie = bpf_get_attach_cookie(ctx);
	const struct al_binary *binary = bpf_map_lookup_elem(&binaries, &cookie);

	if (!binary)
		count(AL_DROP_BINARY);
	return binary;
}

/* One hit in 256 is timed, so that the price on the screen is measured, not assumed. */
static __always_inline __u64 hit(enum al_counter which)
{
	return (count(which) & 0xff) == 0xff ? bpf_ktime_get_ns() : 0;
}

static __always_inline void hit_done(__u64 started)
{
	if (started) {
		count(AL_TIMED_HITS);
		count_many(AL_TIMED_NS, bpf_ktime_get_ns() - started);
	}
}

/* Task.__init__(self, coro, ...): tp_init of _asyncio.Task. */
SEC("uprobe")
int task_init(void *ctx)
{
	const struct al_binary *binary = trapped_binary(ctx);
	__u64 started = hit(AL_HITS_INIT);

	if (binary)
		task_created(ctx, binary);
	hit_done(started);
	return 0;
}

/* tp_dealloc of _asyncio.Task. */
SEC("uprobe")
int task_dealloc(void *ctx)
{
	const struct al_binary *binary = trapped_binary(ctx);
	__u64 started = hit(AL_HITS_DEALLOC);

	if (binary)
		task_destroyed(ctx, binary);
	hit_done(started);
	return 0;
}

/* The interpreter's core warns that a coroutine was never awaited; the cookie is the core's index. */
SEC("uprobe")
int unawaited_warning(void *ctx)
{
	__u64 started = hit(AL_HITS_UNAWAITED);

	coroutine_unawaited(ctx, bpf_get_attach_cookie(ctx));
	hit_done(started);
	return 0;
}

/* Attached to ourselves at start: what a trap costs on this machine. */
SEC("uprobe")
int calibrate(void *ctx)
{
	return 0;
}

SEC("raw_tp/sched_process_fork")
int process_fork(struct bpf_raw_tracepoint_args *ctx)
{
	process_forked((void *)ctx->args[0], (void *)ctx->args[1]);
	return 0;
}

SEC("raw_tp/sched_process_exec")
int process_exec(struct bpf_raw_tracepoint_args *ctx)
{
	process_executed((void *)ctx->args[0]);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int process_exit(struct bpf_raw_tracepoint_args *ctx)
{
	process_exited((void *)ctx->args[0]);
	return 0;
}

/* Run by user space for a process that ended: its records, in one pass inside the kernel. */
SEC("syscall")
int purge_process(struct al_purge *purge)
{
	purge->removed = forget_tasks(purge);
	return 0;
}

/* What follows puts tasks from before the attach into the counts, also run by user space: seed.bpf.h. */
SEC("syscall")
int open_process(struct al_open_process *opening)
{
	opening->process = opened_process(opening);
	return 0;
}

SEC("syscall")
int set_seeding(struct al_set_seeding *setting)
{
	setting->was = seeding_set(setting->tgid, setting->process, setting->state);
	return 0;
}

SEC("syscall")
int seed_tasks(struct al_seed_tasks *seed)
{
	tasks_seeded(seed);
	return 0;
}

SEC("syscall")
int sites_of_tasks(struct al_sites_of *asked)
{
	sites_found(asked->process, asked->count);
	return 0;
}

/* From here on: the memory modes. Loaded in a second instance, when one is first switched on. */
#define AL_MEMORY_PROBE(section_, name_, happened_)                                                                    \
	SEC(section_) int name_(void *ctx)                                                                             \
	{                                                                                                              \
		struct memory_trap trap;                                                                               \
                                                                                                                       \
		trapped(&trap, ctx);                                                                                   \
		if (trap.memory)                                                                                       \
			happened_(ctx, &trap);                                                                         \
		trap_done(&trap);                                                                                      \
		return 0;                                                                                              \
	}

AL_MEMORY_PROBE("uprobe", allocating, allocation_begins)
AL_MEMORY_PROBE("uretprobe", allocated, allocation_ends)
AL_MEMORY_PROBE("uprobe", passing_malloc, malloc_passed)
AL_MEMORY_PROBE("uprobe", freeing, block_given_back)
AL_MEMORY_PROBE("uprobe", step_entered, step_begins)
AL_MEMORY_PROBE("uprobe", eager_step_entered, eager_step_begins) /* beside task_init, where tasks can be eager */
AL_MEMORY_PROBE("uprobe", step_left, step_ends) /* at its return, or at a place inside behind the step */

SEC("raw_tp/sched_process_exec")
int memory_exec(struct bpf_raw_tracepoint_args *ctx)
{
	memory_replaced((void *)ctx->args[0]);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int memory_thread_exit(struct bpf_raw_tracepoint_args *ctx)
{
	__u32 tid = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&memory_threads, &tid);
	return 0;
}
