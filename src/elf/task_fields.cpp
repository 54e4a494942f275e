#include "elf/task_fields.h"

#include "elf/instruction.h"
#include "elf/reads.h"
#include "elf/symbols.h"
#include "elf/type_slots.h"

#include <algorithm>
#include <array>

namespace asyncleak::elf {
namespace {

constexpr std::uint64_t most_entries = 128;    // of a method or getset table
constexpr std::uint64_t longest_getter = 512;  // bytes; its beginning is enough
constexpr int most_instructions = 96;
constexpr std::int64_t largest_offset = 4096;
constexpr std::uint64_t method_bytes = 32;  // PyMethodDef: name, function, flags, doc
constexpr std::uint64_t getset_bytes = 40;  // PyGetSetDef: name, get, set, doc, closure

// Entry NAME of a table whose entries begin with a name and a function.
std::optional<std::uint64_t> function_named(const Image& image, std::uint64_t table, std::uint64_t entry_bytes,
                                            std::string_view name) {
  for (std::uint64_t i = 0; table != 0 && i < most_entries; ++i) {
    const std::uint64_t entry = table + i * entry_bytes;
    const auto text = image.pointer(entry);
    if (!text || *text == 0) return std::nullopt;
    if (image.c_string(*text) != name) continue;
    const auto function = image.pointer(entry + sizeof(std::uint64_t));
    return function && image.is_executable(*function) ? function : std::nullopt;
  }
  return std::nullopt;
}

enum class Flow { next, call, jump, end };

Flow flow_of(const Instruction& instruction, std::span<const std::byte> code) {
  if (!instruction.control_flow) return Flow::next;
  const auto byte = [&](std::size_t i) { return i < code.size() ? std::to_integer<unsigned>(code[i]) : 0U; };
  const bool jcc8 = byte(0) >= 0x70 && byte(0) <= 0x7f;
  const bool jcc32 = byte(0) == 0x0f && byte(1) >= 0x80 && byte(1) <= 0x8f;
  if (jcc8 || jcc32) return Flow::next;  // the way where the object is alive falls through
  if (byte(0) == 0xe8 || (byte(0) == 0xff && (byte(1) >> 3 & 7) == 2)) return Flow::call;
  return instruction.short_jump ? Flow::jump : Flow::end;
}

struct Wanted {
  std::uint8_t bytes;
  std::int64_t above;  // offsets up to this one are not what is asked for
};

// Offset of the first value of that size that the function reads from its first argument.
std::optional<std::uint16_t> first_read(const Image& image, std::uint64_t function, const Wanted& wanted) {
  constexpr std::uint16_t kept_over_calls = mask_of(Register::rbx) | mask_of(Register::rbp) | mask_of(Register::r12) |
                                            mask_of(Register::r13) | mask_of(Register::r14) | mask_of(Register::r15);
  const Decoder decoder;
  std::uint16_t self = mask_of(Register::rdi);
  std::uint64_t at = function;
  for (int i = 0; i < most_instructions && at - function < longest_getter; ++i) {
    const auto code = up_to(image, at, function + longest_getter - at);
    const auto instruction = decoder.decode(code);
    if (!instruction) return std::nullopt;
    const auto& read = instruction->read;
    if (read && (self & mask_of(read->base)) != 0 && read->bytes == wanted.bytes && read->displacement > wanted.above &&
        read->displacement < largest_offset) {
      return static_cast<std::uint16_t>(read->displacement);
    }
    const auto& copied = instruction->copied;
    const bool aliases = copied && (self & mask_of(copied->from)) != 0;
    self = static_cast<std::uint16_t>(self & ~instruction->written);
    if (aliases) self = static_cast<std::uint16_t>(self | mask_of(copied->to));
    const Flow flow = flow_of(*instruction, code);
    if (flow == Flow::end) return std::nullopt;
    if (flow == Flow::call) self = static_cast<std::uint16_t>(self & kept_over_calls);
    at += flow == Flow::jump ? static_cast<std::uint64_t>(*instruction->short_jump) : instruction->length;
  }
  return std::nullopt;
}

std::optional<AsyncioDebug> described_by(const Image& image) {
  // Words of the structure: task {size, name, awaited_by, is_task, awaited_by_is_set, coro, node}, interpreter
  // {size, tasks_head}, thread {size, running_loop, running_task, tasks_head}.
  constexpr std::size_t words = 13;
  const auto section = section_content(image, ".AsyncioDebug", words * sizeof(std::uint64_t));
  if (section.size() != words * sizeof(std::uint64_t)) return std::nullopt;
  bool plausible = true;
  const auto word = [&](std::size_t index) {
    const std::uint64_t value = *read_at<std::uint64_t>(section, index * sizeof(std::uint64_t));
    plausible = plausible && value > 0 && value < static_cast<std::uint64_t>(largest_offset);
    return static_cast<std::uint16_t>(value);
  };
  const AsyncioDebug described{word(0), word(1), word(2), word(5), word(10), word(11)};
  return plausible ? std::optional(described) : std::nullopt;
}

}  // namespace

TaskFields find_task_fields(const Image& image) {
  constexpr std::uint8_t pointer = 8;
  constexpr std::uint8_t integer = 4;
  TaskFields fields;
  fields.described = described_by(image);
  const auto future = find_type(image, "_asyncio.Future");
  if (future) fields.future_basicsize = future->basicsize;
  const auto task = find_type(image, "_asyncio.Task");
  if (!task) return fields;
  fields.task_basicsize = task->basicsize;
  const auto getter = [&](std::string_view name, const Wanted& wanted) -> std::optional<std::uint16_t> {
    auto function = function_named(image, task->getset, getset_bytes, name);
    // 3.14 and later: what a Task has in common with a Future is in the Future's table alone.
    if (!function && future) function = function_named(image, future->getset, getset_bytes, name);
    return function ? first_read(image, *function, wanted) : std::nullopt;
  };
  // The loop is the first field after the object's head (16 bytes, 32 in free-threaded builds, whose type is at
  // 24). The other getters look at it before they look at their own field: is this object initialised?
  const auto loop = getter("_loop", {pointer, 15});
  if (!loop || *loop % 16 != 0) return fields;
  fields.loop = loop;
  fields.state = getter("_state", {integer, *loop});
  fields.fut_waiter = getter("_fut_waiter", {pointer, *loop});
  fields.coro = getter("_coro", {pointer, *loop});
  if (const auto get_name = function_named(image, task->methods, method_bytes, "get_name")) {
    fields.name = first_read(image, *get_name, {pointer, *loop});
  }
  return fields;
}

}  // namespace asyncleak::elf
