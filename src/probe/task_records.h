// The kernel's records of single tasks, from user space: puts tasks from before the attach into
// the counts while the program goes on, and tells the site of a task by its address.
//
// Used by whoever scans a target's memory. Knows addresses, not memory. One at a time.
// Order: open, begin_seeding, scan the memory, seed_site and seed, end_seeding. Why that is
// exact, and what it asks of the scan, is in bpf/seed.bpf.h: begin the scan after begin_seeding,
// and deliver only objects of _asyncio.Task or a type derived from it (no others' end is seen),
// whose reference count is not zero.
#pragma once

#include "probe/catalog.h"
#include "probe/session.h"
#include "util/result.h"

#include <sys/types.h>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace asyncleak::probe {

// As long as it does not call exec: then it has another id.
struct OpenedProcess {
  pid_t pid = 0;
  std::uint32_t id = 0;
  std::string comm;
};

// Tasks of one coroutine that are from before the attach.
struct SeedSite {
  std::string coroutine;     // qualified name; of the awaitable's type where it has no code
  std::string file;          // empty with code 0
  int first_line = 0;        // of the function
  std::uint64_t code = 0;    // address of the code object
  std::int64_t born_ns = 0;  // CLOCK_MONOTONIC: when we attached; they are older
};

enum class SeedEnd {
  all,      // every address was looked at
  stopped,  // not seeding any more: too many tasks ended meanwhile, or the process did or called exec
  full,     // no room for more tasks; the rest is not counted, and that is (Drop)
};
struct Seeded {
  std::uint64_t inserted = 0;  // came into the counts
  SeedEnd end = SeedEnd::all;
};

class TaskRecords {
 public:
  // SESSION outlives it.
  explicit TaskRecords(Session& session) : session_(session), programs_(session.record_programs()) {}

  // Also a process without any event so far. unobservable when it is ending, gone or not watched.
  [[nodiscard]] Result<OpenedProcess> open(const KnownProcess& process);

  // From here on every task that ends is set aside.
  [[nodiscard]] Result<void> begin_seeding(const OpenedProcess& process);
  // The same site for the same SITE; its id.
  [[nodiscard]] Result<std::uint32_t> seed_site(const OpenedProcess& process, const SeedSite& site);
  // Counts those of ADDRESSES that no probe has seen.
  [[nodiscard]] Result<Seeded> seed(const OpenedProcess& process, std::uint32_t site,
                                    std::span<const std::uint64_t> addresses);
  // COMPLETE: all that the scan found was seeded; the process's coverage becomes exact. False: it did
  // not, as tasks that ended could not be set aside. What was counted is right; begin again for the rest.
  [[nodiscard]] Result<bool> end_seeding(const OpenedProcess& process, bool complete);

  // By address, at the same index; site 0: not known. 4096 in one system call.
  struct Birth {
    std::uint32_t site = 0;
    std::int64_t born_ns = 0;  // CLOCK_MONOTONIC; of a seeded task: it was born before
  };
  [[nodiscard]] Result<std::vector<Birth>> births_of(std::uint32_t process, std::span<const std::uint64_t> addresses);
  [[nodiscard]] Result<std::vector<std::uint32_t>> sites_of(std::uint32_t process,
                                                            std::span<const std::uint64_t> addresses);

 private:
  [[nodiscard]] Result<std::uint32_t> set_seeding(const OpenedProcess& process, al_seeding state);

  Session& session_;
  RecordPrograms programs_;
};

}  // namespace asyncleak::probe
