#include "view/prometheus.h"

#include "model/site_key.h"
#include "model/user_frame.h"
#include "util/text.h"
#include "view/columns.h"

#include <fmt/format.h>
#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace asyncleak {
namespace {

std::string escape_label(std::string_view raw) {
  std::string out;
  for (const char c : to_utf8(raw)) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '"') {
      out += "\\\"";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

// The user's own place, and of the site's key enough to tell places apart.
std::string labelled(const SiteIdentity& identity, std::string_view key) {
  constexpr std::size_t key_digits = 8;
  const Frame defined{"", identity.file, identity.line};
  const Frame* frame = identity.blocks ? &defined : user_frame(identity);
  std::string place = frame != nullptr && !frame->file.empty() ? std::string(base_name(frame->file)) : "unknown";
  if (frame != nullptr && frame->line) place += fmt::format(":{}", *frame->line);
  return fmt::format("{}#{}", place, key.substr(0, key_digits));
}

std::string label(std::string_view name, std::string_view value) {
  return fmt::format("{}=\"{}\"", name, escape_label(value));
}

// One metric with its samples, in the order they came. A set of labels that comes again is
// added (gauges and counters) or keeps the larger value: duplicates make the whole file invalid.
class Family {
 public:
  enum class Merge { sum, maximum };
  Family(std::string_view name, std::string_view type, std::string_view help, Merge merge = Merge::sum)
      : name_(name), type_(type), help_(help), merge_(merge) {}

  void add(const std::string& labels, std::uint64_t value) { add(labels, {value, 0, true}); }
  void add(const std::string& labels, double value) { add(labels, {0, value, false}); }

  // Nothing at all when there are no samples.
  void write(std::string& out) const {
    if (samples_.empty()) return;
    fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name_, help_, name_, type_);
    for (const auto& [labels, value] : samples_) {
      fmt::format_to(std::back_inserter(out), "{}{}{}{} ", name_, labels.empty() ? "" : "{", labels,
                     labels.empty() ? "" : "}");
      if (value.integral) {
        fmt::format_to(std::back_inserter(out), "{}\n", value.integer);
      } else {
        fmt::format_to(std::back_inserter(out), "{:.3f}\n", value.real);
      }
    }
  }

 private:
  struct Value {
    std::uint64_t integer;  // exact: a double loses counts above 2^53
    double real;
    bool integral;
  };
  void add(const std::string& labels, Value value) {
    const auto [at, is_new] = index_.try_emplace(labels, samples_.size());
    if (is_new) {
      samples_.emplace_back(labels, value);
      return;
    }
    Value& kept = samples_[at->second].second;
    kept.integer = merge_ == Merge::sum ? kept.integer + value.integer : std::max(kept.integer, value.integer);
    kept.real = merge_ == Merge::sum ? kept.real + value.real : std::max(kept.real, value.real);
  }

  std::string_view name_, type_, help_;
  Merge merge_;
  std::vector<std::pair<std::string, Value>> samples_;
  std::unordered_map<std::string, std::size_t> index_;
};

std::string process_labels(pid_t pid, const ProcessSample* process) {
  const auto text = [process](std::string ProcessSample::*member) {
    return process != nullptr ? std::string_view(process->*member) : std::string_view{};
  };
  return fmt::format("{},{},{},{}", label("pid", fmt::format("{}", pid)), label("comm", text(&ProcessSample::comm)),
                     label("unit", text(&ProcessSample::unit)), label("container", text(&ProcessSample::container)));
}

// The metrics that have a series per site.
struct SiteFamilies {
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

  void add(const SiteRow& row, const std::string& labels) {
    if (row.pending && row.done) {
      tasks.add(labels + ",state=\"pending\"", *row.pending);
      tasks.add(labels + ",state=\"done\"", *row.done);
    } else {
      tasks.add(labels + ",state=\"outstanding\"", row.outstanding);
    }
    if (row.created_total) created.add(labels, *row.created_total);
    if (row.destroyed_total) destroyed.add(labels, *row.destroyed_total);
    if (row.destroyed_pending) lost.add(labels, *row.destroyed_pending);
    if (row.slow_steps) slow.add(labels, row.slow_steps->count);
    if (row.oldest_s) oldest.add(labels, *row.oldest_s);
  }

