// A counted process outside any task, whose thread calls the allocator.
//
// Used by allocator_test.cpp and pending_test.cpp.
#pragma once

#include "memory_machine.h"

namespace asyncleak::fake {

inline constexpr Address block = 0x7f1000000010, moved = 0x7f1000008010;

struct AllocatorScene {
  AllocatorScene() : counted(line(11)), thread(counted) {}
  // So much in so many blocks is not freed, and everything that is counted says so.
  static void check(std::uint64_t bytes, std::uint64_t blocks) {
    CHECK(Counted::total() == Balance{bytes, blocks});
    CHECK(Counted::records().size() == blocks);
    Counted::check_sound();
  }
  static std::uint64_t freed() {
    std::uint64_t sum = 0;
    for (std::uint32_t id = 0; id <= al_site_ids_used; id++) sum += Counted::counters(id).freed_blocks;
    return sum;
  }

  Counted counted;
  Caller thread;
};

}  // namespace asyncleak::fake
