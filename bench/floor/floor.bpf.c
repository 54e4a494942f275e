/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The floors: the least that uprobes can do. With one hash-map update each (on_created, on_destroyed) where tasks
 * come and go; empty, which is the price of the trap alone, where memory is allocated and freed.
 * What asyncleak-top costs is judged against it (bench/overhead.py, bench/memory.py). Loaded by floor.c.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, __u64);
} created SEC(".maps"), destroyed SEC(".maps");

static const __u64 one = 1;

SEC("uprobe")
int on_created(struct pt_regs *ctx)
{
	__u64 task = PT_REGS_PARM1(ctx);

	bpf_map_update_elem(&created, &task, &one, BPF_ANY);
	return 0;
}

SEC("uprobe")
int on_destroyed(struct pt_regs *ctx)
{
	__u64 task = PT_REGS_PARM1(ctx);

	bpf_map_update_elem(&destroyed, &task, &one, BPF_ANY);
	return 0;
}

const volatile bool counting = false; /* off: the verifier leaves nothing of what follows but "return 0" */

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} passed SEC(".maps");

static void count(void *ctx)
{
	__u32 place = bpf_get_attach_cookie(ctx);
	__u64 *hits = bpf_map_lookup_elem(&passed, &place);

	if (hits)
		__sync_fetch_and_add(hits, 1);
}

SEC("uprobe")
int on_passed(struct pt_regs *ctx)
{
	if (counting)
		count(ctx);
	return 0;
}

SEC("uretprobe")
int on_returned(struct pt_regs *ctx)
{
	if (counting)
		count(ctx);
	return 0;
}
