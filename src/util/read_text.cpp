#include "util/read_text.h"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>

namespace asyncleak {

std::optional<std::string> read_text(int fd, std::size_t most_bytes) {
  std::string text;
  std::array<char, 16384> chunk;
  while (text.size() < most_bytes) {
    const ssize_t got = read(fd, chunk.data(), std::min(chunk.size(), most_bytes - text.size()));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace asyncleak
