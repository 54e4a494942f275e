/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The floor: the least that two uprobes can do and still remember something, one hash-map update each.
 * What asyncleak-top costs is judged against it (bench/overhead.py). Loaded by floor.c.
 */
#include <linux/bpf.h>
#include <linux/ptrace.h>
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
