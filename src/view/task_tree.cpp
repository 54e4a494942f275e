#include "view/task_tree.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <limits>
#include <string_view>
#include <unordered_map>

namespace asyncleak {
namespace {

void mix(std::uint64_t& hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  hash ^= hash >> 29U;
}

void mix(std::uint64_t& hash, std::string_view text) { mix(hash, std::hash<std::string_view>{}(text)); }

std::uint64_t own_likeness(const InspectedTask& task) {
  std::uint64_t hash = 1;
  mix(hash, task.coroutine);
  mix(hash, task.file);
  mix(hash, task.state);
  mix(hash, task.cancel_requested ? 1 : 0);
  mix(hash, task.waiting_for_type);
  for (const Frame& frame : task.await_chain) {
    mix(hash, frame.function);
    mix(hash, frame.file);
    mix(hash, static_cast<std::uint64_t>(frame.line.value_or(-1)));
  }
  return hash;
}

// Of "Task-12", the name asyncio gives.
std::optional<std::uint64_t> number_of(std::string_view name) {
  constexpr std::string_view prefix = "Task-";
  if (!name.starts_with(prefix)) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, number);
  return error == std::errc{} && stop == end ? std::optional(number) : std::nullopt;
}

}  // namespace

bool is_older(const InspectedTask& a, const InspectedTask& b) {
  if (a.age_s != b.age_s) return a.age_s.value_or(-1) > b.age_s.value_or(-1);
  constexpr auto last = std::numeric_limits<std::uint64_t>::max();
  return number_of(a.name).value_or(last) < number_of(b.name).value_or(last);
}

TaskTree::TaskTree(const std::vector<InspectedTask>& tasks) : tasks_(tasks), nodes_(tasks.size()) {
  find_parents();
  open_circles();
  for (Index i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].parent) {
      nodes_[*nodes_[i].parent].children.push_back(i);
    } else {
      roots_.push_back(i);
    }
  }
  order_by_depth();
}

void TaskTree::find_parents() {
  std::unordered_map<std::uint64_t, Index> by_address;
  for (Index i = 0; i < tasks_.size(); ++i) by_address.try_emplace(tasks_[i].address, i);
  by_address.erase(0);
  for (Index i = 0; i < tasks_.size(); ++i) {
    for (const InspectedWaiter& waiter : tasks_[i].awaited_by) {
      const auto found = by_address.find(waiter.address);
      if (found == by_address.end() || found->second == i) continue;
      nodes_[i].parent = found->second;
      break;
    }
  }
  // What a waiter says of itself, where the one it waits for does not know.
  for (Index i = 0; i < tasks_.size(); ++i) {
    const auto found = by_address.find(tasks_[i].waiting_for_address);
    if (found == by_address.end() || found->second == i) continue;
    auto& parent = nodes_[found->second].parent;
    if (!parent) parent = i;
  }
}

// Every node has one parent at most: a walk upwards ends, or comes back to where it has been.
void TaskTree::open_circles() {
  std::vector<Index> walk_of(nodes_.size(), nodes_.size());
  for (Index start = 0; start < nodes_.size(); ++start) {
    Index at = start;
    while (walk_of[at] == nodes_.size() && nodes_[at].parent) {
      walk_of[at] = start;
      at = *nodes_[at].parent;
    }
    if (walk_of[at] != start || !nodes_[at].parent) continue;
    nodes_[*nodes_[at].parent].closes = at;
    nodes_[at].parent.reset();
  }
}

void TaskTree::order_by_depth() {
  std::vector<Index> order = roots_;  // parents before children
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto& children = nodes_[order[i]].children;
    order.insert(order.end(), children.begin(), children.end());
  }
  std::reverse(order.begin(), order.end());
  for (const Index index : order) {
    Node& node = nodes_[index];
    node.likeness = own_likeness(tasks_[index]);
    std::vector<std::uint64_t> below;
    for (const Index child : node.children) {
      node.below += 1 + nodes_[child].below;
      below.push_back(nodes_[child].likeness);
    }
    // A crowd of children alike counts as one: how many there are may differ.
    std::sort(below.begin(), below.end());
    below.erase(std::unique(below.begin(), below.end()), below.end());
    for (const std::uint64_t likeness : below) mix(node.likeness, likeness);
  }
}

std::vector<std::vector<TaskTree::Index>> TaskTree::groups(const std::vector<Index>& siblings) const {
  std::vector<std::vector<Index>> groups;
  std::unordered_map<std::uint64_t, std::size_t> group_of;
  for (const Index index : siblings) {
    const auto [at, is_new] = group_of.try_emplace(nodes_[index].likeness, groups.size());
    if (is_new) groups.emplace_back();
    groups[at->second].push_back(index);
  }
  const auto older = [this](Index a, Index b) { return is_older(tasks_[a], tasks_[b]); };
  for (auto& group : groups) std::stable_sort(group.begin(), group.end(), older);
  std::stable_sort(groups.begin(), groups.end(), [&](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() > b.size() : older(a.front(), b.front());
  });
  return groups;
}

}  // namespace asyncleak
