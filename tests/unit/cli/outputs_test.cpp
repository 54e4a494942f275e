#include "cli/outputs.h"

#include <catch2/catch.hpp>

namespace asyncleak::cli {

TEST_CASE("the exit status of findings, by what was asked for") {
  const auto report_with = [](const std::vector<Severity>& severities) {
    Report report;
    for (const auto severity : severities) report.findings.emplace_back().severity = severity;
    return report;
  };
  const Report nothing = report_with({});
  const Report warning = report_with({Severity::warning});
  const Report leak = report_with({Severity::leak});
  const Report both = report_with({Severity::leak, Severity::warning});
  for (const FailOn never : {FailOn::never, FailOn::automatic}) {
    for (const auto* report : {&nothing, &warning, &leak, &both}) CHECK(finding_status(*report, never) == 0);
  }
  CHECK(finding_status(nothing, FailOn::leak) == 0);
  CHECK(finding_status(warning, FailOn::leak) == 0);
  CHECK(finding_status(leak, FailOn::leak) == 1);
  CHECK(finding_status(both, FailOn::leak) == 1);
  CHECK(finding_status(nothing, FailOn::warning) == 0);
  CHECK(finding_status(warning, FailOn::warning) == 1);
  CHECK(finding_status(leak, FailOn::warning) == 1);
}

}  // namespace asyncleak::cli
