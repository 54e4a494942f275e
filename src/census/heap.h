// One process as the census reads it: its memory, where its interpreter keeps things, where its image is.
//
// Made by src/live, used by everything in this folder. Passive; the memory outlives it. Nothing here
// stops or writes to the target.
#pragma once

#include "python/interpreter.h"
#include "python/memory.h"
#include "python/object_layout.h"

#include <sys/types.h>
#include <cstdint>

namespace asyncleak::census {

struct Heap {
  pid_t pid = 0;
  const python::RemoteMemory* memory = nullptr;  // may be a cache
  const python::RemoteMemory* direct = nullptr;  // the process itself; null: MEMORY is
  al_layout layout{};
  python::ObjectLayout objects{};
  std::uint64_t bias = 0;  // run-time minus link-time addresses of the interpreter's image

  // For bulk reads, and for what must be read anew.
  [[nodiscard]] const python::RemoteMemory& uncached() const { return direct != nullptr ? *direct : *memory; }
  [[nodiscard]] std::uint64_t word(std::uint64_t address) const {  // 0: could not be read
    return memory->value<std::uint64_t>(address).value_or(0);
  }
};

}  // namespace asyncleak::census
