#include "model/buffer_state.h"

#include "model/findings.h"

namespace asyncleak {

std::optional<Finding> BufferState::update(const SiteRow& row, const SiteSample& site, const ProcessSample* process,
                                           const Interval& interval) {
  static const VerdictPolicy policy;
  // asyncio's high-water mark, at which drain() begins to wait (transports.py, 3.8 to 3.15): less growth is no news.
  constexpr double unit = 64 << 10;
  if (process == nullptr || !process->census) return std::nullopt;
  if (process->census->taken_ns > census_ns_) {
    census_ns_ = process->census->taken_ns;
    history_.add(interval.on_history_clock(census_ns_), static_cast<double>(*site.census->buffered_bytes));
  }
  const Judgement judgement =
      judge({history_, site, interval.now_ns, interval.now_s, nullptr, nullptr, 1, unit}, standpoint_, policy);
  const bool grows = judgement.verdict >= Verdict::growing && judgement.trend.has_value();
  const auto since = standing_.update(grows, interval.now_s);
  if (!since) return std::nullopt;
  return buffer_growth(row, {judgement.verdict, judgement.confidence, *judgement.trend, *since});
}

}  // namespace asyncleak
