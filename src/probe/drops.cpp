#include "probe/drops.h"

#include <algorithm>

namespace asyncleak::probe {

namespace {

struct Description {
  al_counter counter;
  const char* name;
  const char* meaning;
};

constexpr std::array descriptions{
    Description{AL_DROP_BINARY, "unknown_image", "a probe fired in an image that is not registered"},
    Description{AL_DROP_CORE, "unknown_interpreter", "no known interpreter fits the process"},
    Description{AL_DROP_PROCESSES_FULL, "processes_full", "more processes than the process map holds"},
    Description{AL_DROP_ARGS_UNREADABLE, "arguments_unreadable", "a task was counted without its coroutine"},
    Description{AL_DROP_CODE_UNREADABLE, "code_unreadable", "a code object could not be read"},
    Description{AL_DROP_SITES_FULL, "sites_full", "a task was not counted: more sites than --max-sites"},
    Description{AL_DROP_TASKS_FULL, "tasks_full", "a task's end will not be seen: more tasks than --max-tasks"},
    Description{AL_DROP_CODES_FULL, "names_full", "a name is missing: more functions than the name map holds"},
    Description{AL_DROP_NAME_UNREADABLE, "name_unreadable", "a name is missing: its page was not in memory"},
    Description{AL_DROP_THREAD_NOT_FOUND, "thread_not_found", "a creation stack is missing: no interpreter thread"},
    Description{AL_DROP_STACK_UNREADABLE, "stack_unreadable", "a creation stack was cut short"},
    Description{AL_DROP_COHORT_CONTENDED, "cohort_contended", "the age of a task is not known"},
    Description{AL_DROP_FORK, "fork_inheritance", "a task a forked child inherited is not known"},
    Description{AL_DROP_SET_ASIDE_FULL, "set_aside_full", "a look for older tasks was given up: too many tasks ended"},
    Description{AL_DROP_SEEDS_FULL, "older_tasks_full", "an older task is not counted: more tasks than --max-tasks"},
    Description{AL_DROP_UNAWAITED, "unawaited_not_found", "a never-awaited coroutine was not counted"},
    Description{AL_DROP_STEP, "steps_unmeasured", "a step of a task was not measured"},
};
static_assert(descriptions.size() == AL_COUNTERS - AL_FIRST_DROP, "every loss counter needs a name");

}  // namespace

std::vector<Drop> describe_drops(const Counters& counters) {
  std::vector<Drop> drops;
  drops.reserve(descriptions.size());
  for (const auto& description : descriptions) {
    drops.push_back({description.name, description.meaning, counters.at(description.counter)});
  }
  return drops;
}

bool lost_whole_tasks(const Counters& counters) {
  constexpr std::array losses{AL_DROP_BINARY, AL_DROP_CORE, AL_DROP_PROCESSES_FULL, AL_DROP_SITES_FULL};
  return std::any_of(losses.begin(), losses.end(), [&](al_counter loss) { return counters.at(loss) > 0; });
}

}  // namespace asyncleak::probe
