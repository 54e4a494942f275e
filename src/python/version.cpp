#include "python/version.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <set>

#include "python/table.h"

namespace asyncleak::python {
namespace {

constexpr int oldest_minor = 8;
constexpr int first_minor_with_py_version = 11;  // Include/pylifecycle.h, 3.11

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::size_t digits_at(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
}

int number(std::string_view digits) {
  int value = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return value;
}

// What may follow MAJOR.MINOR.MICRO in PY_VERSION: nothing, "+", or a pre-release such as "rc1", "a4+".
bool is_version_suffix(std::string_view text) {
  if (text.ends_with('+')) text.remove_suffix(1);
  if (text.empty()) return true;
  for (const std::string_view level : {"rc", "a", "b"}) {
    if (!text.starts_with(level)) continue;
    const std::string_view serial = text.substr(level.size());
    return !serial.empty() && digits_at(serial) == serial.size();
  }
  return false;
}

// Collects every "3.MINOR.<micro><suffix>" before a NUL that no version number runs into from the left. It may be the
// end of a longer text: linkers keep one copy of equal tails, and pyenv's prefix ends in /versions/3.9.18.
void collect_versions(std::string_view data, std::string_view prefix, std::set<std::string>& found) {
  for (std::size_t at = data.find(prefix); at != std::string_view::npos; at = data.find(prefix, at + 1)) {
    if (at > 0 && (is_digit(data[at - 1]) || data[at - 1] == '.')) continue;
    const std::string_view rest = data.substr(at + prefix.size(), 16);
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) continue;
    const std::size_t micro = digits_at(rest.substr(0, end));
    if (micro == 0 || micro > 2 || !is_version_suffix(rest.substr(micro, end - micro))) continue;
    found.insert(std::string(prefix) + std::string(rest.substr(0, end)));
  }
}

// The text of PY_VERSION (Python/getversion.c, sys.version_info): the one such literal of the image.
std::optional<std::string> version_text(const elf::Image& core, int minor) {
  const std::string prefix = "3." + std::to_string(minor) + ".";
  std::set<std::string> found;
  for (const elf::Segment& segment : core.segments()) {
    if (segment.writable) continue;
    const auto bytes = core.bytes(segment.vaddr, segment.file_size);
    collect_versions({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, prefix, found);
  }
  return found.size() == 1 ? std::optional(*found.begin()) : std::nullopt;
}

Version version_from_text(std::string text, int minor) {
  const std::string_view after = std::string_view(text).substr(text.rfind('.') + 1);
  return {3, minor, number(after.substr(0, digits_at(after))), false, std::move(text)};
}

std::optional<Version> version_from_debug_offsets(const elf::Image& core, std::uint64_t runtime) {
  const auto cookie = core.bytes(runtime, debug_cookie.size());
  if (cookie.size() != debug_cookie.size() || std::memcmp(cookie.data(), debug_cookie.data(), cookie.size()) != 0) {
    return std::nullopt;
  }
  const auto hex = core.u64(runtime + 8 * debug_version_word);
  const auto free_threaded = core.u64(runtime + 8 * debug_free_threaded_word);
  if (!hex || !free_threaded) return std::nullopt;
  return version_from_hex(static_cast<std::uint32_t>(*hex), *free_threaded != 0);
}

}  // namespace

Version version_from_hex(std::uint32_t hex, bool free_threaded) {
  Version version{static_cast<int>(hex >> 24),
                  static_cast<int>(hex >> 16 & 0xff),
                  static_cast<int>(hex >> 8 & 0xff),
                  free_threaded,
                  {}};
  version.text =
      std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.micro);
  const std::uint32_t level = hex >> 4 & 0xf;
  const std::string serial = std::to_string(hex & 0xf);
  if (level == 0xa) version.text += "a" + serial;
  if (level == 0xb) version.text += "b" + serial;
  if (level == 0xc) version.text += "rc" + serial;
  if (free_threaded) version.text += "t";
  return version;
}

std::optional<int> minor_from_name(std::string_view path) {
  std::string_view name = path.substr(path.rfind('/') + 1);
  for (const std::string_view prefix : {"python3.", "libpython3."}) {
    if (!name.starts_with(prefix)) continue;
    name.remove_prefix(prefix.size());
    const std::size_t digits = digits_at(name);
    if (digits == 0 || digits > 2) return std::nullopt;
    return number(name.substr(0, digits));
  }
  return std::nullopt;
}

Result<Version> find_version(const elf::Image& core, std::uint64_t runtime, const std::string& path) {
  if (auto version = version_from_debug_offsets(core, runtime)) return *version;
  if (const auto symbol = core.dynamic_symbol("Py_Version")) {
    if (const auto hex = core.u32(*symbol)) return version_from_hex(*hex, false);
  }
  if (const auto minor = minor_from_name(path)) {
    if (auto text = version_text(core, *minor)) return version_from_text(std::move(*text), *minor);
    return Version{3, *minor, -1, false, "3." + std::to_string(*minor)};
  }
  // "python", or a program that has the interpreter linked in: only lines before Py_Version are left.
  for (int minor = oldest_minor; minor < first_minor_with_py_version; ++minor) {
    if (auto text = version_text(core, minor)) return version_from_text(std::move(*text), minor);
  }
  return fail("which CPython this is cannot be told: no Py_Version, no debug offsets, no version in the name " + path);
}

}  // namespace asyncleak::python
