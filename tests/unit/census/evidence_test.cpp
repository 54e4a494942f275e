#include "census/evidence.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "census/circles.h"
#include "census/code_uses.h"
#include "live_python.h"

namespace asyncleak::census {
namespace {

using Names = std::vector<std::string>;

std::string script() {
  std::ifstream file(TEST_DATA "/patterns.py");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::uint64_t address(const nlohmann::json& said, const char* group, const char* name) {
  return said.at(group).at(name).get<std::uint64_t>();
}

}  // namespace

TEST_CASE("which of asyncio's means a function uses") {
  on_each_interpreter(script(), [](LivePython& live) {
    Readers readers(&live.heap());
    const CodeUses uses(&readers);
    const auto of = [&](const char* name) { return uses.of_code(address(live.said(), "codes", name)); };
    CHECK(of("races") == Names{"FIRST_COMPLETED", "wait"});
    CHECK(of("races_by_text") == Names{"FIRST_COMPLETED", "wait"});
    CHECK(of("limits") == Names{"cancel", "timeout=", "wait"});
    CHECK(of("shields") == Names{"shield", "wait_for"});
    CHECK(of("plain").empty());
    CHECK(uses.of_code(live.id("no_code")).empty());
    CHECK(uses.of_code(0).empty());
    const auto by = [&](const char* name) { return uses.of_callback(address(live.said(), "callbacks", name)); };
    CHECK(by("itself") == Names{"call_later"});
    CHECK(by("by a method") == Names{"call_at"});
    CHECK(by("by a function") == Names{"call_later"});
    CHECK(by("partial") == Names{"call_at"});
    CHECK(by("once").empty());
    CHECK(by("builtin").empty());
  });
}

TEST_CASE("whether a task is awaited, left, or went on after its cancellation") {
  on_each_interpreter(script(), [](LivePython& live) {
    Readers readers(&live.heap());
    for (const auto& [name, fact] : live.said().at("tasks").items()) {
      INFO(name);
      PatternEvidence evidence;
      add_task(fact.at("id").get<std::uint64_t>(), readers, evidence);
      CHECK(evidence.looked_at == fact.at("pending").get<std::uint64_t>());
      CHECK(evidence.awaited == fact.at("awaited").get<std::uint64_t>());
      CHECK(evidence.left_by_gather == fact.at("gather").get<std::uint64_t>());
      CHECK(evidence.left_by_as_completed == fact.at("as_completed").get<std::uint64_t>());
      CHECK(evidence.swallowed == fact.at("swallowed").get<std::uint64_t>());
    }
  });
}

TEST_CASE("tasks that wait only for each other are found, and no others") {
  on_each_interpreter(script(), [](LivePython& live) {
    Readers readers(&live.heap());
    const auto snapshot = take_snapshot(live.heap(), readers);
    REQUIRE(snapshot);
    const auto found = find_circles(*snapshot, readers);
    std::vector<std::uint64_t> is(found.begin(), found.end());
    auto expected = live.said().at("circles").get<std::vector<std::uint64_t>>();
    std::ranges::sort(is);
    std::ranges::sort(expected);
    CHECK(is == expected);
  });
}

TEST_CASE("the largest set that waits only for itself") {
  const auto of = [](const Waits& waits) {
    const auto set = waiting_for_each_other(waits);
    std::vector<std::uint64_t> sorted(set.begin(), set.end());
    std::ranges::sort(sorted);
    return sorted;
  };
  using Tasks = std::vector<std::uint64_t>;
  CHECK(of({}).empty());
  CHECK(of({{1, {2}}, {2, {1}}}) == Tasks{1, 2});
  CHECK(of({{1, {2}}, {2, {3}}}).empty());                             // 3 waits for something else
  CHECK(of({{1, {2}}, {2, {1}}, {3, {1}}}) == Tasks{1, 2, 3});         // 3 waits for a circle
  CHECK(of({{1, {2, 4}}, {2, {1}}, {4, {5}}}).empty());                // one of its own may still end, and fail
  CHECK(of({{1, {2}}, {2, {1}}, {3, {4}}, {4, {9}}}) == Tasks{1, 2});  // a chain beside it
  CHECK(of({{1, {}}, {2, {1}}}).empty());                              // all it waited for is done
}

TEST_CASE("what is in a growing container, and whether a queue has a bound") {
  on_each_interpreter(script(), [](LivePython& live) {
    Readers readers(&live.heap());
    const auto of = [&](const char* name) {
      return evidence_of_container(address(live.said(), "containers", name), 0, readers);
    };
    for (const auto* const name : {"methods", "functions", "partials", "dict of functions"}) {
      INFO(name);
      CHECK(of(name).item == "callback");
    }
    CHECK(of("tasks").item == "task");
    CHECK(of("numbers").item.empty());
    CHECK(of("half").item.empty());
    CHECK(of("numbers").looked_at == 32);
    const auto queue = [&](const char* name) {
      const auto address = live.said().at("queues").at(name);
      return evidence_of_container(address.at(1).get<std::uint64_t>(), address.at(0).get<std::uint64_t>(), readers);
    };
    CHECK(queue("unbounded").maxsize == 0U);
    CHECK(queue("unbounded").getters == 0U);
    CHECK(queue("bounded").maxsize == 50U);
    CHECK(queue("waiting").getters == 1U);
  });
}

}  // namespace asyncleak::census
