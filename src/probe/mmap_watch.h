// Tells at once when a process maps an interpreter or an asyncio module.
//
// Used by src/live. A perf "dummy" event per CPU whose side-band records name every
// executable mapping: no probe, no cost to processes that map nothing. Records can be lost
// under load; the periodic scan finds what they would have told.
#pragma once

#include "util/result.h"

#include <sys/types.h>
#include <memory>
#include <string>
#include <vector>

namespace asyncleak::probe {

class MmapWatch {
 public:
  [[nodiscard]] static Result<MmapWatch> make();
  MmapWatch(MmapWatch&&) noexcept;
  ~MmapWatch();

  [[nodiscard]] std::vector<int> fds() const;  // readable when records wait
  struct Mapping {
    pid_t pid;
    std::string path;  // as the process sees it
  };
  // Drains the rings: mappings of files that look like Python's, oldest first per CPU.
  [[nodiscard]] std::vector<Mapping> take();

 private:
  struct Ring;
  explicit MmapWatch(std::vector<std::unique_ptr<Ring>> rings);
  std::vector<std::unique_ptr<Ring>> rings_;
};

}  // namespace asyncleak::probe
