#include "sample/recording.h"
#include "util/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <optional>
#include <set>

namespace asyncleak {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && std::isfinite(value) && value >= 0 && value < 1e9 ? std::optional(value) : std::nullopt;
}

// Exactly DIGITS of them, and what follows them.
std::optional<int> take_digits(std::string_view& text, std::size_t digits, std::string_view followed_by) {
  if (text.size() < digits + followed_by.size()) return std::nullopt;
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + digits, value);
  if (error != std::errc{} || end != text.data() + digits || value < 0) return std::nullopt;
  if (text.substr(digits, followed_by.size()) != followed_by) return std::nullopt;
  text.remove_prefix(digits + followed_by.size());
  return value;
}

// What is left of TEXT after the seconds: ".25".
std::optional<std::int64_t> take_fraction_ns(std::string_view& text) {
  if (text.empty() || text.front() != '.') return 0;
  const auto end = std::min(text.find_first_not_of("0123456789", 1), text.size());
  const auto part = number("0" + std::string(text.substr(0, end)));
  text.remove_prefix(end);
  if (!part || end < 2) return std::nullopt;
  return static_cast<std::int64_t>(*part * 1e9);
}

// "Z", "+01:00": seconds east of Greenwich.
std::optional<std::int64_t> zone_s(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2, ":");
  const auto minutes = hours ? take_digits(text, 2, "") : std::nullopt;
  if (!minutes || !text.empty()) return std::nullopt;
  return std::int64_t{sign} * (*hours * 3600 + *minutes * 60);
}

std::optional<std::int64_t> rfc3339_ns(std::string_view text) {
  std::tm time{};
  const auto take = [&](int& into, std::size_t digits, std::string_view followed_by) {
    const auto value = take_digits(text, digits, followed_by);
    into = value.value_or(0);
    return value.has_value();
  };
  const std::string_view separator =
      text.size() > 10 && (text[10] == 't' || text[10] == ' ') ? text.substr(10, 1) : "T";
  if (!take(time.tm_year, 4, "-") || !take(time.tm_mon, 2, "-") || !take(time.tm_mday, 2, separator)) return {};
  if (!take(time.tm_hour, 2, ":") || !take(time.tm_min, 2, ":") || !take(time.tm_sec, 2, "")) return {};
  const auto fraction = take_fraction_ns(text);
  const auto zone = zone_s(text);
  if (!fraction || !zone) return std::nullopt;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return (static_cast<std::int64_t>(timegm(&time)) - *zone) * second_ns + *fraction;
}

struct ClockTime {
  int hours = 0, minutes = 0, seconds = 0;
  bool has_seconds = false;
};

std::optional<ClockTime> clock_time(std::string_view text) {
  ClockTime time;
  time.has_seconds = text.size() > 5;
  const auto hours = take_digits(text, 2, ":");
  const auto minutes = hours ? take_digits(text, 2, time.has_seconds ? ":" : "") : std::nullopt;
  const auto seconds = minutes && time.has_seconds ? take_digits(text, 2, "") : std::optional(0);
  if (!minutes || !seconds || !text.empty() || *hours > 23 || *minutes > 59 || *seconds > 59) return std::nullopt;
  time.hours = *hours;
  time.minutes = *minutes;
  time.seconds = *seconds;
  return time;
}

// That time on the local day of FIRST_NS, or DAYS later.
std::int64_t on_day(const ClockTime& time, std::int64_t first_ns, int days) {
  const std::time_t first = first_ns / second_ns;
  std::tm day{};
  localtime_r(&first, &day);
  day.tm_mday += days;
  day.tm_hour = time.hours;
  day.tm_min = time.minutes;
  day.tm_sec = time.seconds;
  day.tm_isdst = -1;
  return static_cast<std::int64_t>(mktime(&day)) * second_ns;
}

