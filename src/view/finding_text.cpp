#include "view/finding_text.h"

#include "model/why.h"
#include "util/text.h"
#include "view/width.h"

#include <fmt/format.h>

namespace asyncleak {

Role role_of(const Finding& finding) { return finding.severity == Severity::leak ? Role::bad : Role::warn; }

std::string_view word_of(Severity severity) { return severity == Severity::leak ? "LEAK" : "WARNING"; }

std::string standing_text(const Finding& finding) {
  const std::string age = "for " + duration_in_words(finding.since_s);
  return finding.confidence ? fmt::format("{} sure, {}", format_confidence(*finding.confidence), age) : age;
}

std::string hint_text(const Finding& finding) {
  return finding.hint.empty() ? "" : "hint: " + to_printable(finding.hint);
}

std::vector<Line> banner_lines(const Report& report, const Finding& finding, int width, BannerLimits limits) {
  constexpr int beside_subject = 20;  // "WARNING", the pid: a long name leaves them on its line
  const std::string subject =
      cut_left(to_printable(finding.coroutine.empty() ? finding.kind : finding.coroutine), width - beside_subject);
  const std::string pid = report.processes.size() > 1 ? fmt::format(" (pid {})", finding.pid) : "";
  const std::string text = fmt::format("{} {}{}: {}", word_of(finding.severity), subject, pid, finding.why);
  std::vector<Line> lines;
  for (auto& line : wrap(text, width, limits.max_lines)) lines.push_back({{std::move(line), role_of(finding)}});
  const bool fits = static_cast<int>(lines.size()) < limits.max_lines + (limits.more ? 1 : 0);
  if (const std::string hint = hint_text(finding); fits && !lines.empty() && !hint.empty()) {
    lines.push_back({{cut_right(hint, width), Role::strong}});
  }
  return lines;
}

void add_finding(std::vector<Line>& lines, const Finding& finding, int width) {
  constexpr int most_lines = 5, most_hint_lines = 3;
  const std::string text = fmt::format("{}, {}: {}", finding.kind, standing_text(finding), finding.why);
  for (auto& line : wrap(text, width, most_lines)) lines.push_back({{std::move(line), role_of(finding)}});
  if (finding.hint.empty()) return;
  for (auto& line : wrap(hint_text(finding), width, most_hint_lines)) {
    lines.push_back({{std::move(line), Role::strong}});
  }
}

}  // namespace asyncleak
