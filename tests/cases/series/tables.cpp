#include "tables.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <ostream>

namespace asyncleak::series {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<Outcome> judge_with(const Policy& policy, int rounds) {
  std::vector<Outcome> outcomes;
  for (const Series& series : all_series(rounds)) outcomes.push_back(watch(series, policy));
  return outcomes;
}

std::vector<const Outcome*> of(const std::vector<Outcome>& outcomes, const Family& family, bool tuned_on) {
  std::vector<const Outcome*> found;
  for (const Outcome& outcome : outcomes) {
    if (outcome.series.family == &family && outcome.series.tuned_on() == tuned_on) found.push_back(&outcome);
  }
  return found;
}

long named(const std::vector<const Outcome*>& outcomes) {
  return std::count_if(outcomes.begin(), outcomes.end(), [](const Outcome* each) { return each->first_leak_s; });
}

void print_leaking(std::ostream& out, const std::vector<Outcome>& outcomes) {
  out << "| leaking | what | named, tuned | named, tried | median | worst | flaps |\n|---|---|---|---|---|---|---|\n";
  for (const Family& family : leaking_families()) {
    std::vector<double> times;
    int flaps = 0;
    for (const Outcome& outcome : outcomes) {
      if (outcome.series.family != &family || !outcome.first_leak_s) continue;
      times.push_back(*outcome.first_leak_s);
      flaps += outcome.namings - 1;
    }
    const auto tuned = of(outcomes, family, true), tried = of(outcomes, family, false);
    const double worst = times.empty() ? 0 : *std::max_element(times.begin(), times.end());
    out << fmt::format("| {} | {} | {}/{} | {}/{} | {:.0f} s | {:.0f} s | {} |\n", family.name, family.what,
                       named(tuned), tuned.size(), named(tried), tried.size(), median(times), worst, flaps);
  }
}

void print_healthy(std::ostream& out, const std::vector<Outcome>& outcomes) {
  out << "\n| healthy | what | accused, tuned | accused, tried |\n|---|---|---|---|\n";
  for (const Family& family : healthy_families()) {
    const auto tuned = of(outcomes, family, true), tried = of(outcomes, family, false);
    out << fmt::format("| {} | {} | {}/{} | {}/{} |\n", family.name, family.what, named(tuned), tuned.size(),
                       named(tried), tried.size());
  }
}

void print_twins(std::ostream& out, const std::vector<Outcome>& outcomes) {
  out << "\n| twin | what | named | last refresh that says leak, median |\n|---|---|---|---|\n";
  for (const Family& family : twin_families()) {
    std::vector<double> last;
    for (const Outcome& outcome : outcomes) {
      if (outcome.series.family == &family && outcome.first_leak_s) last.push_back(outcome.last_leak_s);
    }
    out << fmt::format("| {} | {} | {}/{} | {:.0f} s |\n", family.name, family.what, last.size(),
                       of(outcomes, family, true).size() + of(outcomes, family, false).size(), median(last));
  }
}

void print_calibration(std::ostream& out, const std::vector<Outcome>& outcomes) {
  out << "\n| confidence when named | leaks | healthy | right |\n|---|---|---|---|\n";
  constexpr std::array bounds = {0.5, 0.8, 0.9, 0.95, 0.99, 1.01};
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
    int leaks = 0, healthy = 0;
    for (const Outcome& each : outcomes) {
      if (each.series.family->truth == Truth::twin || !each.first_leak_s) continue;
      if (each.leak_confidence < bounds.at(i) || each.leak_confidence >= bounds.at(i + 1)) continue;
      ++(each.series.family->truth == Truth::leak ? leaks : healthy);
    }
    if (leaks + healthy == 0) continue;
    out << fmt::format("| {:.2f} to {:.2f} | {} | {} | {:.1f} % |\n", bounds.at(i), std::min(1.0, bounds.at(i + 1)),
                       leaks, healthy, 100.0 * leaks / (leaks + healthy));
  }
}

}  // namespace

std::vector<Outcome> judge_all(const Policy& policy, int rounds) { return judge_with(policy, rounds); }

std::vector<Outcome> scores_of_all() {
  Policy policy;
  policy.leak_confidence = 0;
  return judge_with(policy, 1);
}

Figures figures(const std::vector<Outcome>& outcomes, Half half, double least_score) {
  Figures sum;
  for (const Outcome& outcome : outcomes) {
    if (outcome.series.tuned_on() != (half == Half::tuned_on)) continue;
    const bool is_named = outcome.first_leak_s && outcome.score >= least_score;
    const Truth truth = outcome.series.family->truth;
    if (truth == Truth::leak) {
      ++sum.leaking;
      sum.found += is_named ? 1 : 0;
    } else if (truth == Truth::healthy) {
      ++sum.healthy;
      sum.accused += is_named ? 1 : 0;
    }
  }
  return sum;
}

void print_details(std::ostream& out, const std::vector<Outcome>& outcomes) {
  for (const Outcome& outcome : outcomes) {
    const Family& family = *outcome.series.family;
    const std::string_view truth = family.truth == Truth::leak      ? "leak"
                                   : family.truth == Truth::healthy ? "healthy"
                                                                    : "twin";
    out << fmt::format("{:8} {:18} {:3}  first {:6.1f}  last {:6.1f} of {:6.1f}  confidence {:.3f}  namings {}{}\n",
                       truth, family.name, outcome.series.number, outcome.first_leak_s.value_or(-1),
                       outcome.last_leak_s, outcome.watched_s, outcome.leak_confidence, outcome.namings,
                       (family.truth == Truth::leak) == outcome.first_leak_s.has_value() ? "" : "  <--");
  }
}

void print_tables(std::ostream& out, const std::vector<Outcome>& outcomes) {
  out << "| half | leaking | named | healthy | accused | recall | precision |\n|---|---|---|---|---|---|---|\n";
  for (const Half half : {Half::tuned_on, Half::tried_on}) {
    const Figures sum = figures(outcomes, half);
    out << fmt::format("| {} | {} | {} | {} | {} | {:.1f} % | {:.1f} % |\n",
                       half == Half::tuned_on ? "tuned on" : "tried on", sum.leaking, sum.found, sum.healthy,
                       sum.accused, 100 * sum.recall(), 100 * sum.precision());
  }
  out << "\n";
  print_leaking(out, outcomes);
  print_healthy(out, outcomes);
  print_twins(out, outcomes);
  print_calibration(out, outcomes);
}

void print_roc(std::ostream& out, const std::vector<Outcome>& scores) {
  out << "\n| named from a confidence of | recall, tuned | false alarms, tuned | recall, tried | false alarms, tried "
         "|\n"
         "|---|---|---|---|---|\n";
  for (const double least : {0.0, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99}) {
    const Figures tuned = figures(scores, Half::tuned_on, least), tried = figures(scores, Half::tried_on, least);
    out << fmt::format("| {:.2f} | {:.1f} % | {:.1f} % | {:.1f} % | {:.1f} % |\n", least, 100 * tuned.recall(),
                       100.0 * tuned.accused / tuned.healthy, 100 * tried.recall(),
                       100.0 * tried.accused / tried.healthy);
  }
}

}  // namespace asyncleak::series
