#include "elf/placement.h"

#include "elf/branches.h"
#include "elf/instruction.h"
#include "elf/reads.h"

#include <fmt/format.h>
#include <algorithm>
#include <bit>
#include <optional>
#include <utility>

namespace asyncleak::elf {
namespace {

// A prologue is a few dozen bytes; the farthest place seen on any CPython is at +0x5f.
constexpr std::uint64_t search_window = 256;

// For each wanted argument, the registers that hold it.
class Aliases {
 public:
  explicit Aliases(std::span<const Register> wanted) {
    for (const Register reg : wanted) holders_.push_back(mask_of(reg));
  }
  [[nodiscard]] bool all_alive() const { return std::find(holders_.begin(), holders_.end(), 0) == holders_.end(); }
  void step(const Instruction& instruction) {
    for (std::uint16_t& holders : holders_) {
      const bool copied = instruction.copied && (holders & mask_of(instruction.copied->from)) != 0;
      holders = static_cast<std::uint16_t>(holders & ~instruction.written);
      if (copied) holders = static_cast<std::uint16_t>(holders | mask_of(instruction.copied->to));
    }
  }
  [[nodiscard]] bool holds(std::size_t argument, Register reg) const {
    return (holders_[argument] & mask_of(reg)) != 0;
  }
  // The register an argument arrived in when it still holds it, else the lowest alias.
  [[nodiscard]] std::vector<Register> locations(std::span<const Register> wanted) const {
    std::vector<Register> found;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const bool in_place = (holders_[i] & mask_of(wanted[i])) != 0;
      found.push_back(in_place ? wanted[i] : static_cast<Register>(std::countr_zero(holders_[i])));
    }
    return found;
  }

 private:
  std::vector<std::uint16_t> holders_;
};

struct Place {
  std::uint64_t vaddr;
  std::vector<Register> arguments;
};

// A point on the way through a function, and where the arguments are there.
struct Progress {
  std::uint64_t at;
  Aliases aliases;
};

// The first emulated instruction from there on that every call passes with all arguments at hand, or why there is none.
tl::expected<Place, std::string> search(const Image& image, const Range& function, std::span<const Register> wanted,
                                        const Progress& from) {
  const Decoder decoder;
  auto [at, aliases] = from;
  const std::uint64_t end = std::min(function.end, function.begin + search_window);
  while (at < end) {
    const auto instruction = decoder.decode(up_to(image, at, end - at));
    if (!instruction) return tl::unexpected(fmt::format("undecodable instruction at +{:#x}", at - function.begin));
    if (instruction->emulated && aliases.all_alive()) return Place{at, aliases.locations(wanted)};
    // Behind a branch not every call would pass.
    if (instruction->control_flow) {
      return tl::unexpected(fmt::format("{} at +{:#x} comes before any emulated instruction{}",
                                        decoder.text(up_to(image, at, end - at), at), at - function.begin,
                                        aliases.all_alive() ? "" : " with the arguments alive"));
    }
    aliases.step(*instruction);
    at += instruction->length;
  }
  return tl::unexpected(fmt::format("no emulated instruction in the first {} bytes", end - function.begin));
}

// Whether what is there takes the stack frame down and returns, and nothing else.
bool only_returns(const Image& image, std::uint64_t at) {
  constexpr int longest = 8;  // six registers to restore, one addition, ret
  const Decoder decoder;
  for (int i = 0; i < longest; ++i) {
    const auto instruction = decoder.decode(up_to(image, at, 16));
    if (!instruction) return false;
    if (instruction->flow == Flow::returns) return true;
    const bool moves_stack_pointer = (instruction->written & mask_of(Register::rsp)) != 0;
    if (instruction->flow != Flow::next || !moves_stack_pointer) return false;
    at += instruction->length;
  }
  return false;
}

// Behind the first branch of the function, when that sends NULL home: test, je to where it only returns.
std::optional<Progress> past_null_check(const Image& image, const Range& function, Register pointer) {
  const Decoder decoder;
  Progress progress{function.begin, Aliases({&pointer, 1})};
  auto& [at, aliases] = progress;
  const std::uint64_t end = std::min(function.end, function.begin + search_window);
  for (bool tested = false; at < end;) {
    const auto instruction = decoder.decode(up_to(image, at, end - at));
    if (!instruction) return std::nullopt;
    if (instruction->control_flow) {
      const bool sends_null = tested && instruction->jumps_if_zero.value_or(false) && instruction->target;
      if (!sends_null || !only_returns(image, at + static_cast<std::uint64_t>(*instruction->target))) return {};
      at += instruction->length;
      return progress;
    }
    tested = instruction->tested && aliases.holds(0, *instruction->tested);
    aliases.step(*instruction);
    at += instruction->length;
  }
  return std::nullopt;
}

std::array<std::byte, 16> bytes_at(const Image& image, std::uint64_t vaddr) {
  std::array<std::byte, 16> bytes{};
  const auto there = up_to(image, vaddr, bytes.size());
  std::copy(there.begin(), there.end(), bytes.begin());
  return bytes;
}

Placement placement_of(const Image& image, std::uint64_t entry, const Place& place) {
  const auto code = up_to(image, place.vaddr, 16);
  const Decoder decoder;
  return Placement{place.vaddr,
                   image.file_offset(place.vaddr).value_or(0),
                   static_cast<std::uint32_t>(place.vaddr - entry),
                   true,
                   decoder.text(code, place.vaddr),
                   {},
                   place.arguments,
                   bytes_at(image, place.vaddr)};
}

Result<Range> bounds_of(const Image& image, std::uint64_t entry) {
  const auto function = image.function_at(entry);
  if (!function) return fail(fmt::format("no function at {:#x} by .eh_frame_hdr", entry));
  if (function->begin != entry) {
    return fail(fmt::format("{:#x} is inside the function at {:#x}, not its entry", entry, function->begin));
  }
  if (!image.is_executable(entry) || !image.file_offset(entry)) return fail(fmt::format("no code at {:#x}", entry));
  return *function;
}

}  // namespace

