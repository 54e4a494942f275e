#include "view/json.h"

#include "util/text.h"
#include "view/json_parts.h"

namespace asyncleak {
namespace {

Json census_json(const std::optional<CensusSample>& census, std::int64_t now_ns) {
  if (!census) return nullptr;
  const std::optional<double> age_s = static_cast<double>(now_ns - census->taken_ns) / 1e9;
  return {
      {"age_s", or_null(age_s)},
      {"duration_ms", or_null(std::optional(census->duration_s * 1e3))},
      {"objects", census->objects},
      {"tasks", census->tasks},
      {"unknown_to_kernel", census->unknown_to_kernel},
      {"not_found", census->not_found},
      {"complete", census->complete},
      {"reasons", census->reasons},
  };
}

Json process_json(const ProcessRow& row, std::int64_t now_ns) {
  const ProcessSample& process = row.process;
  const bool observed = process.tasks != Coverage::none;
  // A loop that cannot be seen says why.
  const bool loops_observed = process.loop_coverage != Coverage::none || !process.loops.empty();
  return {
      {"pid", process.pid},
      {"comm", process.comm},
      {"cmdline", process.cmdline},
      {"exe", or_null(process.exe)},
      {"python", or_null(process.python)},
      {"unit", or_null(process.unit)},
      {"container", or_null(process.container)},
      {"tasks",
       {{"outstanding", observed ? Json(row.outstanding) : Json()},
        {"pending", or_null(row.pending)},
        {"done", or_null(row.done)}}},
      {"asyncgens", or_null(process.asyncgens)},
      {"never_awaited", or_null(process.never_awaited)},
      {"rss_bytes", or_null(process.rss_bytes)},
      {"rss_baseline_bytes", or_null(row.rss_baseline_bytes)},
      {"memory", memory_json(process.memory)},
      {"loops", loops_observed ? loops_json(process.loops) : Json()},
      {"census", census_json(process.census, now_ns)},
      {"coverage",
       {{"tasks", std::string(name_of(process.tasks))},
        {"bytes", "none"},
        {"loops", std::string(name_of(process.loop_coverage))}}},
      {"warnings", process.warnings},
  };
}

Json site_json(const SiteRow& row) {
  const SiteIdentity& site = *row.identity;
  const bool waits = row.waiting_of > 0 || !row.waiting_at.empty();
  return {
      {"pid", site.pid},
      {"kind", site.kind},
      {"coroutine", site.coroutine},
      {"file", or_null(site.file)},
      {"line", or_null(site.line)},
      {"created_at", frames_json(site.created_at)},
      {"waiting_at", waits ? frames_json(row.waiting_at) : Json()},
      {"waiting_here", row.waiting_of > 0 ? Json(row.waiting_here) : Json()},
      {"waiting_of", row.waiting_of > 0 ? Json(row.waiting_of) : Json()},
      {"outstanding", row.outstanding},
      {"pending", or_null(row.pending)},
      {"done", or_null(row.done)},
      {"cancel_requested", or_null(row.cancel_requested)},
      {"preexisting", row.preexisting},
      {"created_total", or_null(row.created_total)},
      {"destroyed_total", or_null(row.destroyed_total)},
      {"created_per_s", or_null(row.created_per_s)},
      {"destroyed_per_s", or_null(row.destroyed_per_s)},
      {"growth_per_min", or_null(row.growth_per_min)},
      {"oldest_s", or_null(row.oldest_s)},
      {"median_age_s", or_null(row.median_age_s)},
      {"bytes", or_null(row.bytes)},
      {"allocated_bytes", or_null(row.allocated_bytes)},
      {"held_bytes", or_null(row.held_bytes)},
      {"held_error_bytes", row.held ? or_null(std::optional(row.held->error_bytes)) : Json()},
      {"held_at_least", row.held ? Json(row.held->at_least) : Json()},
      {"buffered_bytes", or_null(row.buffered_bytes)},
      {"holders", row.holders},
      {"verdict", std::string(name_of(row.verdict))},
  };
}

Json finding_json(const Finding& finding) {
  return {
      {"kind", finding.kind},
      {"severity", std::string(name_of(finding.severity))},
      {"pid", finding.pid},
      {"coroutine", or_null(finding.coroutine)},
      {"file", or_null(finding.file)},
      {"line", or_null(finding.line)},
      {"created_at", frames_json(finding.created_at)},
      {"outstanding", or_null(finding.outstanding)},
      {"growth_per_min", or_null(finding.growth_per_min)},
      {"bytes", or_null(finding.bytes)},
      {"since_s", or_null(std::optional<double>(finding.since_s))},
      {"why", finding.why},
  };
}

}  // namespace

std::string to_json(const Report& report) {
  const std::optional<double> interval = report.interval_s > 0 ? std::optional(report.interval_s) : std::nullopt;
  Json processes = Json::array();
  for (const ProcessRow& row : report.processes) processes.push_back(process_json(row, report.monotonic_ns));
  return dump_line({
      {"schema", "asyncleak/1"},
      {"time", format_time_utc(report.wall_ns)},
      {"interval_s", or_null(interval)},
      {"probes",
       {{"hits_per_s", or_null(report.hits_per_s)},
        {"dropped_total", report.dropped_total},
        {"overhead_percent", or_null(report.overhead_percent)}}},
      {"processes", std::move(processes)},
      {"sites", list_json(report.sites, site_json)},
      {"findings", list_json(report.findings, finding_json)},
  });
}

}  // namespace asyncleak
