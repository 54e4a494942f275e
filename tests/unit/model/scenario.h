// A program in simulated time: tasks are spawned with a lifetime, samples are what the map reader
// would give. Used by the tests of the model.
#pragma once

#include "model/model.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <vector>

namespace asyncleak {

class Scenario {
 public:
  static constexpr double forever = 1e9;
  static constexpr std::int64_t start_ns = 1'000'000'000'000;

  explicit Scenario(Policy policy = {}) : model_(policy) {
    auto identity = std::make_shared<SiteIdentity>();
    identity->id = 1;
    identity->pid = 42;
    identity->process = 7;
    identity->coroutine = "Conn.waiter";
    identity->file = "/srv/app.py";
    identity->line = 12;
    identity->created_at = {{"create_task", "/usr/lib/python3.11/asyncio/tasks.py", 371},
                            {"handler", "/srv/app.py", 31}};
    sample_.wall_ns = 1'795'234'618'000'000'000;
    sample_.processes.emplace_back();
    sample_.processes[0].id = 7;
    sample_.processes[0].pid = 42;
    sample_.processes[0].comm = "app";
    sample_.sites.emplace_back();
    sample_.sites[0].identity = identity;
    sample_.sites[0].first_seen_ns = start_ns;
  }

  Sample& sample() { return sample_; }
  [[nodiscard]] double now() const { return now_s_; }

  void spawn(double lifetime_s, int count = 1) {
    SiteSample& site = sample_.sites[0];
    site.created_total += static_cast<std::uint64_t>(count);
    site.last_created_ns = start_ns + static_cast<std::int64_t>(now_s_ * 1e9);
    for (int i = 0; i < count; ++i) deaths_.push({now_s_ + lifetime_s, second(now_s_)});
    alive_[second(now_s_)] += static_cast<std::uint64_t>(count);
  }

  // Time passes in steps of 50 ms; STEP spawns what is due. Then the next sample is taken.
  Report advance(double seconds, const std::function<void(Scenario&)>& step) {
    const double end = now_s_ + seconds;
    while (now_s_ < end - 1e-6) {
      now_s_ += 0.05;
      while (!deaths_.empty() && deaths_.top().at <= now_s_) {
        --alive_[deaths_.top().born];
        ++sample_.sites[0].destroyed_total;
        deaths_.pop();
      }
      step(*this);
    }
    return take();
  }

  Report take() {
    SiteSample& site = sample_.sites[0];
    site.cohorts.clear();
    site.outstanding = 0;
    for (const auto& [born, count] : alive_) {
      if (count == 0) continue;
      site.cohorts.push_back({start_ns + born * 1'000'000'000, start_ns + (born + 1) * 1'000'000'000, count});
      site.outstanding += count;
    }
    sample_.monotonic_ns = start_ns + static_cast<std::int64_t>(now_s_ * 1e9);
    return model_.update(sample_);
  }

  // A sample a second for so long; the verdict of each.
  std::vector<Verdict> verdicts(int seconds, const std::function<void(Scenario&)>& step) {
    std::vector<Verdict> all;
    for (int i = 0; i < seconds; ++i) all.push_back(advance(1, step).sites[0].verdict);
    return all;
  }

 private:
  struct Death {
    double at;
    std::int64_t born;
    bool operator<(const Death& other) const { return at > other.at; }
  };
  static std::int64_t second(double seconds) { return static_cast<std::int64_t>(seconds); }

  Model model_;
  Sample sample_;
  double now_s_ = 0;
  std::priority_queue<Death> deaths_;
  std::map<std::int64_t, std::uint64_t> alive_;  // by second of birth
};

inline bool never(const std::vector<Verdict>& verdicts, Verdict verdict) {
  return std::find(verdicts.begin(), verdicts.end(), verdict) == verdicts.end();
}

// Seconds until the verdict first came; -1: never.
inline int first(const std::vector<Verdict>& verdicts, Verdict verdict) {
  const auto found = std::find(verdicts.begin(), verdicts.end(), verdict);
  return found == verdicts.end() ? -1 : static_cast<int>(found - verdicts.begin()) + 1;
}

}  // namespace asyncleak
