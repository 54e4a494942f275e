#include "model/findings.h"

#include "model/byte_ages.h"
#include "model/memory_growth.h"
#include "model/site_kind.h"
#include "model/user_frame.h"
#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <limits>

namespace asyncleak {
namespace {

std::string_view kind_of_accumulation(const SiteRow& site, Accumulating what) {
  switch (kind_of(*site.identity)) {
    case SiteKind::coroutine:
      return "coroutine-leak";
    case SiteKind::asyncgen:
      return "asyncgen-leak";
    case SiteKind::timer:
      return "timer-leak";
    case SiteKind::transport:
      return "transport-leak";
    case SiteKind::alloc:
      return "memory-growth";
    case SiteKind::task:
      break;
  }
  if (what == Accumulating::done) return "done-held";
  return what == Accumulating::cancel_requested ? "cancel-ignored" : "task-leak";
}

std::string line_of(const std::string& file, std::optional<int> line) {
  const auto name = to_printable(base_name(file));
  return line ? fmt::format("{}:{}", name, *line) : name;
}

std::string defined_at(const SiteIdentity& identity) {
  return identity.file.empty() ? "" : "defined at " + line_of(identity.file, identity.line);
}

std::string place_of(const SiteRow& site) {
  const SiteIdentity& identity = *site.identity;
  if (const Frame* frame = user_frame(identity)) {
    std::string text = "created at " + line_of(frame->file, frame->line);
    return frame->function.empty() ? text : text + " in " + to_printable(frame->function);
  }
  return site.by_census ? defined_at(identity) : "creator not known";
}

std::string count_of(const SiteRow& site, const Evidence& evidence) {
  const auto& survival = evidence.survival;
  if (evidence.what == Accumulating::done) {
    return fmt::format("{} of {} tasks have finished and are still held", *site.done, *site.pending + *site.done);
  }
  if (evidence.what == Accumulating::cancel_requested) {
    return fmt::format("{} of {} pending tasks go on although they were cancelled", *site.cancel_requested,
                       *site.pending);
  }
  if (survival && survival->created > 0) {
    return fmt::format("{} of {} tasks created in the last {} still exist", survival->alive, survival->created,
                       format_duration(survival->seconds));
  }
  return count_in_words(kind_of(*site.identity), site.outstanding);
}

std::string why_growing(const SiteRow& site, const Evidence& evidence) {
  std::string text = count_of(site, evidence);
  text += fmt::format("; {}/min over {}", format_change(evidence.trend.growth_per_min),
                      format_duration(evidence.trend.window_s));
  if (site.oldest_s) {
    text += fmt::format("; oldest {}{}", site.oldest_at_least ? "over " : "", format_duration(*site.oldest_s));
  }
  if (site.buffered_bytes.value_or(0) > 0)
    text += fmt::format("; {} to be written", format_bytes(*site.buffered_bytes));
  if (site.held) text += fmt::format("; they keep {} alive", format_bytes(*site.held_bytes));
  if (const std::string place = place_of(site); !place.empty()) text += "; " + place;
  if (!site.holders.empty()) text += "; held by " + to_printable(site.holders.front());
  return text;
}

// "by `worker`"; the code outside any callback has no name of its own, only "(outside the event loop)".
std::string allocator_of(const SiteIdentity& identity) {
  std::string name = to_printable(identity.coroutine);
  if (name.size() > 2 && name.front() == '(' && name.back() == ')') return name.substr(1, name.size() - 2);
  return fmt::format("by `{}`", name);
}

std::string why_allocated_grows(const SiteRow& site, const AllocationEvidence& evidence) {
  const SiteAllocations& allocations = *site.allocations;
  constexpr double minute_s = 60;
  const std::uint64_t old = bytes_older_than(allocations.cohorts, evidence.old_s, evidence.now_ns);
  std::string text = fmt::format("{}{} allocated {} are not freed, {}/min over {}; {} of it older than {}",
                                 allocations.untracked_blocks > 0 ? "at least " : "", format_bytes(allocations.bytes),
                                 allocator_of(*site.identity), format_bytes_change(evidence.trend.growth_per_min),
                                 format_duration(evidence.trend.window_s), format_bytes(old),
                                 evidence.old_s < minute_s ? format_duration(evidence.old_s) : "a minute");
  if (!allocations.lines.empty() && !allocations.lines.front().file.empty()) {
    text += "; most at " + line_of(allocations.lines.front().file, allocations.lines.front().line);
  }
  // Who created the task matters less here than where it allocates.
  const SiteIdentity& identity = *site.identity;
  const std::string place = identity.created_at.empty() ? defined_at(identity) : place_of(site);
  return place.empty() ? text : text + "; " + place;
}

Finding site_finding(std::string_view kind, const SiteRow& site, Verdict verdict, double since_s) {
  Finding finding;
  finding.kind = kind;
  finding.severity = verdict == Verdict::leak ? Severity::leak : Severity::warning;
  finding.pid = site.identity->pid;
  finding.coroutine = site.identity->coroutine;
  finding.file = site.identity->file;
  finding.line = site.identity->line;
  finding.created_at = site.identity->created_at;
  finding.outstanding = site.outstanding;
  finding.growth_per_min = site.growth_per_min;
  finding.since_s = since_s;
  return finding;
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

Finding accumulation(const SiteRow& site, const Evidence& evidence) {
  Finding finding = site_finding(kind_of_accumulation(site, evidence.what), site, site.verdict, evidence.since_s);
  finding.bytes = site.bytes ? site.bytes : site.held_bytes;
  finding.why = why_growing(site, evidence);
  return finding;
}

Finding allocation_growth(const SiteRow& site, const AllocationEvidence& evidence) {
  Finding finding = site_finding("memory-growth", site, site.allocated_verdict, evidence.since_s);
  finding.bytes = site.allocated_bytes;
  finding.allocated_growth_per_min = site.allocated_growth_per_min;
  finding.why = why_allocated_grows(site, evidence);
  return finding;
}

bool is_overloaded(const ProcessRow& process, const Policy& policy) {
  return process.pending.value_or(process.outstanding) > policy.warn_tasks;
}

Finding overload(const ProcessRow& process, const Policy& policy, double since_s) {
  Finding finding = process_finding("overload", process, since_s);
  finding.why = fmt::format("{} tasks {} {}; the limit is {}", process.pending.value_or(process.outstanding),
                            process.pending ? "are pending in" : "exist in", to_printable(process.process.comm),
                            policy.warn_tasks);
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
  if (!process.memory_baseline || !process.process.memory) return finding;
  const std::string growth = memory_growth(*process.memory_baseline, *process.process.memory);
  if (!growth.empty()) finding.why += "; " + growth;
  return finding;
}

Finding never_awaited(const ProcessRow& process, const NeverAwaited& coroutines, std::optional<double> growth_per_min,
                      double since_s) {
  Finding finding;
  finding.kind = "never-awaited";
  finding.pid = process.process.pid;
  finding.coroutine = coroutines.coroutine;
  finding.file = coroutines.file;
  finding.line = coroutines.line;
  finding.growth_per_min = growth_per_min;
  finding.since_s = since_s;
  const std::string name = to_printable(coroutines.coroutine);
  finding.why =
      coroutines.count == 1
          ? fmt::format("1 coroutine `{}` was destroyed without ever having been awaited", name)
          : fmt::format("{} coroutines `{}` were destroyed without ever having been awaited", coroutines.count, name);
  if (growth_per_min) finding.why += fmt::format("; {}/min", format_change(*growth_per_min));
  if (!coroutines.file.empty()) finding.why += "; defined at " + line_of(coroutines.file, coroutines.line);
  return finding;
}

void sort_findings(std::vector<Finding>& findings) {
  const auto growth = [](const Finding& f) {
    const auto& value = f.allocated_growth_per_min ? f.allocated_growth_per_min : f.growth_per_min;
    return value.value_or(-std::numeric_limits<double>::max());
  };
  std::stable_sort(findings.begin(), findings.end(), [&growth](const Finding& a, const Finding& b) {
    if (a.severity != b.severity) return a.severity > b.severity;
    // Bytes first: who has allocations counted is looking for memory, and bytes do not compare with counts.
    if (a.allocated_growth_per_min.has_value() != b.allocated_growth_per_min.has_value()) {
      return a.allocated_growth_per_min.has_value();
    }
    if (growth(a) != growth(b)) return growth(a) > growth(b);
    return a.outstanding.value_or(0) > b.outstanding.value_or(0);
  });
}

}  // namespace asyncleak
