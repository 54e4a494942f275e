// What suspended.py set up in a living interpreter, and the readers that look at it from outside.
#pragma once

#include <functional>

#include "census/awaits.h"
#include "census/coroutines.h"
#include "census/objects.h"
#include "census/type_table.h"
#include "live_python.h"

namespace asyncleak::census {

struct Suspended {
  explicit Suspended(const LivePython& python)
      : facts(python.said()),
        types(&python.heap()),
        objects(&python.heap(), &types),
        coroutines(&objects),
        awaits(&objects, &coroutines) {}
  Suspended(const Suspended&) = delete;

  const nlohmann::json& facts;
  TypeTable types;
  Objects objects;
  Coroutines coroutines;
  Awaits awaits;
};

void on_each_suspended(const std::function<void(Suspended&)>& body);

// [function, file, line] as the script prints it.
[[nodiscard]] Frame frame_of(const nlohmann::json& place);

}  // namespace asyncleak::census
