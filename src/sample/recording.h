// Samples in a file: what --record writes and `replay` and `diff` read.
//
// A file is a header and a row of records, one a sample, each compressed with those before it up to the last key
// record, checksummed, and written at once: whatever ends the writer, what was written is readable. Used by src/cli.
// Knows files and samples, not what they mean.
#pragma once

#include "sample/sample.h"
#include "util/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

class RecordingWriter {
 public:
  // Replaces PATH. LIMIT_BYTES: the file stays smaller, by thinning what is older; 0: no limit.
  [[nodiscard]] static Result<RecordingWriter> create(const std::string& path, std::uint64_t limit_bytes);
  RecordingWriter(RecordingWriter&&) noexcept;
  ~RecordingWriter();

  // Error: this sample is not in the file (a full disk); those before it are, and the next may be.
  [[nodiscard]] Result<void> write(const Sample& sample);

 private:
  struct State;
  explicit RecordingWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct RecordedMoment {
  std::int64_t wall_ns = 0, monotonic_ns = 0;
  std::vector<std::string> labels;
  bool key = false;  // read without those before it
};

class Recording {
 public:
  // Error: not a recording, of a later version, or without one readable sample.
  [[nodiscard]] static Result<Recording> open(const std::string& path);
  Recording(Recording&&) noexcept;
  ~Recording();

  // Oldest first; at least one.
  [[nodiscard]] std::span<const RecordedMoment> moments() const;
  // One after the other is cheap; else it costs as much as the records since the last key.
  [[nodiscard]] Result<Sample> read(std::size_t index);
  // Where in the file it begins; of moments().size(): where the last one ends.
  [[nodiscard]] std::uint64_t offset_of(std::size_t index) const;
  // Why it ends where it ends; empty: as its writer ended it.
  [[nodiscard]] const std::string& trouble() const;

 private:
  struct State;
  explicit Recording(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The moment that WHEN names: a label (the last moment that has it), "+90" or "-90" (seconds from the first, before the
// last), "14:05", "14:05:30" (local time of the recording's first day, or the next) or RFC 3339. Between two samples:
// the earlier one. Error: there is none, and which labels there are.
[[nodiscard]] Result<std::size_t> find_moment(std::span<const RecordedMoment> moments, std::string_view when);

}  // namespace asyncleak
