// A recording as a row of reports: one after the other, or from any moment on.
//
// Used by replay.cpp. Knows no clock and no terminal.
#pragma once

#include "model/model.h"
#include "sample/recording.h"
#include "util/result.h"

#include <cstddef>
#include <optional>
#include <string>

namespace asyncleak::cli {

class Player {
 public:
  // The samples [FIRST, LAST] of RECORDING; those before FIRST are what the first is judged by.
  Player(Recording recording, Policy policy, std::size_t first, std::size_t last)
      : recording_(std::move(recording)), policy_(policy), first_(first), last_(last) {}

  [[nodiscard]] const Recording& recording() const { return recording_; }
  // Of the moment last shown.
  [[nodiscard]] std::size_t index() const { return index_; }
  [[nodiscard]] bool at_end() const { return next_ > last_; }
  [[nodiscard]] const RecordedMoment& moment() const { return recording_.moments()[index_]; }
  [[nodiscard]] double seconds() const { return seconds_at(index_); }  // since the recording's first moment
  [[nodiscard]] double length_s() const { return seconds_at(recording_.moments().size() - 1); }
  // Where the next report would be; not at the end.
  [[nodiscard]] double next_s() const { return seconds_at(next_); }

  // The report of the next sample. nullopt: at the end.
  [[nodiscard]] std::optional<Report> next();
  // To the last sample that is not later than SECONDS, at least the first: as live would have judged it by then.
  [[nodiscard]] std::optional<Report> seek(double seconds);
  // One sample back.
  [[nodiscard]] std::optional<Report> back();
  // What could not be read on the way; empties it.
  [[nodiscard]] std::string take_trouble();

 private:
  [[nodiscard]] double seconds_at(std::size_t index) const;
  [[nodiscard]] std::optional<Report> show(std::size_t index);
  [[nodiscard]] std::optional<Report> take(std::size_t index);
  void warm(std::size_t index);

  Recording recording_;
  Policy policy_;
  std::size_t first_, last_;
  std::optional<Model> model_;
  std::size_t index_ = 0, next_ = 0;
  bool begun_ = false;
  std::string trouble_;
};

}  // namespace asyncleak::cli
