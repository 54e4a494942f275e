#include "view/prometheus/family.h"

#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <iterator>

namespace asyncleak {
namespace {

constexpr std::string_view cut_mark = "...";

// A character and its continuation bytes, of valid UTF-8.
std::size_t character_bytes(std::string_view text) {
  std::size_t size = 1;
  while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xc0U) == 0x80U) ++size;
  return size;
}

std::string escaped(std::string_view character) {
  if (character == "\n") return "\\n";
  if (character == "\\" || character == "\"") return "\\" + std::string(character);
  return to_printable(character);
}

}  // namespace

std::string shortened(std::string_view value, std::size_t most_bytes) {
  // Of a text of megabytes only what could be shown is looked at: nothing gets shorter than half of what it was, a
  // control character of two bytes.
  const std::string text = to_utf8(value.substr(0, 2 * most_bytes + 2));
  std::string whole, cut;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t size = character_bytes(rest);
    whole += escaped(rest.substr(0, size));
    rest.remove_prefix(size);
    if (whole.size() + cut_mark.size() <= most_bytes) cut = whole;
    if (whole.size() > most_bytes) return cut.append(cut_mark);
  }
  return whole;
}

std::string label(std::string_view name, std::string_view value, std::size_t most_bytes) {
  return fmt::format("{}=\"{}\"", name, shortened(value, most_bytes));
}

void Family::write(std::string& out) const {
  if (samples_.empty()) return;
  fmt::format_to(std::back_inserter(out), "# HELP {} {}\n# TYPE {} {}\n", name_, help_, name_, type_);
  for (const auto& [labels, value] : samples_) {
    fmt::format_to(std::back_inserter(out), "{}{}{}{} ", name_, labels.empty() ? "" : "{", labels,
                   labels.empty() ? "" : "}");
    if (value.integral) {
      fmt::format_to(std::back_inserter(out), "{}\n", value.integer);
    } else {
      fmt::format_to(std::back_inserter(out), "{:.{}f}\n", value.real, value.real < 1 ? 6 : 3);
    }
  }
}

template <class Number>
Number Family::merged(Number kept, Number value) const {
  switch (merge_) {
    case Merge::sum:
      return kept + value;
    case Merge::maximum:
      return std::max(kept, value);
    case Merge::minimum:
      return std::min(kept, value);
  }
  return value;
}

void Family::add(const std::string& labels, Value value) {
  const auto [at, is_new] = index_.try_emplace(labels, samples_.size());
  if (is_new) {
    samples_.emplace_back(labels, value);
    return;
  }
  Value& kept = samples_[at->second].second;
  kept.integer = merged(kept.integer, value.integer);
  kept.real = merged(kept.real, value.real);
}

}  // namespace asyncleak