std::uint16_t pt_regs_offset(Register reg) {
  // struct pt_regs, arch/x86/include/asm/ptrace.h: r15 r14 r13 r12 bp bx r11 r10 r9 r8 ax cx dx
  // si di orig_ax ip cs flags sp ss, 8 bytes each; indexed here by Register.
  constexpr std::array<std::uint16_t, 16> words = {10, 11, 12, 5, 19, 4, 13, 14, 9, 8, 7, 6, 3, 2, 1, 0};
  return static_cast<std::uint16_t>(8 * words[static_cast<std::size_t>(reg)]);
}

Result<Placement> place_probe(const Image& image, std::uint64_t entry, std::span<const Register> wanted) {
  const auto function = bounds_of(image, entry);
  if (!function) return fail(function.error());
  auto place = search(image, *function, wanted, {entry, Aliases(wanted)});
  if (place) {
    const auto branch = branch_into(image, *function, place->vaddr);
    if (!branch) return placement_of(image, entry, *place);
    place = tl::unexpected(fmt::format("+{:#x} may be reached again: {}", place->vaddr - entry, *branch));
  }
  Placement slow = placement_of(image, entry, {entry, {wanted.begin(), wanted.end()}});
  slow.emulated = false;
  slow.reason = place.error();
  return slow;
}

Result<Placement> place_behind_null_check(const Image& image, std::uint64_t entry, Register pointer) {
  const auto function = bounds_of(image, entry);
  if (!function) return fail(function.error());
  const std::array wanted{pointer};
  if (const auto behind = past_null_check(image, *function, pointer)) {
    const auto place = search(image, *function, wanted, *behind);
    if (place && !branch_into(image, *function, place->vaddr)) return placement_of(image, entry, *place);
  }
  return place_probe(image, entry, wanted);
}

Result<Placement> place_at(const Image& image, std::uint64_t vaddr) {
  const auto function = image.function_at(vaddr);
  if (!function) return fail(fmt::format("no function at {:#x} by .eh_frame_hdr", vaddr));
  const auto bounds = bounds_of(image, function->begin);  // in a damaged file functions may overlap
  if (!bounds) return fail(bounds.error());
  if (!bounds->contains(vaddr)) return fail(fmt::format("{:#x} is in two functions", vaddr));
  Placement placement = placement_of(image, function->begin, {vaddr, {}});
  const auto instruction = Decoder().decode(up_to(image, vaddr, function->end - vaddr));
  placement.emulated = instruction && instruction->emulated;
  if (!placement.emulated) placement.reason = "this instruction was asked for";
  return placement;
}

Result<void> verify_placement(const Image& image, const Placement& placement) {
  const std::uint64_t entry = placement.vaddr - placement.distance;
  const auto function = bounds_of(image, entry);
  if (!function) return fail(function.error());
  if (!function->contains(placement.vaddr) || image.file_offset(placement.vaddr) != placement.file_offset) {
    return fail(fmt::format("{:#x} is not in the function at {:#x}", placement.vaddr, entry));
  }
  if (bytes_at(image, placement.vaddr) != placement.bytes) {
    return fail(fmt::format("the code at {:#x} is not what it was", placement.vaddr));
  }
  return {};
}

}  // namespace asyncleak::elf
