/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Processes: known at their first event, copied at fork, forgotten at exec and exit. */
#ifndef ASYNCLEAK_PROCESS_BPF_H
#define ASYNCLEAK_PROCESS_BPF_H

#include "record.bpf.h"
#include "site.bpf.h"

static __noinline struct al_process *new_process(__u32 tgid)
{
	struct al_process process = {
	    .id = __sync_fetch_and_add(&al_process_ids_used, 1) + 1,
	    .core = AL_NO_CORE,
	    .first_ns = bpf_ktime_get_ns(),
	};

	if ((int)bpf_map_update_elem(&processes, &tgid, &process, BPF_NOEXIST) == -7 /* E2BIG */)
		count(AL_DROP_PROCESSES_FULL);
	return bpf_map_lookup_elem(&processes, &tgid);
}

static __always_inline bool is_load_bias(const struct al_layout *layout, __u64 bias)
{
	return layout->position_independent ? (bias && !(bias & 0xfff) && !(bias >> 47)) : !bias;
}

/*
 * Which candidate image this process runs: the one whose PyTuple_Type, at the address a real
 * tuple names, gives a page-aligned load bias. No set-up per process.
 */
static __noinline int find_core(struct al_process *process, const struct al_binary *binary, __u64 tuple)
{
	for (__u32 i = 0; i < AL_CORES_PER_BINARY && i < binary->core_count; i++) {
		__u32 core = binary->cores[i];
		struct al_layout *layout = bpf_map_lookup_elem(&layouts, &core);
		__u64 bias;

		if (!layout)
			continue;
		bias = user_u64(tuple + layout->ob_type) - layout->tuple_type;
		if (is_load_bias(layout, bias)) {
			process->bias = bias;
			process->core = core;
			return 1;
		}
	}
	count(AL_DROP_CORE);
	return 0;
}

static __always_inline bool is_ignored(__u32 tgid)
{
	return al_only_watched && !bpf_map_lookup_elem(&watched, &tgid);
}

static __always_inline struct al_process *process_creating(const void *regs, const struct al_binary *binary)
{
	__u32 tgid = current_tgid();
	struct al_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process) {
		if (is_ignored(tgid))
			return 0;
		process = new_process(tgid);
	}
	if (!process ||
	    (process->core == AL_NO_CORE && !find_core(process, binary, trapped_register(regs, binary->init.args))))
		return 0;
	return process;
}

static __always_inline struct al_process *process_destroying(void)
{
	__u32 tgid = current_tgid();
	struct al_process *process = bpf_map_lookup_elem(&processes, &tgid);

	return process || is_ignored(tgid) ? process : new_process(tgid);
}

/*
 * Compares the id too: the element may have become another process's. One word, so nothing
 * comes between.
 */
static __always_inline bool change_seeding(struct al_process *process, __u32 id, __u32 from, __u32 to)
{
	__u64 *word = (void *)&process->id;
	__u64 old = (__u64)from << 32 | id;

	return __sync_val_compare_and_swap(word, old, (__u64)to << 32 | id) == old;
}

/* Site of a child that corresponds to its parent's. */
static __noinline __u32 inherited_site(__u32 parent_site, __u32 child, __u32 tgid)
{
	struct al_site *site = bpf_map_lookup_elem(&sites, &parent_site);
	struct al_origin *origin = bpf_map_lookup_elem(&origins, &parent_site);
	struct al_site_key key;
	__u32 *known, id;

	if (!site || !origin)
		return 0;
	key = site->key;
	key.process = child;
	known = bpf_map_lookup_elem(&site_ids, &key);
	if (known)
		return *known;
	id = make_site(&key, origin, tgid);
	site = bpf_map_lookup_elem(&sites, &id);
	if (id && site)
		site->state = AL_SITE_READY;
	return id;
}

struct inheritance {
	__u32 parent;
	__u32 child;
	__u32 child_tgid;
	__u64 copied;
};

static long inherit_task(struct bpf_map *map, struct al_task_key *key, struct al_task *task,
			 struct inheritance *inheritance)
{
	struct al_task_key copy = {.address = key->address, .process = inheritance->child};
	struct al_task inherited = {.born_ns = task->born_ns};
	struct al_site *site;

	if (key->process != inheritance->parent || task->unsure)
		return 0;
	inherited.site = inherited_site(task->site, inheritance->child, inheritance->child_tgid);
	site = bpf_map_lookup_elem(&sites, &inherited.site);
	if (!inherited.site || !site || record_task(&copy, &inherited)) {
		count(AL_DROP_FORK);
		return 0;
	}
	__sync_fetch_and_add(&site->inherited, 1);
	cohort_add(site, inherited.born_ns, 1);
	inheritance->copied++;
	return 0;
}

/*
 * The child has the parent's tasks, at the same addresses, without any event. Runs in the
 * parent before the child does; the parent holds the GIL in os.fork(), so nothing moves.
 */
static __always_inline void process_forked(struct task_struct *parent, struct task_struct *child)
{
	__u32 parent_tgid = BPF_CORE_READ(parent, tgid), child_tgid = BPF_CORE_READ(child, tgid);
	struct inheritance inheritance = {};
	struct al_process *process, *copy;
	__u8 yes = 1;

	if (parent_tgid == child_tgid) /* a thread */
		return;
	if (al_only_watched && bpf_map_lookup_elem(&watched, &parent_tgid))
		bpf_map_update_elem(&watched, &child_tgid, &yes, BPF_ANY);
	process = bpf_map_lookup_elem(&processes, &parent_tgid);
	/* vfork and posix_spawn share the memory and go on to exec: nothing is inherited. */
	if (!process || BPF_CORE_READ(parent, mm) == BPF_CORE_READ(child, mm))
		return;
	copy = new_process(child_tgid);
	if (!copy)
		return;
	copy->core = process->core;
	copy->bias = process->bias;
	copy->parent = process->id;
	if (process->seeding == AL_SEEDED) /* read before the records: else it must be seeded itself */
		change_seeding(copy, copy->id, AL_UNSEEDED, AL_SEEDED);
	if (!process->outstanding && !al_seeded_tasks)
		return;
	inheritance.parent = process->id;
	inheritance.child = copy->id;
	inheritance.child_tgid = child_tgid;
	bpf_for_each_map_elem(&recent_tasks, inherit_task, &inheritance, 0);
	bpf_for_each_map_elem(&tasks, inherit_task, &inheritance, 0);
	__sync_fetch_and_add(&copy->outstanding, inheritance.copied);
}

static __always_inline void process_exited(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);

	if (BPF_CORE_READ(task, signal, live.counter)) /* other threads go on */
		return;
	bpf_map_delete_elem(&processes, &tgid);
	bpf_map_delete_elem(&watched, &tgid);
}

/* The memory is another one from here on; pid, and being watched, stay. */
static __always_inline void process_executed(struct task_struct *task)
{
	__u32 tgid = BPF_CORE_READ(task, tgid);
	__u64 now = bpf_ktime_get_ns();

	bpf_map_delete_elem(&processes, &tgid);
	bpf_map_update_elem(&execs, &tgid, &now, BPF_ANY);
}

#endif
