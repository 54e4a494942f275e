#include "util/signed_difference.h"
#include "util/text.h"
#include "view/diff.h"
#include "view/json_parts.h"

#include <algorithm>

namespace asyncleak {
namespace {

// { "before", "after", "difference" }; of a site that is not there nothing was counted: 0.
Json sides(std::optional<std::uint64_t> before, std::optional<std::uint64_t> after) {
  const bool both = before && after;
  return {
      {"before", or_null(before)},
      {"after", or_null(after)},
      {"difference", both ? Json(signed_difference(*after, *before)) : Json()},
  };
}

template <class Value>
Json sides_of(const SiteDifference& site, Value SiteSide::*field) {
  std::optional<std::uint64_t> before = site.before.*field;
  std::optional<std::uint64_t> after = site.after.*field;
  if (!site.before.identity && after) before = 0;
  if (!site.after.identity && before) after = 0;
  return sides(before, after);
}

Json verdict_json(const std::optional<Verdict>& verdict) {
  return verdict ? Json(std::string(name_of(*verdict))) : Json();
}

std::string_view change_of(const SiteDifference& site) {
  if (!site.before.identity) return "new";
  if (!site.after.identity) return "vanished";
  return site.pairing == Pairing::exact ? "same" : "moved";
}

Json site_json(const SiteDifference& site) {
  const SiteIdentity& identity = site.identity();
  const bool moved = change_of(site) == "moved";
  const SiteIdentity was = moved ? *site.before.identity : SiteIdentity{};
  return {
      {"kind", identity.kind},
      {"coroutine", identity.coroutine},
      {"file", or_null(identity.file)},
      {"line", or_null(identity.line)},
      {"created_at", frames_json(identity.created_at)},
      {"change", std::string(change_of(site))},
      {"pairing", std::string(name_of(site.pairing))},
      {"before_file", or_null(was.file)},
      {"before_line", or_null(was.line)},
      {"before_created_at", moved ? frames_json(was.created_at) : Json()},
      {"outstanding", sides_of(site, &SiteSide::outstanding)},
      {"pending", sides_of(site, &SiteSide::pending)},
      {"done", sides_of(site, &SiteSide::done)},
      {"created_total", sides_of(site, &SiteSide::created_total)},
      {"bytes", sides_of(site, &SiteSide::bytes)},
      {"allocated_bytes", sides_of(site, &SiteSide::allocated_bytes)},
      {"held_bytes", sides_of(site, &SiteSide::held_bytes)},
      {"unexplained", or_null(std::optional(site.unexplained))},
      {"growth_per_min", or_null(site.growth_per_min)},
      {"verdict_before", verdict_json(site.before.verdict)},
      {"verdict_after", verdict_json(site.after.verdict)},
  };
}

Json moment_json(const MomentName& name, const Totals& totals) {
  return {
      {"file", name.file},
      {"labels", name.labels},
      {"time", format_time_utc(name.wall_ns)},
      {"watched_s", or_null(std::optional(name.watched_s))},
      {"processes", totals.processes},
      {"outstanding", totals.outstanding},
      {"pending", or_null(totals.pending)},
      {"done", or_null(totals.done)},
      {"created_total", totals.created_total},
      {"rss_bytes", or_null(totals.rss_bytes)},
      {"vms_bytes", or_null(totals.vms_bytes)},
  };
}

}  // namespace

std::string diff_json(const NamedDifference& diff, std::size_t limit) {
  const auto& all = diff.difference.sites;
  const std::size_t shown = limit > 0 ? std::min(limit, all.size()) : all.size();
  Json sites = Json::array();
  for (std::size_t i = 0; i < shown; ++i) sites.push_back(site_json(all[i]));
  return dump_line({
      {"schema", "asyncleak-diff/1"},
      {"before", moment_json(diff.before, diff.difference.before)},
      {"after", moment_json(diff.after, diff.difference.after)},
      {"sites_total", all.size()},
      {"sites", std::move(sites)},
  });
}

}  // namespace asyncleak
