// Which of asyncio's own means a piece of code uses: "wait" with "FIRST_COMPLETED", "call_later", "cancel".
//
// Used by src/live as evidence for patterns of leaking. From the names in code objects: that a name is there says
// that the code uses it, not in which order.
#pragma once

#include "census/snapshot.h"

#include <cstdint>
#include <string>
#include <vector>

namespace asyncleak::census {

class CodeUses {
 public:
  explicit CodeUses(const Readers* readers) : readers_(readers) {}

  // Sorted, each once, of a fixed list; a keyword argument as "timeout=". Empty: none, or unreadable.
  [[nodiscard]] std::vector<std::string> of_code(std::uint64_t code) const;
  // Of the Python function a callback ends in, and of the methods of its object and the functions of its module that
  // it calls by name.
  [[nodiscard]] std::vector<std::string> of_callback(std::uint64_t callback) const;

 private:
  [[nodiscard]] std::vector<std::string> names_in(std::uint64_t code) const;
  void add_called(std::uint64_t function, std::uint64_t self, std::vector<std::string>& uses) const;

  const Readers* readers_;
};

}  // namespace asyncleak::census
