// What a callback is called and where it is written: functions, bound methods, partials, tasks' own steps.
//
// Used for timers, ready callbacks and transports' protocols.
#pragma once

#include "census/coroutines.h"
#include "census/objects.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

namespace asyncleak::census {

struct CallableText {
  std::string name;  // qualified; "?" when it could not be read
  std::string file;  // empty: written in C
  std::optional<int> line;
  auto operator<=>(const CallableText&) const =
      default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 on the literal 0
};

class Callables {
 public:
  Callables(const Objects* objects, const Coroutines* coroutines) : objects_(objects), coroutines_(coroutines) {}

  // A bound method by its function, a partial by what it calls, a task's step by the task's coroutine.
  [[nodiscard]] CallableText describe(std::uint64_t callable) const;
  // A class by its qualified name and its first method.
  [[nodiscard]] CallableText describe_class(const Type& type) const;

 private:
  [[nodiscard]] CallableText of_code(std::uint64_t code) const;
  [[nodiscard]] CallableText of_task(std::uint64_t task) const;
  [[nodiscard]] CallableText of_builtin(std::uint64_t builtin) const;

  const Objects* objects_;
  const Coroutines* coroutines_;
};

}  // namespace asyncleak::census
