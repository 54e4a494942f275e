#include "model/site_state.h"

#include "model/ages.h"
#include "model/hints.h"
#include "model/site_kind.h"

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

void Elders::add_pending(double seconds, double count) {
  if (seconds > sum_s_) {
    if (sum_s_ >= 0) pending.add(sum_s_, sum_);
    sum_s_ = seconds;
    sum_ = 0;
  }
  sum_ += count;
}

namespace {

// NEWER and OLDER are the same counter; one that fell was read across a restart of the count.
std::optional<double> rate(std::uint64_t newer, std::uint64_t older, double seconds) {
  if (seconds <= 0 || newer < older) return std::nullopt;
  return static_cast<double>(newer - older) / seconds;
}

void add_census(SiteRow& row, const Shared<SiteCensus>& shared) {
  const SiteCensus& census = *shared;
  row.pending = census.pending;
  row.done = census.done;
  if (census.pending) row.cancel_requested = census.cancel_requested;
  if (census.done) {
    row.failed = census.failed;
    row.cancelled = census.cancelled;
  }
  row.waiting_at = {shared.owner(), census.waiting_at};
  row.waiting_here = census.waiting_here;
  row.waiting_of = census.waiting_of;
  row.held = census.held;
  if (census.held) row.held_bytes = static_cast<std::uint64_t>(std::llround(std::max(0.0, census.held->bytes)));
  row.buffered_bytes = census.buffered_bytes;
  row.holders = {shared.owner(), census.holders};
  row.pattern = census.pattern;
}

double rise_of(const History& history, double window_s, const VerdictPolicy& policy) {
  const auto trend = trend_of(history, window_s, policy.trend);
  return trend ? trend->rise : 0;
}

}  // namespace

void SiteState::add_counts(const SiteSample& site, const ProcessSample* process, const Interval& interval) {
  const bool has_census = process != nullptr && process->census.has_value();
  const bool is_new = has_census && process->census->taken_ns > census_ns_;
  const double census_s = has_census ? interval.on_history_clock(process->census->taken_ns) : interval.now_s;
  // A number that is as old as the census must not stand for the samples since.
  if (!site.by_census) {
    history_.add(interval.now_s, static_cast<double>(site.outstanding));
  } else if (is_new || history_.empty()) {
    history_.add(census_s, static_cast<double>(site.outstanding));
  }
  if (!is_new) return;
  census_ns_ = process->census->taken_ns;
  if (!site.census || !site.census->pending || !site.census->done) return;
  pending_.add(census_s, static_cast<double>(*site.census->pending));
  if (elders_) elders_->add_pending(census_s, static_cast<double>(*site.census->pending));
  done_.add(census_s, static_cast<double>(*site.census->done));
  cancel_requested_.add(census_s, static_cast<double>(site.census->cancel_requested));
}

void SiteState::add_rates(SiteRow& row, const SiteSample& site, const Interval& interval) {
  row.created_total = site.created_total;
  row.destroyed_total = site.destroyed_total;
  // A site born since the sample before had zero of everything then.
  const bool born_since = history_.empty() && site.first_seen_ns > interval.previous_ns;
  if (!interval.first_update && (!history_.empty() || born_since)) {
    row.created_per_s = rate(site.created_total, created_total_, interval.seconds());
    row.destroyed_per_s = rate(site.destroyed_total, destroyed_total_, interval.seconds());
  }
  if (elders_ && site.created_total > created_total_) elders_->successors += site.created_total - created_total_;
  created_total_ = site.created_total;
  destroyed_total_ = site.destroyed_total;
  created_.add(interval.now_s, site.created_total);
}

SiteRow SiteState::update(const SiteSample& site, const ProcessSample* process, const Interval& interval,
                          const VerdictPolicy& policy) {
  SiteRow row;
  row.identity = site.identity;
  row.by_census = site.by_census;
  row.outstanding = site.outstanding;
  row.preexisting = site.preexisting;
  row.at_least = site.untracked > 0 || (process != nullptr && process->tasks == Coverage::at_least && !site.by_census);
  if (site.census) add_census(row, site.census);
  if (!site.by_census) add_rates(row, site, interval);
  add_counts(site, process, interval);

  if (!is_quiet(site, interval)) look_closely(site, interval, policy);
  add_judgement(row, site, interval, policy);
  row.slow_steps = site.slow_steps;
  row.destroyed_pending = site.destroyed_pending;
  return row;
}

bool SiteState::is_quiet(const SiteSample& site, const Interval& interval) const {
  // Every 8 s, and not all that are quiet in the same refresh.
  constexpr double every_s = 8;
  const double phase = static_cast<double>(site.identity->id % 16) / 16;
  const auto turn = [phase](double seconds) { return std::floor(seconds / every_s + phase); };
  const bool settled = standpoint_.verdict == Verdict::steady || standpoint_.verdict == Verdict::churn;
  return settled && turn(interval.now_s) == turn(looked_s_) && site.outstanding == looked_outstanding_ &&
         site.created_total == looked_created_ && site.destroyed_total == looked_destroyed_;
}

