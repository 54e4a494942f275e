#include "python/proc_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace asyncleak::python {
namespace {

// The kernel escapes nothing but the newline (fs/proc/task_mmu.c: seq_path(m, path, "\n")).
std::string unescape_newlines(std::string_view path) {
  constexpr std::string_view escaped = "\\012";
  std::string text(path);
  for (std::size_t at = text.find(escaped); at != std::string::npos; at = text.find(escaped, at + 1)) {
    text.replace(at, escaped.size(), 1, '\n');
  }
  return text;
}

}  // namespace

std::string_view take(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view token = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return token;
}

std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Mapping> parse_mapping(std::string_view line) {
  Mapping mapping;
  std::string_view range = take(line, ' ');
  const auto start = number(take(range, '-'), 16);
  const auto end = number(range, 16);
  const std::string_view permissions = take(line, ' ');
  const auto offset = number(take(line, ' '), 16);
  std::string_view device = take(line, ' ');
  const auto major = number(take(device, ':'), 16);
  const auto minor = number(device, 16);
  const auto inode = number(take(line, ' '), 10);
  if (!start || !end || !offset || !major || !minor || !inode || *inode == 0 || permissions.size() < 4) {
    return std::nullopt;
  }
  const std::size_t path_start = line.find_first_not_of(' ');
  if (path_start == std::string_view::npos || line[path_start] != '/') return std::nullopt;
  std::string_view path = line.substr(path_start);
  constexpr std::string_view deleted = " (deleted)";
  mapping.deleted = path.ends_with(deleted);
  if (mapping.deleted) path.remove_suffix(deleted.size());
  mapping.start = *start;
  mapping.end = *end;
  mapping.offset = *offset;
  // new_encode_dev's inverse is makedev(3), as stat gives it (glibc sysdeps/.../makedev.h).
  mapping.id = {(*major & 0xfffff000U) << 32 | (*major & 0xfffU) << 8 | (*minor & 0xffffff00U) << 12 | (*minor & 0xffU),
                *inode};
  mapping.executable = permissions[2] == 'x';
  mapping.path = unescape_newlines(path);
  return mapping;
}

std::string map_files_name(const Mapping& mapping) {
  std::array<char, 40> name;
  char* end = std::to_chars(name.begin(), name.end(), mapping.start, 16).ptr;
  *end++ = '-';
  end = std::to_chars(end, name.end(), mapping.end, 16).ptr;
  return {name.data(), end};
}

std::optional<ProcessStat> parse_stat(std::string_view text) {
  constexpr std::uint64_t pf_exiting = 4;  // include/linux/sched.h, PF_EXITING; set before sched_process_exit fires
  const std::size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) return std::nullopt;
  std::string_view rest = text.substr(close + 1);
  take(rest, ' ');
  std::optional<std::uint64_t> flags, start;
  constexpr int after_name = 3, flags_field = 9, start_field = 22;  // fs/proc/array.c: do_task_stat
  for (int field = after_name; field <= start_field; ++field) {
    const std::string_view value = take(rest, ' ');
    if (field == flags_field) flags = number(value, 10);
    if (field == start_field) start = number(value, 10);
  }
  if (!flags || !start) return std::nullopt;
  return ProcessStat{std::string(text.substr(open + 1, close - open - 1)), (*flags & pf_exiting) != 0, *start};
}

std::optional<pid_t> parse_inner_pid(std::string_view status) {
  constexpr std::string_view field = "NSpid:\t";
  while (!status.empty()) {
    std::string_view line = take(status, '\n');
    if (!line.starts_with(field)) continue;
    line.remove_prefix(field.size());
    // Ours first, then one for each namespace below (fs/proc/array.c, task_state()).
    if (line.find('\t') == std::string_view::npos) return std::nullopt;
    const auto innermost = number(line.substr(line.rfind('\t') + 1), 10);
    if (!innermost || *innermost > std::numeric_limits<pid_t>::max()) return std::nullopt;
    return static_cast<pid_t>(*innermost);
  }
  return std::nullopt;
}

std::string_view variable(std::string_view environment, std::string_view name) {
  while (!environment.empty()) {
    const std::string_view entry = take(environment, '\0');
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=') {
      return entry.substr(name.size() + 1);
    }
  }
  return {};
}

std::string parse_cmdline(std::string_view arguments) {
  while (arguments.ends_with('\0')) arguments.remove_suffix(1);
  std::string line(arguments);
  std::ranges::replace(line, '\0', ' ');
  std::ranges::replace_if(
      line, [](unsigned char c) { return c < ' ' || c == 0x7f; }, '?');
  return line;
}

}  // namespace asyncleak::python
