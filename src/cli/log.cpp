#include "cli/log.h"

#include "util/text.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cstdio>
#include <cstdlib>

namespace asyncleak::cli {

std::string in_one_line(const Error& error) {
  return error.advice.empty() ? error.message : fmt::format("{}: {}", error.message, error.advice);
}

bool is_journal(int fd, const char* text) {
  struct stat status {};
  if (text == nullptr || fstat(fd, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == text;
}

std::string log_line(Level level, std::string_view message, bool journal) {
  const std::string text = to_printable(message);
  return journal ? fmt::format("<{}>{}\n", static_cast<int>(level), text) : fmt::format("asyncleak-top: {}\n", text);
}

void log(Level level, std::string_view message) {
  static const bool journal = is_journal(STDERR_FILENO, std::getenv("JOURNAL_STREAM"));
  const std::string line = log_line(level, message, journal);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace asyncleak::cli
