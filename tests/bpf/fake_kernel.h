// The kernel the programs of bpf/ see in these tests: maps, helpers, the current thread, a clock that stands still.
//
// Used by machine.h and the tests. One kernel per process, since helpers are C functions; reset() starts it anew.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fake_memory.h"
#include "host.h"

namespace asyncleak::fake {

// A BPF map as the programs' helpers and user space's system calls see it. Errors are the kernel's, negative.
class Map {
 public:
  explicit Map(const host_map& description);

  void* lookup(const void* key);
  long update(const void* key, const void* value, std::uint64_t flags);
  long erase(const void* key);
  long push(const void* value);
  long pop(void* value);
  // CALL(key, value) in the order of keys, elements added meanwhile included; stops at non-zero.
  long for_each(const std::function<long(void*, void*)>& call);

  [[nodiscard]] std::size_t size() const { return is_stack() ? stack_.size() : elements_.size(); }
  void resize(std::uint32_t max_entries) { description_.max_entries = max_entries; }

  // The next update fails with ERROR, as when the kernel has no memory.
  void fail_next_update(long error) { next_error_ = error; }
  // Runs once, just before the next update: another CPU.
  void before_next_update(std::function<void()> other_cpu) { other_cpu_ = std::move(other_cpu); }

  template <class Value, class Key>
  Value* find(const Key& key) {
    if (sizeof(key) != description_.key_size) throw std::logic_error("a key of another map");
    return static_cast<Value*>(lookup(&key));
  }

 private:
  using Bytes = std::string;
  using Value = std::unique_ptr<std::uint64_t[]>;

  [[nodiscard]] bool is_stack() const { return description_.type == BPF_MAP_TYPE_STACK; }
  [[nodiscard]] bool is_array() const;
  [[nodiscard]] Bytes key_of(const void* key) const;
  Value copy_of(const void* value) const;

  host_map description_;
  std::map<Bytes, Value> elements_;
  std::vector<Value> array_;         // as far as it was asked for
  std::vector<Bytes> oldest_first_;  // LRU only
  std::vector<Bytes> stack_;
  long next_error_ = 0;
  std::function<void()> other_cpu_;
};

struct Thread {
  std::uint32_t tgid = 0;
  std::uint32_t tid = 0;
  std::uint64_t pthread = 0;  // fs base
  Memory* memory = nullptr;
};

class Kernel {
 public:
  // Empty maps, default options, no ids handed out: as after load.
  void reset();

  [[nodiscard]] Map& map(std::string_view name);
  [[nodiscard]] Map& map_at(const void* address);
  [[nodiscard]] std::uint64_t counter(al_counter which);

  Thread current;
  std::uint64_t now_ns = 0;
  std::uint64_t clock_step_ns = 0;  // how far every reading of the clock moves it
  std::uint64_t jiffies = 1;
  std::uint64_t cookie = 0;
  std::string comm = "python3";
  // Runs once, at the next read of user memory: the probe is preempted there by another one on this CPU.
  std::function<void()> at_next_read;
  // Runs before every access to a map: where another CPU may come in between.
  std::function<void()> at_map_access;
  bool atomics_are_accesses = false;  // the same before every atomic operation

 private:
  std::map<std::string, Map, std::less<>> maps_;
  std::map<const void*, Map*> by_address_;
};

[[nodiscard]] Kernel& kernel();

}  // namespace asyncleak::fake
