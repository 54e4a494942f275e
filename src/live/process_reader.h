// One process opened for the census: memory, layouts, and what was learned of its types and code.
//
// Used by process_census.cpp and inspector.cpp. Kept as long as the process runs the same image.
#pragma once

#include "census/cached_memory.h"
#include "census/snapshot.h"
#include "probe/catalog.h"
#include "util/result.h"

#include <memory>

namespace asyncleak::live {

class ProcessReader {
 public:
  // Error: its objects cannot be read, and why.
  [[nodiscard]] static Result<std::unique_ptr<ProcessReader>> open(const probe::KnownProcess& process);
  ProcessReader(const ProcessReader&) = delete;

  // What the memory says from now on is not older than this call.
  void refresh() { cache_.forget(); }

  [[nodiscard]] const census::Heap& heap() const { return heap_; }
  [[nodiscard]] census::Readers& readers() { return readers_; }
  // Whether the collector still knows the object: false once its end has begun.
  [[nodiscard]] bool is_tracked(std::uint64_t object) const;

 private:
  ProcessReader(pid_t pid, const python::Interpreter& interpreter, const python::ObjectLayout& objects,
                std::uint64_t bias);

  python::ProcessMemory memory_;
  census::CachedMemory cache_;
  census::Heap heap_;
  census::Readers readers_;
};

}  // namespace asyncleak::live
