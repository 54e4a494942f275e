// Known ways to leak, and what to do about each: only where the evidence shows that way and no other.
//
// Used by findings.cpp and site_state.cpp. Pure. A finding that fits none has no hint; the list is in the manual,
// FINDINGS.
#pragma once

#include "model/report.h"

namespace asyncleak {

// Sets FINDING's pattern and hint. FINDING is about SITE, and its kind is set.
void add_hint(Finding& finding, const SiteRow& site);

// A set, list, dict or deque of the program holds a good part of the site's objects. Objects that hold each other, one
// by one, may as well be garbage that waits for the collector.
[[nodiscard]] bool is_in_collection(const SiteRow& site);

}  // namespace asyncleak
