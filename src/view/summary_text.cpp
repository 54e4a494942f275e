#include "model/user_frame.h"
#include "util/text.h"
#include "view/columns.h"
#include "view/finding_text.h"
#include "view/summary.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>
#include <climits>
#include <iterator>
#include <span>

namespace asyncleak {
namespace {

constexpr std::size_t brief_lines = 10;

// "1 leak and 2 warnings"
std::string standing_text(std::uint64_t leaks, std::uint64_t warnings) {
  if (warnings == 0) return format_counted(leaks, "leak");
  const std::string warned = format_counted(warnings, "warning");
  return leaks == 0 ? warned : format_counted(leaks, "leak") + " and " + warned;
}

std::string head_of(const Summary& summary) {
  std::uint64_t leaks = 0, warnings = 0, gone = 0, failing = 0;
  for (const JudgedFinding& each : summary.findings) {
    const bool standing = each.past.standing;
    leaks += standing && each.past.finding.severity == Severity::leak ? 1 : 0;
    warnings += standing && each.past.finding.severity == Severity::warning ? 1 : 0;
    gone += standing ? 0 : 1;
    failing += each.ruling == Ruling::fails ? 1 : 0;
  }
  const std::string watched = "in " + format_duration(summary.watched_s);
  if (summary.findings.empty()) return "nothing leaked " + watched;
  std::string text =
      leaks + warnings == 0 ? "nothing leaked at the end" : standing_text(leaks, warnings) + " " + watched;
  if (gone > 0) text += fmt::format("; {} went before the end", format_counted(gone, "finding"));
  if (summary.fail_on) {
    const std::string option = fmt::format("--fail-on {}", name_of(*summary.fail_on));
    text += failing == 0
                ? "; passes " + option
                : fmt::format("; {} by {}", failing == 1 ? "1 fails" : fmt::format("{} fail", failing), option);
  }
  return text;
}

std::string place_in_words(const Finding& finding) {
  const Frame source = source_of(finding);
  if (source.file.empty()) return {};
  const auto name = to_printable(base_name(source.file));
  return source.line ? fmt::format(" at {}:{}", name, *source.line) : " in " + name;
}

std::string_view ruling_in_words(Ruling ruling) {
  switch (ruling) {
    case Ruling::fails:
      return "fails";
    case Ruling::allowed:
      return "allowed: ";
    case Ruling::unsure:
      return "passes: ";
    case Ruling::minor:
    case Ruling::gone:
      break;
  }
  return {};
}

std::string headline(const JudgedFinding& judged) {
  const Finding& finding = judged.past.finding;
  std::string text = fmt::format("{} {}{}, pid {}", word_of(finding.severity), title_of(finding),
                                 place_in_words(finding), finding.pid);
  if (judged.ruling == Ruling::gone) return text + ", gone";
  const auto ruling = ruling_in_words(judged.ruling);
  return ruling.empty() ? text : fmt::format("{}: {}{}", text, ruling, judged.reason);
}

void add_wrapped(std::string& text, const std::string& sentence, std::size_t width) {
  constexpr std::size_t indent = 2, narrowest = 20;
  if (width < indent + narrowest) {
    text += "  " + sentence + "\n";
    return;
  }
  for (const std::string& line : wrap(sentence, static_cast<int>(width - indent), INT_MAX)) text += "  " + line + "\n";
}

}  // namespace

Frame source_of(const Finding& finding) {
  if (finding.created_in) return *finding.created_in;
  if (const Frame* frame = user_frame(std::span(finding.created_at)); frame != nullptr && !is_asyncio_file(frame->file))
    return *frame;
  return {finding.coroutine, finding.file, finding.line};
}

std::string title_of(const Finding& finding) {
  return finding.coroutine.empty() ? finding.kind : finding.kind + " " + to_printable(finding.coroutine);
}

std::vector<std::string> sentences_of(const JudgedFinding& judged, const Summary& summary) {
  const PastFinding& past = judged.past;
  const double stood_s = static_cast<double>(past.last_wall_ns - past.first_wall_ns) / 1e9;
  const double before_s = static_cast<double>(summary.last_wall_ns - past.last_wall_ns) / 1e9;
  std::vector<std::string> sentences{past.finding.why};
  std::string stood = "stood for " + format_duration(std::max(stood_s, 0.0));
  if (past.finding.confidence) stood += ", confidence " + format_confidence(*past.finding.confidence);
  if (!past.standing) stood += fmt::format(", last seen {} before the end", format_duration(std::max(before_s, 0.0)));
  sentences.push_back(std::move(stood));
  if (!past.finding.hint.empty()) sentences.push_back(hint_text(past.finding));
  return sentences;
}

std::string summary_text(const Summary& summary, const SummaryStyle& style) {
  if (summary.findings.empty() && !summary.fail_on) return {};
  std::string text = "asyncleak-top: " + head_of(summary) + "\n";
  const std::size_t all = summary.findings.size();
  const std::size_t shown = style.brief ? std::min(all, brief_lines) : all;
  for (std::size_t i = 0; i < shown; ++i) {
    const JudgedFinding& judged = summary.findings[i];
    text += headline(judged) + "\n";
    if (style.brief) continue;
    for (const std::string& sentence : sentences_of(judged, summary)) add_wrapped(text, sentence, style.width);
  }
  const std::uint64_t rest = all - shown + summary.left_out;
  if (rest > 0) text += fmt::format("... and {} more\n", rest);
  return text;
}

}  // namespace asyncleak
