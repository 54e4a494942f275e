// Small files inside a target's own root directory: what a container or a pod calls itself.
//
// Used by process_names.cpp. Every name on the way is the target's: no symbolic link leads out of its root, nothing but
// a regular file is opened (a FIFO would block, a device may act), and no more is read than was asked for.
#pragma once

#include <sys/types.h>
#include <cstddef>
#include <optional>
#include <string>

namespace asyncleak::python {

// The first MOST_BYTES of PATH, as PID sees it. nullopt: not there, not to be read, or no regular file.
[[nodiscard]] std::optional<std::string> read_in_root(pid_t pid, const char* path, std::size_t most_bytes);

}  // namespace asyncleak::python
