#include "model/difference.h"

#include "model/site_key.h"
#include "model/site_kind.h"
#include "model/site_pairing.h"
#include "util/signed_difference.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>

namespace asyncleak {
namespace {

void add(std::optional<std::uint64_t>& sum, const std::optional<std::uint64_t>& part) {
  if (part) sum = sum.value_or(0) + *part;
}

// The same place in several processes is one site.
std::vector<SiteSide> sites_of(const Report& report) {
  std::map<std::string, SiteSide> sites;
  for (const SiteRow& row : report.sites) {
    SiteSide& side = sites[site_key(*row.identity)];
    if (!side.identity) side.identity = row.identity;
    side.outstanding += row.outstanding;
    add(side.pending, row.pending);
    add(side.done, row.done);
    add(side.created_total, row.created_total);
    add(side.destroyed_total, row.destroyed_total);
    add(side.bytes, row.bytes);
    add(side.allocated_bytes, row.allocated_bytes);
    add(side.held_bytes, row.held_bytes);
    if (row.growth_per_min) side.growth_per_min = side.growth_per_min.value_or(0) + *row.growth_per_min;
    side.verdict = std::max(side.verdict.value_or(Verdict::fresh), worst_verdict(row));
  }
  std::vector<SiteSide> list;
  list.reserve(sites.size());
  for (auto& [key, side] : sites) list.push_back(std::move(side));
  return list;
}

Totals totals_of(const Report& report) {
  Totals totals;
  totals.outstanding = report.outstanding;
  totals.created_total = report.created_total;
  for (const ProcessRow& row : report.processes) {
    totals.processes += row.process.ended ? 0 : 1;
    add(totals.pending, row.pending);
    add(totals.done, row.done);
    add(totals.rss_bytes, row.process.rss_bytes);
    add(totals.vms_bytes, row.process.vms_bytes);
  }
  return totals;
}

// The time in which what came on top came: since the earlier moment, or since the other recording began.
double seconds_between(const Moment& before, const Moment& after) {
  return after.same_session ? after.watched_s - before.watched_s : after.watched_s;
}

double ratio(double later, double earlier) { return earlier > 0 ? later / earlier : 1; }

// Work done per second, later to earlier: tasks that came and went, so that those that only come do not count as load.
double load_change(std::uint64_t destroyed_before, std::uint64_t destroyed_after, const Moment& before,
                   const Moment& after) {
  const double seconds = seconds_between(before, after);
  if (seconds <= 0 || before.watched_s <= 0 || destroyed_before == 0) return 1;
  const auto earlier = static_cast<double>(destroyed_before);
  const double lately = static_cast<double>(destroyed_after) - (after.same_session ? earlier : 0);
  return ratio(lately / seconds, earlier / before.watched_s);
}

// What exists of a healthy site follows its load, as far as that is the load of all: a site that alone has more to do
// is what changed. What leaked before, in another recording, follows the time, too. So a build that had more to do, or
// was watched for longer, does not show first what is the same in both.
double explained(const SiteDifference& site, const Moment& before, const Moment& after) {
  const double everywhere = load_change(before.report.destroyed_total, after.report.destroyed_total, before, after);
  const double here =
      load_change(site.before.destroyed_total.value_or(0), site.after.destroyed_total.value_or(0), before, after);
  double factor = std::max(1.0, std::min(here, everywhere));
  const bool leaked_before = site.before.verdict.value_or(Verdict::fresh) >= Verdict::growing;
  if (leaked_before && !after.same_session) {
    const double created = ratio(static_cast<double>(site.after.created_total.value_or(0)),
                                 static_cast<double>(site.before.created_total.value_or(0)));
    factor = std::max(factor, std::min(created, ratio(after.watched_s, before.watched_s) * std::max(1.0, everywhere)));
  }
  return static_cast<double>(site.before.outstanding) * factor;
}

std::optional<double> bytes_difference(const SiteSide& before, const SiteSide& after) {
  for (const auto field : {&SiteSide::allocated_bytes, &SiteSide::bytes, &SiteSide::held_bytes}) {
    const auto& earlier = before.*field;
    const auto& later = after.*field;
    // A site that is not there has none.
    if ((!earlier && before.identity) || (!later && after.identity) || (!earlier && !later)) continue;
    return static_cast<double>(later.value_or(0)) - static_cast<double>(earlier.value_or(0));
  }
  return std::nullopt;
}

// Of blocks of memory the number says nothing.
bool counts(const SiteDifference& site) { return !site.identity().blocks; }

void judge(SiteDifference& site, const Moment& before, const Moment& after) {
  const auto now = static_cast<double>(site.after.outstanding);
  const auto was = static_cast<double>(site.before.outstanding);
  // Less is less, whatever the load.
  site.unexplained = now <= was ? now - was : std::max(0.0, now - explained(site, before, after));
  if (!counts(site)) site.unexplained = 0;
  if (const double seconds = seconds_between(before, after); seconds > 0) {
    site.growth_per_min = site.unexplained / (seconds / 60);
  }
  site.bytes = bytes_difference(site.before, site.after);
}

bool became_bad(const SiteDifference& site) {
  const auto before = site.before.verdict.value_or(Verdict::fresh);
  const auto after = site.after.verdict.value_or(Verdict::fresh);
  return after == Verdict::leak && before != Verdict::leak;
}

// Smaller comes first. A site that leaks now and did not is what changed, however much others are up and down.
auto rank(const SiteDifference& site) {
  const double bytes = site.bytes.value_or(0);
  const bool grew = site.unexplained > 0 || (site.unexplained == 0 && bytes > 0);
  const bool shrank = !grew && (site.unexplained < 0 || bytes < 0);
  const int group = grew && became_bad(site) ? 0 : grew ? 1 : shrank ? 2 : 3;
  return std::tuple(group, -std::abs(site.unexplained), -std::abs(bytes), -static_cast<double>(site.after.outstanding));
}

}  // namespace

std::string_view name_of(Pairing pairing) {
  switch (pairing) {
    case Pairing::exact:
      return "exact";
    case Pairing::lines:
      return "lines";
    case Pairing::folders:
      return "folders";
    case Pairing::lines_and_folders:
      return "lines-and-folders";
    case Pairing::none:
      break;
  }
  return "none";
}

std::int64_t SiteDifference::outstanding() const { return signed_difference(after.outstanding, before.outstanding); }

Difference compare(const Moment& before, const Moment& after) {
  Difference difference;
  difference.before = totals_of(before.report);
  difference.after = totals_of(after.report);
  difference.minutes = seconds_between(before, after) / 60;
  difference.sites = pair_sites(sites_of(before.report), sites_of(after.report));
  for (SiteDifference& site : difference.sites) judge(site, before, after);
  std::stable_sort(difference.sites.begin(), difference.sites.end(),
                   [](const SiteDifference& a, const SiteDifference& b) { return rank(a) < rank(b); });
  return difference;
}

bool changed(const SiteDifference& site) {
  const bool either_known = site.before.verdict.has_value() && site.after.verdict.has_value();
  return site.outstanding() != 0 || site.bytes.value_or(0) != 0 ||
         (either_known && *site.before.verdict != *site.after.verdict && *site.after.verdict >= Verdict::growing);
}

}  // namespace asyncleak
