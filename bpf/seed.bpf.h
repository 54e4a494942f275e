/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Tasks from before the attach, put into the counts while their program goes on.
 *
 * User space attaches the probes, begins seeding (AL_SEEDING), then scans the process's memory
 * for living tasks, hands over their addresses, and ends seeding. A scan takes milliseconds, in
 * which any task it saw may end, and its address be used by the next, any number of times.
 *
 *   SEED (one at a time)          DESTROYED (probe)           CREATED (probe)
 *   s1 refuse if set aside, or    d1 put in set_aside         c1 insert probed record
 *      known to a probe           d2 full barrier             c2 full barrier
 *   s2 count at the site          d3 delete probed record,    c3 delete seeded record:
 *   s3 insert seeded record          else the seeded one:        if it was there it is
 *   s4 full barrier                  if deleted it is            counted destroyed
 *   s5 set aside, known to a         counted destroyed
 *      probe, or not seeding
 *      any more: delete it, and
 *      if that worked undo s2
 *   s6 record is sure
 *
 * Claim: afterwards a task counts once if it lives, and not at all if it does not.
 *
 * 1. Seeded and probed records have keys of their own; only SEED inserts a seeded one. So SEED,
 *    DESTROYED and CREATED, on any CPUs, never delete a record other than the one they mean, and
 *    as deletion succeeds once, exactly one of them settles its count: s5 as if it had never
 *    been, d3 and c3 as inherited and destroyed. s2 is before s3, so settling never comes first.
 * 2. No ghost. A task that the scan saw alive and that ends is DESTROYED after AL_SEEDING was set:
 *    d1 happens. Either s5 sees it, or, the barriers between, d3 sees the record of s3. If s5
 *    and d3 both do, see 1. This holds for tasks with any history: from before, created under
 *    our eyes (whose probed record d3 deletes: s5 still sees d1), or several at one address.
 *    d1 has no room: AL_SEEDING_LOST is set before d3 instead, which s5 sees just the same.
 * 3. No double. A task CREATED under our eyes has its probed record from c1 until d3. Either s1
 *    or s5 sees that record, or it was inserted after s5's look and c3 sees that of s3; or it was
 *    gone again, and then s5, which looks at set_aside last, sees d1. __init__ on a living task
 *    deletes and inserts it anew: c3 comes after both. A second SEED of an address finds the
 *    seeded record in its way.
 * 4. No loss. A record is refused only if a probe saw the task created (it has its count) or
 *    destroyed (it needs none: what lives there now was created under our eyes).
 * 5. d3 reads a record and then deletes it by key. It is the same one: probed records of an address
 *    are replaced only by events of that address, which the allocator puts in order; a seeded one
 *    is not inserted twice, as s1 refuses what d1 put aside.
 * 6. fork copies records in the parent, which holds the GIL: no task of it ends meanwhile. Those not
 *    yet sure are left out, as s5 may take them back. Unless its parent was AL_SEEDED before
 *    the copying, the child is AL_UNSEEDED, and can be seeded itself. exec and exit delete the
 *    al_process: s5 sees that, and purge_process() removes what the old id had.
 *
 * What is asked of the scan: it begins after AL_SEEDING is set, and delivers only objects of the
 * probed type or one derived from it, whose reference count is not zero. Without the latter it
 * may see a task whose DESTROYED was over before AL_SEEDING, but whose thread has not yet been
 * given the CPU to tear it down. One that __init__ has not reached yet may be delivered: c3.
 *
 * Full barrier: an atomic operation that returns a value (on x86 any atomic operation).
 */
#ifndef ASYNCLEAK_SEED_BPF_H
#define ASYNCLEAK_SEED_BPF_H

#include "process.bpf.h"

__u64 al_fence = 0;
__u64 al_tasks_set_aside = 0;

static __always_inline void full_barrier(void)
{
	__sync_val_compare_and_swap(&al_fence, 0, 0);
}

