// Where reports go that are not the screen: batch or JSON on stdout, the metrics file.
//
// Used by live.cpp and run.cpp; warn() and report_error() by every command.
#pragma once

#include "cli/options.h"
#include "model/report.h"
#include "util/atomic_file.h"
#include "util/result.h"
#include "view/prometheus/prometheus.h"

#include <optional>
#include <string_view>

namespace asyncleak::cli {

class Outputs {
 public:
  explicit Outputs(const Options& options);

  // To stdout in the format chosen (automatic: batch; quiet: nothing). Nothing once the reader has gone.
  [[nodiscard]] Result<void> print(const Report& report);
  // `asyncleak-top | head`: no error, but nobody to go on for.
  [[nodiscard]] bool reader_gone() const { return reader_gone_; }
  // The metrics file, when one is wanted.
  [[nodiscard]] Result<void> publish(const Report& report);

 private:
  const Options& options_;
  std::optional<PublishedFile> metrics_;
  Prometheus prometheus_;
  bool first_ = true;
  bool reader_gone_ = false;
};

// Columns of the terminal that FD is; 0: it is none.
[[nodiscard]] std::size_t terminal_width(int fd);
// Stdout is a terminal with colours, and they are wanted.
[[nodiscard]] bool shows_color(const Options& options);

// 0 when all of TEXT has left; else errno.
[[nodiscard]] int write_stdout(std::string_view text);
// For a command that prints once. Returns the exit status.
int print_once(std::string_view text);

// MESSAGE: ADVICE as log.h writes it. Returns the exit status for the error.
int report_error(const Error& error);
void warn(std::string_view message);

}  // namespace asyncleak::cli
