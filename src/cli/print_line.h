// A line of a diagnosis, harmless to a terminal: paths, names and messages may hold what a stranger put there.
//
// Used by doctor.cpp and doctor_memory.cpp.
#pragma once

#include "util/text.h"

#include <fmt/format.h>
#include <cstdio>
#include <utility>

namespace asyncleak::cli {

template <class... Args>
void print_line(std::FILE* out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::print(out, "{}\n", to_printable(fmt::format(format, std::forward<Args>(args)...)));
}

}  // namespace asyncleak::cli
