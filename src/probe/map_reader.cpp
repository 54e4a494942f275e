#include "probe/map_reader.h"

#include "probe/allocation_reader.h"
#include "probe/clock.h"
#include "probe/cohorts.h"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cstring>

namespace asyncleak::probe {

namespace {

bool counts_tasks(const al_site& site) { return site.key.stack != AL_STACK_UNAWAITED && !is_taskless(site); }

std::uint64_t outstanding_of(const al_site& site) {
  const auto came = site.created + site.inherited;
  const auto left = site.destroyed + site.untracked;
  return came > left ? came - left : 0;
}

// A row of code outside any task: what is outstanding are its blocks.
SiteSample allocating(SiteSample site) {
  site.by_census = true;  // a block has no life of a task
  site.outstanding = site.allocations->blocks;
  site.untracked = site.allocations->untracked_blocks;
  return site;
}

SlowSteps slow_steps_of(std::uint32_t id, const al_site& site, const RunningSteps& running) {
  const auto now = running.find(id);
  return {site.slow_steps, site.slow_longest_ns, now != running.end() ? now->second : 0};
}

void add_unawaited(ProcessSample& process, const std::vector<NeverAwaited>& counted) {
  if (counted.empty()) return;  // none, or not known
  process.unawaited = counted;
  process.never_awaited = 0;
  for (const auto& each : counted) *process.never_awaited += each.count;
}

}  // namespace

ProcessSample describe(const KnownProcess& known) {
  const auto& info = known.info;
  ProcessSample process;
  process.pid = info.pid;
  process.comm = info.comm;
  process.cmdline = info.cmdline;
  process.exe = info.exe;
  process.unit = info.unit;
  process.container = info.container;
  process.inside = {info.inside.runtime, info.inside.pod, info.inside.pod_uid, info.inside.pod_namespace,
                    info.inside.pid};
  process.started_wall_ns = info.started_wall_ns;
  process.warnings = known.warnings;
  if (const auto sizes = python::memory_sizes(info.pid)) {
    process.rss_bytes = sizes->resident_bytes;
    process.vms_bytes = sizes->mapped_bytes;
  }
  process.tasks = known.binary != nullptr ? Coverage::since_attach : Coverage::none;
  if (known.core != nullptr && known.core->warning_probes.since_ns(info.pid)) process.never_awaited = 0;
  if (known.core != nullptr && known.core->interpreter) process.python = known.core->interpreter->version.text;
  return process;
}

MapReader::MapReader(Session& session, const Catalog& catalog, bool keep_ended)
    : session_(session), catalog_(catalog), keep_ended_(keep_ended), identities_(session, catalog) {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == 0) host_ = name.data();
}

ProbeSample MapReader::read_probes(const Counters& counters, double trap_ns) const {
  ProbeSample probes;
  probes.hits_total = counters[AL_HITS_INIT] + counters[AL_HITS_DEALLOC] + counters[AL_HITS_UNAWAITED];
  probes.cost_ns_per_hit = trap_ns;
  if (counters[AL_TIMED_HITS] > 0) {
    probes.cost_ns_per_hit += static_cast<double>(counters[AL_TIMED_NS]) / static_cast<double>(counters[AL_TIMED_HITS]);
  }
  probes.drops = describe_drops(counters);
  probes.tasks_limit = session_.options().max_tasks;
  probes.sites_limit = session_.options().max_sites;
  return probes;
}