/* d1 and d2. A latecomer's entry, after seeding has ended, stays until its process is purged: that task is dead. */
static __noinline int set_aside_task(struct al_process *process, const struct al_task_key *key)
{
	__u8 yes = 1;
	int error = bpf_map_update_elem(&set_aside, key, &yes, BPF_NOEXIST);

	if (!error)
		__sync_fetch_and_add(&al_tasks_set_aside, 1);
	if (error && error != -AL_EEXIST) {
		change_seeding(process, process->id, AL_SEEDING, AL_SEEDING_LOST);
		count(AL_DROP_SET_ASIDE_FULL);
	}
	full_barrier();
	return 0;
}

/* A process that may have had no event yet. */
static __always_inline __u32 opened_process(const struct al_open_process *opening)
{
	__u32 tgid = opening->tgid;
	struct al_process *process = bpf_map_lookup_elem(&processes, &tgid);
	__u64 *executed;

	if (!process && !is_ignored(tgid))
		process = new_process(tgid);
	if (!process)
		return 0;
	executed = bpf_map_lookup_elem(&execs, &tgid);
	/* Before its first creation find_core() cannot tell, then it would say the same. */
	if (process->core == AL_NO_CORE && (!executed || *executed < opening->looked_ns)) {
		process->bias = opening->bias;
		process->core = opening->core;
	}
	return process->id;
}

struct forgetting {
	__u32 process;
	__u32 removed, seeds;
};

/* Elements of set_aside too: key first. */
static long forget_task(struct bpf_map *map, struct al_task_key *key, void *value, struct forgetting *forgetting)
{
	bool seeded = key->seeded;

	if (key->process != forgetting->process || bpf_map_delete_elem(map, key))
		return 0;
	if (seeded)
		forgetting->seeds++;
	else
		forgetting->removed++;
	return 0;
}

static __always_inline void forget_set_aside(__u32 process)
{
	struct forgetting aside = {.process = process};

	if (!al_tasks_set_aside)
		return;
	bpf_for_each_map_elem(&set_aside, forget_task, &aside, 0);
	__sync_fetch_and_add(&al_tasks_set_aside, -(__u64)(aside.removed + aside.seeds));
}

/* Every record of a process that ended; their number. */
static __always_inline __u32 forget_tasks(const struct al_purge *purge)
{
	struct forgetting recent = {.process = purge->process}, second = recent;

	if (purge->outstanding)
		bpf_for_each_map_elem(&recent_tasks, forget_task, &recent, 0);
	if (purge->outstanding && (purge->inherited || al_spilled_tasks))
		bpf_for_each_map_elem(&tasks, forget_task, &second, 0);
	forget_set_aside(purge->process);
	__sync_fetch_and_add(&al_spilled_tasks, -(__u64)second.removed);
	__sync_fetch_and_add(&al_seeded_tasks, -(__u64)second.seeds);
	return recent.removed + second.removed + second.seeds;
}

/* Returns the state before. */
static __always_inline __u32 seeding_set(__u32 tgid, __u32 id, __u32 state)
{
	struct al_process *process = bpf_map_lookup_elem(&processes, &tgid);
	__u32 was = AL_SEEDING_GONE;

	if (!process || process->id != id)
		return was;
	for (int attempt = 0; attempt < 2; attempt++) { /* a probe changes it once at most, to AL_SEEDING_LOST */
		was = *(volatile __u32 *)&process->seeding;
		if (state == AL_SEEDED && was == AL_SEEDING_LOST)
			state = AL_UNSEEDED;
		if (change_seeding(process, id, was, state))
			break;
	}
	if (state != AL_SEEDING)
		forget_set_aside(id);
	return was;
}

static __always_inline bool is_seeding(__u32 tgid, __u32 id)
{
	struct al_process *process = bpf_map_lookup_elem(&processes, &tgid);

	return process && process->id == id && process->seeding == AL_SEEDING;
}

