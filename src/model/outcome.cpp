#include "model/outcome.h"

#include <algorithm>
#include <set>

namespace asyncleak {
namespace {

// From the last look at a living process to the news of its end: the loop cancels what is left and closes, the
// interpreter finalises. Longer, and the tasks ended before the program did.
constexpr std::int64_t least_grace_ns = 2'000'000'000;

// A PID that is used again lives.
std::set<pid_t> ended_in(const Report& report) {
  std::set<pid_t> pids;
  for (const ProcessRow& row : report.processes) {
    if (row.process.ended) pids.insert(row.process.pid);
  }
  for (const ProcessRow& row : report.processes) {
    if (!row.process.ended) pids.erase(row.process.pid);
  }
  return pids;
}

// A finding that is worth less is given up first.
bool worth_less(const PastFinding& a, const PastFinding& b) {
  return std::tuple(a.standing, a.finding.severity, a.last_ns) < std::tuple(b.standing, b.finding.severity, b.last_ns);
}

}  // namespace

void Outcome::add(const Report& report) {
  if (!any_) {
    first_wall_ns_ = report.wall_ns;
    first_ns_ = report.monotonic_ns;
    any_ = true;
  }
  const std::int64_t interval_ns = report.monotonic_ns - std::max(last_ns_, first_ns_);
  last_wall_ns_ = report.wall_ns;
  last_ns_ = report.monotonic_ns;
  for (const Finding& finding : report.findings) {
    const auto [entry, fresh] = all_.try_emplace(key_of(finding));
    PastFinding& past = entry->second;
    if (fresh) {
      past.first_wall_ns = report.wall_ns;
      past.first_ns = report.monotonic_ns;
    }
    past.finding = finding;
    past.last_wall_ns = report.wall_ns;
    past.last_ns = report.monotonic_ns;
  }
  update_standing(report, std::max(least_grace_ns, interval_ns + interval_ns / 2));
  while (all_.size() > limit_) forget_the_least();
}

void Outcome::update_standing(const Report& report, std::int64_t grace_ns) {
  const std::set<pid_t> ended = ended_in(report);
  std::erase_if(ended_ns_, [&](const auto& earlier) { return !ended.contains(earlier.first); });
  for (const pid_t pid : ended) ended_ns_.try_emplace(pid, report.monotonic_ns);
  for (auto& [key, past] : all_) {
    const auto its_end = ended_ns_.find(past.finding.pid);
    past.standing =
        its_end == ended_ns_.end() ? past.last_ns == report.monotonic_ns : past.last_ns >= its_end->second - grace_ns;
  }
}

void Outcome::forget_the_least() {
  const auto least = std::min_element(all_.begin(), all_.end(),
                                      [](const auto& a, const auto& b) { return worth_less(a.second, b.second); });
  all_.erase(least);
  ++left_out_;
}

std::vector<PastFinding> Outcome::findings() const {
  std::vector<PastFinding> sorted;
  sorted.reserve(all_.size());
  for (const auto& [key, past] : all_) sorted.push_back(past);
  std::stable_sort(sorted.begin(), sorted.end(), [](const PastFinding& a, const PastFinding& b) {
    if (a.standing != b.standing) return a.standing;
    if (a.finding.severity != b.finding.severity) return a.finding.severity > b.finding.severity;
    return a.first_ns < b.first_ns;
  });
  return sorted;
}

}  // namespace asyncleak
