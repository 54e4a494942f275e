// Who holds the objects of a site: found once, and again when there are twice as many.
//
// Used by process_census.cpp. A search costs as much as several looks, so there is one at most a look.
#pragma once

#include "live/process_reader.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace asyncleak::live {

class SiteHolders {
 public:
  void begin_look() { searched_ = false; }
  // Of the site with that SiteIdentity::id, which has COUNT objects, SOME of them given: most frequent first. Empty:
  // not searched yet, or nobody was found.
  [[nodiscard]] std::vector<std::string> of(std::uint64_t site, std::uint64_t count,
                                            std::span<const std::uint64_t> some, ProcessReader& reader);

 private:
  struct Known {
    std::uint64_t count = 0;  // when it was searched
    std::vector<std::string> texts;
  };
  std::map<std::uint64_t, Known> known_;
  bool searched_ = false;
};

}  // namespace asyncleak::live
