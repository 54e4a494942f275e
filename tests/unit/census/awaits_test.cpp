#include "census/awaits.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <iterator>
#include <random>
#include <span>
#include <vector>

#include "suspended.h"

namespace asyncleak::census {
namespace {

std::uint64_t id_of(const nlohmann::json& fact, const char* name) { return fact.at(name).get<std::uint64_t>(); }

// The target's memory, of which now and then a word is another one: what a reader sees while objects die under it.
class TornMemory final : public python::RemoteMemory {
 public:
  TornMemory(const python::RemoteMemory* source, unsigned seed) : source_(source), random_(seed) {}
  [[nodiscard]] Result<void> read(std::uint64_t address, std::span<std::byte> out) const override {
    auto got = source_->read(address, out);
    if (!got || out.size() < sizeof(std::uint64_t)) return got;
    constexpr unsigned torn_one_in = 24;
    if (random_() % torn_one_in != 0) {
      std::memcpy(&last_, out.data(), sizeof last_);
    } else {
      const std::uint64_t words[] = {0, ~std::uint64_t{0}, last_, last_ + 8, random_()};
      const std::size_t slots = out.size() / sizeof(std::uint64_t);
      std::memcpy(out.data() + random_() % slots * sizeof(std::uint64_t), &words[random_() % std::size(words)],
                  sizeof(std::uint64_t));
    }
    return got;
  }

 private:
  const python::RemoteMemory* source_;
  mutable std::mt19937_64 random_;
  mutable std::uint64_t last_ = 0;
};

std::string described(const std::string& how, std::uint64_t task, const std::string& callback) {
  return how + " " + std::to_string(task) + " " + callback;
}

}  // namespace

TEST_CASE("a task's state, name, coroutine and result are what it says") {
  on_each_suspended([](Suspended& it) {
    for (const auto& fact : it.facts.at("tasks")) {
      INFO(fact.dump());
      const auto task = it.awaits.task(id_of(fact, "id"));
      REQUIRE(task);
      CHECK(name_of(task->state) == fact.at("state"));
      CHECK(task->cancel_requested == fact.at("cancel").get<bool>());
      CHECK(it.awaits.task_name(*task) == fact.at("name"));
      CHECK(task->coroutine == id_of(fact, "coroutine"));
      CHECK(task->result == id_of(fact, "result"));
      CHECK(task->exception == id_of(fact, "exception"));
    }
    for (const auto& fact : it.facts.at("generators")) CHECK_FALSE(it.awaits.task(id_of(fact, "id")));
    CHECK_FALSE(it.awaits.task(0));
  });
}

TEST_CASE("an await chain has the frames, lines and end that following it from inside gives") {
  on_each_suspended([](Suspended& it) {
    for (const auto& fact : it.facts.at("chains")) {
      INFO(fact.dump());
      const auto chain = it.awaits.chain(id_of(fact, "id"));
      CHECK_FALSE(chain.cut);
      CHECK(chain.awaitable == id_of(fact, "awaitable"));
      CHECK(chain.awaitable_type == fact.at("type"));
      std::vector<Frame> expected;
      for (const auto& place : fact.at("frames")) expected.push_back(frame_of(place));
      REQUIRE(chain.frames.size() == expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO(expected[i].function);
        CHECK(chain.frames[i].function == expected[i].function);
        CHECK(chain.frames[i].file == expected[i].file);
        CHECK(chain.frames[i].line == expected[i].line);
      }
    }
    const auto none = it.awaits.chain(0x10000);
    CHECK(none.cut);
    CHECK(none.frames.empty());
  });
}

TEST_CASE("who waits for a future is followed to the task behind asyncio's own callbacks") {
  on_each_suspended([](Suspended& it) {
    for (const auto& fact : it.facts.at("waiters")) {
      INFO(fact.dump());
      const auto found = it.awaits.waiters(id_of(fact, "id"));
      CHECK(found.complete);
      std::vector<std::string> expected;
      for (const auto& waiter : fact.at("expected")) {
        expected.push_back(described(waiter.at(0), waiter.at(1).get<std::uint64_t>(), waiter.at(2)));
      }
      std::vector<std::string> is;
      for (const Waiter& waiter : found.known) {
        is.push_back(described(std::string(name_of(waiter.how)), waiter.task, waiter.callback));
      }
      std::ranges::sort(expected);
      std::ranges::sort(is);
      CHECK(is == expected);
    }
    CHECK_FALSE(it.awaits.waiters(0).complete);
  });
}

TEST_CASE("memory that changes while it is followed gives less, never a crash or an endless walk") {
  on_each_suspended([](Suspended& it) {
    for (unsigned seed = 0; seed < 20; ++seed) {
      Heap heap = it.objects.heap();
      const TornMemory torn(heap.memory, seed);
      heap.memory = &torn;
      TypeTable types(&heap);
      const Objects objects(&heap, &types);
      const Coroutines coroutines(&objects);
      const Awaits awaits(&objects, &coroutines);
      for (const auto& fact : it.facts.at("chains")) {
        CHECK(awaits.chain(id_of(fact, "id")).frames.size() <= 1024);
        CHECK(coroutines.locals(id_of(fact, "id")).size() <= 4096);
      }
      for (const auto& fact : it.facts.at("waiters")) CHECK(awaits.waiters(id_of(fact, "id")).known.size() <= 4096);
      for (const auto& fact : it.facts.at("tasks")) {
        if (const auto task = awaits.task(id_of(fact, "id"))) CHECK(awaits.task_name(*task).size() <= 4096);
      }
    }
  });
}

}  // namespace asyncleak::census
