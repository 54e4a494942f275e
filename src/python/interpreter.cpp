#include "python/interpreter.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "python/table.h"
#include "python/version.h"

namespace asyncleak::python {
namespace {

constexpr std::string_view how_to_add = "use a newer asyncleak-top, or add the line's row: docs/adding-a-python.md";

Error refuse(std::string message, std::string_view advice) {
  return Error{std::move(message), std::string(advice), ErrorKind::unobservable};
}

Result<std::uint64_t> exported(const elf::Image& core, std::string_view symbol) {
  if (const auto address = core.dynamic_symbol(symbol)) return *address;
  return fail(refuse("exports no " + std::string(symbol) + ": not CPython 3.8 or later", {}));
}

struct CheckedType {
  std::string_view symbol;
  std::uint32_t BasicSizes::*expected;
};
constexpr std::array checked_types = {
    CheckedType{"PyCode_Type", &BasicSizes::code}, CheckedType{"PyCoro_Type", &BasicSizes::coro},
    CheckedType{"PyTuple_Type", &BasicSizes::tuple}, CheckedType{"PyUnicode_Type", &BasicSizes::unicode},
    CheckedType{"PyFrame_Type", &BasicSizes::frame}};

// Static types are initialised data, so the file itself says how large their objects are.
Result<void> check_fingerprint(const elf::Image& core, const Version& version, const LayoutRow& row) {
  const std::uint64_t basicsize = row.layout.type_name + 8;  // the field after tp_name (cpython/object.h)
  for (const CheckedType& type : checked_types) {
    const auto address = exported(core, type.symbol);
    if (!address) return fail(address.error());
    const auto size = core.u64(*address + basicsize);
    const std::uint32_t expected = row.sizes.*type.expected;
    if (size && *size == expected) continue;
    return fail(refuse("CPython " + version.text + " does not match row " + row_name(row) + ": tp_basicsize of " +
                           std::string(type.symbol) + " is " + (size ? std::to_string(*size) : "unreadable") +
                           ", the row says " + std::to_string(expected),
                       "a debug or patched build? Add its row: docs/adding-a-python.md"));
  }
  return {};
}

// Where _PyThreadState_UncheckedGet loads the current thread from; nullopt when it is compiled
// to anything but `mov rax, [address]; ret` (libpython goes through its GOT).
std::optional<std::uint64_t> decode_tstate_address(const elf::Image& core) {
  const auto entry = core.dynamic_symbol("_PyThreadState_UncheckedGet");
  if (!entry) return std::nullopt;
  constexpr std::array endbr64 = {std::byte{0xf3}, std::byte{0x0f}, std::byte{0x1e}, std::byte{0xfa}};
  std::uint64_t at = *entry;
  if (std::ranges::equal(core.bytes(at, endbr64.size()), endbr64)) at += endbr64.size();
  const auto decode = [&](std::span<const std::uint8_t> opcode) -> std::optional<std::int32_t> {
    const std::size_t length = opcode.size() + sizeof(std::int32_t) + 1;
    const auto code = core.bytes(at, length);
    if (code.size() != length || std::memcmp(code.data(), opcode.data(), opcode.size()) != 0) return std::nullopt;
    if (code.back() != std::byte{0xc3}) return std::nullopt;
    std::int32_t operand = 0;
    std::memcpy(&operand, code.data() + opcode.size(), sizeof operand);
    return operand;
  };
  constexpr std::array<std::uint8_t, 3> mov_rip_relative = {0x48, 0x8b, 0x05};
  constexpr std::array<std::uint8_t, 4> mov_absolute = {0x48, 0x8b, 0x04, 0x25};
  if (const auto displacement = decode(mov_rip_relative)) {
    return at + mov_rip_relative.size() + sizeof(std::int32_t) + static_cast<std::uint64_t>(*displacement);
  }
  if (const auto address = decode(mov_absolute)) return static_cast<std::uint64_t>(*address);
  return std::nullopt;
}

Result<void> check_tstate_address(const elf::Image& core, std::uint64_t runtime, const LayoutRow& row) {
  if ((row.layout.flags & AL_TSTATE_GLOBAL) == 0) return {};
  const auto decoded = decode_tstate_address(core);
  if (!decoded || *decoded == runtime + row.layout.runtime_tstate_current) return {};
  return fail(refuse("_PyThreadState_UncheckedGet reads _PyRuntime + " + std::to_string(*decoded - runtime) + ", row " +
                         row_name(row) + " says " + std::to_string(row.layout.runtime_tstate_current),
                     "a patched build? Add its row: docs/adding-a-python.md"));
}

// The words of _Py_DebugOffsets; empty where the image has none.
std::vector<std::uint64_t> read_debug_offsets(const elf::Image& core, std::uint64_t runtime, int minor) {
  const std::size_t count = std::max(debug_word_count(minor), object_debug_word_count(minor));
  const auto bytes = core.bytes(runtime, count * sizeof(std::uint64_t));
  if (bytes.empty() || std::memcmp(bytes.data(), debug_cookie.data(), debug_cookie.size()) != 0) return {};
  std::vector<std::uint64_t> words(count);
  std::memcpy(words.data(), bytes.data(), bytes.size());
  return words;
}

// The row, with what the interpreter says of itself preferred; its differences are appended to TEXT.
Result<ObjectLayout> objects_of(const Version& version, std::span<const std::uint64_t> words, std::string& text) {
  const ObjectLayoutRow* row = find_object_row(version.minor, version.free_threaded);
  if (row == nullptr) return fail(unknown_objects());
  if (words.empty()) return row->layout;
  const auto comparison = apply_object_debug_offsets(*row, words);
  if (!comparison) return fail(unknown_objects(comparison.error().message));
  for (const std::string& difference : comparison->differences) text += "; " + difference;
  return comparison->layout;
}

std::string describe(const LayoutRow& row, const DebugComparison& comparison) {
  std::string text = "debug offsets; " + std::to_string(comparison.equal) + " fields equal to row " + row_name(row);
  for (const std::string& difference : comparison.differences) text += "; " + difference;
  return text;
}

Result<void> fill_symbols(const elf::Image& core, al_layout& layout) {
  struct Wanted {
    std::string_view symbol;
    __u64 al_layout::*member;
  };
  constexpr std::array wanted = {
      Wanted{"_PyRuntime", &al_layout::runtime}, Wanted{"PyTuple_Type", &al_layout::tuple_type},
      Wanted{"PyCode_Type", &al_layout::code_type}, Wanted{"PyCoro_Type", &al_layout::coro_type},
      Wanted{"PyGen_Type", &al_layout::gen_type}};
  for (const Wanted& each : wanted) {
    const auto address = exported(core, each.symbol);
    if (!address) return fail(address.error());
    layout.*each.member = *address;
  }
  layout.position_independent = core.position_independent() ? 1 : 0;
  return {};
}

}  // namespace

std::string_view name_of(LayoutSource source) {
  return source == LayoutSource::debug_offsets ? "debug offsets" : "table";
}

Result<Interpreter> identify(const elf::Image& core, const std::string& path) {
  const auto runtime = exported(core, "_PyRuntime");
  if (!runtime) return fail(within(path, runtime.error()));
  auto version = find_version(core, *runtime, path);
  if (!version) return fail(refuse(version.error().message, how_to_add));
  const LayoutRow* row = version->major == 3 ? find_row(version->minor, version->free_threaded) : nullptr;
  if (row == nullptr) {
    const bool too_old = version->major == 3 && version->minor < layout_rows().front().minor;
    return fail(refuse(path + ": CPython " + version->text + " is not known (known: " + supported_versions() + ")",
                       too_old ? "this line is older than anything supported" : how_to_add));
  }
  if (auto fits = check_fingerprint(core, *version, *row); !fits) return fail(within(path, fits.error()));
  if (auto fits = check_tstate_address(core, *runtime, *row); !fits) return fail(within(path, fits.error()));

  Interpreter interpreter{std::move(*version), row->layout, LayoutSource::table, "row " + row_name(*row)};
  const auto words = read_debug_offsets(core, *runtime, row->minor);
  if (!words.empty()) {
    auto comparison = apply_debug_offsets(*row, words);
    if (!comparison) return fail(within(path, refuse(comparison.error().message, how_to_add)));
    interpreter.layout = comparison->layout;
    interpreter.source = LayoutSource::debug_offsets;
    interpreter.row = describe(*row, *comparison);
  }
  interpreter.objects = objects_of(interpreter.version, words, interpreter.row);
  if (auto filled = fill_symbols(core, interpreter.layout); !filled) return fail(within(path, filled.error()));
  return interpreter;
}

}  // namespace asyncleak::python
