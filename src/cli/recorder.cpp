#include "cli/recorder.h"

#include "util/text.h"

#include <fmt/format.h>
#include <utility>

namespace asyncleak::cli {

Result<Recorder> Recorder::make(const Options& options) {
  Recorder recorder;
  if (!options.label.empty()) recorder.labels_.push_back(options.label);
  if (options.record.empty()) return recorder;
  auto writer = RecordingWriter::create(options.record, options.record_limit);
  if (!writer) return fail(within("--record", writer.error()));
  recorder.writer_.emplace(std::move(*writer));
  return recorder;
}

std::string Recorder::label(std::string text) {
  labels_.push_back(std::move(text));
  return fmt::format("the next sample is labelled {}{}", to_printable(labels_.back()),
                     writer_ ? "" : ", but not recorded: see --record");
}

std::string Recorder::label_by_signal() { return label(fmt::format("usr1-{}", ++signals_)); }

Result<void> Recorder::take(Sample& sample) {
  sample.labels = std::exchange(labels_, {});
  if (!writer_) return {};
  const auto written = writer_->write(sample);
  const bool was_failing = std::exchange(failing_, !written);
  if (written) return {};
  labels_ = sample.labels;  // they are wanted in the file: of the next one that is in it
  if (was_failing) return {};
  return fail(written.error().message + ": what is recorded so far is whole; the next samples are tried again");
}

}  // namespace asyncleak::cli
