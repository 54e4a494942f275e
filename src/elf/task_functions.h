// Where the functions that create and destroy asyncio tasks are in an image, with or
// without symbols.
//
// Used by src/probe (plan) and `doctor`. The ladder: .symtab, separate debug file,
// .gnu_debugdata, then the type slots: the string "_asyncio.Task" leads to the type object
// (static, <= 3.11) or its PyType_Spec (3.12+), whose tp_init and tp_dealloc slots hold the
// addresses. Both ends must agree where both exist (the unit test over every
// interpreter present proves it); should they not, the type slots win.
#pragma once

#include "elf/image.h"
#include "util/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace asyncleak::elf {

enum class Rung { symtab, debug_file, mini_debug_info, type_slots };
[[nodiscard]] std::string_view name_of(Rung rung);  // ".symtab", "debug file", ".gnu_debugdata", "type slots"

struct TaskFunctions {
  std::uint64_t task_init;       // tp_init of _asyncio.Task
  std::uint64_t task_dealloc;    // tp_dealloc of _asyncio.Task
  std::uint32_t task_basicsize;  // tp_basicsize: a fingerprint of the build; 0: not known by this rung
  Rung rung;
  std::string detail;  // for doctor: "static type at 0x..", "/usr/lib/debug/..."
};

// True when the image holds the text "_asyncio.Task": worth asking find_task_functions.
[[nodiscard]] bool has_task_type(const Image& image);

[[nodiscard]] Result<TaskFunctions> find_task_functions(const Image& image, const std::string& path,
                                                        const std::string& root = {});
// The last rung alone.
[[nodiscard]] Result<TaskFunctions> resolve_type_slots(const Image& image);

}  // namespace asyncleak::elf