  void write(std::string& out) const {
    for (const Family* family : {&tasks, &created, &destroyed, &lost, &slow, &bytes, &oldest}) family->write(out);
  }
};

bool is_observed(const ProcessRow* process) { return process == nullptr || process->process.tasks != Coverage::none; }

struct Rank {
  std::uint64_t size;
  double growth;
};
Rank rank_of_tasks(const SiteRow& row) { return {row.outstanding, row.growth_per_min.value_or(0)}; }
Rank rank_of_bytes(const SiteRow& row) { return {*row.allocated_bytes, row.allocated_growth_per_min.value_or(0)}; }

// Rows of one process together, the most important first.
void rank_sites(std::vector<const SiteRow*>& rows, Rank (*rank_of)(const SiteRow&)) {
  std::sort(rows.begin(), rows.end(), [rank_of](const SiteRow* a, const SiteRow* b) {
    if (a->identity->pid != b->identity->pid) return a->identity->pid < b->identity->pid;
    const Rank of_a = rank_of(*a), of_b = rank_of(*b);
    if (of_a.size != of_b.size) return of_a.size > of_b.size;
    return of_a.growth != of_b.growth ? of_a.growth > of_b.growth : a->identity->id < b->identity->id;
  });
}

// The labels of each of the ranked ROWS; beyond the first of a process they are those of the rest.
template <class Use>
void with_labels(const Report& report, const std::vector<const SiteRow*>& rows, std::size_t per_process, Use use) {
  pid_t pid = 0;
  std::size_t rank = 0;
  for (const SiteRow* row : rows) {
    rank = row->identity->pid == pid ? rank + 1 : 0;
    pid = row->identity->pid;
    const ProcessRow* process = process_of(report, *row);
    const bool named = rank < per_process;
    use(*row, process,
        fmt::format("{},{},{}", process_labels(pid, process != nullptr ? &process->process : nullptr),
                    label("coroutine", named ? row->identity->coroutine : "other"),
                    label("site", named ? site_label(*row->identity) : "other")));
  }
}

SiteFamilies site_families(const Report& report, std::size_t per_process) {
  SiteFamilies families;
  std::vector<const SiteRow*> tasks, allocating;
  for (const SiteRow& row : report.sites) {
    const ProcessRow* process = process_of(report, row);
    if (row.identity->kind == "task" && is_observed(process)) tasks.push_back(&row);
    // Code outside any task allocates, too.
    if (row.allocated_bytes && process != nullptr && process->allocated_bytes) allocating.push_back(&row);
  }
  rank_sites(tasks, rank_of_tasks);
  with_labels(report, tasks, per_process,
              [&](const SiteRow& row, const ProcessRow*, const std::string& labels) { families.add(row, labels); });
  rank_sites(allocating, rank_of_bytes);
  with_labels(report, allocating, per_process,
              [&](const SiteRow& row, const ProcessRow* process, const std::string& labels) {
                const auto mode = name_of(process->process.allocations->mode);
                families.bytes.add(labels + "," + label("mode", mode), *row.allocated_bytes);
              });
  return families;
}

Family finding_family(const Report& report, std::size_t per_process) {
  Family family{"asyncleak_findings", "gauge", "Findings that stand now: 1 each; coroutine=\"other\" is a count."};
  std::unordered_map<pid_t, std::string_view> comms;
  for (const ProcessRow& row : report.processes) comms[row.process.pid] = row.process.comm;
  std::unordered_map<pid_t, std::size_t> written;
  for (const Finding& finding : report.findings) {
    SiteIdentity identity;
    identity.coroutine = finding.coroutine;
    identity.file = finding.file;
    identity.line = finding.line;
    identity.created_at = finding.created_at;
    const bool of_process = finding.coroutine.empty();
    const bool named = of_process || written[finding.pid]++ < per_process;
    const std::string site = of_process             ? ""
                             : finding.site.empty() ? site_label(identity)
                                                    : labelled(identity, finding.site);
    family.add(
        fmt::format("{},{},{},{},{},{}", label("kind", finding.kind), label("severity", name_of(finding.severity)),
                    label("pid", fmt::format("{}", finding.pid)), label("comm", comms[finding.pid]),
                    label("coroutine", named ? finding.coroutine : "other"), label("site", named ? site : "other")),
        std::uint64_t{1});
  }
  return family;
}

void write_process_families(std::string& out, const Report& report) {
  Family resident{"asyncleak_process_resident_bytes", "gauge", "Resident memory of the process.",
                  Family::Merge::maximum};
  Family ready{"asyncleak_loop_ready", "gauge", "Callbacks that the process's event loops will run next."};
  Family timers{"asyncleak_loop_timers", "gauge", "Callbacks scheduled for later in the process's event loops."};
  for (const ProcessRow& row : report.processes) {
    if (row.process.ended) continue;
    const std::string labels = process_labels(row.process.pid, &row.process);
    if (row.process.rss_bytes) resident.add(labels, *row.process.rss_bytes);
    for (const LoopSample& loop : row.process.loops) {
      if (loop.ready) ready.add(labels, *loop.ready);
      if (loop.timers) timers.add(labels, *loop.timers);
    }
  }
  for (const Family* family : {&resident, &ready, &timers}) family->write(out);
}

void write_own_families(std::string& out, const Report& report) {
  Family hits{"asyncleak_probe_hits_total", "counter", "Times a probe ran."};
  hits.add("", report.probes.hits_total);
  hits.write(out);
  Family dropped{"asyncleak_dropped_total", "counter", "Events the kernel side could not record, by reason."};
  for (const Drop& drop : report.probes.drops) dropped.add(label("reason", drop.name), drop.total);
  dropped.write(out);
  Family refreshed{"asyncleak_last_refresh_timestamp_seconds", "gauge", "When this file was made, Unix time."};
  refreshed.add("", static_cast<double>(report.wall_ns) / 1e9);
  refreshed.write(out);
  Family build{"asyncleak_build_info", "gauge", "The version of asyncleak-top that wrote this; always 1."};
  build.add(label("version", ASYNCLEAK_VERSION), std::uint64_t{1});
  build.write(out);
}

}  // namespace

std::string site_label(const SiteIdentity& identity) { return labelled(identity, site_key(identity)); }

std::string to_prometheus(const Report& report, const PrometheusOptions& options) {
  std::string out;
  site_families(report, options.sites_per_process).write(out);
  finding_family(report, options.sites_per_process).write(out);
  write_process_families(out, report);
  write_own_families(out, report);
  return out;
}

}  // namespace asyncleak
