// Where this very build of _asyncio keeps the fields of a Task, as its own code and sections say.
//
// Used by src/python (object_layout) to check a row of its table: what is known by version alone is
// compared with what is in the file. Two sources: the getters of the type (Task._state and alike read one
// field and return it: the first load from self beyond the loop is that field), and the section
// .AsyncioDebug of 3.14 and later. No symbols needed; code that is not understood gives nothing.
#pragma once

#include "elf/image.h"

#include <cstdint>
#include <optional>

namespace asyncleak::elf {

// struct _Py_AsyncioModuleDebugOffsets, Modules/_asynciomodule.c of 3.14 and 3.15, what we use of it.
struct AsyncioDebug {
  std::uint16_t task_size, task_name, task_awaited_by, task_coro;
  std::uint16_t thread_running_loop, thread_running_task;
};

struct TaskFields {
  std::uint32_t task_basicsize = 0, future_basicsize = 0;  // tp_basicsize; 0: not found
  // Offsets as the getters read them; nullopt: not decoded.
  std::optional<std::uint16_t> loop, state, fut_waiter, coro, name;
  std::optional<AsyncioDebug> described;
};

[[nodiscard]] TaskFields find_task_fields(const Image& image);

}  // namespace asyncleak::elf
