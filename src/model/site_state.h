// What the model remembers of a site from sample to sample.
//
// Used by model.cpp only.
#pragma once

#include "model/ages.h"
#include "model/findings.h"
#include "model/history.h"
#include "model/report.h"
#include "model/verdict.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace asyncleak {

// The moments around two samples that every row of a report is computed with.
struct Interval {
  std::int64_t now_ns = 0;
  std::int64_t previous_ns = 0;  // monotonic time of the sample before; first_update: there was none
  bool first_update = true;
  double now_s = 0;  // since the model's first sample: the time of the histories
  [[nodiscard]] double seconds() const { return first_update ? 0 : static_cast<double>(now_ns - previous_ns) / 1e9; }
  // Monotonic time TAKEN_NS on the clock of the histories: the first census may be older than the model.
  [[nodiscard]] double on_history_clock(std::int64_t taken_ns) const {
    return std::clamp(now_s - static_cast<double>(now_ns - taken_ns) / 1e9, 0.0, now_s);
  }
};

// Totals of created tasks over about the last minute, every few seconds.
class CreatedTotals {
 public:
  void add(double seconds, std::uint64_t created_total);
  // The oldest total that is at most a minute old; nullopt before the second reading.
  struct Reading {
    double seconds = 0;
    std::uint64_t created_total = 0;
  };
  [[nodiscard]] std::optional<Reading> oldest(double now_s) const;

 private:
  static constexpr double spacing_s = 5;
  static constexpr double span_s = 60;
  std::array<Reading, 13> readings_{};  // a minute of them and one
  std::size_t count_ = 0;               // ever taken
};

// How long a condition has stood.
class Standing {
 public:
  // Seconds it has stood at NOW_S; nullopt when it does not.
  std::optional<double> update(bool stands, double now_s);

 private:
  std::optional<double> since_s_;
};

// Those of a coroutine that were there before the watching, in no site that is still created: how they die tells what
// to expect of the new ones. They count as born when they were found.
struct Elders {
  bool were_there = false;
  LifeTable ages;
  std::uint64_t successors = 0;  // created since, at all sites of the coroutine
  History pending;               // of all its sites together, a point per census
  // Of one site at the census of that moment.
  void add_pending(double seconds, double count);

 private:
  double sum_s_ = -1, sum_ = 0;
};

class SiteState {
 public:
  // Before the first update of a site that probes see.
  void set_elders(std::shared_ptr<Elders> elders) { elders_ = std::move(elders); }
  // PROCESS is the one the site belongs to; nullptr: the sample lacks it.
  [[nodiscard]] SiteRow update(const SiteSample& site, const ProcessSample* process, const Interval& interval,
                               const VerdictPolicy& policy);
  // For the row just made; nullopt when nothing is wrong with it.
  [[nodiscard]] std::optional<Finding> finding(const SiteSample& site, const SiteRow& row, const Interval& interval);

  // For the row just made: what happened to single tasks of it.
  [[nodiscard]] std::vector<Finding> events(const SiteRow& row, const ProbeSample& probes, const Interval& interval);

  std::uint64_t last_update = 0;  // which update saw it: the others are forgotten

 private:
  // Nothing was created or ended since a verdict that time alone hardly changes.
  [[nodiscard]] bool is_quiet(const SiteSample& site, const Interval& interval) const;
  void look_closely(const SiteSample& site, const Interval& interval, const VerdictPolicy& policy);
  void add_judgement(SiteRow& row, const SiteSample& site, const Interval& interval, const VerdictPolicy& policy);
  // The worst a row that grows can be called, whatever its numbers.
  [[nodiscard]] Verdict verdict_limit(const SiteRow& row, const VerdictPolicy& policy) const;
  void add_counts(const SiteSample& site, const ProcessSample* process, const Interval& interval);
  [[nodiscard]] Judgement judge_now(const SiteSample& site, const Interval& interval, const VerdictPolicy& policy);
  void add_rates(SiteRow& row, const SiteSample& site, const Interval& interval);
  [[nodiscard]] std::optional<Survival> survival(const SiteSample& site, const Interval& interval) const;
  [[nodiscard]] Accumulating accumulating(const SiteRow& row, const VerdictPolicy& policy) const;

  History history_;
  History pending_, done_, cancel_requested_;  // a point per census, tasks only
  std::int64_t census_ns_ = 0;                 // the last one these know
  CreatedTotals created_;
  Standing standing_, slow_, lost_;
  Survivors survivors_;
  std::shared_ptr<Elders> elders_;
  Standpoint standpoint_;
  // As of the last close look.
  double looked_s_ = 0;
  std::uint64_t looked_created_ = 0, looked_destroyed_ = 0, looked_outstanding_ = 0;
  Judgement judgement_;
  Ages ages_;
  SharedList<double> sparkline_;

  Accumulating accumulating_ = Accumulating::all;  // as of the last update that found it growing

  std::uint64_t created_total_ = 0, destroyed_total_ = 0;
};

}  // namespace asyncleak
