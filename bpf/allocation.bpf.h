/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The table of blocks that were not freed, and what they count at their sites and lines. */
#ifndef ASYNCLEAK_ALLOCATION_BPF_H
#define ASYNCLEAK_ALLOCATION_BPF_H

#include "memory_maps.bpf.h"
#include "site.bpf.h"

/* Blocks in crowded_out: while there are none it is not asked. */
__u64 al_crowded_out = 0;

static __always_inline __u64 allocation_key(__u64 address, __u32 process)
{
	return address >> 3 << AL_ALLOCATION_PROCESS_BITS | (process & ((1 << AL_ALLOCATION_PROCESS_BITS) - 1));
}

static __always_inline struct al_allocation_bucket *bucket_at(__u32 hash)
{
	__u32 index = (__u64)hash * al_allocation_buckets >> 32;

	return bpf_map_lookup_elem(&allocations, &index);
}

static __always_inline __u64 hash_key(__u64 key)
{
	return mix(key, 0) * 0xbf58476d1ce4e5b9ull;
}

static __always_inline bool put_into(struct al_allocation_bucket *bucket, int from, int to, __u64 key,
				     const struct al_allocation *block)
{
	for (int i = from; i < to; i++) {
		if (!bucket->keys[i] && !__sync_val_compare_and_swap(&bucket->keys[i], 0, key)) {
			bucket->slots[i] = *block; /* nobody asks for KEY before the caller has its pointer */
			return true;
		}
	}
	return false;
}

static __always_inline bool take_from(struct al_allocation_bucket *bucket, __u64 key, struct al_allocation *block)
{
	for (int i = 0; i < AL_BUCKET_SLOTS; i++) {
		if (bucket->keys[i] == key) {
			*block = bucket->slots[i];
			return __sync_val_compare_and_swap(&bucket->keys[i], key, 0) == key;
		}
	}
	return false;
}

/* Takes the record out; 0: there is none. */
static __noinline int take_allocation(__u64 key, struct al_allocation *block)
{
	__u64 hash = hash_key(key);
	struct al_allocation_bucket *bucket = bucket_at(hash >> 32);
	struct al_allocation *crowded;

	if (bucket && take_from(bucket, key, block))
		return 1;
	bucket = bucket_at(hash);
	if (bucket && take_from(bucket, key, block))
		return 1;
	if (!al_crowded_out)
		return 0;
	crowded = bpf_map_lookup_elem(&crowded_out, &key);
	if (!crowded)
		return 0;
	*block = *crowded;
	if (bpf_map_delete_elem(&crowded_out, &key))
		return 0;
	__sync_fetch_and_add(&al_crowded_out, -1);
	return 1;
}

/*
 * 0: no room. There is no record of KEY. The last slot of a bucket is for those whose other bucket has no more either:
 * at half fill that leaves one block in three thousand without a slot, where filling the first bucket leaves twelve.
 */
static __noinline int put_allocation(__u64 key, const struct al_allocation *block)
{
	__u64 hash = hash_key(key);
	struct al_allocation_bucket *first = bucket_at(hash >> 32), *second = bucket_at(hash);
	const int last = AL_BUCKET_SLOTS - 1;

	if (first && second &&
	    (put_into(first, 0, last, key, block) || put_into(second, 0, last, key, block) ||
	     put_into(first, last, AL_BUCKET_SLOTS, key, block) || put_into(second, last, AL_BUCKET_SLOTS, key, block)))
		return 1;
	__sync_fetch_and_add(&al_crowded_out, 1); /* before the record can be looked for */
	if (!bpf_map_update_elem(&crowded_out, &key, block, BPF_NOEXIST))
		return 1;
	__sync_fetch_and_add(&al_crowded_out, -1);
	return 0;
}

#define AL_BYTE_EPOCHS (~0ull >> AL_BYTE_BITS) /* wraps after two years of uptime */

/* As cohort_add(), in bytes. A block of a TiB, or one whose slot would overflow, has no age. */
static __always_inline void age_bytes(struct al_site_memory *memory, __u64 born_ns, __u64 size, bool born)
{
	if (size >> AL_BYTE_BITS)
		return;
	for (int level = 0; level < AL_BYTE_LEVELS; level++) {
		__u64 epoch = born_ns >> (AL_BYTE_SHIFT + AL_BYTE_LEVEL_SHIFT * level) & AL_BYTE_EPOCHS;

		ring_change(&memory->cohorts[level][epoch & (AL_BYTE_SLOTS - 1)], epoch, AL_BYTE_BITS, size, born);
	}
}

static __noinline int block_born(const struct al_allocation *block, bool tracked)
{
	struct al_site_memory *memory = bpf_map_lookup_elem(&site_memory, &block->site);
	struct al_line *line;

	if (!memory)
		return 0;
	__sync_fetch_and_add(&memory->allocated_bytes, block->size);
	__sync_fetch_and_add(&memory->allocated_blocks, 1);
	if (!tracked) {
		__sync_fetch_and_add(&memory->untracked_bytes, block->size);
		__sync_fetch_and_add(&memory->untracked_blocks, 1);
		return 0;
	}
	age_bytes(memory, block->born_ns, block->size, true);
	if (!block->line)
		return 0;
	line = bpf_map_lookup_elem(&lines, &block->line);
	if (line) {
		__sync_fetch_and_add(&line->allocated_bytes, block->size);
		__sync_fetch_and_add(&line->allocated_blocks, 1);
	}
	return 0;
}

/* Its record is gone; FREED: because it is, else there was no room to put the record back. */
static __noinline int block_ends(const struct al_allocation *block, bool freed)
{
	struct al_site_memory *memory = bpf_map_lookup_elem(&site_memory, &block->site);
	struct al_line *line;

	if (!memory)
		return 0;
	__sync_fetch_and_add(freed ? &memory->freed_bytes : &memory->untracked_bytes, block->size);
	__sync_fetch_and_add(freed ? &memory->freed_blocks : &memory->untracked_blocks, 1);
	age_bytes(memory, block->born_ns, block->size, false);
	if (!block->line)
		return 0;
	line = bpf_map_lookup_elem(&lines, &block->line);
	if (line) {
		__sync_fetch_and_add(&line->freed_bytes, block->size);
		__sync_fetch_and_add(&line->freed_blocks, 1);
	}
	return 0;
}

#endif
