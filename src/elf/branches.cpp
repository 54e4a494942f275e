#include "elf/branches.h"

#include "elf/instruction.h"
#include "elf/reads.h"

#include <fmt/format.h>
#include <algorithm>
#include <span>

namespace asyncleak::elf {
namespace {

// An 8-bit displacement reaches this far, so only the function's own beginning matters.
constexpr std::uint64_t short_reach = 128 + 2;

std::optional<std::string> short_branch(const Image& image, const Range& function, std::uint64_t place) {
  const Decoder decoder;
  const std::uint64_t end = std::min(function.end, place + short_reach);
  for (std::uint64_t at = function.begin; at < end;) {
    const auto instruction = decoder.decode(up_to(image, at, function.end - at));
    if (!instruction) return fmt::format("undecodable instruction at {:#x}", at);
    if (instruction->short_jump) {
      const std::uint64_t target = at + static_cast<std::uint64_t>(*instruction->short_jump);
      if (target > function.begin && target <= place) return fmt::format("short branch at {:#x}", at);
    }
    at += instruction->length;
  }
  return std::nullopt;
}

// call, jmp and jcc with a 32-bit displacement that ends where OPERAND begins.
bool follows_near_opcode(std::span<const std::byte> code, std::size_t operand) {
  const auto before = [&](std::size_t back) {
    return operand < back ? 0U : std::to_integer<unsigned>(code[operand - back]);
  };
  const unsigned opcode = before(1);
  return opcode == 0xe8 || opcode == 0xe9 || (before(2) == 0x0f && opcode >= 0x80 && opcode <= 0x8f);
}

std::optional<std::uint64_t> near_branch(std::span<const std::byte> code, std::uint64_t vaddr, const Range& targets) {
  // The displacement is tried first at every byte: one in 2^32 / size random words passes, so
  // that this loop, over megabytes of code, is one load and one comparison.
  const std::uint64_t size = targets.end - targets.begin;
  for (std::size_t operand = 1; operand + sizeof(std::int32_t) <= code.size(); ++operand) {
    std::int32_t displacement;
    std::memcpy(&displacement, code.data() + operand, sizeof(displacement));
    const std::uint64_t target =
        vaddr + operand + sizeof(displacement) + static_cast<std::uint64_t>(std::int64_t{displacement});
    if (target - targets.begin < size && follows_near_opcode(code, operand)) return vaddr + operand - 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> branch_into(const Image& image, const Range& function, std::uint64_t place) {
  if (place == function.begin) return std::nullopt;
  if (auto found = short_branch(image, function, place)) return found;
  const Range targets{function.begin + 1, place + 1};
  for (const Segment& segment : image.segments()) {
    if (!segment.executable) continue;
    const auto code = image.file().subspan(segment.file_offset, segment.file_size);
    if (const auto at = near_branch(code, segment.vaddr, targets)) return fmt::format("near branch at {:#x}", *at);
  }
  return std::nullopt;
}

}  // namespace asyncleak::elf
