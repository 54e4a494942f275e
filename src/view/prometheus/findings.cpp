#include "view/prometheus/findings.h"

#include "model/finding_key.h"
#include "view/prometheus/labels.h"

#include <fmt/format.h>
#include <cmath>
#include <unordered_map>

namespace asyncleak {
namespace {

std::string site_of(const Finding& finding, bool named) {
  if (finding.coroutine.empty()) return R"(coroutine="",site="")";  // of the process
  if (!named) return other_sites();
  return site_labels(identity_of(finding), finding.site);
}

}  // namespace

// The two clocks drift a little: a start that moves by less than a second has not moved.
double MetricFindings::start_of(const std::string& labels, const Finding& finding, std::int64_t wall_ns) const {
  const double start_s = static_cast<double>(wall_ns) / 1e9 - finding.since_s;
  const auto before = starts_.find(labels);
  return before != starts_.end() && std::abs(before->second - start_s) < 1 ? before->second : start_s;
}

void MetricFindings::write(std::string& out, const Report& report, const MetricProcesses& processes) {
  Family standing{"asyncleak_findings", "gauge", "Findings that stand now: 1 each; coroutine=\"other\" is a count."};
  Family started{"asyncleak_finding_start_time_seconds", "gauge",
                 "Since when a finding stands, Unix time; coroutine=\"other\" is the oldest.", Family::Merge::minimum};
  std::unordered_map<pid_t, std::size_t> of_process;
  std::map<std::string, double> starts;
  std::size_t bytes = 0;
  for (const Finding& finding : report.findings) {
    const std::string what = fmt::format(R"(kind="{}",severity="{}",)", finding.kind, name_of(finding.severity));
    const bool named = finding.coroutine.empty() || of_process[finding.pid]++ < per_process_;
    std::string labels = what + processes.labels(finding.pid) + "," + site_of(finding, named);
    constexpr std::size_t names_and_values = 90;
    if (!starts.contains(labels)) bytes += 2 * (labels.size() + names_and_values / 2);
    if (bytes > most_bytes_) labels = what + other_processes() + "," + other_sites();
    const double start_s = start_of(labels, finding, report.wall_ns);
    starts.emplace(labels, start_s);
    standing.add(labels, std::uint64_t{1});
    started.add(labels, start_s);
  }
  starts_ = std::move(starts);
  standing.write(out);
  started.write(out);
}

}  // namespace asyncleak
