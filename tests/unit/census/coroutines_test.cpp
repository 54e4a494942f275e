#include "census/coroutines.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <sstream>

#include "suspended.h"

namespace asyncleak::census {
namespace {

GeneratorState state_named(const std::string& name) {
  static const std::map<std::string, GeneratorState> names = {{"created", GeneratorState::created},
                                                              {"suspended", GeneratorState::suspended},
                                                              {"running", GeneratorState::running},
                                                              {"finished", GeneratorState::finished}};
  return names.at(name);
}

std::string described(const Frame& frame) {
  return frame.function + " " + frame.file + ":" + (frame.line ? std::to_string(*frame.line) : "?");
}

}  // namespace

void on_each_suspended(const std::function<void(Suspended&)>& body) {
  std::ifstream file(TEST_DATA "/suspended.py");
  std::ostringstream script;
  script << file.rdbuf();
  on_each_interpreter(script.str(), [&](LivePython& python) {
    Suspended suspended(python);
    body(suspended);
  });
}

Frame frame_of(const nlohmann::json& place) {
  Frame frame{place.at(0), place.at(1), std::nullopt};
  if (!place.at(2).is_null()) frame.line = place.at(2).get<int>();
  return frame;
}

TEST_CASE("coroutines and generators stand where they say themselves") {
  on_each_suspended([](Suspended& it) {
    for (const auto& fact : it.facts.at("generators")) {
      INFO(fact.dump());
      const auto address = fact.at("id").get<std::uint64_t>();
      CHECK(it.coroutines.state(address) == state_named(fact.at("state")));
      CHECK(it.coroutines.code(address) == fact.at("code").get<std::uint64_t>());
      CHECK(it.coroutines.awaited(address) == fact.at("awaits").get<std::uint64_t>());
      const auto where = it.coroutines.where(address);
      REQUIRE(where);
      CHECK(described(*where) == described(frame_of(fact.at("place"))));
    }
  });
}

TEST_CASE("locals are those of the frame: arguments first, cells opened, unbound ones left out") {
  on_each_suspended([](Suspended& it) {
    for (const auto& fact : it.facts.at("locals")) {
      INFO(fact.dump());
      const auto found = it.coroutines.locals(fact.at("id").get<std::uint64_t>());
      const auto& expected = fact.at("values");
      REQUIRE(found.size() == expected.size());
      std::map<std::string, std::uint64_t> values;
      for (std::size_t i = 0; i < found.size(); ++i) {
        values[found[i].name] = found[i].object;
        if (i < fact.at("arguments").get<std::size_t>()) CHECK(found[i].name == expected[i].at(0));
      }
      for (const auto& value : expected) {
        const auto name = value.at(0).get<std::string>();
        INFO(name);
        REQUIRE(values.count(name) == 1);
        CHECK(values[name] == value.at(1).get<std::uint64_t>());
      }
    }
  });
}

TEST_CASE("what is no coroutine has no state, no place, no locals") {
  on_each_suspended([](Suspended& it) {
    std::vector<std::uint64_t> strangers = {0, 1, 0x10000, ~std::uint64_t{0}, ~std::uint64_t{7}};
    for (const auto& fact : it.facts.at("locals")) {
      for (const auto& value : fact.at("values")) strangers.push_back(value.at(1).get<std::uint64_t>());
    }
    for (const auto& fact : it.facts.at("tasks")) strangers.push_back(fact.at("id").get<std::uint64_t>());
    for (const std::uint64_t address : strangers) {
      INFO(address);
      CHECK(it.coroutines.state(address) == GeneratorState::unknown);
      CHECK(it.coroutines.awaited(address) == 0);
      CHECK(it.coroutines.locals(address).empty());
    }
    CHECK_FALSE(it.coroutines.where(0));
    CHECK(it.coroutines.text_of_code(0) == nullptr);
    CHECK(it.coroutines.qualname(1).empty());
  });
}

}  // namespace asyncleak::census
