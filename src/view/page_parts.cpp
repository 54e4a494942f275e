#include "view/page_parts.h"

#include "model/user_frame.h"
#include "util/text.h"
#include "view/graph.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak {
namespace {

// "asyncio.unix_events._UnixSelectorEventLoop" says no more than its last word.
std::string loop_name(const LoopSample& loop) {
  const bool own = loop.kind.starts_with("asyncio.");
  return to_printable(own ? loop.kind.substr(loop.kind.rfind('.') + 1) : loop.kind);
}

void add_part(std::string& text, const std::string& part) { text += (text.empty() ? "" : ", ") + part; }

void add_gauge(std::string& text, const std::optional<std::uint64_t>& value, std::string_view what) {
  if (value) add_part(text, fmt::format("{} {}", format_whole(*value), what));
}

}  // namespace

void add_labelled(std::vector<Line>& lines, std::string_view label, const Line& value, int width) {
  constexpr int label_width = 8;
  constexpr int most_lines = 6;
  std::string text;
  for (const Span& span : value) text += span.text;
  const std::string head = align_left(label, label_width);
  if (width_of(text) + label_width <= width) {
    Line line = {{head}};
    line.insert(line.end(), value.begin(), value.end());
    lines.push_back(std::move(line));
    return;
  }
  // Wrapped text has one role: that of its most important part, which the plain parts are not.
  Role role = Role::normal;
  for (const Span& span : value) role = span.role == Role::warn || span.role == Role::bad ? span.role : role;
  bool first = true;
  for (auto& part : wrap(text, width - label_width, most_lines)) {
    lines.push_back({{first ? head : std::string(label_width, ' ')}, {std::move(part), role}});
    first = false;
  }
}

void add_frames(std::vector<Line>& lines, const std::vector<Frame>& frames, std::string_view indent) {
  for (const Frame& frame : frames) {
    const CodeOwner owner = owner_of(frame);
    const Role role = owner <= CodeOwner::typed ? Role::strong : owner == CodeOwner::asyncio ? Role::dim : Role::normal;
    lines.push_back({{std::string(indent) + format_frame(frame), role}});
  }
}

Role role_of(Verdict verdict) {
  return verdict == Verdict::leak ? Role::bad : verdict == Verdict::growing ? Role::warn : Role::header;
}

void add_history(std::vector<Line>& lines, std::string_view title, const std::vector<double>& history, int width,
                 int rows, bool ascii) {
  constexpr int least_rows = 3, most_rows = 10, label_width = 8;
  if (history.size() < 2 || width <= label_width) return;
  const double most = *std::max_element(history.begin(), history.end());
  const std::string label = format_count(static_cast<std::uint64_t>(std::max(0.0, most)));
  lines.emplace_back();
  lines.push_back({{std::string(title), Role::title}});
  bool top = true;
  for (auto& row : graph(history, width - label_width, std::clamp(rows, least_rows, most_rows), ascii)) {
    lines.push_back({{align_right(top ? label : "", label_width - 1) + " "}, {std::move(row), Role::sparkline}});
    top = false;
  }
}

std::string loop_text(const LoopSample& loop) {
  std::string gauges;
  add_gauge(gauges, loop.ready, "ready");
  add_gauge(gauges, loop.timers, "timers");
  if (loop.timers && loop.timers_cancelled.value_or(0) > 0) {
    gauges += fmt::format(" ({} cancelled)", format_whole(*loop.timers_cancelled));
  }
  add_gauge(gauges, loop.transports, "transports");
  add_gauge(gauges, loop.asyncgens, "async generators");
  add_gauge(gauges, loop.executor_queue, "queued for the executor");
  if (!loop.unknown.empty()) add_part(gauges, "not known: " + to_printable(loop.unknown));
  std::string text = loop_name(loop);
  if (loop.running) text += *loop.running ? " running" : " not running";
  return gauges.empty() ? text : text + ": " + gauges;
}

std::string memory_text(const ProcessSample& process) {
  std::string text = process.rss_bytes ? "RSS " + format_bytes(*process.rss_bytes) : "RSS not known";
  if (!process.memory) return text;
  const MemorySample& memory = *process.memory;
  std::string parts;
  if (memory.small_objects_bytes) {
    add_part(parts, format_bytes(*memory.small_objects_bytes) + " small objects");
    if (memory.arenas_bytes) parts += " in " + format_bytes(*memory.arenas_bytes) + " of arenas";
  } else if (memory.arenas_bytes) {
    add_part(parts, format_bytes(*memory.arenas_bytes) + " arenas");
  }
  add_part(parts, format_bytes(memory.c_heap_bytes) + " C heap");
  add_part(parts, format_bytes(memory.mapped_bytes) + " mapped");
  add_part(parts, format_bytes(memory.stacks_bytes) + " stacks");
  add_part(parts, format_bytes(memory.files_bytes) + " files");
  add_part(parts, format_bytes(memory.shared_bytes) + " shared");
  if (memory.swapped_bytes > 0) add_part(parts, format_bytes(memory.swapped_bytes) + " swapped out");
  if (!memory.unknown.empty()) parts += "; small objects not known: " + to_printable(memory.unknown);
  return text + ": " + parts;
}

void add_process_facts(std::vector<Line>& lines, const ProcessSample& process, int width) {
  for (const LoopSample& loop : process.loops) {
    add_labelled(lines, "Loop", {{loop_text(loop), loop.unknown.empty() ? Role::normal : Role::warn}}, width);
  }
  if (process.rss_bytes || process.memory) add_labelled(lines, "Memory", {{memory_text(process)}}, width);
}

}  // namespace asyncleak
