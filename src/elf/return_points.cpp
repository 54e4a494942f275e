#include "elf/return_points.h"

#include "elf/flow_graph.h"
#include "elf/held_values.h"

#include <fmt/format.h>
#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace asyncleak::elf {
namespace {

using Edges = std::uint8_t;  // bit i: to FlowNode::next[i]

constexpr Edges all_edges = 0xff;

struct Candidate {
  Edges cuts = 0;  // 0: no candidate. Else: a hit counts when the call goes on along one of these
  std::optional<Register> value;
  std::optional<Register> kept;
};
using Candidates = std::vector<Candidate>;

std::optional<Register> one_of(RegisterMask holders, Register preferred) {
  if (holds(holders, preferred)) return preferred;
  if (holders == 0) return std::nullopt;
  return static_cast<Register>(std::countr_zero(holders));
}

// Everywhere the value to be returned is known. Where a branch tests it for NULL it need not be known for NULL: such
// a hit means nothing.
Candidates find_candidates(const FlowGraph& graph, const HeldValues& held, Register kept) {
  Candidates candidates(graph.nodes.size());
  for (Node at = 0; at < graph.nodes.size(); ++at) {
    const FlowNode& node = graph.nodes[at];
    if (!node.instruction.emulated || !held.returns[at]) continue;
    Candidate& candidate = candidates[at];
    if (!node.shared) candidate.kept = one_of(held.kept[at], kept);
    candidate.value = one_of(held.value[at], Register::rax);
    if (candidate.value) {
      candidate.cuts = all_edges;
    } else if (const auto& test = held.tests[at]) {
      const std::size_t edge = 1 - test->zero_edge;
      const Node next = node.next[edge];
      if (!held.returns[next] || !holds(held.value[next], test->reg)) continue;
      candidate.value = test->reg;
      candidate.cuts = static_cast<Edges>(1U << edge);
    }
  }
  return candidates;
}

// Chooses, of candidates, a set that every path to a goal passes once.
class Cut {
 public:
  Cut(const FlowGraph& graph, const HeldValues& held, Candidates candidates, std::vector<Node> goals)
      : graph_(graph), held_(held), candidates_(std::move(candidates)), goals_(std::move(goals)) {}

  // Error: the first path that none of the candidates is on, or that two are on.
  [[nodiscard]] Result<std::vector<Node>> choose();

 private:
  struct Reach {
    std::vector<std::optional<RegisterMask>> zero;  // registers known to be 0, where a call that was not cut may come
    std::vector<Node> from;                         // the node it came from first
  };
  [[nodiscard]] Reach reach() const;
  [[nodiscard]] std::vector<Node> frontier(const Reach& reach) const;
  [[nodiscard]] std::optional<Node> uncut(const Reach& reach) const;
  [[nodiscard]] std::string path_to(Node end, const Reach& reach) const;
  struct Price {
    std::size_t notes;  // places that lack the kept argument: each is a second trap on its path
    std::size_t places;
    // By the notes first.
    [[nodiscard]] bool within(const Price& limit) const {
      return notes < limit.notes || (notes == limit.notes && places <= limit.places);
    }
  };
  static constexpr Price any{std::numeric_limits<std::size_t>::max(), std::numeric_limits<std::size_t>::max()};
  [[nodiscard]] Price price() const;
  [[nodiscard]] bool drop(Node at, const Price& limit);
  void drop_useless();
  // What can be executed behind a hit at the node that counts.
  [[nodiscard]] std::vector<bool> behind(Node at) const;
  [[nodiscard]] std::optional<std::pair<Node, Node>> conflict(const std::vector<Node>& chosen) const;

