// Who waits for whom among the tasks of an inspection, as a forest: a task below the one that awaits it.
//
// Used by view/inspect_text. Pure; whatever the addresses say (memory of a stranger), the result
// is a forest: what waits in a circle is cut open and marked.
#pragma once

#include "sample/inspection.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace asyncleak {

class TaskTree {
 public:
  using Index = std::size_t;  // into the tasks
  explicit TaskTree(const std::vector<InspectedTask>& tasks);

  struct Node {
    std::optional<Index> parent;  // who awaits it, of those listed
    std::vector<Index> children;
    std::optional<Index> closes;  // it waits for this one above it: a deadlock
    std::size_t below = 0;        // tasks in its tree, without itself
    std::uint64_t likeness = 0;   // the same for tasks that look the same, with all below them
  };
  [[nodiscard]] const Node& node(Index index) const { return nodes_[index]; }
  [[nodiscard]] const std::vector<Index>& roots() const { return roots_; }

  // SIBLINGS alike stand together: most of them first; each group oldest first.
  [[nodiscard]] std::vector<std::vector<Index>> groups(const std::vector<Index>& siblings) const;

 private:
  void find_parents();
  void open_circles();
  void order_by_depth();

  const std::vector<InspectedTask>& tasks_;
  std::vector<Node> nodes_;
  std::vector<Index> roots_;
};

// Older first; where ages are not known, "Task-7" before "Task-12": the numbers are given in order.
[[nodiscard]] bool is_older(const InspectedTask& a, const InspectedTask& b);

}  // namespace asyncleak
