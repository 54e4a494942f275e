// Coroutines, generators and async generators at rest: state, where they stand, what they await, their locals.
//
// Used by awaits.cpp, snapshot.cpp and inspect. Line tables are decoded by python/objects.h.
#pragma once

#include "census/objects.h"
#include "sample/sample.h"

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace asyncleak::census {

enum class GeneratorState : std::uint8_t { created, suspended, running, finished, unknown };

struct CodeText {
  std::string qualname, file;
  int first_line = 0;
};

struct Local {
  std::string name;
  std::uint64_t object = 0;
};

class Coroutines {
 public:
  explicit Coroutines(const Objects* objects) : objects_(objects) {}

  [[nodiscard]] GeneratorState state(std::uint64_t generator) const;
  [[nodiscard]] std::uint64_t code(std::uint64_t generator) const;  // also of a finished one; 0: unreadable
  // Names of a code object; cached by address and checked against a change of it. Null: none there. Valid until
  // the next call.
  [[nodiscard]] const CodeText* text_of_code(std::uint64_t code) const;
  [[nodiscard]] std::string qualname(std::uint64_t generator) const;  // the object's own, "" when unreadable
  // Function, file and the line it is suspended at (first line when created, none when finished).
  [[nodiscard]] std::optional<Frame> where(std::uint64_t generator) const;
  // What a suspended one delegates to (cr_await, ag_await, gi_yieldfrom); 0: nothing, or not suspended in an await.
  [[nodiscard]] std::uint64_t awaited(std::uint64_t generator) const;
  // Bound locals, arguments first; cells are opened. Empty for one that is running or finished.
  [[nodiscard]] std::vector<Local> locals(std::uint64_t generator) const;

 private:
  struct KnownCode {
    std::uint64_t file = 0, name = 0;  // its str objects: another one at the same address has others
    CodeText text;
  };

  [[nodiscard]] std::uint64_t frame(std::uint64_t generator) const;  // 0: none
  [[nodiscard]] std::optional<int> line(std::uint64_t code, std::uint64_t frame, int first_line) const;
  [[nodiscard]] bool delegates(std::uint64_t generator, std::uint64_t code, std::uint64_t frame) const;

  const Objects* objects_;
  mutable std::unordered_map<std::uint64_t, KnownCode> codes_;
};

}  // namespace asyncleak::census