  const FlowGraph& graph_;
  const HeldValues& held_;
  Candidates candidates_;
  std::vector<Node> goals_;
};

Cut::Reach Cut::reach() const {
  Reach found{std::vector<std::optional<RegisterMask>>(graph_.nodes.size()), std::vector<Node>(graph_.nodes.size())};
  found.zero[0] = 0;
  // In the order found, so that the path to an uncut end is a short one.
  std::vector<Node> work{0};
  for (std::size_t i = 0; i < work.size(); ++i) {
    const Node at = work[i];
    const FlowNode& node = graph_.nodes[at];
    const auto& test = held_.tests[at];
    const RegisterMask known = *found.zero[at];
    RegisterMask behind = holders_behind(node.instruction, known);
    if (node.instruction.zeroed) behind = with(behind, mask_of(*node.instruction.zeroed));
    for (std::size_t edge = 0; edge < node.next.size(); ++edge) {
      if ((candidates_[at].cuts >> edge & 1U) != 0) continue;
      if (test && edge != test->zero_edge && holds(known, test->reg)) continue;
      const Node next = node.next[edge];
      const RegisterMask there = test && edge == test->zero_edge ? with(behind, mask_of(test->reg)) : behind;
      const auto met = static_cast<RegisterMask>(found.zero[next].value_or(every_register) & there);
      if (found.zero[next] == met) continue;
      if (!found.zero[next]) found.from[next] = at;
      found.zero[next] = met;
      work.push_back(next);
    }
  }
  return found;
}

std::vector<Node> Cut::frontier(const Reach& reach) const {
  return nodes_where(graph_, [&](Node at) { return reach.zero[at] && candidates_[at].cuts != 0; });
}

// A goal reached by a call that passed no candidate, unless it is to return NULL.
std::optional<Node> Cut::uncut(const Reach& reach) const {
  for (const Node goal : goals_) {
    if (!reach.zero[goal]) continue;
    if (!is_return(graph_.nodes[goal]) || !holds(*reach.zero[goal], Register::rax)) return goal;
  }
  return std::nullopt;
}

// Its jumps: "0x98948 > 0x98b4e, 0x98bc5 > 0x98b5e, to 0x98b66".
std::string Cut::path_to(Node end, const Reach& reach) const {
  std::string path = fmt::format("to {:#x}", graph_.nodes[end].vaddr);
  for (Node at = end; at != 0; at = reach.from[at]) {
    const FlowNode& from = graph_.nodes[reach.from[at]];
    if (from.vaddr + from.instruction.length == graph_.nodes[at].vaddr) continue;
    path.insert(0, fmt::format("{:#x} > {:#x}, ", from.vaddr, graph_.nodes[at].vaddr));
  }
  return path;
}

std::vector<bool> Cut::behind(Node at) const {
  std::vector<bool> found(graph_.nodes.size());
  std::vector<Node> work;
  const std::vector<Node>& next = graph_.nodes[at].next;
  for (std::size_t edge = 0; edge < next.size(); ++edge) {
    if ((candidates_[at].cuts >> edge & 1U) != 0) work.push_back(next[edge]);
  }
  while (!work.empty()) {
    const Node reached = work.back();
    work.pop_back();
    if (found[reached]) continue;
    found[reached] = true;
    work.insert(work.end(), graph_.nodes[reached].next.begin(), graph_.nodes[reached].next.end());
  }
  return found;
}

// Two chosen nodes of which a call passes the second behind the first; they may be the same.
std::optional<std::pair<Node, Node>> Cut::conflict(const std::vector<Node>& chosen) const {
  for (const Node first : chosen) {
    const auto reached = behind(first);
    const auto second = std::find_if(chosen.begin(), chosen.end(), [&](Node at) { return reached[at]; });
    if (second != chosen.end()) return std::pair{first, *second};
  }
  return std::nullopt;
}

// Of what would be chosen now.
Cut::Price Cut::price() const {
  const auto chosen = frontier(reach());
  const auto notes = std::count_if(chosen.begin(), chosen.end(), [&](Node at) { return !candidates_[at].kept; });
  return {static_cast<std::size_t>(notes), chosen.size()};
}

// Does without this candidate where that costs no more than the limit.
bool Cut::drop(Node at, const Price& limit) {
  const Candidate dropped = std::exchange(candidates_[at], Candidate{});
  if (!uncut(reach()) && price().within(limit)) return true;
  candidates_[at] = dropped;
  return false;
}

// Those hit for nothing: that count only sometimes, or only before NULL.
void Cut::drop_useless() {
  for (Node at = 0; at < graph_.nodes.size(); ++at) {
    if (candidates_[at].cuts != 0 && candidates_[at].cuts != all_edges) (void)drop(at, {price().notes, any.places});
  }
  for (const Node at : frontier(reach())) {
    const Price now = price();
    (void)drop(at, {now.notes, now.places - 1});
  }
}

Result<std::vector<Node>> Cut::choose() {
  const Reach all = reach();
  if (const auto goal = uncut(all)) return fail("no emulated instruction with both at hand: " + path_to(*goal, all));
  drop_useless();
  while (true) {
    auto chosen = frontier(reach());
    const auto both = conflict(chosen);
    if (!both) return chosen;
    const auto [first, second] = *both;
    const Price same{price().notes, any.places};
    if (!drop(first, same) && !drop(second, same) && !drop(first, any) && !drop(second, any)) {
      return fail(
          fmt::format("a call may pass {:#x} and then {:#x}", graph_.nodes[first].vaddr, graph_.nodes[second].vaddr));
    }
  }
}

// Where to note the argument for the places that lack it: best where no call passes that needs no note.
Result<std::vector<Node>> choose_notes(const FlowGraph& graph, const HeldValues& held, const Candidates& candidates,
                                       const std::vector<Node>& whole, const std::vector<Node>& after) {
  const auto useful = leading_to(graph, after);
  const auto useless = leading_to(graph, whole);
  const auto noting = [&](bool always_useful) {
    Candidates notes(graph.nodes.size());
    for (Node at = 0; at < graph.nodes.size(); ++at) {
      if (!candidates[at].kept || !useful[at] || (always_useful && useless[at])) continue;
      notes[at] = {all_edges, std::nullopt, candidates[at].kept};
    }
    for (const Node at : whole) notes[at] = {};
    return notes;
  };
  auto chosen = Cut(graph, held, noting(true), after).choose();
  return chosen ? chosen : Cut(graph, held, noting(false), after).choose();
}

Result<std::vector<Placement>> place_all(const Image& image, const FlowGraph& graph, const std::vector<Node>& nodes,
                                         const Candidates& candidates, bool with_value) {
  std::vector<Placement> placed;
  for (const Node at : nodes) {
    auto placement = place_at(image, graph.nodes[at].vaddr);
    if (!placement) return fail(placement.error());
    if (with_value) placement->arguments.push_back(*candidates[at].value);
    if (candidates[at].kept) placement->arguments.push_back(*candidates[at].kept);
    placed.push_back(std::move(*placement));
  }
  return placed;
}

}  // namespace

