#include "model/arrivals.h"

#include <catch2/catch.hpp>
#include <functional>

using namespace asyncleak;

namespace {

ArrivalShape shape_when(const std::function<double(std::size_t)>& in_slice) {
  Arrivals arrivals;
  arrivals.window_s = Arrivals::slices;
  for (std::size_t i = 0; i < Arrivals::slices; ++i) arrivals.counts[i] = in_slice(i);
  return shape_of(arrivals, 1, ArrivalPolicy{});
}

}  // namespace

TEST_CASE("what comes at one rate is even and goes on") {
  const ArrivalShape shape = shape_when([](std::size_t i) { return 2.0 + static_cast<double>(i % 2); });
  CHECK(shape.total == Approx(60));
  CHECK(shape.even);
  CHECK(shape.still);
  CHECK_FALSE(shape.slower);
}

TEST_CASE("a ramp that ended is silent at the end") {
  CHECK_FALSE(shape_when([](std::size_t i) { return i < 19 ? 5.0 : 0.0; }).still);
  CHECK(shape_when([](std::size_t i) { return i < 22 ? 5.0 : 0.0; }).still);  // could be chance
}

TEST_CASE("batches are judged by their own pace") {
  const ArrivalShape shape = shape_when([](std::size_t i) { return i % 4 == 0 ? 20.0 : 0.0; });
  CHECK(shape.busy_slices == 6);
  CHECK(shape.even);
  CHECK(shape.still);
}

TEST_CASE("all at once is not even") {
  CHECK_FALSE(shape_when([](std::size_t i) { return i < 6 ? 100.0 : 1.0; }).even);
}

TEST_CASE("what saturates gets slower, what is noisy does not") {
  CHECK(shape_when([](std::size_t i) { return 40 * std::exp(-static_cast<double>(i) / 12); }).slower);
  CHECK_FALSE(shape_when([](std::size_t i) { return i % 3 == 0 ? 60.0 : 10.0; }).slower);
  CHECK_FALSE(shape_when([](std::size_t i) { return i < 8 ? 1.0 : 0.7; }).slower);  // too few to say
}

TEST_CASE("of those that live, a class that a slice cuts is shared out") {
  constexpr std::int64_t s = 1'000'000'000;
  SiteSample site;
  site.first_seen_ns = 0;
  site.last_created_ns = 1000 * s;
  site.cohorts = {{100 * s, 124 * s, 48}, {200 * s, 201 * s, 7}};
  const Arrivals arrivals = arrivals_of(site, 112 * s, 136 * s, 1000 * s);
  CHECK(arrivals.window_s == 24);
  CHECK(arrivals.counts[0] == Approx(2));
  CHECK(arrivals.counts[11] == Approx(2));
  CHECK(arrivals.counts[12] == 0);
}

TEST_CASE("without births the rise of the floor stands for them") {
  History rising, sawtooth;
  for (int i = 0; i <= 48; ++i) {
    rising.add(i, 2 * i + (i % 2 == 0 ? 0 : 30));
    sawtooth.add(i, i % 12);
  }
  CHECK(shape_of(arrivals_of(rising, 0), 1, ArrivalPolicy{}).total == Approx(96).margin(4));
  CHECK(shape_of(arrivals_of(sawtooth, 0), 1, ArrivalPolicy{}).total == 0);
}
