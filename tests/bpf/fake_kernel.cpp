#include "fake_kernel.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <span>
#include <stdexcept>
#include <utility>

namespace asyncleak::fake {

namespace {

std::span<const host_map> descriptions() { return {host_maps, host_map_count}; }

Map& accessed(const void* address) {
  if (kernel().at_map_access) kernel().at_map_access();
  return kernel().map_at(address);
}

}  // namespace

Kernel& kernel() {
  static Kernel instance;
  return instance;
}

void Kernel::reset() {
  static const std::uint32_t loaded_stack_depth = al_stack_depth;
  static const std::uint32_t loaded_max_sites = al_max_sites;
  static const std::uint32_t loaded_buckets = al_allocation_buckets;
  *this = Kernel();
  for (const host_map& description : descriptions()) {
    by_address_[description.map] = &maps_.emplace(description.name, description).first->second;
  }
  al_stack_depth = loaded_stack_depth;
  al_max_sites = loaded_max_sites;
  al_only_watched = 0;
  al_allocation_buckets = loaded_buckets;
  al_process_ids_used = al_site_ids_used = al_line_ids_used = 0;
  al_spilled_tasks = al_seeded_tasks = al_crowded_out = 0;
}

Map& Kernel::map(std::string_view name) { return maps_.find(name)->second; }

Map& Kernel::map_at(const void* address) {
  const auto known = by_address_.find(address);
  if (known == by_address_.end()) throw std::logic_error("a map that host.c does not list");
  return *known->second;
}

std::uint64_t Kernel::counter(al_counter which) {
  return *map("counters").find<std::uint64_t>(static_cast<std::uint32_t>(which));
}

}  // namespace asyncleak::fake

using asyncleak::fake::kernel;

// The helpers, declared for the programs in fake/bpf/bpf_helpers.h.
extern "C" {

void* bpf_map_lookup_elem(void* map, const void* key) { return asyncleak::fake::accessed(map).lookup(key); }

long bpf_map_update_elem(void* map, const void* key, const void* value, __u64 flags) {
  return asyncleak::fake::accessed(map).update(key, value, flags);
}

long bpf_map_delete_elem(void* map, const void* key) { return asyncleak::fake::accessed(map).erase(key); }

long bpf_map_push_elem(void* map, const void* value, __u64 /*flags*/) { return kernel().map_at(map).push(value); }

long bpf_map_pop_elem(void* map, void* value) { return kernel().map_at(map).pop(value); }

long bpf_for_each_map_elem(void* map, void* callback, void* context, __u64 /*flags*/) {
  const auto call = reinterpret_cast<long (*)(void*, void*, void*, void*)>(callback);
  return kernel().map_at(map).for_each([&](void* key, void* value) { return call(map, key, value, context); });
}

long bpf_loop(__u32 steps, void* callback, void* context, __u64 /*flags*/) {
  constexpr __u32 most = 1U << 23;  // BPF_MAX_LOOPS
  const auto call = reinterpret_cast<long (*)(__u32, void*)>(callback);
  if (steps > most) return -E2BIG;
  __u32 step = 0;
  while (step < steps && call(step++, context) == 0) continue;
  return step;
}

// kernel/trace/bpf_trace.c, bpf_probe_read_user_common: what cannot be read is zero.
long bpf_probe_read_user(void* to, __u32 size, const void* from) {
  if (auto run = std::exchange(kernel().at_next_read, nullptr)) run();
  if (kernel().current.memory->read(reinterpret_cast<std::uint64_t>(from), to, size)) return 0;
  std::memset(to, 0, size);
  return -EFAULT;
}

// Copies up to the NUL, which it counts; a text that is too long is cut and ended.
long bpf_probe_read_user_str(void* to, __u32 size, const void* from) {
  auto* text = static_cast<char*>(to);
  for (__u32 i = 0; i < size; i++) {
    if (!kernel().current.memory->read(reinterpret_cast<std::uint64_t>(from) + i, text + i, 1)) {
      std::memset(to, 0, size);
      return -EFAULT;
    }
    if (text[i] == 0) return i + 1;
  }
  if (size > 0) text[size - 1] = 0;
  return size;
}

__u64 bpf_get_attach_cookie(void* /*context*/) { return kernel().cookie; }

__u64 bpf_get_current_pid_tgid() { return static_cast<__u64>(kernel().current.tgid) << 32 | kernel().current.tid; }

void* bpf_get_current_task_btf() {
  host_thread thread{};
  thread.tgid = static_cast<int>(kernel().current.tgid);
  thread.fsbase = kernel().current.pthread;
  return host_task(0, &thread);
}

long bpf_get_current_comm(void* to, __u32 size) {
  std::memset(to, 0, size);
  std::memcpy(to, kernel().comm.data(), std::min<std::size_t>(kernel().comm.size(), size - 1));
  return 0;
}

__u64 bpf_ktime_get_ns() {
  kernel().now_ns += kernel().clock_step_ns;
  return kernel().now_ns;
}

__u64 bpf_jiffies64() { return kernel().jiffies; }

void fake_before_atomic() {
  if (kernel().atomics_are_accesses && kernel().at_map_access) kernel().at_map_access();
}

// ASSEMBLY is the source text `"%0 = *(u64 *)(%1 + " "104" ")" ...`: the number in it is the offset.
__u64 fake_register_load(const void* regs, const char* assembly) {
  const char* digit = std::strchr(assembly, '+');
  while (std::isdigit(static_cast<unsigned char>(*digit)) == 0) digit++;
  __u64 value = 0;
  std::memcpy(&value, static_cast<const char*>(regs) + std::strtoul(digit, nullptr, 10), sizeof(value));
  return value;
}
}
