#include "elf/flow_graph.h"

#include "elf/held_values.h"
#include "elf/reads.h"

#include <fmt/format.h>
#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <unordered_map>
#include <utility>

namespace asyncleak::elf {
namespace {

// The largest seen, glibc's malloc with all it jumps to, has 250.
constexpr std::size_t most_nodes = 4096;
// malloc_printerr > __libc_message > abort is three calls away from a function without `ret`.
constexpr int deepest_callee = 3;
// Over all callees of a function; beyond it a callee counts as one that comes back.
constexpr std::size_t most_callee_nodes = 200'000;

// Of numbers in registers: __libc_message(1, ...) never returns, __libc_message(0, ...) does (glibc 2.26 to 2.36).
struct Known {
  RegisterMask zero = 0, odd = 0;
  std::optional<Register> tested;   // by the instruction before
  std::optional<bool> tested_zero;  // with that result
  bool operator==(const Known&) const = default;
};

Known known_behind(const Instruction& instruction, const Known& before) {
  const auto add = [](RegisterMask& mask, const std::optional<Register>& reg) {
    if (reg) mask = with(mask, mask_of(*reg));
  };
  Known known{holders_behind(instruction, before.zero), holders_behind(instruction, before.odd), instruction.tested,
              std::nullopt};
  if (const auto& copy = instruction.resized) {
    if (holds(before.zero, copy->from)) add(known.zero, copy->to);
    if (holds(before.odd, copy->from)) add(known.odd, copy->to);
  }
  add(known.zero, instruction.zeroed);
  add(known.odd, instruction.made_odd);
  if (instruction.kept_odd && holds(before.odd, *instruction.kept_odd)) add(known.odd, instruction.kept_odd);
  if (instruction.part_tested && holds(before.zero, *instruction.part_tested)) known.tested_zero = true;
  if (instruction.part_tested && holds(before.odd, *instruction.part_tested)) known.tested_zero = false;
  return known;
}

// What is known on both of two ways to an instruction.
Known both(const Known& one, const Known& other) {
  return {static_cast<RegisterMask>(one.zero & other.zero), static_cast<RegisterMask>(one.odd & other.odd),
          one.tested == other.tested ? one.tested : std::nullopt,
          one.tested_zero == other.tested_zero ? one.tested_zero : std::nullopt};
}

// Behind a branch that goes on to this address.
Known known_at(const FlowNode& branch, const Known& before, std::uint64_t next) {
  Known known = known_behind(branch.instruction, before);
  const std::uint64_t following = branch.vaddr + branch.instruction.length;
  const bool one_way = branch.instruction.target == branch.instruction.length;
  const bool zero = !one_way && branch.instruction.jumps_if_zero == (next != following);
  if (before.tested && zero) known.zero = with(known.zero, mask_of(*before.tested));
  return known;
}

class Explorer {
 public:
  explicit Explorer(const Image& image) : image_(image) {}

  // KNOWN at the entry. DEPTH: how many calls deep it is asked whether a callee comes back; 0: it always does.
  [[nodiscard]] Result<FlowGraph> explore(std::uint64_t entry, const Known& known, int depth);

 private:
  [[nodiscard]] Result<void> decode(FlowNode& node);
  [[nodiscard]] Result<std::vector<std::uint64_t>> successors(FlowNode& node, const Known& known, int depth);
  [[nodiscard]] bool may_return(std::uint64_t callee, bool odd_argument, int depth);
  [[nodiscard]] bool has_way_out(std::uint64_t callee, bool odd_argument, int depth);