void SiteState::look_closely(const SiteSample& site, const Interval& interval, const VerdictPolicy& policy) {
  ages_ = ages_of(site, interval.now_ns);
  judgement_ = judge_now(site, interval, policy);
  if (!history_.is_level(sparkline_.get())) sparkline_ = history_.sparkline();
  looked_s_ = interval.now_s;
  looked_created_ = site.created_total;
  looked_destroyed_ = site.destroyed_total;
  looked_outstanding_ = site.outstanding;
}

void SiteState::add_judgement(SiteRow& row, const SiteSample& site, const Interval& interval,
                              const VerdictPolicy& policy) {
  const double since_s = interval.now_s - looked_s_;
  if (ages_.oldest_s) row.oldest_s = *ages_.oldest_s + since_s;
  if (ages_.median_s) row.median_age_s = *ages_.median_s + since_s;
  row.oldest_at_least = ages_.oldest_at_least || (site.identity->preexisting && ages_.oldest_s);
  row.verdict = judgement_.verdict;
  row.confidence = judgement_.confidence;
  if (judgement_.trend) row.growth_per_min = judgement_.trend->growth_per_min;
  if (row.verdict >= Verdict::growing && judgement_.trend) {
    accumulating_ = accumulating(row, policy);
    row.verdict = std::min(row.verdict, verdict_limit(row, policy));
  }
  row.cohorts = survivors_.cohorts();
  row.history = sparkline_;
}

Verdict SiteState::verdict_limit(const SiteRow& row, const VerdictPolicy& policy) const {
  const double window_s = judgement_.trend->window_s;
  if (const auto limit = limit_of_kind(*row.identity); limit < Verdict::leak) return limit;
  if (accumulating_ == Accumulating::done) return is_in_collection(row) ? Verdict::leak : Verdict::growing;
  // As many of those from before have ended, though they may not be destroyed yet.
  constexpr double own_share = 0.5;
  const bool replaces = elders_ && !row.identity->preexisting && elders_->were_there &&
                        rise_of(elders_->pending, window_s, policy) < own_share * rise_of(pending_, window_s, policy);
  return replaces ? Verdict::growing : Verdict::leak;
}

Judgement SiteState::judge_now(const SiteSample& site, const Interval& interval, const VerdictPolicy& policy) {
  Population population{history_, site, interval.now_ns, interval.now_s};
  if (!site.by_census) {
    survivors_.update(site, interval.now_ns);
    population.ages = &survivors_.table();
    if (elders_ && site.identity->preexisting) {
      elders_->ages = survivors_.table();
      elders_->were_there = true;
    } else if (elders_) {
      population.elders = &elders_->ages;
      population.elders_share = static_cast<double>(site.created_total) /
                                static_cast<double>(std::max<std::uint64_t>(1, elders_->successors));
    }
  }
  return judge(population, standpoint_, policy);
}

std::optional<Survival> SiteState::survival(const SiteSample& site, const Interval& interval) const {
  const auto reading = created_.oldest(interval.now_s);
  if (!reading || site.by_census) return std::nullopt;
  Survival survival;
  survival.seconds = interval.now_s - reading->seconds;
  survival.created = site.created_total - std::min(site.created_total, reading->created_total);
  const auto from_ns = interval.now_ns - static_cast<std::int64_t>(survival.seconds * 1e9);
  const double alive = born_between(site, from_ns, interval.now_ns + 1, interval.now_ns);
  // A cohort cut in two by the minute's start is shared out evenly: not above what was created.
  survival.alive = std::min(survival.created, static_cast<std::uint64_t>(std::llround(alive)));
  return survival;
}

Accumulating SiteState::accumulating(const SiteRow& row, const VerdictPolicy& policy) const {
  if (!row.pending || !row.done) return Accumulating::all;
  const double pending = rise_of(pending_, judgement_.trend->window_s, policy);
  const double done = rise_of(done_, judgement_.trend->window_s, policy);
  const double cancelled = rise_of(cancel_requested_, judgement_.trend->window_s, policy);
  if (std::max(pending, done) < policy.trend.min_rise) {  // too few censuses for a trend
    return *row.done > *row.pending ? Accumulating::done : Accumulating::all;
  }
  // Where pending ones accumulate, too, they are what is to be fixed.
  if (done > 2 * pending) return Accumulating::done;
  return cancelled >= policy.trend.min_rise && cancelled > pending / 2 ? Accumulating::cancel_requested
                                                                       : Accumulating::all;
}

// What happened stays so: once seen, it is told as long as the site is there.
std::vector<Finding> SiteState::events(const SiteRow& row, const ProbeSample& probes, const Interval& interval) {
  std::vector<Finding> found;
  if (const auto since = slow_.update(has_slow_steps(row), interval.now_s)) {
    found.push_back(slow_step(row, probes.slow_step_ns, *since));
  }
  if (const auto since = lost_.update(row.destroyed_pending.value_or(0) > 0, interval.now_s)) {
    found.push_back(destroyed_pending(row, *since));
  }
  return found;
}

std::optional<Finding> SiteState::finding(const SiteSample& site, const SiteRow& row, const Interval& interval) {
  const auto since = standing_.update(row.verdict >= Verdict::growing && judgement_.trend.has_value(), interval.now_s);
  if (!since) return std::nullopt;
  return accumulation(row, {*judgement_.trend, survival(site, interval), accumulating_, *since});
}

}  // namespace asyncleak
