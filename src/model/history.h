// One number over time, bounded: the recent past as it was sampled, the distant past coarser.
//
// Used by model.cpp (one per site and process) and verdict.cpp. Knows nothing of tasks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace asyncleak {

class History {
 public:
  static constexpr std::size_t max_points = 600;
  static constexpr std::size_t sparkline_points = 60;
  static constexpr double sparkline_span_s = 600;

  // SECONDS since any fixed moment, rising.
  void add(double seconds, double value);

  [[nodiscard]] bool empty() const { return points_.empty(); }
  [[nodiscard]] std::size_t samples() const { return samples_; }  // ever added
  [[nodiscard]] double first_s() const { return points_.front().seconds(); }
  [[nodiscard]] double last_s() const { return latest_.seconds(); }
  [[nodiscard]] double last() const { return latest_.value; }
  // Over the points at or after / before a moment; -infinity where there are none.
  [[nodiscard]] double max_before(double seconds) const;
  [[nodiscard]] bool constant_since(double seconds) const;
  // The furthest it ever went down from what it had reached.
  [[nodiscard]] double deepest_fall() const;

  // Cuts [from_s, last_s] into equal slices and fills in the smallest value of each, its beginning
  // included: between samples the value is taken to change evenly.
  void slice_minima(double from_s, std::span<double> out) const;
  // The same with each slice's last sample, or its beginning where there is none.
  void slice_values(double from_s, std::span<double> out) const;

  // Evenly spaced, oldest first: the last ten minutes, or all if it is less.
  [[nodiscard]] std::vector<double> sparkline() const;
  // A sparkline made earlier is still right: nothing but one value since before it begins.
  [[nodiscard]] bool is_level(const std::vector<double>& sparkline) const;

 private:
  // 8 bytes: thousands of sites keep hundreds of these. 10 ms is finer than the shortest refresh;
  // floats are exact up to 16 million tasks.
  struct Point {
    std::uint32_t centiseconds;
    float value;
    [[nodiscard]] double seconds() const { return centiseconds / 100.0; }
  };
  void thin_older_half() const;
  const std::vector<Point>& points() const;  // with the latest
  [[nodiscard]] std::size_t first_at_or_after(double seconds) const;
  enum class Of { minima, last_values };
  template <Of what>
  void slice(double from_s, std::span<double> out) const;
  [[nodiscard]] double between(std::size_t next, double seconds) const;

  // A number that stays the same moves only the latest, which lies here: most sites of a refresh are level, and
  // touching each one's points would cost more than all else.
  mutable std::vector<Point> points_;
  Point latest_{};
  std::size_t samples_ = 0;
};

}  // namespace asyncleak
