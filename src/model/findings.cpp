#include "model/findings.h"

#include "model/user_frame.h"
#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <limits>

namespace asyncleak {
namespace {

std::string place_of(const SiteIdentity& identity) {
  const Frame* frame = user_frame(identity);
  if (frame == nullptr) return "creator not known";
  std::string text = fmt::format("created at {}", to_printable(base_name(frame->file)));
  if (frame->line) text += fmt::format(":{}", *frame->line);
  if (!frame->function.empty()) text += " in " + to_printable(frame->function);
  return text;
}

std::string why_growing(const SiteRow& site, const Trend& trend, const std::optional<Survival>& survival) {
  std::string text;
  if (survival && survival->created > 0) {
    text = fmt::format("{} of {} tasks created in the last {} still exist", survival->alive, survival->created,
                       format_duration(survival->seconds));
  } else {
    text = fmt::format("{} tasks exist", site.outstanding);
  }
  text += fmt::format("; {}/min over {}", format_change(trend.growth_per_min), format_duration(trend.window_s));
  if (site.oldest_s) {
    text += fmt::format("; oldest {}{}", site.oldest_at_least ? "over " : "", format_duration(*site.oldest_s));
  }
  return text + "; " + place_of(*site.identity);
}

Finding process_finding(std::string_view kind, const ProcessRow& process, double since_s) {
  Finding finding;
  finding.kind = kind;
  finding.severity = Severity::warning;
  finding.pid = process.process.pid;
  finding.outstanding = process.outstanding;
  finding.growth_per_min = process.growth_per_min;
  finding.bytes = process.process.rss_bytes;
  finding.since_s = since_s;
  return finding;
}

}  // namespace

Finding task_leak(const SiteRow& site, const Trend& trend, const std::optional<Survival>& survival, double since_s) {
  Finding finding;
  finding.kind = "task-leak";
  finding.severity = site.verdict == Verdict::leak ? Severity::leak : Severity::warning;
  finding.pid = site.identity->pid;
  finding.coroutine = site.identity->coroutine;
  finding.file = site.identity->file;
  finding.line = site.identity->line;
  finding.created_at = site.identity->created_at;
  finding.outstanding = site.outstanding;
  finding.bytes = site.bytes;
  finding.growth_per_min = site.growth_per_min;
  finding.since_s = since_s;
  finding.why = why_growing(site, trend, survival);
  return finding;
}

bool is_overloaded(const ProcessRow& process, const Policy& policy) { return process.outstanding > policy.warn_tasks; }

Finding overload(const ProcessRow& process, const Policy& policy, double since_s) {
  Finding finding = process_finding("overload", process, since_s);
  finding.why = fmt::format("{} tasks exist in {}; the limit is {}", process.outstanding,
                            to_printable(process.process.comm), policy.warn_tasks);
  return finding;
}

bool has_rss_growth(const ProcessRow& process, const Policy& policy) {
  if (!process.process.rss_bytes || !process.rss_baseline_bytes) return false;
  return static_cast<double>(*process.process.rss_bytes) >
         static_cast<double>(*process.rss_baseline_bytes) * (1 + policy.warn_rss_percent / 100);
}

Finding rss_growth(const ProcessRow& process, const Policy& policy, double since_s) {
  Finding finding = process_finding("rss-growth", process, since_s);
  const auto baseline = static_cast<double>(std::max<std::uint64_t>(1, *process.rss_baseline_bytes));
  const double percent = 100 * (static_cast<double>(*process.process.rss_bytes) / baseline - 1);
  finding.why = fmt::format("resident memory of {} rose from {} to {}, {:.0f}% over the baseline; the limit is {:.0f}%",
                            to_printable(process.process.comm), format_bytes(*process.rss_baseline_bytes),
                            format_bytes(*process.process.rss_bytes), percent, policy.warn_rss_percent);
  return finding;
}

void sort_findings(std::vector<Finding>& findings) {
  const auto growth = [](const Finding& f) { return f.growth_per_min.value_or(-std::numeric_limits<double>::max()); };
  std::stable_sort(findings.begin(), findings.end(), [&growth](const Finding& a, const Finding& b) {
    if (a.severity != b.severity) return a.severity > b.severity;
    if (growth(a) != growth(b)) return growth(a) > growth(b);
    return a.outstanding.value_or(0) > b.outstanding.value_or(0);
  });
}

}  // namespace asyncleak
