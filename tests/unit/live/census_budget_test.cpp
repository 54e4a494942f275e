#include "live/census_budget.h"

#include <catch2/catch.hpp>

namespace asyncleak::live {
namespace {

constexpr std::int64_t ms = 1'000'000;

TEST_CASE("a process that was never looked at comes first, budget or not") {
  CensusBudget budget(5);
  CHECK(budget.next({10, 20}, 0) == 10);
  budget.spent(10, 0, 1000 * ms);
  CHECK(budget.next({10, 20}, 1 * ms) == 20);
  budget.spent(20, 1 * ms, 1000 * ms);
  CHECK(budget.next({10, 20}, 2 * ms) == std::nullopt);
}

TEST_CASE("the first looks of many processes keep none of them waiting for the others") {
  CensusBudget budget(5);
  for (pid_t pid = 1; pid <= 50; ++pid) budget.spent(pid, pid * 10 * ms, 10 * ms);
  CHECK(budget.next({1, 50}, 205 * ms) == std::nullopt);
  CHECK(budget.next({1, 50}, 211 * ms) == 1);
}

TEST_CASE("looks stay within the share of a core") {
  CensusBudget budget(5);
  std::int64_t now = 0, spent = 0;
  constexpr std::int64_t cost = 10 * ms;
  const std::vector<pid_t> living{1, 2, 3};
  for (; now < 60'000 * ms; now += 100 * ms) {
    while (const auto pid = budget.next(living, now)) {
      budget.spent(*pid, now, cost);
      spent += cost;
    }
  }
  CHECK(spent <= now / 20 + 4 * cost);
  CHECK(spent >= now / 25);
}

TEST_CASE("many processes, looked at when the screen is refreshed, use all of the share") {
  CensusBudget budget(50);
  std::vector<pid_t> living;
  for (pid_t pid = 1; pid <= 50; pid++) living.push_back(pid);
  for (const pid_t pid : living) budget.spent(pid, 0, 40 * ms);
  int looks = 0;
  for (std::int64_t now = 0; now < 20'000 * ms; now += 1000 * ms) {
    while (const auto pid = budget.next(living, now)) {
      budget.spent(*pid, now, 40 * ms);
      looks++;
    }
  }
  CHECK(looks >= 235);  // of 40 ms in half of 20 s
  CHECK(looks <= 250);
}

TEST_CASE("among those that are due, the one whose look is oldest") {
  CensusBudget budget(100);
  budget.spent(1, 0, 10 * ms);
  budget.spent(2, 5 * ms, 1 * ms);
  CHECK(budget.next({1, 2}, 100 * ms) == 1);
  budget.spent(1, 100 * ms, 10 * ms);
  CHECK(budget.next({1, 2}, 200 * ms) == 2);
}

TEST_CASE("one that came while we watch waits as long as after a look, and is within the share") {
  CensusBudget budget(10);
  budget.met(1, 0);  // nothing is known of what a look costs
  CHECK(budget.next({1}, 0) == 1);
  budget.spent(1, 0, 20 * ms);
  budget.spent(2, 0, 40 * ms);  // there from the start
  budget.met(3, 1000 * ms);
  CHECK(budget.next({3}, 1299 * ms) == std::nullopt);
  CHECK(budget.next({3}, 1300 * ms) == 3);
  budget.met(3, 1300 * ms);  // known already
  CHECK(budget.next({3}, 1300 * ms) == 3);
  budget.spent(3, 1300 * ms, 500 * ms);
  CHECK(budget.next({1, 2}, 5000 * ms) == std::nullopt);
  CHECK(budget.next({1, 2}, 5301 * ms) == 1);
}

TEST_CASE("a forgotten process is new again, a budget of nothing looks never") {
  CensusBudget budget(5);
  budget.spent(1, 0, 1000 * ms);
  CHECK(budget.next({1}, 1 * ms) == std::nullopt);
  budget.forget(1);
  CHECK(budget.next({1}, 1 * ms) == 1);
  CHECK(CensusBudget(0).next({1}, 0) == std::nullopt);
}

}  // namespace
}  // namespace asyncleak::live
