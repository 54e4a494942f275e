#include "probe/cohorts.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <vector>

namespace asyncleak::probe {
namespace {

using ByteCohorts = std::vector<ByteCohort>;

struct Block {
  std::int64_t born_ns;
  std::uint64_t size;
};

constexpr std::int64_t slot = std::int64_t{1} << AL_BYTE_SHIFT;  // of the finest ring, 4.3 s
constexpr std::uint64_t most = (std::uint64_t{1} << AL_BYTE_BITS) - 1;

// bpf/allocation.bpf.h, age_bytes(): what the kernel side does when a block is born or ends.
void age_bytes(al_site_memory& memory, const Block& block, bool born) {
  if (block.size > most) return;
  for (int level = 0; level < AL_BYTE_LEVELS; level++) {
    const auto epoch = static_cast<std::uint64_t>(block.born_ns >> (AL_BYTE_SHIFT + AL_BYTE_LEVEL_SHIFT * level)) &
                       (~std::uint64_t{0} >> AL_BYTE_BITS);
    __u64& word = memory.cohorts[level][epoch & (AL_BYTE_SLOTS - 1)];
    const std::uint64_t bytes = word & most;
    if (word >> AL_BYTE_BITS == epoch) {
      if (born ? bytes + block.size > most : bytes < block.size) continue;
      word = born ? word + block.size : word - block.size;
    } else if (born && word >> AL_BYTE_BITS < epoch) {
      word = epoch << AL_BYTE_BITS | block.size;
    }
  }
}

std::uint64_t sum(const ByteCohorts& cohorts) {
  std::uint64_t total = 0;
  for (const auto& cohort : cohorts) total += cohort.bytes;
  return total;
}

// What holds of any result, also of rings that were read while they changed.
void check_sound(const ByteCohorts& cohorts, std::int64_t now_ns, std::uint64_t bytes) {
  REQUIRE(sum(cohorts) == bytes);
  std::int64_t last = 0;
  for (const auto& cohort : cohorts) {
    REQUIRE(cohort.bytes > 0);
    REQUIRE(cohort.born_from_ns >= last);
    REQUIRE(cohort.born_to_ns >= cohort.born_from_ns);
    REQUIRE(cohort.born_to_ns <= now_ns);
    last = cohort.born_to_ns;
  }
}

TEST_CASE("no bytes, no cohorts") { CHECK(disjoint_cohorts(al_site_memory{}, 100 * slot, 0, 0).empty()); }

TEST_CASE("bytes older than the coarsest ring are one cohort from the oldest birth on") {
  const std::int64_t coarsest = slot << (AL_BYTE_LEVEL_SHIFT * (AL_BYTE_LEVELS - 1));
  const std::int64_t now = 100 * coarsest;
  const auto cohorts = disjoint_cohorts(al_site_memory{}, now, 7, 5000);
  REQUIRE(cohorts.size() == 1);
  CHECK(cohorts[0].born_from_ns == 7);
  CHECK(cohorts[0].born_to_ns == (100 - AL_BYTE_SLOTS + 1) * coarsest);
  CHECK(cohorts[0].bytes == 5000);
}

TEST_CASE("a slot holds up to a TiB, and what no ring counted has an age all the same") {
  const std::int64_t now = 1000 * slot;
  al_site_memory memory{};
  age_bytes(memory, {now - 1, most}, true);
  age_bytes(memory, {now - 1, 1}, true);         // no room in its slots
  age_bytes(memory, {now - 1, most + 1}, true);  // too large for any
  const std::uint64_t bytes = most + 1 + most + 1;
  const auto cohorts = disjoint_cohorts(memory, now, 0, bytes);
  check_sound(cohorts, now, bytes);
  CHECK(std::ranges::any_of(cohorts, [&](const ByteCohort& each) {
    return each.bytes == most && each.born_to_ns == now && each.born_from_ns == now - slot;
  }));
}

TEST_CASE("any life of a site: the byte cohorts are what a list of all blocks says") {
  for (std::uint32_t seed = 1; seed <= 60; seed++) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto up_to = [&](std::int64_t limit) {
      return std::uniform_int_distribution<std::int64_t>(0, limit)(random);
    };
    // Pauses from milliseconds to hours, so that every ring is filled, passed and skipped.
    std::int64_t now = slot * up_to(1 << 16) + up_to(slot);
    const std::int64_t first = now;
    al_site_memory memory{};
    std::vector<Block> living;
    std::uint64_t bytes = 0;
    for (int step = 0; step < 3000; step++) {
      now += 1 + up_to(std::int64_t{1} << (22 + up_to(up_to(9) == 0 ? 24 : 13)));
      if (up_to(2) > 0 || living.empty()) {
        living.push_back({now, static_cast<std::uint64_t>(1 + up_to(1 << 20))});
        bytes += living.back().size;
        age_bytes(memory, living.back(), true);
      } else {
        const auto which = living.begin() + up_to(static_cast<std::int64_t>(living.size()) - 1);
        bytes -= which->size;
        age_bytes(memory, *which, false);
        living.erase(which);
      }
      if (step % 50 != 0) continue;
      const auto cohorts = disjoint_cohorts(memory, now + 1, first, bytes);
      check_sound(cohorts, now + 1, bytes);
      for (const auto& cohort : cohorts) {
        std::uint64_t truth = 0;
        for (const auto& block : living) {
          if (block.born_ns >= cohort.born_from_ns && block.born_ns < cohort.born_to_ns) truth += block.size;
        }
        REQUIRE(truth == cohort.bytes);
      }
    }
  }
}

TEST_CASE("any nonsense read while the byte rings changed still sums up, in order") {
  for (std::uint32_t seed = 1; seed <= 200; seed++) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const std::int64_t now = static_cast<std::int64_t>(random() >> (8 + random() % 30));
    al_site_memory memory{};
    for (auto& ring : memory.cohorts) {
      for (auto& word : ring) word = random() % 3 == 0 ? random() : random() % (std::uint64_t{1} << 50);
    }
    const auto oldest = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(now + 1));
    const std::uint64_t bytes = random() % (std::uint64_t{1} << 44);
    check_sound(disjoint_cohorts(memory, now, oldest, bytes), now, bytes);
  }
}

}  // namespace
}  // namespace asyncleak::probe
