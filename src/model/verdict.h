// What the numbers of one site mean: nothing yet, churn, a pool, growth, a leak; and how sure that is.
//
// Used by site_state.cpp and allocation_state.cpp. Pure: histories, classes of birth and life tables in, a verdict out.
// docs/architecture.md, "What is judged", has the rules in words; docs/judgement.md what they reach.
#pragma once

#include "model/arrivals.h"
#include "model/history.h"
#include "model/report.h"
#include "model/survival.h"
#include "model/trend.h"

#include <optional>

namespace asyncleak {

struct VerdictPolicy {
  TrendPolicy trend;
  ArrivalPolicy arrivals;
  double fresh_s = 10;        // no opinion before that, but for clear growth
  double growing_min_s = 7;   // growth is named after that: eight samples at the default delay
  double growing_sigmas = 2;  // its rise in units of the noise above the floor
  int growing_steps = 3;      // of five steps between six equal parts of the window, the floor rose in
  double churn_quiet_s = 10;  // no creation for so long is not churn

  // A leak is named after so much watching: ramps of start-up have mostly ended then, and 30 s is the promise ...
  double leak_min_s = 24.5;
  double leak_span_s = 21.5;   // ... when what stays came over so long ...
  double later_span_s = 44.5;  // ... but when growth begins under our eyes, there is no hurry
  double leak_confidence = 0.9;
  double least_survivors = 8;
  double dead_share = 0.1;         // so many of those that reached the age may have died after all
  double old_hazard_share = 0.15;  // that the old die much less than the younger did: at this share of their rate
  double silent_share = 0.25;      // of the time since the first: nobody came for so long is certainly the end
  double shortest_life_s = 40;     // where nobody died at all: that a mean life of this would have shown
  double census_sigmas =
      5;  // rise of a number of which no births are seen, in roots of its level, for a confidence of 0.9
  double census_fall_share = 0.02;  // it never fell but by so little of its rise: those roots do not matter
  double census_looks = 10;         // in a window, when growth begins under our eyes
  double census_falls = 3;          // else it rose by so many times its deepest fall: what only comes and goes does not
  double new_level_share = 0.3;     // growth that begins late must go so much of its rise beyond all that was before

  // Once named it stays one for so long after the evidence was last complete: no flapping.
  double hold_share = 0.2, hold_most_s = 60;           // of the time it was seen to grow
  double hold_gaps = 4;                                // or so many gaps between arrivals
  double hold_pauses = 1.25, hold_pause_most_s = 120;  // or as long as a pause it has come back from
  double hold_level = 0.7;                             // unless the number fell below this share
};

// One site, or its bytes.
struct Population {
  const History& history;  // of the number
  const SiteSample& site;
  std::int64_t now_ns;
  double watched_s;
  const LifeTable* ages = nullptr;    // nullptr: neither births nor deaths are seen
  const LifeTable* elders = nullptr;  // of the same coroutine, those from before the watching
  double elders_share = 1;            // so many of them count as this site's
  double unit = 1;                    // what makes one object
  bool named = false;                 // it was called a leak: that it slackens does not take that back, its end does
};

// What speaks for a leak, for those who must explain it.
struct LeakEvidence {
  double survivors = 0;     // so many came in the window and still exist
  double older_than_s = 0;  // all of these are older than that
  double window_s = 0;
  double deaths = 0;      // of those of that age, lately
  double exposure_s = 0;  // over so many object-seconds
  double confidence = 0;
  double gap_s = 0;  // the mean time between arrivals, or groups of them
  // With 95 % certainty a mean life is longer than this, if it ends at all; 0: not known.
  [[nodiscard]] double lives_at_least_s() const;
};

// What is remembered of the verdict before.
struct Standpoint {
  Verdict verdict = Verdict::fresh;
  std::optional<LeakEvidence> leak;  // the last that was complete
  double confirmed_s = 0;            // when that was, on the clock of the history
  double longest_pause_s = 0;        // from being taken back to being named again
  double level = 0;                  // the number then
};

struct Judgement {
  Verdict verdict = Verdict::fresh;
  std::optional<double> confidence;  // in the verdict; nullopt: fresh
  std::optional<Trend> trend;        // the window that decided
  std::optional<LeakEvidence> leak;
};

// The best evidence for a leak there is, whatever its confidence.
[[nodiscard]] std::optional<LeakEvidence> leak_evidence(const Population& population, const VerdictPolicy& policy);

// The history ends with this sample. STANDPOINT is that of the sample before, and becomes this one's.
[[nodiscard]] Judgement judge(const Population& population, Standpoint& standpoint, const VerdictPolicy& policy);

}  // namespace asyncleak