Coverage MapReader::coverage_of(pid_t pid, const Seen& seen) const {
  const auto parent = seen_.find(seen.parent);
  if (seen.parent != 0) return parent != seen_.end() ? parent->second.coverage : seen.coverage;
  const auto known = catalog_.processes().find(pid);
  if (known == catalog_.processes().end() || known->second.binary == nullptr) return Coverage::since_attach;
  if (known->second.from_first_task) return Coverage::exact;
  // /proc counts the start in ticks since boot, which includes suspend; the kernel side does not.
  const auto suspended = clock_ns(CLOCK_BOOTTIME) - monotonic_ns();
  const auto started =
      static_cast<std::int64_t>(known->second.info.start_ticks) * (1'000'000'000 / sysconf(_SC_CLK_TCK)) - suspended;
  const auto began = std::max(started, session_.last_exec_ns(pid).value_or(0));
  const auto attached = known->second.binary->attached_since_ns(pid);
  return attached && began > *attached ? Coverage::exact : Coverage::since_attach;
}

ProcessSample MapReader::describe(pid_t pid) const {
  const auto known = catalog_.processes().find(pid);
  if (known != catalog_.processes().end()) return probe::describe(known->second);
  ProcessSample process;
  process.pid = pid;
  return process;
}

void MapReader::read_sites(Sample& sample, const RunningSteps& running) {
  const auto used = session_.sites_used();
  const AllocationReader allocations(session_.memory(), identities_, sample.monotonic_ns);
  sample.sites.reserve(used);
  for (std::uint32_t id = 1; id <= used; id++) {
    if (!session_.site_ready(id)) continue;
    const al_site site = session_.site(id);
    auto& seen = seen_[site.key.process];
    if (seen.pid == 0) {  // it may end before the processes are read
      seen.pid = static_cast<pid_t>(site.tgid);
      seen.last.comm.assign(reinterpret_cast<const char*>(site.comm),
                            strnlen(reinterpret_cast<const char*>(site.comm), sizeof(site.comm)));
    }
    note_what_is_known(seen, site.key.process);
    sample.probes.sites_used++;
    if (site.key.stack == AL_STACK_UNAWAITED) {
      read_unawaited(id, site);
      continue;
    }
    SiteSample out;
    out.identity = identities_.of(id, site);
    if (!out.identity) continue;  // its names are being written: in the next sample
    out.allocations = allocations.of(id, site);
    if (is_taskless(site)) {
      if (out.allocations) sample.sites.push_back(allocating(std::move(out)));
      continue;
    }
    const bool allocated = out.allocations && out.allocations->allocated_blocks > 0;
    if (site.created + site.inherited == 0 && !allocated) continue;  // made for a seed that was already gone
    out.outstanding = outstanding_of(site);
    out.created_total = site.created;
    out.destroyed_total = site.destroyed;
    out.preexisting = site.inherited;
    out.untracked = site.untracked;
    if (seen.tells_pending || site.destroyed_pending > 0) out.destroyed_pending = site.destroyed_pending;
    if (seen.measures_steps || site.slow_steps > 0) out.slow_steps = slow_steps_of(id, site, running);
    out.first_seen_ns = static_cast<std::int64_t>(site.first_ns);
    out.last_created_ns = std::max(out.first_seen_ns, coarse_birth_ns(static_cast<std::int64_t>(site.last_ns)));
    // Inherited tasks are older than their site: nothing is known of before the parent's.
    const std::int64_t oldest = site.inherited > 0 ? 0 : out.first_seen_ns;
    out.cohorts = disjoint_cohorts(site, sample.monotonic_ns, oldest, out.outstanding);
    sample.probes.tasks_used += out.outstanding;
    sample.sites.push_back(std::move(out));
  }
}

void MapReader::note_what_is_known(Seen& seen, std::uint32_t process) const {
  const auto known = catalog_.processes().find(seen.pid);
  seen.tells_pending |=
      known != catalog_.processes().end() && known->second.binary != nullptr && known->second.binary->tells_pending;
  seen.measures_steps |= measured_.contains(process);
}

void MapReader::read_unawaited(std::uint32_t site, const al_site& counters) {
  const auto identity = identities_.of(site, counters);
  if (!identity) return;
  auto& list = unawaited_[counters.key.process];
  // A function made again, in a closure or on reload, is the same line to mend.
  const auto same = std::find_if(list.begin(), list.end(), [&](const NeverAwaited& each) {
    return each.coroutine == identity->coroutine && each.file == identity->file && each.line == identity->line;
  });
  if (same != list.end()) {
    same->count += counters.created;
  } else {
    list.push_back({identity->coroutine, identity->file, identity->line, counters.created});
  }
}

void MapReader::read_processes(Sample& sample) {
  std::set<std::uint32_t> living;
  std::set<pid_t> shown;
  for (const auto& [pid, wire] : session_.processes()) {
    living.insert(wire.id);
    auto& seen = seen_[wire.id];
    seen.pid = pid;
    seen.parent = wire.parent;
    seen.destroyed_unknown = wire.destroyed_unknown;
    auto process = describe(pid);
    if (process.comm.empty()) process.comm = seen.last.comm;  // newer than the catalog's last look
    seen.coverage = coverage_of(pid, seen);
    seen.seeded = wire.seeding == AL_SEEDED;
    process.tasks = seen.tasks();
    process.id = wire.id;
    process.destroyed_unknown = wire.destroyed_unknown;
    add_unawaited(process, unawaited_[wire.id]);
    seen.last = process;
    shown.insert(pid);
    sample.processes.push_back(std::move(process));
  }
  for (auto& [id, seen] : seen_) {
    if (living.contains(id)) continue;
    auto process = seen.last;
    process.id = id;
    process.pid = seen.pid;
    process.tasks = seen.tasks();
    process.destroyed_unknown = seen.destroyed_unknown;
    add_unawaited(process, unawaited_[id]);
    process.rss_bytes.reset();
    process.vms_bytes.reset();
    process.ended = true;
    sample.processes.push_back(std::move(process));
    if (!keep_ended_) ended_.insert(id);
  }
  // Known to /proc, but no task was created or destroyed yet.
  for (const auto& [pid, known] : catalog_.processes()) {
    if (shown.contains(pid) || !session_.watches(pid)) continue;
    auto process = describe(pid);
    if (process.rss_bytes == std::uint64_t{0}) continue;  // a zombie
    if (process.tasks != Coverage::none) process.tasks = coverage_of(pid, Seen{});
    sample.processes.push_back(std::move(process));
  }
}

void MapReader::purge_ended() {
  for (const auto process : ended_) {
    for (std::uint32_t id = 1; id <= session_.sites_used(); id++) {
      if (session_.site(id).key.process == process) identities_.forget(id);
    }
    // Failing keeps the rows in the kernel, where they do no harm but take room.
    if (session_.purge(process)) seen_.erase(process);
  }
  ended_.clear();
}

TaskTotals MapReader::totals(std::uint32_t process) const {
  TaskTotals totals;
  for (std::uint32_t id = 1; id <= session_.sites_used(); id++) {
    if (!session_.site_ready(id)) continue;
    const al_site site = session_.site(id);
    if (site.key.process != process || !counts_tasks(site)) continue;
    totals.outstanding += outstanding_of(site);
    totals.destroyed += site.destroyed;
  }
  return totals;
}

std::shared_ptr<const SiteIdentity> MapReader::identity_of(std::uint32_t site) {
  return session_.site_ready(site) ? identities_.of(site, session_.site(site)) : nullptr;
}

SiteCode MapReader::code_of(std::uint32_t site) const {
  SiteCode code;
  const auto origin = session_.origin(site);
  if (!origin || origin->ready == 0) return code;
  code.own = origin->code;
  const auto depth = std::min<std::uint32_t>(origin->depth, AL_MAX_FRAMES);
  for (std::uint32_t i = 0; i < depth; i++) code.created_at.push_back(origin->frames[i].code);
  return code;
}

Sample MapReader::read(double trap_ns, const RunningSteps& running) {
  purge_ended();
  Sample sample;
  sample.wall_ns = clock_ns(CLOCK_REALTIME);
  sample.monotonic_ns = monotonic_ns();
  sample.host = host_;
  sample.host_uptime_s = static_cast<double>(clock_ns(CLOCK_BOOTTIME)) / 1e9;
  const auto counters = session_.counters();
  sample.probes = read_probes(counters, trap_ns);
  unawaited_.clear();
  // Sites before processes: a process that ends in between is then seen to have ended.
  measured_.clear();
  for (const auto* session : session_.step_sessions()) {
    for (const auto& counted : session->counted()) {
      if (counted.slow_step_ns > 0) measured_.insert(counted.process);
    }
  }
  read_sites(sample, running);
  read_processes(sample);
  std::map<std::uint32_t, bool> lossy;
  for (const auto& site : sample.sites) {
    lossy[site.identity->process] |= site.untracked > 0 && !site.identity->blocks;
  }
  const bool all_lossy = lost_whole_tasks(counters);
  for (auto& process : sample.processes) {
    const bool some_lost = all_lossy || (process.id != 0 && lossy[process.id]);
    if (some_lost && process.tasks != Coverage::none) process.tasks = Coverage::at_least;
  }
  return sample;
}

}  // namespace asyncleak::probe
