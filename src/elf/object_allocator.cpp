#include "elf/object_allocator.h"

#include "elf/instruction.h"
#include "elf/reads.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>

namespace asyncleak::elf {
namespace {

// The functions of a PyMemAllocatorEx {ctx, malloc, calloc, realloc, free} whose ctx is NULL, as pymalloc's is.
using Functions = std::array<std::uint64_t, 4>;

struct Tables {
  Functions raw, mem, obj;
  std::uint64_t vaddr;
};

std::optional<Functions> functions_at(const Image& image, std::uint64_t table) {
  if (image.pointer(table) != std::uint64_t{0}) return std::nullopt;
  Functions functions{};
  for (std::uint64_t i = 0; i < functions.size(); ++i) {
    const auto function = image.pointer(table + 8 * (i + 1));
    if (!function || !image.is_executable(*function)) return std::nullopt;
    functions[i] = *function;
  }
  return functions;
}

// What the debug hooks wrap, whether or not they are installed: three {char api_id; PyMemAllocatorEx alloc} in a row
// with the ids 'r', 'm' and 'o'. A static of Objects/obmalloc.c up to 3.11, a part of _PyRuntime from 3.12 on
// (Include/internal/pycore_pymem.h). Unlike the tables in use, which look like any others, they name themselves, and
// debug builds have the allocator itself in them too.
std::optional<Tables> tables_at(const Image& image, std::uint64_t vaddr) {
  constexpr std::uint64_t entry_bytes = 48;
  constexpr std::uint64_t alloc = 8;
  if (image.u64(vaddr + entry_bytes) != std::uint64_t{'m'}) return std::nullopt;
  if (image.u64(vaddr + 2 * entry_bytes) != std::uint64_t{'o'}) return std::nullopt;
  const auto raw = functions_at(image, vaddr + alloc);
  const auto mem = functions_at(image, vaddr + entry_bytes + alloc);
  const auto obj = functions_at(image, vaddr + 2 * entry_bytes + alloc);
  if (!raw || !mem || !obj) return std::nullopt;
  return Tables{*raw, *mem, *obj, vaddr};
}

// Libraries of 3.12+ have them twice: in _PyRuntime and in what it is reset from.
Result<Tables> find_tables(const Image& image) {
  std::optional<Tables> found;
  for (const Segment& segment : image.segments()) {
    if (!segment.writable) continue;
    const auto bytes = image.file().subspan(segment.file_offset, segment.file_size);
    for (std::uint64_t at = -segment.vaddr % 8; at + 8 <= bytes.size(); at += 8) {
      if (read_at<std::uint64_t>(bytes, at) != std::uint64_t{'r'}) continue;
      const auto tables = tables_at(image, segment.vaddr + at);
      if (!tables) continue;
      if (found && found->obj != tables->obj) {
        return fail(fmt::format("two different tables of Python's allocators: at {:#x} and at {:#x}", found->vaddr,
                                tables->vaddr));
      }
      found = tables;
    }
  }
  if (!found) return fail("no table of Python's allocators in this file");
  return *found;
}

// Counts what gcc makes of an indirect call whose usual target the profile knew: a comparison of the pointer with the
// address of that function, the function's body behind one way of the branch, the call through the pointer behind the
// other. The comparison has the address in itself (cmp r64, imm32: fixed-address executables only) or follows soon
// behind the instruction that makes it (lea, mov imm32). Without the call it is Python's own question which
// allocator is in use (_PyMem_PymallocEnabled(), Objects/obmalloc.c).
class InlinedCopies {
 public:
  InlinedCopies(const Image& image, std::array<std::uint64_t, 2> functions) : image_(image), functions_(functions) {}

  [[nodiscard]] std::uint32_t count() const {
    std::uint32_t found = 0;
    for (const Segment& segment : image_.segments()) {
      if (!segment.executable) continue;
      const auto code = image_.file().subspan(segment.file_offset, segment.file_size);
      // Tried at every byte, as in branches.cpp: so little passes that the rest need not be fast.
      for (std::size_t operand = opcode_bytes; operand + operand_bytes <= code.size(); ++operand) {
        std::int32_t value;
        std::memcpy(&value, code.data() + operand, sizeof(value));
        const auto wide = static_cast<std::uint64_t>(std::int64_t{value});
        const std::uint64_t end = segment.vaddr + operand + operand_bytes;
        if (!is_function(wide) && !is_function(end + wide)) continue;
        const auto branch = branch_behind(code.subspan(operand - opcode_bytes), end, is_function(end + wide));
        if (branch && (calls_pointer(branch->not_taken) || calls_pointer(branch->taken))) ++found;
      }
    }
    return found;
  }

 private:
  struct Branch {
    std::uint64_t not_taken, taken;
  };

  static constexpr std::size_t opcode_bytes = 3;
  static constexpr std::size_t operand_bytes = 4;
  static constexpr int most_between = 8;   // instructions; Debian's builds have at most two
  static constexpr int most_to_call = 24;  // to set up the arguments; followed through direct jumps

  [[nodiscard]] bool is_function(std::uint64_t address) const {
    return address == functions_[0] || address == functions_[1];
  }
  [[nodiscard]] std::span<const std::byte> at(std::uint64_t vaddr) const {
    constexpr std::uint64_t longest_instruction = 15;
    return up_to(image_, vaddr, longest_instruction);
  }
  [[nodiscard]] static unsigned byte(std::span<const std::byte> code, std::size_t index) {
    return index < code.size() ? std::to_integer<unsigned>(code[index]) : 0;
  }

