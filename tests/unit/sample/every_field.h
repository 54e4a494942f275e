// Samples in which every field of every struct has a value of its own. Used by the tests of recordings.
#pragma once

#include "sample/codec_same.h"
#include "sample/fields.h"

#include <cstdint>
#include <limits>
#include <memory>
#include <random>

namespace asyncleak::test {

// Fills whatever the codec knows of: a field that is added to a struct is filled, and compared, at once.
class Filler {
 public:
  explicit Filler(std::uint64_t seed) : random_(seed) {}

  template <Described Value>
  void fill(Value& value) {
    std::apply([this](auto&... field) { (fill(field), ...); }, fields(value));
  }
  template <std::integral Number>
  void fill(Number& number) {
    switch (below(6)) {
      case 0:
        number = std::numeric_limits<Number>::max();
        break;
      case 1:
        number = std::numeric_limits<Number>::min();
        break;
      case 2:
        number = static_cast<Number>(random_());
        break;
      default:
        number = static_cast<Number>(below(100));
    }
  }
  void fill(bool& value) { value = below(2) == 1; }
  void fill(Coverage& coverage) { coverage = static_cast<Coverage>(below(4)); }
  void fill(MemoryMode& mode) { mode = static_cast<MemoryMode>(below(3)); }
  void fill(double& value) {
    constexpr double extremes[] = {
        0.0, -0.0, 1.5, -1e308, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()};
    value = extremes[below(6)];
  }
  void fill(std::string& text) {
    static const std::string extremes[] = {"", "app.py", std::string("a\0\xff\n", 4), std::string(300, 'x')};
    text = extremes[below(4)];
    if (below(2) == 0) text += std::to_string(below(50));
  }
  template <Optional Value>
  void fill(Value& value) {
    value.reset();
    if (below(3) > 0) fill(value.emplace());
  }
  template <class Value>
  void fill(std::vector<Value>& list) {
    list.clear();
    list.resize(below(4));
    for (Value& each : list) fill(each);
  }
  void fill(std::shared_ptr<const SiteIdentity>& identity) {
    auto made = std::make_shared<SiteIdentity>();
    fill(*made);
    made->id = below(8);  // so that sites are found again in the next sample
    identity = std::move(made);
  }

  Sample sample(std::int64_t monotonic_ns) {
    Sample sample;
    fill(sample);
    sample.monotonic_ns = monotonic_ns;
    sample.wall_ns = 1'795'234'618'000'000'000 + static_cast<std::int64_t>(below(100'000'000));
    return sample;
  }

  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

 private:
  std::mt19937_64 random_;
};

}  // namespace asyncleak::test
