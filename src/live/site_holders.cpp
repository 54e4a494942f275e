#include "live/site_holders.h"

#include "census/holders.h"

#include <algorithm>

namespace asyncleak::live {
namespace {

// Of fewer nobody asks who holds them.
constexpr std::uint64_t fewest_objects = 20;
constexpr std::size_t most_texts = 5;

std::vector<std::string> search(std::span<const std::uint64_t> some, ProcessReader& reader) {
  const auto found = census::Holders(&reader.heap(), &reader.readers()).of(some);
  if (!found) return {};
  std::map<std::string, int> counts;
  for (const auto& [object, texts] : *found) {
    for (const auto& text : texts) counts[text]++;
  }
  std::vector<std::pair<int, std::string>> ranked;
  ranked.reserve(counts.size());
  for (const auto& [text, count] : counts) ranked.emplace_back(-count, text);
  std::ranges::sort(ranked);
  std::vector<std::string> out;
  for (auto& [rank, text] : ranked) {
    if (out.size() < most_texts) out.push_back(std::move(text));
  }
  return out;
}

}  // namespace

std::vector<std::string> SiteHolders::of(std::uint64_t site, std::uint64_t count, std::span<const std::uint64_t> some,
                                         ProcessReader& reader) {
  if (count < fewest_objects || some.empty()) return {};
  auto& known = known_[site];
  if (!searched_ && count >= 2 * known.count) {
    searched_ = true;
    known = {count, search(some, reader)};
  }
  return known.texts;
}

}  // namespace asyncleak::live
