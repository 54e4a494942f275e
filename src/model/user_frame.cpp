#include "model/user_frame.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace asyncleak {
namespace {

bool is_windows_path(std::string_view file) {
  return file.find('\\') != std::string_view::npos && file.find('/') == std::string_view::npos;
}

// The first component of REST, which is taken from it.
std::string_view take_component(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view component = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return component;
}

// lib/python3.11, python3.13t, python311.zip.
bool is_versioned_python(std::string_view component) {
  return component.starts_with("python3") && component.size() > 7 &&
         (component[7] == '.' || std::isdigit(static_cast<unsigned char>(component[7])) != 0);
}

// Of C:\Python311\Lib and of CPython's own source tree.
bool is_python_folder(std::string_view component) {
  constexpr std::string_view name = "python";
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  return std::search(component.begin(), component.end(), name.begin(), name.end(), same) != component.end();
}

bool is_installed_folder(std::string_view component) {
  return component == "site-packages" || component == "dist-packages" || component == "__pypackages__" ||
         component.ends_with(".egg");
}

bool is_library_file(std::string_view file) {
  const char separator = is_windows_path(file) ? '\\' : '/';
  std::string_view before;
  bool standard = false;
  for (std::string_view rest = file; !rest.empty();) {
    const std::string_view component = take_component(rest, separator);
    if (rest.empty()) break;  // the file itself
    if (is_installed_folder(component)) return true;
    const bool in_lib = before == "lib" || before == "lib64";
    standard = standard || (in_lib && is_versioned_python(component)) ||
               (is_versioned_python(component) && component.ends_with(".zip")) ||
               (component == "Lib" && is_python_folder(before));
    before = component;
  }
  return standard;
}

// What pip puts into bin: three lines that call into the package.
bool is_console_script(const Frame& frame) {
  if (frame.function != "<module>") return false;
  const char separator = is_windows_path(frame.file) ? '\\' : '/';
  std::string_view rest = frame.file, folder, name;
  while (!rest.empty()) {
    folder = name;
    name = take_component(rest, separator);
  }
  return folder == "Scripts" || (folder == "bin" && name.find('.') == std::string_view::npos);
}

bool is_typed(std::string_view file) {
  constexpr std::array<std::string_view, 5> beginnings = {"<string>", "<stdin>", "<console>", "<python-input",
                                                          "<ipython-input"};
  return std::any_of(beginnings.begin(), beginnings.end(), [&](auto each) { return file.starts_with(each); });
}

std::string_view last_name(std::string_view qualified) { return qualified.substr(qualified.rfind('.') + 1); }

// Handle._run (asyncio/events.py) calls a callback or makes a task's step; BaseEventLoop._run_once calls it. Other
// loops have no Python frames of their own: there the callback stands on what started the loop.
bool calls_back(const Frame& frame) {
  const std::string_view name = last_name(frame.function);
  return is_asyncio_file(frame.file) && (name == "_run" || name == "_run_once");
}

bool starts_loop(const Frame& frame) {
  const std::string_view name = last_name(frame.function);
  return is_asyncio_file(frame.file) && (name == "run" || name == "run_forever" || name == "run_until_complete");
}

}  // namespace

bool is_asyncio_file(std::string_view file) {
  if (file.starts_with("<frozen ")) return true;
  // PyInstaller strips the prefix of the library.
  if (file.starts_with("asyncio/")) return true;
  const char separator = is_windows_path(file) ? '\\' : '/';
  std::string_view parent, folder;
  for (std::string_view rest = file; !rest.empty();) {
    const std::string_view component = take_component(rest, separator);
    if (rest.empty()) break;
    parent = folder;
    folder = component;
  }
  return folder == "asyncio" && (is_versioned_python(parent) || parent == "Lib");
}

CodeOwner owner_of(const Frame& frame) {
  const std::string_view file = frame.file;
  if (is_asyncio_file(file)) return CodeOwner::asyncio;
  if (is_typed(file)) return CodeOwner::typed;
  if (file.empty() || file.front() == '<') return CodeOwner::generated;
  return is_library_file(file) || is_console_script(frame) ? CodeOwner::library : CodeOwner::user;
}

const Frame* user_frame(std::span<const Frame> frames) {
  const Frame* best = nullptr;
  CodeOwner best_owner = CodeOwner::asyncio;
  for (const Frame& frame : frames) {
    if (calls_back(frame) || (best_owner != CodeOwner::asyncio && starts_loop(frame))) break;
    const CodeOwner owner = owner_of(frame);
    if (best != nullptr && owner >= best_owner) continue;
    best = &frame;
    best_owner = owner;
    if (owner == CodeOwner::user) break;
  }
  return best != nullptr || frames.empty() ? best : &frames.front();
}

const Frame* user_frame(const SiteIdentity& identity) { return user_frame(std::span(identity.created_at)); }

std::string_view package_of(std::string_view file) {
  const char separator = is_windows_path(file) ? '\\' : '/';
  bool installed = false;
  for (std::string_view rest = file; !rest.empty();) {
    const std::string_view component = take_component(rest, separator);
    if (installed) return component.substr(0, component.rfind(".py"));
    installed = is_installed_folder(component);
  }
  return {};
}

}  // namespace asyncleak
