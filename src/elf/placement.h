// The cheapest instruction of a function to put a uprobe on.
//
// Used by src/probe (plan) and `doctor`. The kernel emulates push, nop, jmp, jcc and
// call rel32 in the trap (arch/x86/kernel/uprobes.c: push since 4.16, branches since 3.16)
// and single-steps everything else, which costs 15 to 30 times more (CPYTHON.md section 4).
// The place must be passed on every call exactly once with every wanted argument still in
// a known register.
#pragma once

#include "elf/image.h"
#include "util/result.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace asyncleak::elf {

// The System V argument registers a caller can ask for.
enum class Register : std::uint8_t { rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15 };

// Offset of a register in struct pt_regs (arch/x86/include/asm/ptrace.h).
[[nodiscard]] std::uint16_t pt_regs_offset(Register reg);

struct Placement {
  std::uint64_t vaddr;
  std::uint64_t file_offset;
  std::uint32_t distance;           // bytes after the function's entry
  bool emulated;                    // false: no cheap place; this is the entry, single-stepped
  std::string instruction;          // "push r15"
  std::string reason;               // why not emulated; empty otherwise
  std::vector<Register> arguments;  // where each wanted argument is there, in the order asked
  std::array<std::byte, 16> bytes;  // of the image at vaddr: compared again just before attaching
};

// ENTRY must be the start of a function by .eh_frame_hdr; else an error: a probe in the middle
// of an instruction would corrupt the process.
[[nodiscard]] Result<Placement> place_probe(const Image& image, std::uint64_t entry, std::span<const Register> wanted);

// As place_probe, of a function that gets a pointer in POINTER: when it begins by asking whether that is NULL and then
// does nothing but return, behind the question, where calls with NULL do not come by and do not pay.
[[nodiscard]] Result<Placement> place_behind_null_check(const Image& image, std::uint64_t entry, Register pointer);

// This very instruction, of a function by .eh_frame_hdr, whatever it costs and whatever the registers hold. The
// caller knows by decoding that one begins at VADDR.
[[nodiscard]] Result<Placement> place_at(const Image& image, std::uint64_t vaddr);

// Whether the image still has these bytes there and a function boundary at vaddr - distance.
[[nodiscard]] Result<void> verify_placement(const Image& image, const Placement& placement);

}  // namespace asyncleak::elf
