#include "util/result.h"

#include <fmt/format.h>
#include <cstring>

namespace asyncleak {

Error system_error(std::string_view what, int code) {
  return Error{fmt::format("{}: {}", what, strerrordesc_np(code)), {}, ErrorKind::failure};
}

Error within(std::string_view noun, Error error) {
  error.message = fmt::format("{}: {}", noun, error.message);
  return error;
}

}  // namespace asyncleak
