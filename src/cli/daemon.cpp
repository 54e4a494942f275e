#include "cli/daemon.h"

#include "cli/log.h"

#include <fmt/format.h>
#include <cstring>
#include <utility>

namespace asyncleak::cli {

Daemon::Daemon(const Options& options, ServiceManager manager)
    : options_(options), manager_(std::move(manager)), delay_ns_(static_cast<std::int64_t>(options.delay_s * 1e9)) {}

void Daemon::started(const Report& report) {
  if (options_.format == Format::quiet) {
    const auto& file = options_.prom_textfile;
    log(Level::info, fmt::format("watching {}{}{}", status_text(report), file.empty() ? "" : "; metrics go to ", file));
    tell_findings(report);
  }
  manager_.ready(status_text(report), report.monotonic_ns, delay_ns_);
}

std::optional<LogLine> Daemon::refreshed(const Report& report, const Result<void>& done) {
  if (options_.format == Format::quiet) tell_findings(report);
  const std::string before = std::exchange(trouble_, done ? "" : in_one_line(done.error()));
  if (done) {
    manager_.alive(status_text(report), report.monotonic_ns, delay_ns_);
  } else {
    manager_.troubled(trouble_);
  }
  if (trouble_ == before) return std::nullopt;
  return done ? LogLine{Level::notice, "metrics are written again"} : LogLine{Level::error, trouble_};
}

void Daemon::stopping(int signal) {
  const std::string why = signal != 0 ? fmt::format("SIG{}", sigabbrev_np(signal)) : "its time was over";
  manager_.stopping("taking the probes out");
  if (options_.format == Format::quiet) log(Level::info, fmt::format("stopping: {}", why));
}

void Daemon::tell_findings(const Report& report) {
  for (const auto& line : findings_.update(report)) log(line.level, line.text);
}

}  // namespace asyncleak::cli
