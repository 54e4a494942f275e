// Which sites of two moments are the same place in the source.
//
// Used by difference.cpp. Pure. First by the exact key; then those that are left over, when only line numbers differ
// (the file was edited), only the folders of the files (a build that lies elsewhere), or both.
#pragma once

#include "model/difference.h"

#include <vector>

namespace asyncleak {

// Each site of both sides is in one of the pairs.
[[nodiscard]] std::vector<SiteDifference> pair_sites(std::vector<SiteSide> before, std::vector<SiteSide> after);

}  // namespace asyncleak
