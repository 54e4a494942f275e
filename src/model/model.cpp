#include "model/model.h"

#include "model/allocation_state.h"
#include "model/buffer_state.h"
#include "model/memory_account.h"
#include "model/site_kind.h"
#include "model/site_state.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>

namespace asyncleak {
namespace {

// The interpreter imports the program during its first seconds; that is not growth.
constexpr double rss_baseline_after_s = 10;

using Function = std::tuple<std::string, std::string, std::optional<int>>;  // name, file, line

struct UnawaitedState {
  History history;
  Standing standing;
};

struct ProcessState {
  double first_s = 0;
  std::optional<std::uint64_t> rss_baseline_bytes;
  std::optional<MemorySample> memory_baseline;
  History history;
  Standing overloaded, rss_grown;
  std::map<Function, UnawaitedState> unawaited;
  std::int64_t allocations_since_ns = 0;
  std::uint64_t allocation_hits = 0;
  MemoryAccounts accounts;
  std::uint64_t last_update = 0;
};

// A process is known by pid alone (id 0) until its first event.
std::uint64_t process_key(pid_t pid, std::uint32_t id) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(pid)) << 32 | id;
}

void add_rate(std::optional<double>& sum, const std::optional<double>& part) {
  if (sum && part) *sum += *part;
}

void add_known(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& part) {
  if (part) sum = sum.value_or(0) + *part;
}

// To the sums of a process, or of the whole report.
template <class Sums>
void add_tasks(Sums& sums, const SiteRow& row) {
  sums.outstanding += row.outstanding;
  sums.created_total += row.created_total.value_or(0);
  sums.destroyed_total += row.destroyed_total.value_or(0);
  add_rate(sums.created_per_s, row.created_per_s);
  add_rate(sums.destroyed_per_s, row.destroyed_per_s);
}

bool counts_allocations(const ProcessSample& process) {
  return process.allocations && process.allocations->mode != MemoryMode::objects;
}

void add_allocations(ProcessRow& process, const SiteRow& site) {
  if (!process.allocated_bytes || !site.allocations) return;
  *process.allocated_bytes += site.allocations->bytes;
  *process.allocated_blocks += site.allocations->blocks;
}

// The site with the most tasks of each process that has any, looked up when one is wanted.
class LargestSites {
 public:
  explicit LargestSites(const Report& report) : report_(report) {}

  // nullptr: it has none.
  const SiteRow* of(const ProcessRow& process) {
    if (largest_.empty()) look();
    const auto at = largest_.find(process.process.id);
    return at != largest_.end() ? at->second : nullptr;
  }

 private:
  void look() {
    for (const SiteRow& site : report_.sites) {
      if (kind_of(*site.identity) != SiteKind::task) continue;
      const SiteRow*& largest = largest_[site.identity->process];
      if (largest == nullptr || tasks_of(site) > tasks_of(*largest)) largest = &site;
    }
  }

  const Report& report_;
  std::unordered_map<decltype(SiteIdentity::process), const SiteRow*> largest_;
};

// What counting the allocations of a process costs it, since the sample before.
void add_allocation_price(ProcessRow& row, ProcessState& state, double seconds) {
  if (!counts_allocations(row.process)) return;
  const ProcessAllocations& allocations = *row.process.allocations;
  const bool same = allocations.since_ns == state.allocations_since_ns;
  if (same && seconds > 0 && allocations.hits_total >= state.allocation_hits) {
    row.allocation_hits_per_s = static_cast<double>(allocations.hits_total - state.allocation_hits) / seconds;
    row.allocation_overhead_percent = *row.allocation_hits_per_s * allocations.cost_ns_per_hit / 1e9 * 100;
  }
  state.allocations_since_ns = allocations.since_ns;
  state.allocation_hits = allocations.hits_total;
}

}  // namespace

struct Model::State {
  Policy policy;
  VerdictPolicy verdict_policy;
  std::unordered_map<std::uint64_t, SiteState> sites;
  std::vector<std::pair<std::uint64_t, SiteState*>> order;         // of the sample before: mostly this one's, too
  std::unordered_map<std::uint64_t, BufferState> buffers;          // by site, of those that ever had something to write
  std::unordered_map<std::uint64_t, AllocationState> allocations;  // by site, only of those that are counted
  std::map<std::tuple<std::uint32_t, std::string, std::string, std::optional<int>>, std::weak_ptr<Elders>> elders;
  std::unordered_map<std::uint64_t, ProcessState> processes;
  std::int64_t first_ns = 0, previous_ns = 0;
  std::uint64_t previous_hits = 0;
  std::uint64_t updates = 0;

  Interval interval_to(const Sample& sample);
  ProcessState& state_of(const ProcessSample& process, double now_s);
  void add_probes(Report& report, const ProbeSample& probes, double seconds);
  void add_processes(Report& report, const Sample& sample, const Interval& interval);
  void add_sites(Report& report, const Sample& sample, const Interval& interval);
  void add_allocations_of(Report& report, const SiteSample& site, const ProcessSample* process,
                          const Interval& interval);
  void add_buffers_of(Report& report, const SiteSample& site, const ProcessSample* process, const Interval& interval);
  void finish_processes(Report& report, const Interval& interval);
  SiteState& state_of(const SiteSample& site, std::size_t position);
  std::shared_ptr<Elders> elders_of(const SiteIdentity& identity);
  void add_unawaited(Report& report, const ProcessRow& row, ProcessState& state, double now_s);
  void forget_absent();
};

