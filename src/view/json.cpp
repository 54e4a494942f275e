#include "view/json.h"

#include "model/byte_ages.h"
#include "model/site_key.h"
#include "util/text.h"
#include "view/columns.h"
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

Json allocations_json(const ProcessRow& row, std::int64_t now_ns) {
  if (!row.process.allocations) return nullptr;
  const ProcessAllocations& allocations = *row.process.allocations;
  const std::optional<double> since_s = static_cast<double>(now_ns - allocations.since_ns) / 1e9;
  return {
      {"mode", std::string(name_of(allocations.mode))},
      {"allocator", or_null(allocations.allocator)},
      {"since_s", allocations.since_ns > 0 ? or_null(since_s) : Json()},
      {"bytes", or_null(row.allocated_bytes)},
      {"blocks", or_null(row.allocated_blocks)},
      {"hits_per_s", or_null(row.allocation_hits_per_s)},
      {"overhead_percent", or_null(row.allocation_overhead_percent)},
      {"untracked_blocks", allocations.untracked_blocks},
      {"lines", allocations.lines},
      {"trouble", or_null(allocations.trouble)},
  };
}

Coverage bytes_coverage(const ProcessRow& row) {
  if (!row.allocated_bytes) return Coverage::none;
  return row.process.allocations->untracked_blocks > 0 ? Coverage::at_least : Coverage::since_attach;
}

Json age_json(const AgedBytes& age) {
  return {{"age_from_s", or_null(std::optional(age.from_s))}, {"age_to_s", or_null(age.to_s)}, {"bytes", age.bytes}};
}

Json line_json(const AllocationLine& line) {
  return {
      {"function", or_null(line.function)},
      {"file", or_null(line.file)},
      {"line", or_null(line.line)},
      {"bytes", line.bytes},
      {"blocks", line.blocks},
      {"allocated_total_bytes", line.allocated_bytes},
  };
}

// Of the bytes a site allocated: a field each, in the site's object.
void add_allocated(Json& json, const SiteRow& row, bool lines, std::int64_t now_ns) {
  const bool counted = row.allocations.has_value();
  const SiteAllocations allocations = row.allocations.value_or(SiteAllocations{});
  const auto or_unknown = [counted](std::uint64_t value) { return counted ? Json(value) : Json(); };
  json.update(Json{
      {"allocated_bytes", or_unknown(allocations.bytes)},
      {"allocated_blocks", or_unknown(allocations.blocks)},
      {"allocated_total_bytes", or_unknown(allocations.allocated_bytes)},
      {"freed_total_bytes", or_unknown(allocations.freed_bytes)},
      {"allocated_growth_per_min", or_null(row.allocated_growth_per_min)},
      {"allocated_ages", counted ? list_json(bytes_by_age(allocations.cohorts, now_ns), age_json) : Json()},
      {"allocated_lines", counted && lines ? list_json(allocations.lines, line_json) : Json()},
  });
}

Json slow_steps_json(const std::optional<SlowSteps>& steps) {
  if (!steps) return nullptr;
  const auto seconds = [](std::uint64_t ns) {
    return ns > 0 ? or_null(std::optional(static_cast<double>(ns) / 1e9)) : Json();
  };
  return {
      {"count", steps->count}, {"longest_s", seconds(steps->longest_ns)}, {"running_s", seconds(steps->running_ns)}};
}

Json process_json(const ProcessRow& row, std::int64_t now_ns) {
  const ProcessSample& process = row.process;
  const bool observed = process.tasks != Coverage::none;
  // A loop that cannot be seen says why.
  const bool loops_observed = process.loop_coverage != Coverage::none || !process.loops.empty();
  Json json = identity_json(process);
  json.update(Json{
      {"tasks",
       {{"outstanding", observed ? Json(row.outstanding) : Json()},
        {"pending", or_null(row.pending)},
        {"done", or_null(row.done)}}},
      {"asyncgens", or_null(process.asyncgens)},
      {"never_awaited", or_null(process.never_awaited)},
      {"rss_bytes", or_null(process.rss_bytes)},
      {"rss_baseline_bytes", or_null(row.rss_baseline_bytes)},
      {"memory", memory_json(process.memory)},
      {"allocations", allocations_json(row, now_ns)},
      {"loops", loops_observed ? loops_json(process.loops) : Json()},
      {"census", census_json(process.census, now_ns)},
      {"coverage",
       {{"tasks", std::string(name_of(process.tasks))},
        {"bytes", std::string(name_of(bytes_coverage(row)))},
        {"loops", std::string(name_of(process.loop_coverage))}}},
      {"warnings", process.warnings},
  });
  return json;
}

