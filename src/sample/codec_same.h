// Whether two values of a Sample are the same, to the last bit; and what the codec must know of their types.
//
// Used by the codec. Pure.
#pragma once

#include "sample/fields.h"

#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace asyncleak {

// A switch over all: a new enumerator without a case does not compile.
[[nodiscard]] constexpr bool is_known(Coverage coverage) {
  switch (coverage) {
    case Coverage::exact:
    case Coverage::since_attach:
    case Coverage::at_least:
    case Coverage::none:
      return true;
  }
  return false;
}
[[nodiscard]] constexpr bool is_known(MemoryMode mode) {
  switch (mode) {
    case MemoryMode::objects:
    case MemoryMode::malloc:
    case MemoryMode::all:
      return true;
  }
  return false;
}

// Elements that are told by what they are, wherever they stand in the list of the sample before.
[[nodiscard]] inline std::uint64_t key_of(const SiteSample& site) { return site.identity ? site.identity->id : 0; }
[[nodiscard]] inline std::uint64_t key_of(const ProcessSample& process) {
  return static_cast<std::uint64_t>(static_cast<std::uint32_t>(process.pid)) << 32 | process.id;
}
template <class Value>
concept Keyed = requires(const Value& value) {
  key_of(value);
};

// The structs in the order of their models in the codec: new ones at the end.
template <class... Structs>
struct StructList {
  template <class Value>
  static constexpr std::size_t index_of = [] {
    std::size_t index = 0;
    (void)((std::same_as<Value, Structs> || (++index, false)) || ...);
    return index;
  }();
  static constexpr std::size_t size = sizeof...(Structs);
};
using Structs = StructList<Sample, ProbeSample, Drop, ProcessSample, LoopSample, NeverAwaited, CensusSample,
                           MemorySample, ProcessAllocations, SiteSample, SiteIdentity, Frame, SiteCensus, HeldSample,
                           PatternEvidence, SiteAllocations, AllocationLine, SlowSteps, ContainerFacts>;

// Calls EACH with the number of each field and the field in A and in B, until it says false.
template <class A, class B, class Each>
bool each_field(A& a, B& b, const Each& each) {
  const auto of_a = fields(a);
  const auto of_b = fields(b);
  return [&]<std::size_t... i>(std::index_sequence<i...>) {
    return (each(i, std::get<i>(of_a), std::get<i>(of_b)) && ...);
  }
  (std::make_index_sequence<field_count<A>>{});
}

// std::optional, and Shared.
template <class Value>
concept Optional = requires(Value value) {
  typename Value::value_type;
  value.has_value();
  value.emplace();
};

template <class Value>
struct Same {
  static bool of(const Value& a, const Value& b) {
    if constexpr (Described<Value>) {
      return each_field(a, b, [](std::size_t, const auto& x, const auto& y) {
        return Same<std::remove_cvref_t<decltype(x)>>::of(x, y);
      });
    } else {
      return a == b;
    }
  }
};
template <>
struct Same<double> {  // NaN is the same as itself, -0 not as 0
  static bool of(double a, double b) { return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b); }
};
template <Optional Value>
struct Same<Value> {
  static bool of(const Value& a, const Value& b) {
    return a.has_value() == b.has_value() && (!a || Same<typename Value::value_type>::of(*a, *b));
  }
};
template <class Value>
struct Same<std::shared_ptr<const Value>> {
  static bool of(const std::shared_ptr<const Value>& a, const std::shared_ptr<const Value>& b) {
    return a == b || (a && b && Same<Value>::of(*a, *b));
  }
};
template <class Value>
struct Same<std::vector<Value>> {
  static bool of(const std::vector<Value>& a, const std::vector<Value>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (!Same<Value>::of(a[i], b[i])) return false;
    }
    return true;
  }
};

template <class Value>
bool same(const Value& a, const Value& b) {
  return Same<Value>::of(a, b);
}

}  // namespace asyncleak
