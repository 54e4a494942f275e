/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * Stands in for libbpf's header of the same name when bpf/ is compiled for the host: the helpers
 * are the functions of fake_kernel.cpp. The last three macros bend C for what production code
 * says in BPF terms only; none of them is seen by any other file.
 */
#ifndef FAKE_BPF_HELPERS_H
#define FAKE_BPF_HELPERS_H

#include <linux/types.h>

struct task_struct;

#undef __always_inline
#undef __noinline
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define SEC(name)
/* A map stays what it is for the compiler, a struct of types: host.c reads them. */
#define __uint(name, value) int(*name)[value]
#define __type(name, value) typeof(value)* name

void* bpf_map_lookup_elem(void* map, const void* key);
long bpf_map_update_elem(void* map, const void* key, const void* value, __u64 flags);
long bpf_map_delete_elem(void* map, const void* key);
long bpf_map_push_elem(void* map, const void* value, __u64 flags);
long bpf_map_pop_elem(void* map, void* value);
long bpf_for_each_map_elem(void* map, void* callback, void* context, __u64 flags);
long bpf_loop(__u32 steps, void* callback, void* context, __u64 flags);
long bpf_probe_read_user(void* to, __u32 size, const void* from);
long bpf_probe_read_user_str(void* to, __u32 size, const void* from);
__u64 bpf_get_attach_cookie(void* context);
__u64 bpf_get_current_pid_tgid(void);
struct task_struct* bpf_get_current_task_btf(void);
long bpf_get_current_comm(void* to, __u32 size);
__u64 bpf_ktime_get_ns(void);
__u64 bpf_jiffies64(void);

/* Another CPU can come in before an atomic operation, as it can before a helper. */
void fake_before_atomic(void);
#define __sync_fetch_and_add(...) (fake_before_atomic(), __sync_fetch_and_add(__VA_ARGS__))
#define __sync_val_compare_and_swap(...) (fake_before_atomic(), __sync_val_compare_and_swap(__VA_ARGS__))

/* `asm volatile("BPF load" ...)`: the host has no such instruction; its text says what to load. */
__u64 fake_register_load(const void* regs, const char* assembly);
#define asm
#define volatile(...) value = fake_register_load(regs, #__VA_ARGS__)
/* `const volatile` options, written between open and load there, between two tests here. */
#define const

#endif
