// What session.cpp and memory_session.cpp share of opening the BPF programs and reading their maps.
//
// Used by those two only. Knows nothing of what the maps hold.
#pragma once

#include "probe/privileges.h"
#include "util/result.h"

#include <bpf/bpf.h>
#include <sys/mman.h>
#include <cerrno>
#include <cstddef>
#include <string_view>
#include <utility>

struct asyncleak_bpf;

namespace asyncleak::probe {

struct SessionOptions;

// Not loaded yet; the constants that the memory modes have too are set.
[[nodiscard]] Result<asyncleak_bpf*> open_programs(const SessionOptions& options);

template <class Key, class Visit>
void for_each_key(int map, Visit visit) {
  Key key{};
  Key next{};
  const Key* previous = nullptr;
  while (bpf_map_get_next_key(map, previous, &next) == 0) {
    key = next;
    previous = &key;
    visit(key);
  }
}

// An array map in memory shared with the kernel.
template <class Value>
class SharedArray {
 public:
  SharedArray() = default;
  SharedArray(SharedArray&& other) noexcept
      : values_(std::exchange(other.values_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  SharedArray& operator=(SharedArray&& other) noexcept {
    std::swap(values_, other.values_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SharedArray() {
    if (values_ != nullptr) munmap(values_, bytes_);
  }

  // WHAT is said when it fails: "mapping the site counters".
  [[nodiscard]] static Result<SharedArray> make(int map, std::size_t entries, std::string_view what) {
    const std::size_t bytes = sizeof(Value) * entries;
    void* const values = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
    if (values == MAP_FAILED) return fail(system_error(what, errno));
    SharedArray array;
    array.values_ = static_cast<Value*>(values);
    array.bytes_ = bytes;
    return array;
  }

  [[nodiscard]] Value* data() const { return values_; }
  [[nodiscard]] Value& operator[](std::size_t index) const { return values_[index]; }

 private:
  Value* values_ = nullptr;
  std::size_t bytes_ = 0;
};

template <class Counter>
[[nodiscard]] Counter load(const Counter& counter) {
  return __atomic_load_n(&counter, __ATOMIC_ACQUIRE);
}

// Counters move: what READ takes between two equal readings of MARKER belongs to one moment. What never holds still for
// a few loads is read as it comes.
template <class Counter, class Read>
void read_at_once(const Counter& marker, Read read) {
  for (int attempt = 0; attempt < 16; attempt++) {
    const auto before = load(marker);
    read();
    if (load(marker) == before) return;
  }
}

// Of bpf_object__load: ERRNO as a positive number.
[[nodiscard]] inline Error load_error(int error_number) {
  auto error = system_error("loading the BPF programs", error_number);
  error.kind = ErrorKind::unobservable;
  if (error_number == EPERM || error_number == EACCES) {
    error.advice = how_to_grant("CAP_BPF and CAP_PERFMON");
  } else {
    error.advice = "run 'asyncleak-top doctor' to see what this kernel lacks";
  }
  return error;
}

}  // namespace asyncleak::probe
