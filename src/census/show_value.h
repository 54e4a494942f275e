// A value as one short line, like repr(): only when the user asks for values.
#pragma once

#include "census/objects.h"

#include <cstddef>
#include <string>

namespace asyncleak::census {

struct ShowOptions {
  std::size_t most_characters = 80;  // of a str; the rest is "..."
  std::size_t most_items = 3;        // of a container
  bool redact = false;               // text and bytes as "<str, 12 characters>", numbers as "<int>"
};

// "'text'", "b'..'", "42", "[1, 2, ... 12,034 items]", "<app.Session at 0x7f..>", "None".
[[nodiscard]] std::string show_value(const Objects& objects, std::uint64_t object, const ShowOptions& options);

}  // namespace asyncleak::census
