#include "cli/outputs.h"

#include "cli/log.h"
#include "view/batch.h"
#include "view/json.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <sstream>

namespace asyncleak::cli {

std::size_t terminal_width(int fd) {
  winsize size{};
  return isatty(fd) != 0 && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

bool shows_color(const Options& options) {
  const char* terminal = std::getenv("TERM");
  return options.color && isatty(STDOUT_FILENO) != 0 && terminal != nullptr && std::string_view(terminal) != "dumb";
}

int write_stdout(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  return written ? 0 : errno;
}

int print_once(std::string_view text) {
  const int error = write_stdout(text);
  return error == 0 ? 0 : report_error(system_error("writing to stdout", error));
}

Outputs::Outputs(const Options& options) : options_(options) {
  if (!options.prom_textfile.empty()) metrics_.emplace(options.prom_textfile);
}

Result<void> Outputs::print(const Report& report) {
  if (reader_gone_ || options_.format == Format::quiet) return {};
  std::string text;
  if (options_.format == Format::json) {
    text = to_json(report) + "\n";
  } else {
    std::ostringstream frame;
    if (!first_) frame << "\n";
    write_batch(frame, report, {options_.sort, false, options_.limit, terminal_width(STDOUT_FILENO)});
    text = frame.str();
  }
  first_ = false;
  const int error = write_stdout(text);
  reader_gone_ = error == EPIPE;
  if (error != 0 && !reader_gone_) return fail(system_error("writing to stdout", error));
  return {};
}

Result<void> Outputs::publish(const Report& report) {
  return metrics_ ? metrics_->write(prometheus_.write(report)) : Result<void>{};
}

void warn(std::string_view message) { log(Level::warning, message); }

int report_error(const Error& error) {
  log(Level::error, in_one_line(error));
  switch (error.kind) {
    case ErrorKind::usage:
      return 2;
    case ErrorKind::unobservable:
      return 3;
    case ErrorKind::failure:
      break;
  }
  return 1;
}

}  // namespace asyncleak::cli
