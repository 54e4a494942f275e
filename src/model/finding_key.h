// Which findings are the same one, from one report to the next, and the place each is about.
//
// Used by outcome.cpp, the log of src/cli and the metrics. Pure.
#pragma once

#include "model/report.h"

#include <string>
#include <tuple>

namespace asyncleak {

using FindingKey = std::tuple<std::string, pid_t, std::string>;  // kind, process, site
[[nodiscard]] FindingKey key_of(const Finding& finding);

// What a finding says of its place, as a site says it. Its kind is empty.
[[nodiscard]] SiteIdentity identity_of(const Finding& finding);

}  // namespace asyncleak