  // CODE begins opcode_bytes before the operand that is the address, or leads to it from END, the operand's end.
  [[nodiscard]] std::optional<Branch> branch_behind(std::span<const std::byte> code, std::uint64_t end,
                                                    bool relative) const {
    const unsigned first = byte(code, 0);
    const unsigned second = byte(code, 1);
    const unsigned third = byte(code, 2);
    if (relative) {
      // lea r64, [rip + disp32]: 48 or 4c, 8d, mod 00 and rm 101
      const bool lea = (first & 0xfb) == 0x48 && second == 0x8d && (third & 0xc7) == 0x05;
      return lea ? branch_on(static_cast<std::uint16_t>(1U << ((third >> 3 & 7) | (first & 4) << 1)), end)
                 : std::nullopt;
    }
    if (image_.position_independent()) return std::nullopt;
    // cmp rax, imm32: 48 3d; cmp r64, imm32: 48 or 49, 81, f8 + r
    const bool compares =
        (second == 0x48 && third == 0x3d) || ((first & 0xfe) == 0x48 && second == 0x81 && third >= 0xf8);
    if (compares) return branch_at(end);
    // mov r32, imm32: b8 + r, 41 in front for the upper eight
    const bool mov = (third & 0xf8) == 0xb8;
    return mov ? branch_on(static_cast<std::uint16_t>(1U << ((third & 7) | (second == 0x41 ? 8 : 0))), end)
               : std::nullopt;
  }

  // The branch on a comparison of 64 bits with the register HOLDER: 48 to 4f, then 39 or 3b.
  [[nodiscard]] std::optional<Branch> branch_on(std::uint16_t holder, std::uint64_t vaddr) const {
    for (int i = 0; i < most_between; ++i) {
      const auto code = at(vaddr);
      const auto instruction = decoder_.decode(code);
      if (!instruction || instruction->control_flow) return std::nullopt;
      vaddr += instruction->length;
      const unsigned rex = byte(code, 0);
      const unsigned operands = byte(code, 2);
      const bool compares = (rex & 0xf8) == 0x48 && (byte(code, 1) == 0x39 || byte(code, 1) == 0x3b);
      const unsigned reg = (operands >> 3 & 7) | (rex & 4) << 1;
      const unsigned other = (operands & 7) | (rex & 1) << 3;
      const bool in_other = operands >= 0xc0 && (holder >> other & 1) != 0;
      if (compares && ((holder >> reg & 1) != 0 || in_other)) return branch_at(vaddr);
      if ((instruction->written & holder) != 0) return std::nullopt;
    }
    return std::nullopt;
  }

  // The first branch from VADDR on, which must be a conditional one; moves may come before it.
  [[nodiscard]] std::optional<Branch> branch_at(std::uint64_t vaddr) const {
    for (int i = 0; i < most_between; ++i) {
      const auto instruction = decoder_.decode(at(vaddr));
      if (!instruction) return std::nullopt;
      const std::uint64_t next = vaddr + instruction->length;
      if (instruction->flow == Flow::branch && instruction->target) {
        return Branch{next, vaddr + static_cast<std::uint64_t>(*instruction->target)};
      }
      if (instruction->flow != Flow::next) return std::nullopt;
      vaddr = next;
    }
    return std::nullopt;
  }

  // Whether the first call or return from VADDR on is a call through a pointer, or a jump that serves as one.
  [[nodiscard]] bool calls_pointer(std::uint64_t vaddr) const {
    for (int i = 0; i < most_to_call; ++i) {
      const auto instruction = decoder_.decode(at(vaddr));
      if (!instruction) return false;
      const bool leaves = instruction->flow == Flow::call || instruction->flow == Flow::jump;
      if (leaves && !instruction->target) return true;
      if (instruction->flow == Flow::next) {
        vaddr += instruction->length;
      } else if (instruction->flow == Flow::jump) {
        vaddr += static_cast<std::uint64_t>(*instruction->target);
      } else {
        return false;
      }
    }
    return false;
  }

  const Image& image_;
  std::array<std::uint64_t, 2> functions_;
  Decoder decoder_;
};

Result<Placement> place(const Image& image, std::string_view name, std::uint64_t function,
                        std::initializer_list<Register> wanted) {
  auto placement = place_probe(image, function, std::span(wanted.begin(), wanted.size()));
  if (!placement) return fail(within(name, placement.error()));
  return placement;
}

}  // namespace

Result<ObjectAllocator> find_object_allocator(const Image& core) {
  const auto tables = find_tables(core);
  if (!tables) return fail(tables.error());
  const auto [malloc_at, calloc_at, realloc_at, free_at] = tables->obj;
  // pymalloc serves the domains mem and obj with the same functions, mimalloc (3.13+, free-threaded builds) with two
  // sets: objects have a heap of their own. A build --without-pymalloc has malloc's wrappers in all three.
  if (tables->obj == tables->raw) {
    return fail("built without pymalloc: small blocks are the C library's, which the mode malloc counts");
  }
  if (tables->obj != tables->mem) {
    return fail(
        "small blocks are mimalloc's in this build (free-threaded Python), not pymalloc's: they are not probed");
  }
  auto malloc = place(core, "_PyObject_Malloc", malloc_at, {Register::rsi});
  if (!malloc) return fail(malloc.error());
  auto calloc = place(core, "_PyObject_Calloc", calloc_at, {Register::rsi, Register::rdx});
  if (!calloc) return fail(calloc.error());
  auto realloc = place(core, "_PyObject_Realloc", realloc_at, {Register::rsi, Register::rdx});
  if (!realloc) return fail(realloc.error());
  auto free = place(core, "_PyObject_Free", free_at, {Register::rsi});
  if (!free) return fail(free.error());
  const std::uint32_t copies = InlinedCopies(core, {malloc_at, free_at}).count();
  return ObjectAllocator{std::move(*malloc), std::move(*calloc), std::move(*realloc), std::move(*free), copies};
}

}  // namespace asyncleak::elf
