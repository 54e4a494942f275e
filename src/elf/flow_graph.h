// The instructions a call of a function may execute in it, and in what order: what branches, jumps into other parts
// of the function (cold code) and tail jumps into other functions make of it.
//
// Used by return_points.cpp only. Calls are one step that comes back, unless the callee provably never does
// (abort and what ends in it).
#pragma once

#include "elf/image.h"
#include "elf/instruction.h"
#include "util/result.h"

#include <cstdint>
#include <vector>

namespace asyncleak::elf {

struct FlowNode {
  std::uint64_t vaddr;
  Instruction instruction;
  std::vector<std::uint32_t> next;  // of a branch: where it jumps, then what follows; empty: the end of a path
  bool leaves = false;              // goes on where nobody can see: a jump to a computed address
  bool shared = false;              // may also be reached by a call of another function
};

struct FlowGraph {
  std::vector<FlowNode> nodes;  // the entry is the first
};

// Error: code that does not decode, instructions that overlap, no bounds by .eh_frame_hdr, or too much of it.
[[nodiscard]] Result<FlowGraph> flow_of(const Image& image, std::uint64_t entry);

}  // namespace asyncleak::elf
