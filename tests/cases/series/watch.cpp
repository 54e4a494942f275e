#include "watch.h"

#include <algorithm>

namespace asyncleak::series {
namespace {

void note(Outcome& outcome, const Report& report, bool& was_leak) {
  bool is_leak = false;
  for (const SiteRow& row : report.sites) {
    if (worst_verdict(row) != Verdict::leak) continue;
    is_leak = true;
    const double confidence = row.confidence.value_or(0);
    if (!outcome.first_leak_s) {
      outcome.first_leak_s = report.watched_s;
      outcome.leak_confidence = confidence;
    }
    outcome.last_leak_s = report.watched_s;
    outcome.score = std::max(outcome.score, confidence);
  }
  if (is_leak && !was_leak) ++outcome.namings;
  was_leak = is_leak;
  outcome.watched_s = report.watched_s;
}

}  // namespace

Outcome watch(const Series& series, const Policy& policy, const Each& each) {
  Outcome outcome{series, {}, 0, 0, 0, 0, 0};
  Random random(series.seed());
  auto [watching, program] = series.family->make(random);
  World world(series.seed() + 500, watching);
  Model model(policy);
  bool was_leak = false;
  double next_look_s = 0;
  while (world.watched_s() < watching.watched_s) {
    program(world);
    world.advance();
    if (world.watched_s() < next_look_s) continue;
    const Report report = model.update(world.look());
    note(outcome, report, was_leak);
    if (each) each(report);
    do {
      next_look_s += watching.interval_s * (1 + watching.jitter * random.normal());
    } while (random.chance(watching.missed));
  }
  return outcome;
}

}  // namespace asyncleak::series
