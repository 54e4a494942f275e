/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The records of outstanding tasks, in two tiers (maps.bpf.h). */
#ifndef ASYNCLEAK_RECORD_BPF_H
#define ASYNCLEAK_RECORD_BPF_H

#include "maps.bpf.h"

/* Records in the second tier, and of those in it that were seeded: while there are none it is not asked. */
__u64 al_spilled_tasks = 0;
__u64 al_seeded_tasks = 0;

/* 0, -AL_EEXIST, or no room. */
static __always_inline int record_task(const struct al_task_key *key, const struct al_task *task)
{
	int error;

	if (al_spilled_tasks && bpf_map_lookup_elem(&tasks, key))
		return -AL_EEXIST;
	error = bpf_map_update_elem(&recent_tasks, key, task, BPF_NOEXIST);
	if (!error || error == -AL_EEXIST)
		return error;
	__sync_fetch_and_add(&al_spilled_tasks, 1); /* before the record can be looked for */
	error = bpf_map_update_elem(&tasks, key, task, BPF_NOEXIST);
	if (error)
		__sync_fetch_and_add(&al_spilled_tasks, -1);
	return error;
}

/* Takes the record out; false: there was none, or another thread was faster. */
static __always_inline bool forget_record(const struct al_task_key *key, struct al_task *task)
{
	struct al_task *known = bpf_map_lookup_elem(&recent_tasks, key);

	if (known) {
		*task = *known;
		return !bpf_map_delete_elem(&recent_tasks, key);
	}
	if (!al_spilled_tasks)
		return false;
	known = bpf_map_lookup_elem(&tasks, key);
	if (!known)
		return false;
	*task = *known;
	if (bpf_map_delete_elem(&tasks, key))
		return false;
	__sync_fetch_and_add(&al_spilled_tasks, -1);
	return true;
}

static __always_inline struct al_task_key seed_key(const struct al_task_key *key)
{
	return (struct al_task_key){.address = key->address, .process = key->process, .seeded = 1};
}

/* The same for a seeded record. */
static __always_inline bool forget_seed(const struct al_task_key *key, struct al_task *task)
{
	struct al_task_key seed = seed_key(key);
	struct al_task *known;

	if (!al_seeded_tasks)
		return false;
	known = bpf_map_lookup_elem(&tasks, &seed);
	if (!known)
		return false;
	*task = *known;
	if (bpf_map_delete_elem(&tasks, &seed))
		return false;
	__sync_fetch_and_add(&al_seeded_tasks, -1);
	return true;
}

/* Of a task that exists, as far as is known: created under our eyes, or seeded; 0: none. */
static __always_inline const struct al_task *known_task(const struct al_task_key *key)
{
	const struct al_task *task = bpf_map_lookup_elem(&recent_tasks, key);

	if (!task && al_spilled_tasks)
		task = bpf_map_lookup_elem(&tasks, key);
	if (!task && al_seeded_tasks) {
		struct al_task_key seed = seed_key(key);

		task = bpf_map_lookup_elem(&tasks, &seed);
	}
	return task;
}

#endif
