#include "view/pages.h"

#include "model/user_frame.h"
#include "util/text.h"
#include "view/graph.h"
#include "view/rows.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

namespace asyncleak {
namespace {

template <class T, class Format>
std::string or_unknown(const std::optional<T>& value, Format format) {
  return value ? format(*value) : std::string(unknown_cell);
}

Role role_of(Verdict verdict) {
  return verdict == Verdict::leak ? Role::bad : verdict == Verdict::growing ? Role::warn : Role::header;
}

void add_identity(std::vector<Line>& lines, const SiteRow& site, const ProcessRow* process, int width) {
  constexpr int verdict_width = 9;  // with its gap
  const SiteIdentity& identity = *site.identity;
  lines.push_back({{cut_left(to_printable(identity.coroutine), width - verdict_width), Role::strong},
                   {"  "},
                   {std::string(name_of(site.verdict)), role_of(site.verdict)}});
  if (!identity.file.empty()) {
    const std::string line = identity.line ? fmt::format(":{}", *identity.line) : "";
    lines.push_back({{fmt::format("defined at {}{}", to_printable(identity.file), line)}});
  }
  if (process == nullptr) return;
  const ProcessSample& sample = process->process;
  std::string text = fmt::format("process {} {}", sample.pid, to_printable(sample.comm));
  if (!sample.python.empty()) text += fmt::format(", Python {}", to_printable(sample.python));
  if (!sample.unit.empty()) text += fmt::format(", {}", to_printable(sample.unit));
  if (!sample.container.empty()) text += fmt::format(", container {}", to_printable(sample.container));
  lines.push_back({{text + fmt::format(", counts: {}", name_of(sample.tasks))}});
  for (const auto& warning : sample.warnings) lines.push_back({{to_printable(warning), Role::warn}});
}

void add_numbers(std::vector<Line>& lines, const SiteRow& site) {
  lines.push_back({{"Tasks   "},
                   {(site.at_least ? ">=" : "") + format_count(site.outstanding), Role::header},
                   {fmt::format(" outstanding of {} created, {} destroyed", format_count(site.created_total),
                                format_count(site.destroyed_total))},
                   {site.preexisting > 0 ? fmt::format(", {} from before", format_count(site.preexisting)) : ""}});
  lines.push_back({{"Rates   "},
                   {or_unknown(site.created_per_s, format_rate), Role::header},
                   {"/s created, "},
                   {or_unknown(site.destroyed_per_s, format_rate), Role::header},
                   {"/s destroyed, growth "},
                   {or_unknown(site.growth_per_min, format_change), Role::header},
                   {"/min"}});
  lines.push_back({{"Ages    oldest "},
                   {(site.oldest_at_least ? ">" : "") + or_unknown(site.oldest_s, format_duration), Role::header},
                   {", median "},
                   {or_unknown(site.median_age_s, format_duration), Role::header}});
  if (!site.bytes && !site.allocated_bytes && !site.held_bytes) return;
  lines.push_back(
      {{fmt::format("Memory  {} of tasks, {} allocated, {} held", or_unknown(site.bytes, format_bytes),
                    or_unknown(site.allocated_bytes, format_bytes), or_unknown(site.held_bytes, format_bytes))}});
}

void add_findings(std::vector<Line>& lines, const Report& report, const SiteIdentity& identity, int width) {
  for (const Finding& finding : report.findings) {
    const bool ours = finding.pid == identity.pid && finding.coroutine == identity.coroutine &&
                      finding.file == identity.file && finding.created_at == identity.created_at;
    if (!ours) continue;
    const Role role = finding.severity == Severity::leak ? Role::bad : Role::warn;
    const std::string text =
        fmt::format("{} since {}: {}", finding.kind, format_duration(finding.since_s), finding.why);
    constexpr int most_lines = 4;
    for (auto& line : wrap(text, width, most_lines)) lines.push_back({{std::move(line), role}});
  }
}

void add_stack(std::vector<Line>& lines, const SiteIdentity& identity) {
  lines.emplace_back();
  lines.push_back({{"Created by, innermost first", Role::title}});
  if (identity.created_at.empty()) lines.push_back({{"  not known", Role::dim}});
  for (const Frame& frame : identity.created_at) {
    const Role role = is_asyncio_file(frame.file) ? Role::dim : Role::strong;
    lines.push_back({{"  " + format_frame(frame), role}});
  }
  if (identity.stack_cut) lines.push_back({{"  ... (--stack-depth)", Role::dim}});
}

struct AgeBucket {
  std::string_view label;
  double below_s;
};
constexpr std::array age_buckets = {
    AgeBucket{"     < 1s", 1},    AgeBucket{"  1s-10s", 10},
    AgeBucket{" 10s-1m", 60},     AgeBucket{"  1m-10m", 600},
    AgeBucket{" 10m-1h", 3600},   AgeBucket{"   1h-6h", 21600},
    AgeBucket{"   6h-1d", 86400}, AgeBucket{"     > 1d", std::numeric_limits<double>::infinity()}};

// A cohort counts with the age of its middle: it is a span of births, not one.
void add_ages(std::vector<Line>& lines, const Report& report, const SiteRow& site, int width, bool ascii) {
  if (site.cohorts.empty()) return;
  std::array<std::uint64_t, age_buckets.size()> counts{};
  for (const Cohort& cohort : site.cohorts) {
    const auto born = static_cast<double>(std::midpoint(cohort.born_from_ns, cohort.born_to_ns));
    const double age_s = std::max(0.0, (static_cast<double>(report.monotonic_ns) - born) / 1e9);
    const auto bucket = std::find_if(age_buckets.begin(), age_buckets.end(),
                                     [age_s](const AgeBucket& each) { return age_s < each.below_s; });
    counts.at(static_cast<std::size_t>(bucket - age_buckets.begin())) += cohort.count;
  }
  const auto most = static_cast<double>(*std::max_element(counts.begin(), counts.end()));
  lines.emplace_back();
  lines.push_back({{"Age of the outstanding tasks", Role::title}});
  constexpr int label_width = 9, count_width = 7;
  const auto filled = [](std::uint64_t count) { return count > 0; };
  const auto first = std::find_if(counts.begin(), counts.end(), filled) - counts.begin();
  const auto end =
      counts.size() - static_cast<std::size_t>(std::find_if(counts.rbegin(), counts.rend(), filled) - counts.rbegin());
  for (auto i = static_cast<std::size_t>(first); i < end; ++i) {
    lines.push_back({{align_right(age_buckets.at(i).label, label_width) +
                      align_right(format_count(counts.at(i)), count_width) + " "},
                     {bar(static_cast<double>(counts.at(i)), most, width - label_width - count_width - 1, ascii),
                      Role::sparkline}});
  }
}

void add_history(std::vector<Line>& lines, const SiteRow& site, int width, int rows, bool ascii) {
  constexpr int least_rows = 3, most_rows = 10, label_width = 8;
  if (site.history.size() < 2 || width <= label_width) return;
  const double most = *std::max_element(site.history.begin(), site.history.end());
  const std::string label = format_count(static_cast<std::uint64_t>(std::max(0.0, most)));
  lines.emplace_back();
  lines.push_back({{"Outstanding, newest at the right", Role::title}});
  bool top = true;
  for (auto& row : graph(site.history, width - label_width, std::clamp(rows, least_rows, most_rows), ascii)) {
    lines.push_back({{align_right(top ? label : "", label_width - 1) + " "}, {std::move(row), Role::sparkline}});
    top = false;
  }
}

}  // namespace

std::vector<Line> site_lines(const Report& report, const UiState& ui, Size size) {
  const SiteRow* site = selected_site(report, ui);
  if (site == nullptr) return {{{"This site is gone: its process has ended. Esc goes back.", Role::warn}}};
  std::vector<Line> lines;
  add_identity(lines, *site, process_of(report, *site), size.columns);
  add_numbers(lines, *site);
  add_findings(lines, report, *site->identity, size.columns);
  add_stack(lines, *site->identity);
  add_ages(lines, report, *site, size.columns, ui.ascii);
  const int headings = 2;
  add_history(lines, *site, size.columns, size.rows - static_cast<int>(lines.size()) - headings, ui.ascii);
  return lines;
}

}  // namespace asyncleak
