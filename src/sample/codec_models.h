// What the encoder and the decoder of a Sample have in common: how things are told, and what is learnt on the way.
//
// Used by encoder.cpp and decoder.cpp. Pure.
#pragma once

#include "sample/codec_same.h"
#include "sample/cohort_codec.h"
#include "sample/range_coder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace asyncleak {

// How an element that has a key is told: the one after the last told, none of the sample before, or which.
inline constexpr std::uint64_t next_in_order = 0, not_there = 1, by_index = 2;

// Where the elements of a list stood one sample ago. The same steps in the writer and the reader.
template <class Value>
class Earlier {
 public:
  explicit Earlier(const std::vector<Value>& list) : list_(list) {}

  // The element at INDEX, nullptr: there is none; the next in order is the one behind it.
  const Value* at(std::size_t index) {
    if (index >= list_.size()) return nullptr;
    next_ = index + 1;
    return &list_[index];
  }
  [[nodiscard]] std::size_t next() const { return next_; }

  // The writer's: list_.size() where KEY is not there.
  std::size_t find(std::uint64_t key) {
    if (next_ < list_.size() && key_of(list_[next_]) == key) return next_;
    if (places_.empty()) {
      for (std::size_t i = 0; i < list_.size(); ++i) places_.emplace(key_of(list_[i]), i);
    }
    const auto found = places_.find(key);
    return found == places_.end() ? list_.size() : found->second;
  }

 private:
  const std::vector<Value>& list_;
  std::size_t next_ = 0;
  std::unordered_map<std::uint64_t, std::size_t> places_;
};

// The high bits of a double change least: they go to the end, where zeros cost nothing.
inline std::uint64_t changed_bits(double a, double b) {
  return __builtin_bswap64(std::bit_cast<std::uint64_t>(a) ^ std::bit_cast<std::uint64_t>(b));
}

// A double that is a count: its difference is shorter than its bits. Not -0, which would come back as 0.
inline bool is_whole(double value) {
  constexpr double most = 1LL << 52;
  return value > -most && value < most && value == std::trunc(value) && !(value == 0 && std::signbit(value));
}

inline constexpr std::uint64_t new_text = 0;

// Sums that follow from others are told as what is missing to them, which is nothing, and a coarse time without its
// zeros: TO_WIRE, and back.
inline void fold(Sample& sample, bool to_wire) {
  for (SiteSample& site : sample.sites) {
    std::uint64_t in_cohorts = 0;
    for (const Cohort& cohort : site.cohorts) in_cohorts += cohort.count;
    const std::uint64_t ended = site.created_total + site.preexisting - in_cohorts;
    site.outstanding += to_wire ? 0 - in_cohorts : in_cohorts;
    site.destroyed_total += to_wire ? 0 - ended : ended;
    const int turn = to_wire ? birth_resolution_bits : -birth_resolution_bits;
    site.last_created_ns = static_cast<std::int64_t>(std::rotr(static_cast<std::uint64_t>(site.last_created_ns), turn));
  }
}

// What a field is coded by: whether it changed, whether a part is there or how many, and its number.
struct FieldModels {
  BitModel changed;
  NumberModel size, number;
};

// All that is learnt from the samples so far, the same in the writer and the reader.
struct Models {
  static constexpr std::size_t most_fields = 24;
  std::array<std::array<FieldModels, most_fields>, Structs::size> fields;
  std::array<BitModel, Structs::size> changed;
  ClassCoding cohorts, byte_cohorts;
  // Busy sites are like busy sites: what is learnt of a site is learnt for those as busy as it was last.
  std::array<std::array<FieldModels, most_fields>, activities> site_fields;
  std::size_t activity = 0;
  std::unordered_map<std::uint64_t, std::size_t> activity_of;  // by key_of()

  // Around each element of a list that has a key.
  template <Keyed Value>
  void begin(const Value* before) {
    if constexpr (std::same_as<Value, SiteSample>) {
      const auto known = before != nullptr ? activity_of.find(key_of(*before)) : activity_of.end();
      activity = known == activity_of.end() ? 0 : known->second;
    }
  }
  template <Keyed Value>
  void end(const Value& value, const Value* before) {
    if constexpr (std::same_as<Value, SiteSample>) {
      const std::uint64_t created = before != nullptr ? value.created_total - before->created_total : 0;
      activity_of[key_of(value)] = std::min<std::size_t>(std::bit_width(created), activities - 1);
    }
  }

  template <Described Value>
  FieldModels& of(std::size_t field) {
    static_assert(Structs::index_of<Value> < Structs::size && field_count<Value> <= most_fields);
    if constexpr (std::same_as<Value, SiteSample>) return site_fields[activity][field];
    return fields[Structs::index_of<Value>][field];
  }
  template <AgeClass Class>
  ClassCoding& classes() {
    ClassCoding& coding = std::same_as<Class, Cohort> ? cohorts : byte_cohorts;
    coding.activity = activity;
    return coding;
  }
};

}  // namespace asyncleak