Result<ReturnPoints> find_points_of_returns(const Image& image, std::uint64_t entry, Register kept) {
  const auto graph = flow_of(image, entry);
  if (!graph) return fail(graph.error());
  const HeldValues held = find_held_values(*graph, kept);
  const Candidates candidates = find_candidates(*graph, held, kept);
  const auto returns = nodes_where(*graph, [&](Node at) { return is_return(graph->nodes[at]); });
  if (returns.empty()) return fail(fmt::format("no return is reached from {:#x}", entry));
  const auto chosen = Cut(*graph, held, candidates, returns).choose();
  if (!chosen) return fail(chosen.error());

  std::vector<Node> whole = *chosen;
  const auto lacking =
      std::stable_partition(whole.begin(), whole.end(), [&](Node at) { return candidates[at].kept.has_value(); });
  const std::vector<Node> after(lacking, whole.end());
  whole.erase(lacking, whole.end());
  const auto before = choose_notes(*graph, held, candidates, whole, after);
  if (!before) return fail(before.error());

  auto whole_places = place_all(image, *graph, whole, candidates, true);
  auto before_places = place_all(image, *graph, *before, candidates, false);
  auto after_places = place_all(image, *graph, after, candidates, true);
  if (!whole_places) return fail(whole_places.error());
  if (!before_places) return fail(before_places.error());
  if (!after_places) return fail(after_places.error());
  ReturnPoints points{std::move(*whole_places), std::move(*before_places), std::move(*after_places), {}};
  for (const FlowNode& node : graph->nodes) {
    if (node.leaves) points.unseen_returns.push_back(node.vaddr);
  }
  return points;
}

}  // namespace asyncleak::elf