/* Seen by a probe: created, and not destroyed since; or destroyed since seeding began. In this order: see 3. */
static __always_inline bool is_probed(const struct al_task_key *key)
{
	return bpf_map_lookup_elem(&recent_tasks, key) || (al_spilled_tasks && bpf_map_lookup_elem(&tasks, key)) ||
	       bpf_map_lookup_elem(&set_aside, key);
}

static __always_inline void count_seed(struct al_site *site, __u64 born_ns, int delta)
{
	__sync_fetch_and_add(&site->inherited, delta);
	cohort_add(site, born_ns, delta);
}

struct seed_run {
	__u32 tgid;
	__u32 site_id;
	__u32 inserted;
	__u32 end;
	__u32 count;
	struct al_site *site;
	struct al_batch *batch;
	struct al_task_key key; /* process filled in */
};

static long seed_task(__u32 index, struct seed_run *run)
{
	struct al_site *site = run->site;
	struct al_task_key key = {.process = run->key.process}, seed;
	struct al_task task = {.born_ns = site->first_ns, .site = run->site_id, .unsure = 1};
	struct al_task *known;
	int error;

	if (index >= run->count || index >= AL_BATCH_TASKS)
		return 1;
	key.address = run->batch->addresses[index];
	if (is_probed(&key))
		return 0;
	seed = seed_key(&key);
	count_seed(site, task.born_ns, 1);
	__sync_fetch_and_add(&al_seeded_tasks, 1); /* before the record can be looked for */
	error = bpf_map_update_elem(&tasks, &seed, &task, BPF_NOEXIST);
	if (error) {
		__sync_fetch_and_add(&al_seeded_tasks, -1);
		count_seed(site, task.born_ns, -1);
		if (error == -AL_EEXIST)
			return 0;
		count_many(AL_DROP_SEEDS_FULL, run->count - index);
		run->end = AL_SEED_FULL;
		return 1;
	}
	full_barrier();
	if (!is_seeding(run->tgid, key.process))
		run->end = AL_SEED_NOT_SEEDING;
	if (run->end || is_probed(&key)) {
		if (forget_seed(&key, &task))
			count_seed(site, task.born_ns, -1);
		return run->end != AL_SEED_ALL;
	}
	/* The element may be another task's by now. It has no flag to lose: only this function sets it. */
	known = bpf_map_lookup_elem(&tasks, &seed);
	if (known)
		known->unsure = 0;
	run->inserted++;
	return 0;
}

static __always_inline void tasks_seeded(struct al_seed_tasks *seed)
{
	struct seed_run run = {.tgid = seed->tgid, .site_id = seed->site, .count = seed->count};
	__u32 zero = 0;

	run.key.process = seed->process;
	run.site = bpf_map_lookup_elem(&sites, &run.site_id);
	run.batch = bpf_map_lookup_elem(&batch, &zero);
	if (!run.site || !run.batch || run.site->key.process != run.key.process || run.site->state != AL_SITE_READY)
		run.end = AL_SEED_NO_SITE;
	else if (!is_seeding(run.tgid, run.key.process))
		run.end = AL_SEED_NOT_SEEDING;
	else
		bpf_loop(AL_BATCH_TASKS, seed_task, &run, 0);
	seed->inserted = run.inserted;
	seed->end = run.end;
}

struct site_query {
	struct al_batch *batch;
	__u32 process;
	__u32 count;
};

static long find_site_of(__u32 index, struct site_query *query)
{
	struct al_task_key key = {.process = query->process};
	const struct al_task *task;

	if (index >= query->count || index >= AL_BATCH_TASKS)
		return 1;
	key.address = query->batch->addresses[index];
	task = known_task(&key);
	query->batch->sites[index] = task ? task->site : 0;
	query->batch->born_ns[index] = task ? task->born_ns : 0;
	return 0;
}

static __always_inline void sites_found(__u32 process, __u32 asked)
{
	struct site_query query = {.process = process, .count = asked};
	__u32 zero = 0;

	query.batch = bpf_map_lookup_elem(&batch, &zero);
	if (query.batch)
		bpf_loop(AL_BATCH_TASKS, find_site_of, &query, 0);
}

#endif
