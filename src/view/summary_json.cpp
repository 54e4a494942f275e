#include "util/text.h"
#include "view/json_parts.h"
#include "view/summary.h"

namespace asyncleak {
namespace {

Json judged_json(const JudgedFinding& judged) {
  Json json = finding_json(judged.past.finding);
  json.update(Json{
      {"first_seen", format_time_utc(judged.past.first_wall_ns)},
      {"last_seen", format_time_utc(judged.past.last_wall_ns)},
      {"standing", judged.past.standing},
      {"ruling", std::string(name_of(judged.ruling))},
      {"reason", or_null(judged.reason)},
  });
  return json;
}

}  // namespace

std::string summary_json(const Summary& summary) {
  return dump_line({
      {"schema", "asyncleak-summary/1"},
      {"from", format_time_utc(summary.first_wall_ns)},
      {"to", format_time_utc(summary.last_wall_ns)},
      {"watched_s", or_null(std::optional(summary.watched_s))},
      {"fail_on", summary.fail_on ? Json(std::string(name_of(*summary.fail_on))) : Json()},
      {"failed", failed(summary)},
      {"left_out", summary.left_out},
      {"findings", list_json(summary.findings, judged_json)},
  });
}

}  // namespace asyncleak
