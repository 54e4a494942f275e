#include "elf/held_values.h"

#include <utility>

namespace asyncleak::elf {
namespace {

constexpr RegisterMask without(RegisterMask mask, RegisterMask removed) {
  return static_cast<RegisterMask>(mask & ~removed);
}

RegisterMask written_by(const Instruction& instruction) {
  // System V psABI 3.2.1: a callee keeps rbx, rsp, rbp and r12 to r15. The kernel keeps all but three.
  constexpr RegisterMask kernel = mask_of(Register::rax) | mask_of(Register::rcx) | mask_of(Register::r11);
  constexpr RegisterMask call = kernel | mask_of(Register::rdx) | mask_of(Register::rsi) | mask_of(Register::rdi) |
                                mask_of(Register::r8) | mask_of(Register::r9) | mask_of(Register::r10);
  if (instruction.flow == Flow::call) return with(instruction.written, call);
  if (instruction.flow == Flow::kernel) return with(instruction.written, kernel);
  return instruction.written;
}

// The registers that hold before it what those hold behind it.
RegisterMask backward(const Instruction& instruction, RegisterMask holders) {
  const RegisterMask kept = without(holders, written_by(instruction));
  const bool copied = instruction.copied && holds(holders, instruction.copied->to);
  return copied ? with(kept, mask_of(instruction.copied->from)) : kept;
}

std::vector<std::vector<Node>> predecessors(const FlowGraph& graph) {
  std::vector<std::vector<Node>> found(graph.nodes.size());
  for (Node at = 0; at < graph.nodes.size(); ++at) {
    for (const Node next : graph.nodes[at].next) found[next].push_back(at);
  }
  return found;
}

// From the ends back, every register being a holder until a path shows that it is not; paths that never return
// show nothing.
std::vector<RegisterMask> find_value(const FlowGraph& graph, const std::vector<bool>& returns) {
  std::vector<RegisterMask> value(graph.nodes.size(), every_register);
  for (bool changed = true; changed;) {
    changed = false;
    for (Node at = static_cast<Node>(graph.nodes.size()); at-- > 0;) {
      const FlowNode& node = graph.nodes[at];
      RegisterMask now = every_register;
      if (node.leaves) now = 0;
      if (is_return(node)) now = mask_of(Register::rax);
      for (const Node next : node.next) {
        if (returns[next]) now = static_cast<RegisterMask>(now & backward(node.instruction, value[next]));
      }
      changed = changed || now != value[at];
      value[at] = now;
    }
  }
  return value;
}

std::vector<RegisterMask> find_kept(const FlowGraph& graph, Register kept) {
  std::vector<RegisterMask> holders(graph.nodes.size(), every_register);
  holders[0] = mask_of(kept);
  for (std::vector<Node> work{0}; !work.empty();) {
    const Node at = work.back();
    work.pop_back();
    const RegisterMask behind = holders_behind(graph.nodes[at].instruction, holders[at]);
    for (const Node next : graph.nodes[at].next) {
      const auto met = static_cast<RegisterMask>(holders[next] & behind);
      if (met == holders[next]) continue;
      holders[next] = met;
      work.push_back(next);
    }
  }
  return holders;
}

// `test r, r` right before the branch, on every way to it.
std::optional<ZeroTest> zero_test(const FlowGraph& graph, Node at, const std::vector<Node>& before) {
  const FlowNode& node = graph.nodes[at];
  const bool two_ways = node.next.size() == 2 && node.next[0] != node.next[1];
  if (!node.instruction.jumps_if_zero || !two_ways || before.size() != 1 || at == 0) return std::nullopt;
  const auto tested = graph.nodes[before.front()].instruction.tested;
  if (!tested) return std::nullopt;
  return ZeroTest{*tested, *node.instruction.jumps_if_zero ? 0U : 1U};
}

}  // namespace

RegisterMask holders_behind(const Instruction& instruction, RegisterMask before) {
  const RegisterMask kept = without(before, written_by(instruction));
  const bool copied = instruction.copied && holds(before, instruction.copied->from);
  return copied ? with(kept, mask_of(instruction.copied->to)) : kept;
}

std::vector<bool> leading_to(const FlowGraph& graph, std::vector<Node> nodes) {
  const auto before = predecessors(graph);
  std::vector<bool> found(graph.nodes.size());
  while (!nodes.empty()) {
    const Node at = nodes.back();
    nodes.pop_back();
    if (found[at]) continue;
    found[at] = true;
    nodes.insert(nodes.end(), before[at].begin(), before[at].end());
  }
  return found;
}

HeldValues find_held_values(const FlowGraph& graph, Register kept) {
  const auto before = predecessors(graph);
  HeldValues held;
  held.returns = leading_to(
      graph, nodes_where(graph, [&](Node at) { return graph.nodes[at].leaves || is_return(graph.nodes[at]); }));
  held.value = find_value(graph, held.returns);
  held.kept = find_kept(graph, kept);
  for (Node at = 0; at < graph.nodes.size(); ++at) held.tests.push_back(zero_test(graph, at, before[at]));
  return held;
}

}  // namespace asyncleak::elf
