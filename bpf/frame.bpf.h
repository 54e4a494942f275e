/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Frames of Python functions: one after the other, outwards. Where the innermost one is, python.bpf.h tells. */
#ifndef ASYNCLEAK_FRAME_BPF_H
#define ASYNCLEAK_FRAME_BPF_H

#include "python.bpf.h"

/*
 * Frames of Python functions that call each other lie one after the other on the thread's data
 * stack (3.11+): one read of the end of that stack gives most of a creation stack. Per CPU;
 * while one probe is preempted with it, another one reads frame by frame.
 */
#define AL_BLOCK_WORDS 256
struct al_block {
	__u64 taken;
	__u64 base; /* address of words[0] */
	__u64 bytes;
	__u64 words[AL_BLOCK_WORDS + AL_FRAME_WORDS];
};
AL_MAP(blocks, PERCPU_ARRAY, __u32, struct al_block, 1, 0);

/* One frame. */
struct frame_view {
	__u64 code;
	__u64 instr; /* pointer or index, as the interpreter keeps it: for hashing */
	__u64 back;
	bool python; /* false: an entry frame of the C stack, skip it */
};

/* Where the fields are among the words of a frame: the layout's offsets, worked out once a walk. */
struct frame_shape {
	__u32 back, code, instr, owner; /* index of the word */
	__u32 owner_shift, owner_limit; /* owners from the limit on run no Python code of their own */
	__u64 code_mask;
	__u32 instr_shift;
	__u64 instr_mask;
};

static __always_inline __u32 frame_index(const struct al_layout *layout, __u16 offset)
{
	return ((offset - layout->frame_first) >> 3) & (AL_FRAME_WORDS - 1);
}

static __always_inline void shape_frame(struct frame_shape *shape, const struct al_layout *layout)
{
	bool index = layout->flags & AL_INSTR_IS_INDEX; /* int f_lasti: half a word */
	bool owned = layout->frame_owner != AL_ABSENT;

	shape->back = frame_index(layout, layout->frame_back);
	shape->code = frame_index(layout, layout->frame_code);
	shape->instr = frame_index(layout, layout->frame_instr);
	shape->owner = owned ? frame_index(layout, layout->frame_owner) : 0;
	shape->owner_shift = owned ? (layout->frame_owner & 7) * 8 : 0;
	shape->owner_limit = owned ? layout->frame_owner_c : 0x100;
	shape->code_mask = layout->flags & AL_CODE_TAGGED ? ~3ull : ~0ull;
	shape->instr_shift = index ? (layout->frame_instr & 4) * 8 : 0;
	shape->instr_mask = index ? 0xffffffff : ~0ull;
}

static __always_inline void decode_frame(struct frame_view *view, const struct frame_shape *shape, const __u64 *words)
{
	view->back = words[shape->back & (AL_FRAME_WORDS - 1)];
	view->code = words[shape->code & (AL_FRAME_WORDS - 1)] & shape->code_mask;
	view->instr = (words[shape->instr & (AL_FRAME_WORDS - 1)] >> shape->instr_shift) & shape->instr_mask;
	view->python = (__u8)(words[shape->owner & (AL_FRAME_WORDS - 1)] >> shape->owner_shift) < shape->owner_limit;
}

static __always_inline bool view_frame(struct frame_view *view, const struct frame_shape *shape,
				       const struct al_layout *layout, __u64 frame)
{
	__u64 words[AL_FRAME_WORDS] = {};
	__u32 span = layout->frame_span;

	if (span > sizeof(words) || bpf_probe_read_user(words, span, (void *)(frame + layout->frame_first)))
		return false;
	decode_frame(view, shape, words);
	return true;
}

/* The same from the block; false: the frame is not in it. */
static __always_inline bool view_frame_in(const struct al_block *block, struct frame_view *view,
					  const struct frame_shape *shape, const struct al_layout *layout, __u64 frame)
{
	__u64 at = frame + layout->frame_first - block->base;
	__u32 word;

	if (at >= block->bytes || at + layout->frame_span > block->bytes)
		return false;
	word = at >> 3;
	if (word >= AL_BLOCK_WORDS)
		return false;
	decode_frame(view, shape, &block->words[word]);
	return true;
}

static __always_inline void release_block(struct al_block *block)
{
	*(volatile __u64 *)&block->taken = 0;
}

/* To be released. Reads what lies below the end of FRAME, never beyond its page: that may not be there. */
static __always_inline struct al_block *read_block(const struct al_layout *layout, __u64 frame)
{
	__u64 end = frame + layout->frame_first + layout->frame_span, base = end - 8 * AL_BLOCK_WORDS;
	__u64 page = frame & ~0xfffull, bytes;
	struct al_block *block;
	__u32 zero = 0;

	if (layout->flags & AL_INSTR_IS_INDEX) /* frames are objects of their own, anywhere (<= 3.10) */
		return 0;
	block = bpf_map_lookup_elem(&blocks, &zero);
	if (!block || __sync_val_compare_and_swap(&block->taken, 0, 1))
		return 0;
	if (base < page)
		base = page;
	bytes = end - base;
	block->base = base;
	block->bytes = bytes;
	if (bytes > 8 * AL_BLOCK_WORDS || bpf_probe_read_user(block->words, bytes, (void *)base)) {
		release_block(block);
		return 0;
	}
	return block;
}

/* Byte offset of the instruction in its bytecode. */
static __always_inline __u32 instruction_offset(const struct al_layout *layout, const struct frame_view *view)
{
	if (layout->flags & AL_INSTR_IS_INDEX)
		return layout->flags & AL_INSTR_IN_UNITS ? view->instr * 2 : view->instr;
	return view->instr - (view->code + layout->code_start);
}

/* The first Python function at or outside FRAME; 0: there is none. */
static __noinline int python_frame(const struct al_layout *layout, __u64 frame, struct frame_view *view)
{
	struct frame_shape shape;

	shape_frame(&shape, layout);
	for (int i = 0; i < 4 && frame; i++) { /* entry frames of the C stack come one at a time */
		if (!view_frame(view, &shape, layout, frame))
			return 0;
		if (view->python)
			return 1;
		frame = view->back;
	}
	return 0;
}

#endif
