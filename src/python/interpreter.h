// Which CPython an image is, and where its fields are.
//
// Used by src/probe (fills the kernel's layouts) and `doctor`. Two sources: the
// interpreter's own _Py_DebugOffsets (3.13+, at the start of _PyRuntime) and the table rows
// of layouts.inc, which are compared where both exist. Neither fits: refused, never guessed.
// All knowledge of versions lives in this folder.
#pragma once

#include <linux/types.h>  // before asyncleak.h, which takes __u64 from whoever includes it

#include "asyncleak.h"
#include "elf/image.h"
#include "python/memory.h"
#include "python/object_layout.h"
#include "util/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace asyncleak::python {

enum class LayoutSource { debug_offsets, table };
[[nodiscard]] std::string_view name_of(LayoutSource source);  // "debug offsets", "table"

struct Version {
  int major = 0, minor = 0, micro = 0;
  bool free_threaded = false;
  std::string text;  // "3.11.2", "3.14.0rc2", "3.13.5t"
};

struct Interpreter {
  Version version;
  al_layout layout;
  LayoutSource source;
  std::string row;  // which table row, or which parts of the debug offsets were compared
  // What only the census reads; an error where it is not known. fit_task_fields() has the last word.
  Result<ObjectLayout> objects = fail(unknown_objects());
};

// From the file alone: version (Py_Version, PY_VERSION_HEX in debug offsets, else the name in
// PATH), layout, and the checks a file allows (tp_basicsize of the static types against the
// row; the tstate address decoded from _PyThreadState_UncheckedGet where there is one).
[[nodiscard]] Result<Interpreter> identify(const elf::Image& core, const std::string& path);

// The same layout against a living process: _PyRuntime -> interpreter -> thread -> its
// thread id and frame -> a code object whose type is PyCode_Type and whose file name is text.
// BIAS = run-time minus link-time addresses. An error is a contradiction, and says at which step.
enum class Fit {
  checked,  // a code object was reached
  not_now,  // the interpreter is starting or ending, or no thread runs Python at this moment
};
[[nodiscard]] Result<Fit> check_live(const Interpreter& interpreter, const RemoteMemory& memory, std::uint64_t bias);

}  // namespace asyncleak::python
