// Containers that only grow, with the names that lead to the line to fix.
//
// Used by process_census.cpp.
#pragma once

#include "census/growth.h"
#include "live/process_reader.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace asyncleak::live {

struct NamedContainer {
  std::string title;  // "list `listeners` of app.Emitter", "asyncio.queues.Queue `jobs` of module app"
  std::uint64_t length = 0;
  std::uint64_t address = 0;
  std::uint64_t queue = 0;  // the asyncio queue whose items it keeps; 0: none
};

class GrowingContainers {
 public:
  // To be called after each look.
  void look(const census::Snapshot& snapshot, ProcessReader& reader);
  [[nodiscard]] const std::vector<NamedContainer>& named() const { return named_; }

 private:
  census::GrowthWatch watch_;
  struct Known {
    std::string title;  // empty: none of the program's
    std::uint64_t queue = 0;
  };
  [[nodiscard]] static Known name(const census::ContainerRecord& container, const census::Snapshot& snapshot,
                                  ProcessReader& reader);

  std::map<std::uint64_t, Known> known_;  // by address, of those that grow
  std::vector<NamedContainer> named_;
};

}  // namespace asyncleak::live