Interval Model::State::interval_to(const Sample& sample) {
  Interval interval;
  interval.first_update = updates == 0;
  if (interval.first_update) first_ns = sample.monotonic_ns;
  interval.now_ns = sample.monotonic_ns;
  interval.previous_ns = previous_ns;
  interval.now_s = static_cast<double>(sample.monotonic_ns - first_ns) / 1e9;
  previous_ns = sample.monotonic_ns;
  ++updates;
  return interval;
}

ProcessState& Model::State::state_of(const ProcessSample& process, double now_s) {
  const std::uint64_t key = process_key(process.pid, process.id);
  auto found = processes.find(key);
  if (found == processes.end()) {
    auto earlier = processes.extract(process_key(process.pid, 0));
    if (earlier.empty()) {
      found = processes.try_emplace(key).first;
      found->second.first_s = now_s;
    } else {
      earlier.key() = key;
      found = processes.insert(std::move(earlier)).position;
    }
  }
  found->second.last_update = updates;
  return found->second;
}

void Model::State::add_probes(Report& report, const ProbeSample& probes, double seconds) {
  report.probes = probes;
  for (const Drop& drop : probes.drops) report.dropped_total += drop.total;
  if (seconds > 0 && probes.hits_total >= previous_hits) {
    report.hits_per_s = static_cast<double>(probes.hits_total - previous_hits) / seconds;
    if (probes.cost_ns_per_hit > 0) report.overhead_percent = *report.hits_per_s * probes.cost_ns_per_hit / 1e9 * 100;
  }
  previous_hits = probes.hits_total;
}

void Model::State::add_processes(Report& report, const Sample& sample, const Interval& interval) {
  report.processes.reserve(sample.processes.size());
  for (const ProcessSample& process : sample.processes) {
    ProcessRow& row = report.processes.emplace_back();
    row.process = process;
    if (!interval.first_update && process.tasks != Coverage::none) {
      row.created_per_s = 0;
      row.destroyed_per_s = 0;
    }
    if (process.census) row.pending = row.done = 0;
    if (counts_allocations(process)) row.allocated_bytes = row.allocated_blocks = 0;
    ProcessState& state = state_of(process, interval.now_s);
    if (!state.rss_baseline_bytes && interval.now_s - state.first_s >= rss_baseline_after_s) {
      state.rss_baseline_bytes = process.rss_bytes;
    }
    if (state.rss_baseline_bytes && !state.memory_baseline) state.memory_baseline = process.memory;
    row.rss_baseline_bytes = state.rss_baseline_bytes;
    row.memory_baseline = state.memory_baseline;
  }
  std::sort(report.processes.begin(), report.processes.end(), [](const ProcessRow& a, const ProcessRow& b) {
    return process_key(a.process.pid, a.process.id) < process_key(b.process.pid, b.process.id);
  });
}

void Model::State::add_sites(Report& report, const Sample& sample, const Interval& interval) {
  std::unordered_map<std::uint32_t, ProcessRow*> owners;
  for (ProcessRow& row : report.processes) owners.emplace(row.process.id, &row);
  report.sites.reserve(sample.sites.size());
  for (const SiteSample& site : sample.sites) {
    const auto owner = owners.find(site.identity->process);
    ProcessRow* process = owner == owners.end() ? nullptr : owner->second;
    SiteState& state = state_of(site, report.sites.size());
    state.last_update = updates;
    const ProcessSample* owner_sample = process != nullptr ? &process->process : nullptr;
    SiteRow& row = report.sites.emplace_back(state.update(site, owner_sample, interval, verdict_policy));
    if (auto finding = state.finding(site, row, interval); finding && !site.identity->blocks) {
      report.findings.push_back(std::move(*finding));
    }
    for (auto& event : state.events(row, sample.probes, interval)) report.findings.push_back(std::move(event));
    if (site.allocations) add_allocations_of(report, site, owner_sample, interval);
    add_buffers_of(report, site, owner_sample, interval);
    if (process != nullptr) {
      process->verdict = std::max(process->verdict, worst_verdict(row));
      add_allocations(*process, row);
    }
    if (kind_of(*row.identity) != SiteKind::task) continue;
    add_tasks(report, row);
    if (process == nullptr) continue;
    add_tasks(*process, row);
    add_known(process->pending, row.pending);
    add_known(process->done, row.done);
    if (row.at_least) process->process.tasks = Coverage::at_least;
  }
  order.resize(report.sites.size());
  const auto by_id = [](const SiteRow& a, const SiteRow& b) { return a.identity->id < b.identity->id; };
  if (!std::is_sorted(report.sites.begin(), report.sites.end(), by_id)) {
    std::sort(report.sites.begin(), report.sites.end(), by_id);
  }
}

