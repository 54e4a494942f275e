/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Sites: finding or making one, and its birth cohorts. */
#ifndef ASYNCLEAK_SITE_BPF_H
#define ASYNCLEAK_SITE_BPF_H

#include "code.bpf.h"

/*
 * A word of a ring of birth cohorts is epoch | amount, the latter in BITS. Adds AMOUNT that was born in EPOCH, or takes
 * it out at its death. A slot that still holds an older epoch is taken over by a birth; a death whose slot was taken
 * over changes nothing there, nor does what has no room in it. False: others were faster each time.
 */
static __always_inline bool ring_change(__u64 *word, __u64 epoch, int bits, __u64 amount, bool born)
{
	const __u64 most = (1ull << bits) - 1;

	for (int attempt = 0; attempt < 8; attempt++) {
		__u64 old = *(volatile __u64 *)word, held = old & most, next;

		if (old >> bits == epoch) {
			if (born ? held + amount > most : held < amount)
				return true;
			next = born ? old + amount : old - amount;
		} else {
			if (!born || old >> bits > epoch)
				return true;
			next = epoch << bits | amount;
		}
		if (__sync_val_compare_and_swap(word, old, next) == old)
			return true;
	}
	return false;
}

/* One task, born or dead (DELTA 1, -1), in every ring. */
static __noinline int cohort_add(struct al_site *site, __u64 born_ns, int delta)
{
	for (int level = 0; level < AL_COHORT_LEVELS; level++) {
		__u64 epoch = (__u32)(born_ns >> (AL_COHORT_SHIFT + AL_COHORT_LEVEL_SHIFT * level));

		if (!ring_change(&site->cohorts[level][epoch & (AL_COHORT_SLOTS - 1)], epoch, AL_COHORT_BITS, 1,
				 delta > 0))
			count(AL_DROP_COHORT_CONTENDED);
	}
	return 0;
}

static __always_inline __u32 take_site_id(void)
{
	__u32 id;

	if (!bpf_map_pop_elem(&free_sites, &id))
		return id;
	if (al_site_ids_used + 1 >= al_max_sites)
		return 0;
	id = __sync_fetch_and_add(&al_site_ids_used, 1) + 1;
	return id < al_max_sites ? id : 0;
}

/*
 * A new site for KEY, its origin a copy of TEMPLATE to be filled by the caller; 0: no room.
 * Another thread may win the race: then its site is the one.
 */
static __noinline __u32 make_site(const struct al_site_key *key, const struct al_origin *template, __u32 tgid)
{
	__u32 id = take_site_id();
	struct al_site *site = bpf_map_lookup_elem(&sites, &id);

	if (!id || !site || bpf_map_update_elem(&origins, &id, template, BPF_ANY)) {
		if (id)
			bpf_map_push_elem(&free_sites, &id, BPF_ANY);
		count(AL_DROP_SITES_FULL);
		return 0;
	}
	site->key = *key;
	site->first_ns = bpf_ktime_get_ns();
	site->tgid = tgid;
	bpf_get_current_comm(site->comm, sizeof(site->comm));
	if (bpf_map_update_elem(&site_ids, key, &id, BPF_NOEXIST)) {
		__u32 *other = bpf_map_lookup_elem(&site_ids, key);

		site->key.process = 0; /* nobody's: not given back a second time with its process */
		bpf_map_push_elem(&free_sites, &id, BPF_ANY);
		if (!other)
			count(AL_DROP_SITES_FULL);
		return other ? *other : 0;
	}
	return id;
}

#endif
