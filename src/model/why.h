// The sentences of findings: how many of how many, who creates them, how fast, since when, where they wait.
//
// Used by findings.cpp; the single words also by src/view. Pure. The most important comes first: a terminal shows the
// beginning.
#pragma once

#include "model/findings.h"

#include <optional>
#include <string>
#include <string_view>

namespace asyncleak {

[[nodiscard]] std::string why_accumulating(const SiteRow& site, const Evidence& evidence);
[[nodiscard]] std::string why_allocated_grows(const SiteRow& site, const AllocationEvidence& evidence);
[[nodiscard]] std::string why_buffered_grows(const SiteRow& site, const BufferEvidence& evidence);
[[nodiscard]] std::string why_never_awaited(const NeverAwaited& coroutines, std::optional<double> growth_per_min);

// "+1.4/s", "+30/min", "+12/h": in the unit in which it is a number one can imagine.
[[nodiscard]] std::string rate_in_words(double per_min);
[[nodiscard]] std::string duration_in_words(double seconds);  // "0.4 s", "4 min 58 s", "2 h 5 min", "3 d"
// "app.py:31", "h11_impl.py:71 of uvicorn"; "" without a file.
[[nodiscard]] std::string place_in_words(std::string_view file, std::optional<int> line);
// "`handler` at app.py:31".
[[nodiscard]] std::string frame_in_words(const Frame& frame);
// Whom to ask about the site: " created at app.py:31 by `handler`", " in `ws` at app.py:14", " defined at app.py:9".
[[nodiscard]] std::string place_of(const SiteRow& site);

}  // namespace asyncleak
