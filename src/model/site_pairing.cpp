#include "model/site_pairing.h"

#include "model/site_key.h"
#include "util/text.h"

#include <algorithm>
#include <map>
#include <tuple>

namespace asyncleak {
namespace {

std::string bare_key(const SiteIdentity& identity, bool lines, bool folders) {
  SiteIdentity bare;
  bare.kind = identity.kind;
  bare.coroutine = identity.coroutine;
  const auto file = [&](const std::string& path) { return folders ? path : std::string(base_name(path)); };
  bare.file = file(identity.file);
  if (lines) bare.line = identity.line;
  for (const Frame& frame : identity.created_at) {
    bare.created_at.push_back({frame.function, file(frame.file), lines ? frame.line : std::nullopt});
  }
  return site_key(bare);
}

// Several sites of one function, or created by one, come in the order in which they stand in the source.
std::vector<int> order_in_source(const SiteSide& side) {
  std::vector<int> lines;
  for (const Frame& frame : side.identity->created_at) lines.push_back(frame.line.value_or(0));
  lines.push_back(side.identity->line.value_or(0));
  return lines;
}

// Takes from both sides what is the same when this is looked at.
void pair_by(Pairing pairing, bool lines, bool folders, std::vector<SiteSide>& before, std::vector<SiteSide>& after,
             std::vector<SiteDifference>& pairs) {
  const auto earlier_in_source = [](const SiteSide& a, const SiteSide& b) {
    return order_in_source(a) < order_in_source(b);
  };
  std::stable_sort(before.begin(), before.end(), earlier_in_source);
  std::stable_sort(after.begin(), after.end(), earlier_in_source);
  std::multimap<std::string, std::size_t> candidates;
  for (std::size_t i = 0; i < before.size(); ++i) {
    candidates.emplace(bare_key(*before[i].identity, lines, folders), i);
  }
  for (SiteSide& side : after) {
    const auto found = candidates.find(bare_key(*side.identity, lines, folders));
    if (found == candidates.end()) continue;
    SiteDifference& pair = pairs.emplace_back();
    pair.before = std::move(before[found->second]);
    pair.after = std::move(side);
    pair.pairing = pairing;
    candidates.erase(found);
  }
  const auto paired = [](const SiteSide& side) { return side.identity == nullptr; };
  std::erase_if(before, paired);
  std::erase_if(after, paired);
}

}  // namespace

std::vector<SiteDifference> pair_sites(std::vector<SiteSide> before, std::vector<SiteSide> after) {
  std::vector<SiteDifference> pairs;
  pair_by(Pairing::exact, true, true, before, after, pairs);
  pair_by(Pairing::lines, false, true, before, after, pairs);
  pair_by(Pairing::folders, true, false, before, after, pairs);
  pair_by(Pairing::lines_and_folders, false, false, before, after, pairs);
  for (SiteSide& side : before) pairs.emplace_back().before = std::move(side);
  for (SiteSide& side : after) pairs.emplace_back().after = std::move(side);
  return pairs;
}

}  // namespace asyncleak
