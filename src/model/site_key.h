// Which sites are the same place in the source, across processes, restarts and machines.
//
// Used by findings.cpp, outcome.cpp and difference.cpp. Pure.
#pragma once

#include "sample/sample.h"

#include <string>

namespace asyncleak {

// 16 hexadecimal digits from kind, qualified name, file and the creation stack with its lines: no address, no PID.
[[nodiscard]] std::string site_key(const SiteIdentity& identity);

}  // namespace asyncleak
