#include "model/site_state.h"

#include "model/ages.h"

#include <algorithm>
#include <cmath>

namespace asyncleak {

void CreatedTotals::add(double seconds, std::uint64_t created_total) {
  if (count_ > 0 && seconds - readings_[(count_ - 1) % readings_.size()].seconds < spacing_s) return;
  readings_[count_++ % readings_.size()] = {seconds, created_total};
}

std::optional<CreatedTotals::Reading> CreatedTotals::oldest(double now_s) const {
  const std::size_t kept = std::min(count_, readings_.size());
  for (std::size_t i = count_ - kept; i < count_; ++i) {
    const Reading& reading = readings_[i % readings_.size()];
    if (now_s - reading.seconds <= span_s && now_s > reading.seconds) return reading;
  }
  return std::nullopt;
}

std::optional<double> Standing::update(bool stands, double now_s) {
  if (!stands) {
    since_s_.reset();
    return std::nullopt;
  }
  if (!since_s_) since_s_ = now_s;
  return now_s - *since_s_;
}

namespace {

// NEWER and OLDER are the same counter; one that fell was read across a restart of the count.
std::optional<double> rate(std::uint64_t newer, std::uint64_t older, double seconds) {
  if (seconds <= 0 || newer < older) return std::nullopt;
  return static_cast<double>(newer - older) / seconds;
}

}  // namespace

SiteRow SiteState::update(const SiteSample& site, const Interval& interval, Coverage coverage,
                          const VerdictPolicy& policy) {
  SiteRow row;
  row.identity = site.identity;
  row.created_total = site.created_total;
  row.destroyed_total = site.destroyed_total;
  row.outstanding = site.outstanding;
  row.preexisting = site.preexisting;
  row.at_least = site.untracked > 0 || coverage == Coverage::at_least;

  // A site born since the sample before had zero of everything then.
  const bool born_since = history_.empty() && site.first_seen_ns > interval.previous_ns;
  if (!interval.first_update && (!history_.empty() || born_since)) {
    row.created_per_s = rate(site.created_total, created_total_, interval.seconds());
    row.destroyed_per_s = rate(site.destroyed_total, destroyed_total_, interval.seconds());
  }
  created_total_ = site.created_total;
  destroyed_total_ = site.destroyed_total;
  history_.add(interval.now_s, static_cast<double>(site.outstanding));
  created_.add(interval.now_s, site.created_total);

  const Ages ages = ages_of(site, interval.now_ns);
  row.oldest_s = ages.oldest_s;
  row.median_age_s = ages.median_s;
  row.oldest_at_least = ages.oldest_at_least;

  const Judgement judgement = judge(history_, site, interval.now_ns, verdict_, policy);
  verdict_ = judgement.verdict;
  trend_ = judgement.trend;
  row.verdict = verdict_;
  if (trend_) row.growth_per_min = trend_->growth_per_min;
  row.cohorts = site.cohorts;
  row.history = history_.sparkline();
  return row;
}

std::optional<Survival> SiteState::survival(const SiteSample& site, const Interval& interval) const {
  const auto reading = created_.oldest(interval.now_s);
  if (!reading) return std::nullopt;
  Survival survival;
  survival.seconds = interval.now_s - reading->seconds;
  survival.created = site.created_total - std::min(site.created_total, reading->created_total);
  const auto from_ns = interval.now_ns - static_cast<std::int64_t>(survival.seconds * 1e9);
  const double alive = born_between(site, from_ns, interval.now_ns + 1, interval.now_ns);
  // A cohort cut in two by the minute's start is shared out evenly: not above what was created.
  survival.alive = std::min(survival.created, static_cast<std::uint64_t>(std::llround(alive)));
  return survival;
}

std::optional<Finding> SiteState::finding(const SiteSample& site, const SiteRow& row, const Interval& interval) {
  const auto since = standing_.update(row.verdict >= Verdict::growing && trend_.has_value(), interval.now_s);
  if (!since) return std::nullopt;
  return task_leak(row, *trend_, survival(site, interval), *since);
}

}  // namespace asyncleak
