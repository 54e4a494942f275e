#include "view/task_tree.h"

#include "inspection_fixture.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

using Indices = std::vector<TaskTree::Index>;

void await_by(InspectedTask& task, std::uint64_t waiter) { task.awaited_by.push_back({"task", waiter, "", ""}); }

std::vector<InspectedTask> numbered(std::uint64_t count) {
  std::vector<InspectedTask> tasks;
  for (std::uint64_t i = 1; i <= count; ++i) tasks.push_back(test::task(i, "Task-" + std::to_string(i), "work"));
  return tasks;
}

}  // namespace

TEST_CASE("a task stands below the one that awaits it, whichever of the two says so") {
  auto tasks = numbered(4);
  await_by(tasks[1], 1);
  tasks[0].waiting_for_address = 3;
  await_by(tasks[3], 99);  // not listed
  const TaskTree tree(tasks);
  CHECK(tree.roots() == Indices{0, 3});
  CHECK(tree.node(0).children == Indices{1, 2});
  CHECK(tree.node(0).below == 2);
  CHECK(tree.node(2).parent == 0U);
}

TEST_CASE("tasks that wait in a circle are cut open where the first stands") {
  auto tasks = numbered(5);
  await_by(tasks[1], 1);  // 2 is awaited by 1, 3 by 2, 1 by 3
  await_by(tasks[2], 2);
  await_by(tasks[0], 3);
  await_by(tasks[3], 2);  // hangs from the circle
  await_by(tasks[4], 5);  // by itself: nonsense
  const TaskTree tree(tasks);
  CHECK(tree.roots() == Indices{0, 4});
  CHECK(tree.node(2).closes == 0U);
  CHECK(tree.node(0).below == 3);
  CHECK(tree.node(1).children == Indices{2, 3});
}

TEST_CASE("a circle that is reached from outside keeps one way in") {
  auto tasks = numbered(3);
  await_by(tasks[0], 2);  // 1 <- 2 <- 3 <- 2
  await_by(tasks[1], 3);
  await_by(tasks[2], 2);
  const TaskTree tree(tasks);
  REQUIRE(tree.roots().size() == 1);
  CHECK(tree.node(tree.roots()[0]).below == 2);
}

TEST_CASE("a chain of a hundred thousand is no deeper than memory") {
  auto tasks = numbered(100'000);
  for (std::size_t i = 1; i < tasks.size(); ++i) await_by(tasks[i], i);
  const TaskTree tree(tasks);
  CHECK(tree.roots() == Indices{0});
  CHECK(tree.node(0).below == 99'999);
}

TEST_CASE("alike: the same place and state, and alike below; most of them first, each group oldest first") {
  auto tasks = numbered(7);
  tasks[1].coroutine = "other";
  tasks[3].state = "finished";
  tasks[5].await_chain = {{"work", "/srv/app.py", 13}};
  await_by(tasks[6], 5);  // number 5 has somebody below
  tasks[2].age_s = 10;
  const TaskTree tree(tasks);
  CHECK(tree.roots() == Indices{0, 1, 2, 3, 4, 5});
  CHECK(tree.groups(tree.roots()) == std::vector<Indices>{{2, 0}, {1}, {3}, {4}, {5}});
}

TEST_CASE("older: by age, then by the number asyncio gave, names last") {
  auto tasks = numbered(12);
  CHECK(is_older(tasks[1], tasks[11]));
  CHECK_FALSE(is_older(tasks[11], tasks[1]));
  tasks[11].age_s = 1;
  CHECK(is_older(tasks[11], tasks[1]));
  tasks[2].name = "Task-2x";
  CHECK(is_older(tasks[1], tasks[2]));
  CHECK_FALSE(is_older(tasks[2], tasks[1]));
}
