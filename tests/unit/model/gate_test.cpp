#include "model/gate.h"

#include <catch2/catch.hpp>

namespace asyncleak {
namespace {

PastFinding past(Severity severity, std::optional<double> confidence = std::nullopt) {
  PastFinding made;
  made.finding.kind = "task-leak";
  made.finding.severity = severity;
  made.finding.coroutine = "Conn.waiter";
  made.finding.file = "/srv/app.py";
  made.finding.confidence = confidence;
  made.standing = true;
  return made;
}

Ruling ruling(const PastFinding& finding, const GatePolicy& policy) { return judge(finding, policy).ruling; }

GatePolicy failing(Severity severity) {
  GatePolicy policy;
  policy.fail_on = severity;
  return policy;
}

Ruling allowed_by(const std::string& glob) {
  GatePolicy policy = failing(Severity::leak);
  policy.allow = {{glob, ""}};
  return ruling(past(Severity::leak), policy);
}

}  // namespace

TEST_CASE("what fails, by the severity asked for") {
  CHECK(ruling(past(Severity::leak), {}) == Ruling::minor);
  CHECK(ruling(past(Severity::leak), failing(Severity::leak)) == Ruling::fails);
  CHECK(ruling(past(Severity::warning), failing(Severity::leak)) == Ruling::minor);
  CHECK(ruling(past(Severity::leak), failing(Severity::warning)) == Ruling::fails);
  CHECK(ruling(past(Severity::warning), failing(Severity::warning)) == Ruling::fails);
}

TEST_CASE("what does not stand any more fails nothing") {
  PastFinding gone = past(Severity::leak);
  gone.standing = false;
  CHECK(ruling(gone, failing(Severity::leak)) == Ruling::gone);
}

TEST_CASE("patterns are compared with the qualified name, and with the file before it where they have a colon") {
  for (const char* glob : {"Conn.waiter", "Conn.*", "*", "C?nn.[vw]aiter", "app.py:Conn.waiter", "app.py:*",
                           "/srv/*:Conn.*", "*/app.py:*"}) {
    CHECK(allowed_by(glob) == Ruling::allowed);
  }
  for (const char* glob : {"conn.waiter", "Conn", "waiter", "app.py", "/srv/app.py", "other.py:Conn.waiter", ""}) {
    CHECK(allowed_by(glob) == Ruling::fails);
  }
}

TEST_CASE("a ruling has its reason") {
  GatePolicy policy = failing(Severity::leak);
  policy.allow = {{"Other.*", "not this one"}, {"Conn.*", "fixed in #42"}, {"*", "everything"}};
  CHECK(judge(past(Severity::leak), policy).reason == "fixed in #42");
  policy.allow = {{"Conn.*", ""}};
  CHECK(judge(past(Severity::leak), policy).reason == "'Conn.*' is allowed");
}

TEST_CASE("less sure findings pass; without a confidence it is a fact") {
  GatePolicy policy = failing(Severity::leak);
  policy.min_confidence = 0.9;
  CHECK(ruling(past(Severity::leak, 0.95), policy) == Ruling::fails);
  CHECK(ruling(past(Severity::leak, 0.9), policy) == Ruling::fails);
  CHECK(ruling(past(Severity::leak), policy) == Ruling::fails);
  const auto unsure = judge(past(Severity::leak, 0.8), policy);
  CHECK(unsure.ruling == Ruling::unsure);
  CHECK(unsure.reason == "confidence 80% is below 90%");
}

TEST_CASE("an allow-file: patterns and reasons, comments and empty lines") {
  const auto allowances = parse_allowances(
      "# known\n\nPool.*   sized by the config, see #7 \r\n\tapp.py:Conn.[!x]*\tlives as long\tas the connection\n"
      "  # indented\nlast");
  REQUIRE(allowances);
  REQUIRE(allowances->size() == 3);
  CHECK((*allowances)[0].glob == "Pool.*");
  CHECK((*allowances)[0].reason == "sized by the config, see #7");
  CHECK((*allowances)[1].glob == "app.py:Conn.[!x]*");
  CHECK((*allowances)[1].reason == "lives as long?as the connection");
  CHECK((*allowances)[2].glob == "last");
  CHECK((*allowances)[2].reason.empty());
  CHECK(parse_allowances("")->empty());
}

TEST_CASE("a line that is no pattern is named") {
  const auto trouble = [](std::string_view text) {
    const auto allowances = parse_allowances(text);
    REQUIRE_FALSE(allowances);
    CHECK(allowances.error().kind == ErrorKind::usage);
    return allowances.error().message;
  };
  CHECK(trouble("a\n\nb[c reason\n") == "line 3: 'b[c' has a [ without its ]");
  CHECK(trouble("[]") == "line 1: '[]' has a [ without its ]");
  CHECK(trouble("[!]x") == "line 1: '[!]x' has a [ without its ]");
  CHECK(trouble("a\\ b") == "line 1: 'a\\' ends in a backslash");
  CHECK(trouble(std::string_view("a\0b", 3)) == "line 1: 'a?b' has a control character");
  CHECK(parse_allowances("[]x]y [![]z a\\[b"));
}

TEST_CASE("a summary says whether the gate fails") {
  Report report;
  report.processes.emplace_back().process.pid = 0;
  report.findings = {past(Severity::leak).finding, past(Severity::warning).finding};
  report.findings[1].kind = "overload";
  Outcome outcome;
  outcome.add(report);
  GatePolicy policy = failing(Severity::leak);
  const Summary summary = summarize(outcome, policy);
  REQUIRE(summary.findings.size() == 2);
  CHECK(summary.findings[0].ruling == Ruling::fails);
  CHECK(summary.findings[1].ruling == Ruling::minor);
  CHECK(failed(summary));
  policy.allow = {{"Conn.*", ""}};
  CHECK_FALSE(failed(summarize(outcome, policy)));
  CHECK_FALSE(failed(summarize(outcome, {})));
}

}  // namespace asyncleak
