// Objects that are no tasks, put together by who they are: the rows of kinds coroutine, asyncgen, timer, transport.
//
// Used by src/live (sites of the sample) and inspect.
#pragma once

#include "census/loops.h"
#include "census/snapshot.h"
#include "census/transports.h"

#include <cstdint>
#include <string>
#include <vector>

namespace asyncleak::census {

struct Group {
  std::string kind;  // as in the contract: "coroutine", "asyncgen", "timer", "transport"
  CallableText text;
  std::uint64_t count = 0;
  std::uint64_t cancelled = 0;            // timers: of count
  std::vector<std::uint64_t> examples{};  // addresses of some
  std::optional<std::uint64_t> write_buffer_bytes{};
};

constexpr std::size_t examples_of_a_group = 8;

// By code object, then by text: a function defined anew at each call has many code-equal objects.
[[nodiscard]] std::vector<Group> group_generators(std::string_view kind, const std::vector<GeneratorRecord>& records,
                                                  const Readers& readers);
[[nodiscard]] std::vector<Group> group_timers(const LoopView& loops);
[[nodiscard]] std::vector<Group> group_transports(const std::vector<TransportView>& transports);

}  // namespace asyncleak::census
