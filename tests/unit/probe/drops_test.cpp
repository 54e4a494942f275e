#include "probe/drops.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

namespace asyncleak::probe {

TEST_CASE("every way to lose an event has a name and a meaning of its own, also at zero") {
  const auto drops = describe_drops(Counters{});
  CHECK(drops.size() == AL_COUNTERS - AL_FIRST_DROP);
  std::set<std::string> names;
  std::set<std::string> meanings;
  for (const auto& drop : drops) {
    INFO(drop.name);
    CHECK(names.insert(drop.name).second);
    CHECK(meanings.insert(drop.meaning).second);
    CHECK(drop.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
    CHECK_FALSE((drop.name.starts_with('_') || drop.name.ends_with('_')));
    CHECK(drop.meaning.size() > 10);
    CHECK(drop.total == 0);
  }
}

TEST_CASE("each counter is told under its own name") {
  Counters counters{};
  for (std::size_t i = 0; i < counters.size(); i++) counters[i] = 1000 + i;
  const auto drops = describe_drops(counters);
  for (std::size_t i = 0; i < drops.size(); i++) CHECK(drops[i].total == 1000 + AL_FIRST_DROP + i);
  const auto total = [&](const std::string& name) {
    return std::find_if(drops.begin(), drops.end(), [&](const Drop& drop) { return drop.name == name; })->total;
  };
  CHECK(total("tasks_full") == 1000 + AL_DROP_TASKS_FULL);
  CHECK(total("sites_full") == 1000 + AL_DROP_SITES_FULL);
  CHECK(total("stack_unreadable") == 1000 + AL_DROP_STACK_UNREADABLE);
}

TEST_CASE("what is known but incomplete is no task lost") {
  Counters counters{};
  CHECK_FALSE(lost_whole_tasks(counters));
  for (const auto which : {AL_HITS_INIT, AL_TASKS_DESTROYED_UNKNOWN, AL_DROP_TASKS_FULL, AL_DROP_STACK_UNREADABLE,
                           AL_DROP_NAME_UNREADABLE, AL_DROP_COHORT_CONTENDED}) {
    counters.at(which) = 1;
  }
  CHECK_FALSE(lost_whole_tasks(counters));
  counters.at(AL_DROP_SITES_FULL) = 1;
  CHECK(lost_whole_tasks(counters));
}

}  // namespace asyncleak::probe
