// What was found while we watched, told at the end: for a person, a program, a test report, a workflow's log.
//
// Used by src/cli. Knows model/gate.h, not where the text goes. Names come from a stranger's memory: what is written is
// valid UTF-8, and valid in its format, whatever they are.
#pragma once

#include "model/gate.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

struct SummaryStyle {
  std::size_t width = 0;  // columns of the terminal; 0: it is none
  bool brief = false;     // a line a finding, and not many
};

// Empty when nothing was found and nothing was to fail.
[[nodiscard]] std::string summary_text(const Summary& summary, const SummaryStyle& style);

// One line without the newline, schema "asyncleak-summary/1".
[[nodiscard]] std::string summary_json(const Summary& summary);

// A JUnit report: a test case a finding, or one that passed when there was none.
[[nodiscard]] std::string summary_junit(const Summary& summary);

// Workflow commands of GitHub Actions, a line each, that annotate the source. FOLDERS: where relative paths of the
// programs begin, and where the repository is; a file below the latter is named as the repository does.
struct SourceFolders {
  std::string working, repository;  // absolute, without a slash at the end
};
[[nodiscard]] std::string summary_github(const Summary& summary, const SourceFolders& folders);

// What the formats share.
// The line of source that is to be changed: where the program creates what leaks, else where that is defined.
// Without a file: not known.
[[nodiscard]] Frame source_of(const Finding& finding);
// "task-leak Conn.waiter", "overload".
[[nodiscard]] std::string title_of(const Finding& finding);
// "412 of 420 tasks ...; stood for 4m30s until the end", and the hint.
[[nodiscard]] std::vector<std::string> sentences_of(const JudgedFinding& judged, const Summary& summary);

}  // namespace asyncleak
