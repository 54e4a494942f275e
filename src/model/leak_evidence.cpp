// verdict.h: leak_evidence(). Survival first, the shape of the arrivals second; without births the floor has to do.
#include "model/verdict.h"

#include <algorithm>
#include <cmath>

namespace asyncleak {
namespace {

// P(no more than DEATHS of n = deaths + others, when each is one with PROBABILITY). Real numbers: deaths are forgotten
// by and by.
double binomial_at_most(double deaths, double others, double probability) {
  const double n = deaths + others;
  if (n * probability > 200) {
    const double z = (deaths + 0.5 - n * probability) / std::sqrt(n * probability * (1 - probability) + 1e-9);
    return 0.5 * std::erfc(-z / std::sqrt(2.0));
  }
  double sum = 0;
  const double below_one = std::fmod(deaths, 1.0);
  for (int k = 0; k <= static_cast<int>(deaths); ++k) {
    const double i = below_one + k;
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(i + 1) - std::lgamma(n - i + 1) + i * std::log(probability) +
                    (n - i) * std::log1p(-probability));
  }
  return std::min(1.0, sum);
}

double poisson_at_most(double deaths, double expected) {
  if (deaths > expected) return 1;
  double sum = 0, term = std::exp(-expected);
  for (int i = 0; i <= static_cast<int>(deaths); ++i) {
    sum += term;
    term *= expected / (i + 1);
  }
  return std::min(1.0, sum);
}

class BySurvival {
 public:
  BySurvival(const Population& population, const VerdictPolicy& policy) : it_(population), policy_(policy) {}

  std::optional<LeakEvidence> best() const {
    std::optional<LeakEvidence> found;
    // From the youngest age on: which one the healthy do not reach is not known beforehand.
    for (std::size_t age_class = 1; age_class < LifeTable::classes; ++age_class) {
      const double old_s = LifeTable::begin_s(age_class);
      if (old_s > it_.watched_s) break;
      const Mortality old = beyond(age_class);
      if (old.exposure_s <= 0) break;
      if (old.deaths > policy_.dead_share * static_cast<double>(it_.site.outstanding) / it_.unit) continue;
      const auto window = widest_that_fits(old_s, old.deaths);
      if (!window) continue;
      LeakEvidence evidence = *window;
      evidence.deaths = old.deaths;
      evidence.exposure_s = old.exposure_s;
      evidence.confidence = confidence(age_class, old);
      if (!found || evidence.confidence > found->confidence) found = evidence;
      if (found->confidence > 0.99) break;
    }
    return found;
  }

 private:
  [[nodiscard]] Mortality at(std::size_t age_class) const {
    Mortality sum = it_.ages->at(age_class);
    if (it_.elders != nullptr) {
      const Mortality& elders = it_.elders->at(age_class);
      sum += {it_.elders_share * elders.deaths, it_.elders_share * elders.exposure_s};
    }
    return {sum.deaths / it_.unit, sum.exposure_s / it_.unit};
  }
  [[nodiscard]] Mortality beyond(std::size_t age_class) const {
    Mortality sum;
    for (std::size_t i = age_class; i < LifeTable::classes; ++i) sum += at(i);
    for (std::size_t i = 0; i < age_class; ++i) sum.deaths += older_than_they_seem(i);
    return sum;
  }
  // Elders are at least as old as their class says. Where more of them die than do of those whose age is known, it is
  // of being older.
  [[nodiscard]] double older_than_they_seem(std::size_t age_class) const {
    if (it_.elders == nullptr) return 0;
    const Mortality& own = it_.ages->at(age_class);
    const Mortality& elders = it_.elders->at(age_class);
    constexpr double certainly = 2;
    const double as_others = own.exposure_s > 0 ? own.deaths / own.exposure_s * elders.exposure_s : 0;
    return it_.elders_share * std::max(0.0, elders.deaths - certainly * as_others);
  }

  // That those older than the age do not die as the others do: two ways to be wrong, the likelier one counts.
  [[nodiscard]] double confidence(std::size_t age_class, const Mortality& old) const {
    double by_chance = poisson_at_most(old.deaths, old.exposure_s / policy_.shortest_life_s);
    Mortality younger = at(age_class - 1);
    if (age_class >= 2) younger += at(age_class - 2);
    if (old.deaths + younger.deaths > 0.05) {
      const double exposed = policy_.old_hazard_share * old.exposure_s;
      const double share = exposed / (exposed + std::max(younger.exposure_s, 1e-3));
      by_chance = std::max(by_chance, binomial_at_most(old.deaths, younger.deaths, share));
    }
    return 1 - by_chance;
  }

  struct Window {
    ArrivalShape shape;
    double window_s;
  };
  [[nodiscard]] Window look_at(double from_s_ago, double to_s_ago) const {
    const auto ago = [this](double seconds) { return it_.now_ns - static_cast<std::int64_t>(seconds * 1e9); };
    const Arrivals arrivals = arrivals_of(it_.site, ago(from_s_ago), ago(to_s_ago), it_.now_ns);
    return {shape_of(arrivals, it_.unit, policy_.arrivals), arrivals.window_s};
  }

