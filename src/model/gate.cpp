#include "model/gate.h"

#include "util/text.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <algorithm>

namespace asyncleak {
namespace {

constexpr std::string_view blanks = " \t\r";

bool matches(const std::string& glob, const std::string& text) { return fnmatch(glob.c_str(), text.c_str(), 0) == 0; }

// A pattern with a colon may name the file before the coroutine: its last component, or all of its path.
bool matches(const std::string& glob, const Finding& finding) {
  if (matches(glob, finding.coroutine)) return true;
  if (glob.find(':') == std::string::npos || finding.file.empty()) return false;
  return matches(glob, fmt::format("{}:{}", base_name(finding.file), finding.coroutine)) ||
         matches(glob, finding.file + ":" + finding.coroutine);
}

// What fnmatch() would take for ordinary characters, although somebody meant it otherwise.
std::string trouble_with(std::string_view glob) {
  for (std::size_t i = 0; i < glob.size(); ++i) {
    if (static_cast<unsigned char>(glob[i]) < ' ' || glob[i] == '\x7F') return "has a control character";
    if (glob[i] == '\\' && ++i == glob.size()) return "ends in a backslash";
    if (glob[i] != '[') continue;
    std::size_t end = i + 1;
    if (end < glob.size() && (glob[end] == '!' || glob[end] == '^')) ++end;
    end = glob.find(']', end + 1);  // a ] that comes first stands for itself
    if (end == std::string_view::npos) return "has a [ without its ]";
    i = end;
  }
  return {};
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

}  // namespace

Result<std::vector<Allowance>> parse_allowances(std::string_view text) {
  std::vector<Allowance> allowances;
  for (int number = 1; !text.empty(); ++number) {
    const auto line = trimmed(text.substr(0, text.find('\n')));
    text.remove_prefix(
        std::min(text.size(), text.find('\n') == std::string_view::npos ? text.size() : text.find('\n') + 1));
    if (line.empty() || line.front() == '#') continue;
    const auto glob = line.substr(0, line.find_first_of(blanks));
    if (const auto trouble = trouble_with(glob); !trouble.empty()) {
      return fail(fmt::format("line {}: '{}' {}", number, to_printable(glob), trouble), {}, ErrorKind::usage);
    }
    allowances.push_back({std::string(glob), to_printable(trimmed(line.substr(glob.size())))});
  }
  return allowances;
}

std::string_view name_of(Ruling ruling) {
  switch (ruling) {
    case Ruling::fails:
      return "fails";
    case Ruling::allowed:
      return "allowed";
    case Ruling::unsure:
      return "unsure";
    case Ruling::minor:
      return "minor";
    case Ruling::gone:
      break;
  }
  return "gone";
}

JudgedFinding judge(PastFinding past, const GatePolicy& policy) {
  JudgedFinding judged{std::move(past), Ruling::minor, {}};
  const Finding& finding = judged.past.finding;
  if (!judged.past.standing) {
    judged.ruling = Ruling::gone;
    return judged;
  }
  if (!policy.fail_on || finding.severity < *policy.fail_on) return judged;
  const auto allowed =
      std::ranges::find_if(policy.allow, [&](const Allowance& each) { return matches(each.glob, finding); });
  if (allowed != policy.allow.end()) {
    judged.ruling = Ruling::allowed;
    judged.reason =
        allowed->reason.empty() ? fmt::format("'{}' is allowed", to_printable(allowed->glob)) : allowed->reason;
    return judged;
  }
  // Without a confidence it is a fact.
  if (finding.confidence && *finding.confidence < policy.min_confidence) {
    judged.ruling = Ruling::unsure;
    judged.reason =
        fmt::format("confidence {:.0f}% is below {:.0f}%", *finding.confidence * 100, policy.min_confidence * 100);
    return judged;
  }
  judged.ruling = Ruling::fails;
  return judged;
}

Summary summarize(const Outcome& outcome, const GatePolicy& policy) {
  Summary summary;
  summary.first_wall_ns = outcome.first_wall_ns();
  summary.last_wall_ns = outcome.last_wall_ns();
  summary.watched_s = outcome.watched_s();
  summary.fail_on = policy.fail_on;
  summary.left_out = outcome.left_out();
  for (PastFinding& past : outcome.findings()) summary.findings.push_back(judge(std::move(past), policy));
  return summary;
}

bool failed(const Summary& summary) {
  return std::ranges::any_of(summary.findings, [](const JudgedFinding& each) { return each.ruling == Ruling::fails; });
}

}  // namespace asyncleak
