#include "view/summary.h"

#include "report_fixture.h"

#include <catch2/catch.hpp>

namespace asyncleak {
namespace {

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t start = 1'795'234'618 * second;

Summary nothing(std::optional<Severity> fail_on) {
  Summary summary;
  summary.first_wall_ns = start;
  summary.last_wall_ns = start + 332 * second;
  summary.watched_s = 332;
  summary.fail_on = fail_on;
  return summary;
}

JudgedFinding judged(Finding finding, Ruling ruling, std::string reason = {}) {
  JudgedFinding made;
  made.past.finding = std::move(finding);
  made.past.first_wall_ns = start + 60 * second;
  made.past.last_wall_ns = start + (ruling == Ruling::gone ? 70 : 332) * second;
  made.past.standing = ruling != Ruling::gone;
  made.ruling = ruling;
  made.reason = std::move(reason);
  return made;
}

Finding short_finding(std::string kind, std::string coroutine, Severity severity) {
  Finding finding;
  finding.kind = std::move(kind);
  finding.severity = severity;
  finding.pid = 42;
  finding.coroutine = std::move(coroutine);
  finding.why = "8 of 8 still exist";
  return finding;
}

Summary one_of_each() {
  Summary summary = nothing(Severity::leak);
  Finding leak = leak_finding();
  leak.why = "412 of 420 tasks still exist";
  leak.confidence = 0.97;
  leak.hint = "keep the task and await it";
  Finding pool = short_finding("done-held", "Pool.worker", Severity::leak);
  pool.file = "/srv/pool.py";
  summary.findings = {judged(leak, Ruling::fails), judged(pool, Ruling::allowed, "sized by the config"),
                      judged(short_finding("overload", "", Severity::warning), Ruling::minor),
                      judged(short_finding("task-leak", "start", Severity::leak), Ruling::gone)};
  return summary;
}

Finding hostile() {
  Finding finding = short_finding("task-leak", "a<b>&\"'\x01\xFF\n]]>%,:x\xEF\xBF\xBE", Severity::leak);
  finding.file = "/srv/a,b:c%\n<d>.py";
  finding.line = 3;
  finding.why = "]]> & 50%";
  return finding;
}

}  // namespace

TEST_CASE("the exit summary for a person") {
  CHECK(summary_text(one_of_each(), {}) ==
        R"(asyncleak-top: 2 leaks and 1 warning in 5m32s; 1 finding went before the end; 1 fails by --fail-on leak
LEAK task-leak Conn.waiter at app.py:31, pid 42: fails
  412 of 420 tasks still exist
  stood for 4m32s, confidence 97%
  hint: keep the task and await it
LEAK done-held Pool.worker in pool.py, pid 42: allowed: sized by the config
  8 of 8 still exist
  stood for 4m32s
WARNING overload, pid 42
  8 of 8 still exist
  stood for 4m32s
LEAK task-leak start, pid 42, gone
  8 of 8 still exist
  stood for 10s, last seen 4m22s before the end
)");
}

TEST_CASE("beside frames it is brief, and on a terminal it fits") {
  CHECK(summary_text(one_of_each(), {0, true}) ==
        R"(asyncleak-top: 2 leaks and 1 warning in 5m32s; 1 finding went before the end; 1 fails by --fail-on leak
LEAK task-leak Conn.waiter at app.py:31, pid 42: fails
LEAK done-held Pool.worker in pool.py, pid 42: allowed: sized by the config
WARNING overload, pid 42
LEAK task-leak start, pid 42, gone
)");
  Summary many = nothing(std::nullopt);
  many.left_out = 5;
  for (int i = 0; i < 12; ++i) many.findings.push_back(one_of_each().findings[2]);
  const std::string brief = summary_text(many, {0, true});
  CHECK(std::count(brief.begin(), brief.end(), '\n') == 12);
  CHECK(brief.ends_with("\nWARNING overload, pid 42\n... and 7 more\n"));
  Summary one = nothing(std::nullopt);
  one.findings = {one_of_each().findings[0]};
  CHECK(summary_text(one, {30, false}) == R"(asyncleak-top: 1 leak in 5m32s
LEAK task-leak Conn.waiter at app.py:31, pid 42: fails
  412 of 420 tasks still exist
  stood for 4m32s, confidence
  97%
  hint: keep the task and
  await it
)");
}

TEST_CASE("nothing found is worth a line only where something was to fail") {
  CHECK(summary_text(nothing(std::nullopt), {}).empty());
  CHECK(summary_text(nothing(Severity::leak), {}) == "asyncleak-top: nothing leaked in 5m32s\n");
  Summary gone = nothing(Severity::leak);
  gone.findings = {one_of_each().findings[3]};
  CHECK(summary_text(gone, {0, true}) ==
        "asyncleak-top: nothing leaked at the end; 1 finding went before the end; passes --fail-on leak\n"
        "LEAK task-leak start, pid 42, gone\n");
}

TEST_CASE("the exit summary for a program") {
  Summary summary = nothing(Severity::warning);
  CHECK(summary_json(summary) ==
        R"({"schema":"asyncleak-summary/1","from":"2026-11-21T04:16:58.000Z","to":"2026-11-21T04:22:30.000Z",)"
        R"("watched_s":332.0,"fail_on":"warning","failed":false,"left_out":0,"findings":[]})");
  summary.fail_on = std::nullopt;
  summary.findings = {one_of_each().findings[1]};
  const std::string text = summary_json(summary);
  CHECK(text.find(R"("fail_on":null,"failed":false)") != std::string::npos);
  CHECK(text.find(R"({"kind":"done-held","severity":"leak",)") != std::string::npos);
  CHECK(text.find(R"("coroutine":"Pool.worker")") != std::string::npos);
  CHECK(text.find(R"("first_seen":"2026-11-21T04:17:58.000Z","last_seen":"2026-11-21T04:22:30.000Z",)"
                  R"("standing":true,"ruling":"allowed","reason":"sized by the config"})") != std::string::npos);
}

TEST_CASE("the exit summary as a test report") {
  CHECK(summary_junit(one_of_each()) == R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="asyncleak-top" tests="4" failures="1" errors="0" skipped="1" time="332.000" timestamp="2026-11-21T04:16:58">
  <testsuite name="asyncleak-top" tests="4" failures="1" errors="0" skipped="1" time="332.000" timestamp="2026-11-21T04:16:58">
    <testcase classname="asyncleak.task-leak" name="Conn.waiter at app.py:31" file="/srv/app.py" line="31" time="272.000">
      <failure type="task-leak" message="412 of 420 tasks still exist">pid 42
412 of 420 tasks still exist
stood for 4m32s, confidence 97%
hint: keep the task and await it</failure>
    </testcase>
    <testcase classname="asyncleak.done-held" name="Pool.worker at pool.py" file="/srv/pool.py" time="272.000">
      <skipped message="sized by the config"/>
      <system-out>allowed: pid 42
8 of 8 still exist
stood for 4m32s</system-out>
    </testcase>
    <testcase classname="asyncleak.overload" name="overload" time="272.000">
      <system-out>minor: pid 42
8 of 8 still exist
stood for 4m32s</system-out>
    </testcase>
    <testcase classname="asyncleak.task-leak" name="start" time="10.000">
      <system-out>gone: pid 42
8 of 8 still exist
stood for 10s, last seen 4m22s before the end</system-out>
    </testcase>
  </testsuite>
</testsuites>
)");
}

TEST_CASE("a test report without a finding has a test that passed") {
  CHECK(summary_junit(nothing(Severity::leak)) == R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="asyncleak-top" tests="1" failures="0" errors="0" skipped="0" time="332.000" timestamp="2026-11-21T04:16:58">
  <testsuite name="asyncleak-top" tests="1" failures="0" errors="0" skipped="0" time="332.000" timestamp="2026-11-21T04:16:58">
    <testcase classname="asyncleak" name="nothing leaked" time="332.000"/>
  </testsuite>
</testsuites>
)");
}

TEST_CASE("the exit summary as annotations: places as the repository names them, text as the runner reads it") {
  CHECK(summary_github(one_of_each(), {"/srv", "/home/runner/repo"}) ==
        "::error file=app.py,line=31,title=task-leak Conn.waiter::412 of 420 tasks still exist"
        "%0Astood for 4m32s, confidence 97%25%0Ahint: keep the task and await it\n"
        "::notice file=pool.py,title=done-held Pool.worker::8 of 8 still exist%0Astood for 4m32s"
        "%0Aallowed: sized by the config\n"
        "::warning title=overload::8 of 8 still exist%0Astood for 4m32s\n"
        "::notice title=task-leak start::8 of 8 still exist%0Astood for 10s, last seen 4m22s before the end%0Agone\n");
  CHECK(summary_github(nothing(Severity::leak), {"/srv", ""}).empty());

  const auto file_of = [](const std::string& file, const SourceFolders& folders) {
    Summary summary = nothing(Severity::leak);
    Finding finding = short_finding("task-leak", "f", Severity::leak);
    finding.file = file;
    summary.findings = {judged(finding, Ruling::fails)};
    const std::string text = summary_github(summary, folders);
    const auto begin = text.find("file=");
    return begin == std::string::npos ? std::string() : text.substr(begin + 5, text.find(',') - begin - 5);
  };
  CHECK(file_of("/r/repo/src/a.py", {"/r/repo/src", "/r/repo"}) == "src/a.py");
  CHECK(file_of("a.py", {"/r/repo/src", "/r/repo"}) == "src/a.py");
  CHECK(file_of("a.py", {"/r/repo", ""}) == "a.py");
  CHECK(file_of("/r/repository/a.py", {"/r/repo", "/r/repo"}) == "/r/repository/a.py");
  CHECK(file_of("<frozen runpy>", {"/r/repo", "/r/repo"}).empty());
}

TEST_CASE("hostile names stay inside their place") {
  Summary summary = nothing(Severity::leak);
  summary.findings = {judged(hostile(), Ruling::fails)};
  CHECK(summary_github(summary, {"/srv", ""}) ==
        "::error file=a%2Cb%3Ac%25?<d>.py,line=3,title=task-leak a<b>&\"'?\xEF\xBF\xBD?]]>%25%2C%3Ax\xEF\xBF\xBE::"
        "]]> & 50%25%0Astood for 4m32s\n");
  const std::string junit = summary_junit(summary);
  CHECK(junit.find("name=\"a&lt;b&gt;&amp;&quot;'?\xEF\xBF\xBD?]]&gt;%,:x\xEF\xBF\xBD at a,b:c%?&lt;d&gt;.py:3\"") !=
        std::string::npos);
  CHECK(junit.find("file=\"/srv/a,b:c%?&lt;d&gt;.py\"") != std::string::npos);
  CHECK(junit.find("message=\"]]&gt; &amp; 50%\"") != std::string::npos);
  CHECK(summary_text(summary, {0, true}).find("LEAK task-leak a<b>&\"'?\xEF\xBF\xBD?]]>%,:x") != std::string::npos);
  CHECK(summary_json(summary).find("\"coroutine\":\"a<b>&\\\"'\\u0001\xEF\xBF\xBD\\n]]>%,:x") != std::string::npos);
}

}  // namespace asyncleak
