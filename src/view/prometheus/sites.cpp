#include "view/prometheus/sites.h"

#include "view/columns.h"
#include "view/prometheus/labels.h"

#include <fmt/format.h>
#include <algorithm>
#include <unordered_set>

namespace asyncleak {
namespace {

Worth worth_of_tasks(const SiteRow& row) {
  return {row.verdict == Verdict::leak, row.outstanding, row.growth_per_min.value_or(0)};
}
Worth worth_of_bytes(const SiteRow& row) {
  return {row.allocated_verdict == Verdict::leak, *row.allocated_bytes, row.allocated_growth_per_min.value_or(0)};
}

bool is_observed(const ProcessRow* process) { return process == nullptr || process->process.tasks != Coverage::none; }

}  // namespace

struct MetricSites::Families {
  Family tasks{"asyncleak_tasks", "gauge",
               "Task objects that exist, by state; outstanding where the state is not known."};
  Family created{"asyncleak_tasks_created_total", "counter", "Tasks created since watching began."};
  Family destroyed{"asyncleak_tasks_destroyed_total", "counter", "Tasks destroyed since watching began."};
  Family lost{"asyncleak_tasks_destroyed_pending_total", "counter",
              "Tasks destroyed before they finished, since watching began."};
  Family slow{"asyncleak_slow_steps_total", "counter",
              "Steps of tasks that held their event loop for longer than --slow-step."};
  Family bytes{"asyncleak_site_bytes", "gauge",
               "Bytes that a site allocated and did not free, by the mode of counting."};
  Family oldest{"asyncleak_oldest_task_seconds", "gauge", "Age of the oldest outstanding task.",
                Family::Merge::maximum};

  // States are as old as the last look at memory, the number is of now, and it is what the sum must be: what has come
  // since has no known state, and who has gone since is taken to be of those that had finished.
  void add_states(const SiteRow& row, const std::string& labels) {
    if (!row.pending || !row.done) return tasks.add(labels + ",state=\"outstanding\"", row.outstanding);
    const std::uint64_t pending = std::min(*row.pending, row.outstanding);
    const std::uint64_t done = std::min(*row.done, row.outstanding - pending);
    tasks.add(labels + ",state=\"pending\"", pending);
    tasks.add(labels + ",state=\"done\"", done);
    const std::uint64_t others = row.outstanding - pending - done;
    if (others > 0) tasks.add(labels + ",state=\"outstanding\"", others);
  }
  void add_gauges(const SiteRow& row, const std::string& labels) {
    add_states(row, labels);
    if (row.oldest_s) oldest.add(labels, *row.oldest_s);
  }
  void add_counters(const SiteCounts& counts, const std::string& labels) {
    Family* const families[] = {&created, &destroyed, &lost, &slow};  // as SiteCounts
    for (std::size_t i = 0; i < counts.size(); ++i) {
      if (counts[i]) families[i]->add(labels, *counts[i]);
    }
  }
  void write(std::string& out) const {
    for (const Family* family : {&tasks, &created, &destroyed, &lost, &slow, &bytes, &oldest}) family->write(out);
  }
};

MetricSites::MetricSites(const PrometheusOptions& options)
    : task_places_({options.sites_per_process, options.task_bytes}),
      byte_places_({options.sites_per_process, options.block_bytes}) {}

const std::string& MetricSites::own_labels(const SiteIdentity& site) {
  std::string& labels = labels_[site.id];
  if (labels.empty()) labels = site_labels(site);
  return labels;
}

// SERIES: that one has at most.
void MetricSites::choose(Places& places, const std::vector<const SiteRow*>& rows, const MetricProcesses& processes,
                         Worth (*worth)(const SiteRow&), std::size_t series) {
  constexpr std::size_t name_and_value = 66;  // the longest: asyncleak_tasks_destroyed_pending_total
  std::vector<Candidate> candidates;
  for (const SiteRow* row : rows) {
    const SiteIdentity& site = *row->identity;
    if (!processes.is_named(site.pid)) continue;
    const std::size_t labels = processes.labels(site.pid).size() + own_labels(site).size();
    candidates.push_back(
        {site.id, static_cast<std::uint64_t>(site.pid), worth(*row), series * (labels + name_and_value)});
  }
  places.assign(candidates);
}

void MetricSites::add_tasks(Families& families, const std::vector<const SiteRow*>& rows,
                            const MetricProcesses& processes) {
  choose(task_places_, rows, processes, worth_of_tasks, 8);
  std::unordered_map<std::uint32_t, pid_t> named;
  for (const SiteRow* row : rows) {
    const SiteIdentity& site = *row->identity;
    const std::string& process = processes.labels(site.pid);
    if (processes.is_named(site.pid)) named.emplace(site.process, site.pid);
    if (task_places_.has(site.id)) {
      const std::string labels = process + "," + own_labels(site);
      families.add_gauges(*row, labels);
      families.add_counters(counters_.own(*row), labels);
      continue;
    }
    families.add_gauges(*row, process + "," + other_sites());
    if (processes.is_named(site.pid)) {
      counters_.count_in_process(*row);
    } else {
      counters_.count_in_all(*row);
    }
  }
  for (const auto& [process, pid] : named) {
    const SiteCounts* others = counters_.others_of(process);
    if (others != nullptr) families.add_counters(*others, processes.labels(pid) + "," + other_sites());
  }
  families.add_counters(counters_.others_of_all(), other_processes() + "," + other_sites());
}

void MetricSites::add_bytes(Families& families, const Report& report, const std::vector<const SiteRow*>& rows,
                            const MetricProcesses& processes) {
  choose(byte_places_, rows, processes, worth_of_bytes, 1);
  for (const SiteRow* row : rows) {
    const SiteIdentity& site = *row->identity;
    const bool own = byte_places_.has(site.id);
    const auto mode = name_of(process_of(report, *row)->process.allocations->mode);
    families.bytes.add(
        fmt::format("{},{},mode=\"{}\"", processes.labels(site.pid), own ? own_labels(site) : other_sites(), mode),
        *row->allocated_bytes);
  }
}

void MetricSites::write(std::string& out, const Report& report, const MetricProcesses& processes) {
  std::vector<const SiteRow*> tasks, allocating;
  std::unordered_set<std::uint64_t> ids;
  for (const SiteRow& row : report.sites) {
    const ProcessRow* process = process_of(report, row);
    ids.insert(row.identity->id);
    if (row.identity->kind == "task" && is_observed(process)) tasks.push_back(&row);
    // Code outside any task allocates, too.
    if (row.allocated_bytes && process != nullptr && process->allocated_bytes) allocating.push_back(&row);
  }
  std::erase_if(labels_, [&](const auto& entry) { return !ids.contains(entry.first); });
  counters_.begin(report);
  Families families;
  add_tasks(families, tasks, processes);
  add_bytes(families, report, allocating, processes);
  families.write(out);
}

}  // namespace asyncleak
