#include "view/inspect_text.h"

#include "util/text.h"
#include "view/inspect_task.h"
#include "view/page_parts.h"
#include "view/task_tree.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <utility>

namespace asyncleak {
namespace {

struct Branches {
  std::string_view more, last, along;
};
constexpr Branches lines_drawn = {"├─ ", "└─ ", "│  "};
constexpr Branches lines_typed = {"|- ", "`- ", "|  "};

// The tasks as a forest. Many alike are shown as a few of them.
class Forest {
 public:
  Forest(const Inspection& inspection, const InspectStyle& style)
      : tasks_(inspection.tasks), tree_(inspection.tasks), branches_(style.ascii ? lines_typed : lines_drawn) {
    // Deeper ones would have no room to be read in.
    const int width = style.width > 0 ? style.width : 200;
    deepest_ = static_cast<std::size_t>(std::clamp(width / 6, 4, 40));
  }

  std::vector<Line> draw() {
    add_siblings(tree_.roots(), "", 0);
    return std::move(lines_);
  }

 private:
  static constexpr std::size_t shown_alike = 3;

  void add_siblings(const std::vector<TaskTree::Index>& siblings, const std::string& indent, std::size_t depth) {
    const auto groups = tree_.groups(siblings);
    for (std::size_t i = 0; i < groups.size(); ++i) add_group(groups[i], i + 1 == groups.size(), indent, depth);
  }

  void add_group(const std::vector<TaskTree::Index>& group, bool last_group, const std::string& indent,
                 std::size_t depth) {
    const std::size_t shown = std::min(group.size(), shown_alike);
    for (std::size_t i = 0; i < shown; ++i) {
      const bool last = last_group && i + 1 == group.size();
      add_task(group[i], i == 0, indent, last, depth);
    }
    if (group.size() == shown) return;
    std::string text = fmt::format("... {} more alike", format_whole(group.size() - shown));
    const InspectedTask& youngest = tasks_[group.back()];
    if (youngest.age_s) text += ", the youngest " + age_text(youngest);
    lines_.push_back({{indent + branch(last_group, depth)}, {text, Role::warn}});
  }

  void add_task(TaskTree::Index index, bool whole, const std::string& indent, bool last, std::size_t depth) {
    const InspectedTask& task = tasks_[index];
    const TaskTree::Node& node = tree_.node(index);
    Line head = {{indent + branch(last, depth)}};
    for (Span& span : task_head(task)) head.push_back(std::move(span));
    if (!whole && node.below > 0) head.push_back({fmt::format("  and {} below", format_whole(node.below)), Role::dim});
    lines_.push_back(std::move(head));
    if (!whole) return;

    std::string below = indent;
    if (depth > 0) below += last ? "   " : branches_.along;
    const std::string beside = below + (node.children.empty() ? "   " : std::string(branches_.along)) + " ";
    for (Line& line : task_details(task, beside, node.parent.has_value() && is_said(task, *node.parent))) {
      lines_.push_back(std::move(line));
    }
    if (node.closes) {
      const std::string above = to_printable(tasks_[*node.closes].name);
      lines_.push_back(
          {{beside}, {fmt::format("waits for {} above, which waits for it: a deadlock", above), Role::bad}});
    }
    if (depth < deepest_) return add_siblings(node.children, below, depth + 1);
    if (node.below > 0) {
      lines_.push_back(
          {{below + branch(true, 1)}, {fmt::format("... {} below", format_whole(node.below)), Role::warn}});
    }
  }

  // The first waiter is the task it stands below.
  [[nodiscard]] bool is_said(const InspectedTask& task, TaskTree::Index parent) const {
    return !task.awaited_by.empty() && task.awaited_by.front().how == "task" &&
           task.awaited_by.front().address == tasks_[parent].address;
  }

  [[nodiscard]] std::string branch(bool last, std::size_t depth) const {
    return depth == 0 ? "" : std::string(last ? branches_.last : branches_.more);
  }

