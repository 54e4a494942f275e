#include "view/graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

namespace asyncleak {
namespace {

constexpr int levels = 8;  // of one character; 0 is blank
constexpr std::array<std::string_view, levels + 1> blocks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
constexpr std::array<std::string_view, levels + 1> ascii_levels = {" ", ".", ".", ":", "-", "=", "+", "*", "#"};

// As many values as there are columns: each the mean of its share.
std::vector<double> resample(const std::vector<double>& values, std::size_t width) {
  if (values.size() <= width) return values;
  std::vector<double> shares(width);
  for (std::size_t i = 0; i < width; ++i) {
    const std::size_t from = i * values.size() / width;
    const std::size_t to = (i + 1) * values.size() / width;
    double sum = 0;
    for (std::size_t j = from; j < to; ++j) sum += values[j];
    shares[i] = sum / static_cast<double>(to - from);
  }
  return shares;
}

}  // namespace

std::vector<std::string> graph(const std::vector<double>& values, int width, int rows, bool ascii) {
  std::vector<std::string> lines(static_cast<std::size_t>(std::max(rows, 0)));
  if (width <= 0) return lines;
  const std::vector<double> shares = resample(values, static_cast<std::size_t>(width));
  const double maximum = shares.empty() ? 0 : *std::max_element(shares.begin(), shares.end());
  const auto& characters = ascii ? ascii_levels : blocks;
  for (auto& line : lines) line.assign(static_cast<std::size_t>(width) - shares.size(), ' ');
  for (const double value : shares) {
    int height = 0;
    if (value > 0) height = std::max(1, static_cast<int>(std::lround(value / maximum * rows * levels)));
    for (int row = 0; row < rows; ++row) {
      const int level = std::clamp(height - (rows - 1 - row) * levels, 0, levels);
      lines[static_cast<std::size_t>(row)] += characters.at(static_cast<std::size_t>(level));
    }
  }
  return lines;
}

std::string bar(double value, double maximum, int width, bool ascii) {
  if (value <= 0 || maximum <= 0 || width <= 0) return {};
  const int length = std::clamp(static_cast<int>(std::lround(value / maximum * width)), 1, width);
  std::string text;
  for (int i = 0; i < length; ++i) text += ascii ? "#" : "█";
  return text;
}

}  // namespace asyncleak
