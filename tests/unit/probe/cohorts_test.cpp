#include "probe/cohorts.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>

namespace asyncleak {

static bool operator==(const Cohort& a, const Cohort& b) {
  return a.born_from_ns == b.born_from_ns && a.born_to_ns == b.born_to_ns && a.count == b.count;
}

static std::ostream& operator<<(std::ostream& out, const Cohort& cohort) {
  return out << cohort.count << " in [" << cohort.born_from_ns << ", " << cohort.born_to_ns << ")";
}

}  // namespace asyncleak

namespace asyncleak::probe {
namespace {

using Cohorts = std::vector<Cohort>;

constexpr std::int64_t slot = AL_COHORT_FIRST_NS;  // of the finest ring, about a second

// bpf/site.bpf.h, cohort_add(): what the kernel side does at a birth (+1) and a death (-1).
void cohort_add(al_site& site, std::int64_t born_ns, int delta) {
  for (int level = 0; level < AL_COHORT_LEVELS; level++) {
    const std::uint64_t epoch =
        static_cast<std::uint32_t>(born_ns >> (AL_COHORT_SHIFT + AL_COHORT_LEVEL_SHIFT * level));
    __u64& word = site.cohorts[level][epoch & (AL_COHORT_SLOTS - 1)];
    if (word >> 32 == epoch) {
      word += static_cast<std::uint64_t>(delta);
    } else if (delta > 0 && word >> 32 < epoch) {
      word = epoch << 32 | 1;
    }
  }
}

al_site site_with(const std::vector<std::int64_t>& births) {
  al_site site{};
  for (const auto born : births) cohort_add(site, born, 1);
  return site;
}

std::uint64_t sum(const Cohorts& cohorts) {
  std::uint64_t total = 0;
  for (const auto& cohort : cohorts) total += cohort.count;
  return total;
}

// What holds of any result, also of rings that were read while they changed.
void check_sound(const Cohorts& cohorts, std::int64_t now_ns, std::uint64_t outstanding) {
  REQUIRE(sum(cohorts) == outstanding);
  std::int64_t last = 0;
  for (const auto& cohort : cohorts) {
    REQUIRE(cohort.count > 0);
    REQUIRE(cohort.born_from_ns >= last);
    REQUIRE(cohort.born_to_ns >= cohort.born_from_ns);
    REQUIRE(cohort.born_to_ns <= now_ns);
    last = cohort.born_to_ns;
  }
}

// Each cohort against the list of the births themselves.
void check_exact(const Cohorts& cohorts, std::int64_t now_ns, const std::vector<std::int64_t>& living) {
  check_sound(cohorts, now_ns, living.size());
  for (const auto& cohort : cohorts) {
    const auto born_in = [&](std::int64_t born) { return born >= cohort.born_from_ns && born < cohort.born_to_ns; };
    INFO(cohort);
    REQUIRE(static_cast<std::uint64_t>(std::count_if(living.begin(), living.end(), born_in)) == cohort.count);
  }
}

}  // namespace

TEST_CASE("nothing outstanding, no cohorts") { CHECK(disjoint_cohorts(al_site{}, 100 * slot, 0, 0).empty()); }

TEST_CASE("births of the last half minute are known by the second") {
  const std::int64_t now = 1000 * slot + 7;
  const auto site = site_with({990 * slot, 990 * slot + 5, 999 * slot, 1000 * slot + 1});
  CHECK(disjoint_cohorts(site, now, 990 * slot, 4) ==
        Cohorts{{990 * slot, 991 * slot, 2}, {999 * slot, 1000 * slot, 1}, {1000 * slot, now, 1}});
}

TEST_CASE("a coarser slot that straddles the finer ring's start keeps its older part only") {
  // At 1000 the finest ring begins at 969; the next one's slot of 8 there is [968, 976).
  const std::int64_t now = 1000 * slot + 7;
  const auto site = site_with({968 * slot, 968 * slot + 9, 969 * slot, 975 * slot});
  CHECK(disjoint_cohorts(site, now, 968 * slot, 4) ==
        Cohorts{{968 * slot, 969 * slot, 2}, {969 * slot, 970 * slot, 1}, {975 * slot, 976 * slot, 1}});
}

TEST_CASE("every ring answers for its part") {
  // Starts of the rings at 2^20: 31, 31 * 8, ... slots before it, all aligned there.
  const std::int64_t now = (1 << 20) * slot;
  const std::vector<std::int64_t> births = {now - 20'000 * slot, now - 10'000 * slot, now - 1'000 * slot,
                                            now - 100 * slot, now - 10 * slot};
  const auto cohorts = disjoint_cohorts(site_with(births), now, births.front(), 5);
  REQUIRE(cohorts.size() == 5);
  const std::vector<std::int64_t> widths = {4096, 4096, 64, 8, 1};
  // 20,000 slots ago is beyond the ring of 512 (15,872), 10,000 is inside it.
  CHECK(cohorts[0].born_to_ns - cohorts[0].born_from_ns == widths[0] * slot);
  CHECK(cohorts[1].born_to_ns - cohorts[1].born_from_ns == 512 * slot);
  CHECK(cohorts[2].born_to_ns - cohorts[2].born_from_ns == widths[2] * slot);
  CHECK(cohorts[3].born_to_ns - cohorts[3].born_from_ns == widths[3] * slot);
  CHECK(cohorts[4].born_to_ns - cohorts[4].born_from_ns == widths[4] * slot);
  check_exact(cohorts, now, births);
}

TEST_CASE("tasks older than the coarsest ring are one cohort from the oldest birth on") {
  const std::int64_t reach = 31 * 4096;  // slots of the finest ring that the coarsest is sure to cover
  const std::int64_t now = 3 * reach * slot;
  al_site site = site_with({100 * slot, 200 * slot});
  for (int i = 0; i < 40; i++) {  // their slots are used again
    cohort_add(site, now - i * 4096 * slot, 1);
    cohort_add(site, now - i * 4096 * slot, -1);
  }
  cohort_add(site, now - slot, 1);
  const auto cohorts = disjoint_cohorts(site, now, 100 * slot, 3);
  REQUIRE(cohorts.size() == 2);
  CHECK(cohorts[0].born_from_ns == 100 * slot);
  CHECK(cohorts[0].count == 2);
  CHECK(cohorts[0].born_to_ns <= now - (reach - 4096) * slot);
  CHECK(cohorts[1] == Cohort{now - slot, now, 1});
}

TEST_CASE("tasks missing from the rings while they were read are young, not as old as the machine") {
  const std::int64_t now = 1000 * slot + 7;
  const auto site = site_with({999 * slot});
  CHECK(disjoint_cohorts(site, now, 990 * slot, 3) == Cohorts{{999 * slot, 1000 * slot, 1}, {1000 * slot, now, 2}});
  CHECK(disjoint_cohorts(site_with({1000 * slot}), now, 990 * slot, 3) == Cohorts{{1000 * slot, now, 3}});
  CHECK(disjoint_cohorts(al_site{}, now, 990 * slot, 3) == Cohorts{{1000 * slot, now, 3}});
}

TEST_CASE("rings that hold more than is outstanding give up their oldest") {
  const std::int64_t now = 1000 * slot + 7;
  const auto site = site_with({980 * slot, 981 * slot, 999 * slot, 1000 * slot});
  CHECK(disjoint_cohorts(site, now, 980 * slot, 2) == Cohorts{{999 * slot, 1000 * slot, 1}, {1000 * slot, now, 1}});
}

TEST_CASE("any life of a site: the cohorts are what a list of all births says") {
  for (std::uint32_t seed = 1; seed <= 60; seed++) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto up_to = [&](std::int64_t most) { return std::uniform_int_distribution<std::int64_t>(0, most)(random); };
    // Pauses from milliseconds to hours, so that every ring is filled, passed and skipped.
    std::int64_t now = slot * up_to(1 << 18) + up_to(slot);
    const std::int64_t first = now;
    al_site site{};
    std::vector<std::int64_t> living;
    for (int step = 0; step < 3000; step++) {
      now += 1 + up_to(std::int64_t{1} << (20 + up_to(up_to(9) == 0 ? 24 : 13)));
      if (up_to(2) > 0 || living.empty()) {
        cohort_add(site, now, 1);
        living.push_back(now);
      } else {
        const auto which = living.begin() + up_to(static_cast<std::int64_t>(living.size()) - 1);
        cohort_add(site, *which, -1);
        living.erase(which);
      }
      if (step % 50 == 0) check_exact(disjoint_cohorts(site, now + 1, first, living.size()), now + 1, living);
    }
  }
}

TEST_CASE("any nonsense read while the rings changed still sums up, in order") {
  for (std::uint32_t seed = 1; seed <= 200; seed++) {
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const std::int64_t now = static_cast<std::int64_t>(random() >> (8 + random() % 30));
    al_site site{};
    for (int level = 0; level < AL_COHORT_LEVELS; level++) {
      const std::int64_t newest = now >> (AL_COHORT_SHIFT + AL_COHORT_LEVEL_SHIFT * level);
      for (std::int64_t epoch = newest; epoch > newest - AL_COHORT_SLOTS; epoch--) {
        const auto tag = static_cast<std::uint32_t>(random() % 3 == 0 ? random() : static_cast<std::uint64_t>(epoch));
        site.cohorts[level][epoch & (AL_COHORT_SLOTS - 1)] = static_cast<std::uint64_t>(tag) << 32 | random() % 50;
      }
    }
    const auto oldest = static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(now + 1));
    const std::uint64_t outstanding = random() % 2000;
    check_sound(disjoint_cohorts(site, now, oldest, outstanding), now, outstanding);
  }
}

}  // namespace asyncleak::probe