  const std::vector<InspectedTask>& tasks_;
  TaskTree tree_;
  Branches branches_;
  std::size_t deepest_;
  std::vector<Line> lines_;
};

void add_census(std::vector<Line>& lines, const Inspection& inspection, int width) {
  const auto& census = inspection.process.census;
  if (!census) return;
  Line line = {{fmt::format("{} objects in {}, {} tasks", format_whole(census->objects),
                            format_milliseconds(census->duration_s), format_whole(census->tasks))}};
  if (census->unknown_to_kernel + census->not_found > 0) {
    line.push_back({fmt::format("; {} unknown to the kernel, {} not found in memory",
                                format_whole(census->unknown_to_kernel), format_whole(census->not_found)),
                    Role::warn});
  }
  if (!census->complete) {
    std::string reasons;
    for (const auto& reason : census->reasons) reasons += (reasons.empty() ? ": " : ", ") + to_printable(reason);
    line.push_back({"; incomplete" + reasons, Role::warn});
  }
  add_labelled(lines, "Census", line, width);
}

void add_tasks(std::vector<Line>& lines, const Inspection& inspection, const InspectStyle& style) {
  const std::size_t listed = inspection.tasks.size();
  std::string title = fmt::format("Tasks: {}", format_whole(inspection.tasks_total));
  if (listed != inspection.tasks_total) title += fmt::format(", {} listed", format_whole(listed));
  lines.emplace_back();
  lines.push_back({{title, Role::title}});
  for (Line& line : Forest(inspection, style).draw()) lines.push_back(std::move(line));
  if (inspection.tasks_left_out > 0) {
    lines.push_back(
        {{fmt::format("... {} more tasks are not listed (--limit)", format_whole(inspection.tasks_left_out)),
          Role::warn}});
  }
}

// The total, not the number of groups, is what leaks.
template <class T>
void add_section(std::vector<Line>& lines, std::string_view title, const std::vector<T>& all, std::vector<Line> body) {
  if (all.empty()) return;
  std::uint64_t total = 0;
  if constexpr (requires(const T& each) { each.count; }) {
    for (const T& each : all) total += each.count;
  } else {
    total = all.size();
  }
  lines.emplace_back();
  lines.push_back({{fmt::format("{}: {}", title, format_whole(total)), Role::title}});
  for (Line& line : body) lines.push_back(std::move(line));
}

std::string count_cell(std::uint64_t count) {
  constexpr int count_width = 9;
  return align_right(format_whole(count), count_width) + "  ";
}

constexpr std::string_view blank_cell = "           ";  // as wide
constexpr std::size_t most_members = 3;

void add_holders(std::vector<Line>& lines, const std::vector<std::string>& holders) {
  for (const auto& holder : holders) {
    lines.push_back({{std::string(blank_cell) + "held by ", Role::dim}, {to_printable(holder)}});
  }
}

void add_peer(std::vector<Line>& lines, const InspectedTransport& transport) {
  if (transport.sock.empty() && transport.peer.empty()) return;
  std::string text(blank_cell);
  text += to_printable(transport.sock);
  if (!transport.peer.empty()) text += (transport.sock.empty() ? "to " : " to ") + to_printable(transport.peer);
  if (transport.count > 1) text += fmt::format(", {} of them", format_whole(transport.count));
  if (transport.write_buffer_bytes.value_or(0) > 0) text += ", " + format_bytes(*transport.write_buffer_bytes);
  lines.push_back({{std::move(text)}});
}

// The longest; a program can have one for each of its connections.
std::vector<Line> queue_lines(const std::vector<InspectedQueue>& queues) {
  constexpr std::size_t most = 10;
  std::vector<const InspectedQueue*> longest;
  longest.reserve(queues.size());
  for (const InspectedQueue& queue : queues) longest.push_back(&queue);
  std::ranges::stable_sort(longest, std::greater<>(), [](const InspectedQueue* queue) { return queue->length; });
  std::vector<Line> lines;
  for (std::size_t i = 0; i < std::min(longest.size(), most); ++i) {
    const InspectedQueue& queue = *longest[i];
    std::string text = to_printable(queue.type);
    if (queue.maxsize) text += *queue.maxsize > 0 ? " of at most " + format_whole(*queue.maxsize) : " without a limit";
    if (queue.getters > 0) text += fmt::format(", {} wait to get", format_whole(queue.getters));
    if (queue.putters > 0) text += fmt::format(", {} wait to put", format_whole(queue.putters));
    lines.push_back({{count_cell(queue.length), Role::header}, {"items in " + text}});
    add_holders(lines, queue.holders);
  }
  if (longest.size() > most) {
    lines.push_back({{fmt::format("{}... {} more", blank_cell, format_whole(longest.size() - most)), Role::dim}});
  }
  return lines;
}

std::vector<Line> wait_lines(const std::vector<InspectedWait>& waits) {
  std::vector<Line> lines;
  lines.reserve(waits.size());
  for (const InspectedWait& wait : waits) {
    lines.push_back({{count_cell(wait.waiters), Role::header}, {"wait for " + to_printable(wait.type)}});
  }
  return lines;
}

std::string_view escape_of(Role role) {
  switch (role) {
    case Role::strong:
    case Role::header:
      return "\033[1m";
    case Role::title:
      return "\033[1;4m";
    case Role::good:
      return "\033[32m";
    case Role::warn:
      return "\033[33m";
    case Role::bad:
      return "\033[1;31m";
    case Role::dim:
      return "\033[2m";
    default:
      return "";
  }
}

void write_line(std::ostream& out, const Line& line, bool color) {
  std::string text;
  for (const Span& span : line) {
    const std::string_view escape = color ? escape_of(span.role) : "";
    text += escape;
    text += span.text;
    if (!escape.empty()) text += "\033[0m";
  }
  text.erase(text.find_last_not_of(' ') + 1);
  out << text << '\n';
}

}  // namespace

std::vector<Line> group_lines(const std::vector<InspectedGroup>& groups, std::string_view name) {
  std::vector<Line> lines;
  for (const InspectedGroup& group : groups) {
    if (!name.empty() && group.name != name) continue;
    Line line = {{count_cell(group.count), Role::header},
                 {to_printable(group.name.empty() ? "?" : group.name), Role::strong}};
    if (!group.file.empty()) line.push_back({" " + format_frame_short({"", group.file, group.line})});
    if (group.cancelled > 0) line.push_back({fmt::format(", {} of them cancelled", format_whole(group.cancelled))});
    lines.push_back(std::move(line));
    for (const Frame& frame : group.waiting_at) {
      lines.push_back({{std::string(blank_cell) + "stands at ", Role::dim}, {format_frame(frame)}});
    }
    add_holders(lines, group.holders);
  }
  return lines;
}

// Those of one protocol are one line, and a few of them below: a server has thousands of peers.
std::vector<Line> transport_lines(const std::vector<InspectedTransport>& transports, std::string_view protocol) {
  std::map<std::pair<std::string_view, std::string_view>, std::vector<const InspectedTransport*>> alike;
  for (const InspectedTransport& transport : transports) {
    if (protocol.empty() || transport.protocol == protocol) {
      alike[{transport.protocol, transport.type}].push_back(&transport);
    }
  }
  std::vector<Line> lines;
  for (auto& [names, members] : alike) {
    const auto waiting = [](const InspectedTransport* each) { return each->write_buffer_bytes.value_or(0); };
    std::ranges::stable_sort(members, std::greater<>(), waiting);
    std::uint64_t count = 0, bytes = 0;
    for (const auto* member : members) {
      count += member->count;
      bytes += waiting(member);
    }
    lines.push_back({{count_cell(count), Role::header},
                     {to_printable(names.first.empty() ? names.second : names.first), Role::strong},
                     {names.first.empty() ? "" : " over " + to_printable(names.second)}});
    if (bytes > 0) lines.back().push_back({fmt::format(", {} wait to be written", format_bytes(bytes)), Role::warn});
    const std::size_t shown = std::min(members.size(), most_members);
    for (std::size_t i = 0; i < shown; ++i) add_peer(lines, *members[i]);
    if (shown < members.size()) {
      lines.push_back({{fmt::format("{}... {} more", blank_cell, format_whole(members.size() - shown)), Role::dim}});
    }
  }
  return lines;
}

void write_inspection(std::ostream& out, const Inspection& inspection, const InspectStyle& style) {
  const int width = style.width > 0 ? style.width : std::numeric_limits<int>::max();
  const ProcessSample& process = inspection.process;
  std::vector<Line> lines = {{{process_title(process), Role::strong}}};
  if (!process.cmdline.empty()) lines.push_back({{to_printable(process.cmdline)}});
  for (const auto& warning : process.warnings)
    add_labelled(lines, "Warning", {{to_printable(warning), Role::warn}}, width);
  add_census(lines, inspection, width);
  add_process_facts(lines, process, width);
  add_tasks(lines, inspection, style);
  add_section(lines, "Coroutines never started", inspection.coroutines, group_lines(inspection.coroutines, ""));
  add_section(lines, "Async generators started and not finished", inspection.asyncgens,
              group_lines(inspection.asyncgens, ""));
  add_section(lines, "Timers", inspection.timers, group_lines(inspection.timers, ""));
  add_section(lines, "Ready callbacks", inspection.ready, group_lines(inspection.ready, ""));
  add_section(lines, "Transports", inspection.transports, transport_lines(inspection.transports, ""));
  add_section(lines, "Queues", inspection.queues, queue_lines(inspection.queues));
  add_section(lines, "Locks, events and others that are waited for", inspection.waits, wait_lines(inspection.waits));
  for (const Line& line : lines) write_line(out, cut_line(line, width), style.color);
}

}  // namespace asyncleak
