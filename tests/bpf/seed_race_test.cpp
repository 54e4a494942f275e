// Seeding against every event of the same task on another CPU, changing over at every access to a map.
#include <algorithm>
#include <functional>
#include <string>

#include "interleave.h"
#include "machine.h"
#include "seeder.h"

namespace asyncleak::fake {
namespace {

constexpr Address task = 0x7f5500001230;
constexpr std::uint32_t tgid = 100, child_tgid = 101;

// One task's address, and what happens there: D its task is destroyed, I one is initialised (after a D another one,
// else the same again).
struct History {
  std::string before;  // seeding begins
  std::string meanwhile;
  bool is_alive = true;  // at the end
};

class Scene {
 public:
  explicit Scene(const std::string& before, std::uint32_t first_tier)
      : machine_(line(12)), process_(machine_.start(tgid)), seeder_(tgid), site_(seeder_.site()) {
    kernel().map("recent_tasks").resize(first_tier);
    args_ = process_.python.tuple({machine_.coroutine(process_)});
    Machine::init(task + 0x100, args_, 0);  // with one place in the first tier it is taken
    happen(before);
    seeder_.begin();
  }

  void happen(const std::string& events) const {
    for (const char event : events) event == 'D' ? Machine::destroy(task) : Machine::init(task, args_, 0);
  }
  void seed() const { seeder_.seed({task}, site_); }

  Machine& machine() { return machine_; }
  Process& process() { return process_; }
  [[nodiscard]] const Seeder& seeder() const { return seeder_; }
  [[nodiscard]] std::uint64_t counted_here() const { return outstanding(seeder_.process()) - 1; }

  // Everything that can be counted agrees, also after the task's end.
  void check(bool is_alive) {
    REQUIRE(counted_here() == (is_alive ? 1 : 0));
    check_sound();
    if (!is_alive) return;
    Machine::destroy(task);
    REQUIRE(counted_here() == 0);
    check_sound();
  }
  void check_sound() const {
    REQUIRE(in_cohorts(seeder_.process()) == outstanding(seeder_.process()));
    REQUIRE(records() == outstanding(0));
    REQUIRE(al_seeded_tasks + al_spilled_tasks == kernel().map("tasks").size());
    REQUIRE(Machine::dropped() == 0);
  }

 private:
  Machine machine_;
  Process& process_;
  Seeder seeder_;
  std::uint32_t site_;
  Address args_ = 0;
};

using Step = std::function<void(Scene&)>;

// CHECK after SEED was run against OTHER in every way.
void for_each_schedule(const std::string& before, std::uint32_t first_tier, const Step& other, const Step& check) {
  const auto run = [&](const std::string& history, const std::vector<int>& turns) {
    Scene scene(history, first_tier);
    return interleave([&] { scene.seed(); }, [&] { other(scene); }, turns);
  };
  // Undisturbed, a task that no probe has seen makes the most steps.
  const Accesses most{run("", {}).first, std::max(run(before, {}).second, run(before, {0}).second)};
  REQUIRE(most.first >= 10);
  for_each_interleaving(most, [&](const std::vector<int>& turns) {
    CAPTURE(turns);
    Scene scene(before, first_tier);
    interleave([&] { scene.seed(); }, [&] { other(scene); }, turns);
    check(scene);
  });
}

TEST_CASE("whenever a task's events come between the steps of its seeding, it counts once or not at all") {
  const auto history = GENERATE(values<History>({{"", "D", false},
                                                 {"", "I", true},
                                                 {"", "DI", true},
                                                 {"", "ID", false},
                                                 {"", "DID", false},
                                                 {"I", "D", false},
                                                 {"I", "DI", true},
                                                 {"I", "I", true},
                                                 {"ID", "I", true}}));
  const std::uint32_t first_tier = GENERATE(64U, 1U);
  CAPTURE(history.before, history.meanwhile, first_tier);
  for_each_schedule(
      history.before, first_tier, [&](Scene& scene) { scene.happen(history.meanwhile); },
      [&](Scene& scene) {
        scene.seeder().end();
        scene.check(history.is_alive);
      });
}

TEST_CASE("no room to set aside, at any step of seeding: no ghost, and the next seeding finds the living") {
  for_each_schedule(
      "", 64,
      [](Scene& scene) {
        kernel().map("set_aside").resize(0);
        scene.happen("D");
      },
      [](Scene& scene) {
        scene.seeder().end();
        REQUIRE(scene.counted_here() == 0);
        REQUIRE(counted(AL_DROP_SET_ASIDE_FULL) == 1);
        REQUIRE(Machine::process(tgid)->seeding == AL_UNSEEDED);
      });
}

TEST_CASE("a fork at any step of seeding has no task that ended before it") {
  const bool ended = GENERATE(true, false);
  for_each_schedule(
      "", 64,
      [&](Scene& scene) {
        if (ended) scene.happen("D");
        (void)scene.machine().fork(scene.process(), child_tgid);
      },
      [&](Scene& scene) {
        const Seeder child(child_tgid);
        REQUIRE(outstanding(child.process()) <= (ended ? 1 : 2));
        scene.seeder().end();
        REQUIRE(scene.counted_here() == (ended ? 0 : 1));
        child.begin();
        if (!ended) child.seed({task});
        child.end();
        REQUIRE(outstanding(child.process()) == (ended ? 1 : 2));
        scene.check_sound();
      });
}

TEST_CASE("exec at any step of seeding: a purge leaves nothing behind") {
  for_each_schedule(
      "", 64, [](Scene& scene) { Machine::exec(scene.process()); },
      [](Scene& scene) {
        al_purge purge{scene.seeder().process(), 0, 1, 1};
        purge_process(&purge);
        REQUIRE(records() == 0);
        REQUIRE(al_seeded_tasks == 0);
        REQUIRE(al_spilled_tasks == 0);
      });
}

}  // namespace
}  // namespace asyncleak::fake
