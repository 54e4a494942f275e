#include "view/json.h"

#include "util/text.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace asyncleak {
namespace {

using Json = nlohmann::ordered_json;  // fields in the order of the contract

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

// Six decimals: the rest is below the precision of what was measured.
Json or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(std::round(*value * 1e6) / 1e6) : Json();
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json frames_json(const std::vector<Frame>& frames) {
  Json list = Json::array();
  for (const Frame& frame : frames) {
    list.push_back(
        {{"function", or_null(frame.function)}, {"file", or_null(frame.file)}, {"line", or_null(frame.line)}});
  }
  return list;
}

Json process_json(const ProcessRow& row) {
  const ProcessSample& process = row.process;
  const bool observed = process.tasks != Coverage::none;
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
      {"asyncgens", or_null(row.asyncgens)},
      {"rss_bytes", or_null(process.rss_bytes)},
      {"rss_baseline_bytes", or_null(row.rss_baseline_bytes)},
      {"loops", nullptr},
      {"coverage", {{"tasks", std::string(name_of(process.tasks))}, {"bytes", "none"}, {"loops", "none"}}},
      {"warnings", process.warnings},
  };
}

Json site_json(const SiteRow& row) {
  const SiteIdentity& site = *row.identity;
  return {
      {"pid", site.pid},
      {"kind", site.kind},
      {"coroutine", site.coroutine},
      {"file", or_null(site.file)},
      {"line", or_null(site.line)},
      {"created_at", frames_json(site.created_at)},
      {"waiting_at", nullptr},
      {"outstanding", row.outstanding},
      {"pending", or_null(row.pending)},
      {"done", or_null(row.done)},
      {"preexisting", row.preexisting},
      {"created_total", row.created_total},
      {"destroyed_total", row.destroyed_total},
      {"created_per_s", or_null(row.created_per_s)},
      {"destroyed_per_s", or_null(row.destroyed_per_s)},
      {"growth_per_min", or_null(row.growth_per_min)},
      {"oldest_s", or_null(row.oldest_s)},
      {"median_age_s", or_null(row.median_age_s)},
      {"bytes", or_null(row.bytes)},
      {"allocated_bytes", or_null(row.allocated_bytes)},
      {"held_bytes", or_null(row.held_bytes)},
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

template <class Row>
Json list_json(const std::vector<Row>& rows, Json (*convert)(const Row&)) {
  Json list = Json::array();
  for (const Row& row : rows) list.push_back(convert(row));
  return list;
}

}  // namespace

std::string to_json(const Report& report) {
  const std::optional<double> interval = report.interval_s > 0 ? std::optional(report.interval_s) : std::nullopt;
  const Json json = {
      {"schema", "asyncleak/1"},
      {"time", format_time_utc(report.wall_ns)},
      {"interval_s", or_null(interval)},
      {"probes",
       {{"hits_per_s", or_null(report.hits_per_s)},
        {"dropped_total", report.dropped_total},
        {"overhead_percent", or_null(report.overhead_percent)}}},
      {"processes", list_json(report.processes, process_json)},
      {"sites", list_json(report.sites, site_json)},
      {"findings", list_json(report.findings, finding_json)},
  };
  // replace: names come from a stranger's memory and need not be UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace asyncleak
