/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Names of code objects and creation stacks, copied into maps at first sight so that a row
 * survives its process.
 */
#ifndef ASYNCLEAK_CODE_BPF_H
#define ASYNCLEAK_CODE_BPF_H

#include "frame.bpf.h"

/* Templates for values too large for the BPF stack. */
static const struct al_code empty_code;
static const struct al_origin empty_origin;

/* The str with its qualified name, or its name alone where there is no other (<= 3.10). */
static __always_inline __u64 name_of_code(const struct al_layout *layout, __u64 code)
{
	return user_u64(code + (layout->code_qualname != AL_ABSENT ? layout->code_qualname : layout->code_name));
}

static __noinline int remember_code(const struct al_layout *layout, const struct al_code_key *key)
{
	struct al_code *code = bpf_map_lookup_elem(&codes, key);
	__u64 object = key->code, table, length;
	int error;

	if (code)
		return 0;
	error = bpf_map_update_elem(&codes, key, &empty_code, BPF_NOEXIST);
	if (error == -AL_EEXIST) /* another thread is copying it */
		return 0;
	if (error || !(code = bpf_map_lookup_elem(&codes, key))) {
		count(AL_DROP_CODES_FULL);
		return 0;
	}
	if (!copy_name(&code->name, layout, name_of_code(layout, object)))
		count(AL_DROP_NAME_UNREADABLE);
	if (!copy_file(&code->file, layout, user_u64(object + layout->code_filename)))
		count(AL_DROP_NAME_UNREADABLE);
	code->first_line = user_u32(object + layout->code_firstlineno);
	table = user_u64(object + layout->code_linetable);
	length = user_u64(table + layout->bytes_size);
	code->linetable_length = length > 0xffff ? 0xffff : length;
	if (length <= AL_LINETABLE_BYTES &&
	    bpf_probe_read_user(code->linetable, length, (void *)(table + layout->bytes_data)))
		code->linetable_length = 0;
	code->ready = 1;
	return 0;
}

/* A walk over the Python frames of the current thread, innermost first. */
struct stack_walk {
	const struct al_layout *layout;
	struct al_origin *origin; /* where to keep the frames; 0 while hashing */
	const struct al_block *block; /* most frames are in here; 0: read each */
	__u64 frame;
	__u64 hash;
	__u32 depth;
	struct frame_shape shape;
};

/* The next Python frame; false: skip this one. The walk ends when there is none or enough. */
static __always_inline bool next_frame(struct stack_walk *walk, struct frame_view *view)
{
	if (!(walk->block && view_frame_in(walk->block, view, &walk->shape, walk->layout, walk->frame)) &&
	    !view_frame(view, &walk->shape, walk->layout, walk->frame)) {
		count(AL_DROP_STACK_UNREADABLE);
		walk->frame = 0;
		return false;
	}
	walk->frame = view->back;
	return view->python;
}

static long hash_frame(__u32 index, struct stack_walk *walk)
{
	struct frame_view view;

	if (!walk->frame || walk->depth >= al_stack_depth)
		return 1;
	if (!next_frame(walk, &view))
		return 0;
	/* A per-thread copy of the bytecode has no address in common with the others. */
	if (walk->layout->flags & AL_CODE_COPIES)
		view.instr = 0;
	walk->hash = mix(walk->hash, view.code ^ (view.instr << 40 | view.instr >> 24));
	walk->depth++;
	return 0;
}

static long keep_frame(__u32 index, struct stack_walk *walk)
{
	struct frame_view view;
	__u32 depth = walk->depth;

	if (!walk->frame)
		return 1;
	if (!next_frame(walk, &view))
		return 0;
	if (depth >= al_stack_depth || depth >= AL_MAX_FRAMES) {
		walk->origin->flags |= AL_ORIGIN_MORE;
		return 1;
	}
	walk->origin->frames[depth].code = view.code;
	walk->origin->frames[depth].offset = instruction_offset(walk->layout, &view);
	walk->depth = depth + 1;
	return 0;
}

/* Entry frames of the C stack lie between the Python frames: at most one each. One frame more is looked at. */
#define AL_WALK_STEPS (2 * (AL_MAX_FRAMES + 1))

/* Hash of the creation stack; 0: no frame. */
static __noinline __u64 hash_stack(const struct al_layout *layout, __u64 frame)
{
	struct stack_walk walk = {.layout = layout, .frame = frame, .depth = al_zero};
	struct al_block *block = frame ? read_block(layout, frame) : 0;

	walk.block = block;
	shape_frame(&walk.shape, layout);
	bpf_loop(AL_WALK_STEPS, hash_frame, &walk, 0);
	if (block)
		release_block(block);
	return walk.depth ? walk.hash | 1 : 0;
}

/* The same walk again, into ID's origin: done once per site. Its functions are named by name_frames(). */
static __noinline int keep_stack(const struct al_layout *layout, __u32 id, __u64 frame)
{
	struct al_origin *origin = bpf_map_lookup_elem(&origins, &id);
	struct stack_walk walk = {.layout = layout, .origin = origin, .frame = frame, .depth = al_zero};

	if (!origin)
		return 0;
	shape_frame(&walk.shape, layout);
	bpf_loop(AL_WALK_STEPS, keep_frame, &walk, 0);
	origin->depth = walk.depth;
	if (walk.frame)
		origin->flags |= AL_ORIGIN_MORE;
	if (layout->flags & AL_CODE_COPIES)
		origin->flags |= AL_ORIGIN_NO_OFFSETS;
	return 0;
}

struct frame_naming {
	const struct al_layout *layout;
	const struct al_process *process;
	struct al_origin *origin;
};

static long name_frame(__u32 index, struct frame_naming *naming)
{
	struct al_code_key key = {.process = naming->process->id};

	if (index >= naming->origin->depth || index >= AL_MAX_FRAMES)
		return 1;
	key.code = naming->origin->frames[index].code;
	key.print = code_print(naming->layout, naming->process->bias, key.code);
	naming->origin->frames[index].print = key.print;
	if (key.print)
		remember_code(naming->layout, &key);
	else
		count(AL_DROP_CODE_UNREADABLE);
	return 0;
}

/* After keep_stack(). */
static __noinline int name_frames(const struct al_layout *layout, const struct al_process *process, __u32 id)
{
	struct frame_naming naming = {.layout = layout, .process = process};

	naming.origin = bpf_map_lookup_elem(&origins, &id);
	if (naming.origin)
		bpf_loop(AL_MAX_FRAMES, name_frame, &naming, 0);
	return 0;
}

#endif