  // Growth from the first birth on, or growth that began later: the shortest window that shows it. Windows of up to
  // four times its length must not show that it slackens: the tail of a warm-up is even, too.
  [[nodiscard]] std::optional<LeakEvidence> widest_that_fits(double old_s, double deaths) const {
    const double since_s = static_cast<double>(it_.now_ns - it_.site.first_seen_ns) / 1e9;
    const double all_s = std::min(since_s - old_s, 3600.0);
    if (all_s < policy_.leak_span_s) return std::nullopt;
    std::optional<LeakEvidence> found;
    double found_s = 0;
    for (double window_s = policy_.later_span_s;; window_s *= 2) {
      const bool all = window_s >= all_s;
      if (all) window_s = all_s;
      if (found && window_s > 4 * found_s) return found;
      const auto [shape, seconds] = look_at(old_s + window_s, old_s);
      if (found && slackens(shape)) return std::nullopt;
      // What came lately is not old enough to tell, but that it came can be seen.
      if (!found && fits(shape, deaths) && goes_on(look_at(old_s + window_s, 0).shape)) {
        found = LeakEvidence{shape.total, old_s, seconds, 0, 0, 0, seconds / shape.busy_slices};
        found_s = window_s;
      }
      if (all) return found;
    }
  }
  [[nodiscard]] bool fits(const ArrivalShape& shape, double deaths) const {
    return shape.total >= policy_.least_survivors && shape.even && goes_on(shape) &&
           deaths <= policy_.dead_share * shape.total;
  }
  [[nodiscard]] bool goes_on(const ArrivalShape& shape) const { return shape.still && !slackens(shape); }
  [[nodiscard]] bool slackens(const ArrivalShape& shape) const { return shape.slower && !it_.named; }

  const Population& it_;
  const VerdictPolicy& policy_;
};

class ByFloor {
 public:
  ByFloor(const Population& population, const VerdictPolicy& policy) : it_(population), policy_(policy) {}

  std::optional<LeakEvidence> best() const {
    const History& history = it_.history;
    const double all_s = std::min(history.last_s() - history.first_s(), 3600.0);
    if (all_s < policy_.leak_min_s) return std::nullopt;
    const double between_looks_s = all_s / static_cast<double>(history.samples());
    std::optional<LeakEvidence> found;
    double found_s = 0;
    for (double window_s = std::max(policy_.later_span_s, policy_.census_looks * between_looks_s);; window_s *= 2) {
      const bool all = window_s >= all_s;
      if (all) window_s = all_s;
      if (found && found->confidence >= policy_.leak_confidence && window_s > 4 * found_s) return found;
      const double from_s = history.last_s() - window_s;
      const ArrivalShape shape = shape_of(arrivals_of(history, from_s), it_.unit, policy_.arrivals);
      if (found && slackens(shape)) return std::nullopt;
      if (fits(shape) && is_new_level(all ? from_s + window_s / 3 : from_s, shape.total)) {
        const double sure = confidence(shape);
        if (!found || sure > found->confidence) {
          if (!found || found->confidence < policy_.leak_confidence) found_s = window_s;
          found = LeakEvidence{shape.total, 0, window_s, 0, 0, sure, window_s / shape.busy_slices};
        }
      }
      if (all) return found;
    }
  }

 private:
  [[nodiscard]] bool fits(const ArrivalShape& shape) const {
    return shape.total >= policy_.least_survivors && shape.even && shape.still && !slackens(shape);
  }
  [[nodiscard]] bool slackens(const ArrivalShape& shape) const { return shape.slower && !it_.named; }
  // Also of the whole: what was seen at its beginning may have been the end of a slow tooth.
  [[nodiscard]] bool is_new_level(double from_s, double rise) const {
    return it_.history.last() - it_.history.max_before(from_s) >= policy_.new_level_share * rise * it_.unit;
  }
  // Numbers that come and go are as uncertain as their root, and rise as far as they fall; others never fall.
  [[nodiscard]] double confidence(const ArrivalShape& shape) const {
    const double fall = it_.history.deepest_fall() / it_.unit;
    if (fall <= policy_.census_fall_share * shape.total) return 1 - std::exp2(-shape.total / 2.4);
    if (shape.total < policy_.census_falls * fall) return 0;
    const double level = std::max(1.0, it_.history.last() / it_.unit - shape.total / 2);
    const double sigmas = shape.total / std::sqrt(level);
    return 1 - std::pow(0.1, std::pow(sigmas / policy_.census_sigmas, 2));
  }

  const Population& it_;
  const VerdictPolicy& policy_;
};

}  // namespace

double LeakEvidence::lives_at_least_s() const {
  if (exposure_s <= 0) return 0;
  // The upper 95 % bound of a Poisson mean, to a few per cent: 3.0 of none, 4.7 of one.
  return exposure_s / (deaths + 3 + 1.7 * std::sqrt(deaths));
}

std::optional<LeakEvidence> leak_evidence(const Population& population, const VerdictPolicy& policy) {
  if (population.watched_s < policy.leak_min_s || population.history.empty()) return std::nullopt;
  if (population.history.last() < policy.least_survivors * population.unit) return std::nullopt;
  // Nobody came for so long that no window could be called still going on: most sites, and the rest need not be asked.
  const auto since_s = [&population](std::int64_t then_ns) {
    return static_cast<double>(population.now_ns - then_ns) / 1e9;
  };
  if (population.ages != nullptr &&
      since_s(population.site.last_created_ns) > policy.silent_share * since_s(population.site.first_seen_ns)) {
    return std::nullopt;
  }
  if (population.ages != nullptr) return BySurvival(population, policy).best();
  return ByFloor(population, policy).best();
}

}  // namespace asyncleak
