#include "world.h"

#include <algorithm>
#include <cmath>

namespace asyncleak::series {
namespace {

constexpr int slots = 32;
constexpr int birth_shift = 30;  // how finely births are kept here

struct Rings {
  int levels, first_shift, level_shift;
};
constexpr Rings task_rings{5, 30, 3};  // bpf/asyncleak.h: AL_COHORT_*
constexpr Rings byte_rings{3, 32, 4};  // bpf/asyncleak_memory.h: AL_BYTE_*

std::shared_ptr<const SiteIdentity> identity_of(std::uint64_t id, Seen seen, bool preexisting) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->id = id;
  identity->pid = 42;
  identity->process = 7;
  identity->kind = seen == Seen::tasks ? "task" : seen == Seen::census ? "timer" : "alloc";
  identity->blocks = seen == Seen::bytes;
  identity->coroutine = "Conn.serve";
  identity->file = "/srv/app.py";
  identity->line = 12;
  if (!preexisting) identity->created_at = {{"handler", "/srv/app.py", 31}};
  identity->preexisting = preexisting;
  return identity;
}

}  // namespace

World::World(std::uint64_t seed, Watching watching)
    : watching_(watching),
      random_(seed),
      identity_(identity_of(1, watching.seen, false)),
      older_identity_(identity_of(2, watching.seen, true)) {}

std::int64_t World::now_ns() const { return boot_ns + static_cast<std::int64_t>(now_s() * 1e9); }

std::uint32_t World::slot_now() const { return static_cast<std::uint32_t>(now_ns() >> birth_shift); }

void World::spawn(double lifetime_s) {
  const std::uint32_t slot = attached_ ? slot_now() : 0;
  if (attached_) {
    ++created_;
    ++alive_;
    ++living_[slot];
    if (first_seen_ns_ == 0) first_seen_ns_ = now_ns();
    last_created_ns_ = now_ns();
  } else {
    ++older_;
  }
  if (lifetime_s >= forever) return;
  auto& due = due_[step_ + std::max<std::int64_t>(1, std::llround(lifetime_s / step_s))];
  if (!due.empty() && due.back().slot == slot) {
    ++due.back().count;
  } else {
    due.push_back({slot, 1});
  }
}

void World::one_dies(std::uint32_t slot, std::uint32_t count) {
  if (slot == 0) {
    older_ -= count;
    if (attached_) older_destroyed_ += count;
    return;
  }
  const auto living = living_.find(slot);
  living->second -= count;
  if (living->second == 0) living_.erase(living);
  alive_ -= count;
  destroyed_ += count;
}

void World::end_oldest(std::uint64_t count) {
  while (count > 0 && outstanding() > 0) {
    const std::uint32_t slot = older_ > 0 ? 0 : living_.begin()->first;
    const std::uint64_t there = slot == 0 ? older_ : living_.begin()->second;
    const auto ends = static_cast<std::uint32_t>(std::min(count, there));
    one_dies(slot, ends);
    ended_early_[slot] += ends;
    count -= ends;
  }
}

void World::advance() {
  ++step_;
  if (!attached_ && watched_s() >= 0) {
    attached_ = true;
    older_at_attach_ = older_;
  }
  const auto due = due_.find(step_);
  if (due == due_.end()) return;
  for (auto [slot, count] : due->second) {
    if (const auto early = ended_early_.find(slot); early != ended_early_.end()) {
      const auto gone = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, early->second));
      early->second -= gone;
      count -= gone;
    }
    if (count > 0) one_dies(slot, count);
  }
  due_.erase(due);
}

// As src/probe/cohorts.cpp makes them of the rings: the finest ring that still has a class tells it.
std::vector<Cohort> World::cohorts() const {
  const Rings rings = watching_.seen == Seen::bytes ? byte_rings : task_rings;
  const std::int64_t now = now_ns();
  const auto shift_of = [&rings](int level) { return rings.first_shift + level * rings.level_shift; };
  const auto covered_from = [&](int level) { return ((now >> shift_of(level)) - slots + 1) << shift_of(level); };
  std::vector<Cohort> all;
  for (const auto& [slot, count] : living_) {
    const std::int64_t born = static_cast<std::int64_t>(slot) << birth_shift;
    int level = 0;
    while (level + 1 < rings.levels && born < covered_from(level)) ++level;
    const std::int64_t from = born >> shift_of(level) << shift_of(level);
    std::int64_t to = from + (std::int64_t{1} << shift_of(level));
    if (level > 0) to = std::min(to, covered_from(level - 1));
    if (!all.empty() && all.back().born_from_ns == from) {
      all.back().count += count;
    } else {
      all.push_back({from, std::min(to, now), count});
    }
  }
  return all;
}

void World::add_tasks(Sample& sample) const {
  if (created_ > 0) {
    SiteSample& site = sample.sites.emplace_back();
    site.identity = identity_;
    site.created_total = created_;
    site.destroyed_total = destroyed_;
    site.outstanding = alive_;
    site.first_seen_ns = first_seen_ns_;
    site.last_created_ns = last_created_ns_;
    site.cohorts = cohorts();
  }
  if (older_at_attach_ == 0) return;
  SiteSample& older = sample.sites.emplace_back();
  older.identity = older_identity_;
  older.preexisting = older_at_attach_;
  older.destroyed_total = older_destroyed_;
  older.outstanding = older_;
  older.first_seen_ns = boot_ns + static_cast<std::int64_t>(watching_.attach_s * 1e9);
  if (older_ > 0) older.cohorts.push_back({older.first_seen_ns, older.first_seen_ns + 1, older_});
}

void World::add_census(Sample& sample) {
  if (static_cast<double>(now_ns() - census_ns_) / 1e9 >= watching_.census_interval_s - step_s / 2) {
    census_ns_ = now_ns();
    census_count_ = outstanding();
  }
  sample.processes[0].census.emplace().taken_ns = census_ns_;
  SiteSample& site = sample.sites.emplace_back();
  site.identity = identity_;
  site.by_census = true;
  site.census.emplace();
  site.outstanding = census_count_;
}

// What was allocated before the watching is not known to the probes.
void World::add_bytes(Sample& sample) const {
  ProcessAllocations& process = sample.processes[0].allocations.emplace();
  process.mode = MemoryMode::malloc;
  process.since_ns = boot_ns + static_cast<std::int64_t>(watching_.attach_s * 1e9);
  SiteSample& site = sample.sites.emplace_back();
  site.identity = identity_;
  site.by_census = true;
  site.outstanding = alive_;
  SiteAllocations& allocations = site.allocations.emplace();
  allocations.blocks = alive_;
  allocations.bytes = alive_ * block_bytes;
  allocations.allocated_blocks = created_;
  allocations.allocated_bytes = created_ * block_bytes;
  allocations.freed_blocks = destroyed_;
  allocations.freed_bytes = destroyed_ * block_bytes;
  for (const Cohort& cohort : cohorts()) {
    allocations.cohorts.push_back({cohort.born_from_ns, cohort.born_to_ns, cohort.count * block_bytes});
  }
}

Sample World::look() {
  Sample sample;
  sample.monotonic_ns = now_ns();
  sample.wall_ns = 1'795'000'000'000'000'000 + now_ns();
  ProcessSample& process = sample.processes.emplace_back();
  process.id = 7;
  process.pid = 42;
  process.comm = "app";
  switch (watching_.seen) {
    case Seen::tasks:
      add_tasks(sample);
      break;
    case Seen::census:
      add_census(sample);
      break;
    case Seen::bytes:
      add_bytes(sample);
      break;
  }
  return sample;
}

}  // namespace asyncleak::series
