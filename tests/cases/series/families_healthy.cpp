// Programs that do not leak, although their numbers rise for a while.
#include "programs.h"

#include <algorithm>
#include <cmath>

namespace asyncleak::series {
namespace {

Setting churn(Random& random) {
  Watching watching = any_watching(random);
  watching.attach_s = random.chance(0.5) ? 60 : 0;
  const double mean_s = random.log_between(0.05, 10);
  const double per_s = std::min(random.log_between(2, 2000), 4000 / mean_s);
  return {watching, load(constant(per_s), exponential(mean_s), random.between(0, 0.4))};
}

// To its full size within the time that passes before a leak is named.
Setting ramp(Random& random) {
  Watching watching = any_watching(random);
  const double length_s = random.between(2, 17);
  const double size = std::max(random.log_between(20, 1000), 2 * length_s);
  return {watching,
          both(load([=](double now_s) { return now_s < length_s ? size / length_s : 0; }, fixed(World::forever)),
               load(constant(random.chance(0.5) ? random.between(1, 50) : 0), any_short(random, 1)))};
}

// Approaches its size as 1 - exp(-t/tau): fast first, then slower.
Setting warm_up(Random& random) {
  Watching watching = any_watching(random);
  const double tau_s = random.log_between(3, 60);
  const double size = random.log_between(100, 1000) * std::max(1.0, tau_s * tau_s / 100);
  return {watching, load([=](double now_s) { return size / tau_s * std::exp(-now_s / tau_s); }, fixed(World::forever))};
}

// Workers that are replaced one by one when they have lived long enough.
Setting pool(Random& random) {
  Watching watching = any_watching(random);
  const double size = random.log_between(10, 300);
  const double life_s = random.log_between(8, 120);
  watching.attach_s = random.between(2, 4) * life_s;
  return {watching, [=](World& world) {
            while (static_cast<double>(world.outstanding()) < size - 0.5) {
              const bool filling = world.now_s() < life_s;
              world.spawn(filling ? world.random().between(1, life_s) : life_s * world.random().between(0.9, 1.1));
            }
          }};
}

Setting bursts(Random& random) {
  Watching watching = any_watching(random);
  watching.attach_s = random.between(0, 200);
  const double period_s = random.between(15, 150), length_s = random.between(1, std::min(10.0, period_s / 3));
  const double per_s = random.log_between(2, 200);
  const double life_s = random.between(1, 30);
  return {watching, both(load([=](double now_s) { return std::fmod(now_s, period_s) < length_s ? per_s : 0; },
                              uniform(life_s / 3, life_s)),
                         load(constant(random.between(0, 5)), any_short(random, 1)))};
}

// Collected for one period, then handled all together.
Program teeth(double period_s, double per_s) {
  return both(load(constant(per_s), fixed(World::forever)), [period_s, tooth = 0L](World& world) mutable {
    const auto now = static_cast<long>(world.now_s() / period_s);
    if (now != tooth) world.end_all();
    tooth = now;
  });
}

Watching by_either(Random& random) {
  Watching watching = any_watching(random);
  if (random.chance(0.4)) watching.seen = Seen::census;
  return watching;
}

Setting sawtooth(Random& random) {
  Watching watching = by_either(random);
  watching.attach_s = random.between(0, 300);
  return {watching, teeth(random.between(3, 18), random.log_between(1, 50))};
}

// The watching begins less than 15 s before a tooth ends.
Setting slow_sawtooth(Random& random) {
  Watching watching = by_either(random);
  const double period_s = random.between(30, 150);
  watching.attach_s = period_s * 3 - random.between(1, 15);
  return {watching, teeth(period_s, random.log_between(1, 50))};
}

// Every miss adds one; the fuller it is, the rarer they are, and at its bound the oldest goes for each that comes.
Setting cache(Random& random) {
  Watching watching = by_either(random);
  const double bound = random.log_between(50, 2000);
  const double first_per_s = bound / random.between(3, 15);
  const double late_hits = random.between(0, 0.95);
  return {watching, [=](World& world) {
            const double full = std::min(1.0, static_cast<double>(world.outstanding()) / bound);
            const int misses = world.random().poisson(first_per_s * World::step_s * (1 - late_hits * full));
            for (int i = 0; i < misses; ++i) {
              if (static_cast<double>(world.outstanding()) >= bound) world.end_oldest(1);
              world.spawn(World::forever);
            }
          }};
}

// Long-lived connections; then many at once, as after a deploy, which stay or go slowly.
Setting storm(Random& random) {
  Watching watching = any_watching(random);
  watching.attach_s = 10;
  const double mean_s = random.log_between(60, 1200);
  const double base = random.log_between(20, 3000);
  const double begins_s = watching.attach_s + random.between(0, 300), length_s = random.between(1, 15);
  const double jump = base * random.between(0.2, 2);
  const double stay_s = random.chance(0.5) ? World::forever : mean_s;
  return {
      watching,
      both(both(already_there(watching, base, exponential(mean_s)), load(constant(base / mean_s), exponential(mean_s))),
           load([=](double now_s) { return now_s >= begins_s && now_s < begins_s + length_s ? jump / length_s : 0; },
                stay_s < World::forever ? exponential(stay_s) : fixed(stay_s)))};
}

// Connections of 1 to 20 minutes, of which more and more come while we watch.
Setting daily(Random& random) {
  Watching watching = any_watching(random);
  watching.attach_s = 1;
  const double mean_s = random.log_between(60, 1200);
  const double per_s = random.log_between(0.3, 10);
  const double rise = random.between(0.1, 1);
  return {watching, both(already_there(watching, per_s * mean_s, exponential(mean_s)),
                         load([=](double now_s) { return per_s * (1 + rise * std::sin(now_s / 600 * 1.57)); },
                              exponential(mean_s), random.between(0, 0.2)))};
}

Setting census_level(Random& random) {
  Watching watching = any_watching(random);
  watching.seen = Seen::census;
  const double mean_s = random.log_between(0.3, 300);
  const double level = random.log_between(5, 2000);
  watching.attach_s = 1;
  return {watching, both(already_there(watching, level, exponential(mean_s)),
                         load(constant(level / mean_s), exponential(mean_s), random.between(0, 0.3)))};
}

Setting census_ramp(Random& random) {
  Setting setting = random.chance(0.5) ? ramp(random) : warm_up(random);
  setting.watching.seen = Seen::census;
  return setting;
}

Setting heavy_tail(Random& random) {
  Watching watching = any_watching(random);
  watching.attach_s = random.between(0, 600);
  return {watching, load(constant(random.log_between(5, 200)),
                         lognormal(random.log_between(0.05, 2), random.between(1.2, 2.2)), random.between(0, 0.3))};
}

// Load that doubles or more within a minute; requests end.
Setting more_load(Random& random) {
  Watching watching = any_watching(random);
  const double from_s = random.between(0, 300), length_s = random.between(5, 60), factor = random.between(2, 6);
  const double per_s = random.log_between(2, 200);
  return {
      watching,
      load([=](double now_s) { return per_s * (1 + (factor - 1) * std::clamp((now_s - from_s) / length_s, 0.0, 1.0)); },
           any_short(random, 10), 0.1)};
}

// From the program's start: at least ten of those born in the first 25 s also end in them, in the mean.
Setting connections(Random& random) {
  Watching watching = any_watching(random);
  const double mean_s = random.log_between(8, 90);
  const double per_s = random.log_between(1, 5) * 10 * 2 * mean_s / (25 * 25);
  return {watching, load(constant(per_s), exponential(mean_s), random.between(0, 0.2))};
}

Setting bytes(Random& random) {
  Watching watching = any_watching(random);
  watching.seen = Seen::bytes;
  const auto block = static_cast<std::uint64_t>(random.log_between(1, 500)) * 1024;
  const Program size = [block](World& world) { world.block_bytes = block; };
  const double length_s = random.between(2, 17);
  const double per_s = random.log_between(2, 100);
  const Program busy = load(constant(per_s), any_short(random, 10), random.between(0, 0.3));
  if (random.chance(0.5)) return {watching, both(size, busy)};
  return {watching, both(size, both(busy, load([=](double now_s) { return now_s < length_s ? 3 * per_s : 0; },
                                               fixed(World::forever))))};
}

// --- twins: as long as a leak may take to be named, nothing tells these from one ---

Setting long_ramp(Random& random) {
  Watching watching = by_either(random);
  const double length_s = random.between(40, 200), per_s = random.log_between(1, 20);
  return {watching, load([=](double now_s) { return now_s < length_s ? per_s : 0; }, fixed(World::forever))};
}

Setting first_lives(Random& random) {
  Watching watching = by_either(random);
  const double life_s = random.between(45, 150);
  return {watching, load(constant(random.log_between(1, 20)), uniform(0.9 * life_s, 1.1 * life_s))};
}

Setting first_tooth(Random& random) {
  return {by_either(random), teeth(random.between(40, 150), random.log_between(1, 20))};
}

}  // namespace

const std::vector<Family>& healthy_families() {
  static const std::vector<Family> families = {
      {"churn", Truth::healthy, 12, 201, churn, "2 to 2000 a second that live up to 10 s"},
      {"ramp", Truth::healthy, 12, 202, ramp, "20 to 1000 in the first 2 to 17 s, then level"},
      {"warm-up", Truth::healthy, 10, 203, warm_up, "saturates with a time constant of 3 to 60 s"},
      {"pool", Truth::healthy, 10, 204, pool, "10 to 300 members, replaced after 8 to 120 s; attached late"},
      {"bursts", Truth::healthy, 10, 205, bursts, "1 to 10 s long, every 15 to 150 s, drained within 30 s"},
      {"sawtooth", Truth::healthy, 10, 206, sawtooth, "periods of 3 to 18 s"},
      {"slow-sawtooth", Truth::healthy, 10, 207, slow_sawtooth, "periods of 30 to 150 s, attached before a drain"},
      {"cache", Truth::healthy, 10, 208, cache, "bounded, full after some 5 to 60 s of ever rarer misses"},
      {"storm", Truth::healthy, 10, 209, storm,
       "20 to 3000 connections of 1 to 20 min, and +20 to +200 % in 1 to 15 s"},
      {"daily", Truth::healthy, 12, 210, daily, "connections of 1 to 20 min; +10 to +100 % load in ten minutes"},
      {"census-level", Truth::healthy, 12, 211, census_level, "5 to 2000 that come and go within 0.3 to 300 s"},
      {"census-ramp", Truth::healthy, 10, 212, census_ramp, "ramps and warm-ups, seen by looks every 1 to 5 s"},
      {"heavy-tail", Truth::healthy, 8, 213, heavy_tail, "lognormal lifetimes, sigma 1.2 to 2.2"},
      {"more-load", Truth::healthy, 8, 214, more_load, "twice to six times the load within a minute"},
      {"connections", Truth::healthy, 10, 215, connections, "from the start, mean life 8 to 90 s"},
      {"bytes", Truth::healthy, 8, 216, bytes, "churn and ramps of blocks"},
  };
  return families;
}

const std::vector<Family>& twin_families() {
  static const std::vector<Family> families = {
      {"long-ramp", Truth::twin, 8, 301, long_ramp, "fills evenly for 40 to 200 s, then level"},
      {"first-lives", Truth::twin, 8, 302, first_lives, "from the start, all live 45 to 150 s: no death until then"},
      {"first-tooth", Truth::twin, 8, 303, first_tooth, "collects for 40 to 150 s, then drains, again and again"},
  };
  return families;
}

std::vector<Series> all_series(int rounds) {
  std::vector<Series> all;
  for (const auto* families : {&leaking_families(), &healthy_families(), &twin_families()}) {
    for (const Family& family : *families) {
      for (int number = 0; number < rounds * family.count; ++number) all.push_back({&family, number});
    }
  }
  return all;
}

}  // namespace asyncleak::series
