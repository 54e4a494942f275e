#include "model/site_key.h"
#include "model/site_kind.h"
#include "util/text.h"
#include "view/allocation_text.h"
#include "view/finding_text.h"
#include "view/graph.h"
#include "view/page_parts.h"
#include "view/rows.h"
#include "view/trust.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace asyncleak {
namespace {

template <class T, class Format>
std::string or_unknown(const std::optional<T>& value, Format format) {
  return value ? format(*value) : std::string(unknown_cell);
}

void add_identity(std::vector<Line>& lines, const SiteRow& site, const ProcessRow* process, int width) {
  constexpr int verdict_width = 14;  // with its gap and "100%"
  const std::string sure = site.confidence ? " " + format_confidence(*site.confidence) : "";
  const SiteIdentity& identity = *site.identity;
  lines.push_back({{cut_left(to_printable(identity.coroutine), width - verdict_width), Role::strong},
                   {"  "},
                   {std::string(name_of(worst_verdict(site))) + sure, role_of(worst_verdict(site))}});
  if (!identity.file.empty()) {
    const std::string line = identity.line ? fmt::format(":{}", *identity.line) : "";
    lines.push_back({{fmt::format("defined at {}{}", to_printable(identity.file), line)}});
  }
  if (process == nullptr) return;
  const ProcessSample& sample = process->process;
  lines.push_back({{process_title(sample) + fmt::format(", counts: {}", name_of(sample.tasks))}});
  for (const auto& warning : sample.warnings) lines.push_back({{to_printable(warning), Role::warn}});
}

// Of what the probes see; the census has only a number, and code outside any task only what it allocated.
void add_counts(std::vector<Line>& lines, const SiteRow& site) {
  if (site.identity->blocks) return;
  if (site.by_census) {
    const SiteKind kind = kind_of(*site.identity);
    lines.push_back({{"Count   "},
                     {count_in_words(kind, site.outstanding), Role::header},
                     {", growth "},
                     {or_unknown(site.growth_per_min, format_change), Role::header},
                     {"/min"}});
    return;
  }
  lines.push_back(
      {{"Tasks   "},
       {(site.at_least ? ">=" : "") + format_count(site.outstanding), Role::header},
       {fmt::format(" outstanding of {} created, {} destroyed", or_unknown(site.created_total, format_count),
                    or_unknown(site.destroyed_total, format_count))},
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
}

void add_events(std::vector<Line>& lines, const SiteRow& site, std::uint64_t slow_step_ns) {
  const auto duration = [](std::uint64_t ns) { return format_milliseconds(static_cast<double>(ns) / 1e9); };
  if (site.destroyed_pending.value_or(0) > 0) {
    lines.push_back(
        {{"Lost    "}, {format_whole(*site.destroyed_pending), Role::warn}, {" destroyed before they finished"}});
  }
  if (!site.slow_steps) return;
  const SlowSteps& steps = *site.slow_steps;
  Line line = {{"Steps   "},
               {format_whole(steps.count), steps.count > 0 ? Role::warn : Role::header},
               {" held the loop for more than " + duration(slow_step_ns)}};
  if (steps.count > 0) line.push_back({", the longest " + duration(steps.longest_ns)});
  if (steps.running_ns > 0)
    line.push_back({"; one has for " + duration(steps.running_ns) + " and goes on", Role::warn});
  lines.push_back(std::move(line));
}

void add_states(std::vector<Line>& lines, const SiteRow& site) {
  if (!site.pending || !site.done) return;
  const auto of_them = [](const std::optional<std::uint64_t>& count, std::string_view what) {
    return count.value_or(0) > 0 ? fmt::format(", {} {}", format_whole(*count), what) : "";
  };
  lines.push_back({{"States  "},
                   {format_whole(*site.pending), Role::header},
                   {" pending"},
                   {of_them(site.cancel_requested, "of them cancelled and still alive"), Role::warn},
                   {"; "},
                   {format_whole(*site.done), Role::header},
                   {" done" + of_them(site.failed, "failed") + of_them(site.cancelled, "cancelled")}});
}

void add_memory(std::vector<Line>& lines, const SiteRow& site, int width) {
  if (site.bytes) lines.push_back({{fmt::format("Memory  {} of tasks", format_bytes(*site.bytes))}});
  if (site.held) {
    const auto error = static_cast<std::uint64_t>(std::llround(std::max(0.0, site.held->error_bytes)));
    Line line = {{(site.held->at_least ? ">=" : "") + or_unknown(site.held_bytes, format_bytes), Role::header}};
    line.push_back({error > 0 ? fmt::format(" +- {}, estimated from {} of them", format_bytes(error),
                                            format_whole(site.held->measured))
                              : fmt::format(", {} measured", format_whole(site.held->measured))});
    add_labelled(lines, "Holding", line, width);
  }
  if (site.buffered_bytes) {
    lines.push_back({{"Buffers "}, {format_bytes(*site.buffered_bytes), Role::header}, {" wait to be written"}});
  }
  for (const auto& holder : site.holders) add_labelled(lines, "Held by", {{to_printable(holder)}}, width);
}

// Where most of them stand: for a leak, the line that never comes back.
void add_waiting(std::vector<Line>& lines, const SiteRow& site) {
  if (site.waiting_of == 0 && site.waiting_at.empty()) return;
  std::string title = "Waiting at, innermost first";
  if (site.waiting_of > 0) {
    title +=
        fmt::format(" ({} of {} looked at wait here)", format_whole(site.waiting_here), format_whole(site.waiting_of));
  }
  lines.emplace_back();
  lines.push_back({{title, Role::title}});
  if (site.waiting_at.empty()) lines.push_back({{"  nowhere: not started, running or finished", Role::dim}});
  add_frames(lines, site.waiting_at, "  ");
}

void add_findings(std::vector<Line>& lines, const Report& report, const SiteIdentity& identity, int width) {
  const std::string key = site_key(identity);
  for (const Finding& finding : report.findings) {
    if (finding.pid == identity.pid && finding.site == key) add_finding(lines, finding, width);
  }
}

void add_stack(std::vector<Line>& lines, const SiteIdentity& identity) {
  lines.emplace_back();
  lines.push_back({{"Created by, innermost first", Role::title}});
  if (identity.created_at.empty()) lines.push_back({{"  not known", Role::dim}});
  add_frames(lines, identity.created_at, "  ");
  if (identity.stack_cut) lines.push_back({{"  ... (--stack-depth)", Role::dim}});
}

// Seconds below which an age belongs to the class of that label.
constexpr std::array<double, age_labels.size()> age_bounds_s = {
    1, 10, 60, 600, 3600, 21600, 86400, std::numeric_limits<double>::infinity()};

// A cohort counts with the age of its middle: it is a span of births, not one.
void add_ages(std::vector<Line>& lines, const Report& report, const SiteRow& site, int width, bool ascii) {
  if (site.cohorts.empty()) return;
  std::array<std::uint64_t, age_bounds_s.size()> counts{};
  for (const Cohort& cohort : site.cohorts) {
    const auto born = static_cast<double>(std::midpoint(cohort.born_from_ns, cohort.born_to_ns));
    const double age_s = std::max(0.0, (static_cast<double>(report.monotonic_ns) - born) / 1e9);
    const auto* const bound = std::upper_bound(age_bounds_s.begin(), age_bounds_s.end(), age_s);
    counts.at(static_cast<std::size_t>(bound - age_bounds_s.begin())) += cohort.count;
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
    lines.push_back(
        {{align_right(age_labels.at(i), label_width) + align_right(format_count(counts.at(i)), count_width) + " "},
         {bar(static_cast<double>(counts.at(i)), most, width - label_width - count_width - 1, ascii),
          Role::sparkline}});
  }
}

}  // namespace

std::vector<Line> site_lines(const Report& report, const UiState& ui, Size size) {
  const SiteRow* site = selected_site(report, ui);
  if (site == nullptr) return {{{"This site is gone: its process has ended. Esc goes back.", Role::warn}}};
  const ProcessRow* process = process_of(report, *site);
  std::vector<Line> lines;
  add_identity(lines, *site, process, size.columns);
  add_counts(lines, *site);
  add_states(lines, *site);
  add_events(lines, *site, report.probes.slow_step_ns);
  add_memory(lines, *site, size.columns);
  if (process != nullptr && process->process.census && !site->identity->blocks) {
    add_labelled(lines, "Census", census_line(process->process, report.monotonic_ns), size.columns);
  }
  add_findings(lines, report, *site->identity, size.columns);
  add_waiting(lines, *site);
  if (!site->by_census) add_stack(lines, *site->identity);
  const bool by_line = process != nullptr && process->process.allocations && process->process.allocations->lines;
  add_allocated(lines, *site, by_line, report.monotonic_ns, size.columns, ui.ascii);
  add_ages(lines, report, *site, size.columns, ui.ascii);
  const int headings = 2;
  const std::string_view title =
      site->identity->blocks ? "Blocks not freed, newest at the right" : "Outstanding, newest at the right";
  add_history(lines, title, site->history, size.columns, size.rows - static_cast<int>(lines.size()) - headings,
              ui.ascii);
  return lines;
}

}  // namespace asyncleak
