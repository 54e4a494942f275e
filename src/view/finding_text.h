// A finding in words, as every text view tells it: the worst one's few lines, its head, all that is known.
//
// Used by view/batch, the screen and its pages. Pure.
#pragma once

#include "view/pages.h"

#include <string>
#include <vector>

namespace asyncleak {

[[nodiscard]] Role role_of(const Finding& finding);
[[nodiscard]] std::string_view word_of(Severity severity);  // "LEAK", "WARNING"

// "97% sure, for 4 min 30 s"; without the first part where it is no judgement but a fact.
[[nodiscard]] std::string standing_text(const Finding& finding);
// "hint: ..."; empty where no pattern was recognised.
[[nodiscard]] std::string hint_text(const Finding& finding);

// "LEAK Conn.waiter (pid 42): 412 of ..." in at most MAX_LINES lines, its hint in the last of them or one more where
// MORE allows it. The pid is left out where there is only one process.
struct BannerLimits {
  int max_lines = 3;
  bool more = true;
};
[[nodiscard]] std::vector<Line> banner_lines(const Report& report, const Finding& finding, int width,
                                             BannerLimits limits);

// "task-leak, 97% sure, for 1 min 40 s: 812 of ...", and its hint: where it is clear what it is about.
void add_finding(std::vector<Line>& lines, const Finding& finding, int width);

}  // namespace asyncleak
