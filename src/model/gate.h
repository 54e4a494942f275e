// What follows from what was found: which findings fail a build, which are let pass and why.
//
// Used by src/cli (exit status) and the exit summaries of src/view. Pure; patterns are fnmatch(3)'s.
#pragma once

#include "model/outcome.h"
#include "util/result.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

// Findings of coroutines that are let pass: "Pool.*", or with the file's name "app.py:Pool.*".
struct Allowance {
  std::string glob;
  std::string reason;  // may be empty
};

// The lines of an allow-file: a pattern, blanks, the reason. Empty lines and those that begin with '#' are nothing.
// Error: a line that is no pattern, with its number.
[[nodiscard]] Result<std::vector<Allowance>> parse_allowances(std::string_view text);

struct GatePolicy {
  std::optional<Severity> fail_on;  // nullopt: nothing fails
  std::vector<Allowance> allow;
  double min_confidence = 0;  // 0 to 1
};

enum class Ruling {
  fails,
  allowed,  // a pattern matches
  unsure,   // below min_confidence
  minor,    // a warning, where only leaks fail; or nothing was to fail
  gone,     // did not stand at the end any more
};
[[nodiscard]] std::string_view name_of(Ruling ruling);  // "fails", "allowed", "unsure", "minor", "gone"

struct JudgedFinding {
  PastFinding past;
  Ruling ruling = Ruling::minor;
  std::string reason;  // of the ruling, for a person; empty: it says all
};

struct Summary {
  std::int64_t first_wall_ns = 0, last_wall_ns = 0;
  double watched_s = 0;
  std::optional<Severity> fail_on;
  std::vector<JudgedFinding> findings;  // those that stand first, leaks before warnings
  std::uint64_t left_out = 0;
};

[[nodiscard]] JudgedFinding judge(PastFinding past, const GatePolicy& policy);
[[nodiscard]] Summary summarize(const Outcome& outcome, const GatePolicy& policy);
[[nodiscard]] bool failed(const Summary& summary);

}  // namespace asyncleak