  const Image& image_;
  Decoder decoder_;
  Range function_;  // the last one decoded in
  std::size_t callee_nodes_ = 0;
  std::map<std::tuple<std::uint64_t, bool, int>, bool> may_return_;
};

Result<void> Explorer::decode(FlowNode& node) {
  if (!function_.contains(node.vaddr)) {
    const auto function = image_.function_at(node.vaddr);
    if (!function || !image_.is_executable(node.vaddr)) {
      return fail(fmt::format("no function at {:#x} by .eh_frame_hdr", node.vaddr));
    }
    function_ = *function;
  }
  const auto instruction = decoder_.decode(up_to(image_, node.vaddr, function_.end - node.vaddr));
  if (!instruction) return fail(fmt::format("undecodable instruction at {:#x}", node.vaddr));
  node.instruction = *instruction;
  return {};
}

Result<std::vector<std::uint64_t>> Explorer::successors(FlowNode& node, const Known& known, int depth) {
  const Instruction& instruction = node.instruction;
  const std::uint64_t following = node.vaddr + instruction.length;
  const bool last = following >= function_.end;
  const auto target = node.vaddr + static_cast<std::uint64_t>(instruction.target.value_or(0));
  std::vector<std::uint64_t> next;
  switch (instruction.flow) {
    case Flow::returns:
    case Flow::stops:
      return next;
    case Flow::unknown:
      return fail(fmt::format("{} at {:#x}", decoder_.text(up_to(image_, node.vaddr, 16), node.vaddr), node.vaddr));
    case Flow::jump:
      node.leaves = !instruction.target;
      if (instruction.target) next.push_back(target);
      return next;
    case Flow::branch:
      if (known.tested_zero && instruction.jumps_if_zero) {
        const bool jumps = *known.tested_zero == *instruction.jumps_if_zero;
        if (jumps || !last) next.push_back(jumps ? target : following);
        return next;
      }
      next.push_back(target);
      break;
    case Flow::call:
      // The compiler puts nothing behind a call that never comes back.
      if (last) return next;
      if (depth > 0 && instruction.target && !may_return(target, holds(known.odd, Register::rdi), depth - 1))
        return next;
      break;
    case Flow::next:
    case Flow::kernel:
      break;
  }
  if (last) return fail(fmt::format("the function at {:#x} has no end", function_.begin));
  next.push_back(following);
  return next;
}

Result<FlowGraph> Explorer::explore(std::uint64_t entry, const Known& known, int depth) {
  FlowGraph graph{{FlowNode{entry, {}, {}}}};
  std::vector<Known> states{known};
  std::unordered_map<std::uint64_t, std::uint32_t> index{{entry, 0}};
  // A node is visited again when less is known there than was thought; then it may go on to more.
  for (std::deque<std::uint32_t> work{0}; !work.empty(); work.pop_front()) {
    const std::uint32_t at = work.front();
    if (const auto decoded = decode(graph.nodes[at]); !decoded) return fail(decoded.error());
    const auto targets = successors(graph.nodes[at], states[at], depth);
    if (!targets) return fail(targets.error());
    std::vector<std::uint32_t> next;
    for (const std::uint64_t vaddr : *targets) {
      const Known behind = known_at(graph.nodes[at], states[at], vaddr);
      const auto [found, added] = index.try_emplace(vaddr, static_cast<std::uint32_t>(graph.nodes.size()));
      const std::uint32_t to = found->second;
      next.push_back(to);
      if (added) {
        graph.nodes.push_back(FlowNode{vaddr, {}, {}});
        states.push_back(behind);
      }
      const Known met = both(states[to], behind);
      if (added || met != states[to]) work.push_back(to);
      states[to] = met;
    }
    if (graph.nodes.size() > most_nodes) return fail(fmt::format("too much code from {:#x} on", entry));
    graph.nodes[at].next = std::move(next);
  }
  return graph;
}

// What cannot be explored counts as a way out.
bool Explorer::has_way_out(std::uint64_t callee, bool odd_argument, int depth) {
  const Range caller = function_;
  const RegisterMask odd = odd_argument ? mask_of(Register::rdi) : 0;
  const auto graph = explore(callee, Known{0, odd, std::nullopt, std::nullopt}, depth);
  function_ = caller;
  if (!graph) return true;
  callee_nodes_ += graph->nodes.size();
  return std::any_of(graph->nodes.begin(), graph->nodes.end(),
                     [](const FlowNode& node) { return node.leaves || node.instruction.flow == Flow::returns; });
}

bool Explorer::may_return(std::uint64_t callee, bool odd_argument, int depth) {
  if (callee_nodes_ > most_callee_nodes) return true;
  const std::tuple call{callee, odd_argument, depth};
  // A callee that calls itself finds this and takes its inner call for one that comes back.
  const auto [known, added] = may_return_.try_emplace(call, true);
  if (!added) return known->second;
  const bool found = has_way_out(callee, odd_argument, 0) && (depth == 0 || has_way_out(callee, odd_argument, depth));
  may_return_[call] = found;
  return found;
}

// Near calls, jumps and branches of other code into the graph, behind its entry. A superset: bytes anywhere in the
// code that would be one count.
void mark_entered_from_elsewhere(const Image& image, FlowGraph& graph) {
  std::unordered_map<std::uint64_t, std::uint32_t> index;
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) index.emplace(graph.nodes[i].vaddr, i);
  const auto [low, high] = std::minmax_element(graph.nodes.begin(), graph.nodes.end(),
                                               [](const auto& a, const auto& b) { return a.vaddr < b.vaddr; });
  const std::uint64_t begin = low->vaddr;
  const std::uint64_t size = high->vaddr - begin + 1;
  for (const Segment& segment : image.segments()) {
    if (!segment.executable) continue;
    const auto code = image.file().subspan(segment.file_offset, segment.file_size);
    for (std::size_t operand = 1; operand + sizeof(std::int32_t) <= code.size(); ++operand) {
      std::int32_t displacement;
      std::memcpy(&displacement, code.data() + operand, sizeof(displacement));
      const std::uint64_t end = segment.vaddr + operand + sizeof(displacement);
      const std::uint64_t target = end + static_cast<std::uint64_t>(std::int64_t{displacement});
      if (target - begin >= size) continue;
      const auto opcode = std::to_integer<unsigned>(code[operand - 1]);
      const bool conditional = operand >= 2 && code[operand - 2] == std::byte{0x0f} && opcode >= 0x80 && opcode <= 0x8f;
      if (opcode != 0xe8 && opcode != 0xe9 && !conditional) continue;
      const auto from = end - sizeof(displacement) - (conditional ? 2 : 1);
      const auto to = index.find(target);
      if (to != index.end() && to->second != 0 && index.count(from) == 0) graph.nodes[to->second].shared = true;
    }
  }
}

// Code of another function by .eh_frame_hdr is entered from elsewhere, even if only through pointers; so is, then,
// all that can be reached from there.
void mark_shared(const Image& image, const Range& function, FlowGraph& graph) {
  mark_entered_from_elsewhere(image, graph);
  std::vector<std::uint32_t> work;
  for (std::uint32_t i = 0; i < graph.nodes.size(); ++i) {
    FlowNode& node = graph.nodes[i];
    if (!function.contains(node.vaddr)) node.shared = true;
    if (node.shared) work.push_back(i);
  }
  while (!work.empty()) {
    const std::uint32_t at = work.back();
    work.pop_back();
    for (const std::uint32_t next : graph.nodes[at].next) {
      if (std::exchange(graph.nodes[next].shared, true)) continue;
      work.push_back(next);
    }
  }
}

// The address inside an instruction at which another one of the graph begins.
std::optional<std::uint64_t> overlap(const FlowGraph& graph) {
  std::map<std::uint64_t, std::uint8_t> lengths;
  for (const FlowNode& node : graph.nodes) lengths.emplace(node.vaddr, node.instruction.length);
  std::uint64_t end = 0;
  for (const auto& [vaddr, length] : lengths) {
    if (vaddr < end) return vaddr;
    end = vaddr + length;
  }
  return std::nullopt;
}

}  // namespace

Result<FlowGraph> flow_of(const Image& image, std::uint64_t entry) {
  const auto function = image.function_at(entry);
  if (!function || function->begin != entry) return fail(fmt::format("no function at {:#x} by .eh_frame_hdr", entry));
  auto graph = Explorer(image).explore(entry, Known{}, deepest_callee);
  if (!graph) return graph;
  if (const auto inside = overlap(*graph)) return fail(fmt::format("code inside an instruction at {:#x}", *inside));
  mark_shared(image, *function, *graph);
  return graph;
}

}  // namespace asyncleak::elf
