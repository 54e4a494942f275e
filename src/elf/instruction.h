// One x86-64 instruction as the placement sees it: emulated by uprobes or not, which
// registers it writes, whether it copies one register into another, what it reads from memory.
//
// Used by placement.cpp, branches.cpp, task_fields.cpp and flow_graph.cpp; the only user of zydis is instruction.cpp.
#pragma once

#include "elf/placement.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace asyncleak::elf {

[[nodiscard]] constexpr std::uint16_t mask_of(Register reg) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(reg));
}

struct RegisterCopy {
  Register from, to;
};

struct MemoryRead {
  Register base;  // and nothing else: no index, no segment
  std::int64_t displacement;
  std::uint8_t bytes;
};

enum class Flow : std::uint8_t {
  next,     // only to what follows
  kernel,   // syscall: the same, and rax, rcx and r11 are written
  jump,     // to `target`, or to a computed address
  branch,   // to `target` or to what follows
  call,     // of `target`, or of a computed address
  returns,  // near ret
  stops,    // ud2, hlt
  unknown,
};

struct Instruction {
  std::uint8_t length;
  bool emulated;                           // by every kernel from 5.15 on
  bool control_flow;                       // what follows is not always executed
  std::uint16_t written;                   // mask_of the general registers it writes, in whole or in part
  std::optional<RegisterCopy> copied;      // mov r64, r64
  std::optional<MemoryRead> read;          // the value at a register plus a constant
  std::optional<std::int64_t> short_jump;  // of a branch with an 8-bit displacement: target - own address
  Flow flow;
  std::optional<std::int64_t> target;   // of a direct jump, branch or call: target - own address
  std::optional<Register> tested;       // test r64, r64 of one register
  std::optional<Register> part_tested;  // the same of any width
  std::optional<Register> zeroed;       // xor r, r; mov r, 0
  std::optional<Register> made_odd;     // mov r, an odd number
  std::optional<Register> kept_odd;     // and r, an odd number
  std::optional<RegisterCopy> resized;  // mov and movzx of 32 bits or more: what is 0 or odd stays it
  std::optional<bool> jumps_if_zero;    // je: true, jne: false
};

class Decoder {
 public:
  Decoder();
  ~Decoder();
  [[nodiscard]] std::optional<Instruction> decode(std::span<const std::byte> code) const;
  // In Intel syntax; empty when it cannot be decoded.
  [[nodiscard]] std::string text(std::span<const std::byte> code, std::uint64_t vaddr) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak::elf
