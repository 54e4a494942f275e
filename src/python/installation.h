// Where the files of a Python installation lie, by its directory layout (sysconfig's posix
// schemes): to know the asyncio module before a process imports it.
//
// Used by src/probe. Looks at names only; a wrong guess costs nothing, the mapping tells later.
#pragma once

#include <optional>
#include <string>

namespace asyncleak::python {

// lib-dynload/_asyncio.*.so of the installation that FILE (an executable in bin/ or a libpython)
// belongs to. ROOT: prefix under which FILE's mount namespace is reachable; the result has none.
[[nodiscard]] std::optional<std::string> find_asyncio_module(const std::string& file, int minor,
                                                             const std::string& root = {});

// libpython3.N.so.1.0 beside bin/python3.N.
[[nodiscard]] std::optional<std::string> find_shared_library(const std::string& executable);

}  // namespace asyncleak::python
