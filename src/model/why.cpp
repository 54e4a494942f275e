#include "model/why.h"

#include "model/byte_ages.h"
#include "model/site_kind.h"
#include "model/user_frame.h"
#include "util/text.h"

#include <fmt/format.h>
#include <array>
#include <cmath>

namespace asyncleak {
namespace {

bool is_own(const Frame* frame) { return frame != nullptr && owner_of(*frame) <= CodeOwner::typed; }

// What a sentence names first, and so leaves out later.
struct Lead {
  enum class Is { nothing, creator, waiting, definition };
  Is is = Is::nothing;
  const Frame* frame = nullptr;  // of creator and waiting
};

// The program's own code comes first: a library's frame tells nobody what to change.
Lead lead_of(const SiteRow& site) {
  const SiteIdentity& identity = *site.identity;
  const Frame* creator = user_frame(identity);
  const Frame* waiting = user_frame(site.waiting_at);
  const Frame definition = {"", identity.file, identity.line};
  if (is_own(creator)) return {Lead::Is::creator, creator};
  if (is_own(waiting)) return {Lead::Is::waiting, waiting};
  if (is_own(&definition) || (creator == nullptr && !identity.file.empty())) return {Lead::Is::definition};
  return creator != nullptr ? Lead{Lead::Is::creator, creator} : Lead{};
}

// The place before the function: it is what an editor is given, and long names of functions would push it off a line.
// A library's function would only make the sentence long.
std::string creator_in_words(const Frame& frame) {
  std::string place = place_in_words(frame.file, frame.line);
  if (!place.empty() && (frame.function.empty() || !is_own(&frame))) return "at " + place;
  std::string function = fmt::format("by `{}`", to_printable(frame.function));
  return place.empty() ? function : fmt::format("at {} {}", place, function);
}

std::string text_of(const Lead& lead, const SiteIdentity& identity) {
  switch (lead.is) {
    case Lead::Is::creator:
      return " created " + creator_in_words(*lead.frame);
    case Lead::Is::waiting:
      return " in " + frame_in_words(*lead.frame);
    case Lead::Is::definition:
      return " defined at " + place_in_words(identity.file, identity.line);
    case Lead::Is::nothing:
      break;
  }
  return "";
}

std::string_view last_name(std::string_view qualified) { return qualified.substr(qualified.rfind('.') + 1); }

// Python before 3.11 has no qualified names in frames.
bool is_coroutine_of(const SiteIdentity& identity, const Frame& frame) {
  return frame.file == identity.file && last_name(frame.function) == last_name(identity.coroutine);
}

std::string count_of_done(const SiteRow& site, const std::string& lead) {
  std::string text = fmt::format("{} of {} tasks{} have finished and are still held", format_whole(*site.done),
                                 format_whole(*site.pending + *site.done), lead);
  return site.holders.empty() ? text : text + " by " + to_printable(site.holders.front());
}

// Of the tasks born lately, or of all of them where nobody saw the births.
std::string count_of_all(const SiteRow& site, const Evidence& evidence, const Lead& lead) {
  const std::string place = text_of(lead, *site.identity);
  const bool states = site.pending && site.done;
  const bool all_pending = states && *site.done == 0 && *site.pending > 0;
  const auto& survival = evidence.survival;
  std::string text;
  if (survival && survival->created > 0) {
    const bool one_clause = lead.is == Lead::Is::creator;
    const std::string when = fmt::format("in the last {}", duration_in_words(survival->seconds));
    text = fmt::format("{} of {} tasks{}{}{}{} {}", format_whole(survival->alive), format_whole(survival->created),
                       place, one_clause ? " " : ", created ", when, one_clause ? "" : ",",
                       all_pending ? "are still pending" : "still exist");
    // A few more are those born before the window.
    constexpr double worth_telling = 1.1;
    const bool many_more = static_cast<double>(site.outstanding) > worth_telling * static_cast<double>(survival->alive);
    if (many_more) text += fmt::format("; {} in all", format_whole(site.outstanding));
  } else {
    const auto [noun, verb] = words_for(kind_of(*site.identity), site.outstanding);
    text = fmt::format("{} {}{} {}", format_whole(site.outstanding), noun, place, all_pending ? "are pending" : verb);
  }
  if (states && *site.done > 0) text += fmt::format(" ({} of them finished)", format_whole(*site.done));
  return text;
}

std::string count_of(const SiteRow& site, const Evidence& evidence, const Lead& lead) {
  const std::string place = text_of(lead, *site.identity);
  if (evidence.what == Accumulating::done) return count_of_done(site, place);
  if (evidence.what == Accumulating::cancel_requested) {
    return fmt::format("{} of {} pending tasks{} go on although they were cancelled",
                       format_whole(*site.cancel_requested), format_whole(*site.pending), place);
  }
  return count_of_all(site, evidence, lead);
}

// "; all wait in `Queue.get` at app.py:31"; LEAD has been named already.
std::string waiting_of(const SiteRow& site, const Lead& lead) {
  if (site.waiting_at.empty()) return "";
  const Frame& innermost = site.waiting_at.front();
  const Frame* own = user_frame(site.waiting_at);
  const std::string_view verb = kind_of(*site.identity) == SiteKind::asyncgen ? "stand" : "wait";
  std::string text = site.waiting_of > 0 && site.waiting_here < site.waiting_of
                         ? fmt::format("; {} of {} looked at {}", site.waiting_here, site.waiting_of, verb)
                         : fmt::format("; all {}", verb);
  const bool inside = own != &innermost;
  if (inside) text += fmt::format(" in `{}`", to_printable(innermost.function));
  if (lead.is == Lead::Is::waiting) return inside ? text : "";
  if (inside && !is_own(own)) return text;
  if (is_coroutine_of(*site.identity, *own)) return text + " at " + place_in_words(own->file, own->line);
  return text + (inside ? ", in " : " in ") + frame_in_words(*own);
}

// "by `worker`"; the code outside any callback has no name of its own, only "(outside the event loop)".
std::string allocator_of(const SiteIdentity& identity) {
  std::string name = to_printable(identity.coroutine);
  if (name.size() > 2 && name.front() == '(' && name.back() == ')') return name.substr(1, name.size() - 2);
  return fmt::format("by `{}`", name);
}

std::string short_number(double value) {
  constexpr double tenths_below = 9.95, whole_below = 9999.5;
  if (value >= whole_below) return format_count(static_cast<std::uint64_t>(value));
  std::string text = fmt::format("{:.1f}", value);
  return value >= tenths_below || text.ends_with(".0") ? fmt::format("{:.0f}", value) : text;
}

}  // namespace

std::string rate_in_words(double per_min) {
  constexpr double a_second = 60, a_minute = 1;
  const double size = std::abs(per_min);
  const std::string_view sign = per_min > 0 ? "+" : per_min < 0 ? "-" : "";
  if (size >= a_second) return fmt::format("{}{}/s", sign, short_number(size / 60));
  if (size >= a_minute || size == 0) return fmt::format("{}{}/min", sign, short_number(size));
  return fmt::format("{}{}/h", sign, short_number(size * 60));
}

std::string duration_in_words(double seconds) {
  constexpr double one_unit_below = 9.95;
  if (seconds < one_unit_below && std::round(seconds) != seconds) return fmt::format("{:.1f} s", seconds);
  struct Unit {
    std::int64_t seconds;
    std::string_view name;
  };
  constexpr std::array<Unit, 4> units = {Unit{86400, "d"}, Unit{3600, "h"}, Unit{60, "min"}, Unit{1, "s"}};
  const std::int64_t whole = std::llround(std::max(0.0, seconds));
  for (std::size_t i = 0; i + 1 < units.size(); ++i) {
    if (whole < units.at(i).seconds) continue;
    const std::int64_t rest = whole % units.at(i).seconds / units.at(i + 1).seconds;
    std::string text = fmt::format("{} {}", whole / units.at(i).seconds, units.at(i).name);
    return rest == 0 ? text : fmt::format("{} {} {}", text, rest, units.at(i + 1).name);
  }
  return fmt::format("{} s", whole);
}

std::string place_in_words(std::string_view file, std::optional<int> line) {
  if (file.empty()) return "";
  std::string text = to_printable(base_name(file));
  if (line) text += fmt::format(":{}", *line);
  const std::string_view package = is_asyncio_file(file) ? "asyncio" : package_of(file);
  return package.empty() ? text : fmt::format("{} of {}", text, to_printable(package));
}

std::string frame_in_words(const Frame& frame) {
  std::string place = place_in_words(frame.file, frame.line);
  if (frame.function.empty()) return place;
  const std::string function = fmt::format("`{}`", to_printable(frame.function));
  return place.empty() ? function : function + " at " + place;
}

std::string place_of(const SiteRow& site) { return text_of(lead_of(site), *site.identity); }

std::string why_accumulating(const SiteRow& site, const Evidence& evidence) {
  const Lead lead = lead_of(site);
  std::string text = count_of(site, evidence, lead);
  const std::string window = duration_in_words(evidence.trend.window_s);
  if (evidence.trend.growth_per_min == 0) {  // most of the time level, then steps
    text += fmt::format("; +{:.0f} in {}", evidence.trend.rise, window);
  } else {
    text += "; " + rate_in_words(evidence.trend.growth_per_min);
    if (site.by_census) text += " over " + window;
  }
  if (site.oldest_s) {
    text += fmt::format("; oldest {}{}", site.oldest_at_least ? "over " : "", duration_in_words(*site.oldest_s));
  }
  if (evidence.what != Accumulating::done) text += waiting_of(site, lead);
  if (site.buffered_bytes.value_or(0) > 0) {
    text += fmt::format("; {} to be written", format_bytes(*site.buffered_bytes));
  }
  if (evidence.what != Accumulating::done && !site.holders.empty()) {
    text += "; held by " + to_printable(site.holders.front());
  }
  if (site.held_bytes.value_or(0) > 0) text += fmt::format("; they keep {} alive", format_bytes(*site.held_bytes));
  const Frame* creator = user_frame(*site.identity);
  if (lead.is != Lead::Is::creator && creator != nullptr) text += "; created " + creator_in_words(*creator);
  return text;
}

std::string why_allocated_grows(const SiteRow& site, const AllocationEvidence& evidence) {
  const SiteAllocations& allocations = *site.allocations;
  constexpr double minute_s = 60;
  const bool by_line = !allocations.lines.empty() && !allocations.lines.front().file.empty();
  std::string at;
  if (by_line) {
    at = ", most at " + place_in_words(allocations.lines.front().file, allocations.lines.front().line) + ",";
  }
  const std::uint64_t old = bytes_older_than(allocations.cohorts, evidence.old_s, evidence.now_ns);
  std::string text = fmt::format("{}{} allocated {}{} are not freed; {}/min over {}; {} of it older than {}",
                                 allocations.untracked_blocks > 0 ? "at least " : "", format_bytes(allocations.bytes),
                                 allocator_of(*site.identity), at, format_bytes_change(evidence.trend.growth_per_min),
                                 duration_in_words(evidence.trend.window_s), format_bytes(old),
                                 evidence.old_s < minute_s ? duration_in_words(evidence.old_s) : "a minute");
  // Who created the task matters less here than where it allocates.
  if (const std::string place = place_of(site); !place.empty()) text += ";" + place;
  return text;
}

std::string why_buffered_grows(const SiteRow& site, const BufferEvidence& evidence) {
  return fmt::format(
      "{} written to {} {} `{}`{} are not sent; {}/min over {}; the peer reads more slowly: await "
      "drain() after write(), or drop such a peer",
      format_bytes(site.buffered_bytes.value_or(0)), format_whole(site.outstanding),
      plural(site.outstanding, "transport"), to_printable(site.identity->coroutine), place_of(site),
      format_bytes_change(evidence.trend.growth_per_min), duration_in_words(evidence.trend.window_s));
}

std::string why_never_awaited(const NeverAwaited& coroutines, std::optional<double> growth_per_min) {
  const std::string place = place_in_words(coroutines.file, coroutines.line);
  const bool one = coroutines.count == 1;
  std::string text = fmt::format("{} coroutine{} `{}`{}{} {} destroyed without ever having been awaited",
                                 coroutines.count, one ? "" : "s", to_printable(coroutines.coroutine),
                                 place.empty() ? "" : " defined at ", place, one ? "was" : "were");
  if (growth_per_min.value_or(0) > 0) text += "; " + rate_in_words(*growth_per_min);
  return text + "; an `await` is missing where it is called";
}

}  // namespace asyncleak
