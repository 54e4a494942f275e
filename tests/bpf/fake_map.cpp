#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "fake_kernel.h"

namespace asyncleak::fake {

Map::Map(const host_map& description) : description_(description) {}

bool Map::is_array() const {
  return description_.type == BPF_MAP_TYPE_ARRAY || description_.type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

Map::Bytes Map::key_of(const void* key) const { return {static_cast<const char*>(key), description_.key_size}; }

Map::Value Map::copy_of(const void* value) const {
  auto copy = std::make_unique<std::uint64_t[]>((description_.value_size + 7) / 8);
  if (value != nullptr) std::memcpy(copy.get(), value, description_.value_size);
  return copy;
}

void* Map::lookup(const void* key) {
  if (is_array()) {  // all there from the start, zero
    std::uint32_t index = 0;
    std::memcpy(&index, key, sizeof(index));
    if (index >= description_.max_entries) return nullptr;
    if (index >= array_.size()) array_.resize(index + 1);
    if (!array_[index]) array_[index] = copy_of(nullptr);
    return array_[index].get();
  }
  const auto at = elements_.find(key_of(key));
  return at == elements_.end() ? nullptr : at->second.get();
}

// kernel/bpf/hashtab.c, htab_map_update_elem: flags are checked before room. kernel/bpf/arraymap.c.
long Map::update(const void* key, const void* value, std::uint64_t flags) {
  if (auto run = std::exchange(other_cpu_, nullptr)) run();
  if (const long error = std::exchange(next_error_, 0)) return error;
  if (is_array()) {
    void* known = lookup(key);
    if (known == nullptr) return -E2BIG;
    if (flags == BPF_NOEXIST) return -EEXIST;
    std::memcpy(known, value, description_.value_size);
    return 0;
  }
  const auto at = elements_.find(key_of(key));
  if (at != elements_.end()) {
    if (flags == BPF_NOEXIST) return -EEXIST;
    at->second = copy_of(value);
    return 0;
  }
  if (flags == BPF_EXIST) return -ENOENT;
  const bool lru = description_.type == BPF_MAP_TYPE_LRU_HASH;
  if (elements_.size() >= description_.max_entries) {
    if (!lru) return -E2BIG;
    elements_.erase(oldest_first_.front());
    oldest_first_.erase(oldest_first_.begin());
  }
  elements_.emplace(key_of(key), copy_of(value));
  if (lru) oldest_first_.push_back(key_of(key));
  return 0;
}

// The value is freed at once, where the kernel waits: who reads it after this is caught by asan.
long Map::erase(const void* key) {
  if (is_array()) return -EINVAL;
  const Bytes bytes = key_of(key);
  std::erase(oldest_first_, bytes);
  return elements_.erase(bytes) != 0 ? 0 : -ENOENT;
}

long Map::push(const void* value) {
  if (stack_.size() >= description_.max_entries) return -E2BIG;
  stack_.emplace_back(static_cast<const char*>(value), description_.value_size);
  return 0;
}

// kernel/bpf/queue_stack_maps.c, __stack_map_get: an empty stack gives zeroes.
long Map::pop(void* value) {
  if (stack_.empty()) {
    std::memset(value, 0, description_.value_size);
    return -ENOENT;
  }
  std::memcpy(value, stack_.back().data(), description_.value_size);
  stack_.pop_back();
  return 0;
}

long Map::for_each(const std::function<long(void*, void*)>& call) {
  long visited = 0;
  for (auto at = elements_.begin(); at != elements_.end();) {
    Bytes key = at->first;  // CALL may delete the element
    visited++;
    if (call(key.data(), at->second.get()) != 0) break;
    at = elements_.upper_bound(key);
  }
  return visited;
}

}  // namespace asyncleak::fake