Json site_json(const SiteRow& row, const ProcessRow* process, std::int64_t now_ns) {
  const SiteIdentity& site = *row.identity;
  const bool waits = row.waiting_of > 0 || !row.waiting_at.empty();
  const bool lines = process != nullptr && process->process.allocations && process->process.allocations->lines;
  Json json = {
      {"pid", site.pid},
      {"site", site_key(site)},
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
      {"destroyed_pending", or_null(row.destroyed_pending)},
      {"created_per_s", or_null(row.created_per_s)},
      {"destroyed_per_s", or_null(row.destroyed_per_s)},
      {"growth_per_min", or_null(row.growth_per_min)},
      {"oldest_s", or_null(row.oldest_s)},
      {"median_age_s", or_null(row.median_age_s)},
      {"bytes", or_null(row.bytes)},
  };
  add_allocated(json, row, lines, now_ns);
  json.update(Json{
      {"held_bytes", or_null(row.held_bytes)},
      {"held_error_bytes", row.held ? or_null(std::optional(row.held->error_bytes)) : Json()},
      {"held_at_least", row.held ? Json(row.held->at_least) : Json()},
      {"buffered_bytes", or_null(row.buffered_bytes)},
      {"holders", row.holders},
      {"slow_steps", slow_steps_json(row.slow_steps)},
      {"verdict", std::string(name_of(worst_verdict(row)))},
      {"confidence", or_null(row.confidence)},
  });
  return json;
}

}  // namespace

Json finding_json(const Finding& finding) {
  return {
      {"kind", finding.kind},
      {"severity", std::string(name_of(finding.severity))},
      {"confidence", or_null(finding.confidence)},
      {"pid", finding.pid},
      {"site", or_null(finding.site)},
      {"coroutine", or_null(finding.coroutine)},
      {"file", or_null(finding.file)},
      {"line", or_null(finding.line)},
      {"created_at", frames_json(finding.created_at)},
      {"created_in", finding.created_in ? frame_json(*finding.created_in) : Json()},
      {"waiting_at", finding.waiting_at.empty() ? Json() : frames_json(finding.waiting_at)},
      {"waiting_in", finding.waiting_in ? frame_json(*finding.waiting_in) : Json()},
      {"outstanding", or_null(finding.outstanding)},
      {"growth_per_min", or_null(finding.growth_per_min)},
      {"allocated_growth_per_min", or_null(finding.allocated_growth_per_min)},
      {"bytes", or_null(finding.bytes)},
      {"since_s", or_null(std::optional<double>(finding.since_s))},
      {"why", finding.why},
      {"pattern", or_null(finding.pattern)},
      {"hint", or_null(finding.hint)},
  };
}

std::string to_json(const Report& report) {
  const std::optional<double> interval = report.interval_s > 0 ? std::optional(report.interval_s) : std::nullopt;
  Json processes = Json::array();
  for (const ProcessRow& row : report.processes) processes.push_back(process_json(row, report.monotonic_ns));
  Json sites = Json::array();
  for (const SiteRow& row : report.sites) {
    sites.push_back(site_json(row, process_of(report, row), report.monotonic_ns));
  }
  return dump_line({
      {"schema", "asyncleak/1"},
      {"time", format_time_utc(report.wall_ns)},
      {"interval_s", or_null(interval)},
      {"labels", report.labels},
      {"probes",
       {{"hits_per_s", or_null(report.hits_per_s)},
        {"dropped_total", report.dropped_total},
        {"overhead_percent", or_null(report.overhead_percent)}}},
      {"processes", std::move(processes)},
      {"sites", std::move(sites)},
      {"findings", list_json(report.findings, finding_json)},
  });
}

}  // namespace asyncleak
