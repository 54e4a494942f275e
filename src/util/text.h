// Numbers and strangers' text as people read them: short, aligned, harmless to a terminal.
//
// Used by src/model (reasons of findings) and src/view. Standard library and fmt only; knows
// nothing of tasks or terminals.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace asyncleak {

[[nodiscard]] std::string format_count(std::uint64_t value);    // "9999", "12.0k", "1.23M"
[[nodiscard]] std::string format_whole(std::uint64_t value);    // every digit: "9,999", "12,034"
[[nodiscard]] std::string format_rate(double value);            // "0", "0.25", "84.3", "1234", "12.0k"
[[nodiscard]] std::string format_change(double value);          // as a rate, signed: "+84.0", "-3.10", "0"
[[nodiscard]] std::string format_duration(double seconds);      // "0.4s", "42s", "3m12s", "2h05m", "3d04h"
[[nodiscard]] std::string format_milliseconds(double seconds);  // "0.4ms", "12ms", "1.5s"
[[nodiscard]] std::string format_bytes(std::uint64_t value);    // "512B", "12.0KiB", "1.50GiB"
[[nodiscard]] std::string format_percent(double value);         // "0%", "0.1%", "12.3%", "100%"
[[nodiscard]] std::string format_counted(std::uint64_t count, std::string_view noun);  // "1 site", "12 processes"
[[nodiscard]] std::string plural(std::uint64_t count, std::string_view noun);          // the noun alone
[[nodiscard]] std::string format_time_utc(std::int64_t wall_ns);  // RFC 3339: "2026-11-21T04:16:58.123Z"

// Valid UTF-8: every byte that does not belong becomes U+FFFD.
[[nodiscard]] std::string to_utf8(std::string_view text);
// Valid UTF-8 on one line: control characters (C0, DEL, C1) become '?', so that a target's names
// cannot move the cursor or forge lines.
[[nodiscard]] std::string to_printable(std::string_view text);

// The last component of a path: "app.py" of "/srv/app.py".
[[nodiscard]] std::string_view base_name(std::string_view path);

}  // namespace asyncleak
