#include "view/prometheus/prometheus.h"

#include "view/prometheus/family.h"
#include "view/prometheus/findings.h"
#include "view/prometheus/processes.h"
#include "view/prometheus/sites.h"

namespace asyncleak {
namespace {

void write_own_families(std::string& out, const Report& report) {
  Family hits{"asyncleak_probe_hits_total", "counter", "Times a probe ran."};
  hits.add("", report.probes.hits_total);
  hits.write(out);
  Family overhead{"asyncleak_overhead_ratio", "gauge", "What the probes cost the programs, of one core."};
  if (report.overhead_percent) overhead.add("", *report.overhead_percent / 100);
  overhead.write(out);
  Family dropped{"asyncleak_dropped_total", "counter", "Events the kernel side could not record, by reason."};
  for (const Drop& drop : report.probes.drops) dropped.add(label("reason", drop.name, LabelLimits::other), drop.total);
  dropped.write(out);
  Family refreshed{"asyncleak_last_refresh_timestamp_seconds", "gauge", "When this file was made, Unix time."};
  refreshed.add("", static_cast<double>(report.wall_ns) / 1e9);
  refreshed.write(out);
  Family build{"asyncleak_build_info", "gauge", "The version of asyncleak-top that wrote this; always 1."};
  build.add(label("version", ASYNCLEAK_VERSION, LabelLimits::other), std::uint64_t{1});
  build.write(out);
}

}  // namespace

struct Prometheus::State {
  MetricProcesses processes;
  MetricSites sites;
  MetricFindings findings;
};

Prometheus::Prometheus(const PrometheusOptions& options)
    : state_(std::make_unique<State>(
          State{MetricProcesses(options.process_bytes), MetricSites(options), MetricFindings(options)})) {}
Prometheus::Prometheus(Prometheus&&) noexcept = default;
Prometheus::~Prometheus() = default;

std::string Prometheus::write(const Report& report) {
  std::string out;
  state_->processes.assign(report);
  state_->sites.write(out, report, state_->processes);
  state_->findings.write(out, report, state_->processes);
  state_->processes.write(out, report);
  write_own_families(out, report);
  return out;
}

}  // namespace asyncleak
