// A program in simulated time, and what the kernel and the census would show of one of its sites.
//
// Used by the families (what the program does) and by watch.cpp (what is judged). Objects are born with a lifetime;
// only their number per class of birth is kept, as the kernel does.
#pragma once

#include "random.h"
#include "sample/sample.h"

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

namespace asyncleak::series {

// How the site is seen.
enum class Seen {
  tasks,   // by probes: births, deaths, classes of birth
  census,  // by looks at memory: how many there are
  bytes,   // by the allocator probes: each object is a block of block_bytes
};

struct Watching {
  Seen seen = Seen::tasks;
  double attach_s = 0;           // the program has run for so long when the watching begins
  double watched_s = 600;        // then it is watched for so long
  double interval_s = 1;         // between samples
  double jitter = 0.02;          // of the interval
  double missed = 0;             // chance that a refresh does not happen
  double census_interval_s = 1;  // between looks
};

class World {
 public:
  static constexpr double forever = 1e12;
  static constexpr double step_s = 0.25;
  static constexpr std::int64_t boot_ns = 5'000'000'000'000;  // of the program's start, on the machine's clock

  World(std::uint64_t seed, Watching watching);

  Random& random() { return random_; }
  // Seconds since the program began; since the watching began (before: negative).
  [[nodiscard]] double now_s() const { return static_cast<double>(step_) * step_s; }
  [[nodiscard]] double watched_s() const { return now_s() - watching_.attach_s; }
  [[nodiscard]] std::uint64_t outstanding() const { return alive_ + older_; }

  void spawn(double lifetime_s);
  // At most so many of the oldest end now.
  void end_oldest(std::uint64_t count);
  void end_all() { end_oldest(outstanding()); }

  void advance();               // one step: what is due ends
  [[nodiscard]] Sample look();  // what is seen now

  std::uint64_t block_bytes = 1;  // Seen::bytes

 private:
  struct Death {
    std::uint32_t slot;  // of birth; 0: before the watching
    std::uint32_t count;
  };
  void one_dies(std::uint32_t slot, std::uint32_t count);
  [[nodiscard]] std::uint32_t slot_now() const;
  [[nodiscard]] std::int64_t now_ns() const;
  [[nodiscard]] std::vector<Cohort> cohorts() const;
  void add_tasks(Sample& sample) const;
  void add_census(Sample& sample);
  void add_bytes(Sample& sample) const;

  Watching watching_;
  Random random_;
  std::int64_t step_ = 0;
  std::map<std::int64_t, std::vector<Death>> due_;      // by step
  std::map<std::uint32_t, std::uint64_t> living_;       // by slot of birth, since the watching began
  std::map<std::uint32_t, std::uint64_t> ended_early_;  // by slot: whose deaths are still in due_
  std::uint64_t alive_ = 0, older_ = 0;                 // born since the watching began; before
  std::uint64_t older_at_attach_ = 0;
  bool attached_ = false;
  std::uint64_t created_ = 0, destroyed_ = 0, older_destroyed_ = 0;
  std::int64_t first_seen_ns_ = 0, last_created_ns_ = 0;
  std::int64_t census_ns_ = 0;
  std::uint64_t census_count_ = 0;
  std::shared_ptr<const SiteIdentity> identity_, older_identity_;
};

}  // namespace asyncleak::series
