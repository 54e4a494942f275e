#include "model/history.h"

#include "model/trend.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

TEST_CASE("the sparkline is evenly spaced, oldest first, and never longer than sixty") {
  History history;
  CHECK(history.sparkline().empty());
  for (int i = 0; i < 5; ++i) history.add(i, i * 10);
  CHECK(history.sparkline() == std::vector<double>{0, 10, 20, 30, 40});
  for (int i = 5; i < 1000; ++i) history.add(i, i * 10);
  CHECK(history.sparkline().size() == 60);
  CHECK(history.sparkline().back() == 9990);
  CHECK(history.sparkline().front() == Approx(4080).margin(30));  // the end of the ten seconds from 399 on
}

TEST_CASE("a gap is bridged, not shown as zero") {
  History history;
  for (const double t : {0.0, 1.0, 2.0, 12.0}) history.add(t, t);
  CHECK(history.sparkline() == std::vector<double>{2, 3, 6, 12});
}

TEST_CASE("an hour fits: the recent past is exact, the beginning is kept, minima survive") {
  History history;
  for (int i = 0; i < 3600; ++i) history.add(i, i % 2 == 0 ? 100 : 50 + i % 7);
  CHECK(history.first_s() == Approx(0).margin(30));
  CHECK(history.last_s() == 3599);
  std::vector<double> minima(36);
  history.slice_minima(0, minima);
  for (const double value : minima) CHECK(value < 60);
}

TEST_CASE("a level stretch is known to be level") {
  History history;
  history.add(0, 5);
  for (int i = 1; i < 500; ++i) history.add(i, 7);
  CHECK(history.constant_since(1));
  CHECK(history.constant_since(250.5));
  CHECK_FALSE(history.constant_since(0));
  history.add(500, 8);
  CHECK_FALSE(history.constant_since(250));
  CHECK(history.max_before(500) == 7);
}

TEST_CASE("the trend is the slope of the floor, not of the values") {
  const TrendPolicy policy;
  History rising, sawtooth, level;
  for (int i = 0; i <= 120; ++i) {
    rising.add(i, 2 * i + (i % 3) * 20);
    sawtooth.add(i, i % 20);
    level.add(i, 40);
  }
  CHECK(trend_of(rising, 300, policy)->growth_per_min == Approx(120).epsilon(0.05));
  CHECK(trend_of(sawtooth, 300, policy)->growth_per_min == 0);
  CHECK(trend_of(level, 300, policy)->growth_per_min == 0);
}

TEST_CASE("no trend before five seconds and five samples") {
  const TrendPolicy policy;
  History quick, slow;
  for (int i = 0; i < 20; ++i) quick.add(i * 0.1, i);
  CHECK_FALSE(trend_of(quick, 300, policy));
  for (int i = 0; i < 4; ++i) slow.add(i * 10, i);
  CHECK_FALSE(trend_of(slow, 300, policy));
  slow.add(40, 4);
  CHECK(trend_of(slow, 300, policy)->growth_per_min == Approx(6));
}
