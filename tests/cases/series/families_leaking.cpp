// Programs that leak: at a rate that a person would want to be told of.
#include "programs.h"

#include <algorithm>
#include <cmath>

namespace asyncleak::series {
namespace {

// Half of them were leaking long before anybody looked.
void maybe_late(Random& random, Watching& watching) {
  if (random.chance(0.5)) watching.attach_s = random.between(60, 1200);
}

Setting pure(Random& random) {
  Watching watching = any_watching(random);
  maybe_late(random, watching);
  return {watching, load(constant(random.log_between(0.5, 50)), fixed(World::forever), random.between(0, 0.5))};
}

Setting under_load(Random& random) {
  Watching watching = any_watching(random);
  maybe_late(random, watching);
  watching.attach_s = std::min(watching.attach_s, 120.0);
  watching.watched_s = 240;
  const double healthy = random.log_between(200, 2000);
  return {watching, both(load(constant(healthy), any_short(random, 2), random.between(0, 0.3)),
                         load(constant(random.between(2, 6)), fixed(World::forever)))};
}

Setting fraction(Random& random) {
  Watching watching = any_watching(random);
  maybe_late(random, watching);
  const double share = random.log_between(0.001, 0.05);
  const double per_s = random.between(0.05, 5) / share;
  return {watching,
          load(constant(std::clamp(per_s, 20.0, 800.0)), any_short(random, 1), random.between(0, 0.4), share)};
}

Setting slow(Random& random) {
  Watching watching = any_watching(random);
  watching.interval_s = std::max(1.0, watching.interval_s);
  watching.watched_s = 2400;
  const double per_s = random.log_between(1.0 / 60, 0.2);
  return {watching, both(load(constant(random.between(0, 5)), any_short(random, 2)),
                         load(constant(per_s), fixed(World::forever)))};
}

Setting stairs(Random& random) {
  Watching watching = any_watching(random);
  const double period_s = random.log_between(4, 60);
  const double batch = random.log_between(3, 60);
  auto next_s = std::make_shared<double>(0);
  return {watching, [period_s, batch, next_s](World& world) {
            if (world.now_s() < *next_s) return;
            *next_s += period_s * world.random().between(0.8, 1.2);
            for (int i = 0; i < static_cast<int>(batch); ++i) world.spawn(World::forever);
          }};
}

Setting pausing(Random& random) {
  Watching watching = any_watching(random);
  const double per_s = random.log_between(0.5, 20);
  const double on_s = random.between(10, 60), off_s = random.between(10, 60);
  return {watching, load([=](double now_s) { return std::fmod(now_s, on_s + off_s) < on_s ? per_s : 0; },
                         fixed(World::forever), 0.2)};
}

Setting late(Random& random) {
  Watching watching = any_watching(random);
  const double begins_s = random.between(60, 400);
  const double per_s = random.log_between(0.5, 20);
  return {watching, both(load(constant(random.log_between(1, 100)), any_short(random, 2), 0.2),
                         load([=](double now_s) { return now_s < begins_s ? 0 : per_s; }, fixed(World::forever)))};
}

Setting by_census(Random& random) {
  Watching watching = any_watching(random);
  watching.seen = Seen::census;
  maybe_late(random, watching);
  const double per_s = random.log_between(0.5, 50);
  return {watching, both(load(constant(random.between(0, 4)), any_short(random, 2)),
                         load(constant(per_s), fixed(World::forever), random.between(0, 0.3)))};
}

Setting by_census_noisy(Random& random) {
  Watching watching = any_watching(random);
  watching.seen = Seen::census;
  const double level = random.log_between(20, 500);
  const double mean_s = random.log_between(0.2, 3);
  const double per_s = random.between(0.3, 1) * std::sqrt(level) / 2;
  return {watching, both(load(constant(level / mean_s), exponential(mean_s)),
                         load(constant(per_s), fixed(World::forever), random.between(0, 0.3)))};
}

Setting among_connections(Random& random) {
  Watching watching = any_watching(random);
  maybe_late(random, watching);
  const double mean_s = random.between(5, 30);
  return {watching, load(constant(random.between(2, 20)), exponential(mean_s), 0.1, random.between(0.1, 0.5))};
}

Setting cyclic(Random& random) {
  Watching watching = any_watching(random);
  const double per_s = random.log_between(10, 200);
  const double period_s = random.between(60, 3600), phase = random.between(0, 6.28);
  return {watching, load([=](double now_s) { return per_s * (1 + 0.6 * std::sin(phase + now_s / period_s * 6.2832)); },
                         any_short(random, 2), 0.2, random.log_between(0.01, 0.05))};
}

Setting bytes(Random& random) {
  Watching watching = any_watching(random);
  watching.seen = Seen::bytes;
  const double blocks_per_s = random.log_between(2, 20);
  const auto block = static_cast<double>(std::llround(random.log_between(2, 200))) * 1024;
  return {watching, both([block](World& world) { world.block_bytes = static_cast<std::uint64_t>(block); },
                         both(load(constant(random.between(0, 50)), any_short(random, 1)),
                              load(constant(blocks_per_s), fixed(World::forever), 0.2)))};
}

}  // namespace

const std::vector<Family>& leaking_families() {
  static const std::vector<Family> families = {
      {"pure", Truth::leak, 20, 101, pure, "0.5 to 50 a second, all stay; half attached late"},
      {"under-load", Truth::leak, 10, 102, under_load,
       "2 to 6 a second under 200 to 2000 healthy ones in the same site"},
      {"fraction", Truth::leak, 16, 103, fraction, "0.1 to 5 % of requests stay"},
      {"slow", Truth::leak, 10, 104, slow, "one a minute to one in 5 s, among up to 5 healthy ones a second"},
      {"stairs", Truth::leak, 12, 105, stairs, "3 to 60 at a time, every 4 to 60 s"},
      {"pausing", Truth::leak, 12, 106, pausing, "0.5 to 20 a second for 10 to 60 s, then none for as long"},
      {"late", Truth::leak, 10, 107, late, "begins after 1 to 7 healthy minutes"},
      {"census", Truth::leak, 14, 108, by_census, "0.5 to 50 a second, seen by looks every 1 to 5 s"},
      {"census-noisy", Truth::leak, 8, 109, by_census_noisy, "under 20 to 500 healthy ones that come and go"},
      {"among-connections", Truth::leak, 10, 110, among_connections,
       "10 to 50 % of connections that else last 5 to 30 s"},
      {"cyclic", Truth::leak, 8, 111, cyclic, "1 to 5 % of a load that comes in waves"},
      {"bytes", Truth::leak, 10, 112, bytes, "blocks of 2 to 200 KiB, 2 to 20 a second"},
  };
  return families;
}

}  // namespace asyncleak::series
