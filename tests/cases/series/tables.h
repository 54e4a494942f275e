// How the judged series are summed up.
//
// Used by judge_series (the tables) and its test (the figures of a half).
#pragma once

#include "watch.h"

#include <algorithm>
#include <iosfwd>
#include <vector>

namespace asyncleak::series {

[[nodiscard]] std::vector<Outcome> judge_all(const Policy& policy, int rounds = 1);
// The same with everything named that the model has any confidence in: what a threshold is swept over.
[[nodiscard]] std::vector<Outcome> scores_of_all();

enum class Half { tuned_on, tried_on };

struct Figures {
  int leaking = 0, found = 0;
  int healthy = 0, accused = 0;
  [[nodiscard]] double recall() const { return static_cast<double>(found) / leaking; }
  [[nodiscard]] double precision() const { return static_cast<double>(found) / std::max(1, found + accused); }
};
// Named with at least that confidence counts as found; twins are left out.
[[nodiscard]] Figures figures(const std::vector<Outcome>& outcomes, Half half, double least_score = 0);

void print_details(std::ostream& out, const std::vector<Outcome>& outcomes);
void print_tables(std::ostream& out, const std::vector<Outcome>& outcomes);
void print_roc(std::ostream& out, const std::vector<Outcome>& scores);

}  // namespace asyncleak::series
