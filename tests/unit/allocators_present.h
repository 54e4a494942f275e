// The replacements of the C library's allocator that this machine has, for the tests of src/elf and src/python.
//
// Installed ones, and those in the folders of $ASYNCLEAK_ALLOCATORS (colon-separated): `apt-get download
// libjemalloc2 libtcmalloc-minimal4 libmimalloc2.0` and `dpkg -x` need no root and change nothing.
#pragma once

#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace asyncleak::test {

struct Replacement {
  std::string path;
  std::string kind;
};

inline std::vector<Replacement> allocators_present() {
  struct Known {
    const char* name;
    const char* kind;
  };
  constexpr std::array<Known, 7> known = {{{"libjemalloc.so.2", "jemalloc"},
                                           {"libtcmalloc.so.4", "tcmalloc"},
                                           {"libtcmalloc_minimal.so.4", "tcmalloc"},
                                           {"libtcmalloc_debug.so.4", "tcmalloc"},
                                           {"libmimalloc.so.2.0", "mimalloc"},
                                           {"libmimalloc.so.2", "mimalloc"},
                                           {"libmimalloc.so.3", "mimalloc"}}};
  std::string folders = "/usr/lib/x86_64-linux-gnu:/usr/local/lib";
  if (const char* more = std::getenv("ASYNCLEAK_ALLOCATORS")) folders.append(":").append(more);
  std::vector<Replacement> found;
  std::istringstream stream(folders);
  for (std::string folder; std::getline(stream, folder, ':');) {
    for (const Known& each : known) {
      std::error_code error;
      const auto path = std::filesystem::canonical(std::filesystem::path(folder) / each.name, error);
      if (!error) found.push_back({path.string(), each.kind});
    }
  }
  return found;
}

}  // namespace asyncleak::test
