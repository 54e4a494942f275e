// The text of a file whose size is not known before: of /proc, or of a stranger.
//
// Used by src/python.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

namespace asyncleak {

// What is left in FD, cut after MOST_BYTES. nullopt: errno says why.
[[nodiscard]] std::optional<std::string> read_text(int fd, std::size_t most_bytes);

}  // namespace asyncleak
