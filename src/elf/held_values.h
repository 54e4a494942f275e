// What the registers hold at each instruction of a function: an argument, the value it will return, zero.
//
// Used by return_points.cpp only. Pure. Nothing is followed through memory: what was spilled is lost.
#pragma once

#include "elf/flow_graph.h"
#include "elf/placement.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace asyncleak::elf {

using RegisterMask = std::uint16_t;  // by mask_of
using Node = std::uint32_t;          // index in FlowGraph::nodes

inline constexpr RegisterMask every_register = 0xffff;

[[nodiscard]] constexpr bool holds(RegisterMask mask, Register reg) { return (mask & mask_of(reg)) != 0; }
[[nodiscard]] constexpr RegisterMask with(RegisterMask mask, RegisterMask added) {
  return static_cast<RegisterMask>(mask | added);
}

// The registers that hold a value behind the instruction, of those that hold it before.
[[nodiscard]] RegisterMask holders_behind(const Instruction& instruction, RegisterMask before);

struct ZeroTest {
  Register reg;
  std::size_t zero_edge;  // index in FlowNode::next taken when it is 0
};

// What is known at each instruction, before it is executed.
struct HeldValues {
  std::vector<bool> returns;                   // a return, or a way out that cannot be seen, can be reached from here
  std::vector<RegisterMask> value;             // hold what rax will be at every return reached from here
  std::vector<RegisterMask> kept;              // hold the kept argument
  std::vector<std::optional<ZeroTest>> tests;  // of a branch: the register it decides by
};

[[nodiscard]] HeldValues find_held_values(const FlowGraph& graph, Register kept);

// From which one of the nodes can be reached, themselves included.
[[nodiscard]] std::vector<bool> leading_to(const FlowGraph& graph, std::vector<Node> nodes);

[[nodiscard]] inline bool is_return(const FlowNode& node) { return node.instruction.flow == Flow::returns; }

template <class Predicate>
[[nodiscard]] std::vector<Node> nodes_where(const FlowGraph& graph, Predicate predicate) {
  std::vector<Node> found;
  for (Node at = 0; at < graph.nodes.size(); ++at) {
    if (predicate(at)) found.push_back(at);
  }
  return found;
}

}  // namespace asyncleak::elf
