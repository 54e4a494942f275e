// The interpreters' files on this machine: what the tests over every interpreter present go through.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>

namespace asyncleak::elf::test {

inline bool is_interpreter_file(const std::string& name) {
  const bool library = name.find(".so") != std::string::npos;
  if (name.starts_with("_asyncio.") || name.starts_with("libpython3")) return library;
  // python3.11, not python3.11-config
  return name.starts_with("python3.") && name.find_first_not_of("0123456789", 8) == std::string::npos;
}

inline void collect(const std::filesystem::path& folder, std::set<std::string>& files) {
  namespace fs = std::filesystem;
  std::error_code error;
  auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry->is_symlink(error) || !entry->is_regular_file(error)) continue;
    if (is_interpreter_file(entry->path().filename().string())) files.insert(entry->path().string());
  }
}

// ASYNCLEAK_ELF_CORPUS: colon-separated files, those only. Else what the system, pyenv and the
// roots under ASYNCLEAK_FLEET have.
inline std::set<std::string> corpus() {
  std::set<std::string> files;
  if (const char* list = std::getenv("ASYNCLEAK_ELF_CORPUS")) {
    std::istringstream stream(list);
    for (std::string file; std::getline(stream, file, ':');) files.insert(file);
    return files;
  }
  for (const char* folder : {"/usr/bin", "/usr/lib", "/usr/local/bin", "/usr/local/lib", "/root/.pyenv/versions"}) {
    collect(folder, files);
  }
  if (const char* fleet = std::getenv("ASYNCLEAK_FLEET")) collect(fleet, files);
  return files;
}

}  // namespace asyncleak::elf::test
