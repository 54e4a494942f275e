// The format is what Jenkins, GitLab and the actions for GitHub read: https://github.com/testmoapp/junitxml
#include "util/text.h"
#include "view/summary.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak {
namespace {

// XML 1.0, production 2: not every character of Unicode may stand in it, not even as a reference.
bool is_xml(char32_t c) {
  return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0xD7FF) || (c >= 0xE000 && c <= 0xFFFD) ||
         (c >= 0x10000 && c <= 0x10FFFF);
}

// For a text or an attribute: > as a reference, too, since "]]>" must not stand in text.
std::string xml(std::string_view text) {
  std::string escaped;
  for (const char32_t c : decode_utf8(to_printable(text))) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        append_utf8(escaped, is_xml(c) ? c : U'\uFFFD');
    }
  }
  return escaped;
}

double seconds_stood(const PastFinding& past) {
  return std::max(0.0, static_cast<double>(past.last_wall_ns - past.first_wall_ns) / 1e9);
}

// The names are the same in every run: reports are compared by them.
std::string testcase(const JudgedFinding& judged, const Summary& summary) {
  const Finding& finding = judged.past.finding;
  const Frame source = source_of(finding);
  std::string name = finding.coroutine.empty() ? finding.kind : finding.coroutine;
  std::string place;
  if (!source.file.empty()) {
    name += fmt::format(" at {}", base_name(source.file));
    place += fmt::format(" file=\"{}\"", xml(source.file));
    if (source.line) {
      name += fmt::format(":{}", *source.line);
      place += fmt::format(" line=\"{}\"", *source.line);
    }
  }
  std::string details = fmt::format("pid {}", finding.pid);
  for (const std::string& sentence : sentences_of(judged, summary)) details += "\n" + xml(sentence);
  std::string text = fmt::format("    <testcase classname=\"asyncleak.{}\" name=\"{}\"{} time=\"{:.3f}\">\n",
                                 xml(finding.kind), xml(name), place, seconds_stood(judged.past));
  if (judged.ruling == Ruling::fails) {
    text += fmt::format("      <failure type=\"{}\" message=\"{}\">{}</failure>\n", xml(finding.kind), xml(finding.why),
                        details);
  } else {
    if (judged.ruling == Ruling::allowed || judged.ruling == Ruling::unsure) {
      text += fmt::format("      <skipped message=\"{}\"/>\n", xml(judged.reason));
    }
    text += fmt::format("      <system-out>{}: {}</system-out>\n", name_of(judged.ruling), details);
  }
  return text + "    </testcase>\n";
}

}  // namespace

std::string summary_junit(const Summary& summary) {
  const auto count = [&](auto... rulings) {
    return std::ranges::count_if(summary.findings,
                                 [&](const JudgedFinding& each) { return ((each.ruling == rulings) || ...); });
  };
  const std::string time = format_time_utc(summary.first_wall_ns);
  const std::string numbers = fmt::format(
      "name=\"asyncleak-top\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3f}\" "
      "timestamp=\"{}\"",
      std::max<std::size_t>(1, summary.findings.size()), count(Ruling::fails), count(Ruling::allowed, Ruling::unsure),
      summary.watched_s, time.substr(0, time.find('.')));
  std::string text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  text += fmt::format("<testsuites {}>\n  <testsuite {}>\n", numbers, numbers);
  for (const JudgedFinding& judged : summary.findings) text += testcase(judged, summary);
  if (summary.findings.empty()) {
    text += fmt::format("    <testcase classname=\"asyncleak\" name=\"nothing leaked\" time=\"{:.3f}\"/>\n",
                        summary.watched_s);
  }
  return text + "  </testsuite>\n</testsuites>\n";
}

}  // namespace asyncleak
