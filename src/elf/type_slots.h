// A C extension type in an image, found by its name alone: the static PyTypeObject or the PyType_Spec that
// uses the text, and the functions and tables in its slots.
//
// Used by task_functions.cpp, task_fields.cpp and step_functions.cpp. Needs no symbols and no sections.
#pragma once

#include "elf/image.h"
#include "util/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace asyncleak::elf {

struct TypeSlots {
  std::uint64_t init, dealloc;    // functions; 0: none. A candidate without dealloc is no type
  std::uint64_t call;             // the same
  std::uint64_t methods, getset;  // PyMethodDef and PyGetSetDef arrays; 0: none
  std::uint32_t basicsize;
  std::string detail;  // "static type, tp_name at 0x..", "PyType_Spec at 0x.."
};

// REQUIRED is the function without which a candidate is not the type that is meant.
// Error: no type of that name, or two different ones.
[[nodiscard]] Result<TypeSlots> find_type(const Image& image, std::string_view name,
                                          std::uint64_t TypeSlots::*required = &TypeSlots::init);

}  // namespace asyncleak::elf
