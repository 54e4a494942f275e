#include "cli/exit_summary.h"

#include "cli/outputs.h"
#include "util/atomic_file.h"
#include "view/summary.h"

#include <fmt/format.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace asyncleak::cli {
namespace {

Result<std::vector<Allowance>> read_allow_file(const std::string& path) {
  const std::string where = "--allow-file " + path;
  if (std::error_code error; std::filesystem::is_directory(path, error)) {
    return fail(where + ": it is a directory", {}, ErrorKind::usage);
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.is_open() || file.bad()) {
    Error error = system_error(where, errno);
    error.kind = ErrorKind::usage;
    return fail(std::move(error));
  }
  auto allowances = parse_allowances(text);
  return allowances ? std::move(allowances) : fail(within(where, allowances.error()));
}

std::optional<Severity> failing_severity(const Options& options) {
  switch (options.gate.fail_on) {
    case FailOn::leak:
      return Severity::leak;
    case FailOn::warning:
      return Severity::warning;
    case FailOn::never:
      return std::nullopt;
    case FailOn::automatic:
      break;
  }
  return options.command == Command::run ? std::optional(Severity::leak) : std::nullopt;
}

SourceFolders source_folders() {
  std::error_code error;
  SourceFolders folders;
  folders.working = std::filesystem::current_path(error).string();
  if (const char* workspace = std::getenv("GITHUB_WORKSPACE"); workspace != nullptr) folders.repository = workspace;
  while (folders.repository.ends_with('/')) folders.repository.pop_back();
  return folders;
}

std::string text_of(const Summary& summary, const SummaryOutput& output, bool brief) {
  if (output.format == "json") return summary_json(summary) + "\n";
  if (output.format == "junit") return summary_junit(summary);
  if (output.format == "github") return summary_github(summary, source_folders());
  return summary_text(summary, {output.file.empty() ? terminal_width(STDERR_FILENO) : 0, brief});
}

}  // namespace

Result<ExitSummary> ExitSummary::make(const Options& options) {
  GatePolicy policy;
  policy.fail_on = failing_severity(options);
  policy.min_confidence = options.gate.min_confidence_percent / 100;
  for (const std::string& glob : options.gate.allow) policy.allow.push_back({glob, ""});
  if (!options.gate.allow_file.empty()) {
    auto allowances = read_allow_file(options.gate.allow_file);
    if (!allowances) return fail(allowances.error());
    policy.allow.insert(policy.allow.end(), allowances->begin(), allowances->end());
  }
  return ExitSummary(std::move(policy), options);
}

int ExitSummary::finish(bool frames) const {
  const Summary summary = summarize(outcome_, policy_);
  int status = failed(summary) ? 1 : 0;
  const bool automatic = outputs_.empty();
  if (automatic && quiet_ && status == 0) return status;
  const auto outputs = automatic ? std::vector<SummaryOutput>{{"table", ""}} : outputs_;
  for (const SummaryOutput& output : outputs) {
    if (output.format == "none") continue;
    const std::string text = text_of(summary, output, automatic && frames && !quiet_);
    if (output.file.empty()) {
      std::fwrite(text.data(), 1, text.size(), stderr);
    } else if (const auto written = write_file_atomically(output.file, text); !written) {
      warn(written.error().message);
      status = 1;
    }
  }
  return status;
}

}  // namespace asyncleak::cli
