#include "view/inspect_task.h"

#include "model/user_frame.h"
#include "util/text.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak {
namespace {

constexpr int label_width = 11;

// Lines below one label, which stands before the first.
class Labelled {
 public:
  Labelled(std::vector<Line>& lines, const std::string& indent, std::string_view label)
      : lines_(lines), indent_(indent), label_(label) {}
  void add(std::string text, Role role = Role::normal) {
    lines_.push_back({{indent_}, {align_left(label_, label_width), Role::dim}, {std::move(text), role}});
    label_ = "";
  }

 private:
  std::vector<Line>& lines_;
  const std::string& indent_;
  std::string_view label_;
};

void add_chain(std::vector<Line>& lines, const InspectedTask& task, const std::string& indent) {
  Labelled chain(lines, indent, "waiting at");
  for (const Frame& frame : task.await_chain) {
    chain.add(format_frame(frame), is_asyncio_file(frame.file) ? Role::dim : Role::strong);
  }
  if (task.chain_cut) chain.add("... (deeper than is followed)", Role::dim);
  if (task.waiting_for_type.empty()) return;
  Labelled awaited(lines, indent, "for");
  awaited.add(to_printable(task.waiting_for_type));
}

std::string waiter_text(const InspectedWaiter& waiter) {
  std::string text = to_printable(waiter.how);
  if (!waiter.task.empty()) {
    text += " " + to_printable(waiter.task);
  } else if (waiter.address != 0) {
    text += fmt::format(" {:#x}", waiter.address);
  }
  return waiter.callback.empty() ? text : text + ": " + to_printable(waiter.callback);
}

// Nobody waits for most leaked tasks, which is worth a line.
void add_waiters(std::vector<Line>& lines, const InspectedTask& task, const std::string& indent, bool nested) {
  Labelled waiters(lines, indent, nested ? "also by" : "awaited by");
  const bool pending = task.state == "pending";
  const auto said = static_cast<std::size_t>(nested ? 1 : 0);
  for (std::size_t i = said; i < task.awaited_by.size(); ++i) waiters.add(waiter_text(task.awaited_by[i]));
  if (!task.waiters_complete) {
    waiters.add(task.awaited_by.size() > said ? "others, not known" : "not known", Role::dim);
  } else if (task.awaited_by.empty() && pending) {
    waiters.add("nobody");
  }
}

std::string value_text(const InspectedLocal& local) {
  return local.value.empty() ? "" : "  = " + to_printable(local.value);
}

std::string bytes_text(const InspectedLocal& local) { return (local.at_least ? ">=" : "") + format_bytes(local.bytes); }

// What keeps nothing of its own alive is of interest for its value only.
std::vector<const InspectedLocal*> worth_showing(const InspectedTask& task) {
  std::vector<const InspectedLocal*> locals;
  for (const InspectedLocal& local : task.locals) {
    if (local.bytes > 0 || !local.value.empty()) locals.push_back(&local);
  }
  return locals;
}

void add_locals(std::vector<Line>& lines, const InspectedTask& task, const std::string& indent) {
  constexpr std::size_t most = 8;
  constexpr int most_name = 28, most_type = 24, bytes_width = 8;
  const auto locals = worth_showing(task);
  const std::size_t shown = std::min(most, locals.size());
  const auto name_of = [&task](const InspectedLocal& local) {
    const bool own = local.frame.empty() || local.frame == task.coroutine;
    return to_printable(own ? local.name : local.frame + ": " + local.name);
  };
  int name_width = 0, type_width = 0, length_width = 0;
  for (std::size_t i = 0; i < shown; ++i) {
    name_width = std::clamp(width_of(name_of(*locals[i])), name_width, most_name);
    type_width = std::clamp(width_of(to_printable(locals[i]->type)), type_width, most_type);
    length_width = std::max(length_width, width_of(length_text(*locals[i])));
  }
  Labelled labelled(lines, indent, "locals");
  for (std::size_t i = 0; i < shown; ++i) {
    const InspectedLocal& local = *locals[i];
    std::string text = align_left(cut_left(name_of(local), name_width), name_width) + "  " +
                       align_left(cut_left(to_printable(local.type), type_width), type_width);
    if (length_width > 0) text += "  " + align_right(length_text(local), length_width);
    labelled.add(text + "  " + align_right(bytes_text(local), bytes_width) + value_text(local));
  }
  if (shown < locals.size()) labelled.add(fmt::format("... and {} smaller", locals.size() - shown), Role::dim);
}

void add_result(std::vector<Line>& lines, const InspectedTask& task, const std::string& indent) {
  if (!task.result) return;
  Labelled result(lines, indent, task.state == "failed" ? "exception" : "result");
  std::string text = to_printable(task.result->type);
  if (task.result->length) text += "  " + length_text(*task.result);
  result.add(text + "  " + bytes_text(*task.result) + value_text(*task.result));
}

}  // namespace

