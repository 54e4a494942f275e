/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The few kernel types this program touches, as CO-RE flavours: field offsets
 * are relocated at load time from the running kernel's BTF. No vmlinux.h.
 */
#ifndef ASYNCLEAK_KERNEL_BPF_H
#define ASYNCLEAK_KERNEL_BPF_H

#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "asyncleak.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct thread_struct {
	unsigned long fsbase;
};
struct kernel_atomic {
	int counter;
};
struct signal_struct {
	struct kernel_atomic live; /* threads that have not begun to exit */
};
struct mm_struct;
struct bpf_map;
struct task_struct {
	int tgid;
	struct mm_struct *mm;
	struct signal_struct *signal;
	struct thread_struct thread;
};
#pragma clang attribute pop

/*
 * A register of the trapped thread; OFFSET is into pt_regs (struct al_registers). One load per
 * case, in assembly: clang would merge C loads into one with a variable offset, which the
 * verifier refuses, and bpf_probe_read_kernel() costs more than all of this.
 */
#define AL_REGISTER_CASE(offset_)                                                                                      \
	case offset_:                                                                                                  \
		asm volatile("%0 = *(u64 *)(%1 + " #offset_ ")" : "=r"(value) : "r"(regs));                            \
		break

static __always_inline __u64 trapped_register(const void *regs, __u16 offset)
{
	__u64 value = 0;

	switch (offset) {
		AL_REGISTER_CASE(0); /* r15 ... rdi: arch/x86/include/asm/ptrace.h */
		AL_REGISTER_CASE(8);
		AL_REGISTER_CASE(16);
		AL_REGISTER_CASE(24);
		AL_REGISTER_CASE(32);
		AL_REGISTER_CASE(40);
		AL_REGISTER_CASE(48);
		AL_REGISTER_CASE(56);
		AL_REGISTER_CASE(64);
		AL_REGISTER_CASE(72);
		AL_REGISTER_CASE(80);
		AL_REGISTER_CASE(88);
		AL_REGISTER_CASE(96);
		AL_REGISTER_CASE(104);
		AL_REGISTER_CASE(112);
	}
	return value;
}

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/*
 * pthread_self() of the current thread, as glibc and musl keep it in the fs base;
 * what CPython stores as tstate.thread_id. Independent of PID namespaces.
 */
static __always_inline __u64 current_pthread(void)
{
	const struct task_struct *task = bpf_get_current_task_btf();

	return task->thread.fsbase;
}

#endif
