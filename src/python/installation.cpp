#include "python/installation.h"

#include <fmt/format.h>
#include <glob.h>
#include <filesystem>

namespace asyncleak::python {

namespace {

std::optional<std::string> first_match(const std::string& pattern) {
  glob_t found{};
  std::optional<std::string> match;
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0 && found.gl_pathc > 0) match = found.gl_pathv[0];
  globfree(&found);
  return match;
}

}  // namespace

std::optional<std::string> find_asyncio_module(const std::string& file, int minor, const std::string& root) {
  // PREFIX/bin/python3.N, PREFIX/lib/libpython3.N.so, PREFIX/lib/x86_64-linux-gnu/libpython3.N.so
  auto folder = std::filesystem::path(file).parent_path();
  for (int up = 0; up < 3 && !folder.empty(); up++, folder = folder.parent_path()) {
    for (const auto* lib : {"lib/", "lib64/", ""}) {
      // The free-threaded installation has a "t": lib/python3.13t.
      const auto pattern =
          fmt::format("{}{}/{}python3.{}*/lib-dynload/_asyncio.*.so", root, folder.string(), lib, minor);
      if (auto match = first_match(pattern)) return match->substr(root.size());
    }
    if (folder == folder.root_path()) break;
  }
  return std::nullopt;
}

std::optional<std::string> find_shared_library(const std::string& executable) {
  const std::filesystem::path path(executable);
  const auto prefix = path.parent_path().parent_path().string();
  const auto name = path.filename().string();
  for (const auto* lib : {"lib", "lib64", "lib/x86_64-linux-gnu"}) {
    if (auto match = first_match(fmt::format("{}/{}/lib{}*.so.1.0", prefix, lib, name))) return match;
  }
  return std::nullopt;
}

}  // namespace asyncleak::python
