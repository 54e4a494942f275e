#include "cli/player.h"

#include <algorithm>
#include <utility>

namespace asyncleak::cli {
namespace {

// What a model needs to judge as if it had seen everything: the beginning, for the baselines; everything of the last
// ten minutes; and of what is between ever less the longer it is ago, as its history does: a hundred samples of a day.
constexpr double beginning_s = 15, recent_s = 600, sparse_s = 110, share_of_age = 0.05;

}  // namespace

double Player::seconds_at(std::size_t index) const {
  const auto moments = recording_.moments();
  return static_cast<double>(moments[index].monotonic_ns - moments.front().monotonic_ns) / 1e9;
}

std::string Player::take_trouble() { return std::exchange(trouble_, {}); }

// Into the model; nullopt: that sample cannot be read.
std::optional<Report> Player::take(std::size_t index) {
  const auto sample = recording_.read(index);
  if (!sample) {
    trouble_ = sample.error().message;
    return std::nullopt;
  }
  return model_->update(*sample);
}

// A model that has seen what is before INDEX.
void Player::warm(std::size_t index) {
  model_.emplace(policy_);
  const auto moments = recording_.moments();
  const double target_s = seconds_at(index);
  double last_s = -sparse_s;
  for (std::size_t i = 0; i < index; ++i) {
    const double at_s = seconds_at(i);
    const bool sparse = moments[i].key && at_s - last_s >= std::max(sparse_s, (target_s - at_s) * share_of_age);
    if (at_s > beginning_s && at_s < target_s - recent_s && !sparse) continue;
    if (take(i)) last_s = at_s;
  }
}

std::optional<Report> Player::show(std::size_t index) {
  auto report = take(index);
  // Past what is damaged: the next key is whole again.
  while (!report && index < last_) {
    ++index;
    if (recording_.moments()[index].key) report = take(index);
  }
  next_ = index + 1;
  if (report) index_ = index;
  return report;
}

std::optional<Report> Player::next() {
  if (!begun_) return seek(seconds_at(first_));
  return at_end() ? std::nullopt : show(next_);
}

std::optional<Report> Player::seek(double seconds) {
  std::size_t index = last_;
  while (index > first_ && seconds_at(index) > seconds) --index;
  // Not far ahead: through what is between, which is what live did.
  const bool near = begun_ && index >= next_ && seconds_at(index) - seconds_at(index_) < recent_s;
  if (near) {
    while (next_ < index) (void)show(next_);
  } else {
    warm(index);
  }
  begun_ = true;
  return show(index);
}

std::optional<Report> Player::back() { return index_ > first_ ? seek(seconds_at(index_ - 1)) : std::nullopt; }

}  // namespace asyncleak::cli
