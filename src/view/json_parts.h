// What all JSON outputs are made of: null for the unknown, frames, loops, memory, findings, the last line.
//
// Used by view/json.cpp and view/*_json.cpp only, the files that know the JSON library.
#pragma once

#include "model/report.h"
#include "sample/sample.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak {

using Json = nlohmann::ordered_json;  // fields in the order of the contract

template <class T>
[[nodiscard]] Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}
[[nodiscard]] Json or_null(const std::optional<double>& value);
[[nodiscard]] Json or_null(const std::string& text);  // empty: not known

[[nodiscard]] Json identity_json(const ProcessSample& process);  // PID, names, where it runs
[[nodiscard]] Json frame_json(const Frame& frame);
[[nodiscard]] Json frames_json(const std::vector<Frame>& frames);
[[nodiscard]] Json loops_json(const std::vector<LoopSample>& loops);
[[nodiscard]] Json memory_json(const std::optional<MemorySample>& memory);
[[nodiscard]] Json finding_json(const Finding& finding);  // in json.cpp: a field of the contract each

template <class T>
[[nodiscard]] Json list_json(const std::vector<T>& values, Json (*convert)(const T&)) {
  Json list = Json::array();
  for (const T& value : values) list.push_back(convert(value));
  return list;
}

// One line; valid UTF-8 whatever the names were read from.
[[nodiscard]] std::string dump_line(const Json& json);

}  // namespace asyncleak