SiteState& Model::State::state_of(const SiteSample& site, std::size_t position) {
  const std::uint64_t id = site.identity->id;
  if (position < order.size() && order[position].first == id) return *order[position].second;
  const auto [known, is_new] = sites.try_emplace(id);
  if (is_new && !site.by_census) known->second.set_elders(elders_of(*site.identity));
  order.resize(position);
  order.emplace_back(id, &known->second);
  return known->second;
}

std::shared_ptr<Elders> Model::State::elders_of(const SiteIdentity& identity) {
  auto& known = elders[{identity.process, identity.coroutine, identity.file, identity.line}];
  auto elders_here = known.lock();
  if (!elders_here) known = elders_here = std::make_shared<Elders>();
  return elders_here;
}

// For the row just made.
void Model::State::add_buffers_of(Report& report, const SiteSample& site, const ProcessSample* process,
                                  const Interval& interval) {
  if (!site.census || !site.census->buffered_bytes) return;
  auto state = buffers.find(site.identity->id);
  if (state == buffers.end()) {
    if (*site.census->buffered_bytes == 0) return;
    state = buffers.try_emplace(site.identity->id).first;
  }
  state->second.last_update = updates;
  if (auto finding = state->second.update(report.sites.back(), site, process, interval)) {
    report.findings.push_back(std::move(*finding));
  }
}

// For the row just made.
void Model::State::add_allocations_of(Report& report, const SiteSample& site, const ProcessSample* process,
                                      const Interval& interval) {
  AllocationState& state = allocations[site.identity->id];
  state.last_update = updates;
  SiteRow& row = report.sites.back();
  state.update(row, site, process, interval);
  if (auto finding = state.finding(row, interval)) report.findings.push_back(std::move(*finding));
}

void Model::State::finish_processes(Report& report, const Interval& interval) {
  LargestSites largest(report);
  for (ProcessRow& row : report.processes) {
    ProcessState& state = state_of(row.process, interval.now_s);
    state.history.add(interval.now_s, static_cast<double>(row.outstanding));
    if (const auto trend = trend_of(state.history, verdict_policy.trend.window_s, verdict_policy.trend)) {
      row.growth_per_min = trend->growth_per_min;
    }
    row.history = state.history.sparkline();
    add_allocation_price(row, state, interval.seconds());
    state.accounts.update(row, interval.now_ns);
    if (const auto since = state.overloaded.update(is_overloaded(row, policy), interval.now_s)) {
      report.findings.push_back(overload(row, largest.of(row), policy, *since));
    }
    if (const auto since = state.rss_grown.update(has_rss_growth(row, policy), interval.now_s)) {
      report.findings.push_back(rss_growth(row, policy, *since));
    }
    add_unawaited(report, row, state, interval.now_s);
  }
}

// What was destroyed stays so: once seen, it is told as long as the process lives.
void Model::State::add_unawaited(Report& report, const ProcessRow& row, ProcessState& state, double now_s) {
  for (const NeverAwaited& each : row.process.unawaited) {
    auto& known = state.unawaited[{each.coroutine, each.file, each.line}];
    known.history.add(now_s, static_cast<double>(each.count));
    const auto trend = trend_of(known.history, verdict_policy.trend.window_s, verdict_policy.trend);
    const auto growth = trend ? std::optional(trend->growth_per_min) : std::nullopt;
    report.findings.push_back(never_awaited(row, each, growth, known.standing.update(true, now_s).value_or(0)));
  }
}

void Model::State::forget_absent() {
  if (sites.size() > order.size() &&
      std::erase_if(sites, [this](const auto& entry) { return entry.second.last_update != updates; }) > 0) {
    order.clear();
    std::erase_if(elders, [](const auto& entry) { return entry.second.expired(); });
  }
  if (!buffers.empty()) {
    std::erase_if(buffers, [this](const auto& entry) { return entry.second.last_update != updates; });
  }
  if (!allocations.empty())
    std::erase_if(allocations, [this](const auto& entry) { return entry.second.last_update != updates; });
  std::erase_if(processes, [this](const auto& entry) { return entry.second.last_update != updates; });
}

Model::Model(Policy policy) : state_(std::make_unique<State>()) {
  state_->policy = policy;
  state_->verdict_policy.leak_confidence = policy.leak_confidence;
}
Model::Model(Model&&) noexcept = default;
Model::~Model() = default;

Report Model::update(const Sample& sample) {
  const Interval interval = state_->interval_to(sample);
  Report report;
  report.wall_ns = sample.wall_ns;
  report.monotonic_ns = sample.monotonic_ns;
  report.labels = sample.labels;
  report.interval_s = interval.seconds();
  report.host = sample.host;
  report.host_uptime_s = sample.host_uptime_s;
  report.watched_s = interval.now_s;
  if (!interval.first_update) {
    report.created_per_s = 0;
    report.destroyed_per_s = 0;
  }
  state_->add_probes(report, sample.probes, interval.seconds());
  state_->add_processes(report, sample, interval);
  state_->add_sites(report, sample, interval);
  state_->finish_processes(report, interval);
  state_->forget_absent();
  sort_findings(report.findings);
  return report;
}

}  // namespace asyncleak
