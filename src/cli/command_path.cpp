#include "cli/command_path.h"

#include <unistd.h>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace asyncleak::cli {

namespace {

constexpr int deepest_script = 5;  // BINPRM_MAX_RECURSION, fs/exec.c

bool is_executable(const std::string& path) {
  std::error_code error;
  return access(path.c_str(), X_OK) == 0 && !std::filesystem::is_directory(path, error);
}

std::optional<std::string> search_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return is_executable(name) ? std::optional(name) : std::nullopt;
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin");
  for (std::string folder; !name.empty() && std::getline(folders, folder, ':');) {
    auto candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (is_executable(candidate)) return candidate;
  }
  return std::nullopt;
}

// The program a script's first line names, as it stands there; nullopt: not a script.
std::optional<std::string> script_interpreter(const std::string& file) {
  std::ifstream script(file, std::ios::binary);
  std::array<char, 2> magic{};
  if (!script.read(magic.data(), magic.size()) || magic != std::array{'#', '!'}) return std::nullopt;
  std::string line;
  std::getline(script, line);
  std::istringstream words(line);
  std::string program;
  words >> program;
  if (!program.ends_with("/env")) return program;
  std::string named;
  do {
    named.clear();
  } while (words >> named && (named.starts_with("-") || named.find('=') != std::string::npos));
  return named;
}

}  // namespace

std::optional<std::string> interpreter_of(const std::string& name) {
  auto file = search_path(name);
  for (int depth = 0; file; depth++) {
    const auto next = script_interpreter(*file);
    if (!next) break;
    if (depth == deepest_script) return std::nullopt;
    file = search_path(*next);
  }
  if (!file) return std::nullopt;
  std::error_code error;
  auto real = std::filesystem::canonical(*file, error);
  return error ? std::nullopt : std::optional(real.string());
}

}  // namespace asyncleak::cli
