#include "model/findings.h"

#include "model/hints.h"
#include "model/memory_growth.h"
#include "model/site_key.h"
#include "model/site_kind.h"
#include "model/user_frame.h"
#include "model/why.h"
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

Finding site_finding(std::string_view kind, const SiteRow& site, Verdict verdict, double since_s) {
  Finding finding;
  finding.kind = kind;
  finding.severity = verdict == Verdict::leak ? Severity::leak : Severity::warning;
  finding.pid = site.identity->pid;
  finding.coroutine = site.identity->coroutine;
  finding.file = site.identity->file;
  finding.line = site.identity->line;
  finding.created_at = site.identity->created_at;
  if (const Frame* creator = user_frame(*site.identity)) finding.created_in = *creator;
  finding.waiting_at = site.waiting_at;
  if (const Frame* waiting = user_frame(site.waiting_at)) finding.waiting_in = *waiting;
  finding.site = site_key(*site.identity);
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

bool names_own_code(const Finding& finding) {
  const auto is_own = [](const Frame& frame) { return owner_of(frame) <= CodeOwner::typed; };
  return (finding.created_in && is_own(*finding.created_in)) || (finding.waiting_in && is_own(*finding.waiting_in)) ||
         is_own({"", finding.file, finding.line});
}

}  // namespace

Finding accumulation(const SiteRow& site, const Evidence& evidence) {
  Finding finding = site_finding(kind_of_accumulation(site, evidence.what), site, site.verdict, evidence.since_s);
  finding.bytes = site.bytes ? site.bytes : site.held_bytes;
  finding.confidence = site.confidence;
  finding.why = why_accumulating(site, evidence);
  add_hint(finding, site);
  return finding;
}

Finding allocation_growth(const SiteRow& site, const AllocationEvidence& evidence) {
  Finding finding = site_finding("memory-growth", site, site.allocated_verdict, evidence.since_s);
  finding.bytes = site.allocated_bytes;
  finding.allocated_growth_per_min = site.allocated_growth_per_min;
  if (site.identity->blocks) finding.confidence = site.confidence;  // else that is in what the tasks do
  finding.why = why_allocated_grows(site, evidence);
  return finding;
}

std::uint64_t tasks_of(const SiteRow& site) { return site.pending.value_or(site.outstanding); }

Finding buffer_growth(const SiteRow& site, const BufferEvidence& evidence) {
  Finding finding = site_finding("memory-growth", site, evidence.verdict, evidence.since_s);
  finding.bytes = site.buffered_bytes;
  finding.confidence = evidence.confidence;
  finding.why = why_buffered_grows(site, evidence);
  return finding;
}

bool is_overloaded(const ProcessRow& process, const Policy& policy) {
  return process.pending.value_or(process.outstanding) > policy.warn_tasks;
}

Finding overload(const ProcessRow& process, const SiteRow* largest, const Policy& policy, double since_s) {
  Finding finding = process_finding("overload", process, since_s);
  finding.why = fmt::format("{} tasks {} {}, more than {}", format_whole(process.pending.value_or(process.outstanding)),
                            process.pending ? "are pending in" : "exist in", to_printable(process.process.comm),
                            format_whole(policy.warn_tasks));
  if (largest != nullptr) {
    finding.why += fmt::format("; the most: {} `{}`{}", format_whole(tasks_of(*largest)),
                               to_printable(largest->identity->coroutine), place_of(*largest));
  }
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
  finding.why = fmt::format("resident memory of {} rose from {} to {}, {:.0f}% over its baseline (limit {:.0f}%)",
                            to_printable(process.process.comm), format_bytes(*process.rss_baseline_bytes),
                            format_bytes(*process.process.rss_bytes), percent, policy.warn_rss_percent);
  if (!process.memory_baseline || !process.process.memory) return finding;
  const std::string growth = memory_growth(*process.memory_baseline, *process.process.memory);
  if (!growth.empty()) finding.why += "; " + growth;
  return finding;
}

bool has_slow_steps(const SiteRow& site) {
  return site.slow_steps && (site.slow_steps->count > 0 || site.slow_steps->running_ns > 0);
}

Finding slow_step(const SiteRow& site, std::uint64_t threshold_ns, double since_s) {
  const SlowSteps& steps = *site.slow_steps;
  const auto duration = [](std::uint64_t ns) { return format_milliseconds(static_cast<double>(ns) / 1e9); };
  const std::string name = to_printable(site.identity->coroutine);
  Finding finding = site_finding("slow-step", site, Verdict::growing, since_s);
  if (steps.running_ns > 0) {
    finding.why = fmt::format("a step of `{}` has held the loop for {} and goes on", name, duration(steps.running_ns));
  }
  if (steps.count > 0) {
    if (!finding.why.empty()) finding.why += "; before it, ";
    finding.why +=
        steps.count == 1 ? fmt::format("1 step of `{}`", name) : fmt::format("{} steps of `{}`", steps.count, name);
    finding.why += fmt::format(" held the loop for more than {}", duration(threshold_ns));
    finding.why += (steps.count == 1 ? ": " : "; the longest ") + duration(steps.longest_ns);
  }
  const std::string place = place_in_words(site.identity->file, site.identity->line);
  if (!place.empty()) finding.why += "; defined at " + place;
  return finding;
}

// Only what has no reference left is destroyed (by its count, or by the collector): that nobody kept one is shown.
Finding destroyed_pending(const SiteRow& site, double since_s) {
  const std::uint64_t count = *site.destroyed_pending;
  Finding finding = site_finding("destroyed-pending", site, Verdict::growing, since_s);
  const std::string name = to_printable(site.identity->coroutine);
  finding.why = count == 1 ? fmt::format("1 task of `{}`{} was destroyed before it finished", name, place_of(site))
                           : fmt::format("{} tasks of `{}`{} were destroyed before they finished", format_whole(count),
                                         name, place_of(site));
  finding.why += ": nobody kept a reference";
  finding.hint = "keep the task, e.g. in a set with a discard callback";
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
  finding.why = why_never_awaited(coroutines, growth_per_min);
  return finding;
}

void sort_findings(std::vector<Finding>& findings) {
  const auto growth = [](const Finding& f) {
    const auto& value = f.allocated_growth_per_min ? f.allocated_growth_per_min : f.growth_per_min;
    return value.value_or(-std::numeric_limits<double>::max());
  };
  std::stable_sort(findings.begin(), findings.end(), [&growth](const Finding& a, const Finding& b) {
    if (a.severity != b.severity) return a.severity > b.severity;
    // What names the code to change comes before what only says that the process is large.
    if (a.coroutine.empty() != b.coroutine.empty()) return b.coroutine.empty();
    // Bytes first: who has allocations counted is looking for memory, and bytes do not compare with counts.
    if (a.allocated_growth_per_min.has_value() != b.allocated_growth_per_min.has_value()) {
      return a.allocated_growth_per_min.has_value();
    }
    // One forgotten connection is a transport and a task of each library that handles it: the one that names the
    // program's own code says what to change.
    if (names_own_code(a) != names_own_code(b)) return names_own_code(a);
    if (growth(a) != growth(b)) return growth(a) > growth(b);
    return a.outstanding.value_or(0) > b.outstanding.value_or(0);
  });
}

}  // namespace asyncleak
