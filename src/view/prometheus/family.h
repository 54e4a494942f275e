// The text format's pieces: labels, made harmless and short, and a metric with its series.
//
// Used by this folder only. Pure; knows nothing of tasks or processes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace asyncleak {

// Bytes a label's value may have in the file, escapes included; longer ones end in "...". Of a site the end is kept.
struct LabelLimits {
  static constexpr std::size_t comm = 48, unit = 96, container = 64, coroutine = 128, place = 64, pod = 64, other = 40;
};

// NAME="VALUE". Not UTF-8: U+FFFD; control characters other than the newline, which is escaped: '?'.
[[nodiscard]] std::string label(std::string_view name, std::string_view value, std::size_t most_bytes);
// VALUE shortened to MOST_BYTES as it will be escaped, and the same for the same beginning.
[[nodiscard]] std::string shortened(std::string_view value, std::size_t most_bytes);

// One metric with its samples, in the order they came. A set of labels that comes again is
// added (gauges and counters) or keeps one extreme: duplicates make the whole file invalid.
class Family {
 public:
  enum class Merge { sum, maximum, minimum };
  Family(std::string_view name, std::string_view type, std::string_view help, Merge merge = Merge::sum)
      : name_(name), type_(type), help_(help), merge_(merge) {}

  void add(const std::string& labels, std::uint64_t value) { add(labels, {value, 0, true}); }
  void add(const std::string& labels, double value) { add(labels, {0, value, false}); }

  // Nothing at all when there are no samples.
  void write(std::string& out) const;

 private:
  struct Value {
    std::uint64_t integer;  // exact: a double loses counts above 2^53
    double real;
    bool integral;
  };
  void add(const std::string& labels, Value value);
  template <class Number>
  [[nodiscard]] Number merged(Number kept, Number value) const;

  std::string_view name_, type_, help_;
  Merge merge_;
  std::vector<std::pair<std::string, Value>> samples_;
  std::unordered_map<std::string, std::size_t> index_;
};

}  // namespace asyncleak
