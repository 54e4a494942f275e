// A recording written anew without every second sample of its older half, a few samples at a time.
//
// Used by recording_writer.cpp to stay below a limit: a little is done at each sample, so that no refresh waits for all
// of it. The new file takes the old one's place at once, at the end.
#pragma once

#include "sample/recording.h"
#include "sample/sample_file.h"
#include "util/result.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace asyncleak {

class Thinning {
 public:
  // Of FILE, which is at PATH and goes on growing.
  [[nodiscard]] static Result<Thinning> begin(const std::string& path, SampleFile& file);
  Thinning(Thinning&&) noexcept = default;
  Thinning& operator=(Thinning&&) = delete;
  ~Thinning();  // removes what was not finished

  [[nodiscard]] std::size_t samples() const { return from_.moments().size(); }  // when it began
  [[nodiscard]] std::size_t left() const { return cut_ - next_; }
  // Goes on with so many of the older samples.
  [[nodiscard]] Result<void> step(std::size_t samples);
  // After the last step: FILE is the new one, which is at PATH.
  [[nodiscard]] Result<void> finish(SampleFile& file);

 private:
  Thinning(std::string path, Recording from, SampleFile to);

  std::string path_, temporary_;
  Recording from_;
  SampleFile to_;
  std::size_t next_ = 0, cut_ = 0;  // samples; from cut_ on they are copied
  bool done_ = false;
};

}  // namespace asyncleak
