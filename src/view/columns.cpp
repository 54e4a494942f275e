#include "view/columns.h"

#include "model/byte_ages.h"
#include "model/site_kind.h"
#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>

namespace asyncleak {
namespace {

template <class T, class Format>
std::string text_of(const std::optional<T>& value, Format format) {
  return value ? format(*value) : std::string(unknown_cell);
}

template <class T>
SortValue number_of(const std::optional<T>& value) {
  return value ? SortValue{true, static_cast<double>(*value)} : SortValue{false};
}

SortValue number_of(std::uint64_t value) { return {true, static_cast<double>(value)}; }

// Growth sorts inside its verdict: a leak of one task a minute is worse than a pool that is
// being filled.
SortValue growth_value(Verdict verdict, const std::optional<double>& growth, std::uint64_t outstanding) {
  constexpr double verdict_step = 1e12;
  // Among rows whose trend is not known yet, the larger come first, below every known growth.
  const double inside =
      growth ? *growth : -1e9 + static_cast<double>(std::min<std::uint64_t>(outstanding, 900'000'000));
  const double badness = verdict >= Verdict::growing ? static_cast<double>(verdict) : 0;
  return {true, badness * verdict_step + inside};
}

using Site = const SiteRow&;
using Owner = const ProcessRow*;
using Process = const ProcessRow&;

// A process that is not observed has no numbers, not zeros.
bool is_observed(Process row) { return row.process.tasks != Coverage::none; }

std::optional<std::uint64_t> if_observed(Process row, std::uint64_t value) {
  return is_observed(row) ? std::optional(value) : std::nullopt;
}

std::string process_growth_text(Process row) {
  return is_observed(row) ? text_of(row.growth_per_min, format_change) : std::string(unknown_cell);
}

SortValue process_growth_value(Process row) {
  return is_observed(row) ? growth_value(row.verdict, row.growth_per_min, row.outstanding) : SortValue{false};
}

std::string created_at_text(Site row, Owner) {
  if (const Frame* frame = user_frame(*row.identity)) return format_frame(*frame);
  const std::string place = definition_of(row, false);
  return place.empty() ? std::string(unknown_cell) : place;
}

SortValue created_at_value(Site row, Owner) {
  const Frame* frame = user_frame(*row.identity);
  if (frame == nullptr) return {false};
  return {true, static_cast<double>(frame->line.value_or(0)), frame->file};
}

std::string outstanding_text(Site row, Owner) { return (row.at_least ? ">=" : "") + format_count(row.outstanding); }

std::string oldest_text(Site row, Owner) {
  if (!row.oldest_s) return std::string(unknown_cell);
  return (row.oldest_at_least ? ">" : "") + format_duration(*row.oldest_s);
}

std::string held_text(Site row, Owner) {
  if (!row.held_bytes) return std::string(unknown_cell);
  return (row.held && row.held->at_least ? ">=" : "") + format_bytes(*row.held_bytes);
}

std::optional<std::uint64_t> bytes_of(Site row) { return row.allocated_bytes ? row.allocated_bytes : row.bytes; }

std::string bytes_text(Site row, Owner) {
  const bool at_least = row.allocations && row.allocations->untracked_blocks > 0;
  return (at_least ? ">=" : "") + text_of(bytes_of(row), format_bytes);
}

std::optional<std::uint64_t> blocks_of(Site row) {
  return row.allocations ? std::optional(row.allocations->blocks) : std::nullopt;
}

constexpr std::array table{
    Column{"pid", "PID", "", 7, Align::right, false, "pid", "", "process that owns the tasks",
           [](Site row, Owner) { return fmt::format("{}", row.identity->pid); },
           [](Site row, Owner) {
             return SortValue{true, static_cast<double>(row.identity->pid)};
           },
           [](Process row) { return fmt::format("{}", row.process.pid); },
           [](Process row) {
             return SortValue{true, static_cast<double>(row.process.pid)};
           }},
    Column{"comm", "COMMAND", "", 15, Align::left, false, "comm", "", "name of the process",
           [](Site, Owner owner) {
             return owner != nullptr ? to_printable(owner->process.comm) : std::string(unknown_cell);
           },
           [](Site, Owner owner) {
             return owner != nullptr ? SortValue{true, 0, owner->process.comm} : SortValue{false};
           },
           [](Process row) { return to_printable(row.process.comm); },
           [](Process row) {
             return SortValue{true, 0, row.process.comm};
           }},
    Column{"kind", "KIND", "", 5, Align::left, false, "kind", "",
           "task, coro (coroutine never started), agen (async generator left half-way), timer, trans (transport), "
           "alloc (items of a container that grows, or blocks that code outside any task allocated)",
           [](Site row, Owner) { return std::string(short_name(kind_of(*row.identity))); },
           [](Site row, Owner) {
             return SortValue{true, static_cast<double>(kind_of(*row.identity))};
           },
           nullptr, nullptr},
    Column{"coroutine", "COROUTINE", "", 32, Align::left, false, "coroutine", "",
           "qualified name of the coroutine function the tasks run; of a timer's callback, a transport's protocol",
           [](Site row, Owner) { return to_printable(row.identity->coroutine); },
           [](Site row, Owner) {
             return SortValue{true, 0, row.identity->coroutine};
           },
           nullptr, nullptr},
    Column{"outstanding", "OUT", "tasks", 8, Align::right, true, "outstanding", "asyncleak_tasks",
           "task objects, or what KIND says, that exist now; >= where some could not be tracked", outstanding_text,
           [](Site row, Owner) { return number_of(row.outstanding); },
           [](Process row) { return text_of(if_observed(row, row.outstanding), format_count); },
           [](Process row) { return number_of(if_observed(row, row.outstanding)); }},
    Column{"pending", "PENDING", "tasks", 8, Align::right, true, "pending", "asyncleak_tasks",
           "of the tasks, those that have not finished, at the last census",
           [](Site row, Owner) { return text_of(row.pending, format_count); },
           [](Site row, Owner) { return number_of(row.pending); },
           [](Process row) { return text_of(row.pending, format_count); },
           [](Process row) { return number_of(row.pending); }},
    Column{"done", "DONE", "tasks", 8, Align::right, true, "done", "asyncleak_tasks",
           "of the tasks, those that have finished and are still held by somebody, at the last census",
           [](Site row, Owner) { return text_of(row.done, format_count); },
           [](Site row, Owner) { return number_of(row.done); },
           [](Process row) { return text_of(row.done, format_count); },
           [](Process row) { return number_of(row.done); }},
    Column{"growth", "+/MIN", "tasks/min", 8, Align::right, true, "growth_per_min", "",
           "how fast the lowest level of outstanding tasks rises; the default order, leaks first, then growing",
           [](Site row, Owner) { return text_of(row.growth_per_min, format_change); },
           [](Site row, Owner) { return growth_value(worst_verdict(row), row.growth_per_min, row.outstanding); },
           process_growth_text, process_growth_value},
    Column{"created_per_s", "NEW/s", "tasks/s", 7, Align::right, true, "created_per_s", "",
           "tasks created per second over the last interval",
           [](Site row, Owner) { return text_of(row.created_per_s, format_rate); },
           [](Site row, Owner) { return number_of(row.created_per_s); },
           [](Process row) { return text_of(row.created_per_s, format_rate); },
           [](Process row) { return number_of(row.created_per_s); }},
    Column{"destroyed_per_s", "END/s", "tasks/s", 7, Align::right, true, "destroyed_per_s", "",
           "tasks destroyed per second over the last interval",
           [](Site row, Owner) { return text_of(row.destroyed_per_s, format_rate); },
           [](Site row, Owner) { return number_of(row.destroyed_per_s); },
           [](Process row) { return text_of(row.destroyed_per_s, format_rate); },
           [](Process row) { return number_of(row.destroyed_per_s); }},
    Column{"oldest", "OLDEST", "s", 8, Align::right, true, "oldest_s", "asyncleak_oldest_task_seconds",
           "age of the oldest outstanding task; > where it is known only roughly", oldest_text,
           [](Site row, Owner) { return number_of(row.oldest_s); }, nullptr, nullptr},
    Column{"median", "AGE p50", "s", 8, Align::right, true, "median_age_s", "", "median age of the outstanding tasks",
           [](Site row, Owner) { return text_of(row.median_age_s, format_duration); },
           [](Site row, Owner) { return number_of(row.median_age_s); }, nullptr, nullptr},
    Column{"bytes", "BYTES", "bytes", 8, Align::right, true, "allocated_bytes", "asyncleak_site_bytes",
           "what the tasks allocated and did not free, with --memory (for a process: its resident memory)", bytes_text,
           [](Site row, Owner) { return number_of(bytes_of(row)); },
           [](Process row) { return text_of(row.process.rss_bytes, format_bytes); },
           [](Process row) { return number_of(row.process.rss_bytes); }},
    Column{"allocated_growth", "+BYTES/min", "bytes/min", 10, Align::right, true, "allocated_growth_per_min", "",
           "how fast the lowest level of these bytes rises",
           [](Site row, Owner) { return text_of(row.allocated_growth_per_min, format_bytes_change); },
           [](Site row, Owner) { return number_of(row.allocated_growth_per_min); }, nullptr, nullptr},
    Column{"blocks", "BLOCKS", "blocks", 8, Align::right, true, "allocated_blocks", "", "how many allocations they are",
           [](Site row, Owner) { return text_of(blocks_of(row), format_count); },
           [](Site row, Owner) { return number_of(blocks_of(row)); }, nullptr, nullptr},
    Column{"held", "HELD", "bytes", 8, Align::right, true, "held_bytes", "",
           "what they keep alive with their local variables and results, measured on some of them", held_text,
           [](Site row, Owner) { return number_of(row.held_bytes); }, nullptr, nullptr},
    Column{"verdict", "VERDICT", "", 8, Align::left, true, "verdict", "", "new, churn, steady, growing or leak",
           [](Site row, Owner) { return std::string(name_of(worst_verdict(row))); },
           [](Site row, Owner) {
             return SortValue{true, static_cast<double>(worst_verdict(row))};
           },
           [](Process row) { return std::string(is_observed(row) ? name_of(row.verdict) : unknown_cell); },
           [](Process row) {
             return SortValue{is_observed(row), static_cast<double>(row.verdict)};
           }},
    Column{"confidence", "CONF", "", 4, Align::right, true, "confidence", "",
           "how sure the verdict is: it rises with the time watched",
           [](Site row, Owner) { return text_of(row.confidence, format_confidence); },
           [](Site row, Owner) { return number_of(row.confidence); }, nullptr, nullptr},
    Column{"created_total", "CREATED", "tasks", 8, Align::right, true, "created_total", "asyncleak_tasks_created_total",
           "tasks created since watching began",
           [](Site row, Owner) { return text_of(row.created_total, format_count); },
           [](Site row, Owner) { return number_of(row.created_total); },
           [](Process row) { return text_of(if_observed(row, row.created_total), format_count); },
           [](Process row) { return number_of(if_observed(row, row.created_total)); }},
    Column{"created_at", "CREATED AT", "", 40, Align::left, false, "created_at", "",
           "who creates the tasks: the first frame that is the program's own code; def: where it is defined",
           created_at_text, created_at_value, nullptr, nullptr},
};

// Negative: A first. Unknown last whatever the direction.
int compare(const SortValue& a, const SortValue& b, bool largest_first) {
  if (a.known != b.known) return a.known ? -1 : 1;
  if (!a.known) return 0;
  int order = a.text.compare(b.text);
  if (order == 0 && a.number != b.number) order = a.number < b.number ? -1 : 1;
  return largest_first ? -order : order;
}

const Column& column_or_default(std::string_view id, bool for_processes) {
  const Column* column = find_column(id);
  if (column == nullptr || (for_processes && column->process_sort == nullptr)) column = find_column(default_sort);
  return *column;
}

template <class Row>
struct Keyed {
  const Row* row;
  SortValue value;
  std::uint64_t tie;
};

template <class Row>
std::vector<const Row*> ordered(std::vector<Keyed<Row>>& keyed, bool largest_first) {
  std::sort(keyed.begin(), keyed.end(), [largest_first](const Keyed<Row>& a, const Keyed<Row>& b) {
    const int order = compare(a.value, b.value, largest_first);
    return order != 0 ? order < 0 : a.tie < b.tie;
  });
  std::vector<const Row*> rows;
  rows.reserve(keyed.size());
  for (const auto& entry : keyed) rows.push_back(entry.row);
  return rows;
}

std::string frame_text(std::string_view file, const Frame& frame) {
  std::string text = to_printable(file.empty() ? "?" : file);
  if (frame.line) text += fmt::format(":{}", *frame.line);
  if (!frame.function.empty()) text += " " + to_printable(frame.function);
  return text;
}

}  // namespace

std::span<const Column> columns() { return table; }

const Column* find_column(std::string_view id) {
  const auto found = std::find_if(table.begin(), table.end(), [id](const Column& column) { return column.id == id; });
  return found == table.end() ? nullptr : &*found;
}

bool has_content(const Column& column, const Report& report) {
  if (column.id != "allocated_growth" && column.id != "blocks") return true;
  return std::any_of(report.processes.begin(), report.processes.end(),
                     [](const ProcessRow& row) { return row.allocated_bytes.has_value(); });
}

const ProcessRow* process_of(const Report& report, const SiteRow& row) {
  const pid_t pid = row.identity->pid;
  auto at = std::lower_bound(report.processes.begin(), report.processes.end(), pid,
                             [](const ProcessRow& process, pid_t wanted) { return process.process.pid < wanted; });
  // A reused pid is two rows for one sample: the one that ended and the new one.
  for (; at != report.processes.end() && at->process.pid == pid; ++at) {
    if (at->process.id == row.identity->process) return &*at;
  }
  return nullptr;
}

std::vector<const SiteRow*> sort_rows(const Report& report, std::string_view column_id, bool reversed) {
  const Column& column = column_or_default(column_id, false);
  std::vector<Keyed<SiteRow>> keyed;
  keyed.reserve(report.sites.size());
  for (const SiteRow& row : report.sites) {
    keyed.push_back({&row, column.site_sort(row, process_of(report, row)), row.identity->id});
  }
  return ordered(keyed, column.largest_first != reversed);
}

std::vector<const ProcessRow*> sort_processes(const Report& report, std::string_view column_id, bool reversed) {
  const Column& column = column_or_default(column_id, true);
  std::vector<Keyed<ProcessRow>> keyed;
  keyed.reserve(report.processes.size());
  for (const ProcessRow& row : report.processes) {
    keyed.push_back({&row, column.process_sort(row), static_cast<std::uint64_t>(row.process.pid)});
  }
  return ordered(keyed, column.largest_first != reversed);
}

std::string format_confidence(double confidence) { return fmt::format("{:.0f}%", std::floor(confidence * 100)); }

std::string format_frame(const Frame& frame) { return frame_text(frame.file, frame); }
std::string format_frame_short(const Frame& frame) { return frame_text(base_name(frame.file), frame); }

std::string definition_of(const SiteRow& row, bool brief) {
  const SiteIdentity& identity = *row.identity;
  if (!row.by_census || identity.file.empty()) return "";
  const Frame place{"", identity.file, identity.line};
  return "def " + (brief ? format_frame_short(place) : format_frame(place));
}

}  // namespace asyncleak
