// Which CPython an image says it is.
//
// Used by interpreter.cpp and the tests. Sources in order of trust: the version word of the
// debug offsets (3.13+), the exported Py_Version (3.11+), the file's name with the version
// text in its read-only data (before). Knows no layout.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "elf/image.h"
#include "python/interpreter.h"
#include "util/result.h"

namespace asyncleak::python {

// PY_VERSION_HEX (Include/patchlevel.h): major, minor, micro, release level and serial.
[[nodiscard]] Version version_from_hex(std::uint32_t hex, bool free_threaded);

// "python3.9", "libpython3.8.so.1.0", "libpython3.8d.so": the minor version; nullopt: no such name.
[[nodiscard]] std::optional<int> minor_from_name(std::string_view path);

// RUNTIME is the address of _PyRuntime, where the debug offsets start.
[[nodiscard]] Result<Version> find_version(const elf::Image& core, std::uint64_t runtime, const std::string& path);

}  // namespace asyncleak::python
