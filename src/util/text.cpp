#include "util/text.h"

#include <fmt/format.h>
#include <array>
#include <cmath>
#include <ctime>

namespace asyncleak {
namespace {

// Three significant digits, with the suffix of the unit they are in.
std::string three_digits(double value, std::string_view suffix) {
  if (value < 9.995) return fmt::format("{:.2f}{}", value, suffix);
  if (value < 99.95) return fmt::format("{:.1f}{}", value, suffix);
  return fmt::format("{:.0f}{}", value, suffix);
}

// Largest unit in which VALUE is at least 1; 999.5 is already 1.00 of the next one.
template <std::size_t N>
std::string scaled(double value, double base, const std::array<std::string_view, N>& suffixes) {
  std::size_t unit = 0;
  while (unit + 1 < N && value >= base - 0.5) {
    value /= base;
    ++unit;
  }
  return three_digits(value, suffixes[unit]);
}

constexpr std::array<std::string_view, 6> decimal_suffixes{"", "k", "M", "G", "T", "P"};
constexpr std::array<std::string_view, 6> binary_suffixes{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};

// Length of the well-formed sequence TEXT starts with (RFC 3629: no overlong forms, no
// surrogates, nothing above U+10FFFF); 0: none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto tail = [&byte](std::size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return byte(1) >= low && byte(1) <= high && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return byte(1) >= low && byte(1) <= high && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool is_control(std::string_view sequence) {
  const auto lead = static_cast<unsigned char>(sequence[0]);
  if (sequence.size() == 1) return lead < 0x20 || lead == 0x7F;
  return lead == 0xC2 && static_cast<unsigned char>(sequence[1]) < 0xA0;  // U+0080 to U+009F
}

std::string cleaned(std::string_view text, bool replace_controls) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    const std::string_view sequence = text.substr(0, length);
    out += replace_controls && is_control(sequence) ? std::string_view{"?"} : sequence;
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string format_count(std::uint64_t value) {
  if (value < 10000) return fmt::format("{}", value);
  return scaled(static_cast<double>(value), 1000, decimal_suffixes);
}

std::string format_whole(std::uint64_t value) {
  std::string digits = fmt::format("{}", value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, 1, ',');
  return digits;
}

std::string format_rate(double value) {
  if (!std::isfinite(value)) return "-";
  if (std::abs(value) < 0.005) return "0";
  if (value < 0) return "-" + format_rate(-value);
  if (value >= 999.5 && value < 9999.5) return fmt::format("{:.0f}", value);
  return scaled(value, 1000, decimal_suffixes);
}

std::string format_change(double value) {
  std::string text = format_rate(value);
  return value > 0 && text != "0" && text != "-" ? "+" + text : text;
}

std::string format_duration(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0) return "-";
  if (seconds < 9.95) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole / 3600 % 24);
}

std::string format_milliseconds(double seconds) {
  if (seconds < 0.00995) return fmt::format("{:.1f}ms", seconds * 1e3);
  return seconds < 0.9995 ? fmt::format("{:.0f}ms", seconds * 1e3) : format_duration(seconds);
}

std::string format_bytes(std::uint64_t value) {
  if (value < 1024) return fmt::format("{}B", value);
  return scaled(static_cast<double>(value), 1024, binary_suffixes);
}

std::string format_percent(double value) {
  if (!std::isfinite(value)) return "-";
  if (value < 0.05) return "0%";
  if (value < 99.95) return fmt::format("{:.1f}%", value);
  return fmt::format("{:.0f}%", value);
}

std::string plural(std::uint64_t count, std::string_view noun) {
  return fmt::format("{}{}", noun, count == 1 ? "" : noun.ends_with('s') ? "es" : "s");
}

std::string format_counted(std::uint64_t count, std::string_view noun) {
  return fmt::format("{} {}", count, plural(count, noun));
}

std::string format_time_utc(std::int64_t wall_ns) {
  constexpr std::int64_t second = 1'000'000'000;
  std::int64_t seconds = wall_ns / second;
  std::int64_t rest = wall_ns % second;
  if (rest < 0) {
    rest += second;
    --seconds;
  }
  const std::time_t time = seconds;
  std::tm utc{};
  gmtime_r(&time, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, rest / 1'000'000);
}

std::string to_utf8(std::string_view text) { return cleaned(text, false); }
std::string to_printable(std::string_view text) { return cleaned(text, true); }

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace asyncleak