std::string age_text(const InspectedTask& task) {
  if (!task.age_s) return "-";
  return (task.age_at_least ? ">" : "") + format_duration(*task.age_s);
}

std::string held_text(const InspectedTask& task) {
  if (!task.held_bytes) return "-";
  return (task.held_at_least ? ">=" : "") + format_bytes(*task.held_bytes);
}

bool ignores_cancel(const InspectedTask& task) { return task.cancel_requested && task.state == "pending"; }

Role state_role(const InspectedTask& task) {
  if (ignores_cancel(task)) return Role::warn;
  return task.state == "failed" ? Role::bad : Role::header;
}

std::string length_text(const InspectedLocal& local) {
  if (!local.length) return "";
  const bool text = local.type == "str";
  const bool bytes = local.type == "bytes" || local.type == "bytearray" || local.type == "memoryview";
  const std::string_view one = text ? "character" : bytes ? "byte" : "item";
  return fmt::format("{} {}", format_whole(*local.length), plural(*local.length, one));
}

std::string creator_text(const std::vector<Frame>& created_at) {
  const auto inside = [](const Frame& frame) { return is_asyncio_file(frame.file); };
  auto at = std::find_if_not(created_at.begin(), created_at.end(), inside);
  if (at == created_at.end()) at = created_at.begin();
  std::string text;
  constexpr std::ptrdiff_t most = 3;
  for (const auto end = at + std::min(most, created_at.end() - at); at < end; ++at) {
    text += (text.empty() ? "" : " < ") + format_frame_short(*at);
  }
  return text;
}

Line task_head(const InspectedTask& task) {
  Line line = {{task.name.empty() ? fmt::format("{:#x}", task.address) : to_printable(task.name), Role::strong}};
  std::string coroutine = to_printable(task.coroutine.empty() ? "?" : task.coroutine);
  if (!task.file.empty()) coroutine += " " + format_frame_short({"", task.file, task.line});
  line.push_back({"  " + coroutine});
  line.push_back({"  " + (ignores_cancel(task) ? "cancel requested, still alive" : task.state), state_role(task)});
  if (task.age_s) line.push_back({"  " + age_text(task)});
  if (task.held_bytes) line.push_back({"  holding " + held_text(task), Role::header});
  if (!task.name.empty()) line.push_back({fmt::format("  {:#x}", task.address), Role::dim});
  return line;
}

std::vector<Line> task_details(const InspectedTask& task, const std::string& indent, bool nested) {
  std::vector<Line> lines;
  add_chain(lines, task, indent);
  add_waiters(lines, task, indent, nested);
  if (!task.created_at.empty()) {
    Labelled created(lines, indent, "created at");
    created.add(creator_text(task.created_at));
  }
  add_locals(lines, task, indent);
  add_result(lines, task, indent);
  Labelled holders(lines, indent, "held by");
  for (const auto& holder : task.holders) holders.add(to_printable(holder));
  return lines;
}

Line cut_line(const Line& line, int width) {
  Line cut;
  for (const Span& span : line) {
    if (width <= 0) break;
    const int wanted = width_of(span.text);
    cut.push_back({wanted > width ? cut_right(span.text, width) : span.text, span.role});
    width -= wanted;
  }
  return cut;
}

}  // namespace asyncleak
