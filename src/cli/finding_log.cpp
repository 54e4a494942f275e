#include "cli/finding_log.h"

#include "model/why.h"
#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <utility>

namespace asyncleak::cli {

namespace {

// Each time: a log is read by people, and a thousand coroutines that overload at once are one event.
constexpr std::size_t most_lines = 20;

// Name and PID, and the service it belongs to: "python3[4242] (shop.service)".
std::string process_text(const Report& report, pid_t pid) {
  const auto row = std::ranges::find_if(report.processes, [&](const auto& each) { return each.process.pid == pid; });
  if (row == report.processes.end()) return fmt::format("PID {}", pid);
  const auto& process = row->process;
  const std::string& home = process.container.empty() ? process.unit : process.container;
  return fmt::format("{}[{}]{}", process.comm, pid, home.empty() ? "" : fmt::format(" ({})", home));
}

std::string subject_of(const Report& report, const Finding& finding) {
  const std::string place = place_in_words(finding.file, finding.line);
  return fmt::format("{} in {}{}{}{}{}", finding.kind, process_text(report, finding.pid),
                     finding.coroutine.empty() ? "" : ": ", finding.coroutine, place.empty() ? "" : " at ", place);
}

LogLine begun(const Finding& finding, const std::string& subject) {
  const bool leak = finding.severity == Severity::leak;
  return {leak ? Level::warning : Level::notice,
          fmt::format("{}: {}: {}{}{}", name_of(finding.severity), subject, finding.why,
                      finding.hint.empty() ? "" : "; hint: ", finding.hint)};
}

void shorten(std::vector<LogLine>& lines) {
  if (lines.size() <= most_lines) return;
  const std::size_t more = lines.size() - most_lines;
  lines.resize(most_lines);
  lines.push_back({Level::notice, fmt::format("and {} more findings that began or ended", more)});
}

}  // namespace

std::vector<LogLine> FindingLog::update(const Report& report) {
  std::vector<LogLine> lines;
  std::map<FindingKey, Standing> now;
  for (const auto& finding : report.findings) {
    const auto [entry, added] = now.try_emplace(key_of(finding), Standing{finding.severity, "", finding.since_s});
    if (!added) continue;
    Standing& current = entry->second;
    current.subject = subject_of(report, finding);
    const auto before = standing_.find(entry->first);
    if (before == standing_.end() || before->second.severity < current.severity) {
      lines.push_back(begun(finding, current.subject));
    }
  }
  for (const auto& [key, before] : standing_) {
    if (now.contains(key)) continue;
    lines.push_back({Level::info, fmt::format("ended: {}, after {}", before.subject,
                                              duration_in_words(before.since_s + report.interval_s))});
  }
  standing_ = std::move(now);
  shorten(lines);
  return lines;
}

std::string status_text(const Report& report) {
  const auto leaks = std::ranges::count(report.findings, Severity::leak, &Finding::severity);
  const auto warnings = report.findings.size() - static_cast<std::size_t>(leaks);
  return fmt::format("{}, {}, {}, {}, {} lost", format_counted(report.processes.size(), "process"),
                     format_counted(report.sites.size(), "site"),
                     format_counted(static_cast<std::uint64_t>(leaks), "leak"), format_counted(warnings, "warning"),
                     format_counted(report.dropped_total, "event"));
}

}  // namespace asyncleak::cli
