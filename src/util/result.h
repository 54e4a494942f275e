// How errors travel: as values, with what was tried, on what, and why.
// Used everywhere; depends on nothing but the standard library and tl::expected.
// Exceptions are for bugs and are caught in main only.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace asyncleak {

// What the caller can do about it, which decides the exit status (DESIGN.md section 2).
enum class ErrorKind {
  failure,       // could not be done: message says what
  usage,         // the command line is wrong: exit 2
  unobservable,  // nothing can be observed: exit 3
};

struct Error {
  std::string message;  // one line: what failed, on what, why
  std::string advice;   // the one thing to do about it; may be empty
  ErrorKind kind = ErrorKind::failure;
};

template <class T>
using Result = tl::expected<T, Error>;

// "WHAT: strerror(code)". Pass errno captured in the same expression.
[[nodiscard]] Error system_error(std::string_view what, int code);

[[nodiscard]] inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

[[nodiscard]] inline tl::unexpected<Error> fail(std::string message, std::string advice = {},
                                                ErrorKind kind = ErrorKind::failure) {
  return tl::unexpected<Error>(Error{std::move(message), std::move(advice), kind});
}

// Adds the noun of the level above: "attaching to python3.11: no such file".
[[nodiscard]] Error within(std::string_view noun, Error error);

}  // namespace asyncleak
