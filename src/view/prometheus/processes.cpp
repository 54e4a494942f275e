#include "view/prometheus/processes.h"

#include "view/prometheus/labels.h"

#include <fmt/format.h>
#include <unordered_set>

namespace asyncleak {
namespace {

std::string info_labels(const ProcessSample& process, const std::string& labels) {
  const ContainerFacts& inside = process.inside;
  const std::string inner_pid = inside.pid ? fmt::format("{}", *inside.pid) : "";
  return fmt::format("{},{},{},{},{},{},{}", labels, label("runtime", inside.runtime, LabelLimits::other),
                     label("pod", inside.pod, LabelLimits::pod), label("pod_uid", inside.pod_uid, LabelLimits::other),
                     label("namespace", inside.pod_namespace, LabelLimits::pod),
                     label("container_pid", inner_pid, LabelLimits::other),
                     label("python", process.python, LabelLimits::other));
}

// All its series at most: five of its own, one of them longer, and eight of what is "other" in it.
std::size_t most_bytes(const ProcessSample& process, const std::string& labels) {
  constexpr std::size_t series = 13, name_and_value = 70, other_labels = 60;
  return series * (labels.size() + name_and_value) + 8 * other_labels + info_labels(process, "").size();
}

}  // namespace

void MetricProcesses::assign(const Report& report) {
  std::unordered_map<pid_t, std::string> labels;
  std::unordered_map<pid_t, Candidate> candidates;
  const auto add = [&](pid_t pid, const ProcessSample& process, const Worth& worth) {
    auto [at, is_new] = labels.try_emplace(pid, process_labels(pid, &process));
    if (!is_new) return;
    const auto key = static_cast<std::uint64_t>(pid);
    candidates[pid] = {key, key, worth, most_bytes(process, at->second)};
  };
  for (const ProcessRow& row : report.processes) {
    add(row.process.pid, row.process, {row.verdict == Verdict::leak, row.outstanding, row.growth_per_min.value_or(0)});
  }
  // Of a process that is known by its tasks alone.
  for (const SiteRow& row : report.sites) add(row.identity->pid, ProcessSample{}, {});
  std::vector<Candidate> all;
  all.reserve(candidates.size());
  for (const auto& [pid, candidate] : candidates) all.push_back(candidate);
  places_.assign(all);
  std::erase_if(labels, [this](const auto& entry) { return !is_named(entry.first); });
  labels_ = std::move(labels);
}

const std::string& MetricProcesses::labels(pid_t pid) const {
  static const std::string others = other_processes();
  const auto own = labels_.find(pid);
  return own != labels_.end() ? own->second : others;
}

void MetricProcesses::write(std::string& out, const Report& report) const {
  Family info{"asyncleak_process_info", "gauge", "Where a process runs, to be joined with other metrics; always 1."};
  Family started{"asyncleak_process_start_time_seconds", "gauge", "When the process was started, Unix time.",
                 Family::Merge::minimum};
  Family resident{"asyncleak_process_resident_bytes", "gauge", "Resident memory of the process."};
  Family ready{"asyncleak_loop_ready", "gauge", "Callbacks that the process's event loops will run next."};
  Family timers{"asyncleak_loop_timers", "gauge", "Callbacks scheduled for later in the process's event loops."};
  Family counted{"asyncleak_processes", "gauge", "Python processes, by how completely their tasks are counted."};
  for (const auto coverage : {Coverage::exact, Coverage::since_attach, Coverage::at_least, Coverage::none}) {
    counted.add(label("coverage", name_of(coverage), LabelLimits::other), std::uint64_t{0});
  }
  std::unordered_set<pid_t> written;
  for (const ProcessRow& row : report.processes) {
    const ProcessSample& process = row.process;
    if (process.ended || !written.insert(process.pid).second) continue;
    counted.add(label("coverage", name_of(process.tasks), LabelLimits::other), std::uint64_t{1});
    const std::string& own = labels(process.pid);
    if (is_named(process.pid)) {
      info.add(info_labels(process, own), std::uint64_t{1});
      if (process.started_wall_ns) started.add(own, static_cast<double>(*process.started_wall_ns) / 1e9);
    }
    if (process.rss_bytes) resident.add(own, *process.rss_bytes);
    for (const LoopSample& loop : process.loops) {
      if (loop.ready) ready.add(own, *loop.ready);
      if (loop.timers) timers.add(own, *loop.timers);
    }
  }
  for (const Family* family : {&info, &started, &resident, &ready, &timers, &counted}) family->write(out);
}

}  // namespace asyncleak