// Between two samples the earlier one. A clock that was set back gives the first time it showed that.
std::optional<std::size_t> at_wall(std::span<const RecordedMoment> moments, std::int64_t wall_ns) {
  for (std::size_t i = 0; i + 1 < moments.size(); ++i) {
    if (moments[i].wall_ns <= wall_ns && wall_ns < moments[i + 1].wall_ns) return i;
  }
  // A time as it is shown has no fraction of a second.
  const std::int64_t last = moments.back().wall_ns;
  if (last <= wall_ns && wall_ns < last + second_ns) return moments.size() - 1;
  const std::int64_t first = moments.front().wall_ns;
  if (wall_ns < first && first - wall_ns < second_ns) return 0;
  return std::nullopt;
}

std::optional<std::size_t> at_clock(std::span<const RecordedMoment> moments, const ClockTime& time) {
  const std::int64_t first_ns = moments.front().wall_ns;
  const std::int64_t same_day = on_day(time, first_ns, 0);
  // "14:05" of a recording that began at 14:05:30 is its beginning.
  if (!time.has_seconds && same_day <= first_ns && first_ns < same_day + 60 * second_ns) return 0;
  if (const auto found = at_wall(moments, same_day)) return found;
  return at_wall(moments, on_day(time, first_ns, 1));
}

std::size_t at_monotonic(std::span<const RecordedMoment> moments, std::int64_t monotonic_ns) {
  const auto after =
      std::upper_bound(moments.begin(), moments.end(), monotonic_ns,
                       [](std::int64_t wanted, const RecordedMoment& moment) { return wanted < moment.monotonic_ns; });
  return after == moments.begin() ? 0 : static_cast<std::size_t>(after - moments.begin()) - 1;
}

std::optional<std::size_t> at_offset(std::span<const RecordedMoment> moments, char sign, double seconds) {
  const auto offset_ns = static_cast<std::int64_t>(seconds * 1e9);
  const std::int64_t first_ns = moments.front().monotonic_ns;
  const std::int64_t last_ns = moments.back().monotonic_ns;
  const std::int64_t wanted_ns = sign == '+' ? first_ns + offset_ns : last_ns - offset_ns;
  // The offset of the first or last sample, rounded to the second, is that sample.
  if (wanted_ns < first_ns - second_ns || wanted_ns > last_ns + second_ns) return std::nullopt;
  return at_monotonic(moments, wanted_ns);
}

std::string what_there_is(std::span<const RecordedMoment> moments) {
  std::vector<std::string> labels;
  for (const RecordedMoment& moment : moments) {
    for (const std::string& label : moment.labels) {
      if (std::find(labels.begin(), labels.end(), label) == labels.end()) labels.push_back(to_printable(label));
    }
  }
  constexpr std::size_t most = 20;
  const std::size_t more = labels.size() > most ? labels.size() - most : 0;
  if (more > 0) labels.resize(most);
  std::string text = labels.empty() ? "it has no labels" : fmt::format("its labels are {}", fmt::join(labels, ", "));
  if (more > 0) text += fmt::format(" and {} more", more);
  const double span_s = static_cast<double>(moments.back().monotonic_ns - moments.front().monotonic_ns) / 1e9;
  return fmt::format("{}; it goes from {} to {}, {:.0f} seconds", text, format_time_utc(moments.front().wall_ns),
                     format_time_utc(moments.back().wall_ns), span_s);
}

}  // namespace

Result<std::size_t> find_moment(std::span<const RecordedMoment> moments, std::string_view when) {
  for (std::size_t i = moments.size(); i-- > 0;) {
    const auto& labels = moments[i].labels;
    if (std::find(labels.begin(), labels.end(), when) != labels.end()) return i;
  }
  std::optional<std::size_t> found;
  if (when.size() > 1 && (when.front() == '+' || when.front() == '-')) {
    if (const auto seconds = number(when.substr(1))) found = at_offset(moments, when.front(), *seconds);
  } else if (const auto time = clock_time(when)) {
    found = at_clock(moments, *time);
  } else if (const auto wall_ns = rfc3339_ns(when)) {
    found = at_wall(moments, *wall_ns);
  }
  if (found) return *found;
  return fail(fmt::format("the recording has no moment '{}'", to_printable(when)), what_there_is(moments),
              ErrorKind::usage);
}

}  // namespace asyncleak
