/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* Stands in for libbpf's header of the same name: the kernel's memory is ours, a load is a load. */
#ifndef FAKE_BPF_CORE_READ_H
#define FAKE_BPF_CORE_READ_H

#define FAKE_READ_2(object, field) ((object)->field)
#define FAKE_READ_3(object, pointer, field) ((object)->pointer->field)
#define FAKE_READ_PICK(_1, _2, _3, name, ...) name
#define BPF_CORE_READ(...) FAKE_READ_PICK(__VA_ARGS__, FAKE_READ_3, FAKE_READ_2, )(__VA_ARGS__)

#endif
