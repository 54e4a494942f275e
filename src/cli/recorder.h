// --record and the labels: every sample goes through here before it is judged.
//
// Used by live.cpp and run.cpp.
#pragma once

#include "cli/options.h"
#include "sample/recording.h"
#include "util/result.h"

#include <optional>
#include <string>
#include <vector>

namespace asyncleak::cli {

class Recorder {
 public:
  [[nodiscard]] static Result<Recorder> make(const Options& options);

  // What the next sample is called, too; a sentence that says so.
  std::string label(std::string text);
  // SIGUSR1: "usr1-1", "usr1-2", ...
  std::string label_by_signal();
  // Labels SAMPLE and writes it. An error once when it begins: a full disk is not told at every refresh.
  [[nodiscard]] Result<void> take(Sample& sample);

 private:
  std::optional<RecordingWriter> writer_;
  std::vector<std::string> labels_;
  int signals_ = 0;
  bool failing_ = false;
};

}  // namespace asyncleak::cli
