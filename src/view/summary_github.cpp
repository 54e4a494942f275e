#include "util/text.h"
#include "view/summary.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak {
namespace {

// actions/runner, src/Runner.Common/ActionCommand.cs: a message ends at the line's end, a property also at a colon or
// comma, and %25 and its like are what it unescapes.
std::string escaped(std::string_view text, bool property) {
  std::string result;
  for (const char c : to_printable(text)) {
    if (c == '%' || (property && (c == ':' || c == ','))) {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    } else {
      result += c;
    }
  }
  return result;
}

bool is_below(std::string_view path, std::string_view folder) {
  return !folder.empty() && path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

// As the repository names the file; what lies elsewhere keeps its path.
std::string repository_path(std::string path, const SourceFolders& folders) {
  if (!path.starts_with('/')) path = folders.working + "/" + path;
  for (const std::string& folder : {folders.repository, folders.working}) {
    if (is_below(path, folder)) return path.substr(folder.size() + 1);
  }
  return path;
}

std::string_view level_of(const JudgedFinding& judged) {
  switch (judged.ruling) {
    case Ruling::fails:
      return "error";
    case Ruling::minor:
      return judged.past.finding.severity == Severity::leak ? "error" : "warning";
    case Ruling::allowed:
    case Ruling::unsure:
    case Ruling::gone:
      break;
  }
  return "notice";
}

}  // namespace

std::string summary_github(const Summary& summary, const SourceFolders& folders) {
  std::string text;
  for (const JudgedFinding& judged : summary.findings) {
    const Frame source = source_of(judged.past.finding);
    std::string properties;
    // "<frozen ...>", "<string>": no file of anybody's.
    if (!source.file.empty() && !source.file.starts_with('<')) {
      properties = fmt::format("file={},", escaped(repository_path(source.file, folders), true));
      if (source.line) properties += fmt::format("line={},", *source.line);
    }
    properties += "title=" + escaped(title_of(judged.past.finding), true);
    std::string message;
    for (const std::string& sentence : sentences_of(judged, summary)) {
      if (!message.empty()) message += "%0A";
      message += escaped(sentence, false);
    }
    if (judged.ruling == Ruling::gone || !judged.reason.empty()) {
      message += fmt::format("%0A{}", name_of(judged.ruling));
      if (!judged.reason.empty()) message += ": " + escaped(judged.reason, false);
    }
    text += fmt::format("::{} {}::{}\n", level_of(judged), properties, message);
  }
  return text;
}

}  // namespace asyncleak
