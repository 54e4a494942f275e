#include "model/hints.h"

#include "model/user_frame.h"
#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace asyncleak {
namespace {

using Uses = std::set<std::string_view>;

// Of the objects looked at, so many must show it; of fewer than three nothing can be said.
bool most(std::uint64_t count, const PatternEvidence& evidence) {
  return evidence.looked_at >= 3 && count * 4 >= evidence.looked_at * 3;
}
bool few(std::uint64_t count, const PatternEvidence& evidence) { return count * 4 <= evidence.looked_at; }

std::string_view last_part(std::string_view qualname) {
  const auto dot = qualname.rfind('.');
  return dot == std::string_view::npos ? qualname : qualname.substr(dot + 1);
}

// Code within a function that has frames of its own until 3.11.
bool is_inner(const Frame& frame) { return last_part(frame.function).starts_with('<'); }

// The function that created the tasks, as PatternEvidence sees it: index of its frame, or how many there are.
std::size_t creator_of(const SiteRow& site) {
  const auto& frames = site.identity->created_at;
  const auto own = std::ranges::find_if(frames, [](const Frame& frame) { return !is_asyncio_file(frame.file); });
  return static_cast<std::size_t>(own - frames.begin());
}

Uses uses_of_creator(const SiteRow& site) {
  const auto& frames = site.identity->created_at;
  const auto& known = site.pattern->creator_uses;
  Uses uses;
  for (std::size_t i = creator_of(site); i < frames.size() && i < known.size(); i++) {
    uses.insert(known[i].begin(), known[i].end());
    if (!is_inner(frames[i])) break;
  }
  return uses;
}

// Whether one of asyncio's own functions of these names created the tasks.
bool created_by(const SiteRow& site, std::initializer_list<std::string_view> functions) {
  const auto& frames = site.identity->created_at;
  const auto end = frames.begin() + static_cast<std::ptrdiff_t>(creator_of(site));
  return std::any_of(frames.begin(), end, [&](const Frame& frame) {
    const auto name = frame.function.starts_with("_AsCompletedIterator") ? "as_completed" : frame.function;
    return std::ranges::find(functions, name) != functions.end();
  });
}

bool created_by_library(const SiteRow& site) {
  const auto& frames = site.identity->created_at;
  const auto at = creator_of(site);
  return at < frames.size() && !package_of(frames[at].file).empty();
}

// Whoever created them goes on itself: what it does not wait for any more, it does not need.
bool creators_are_gone(const SiteRow& site) {
  return site.pattern->creators * 2 <= site.pending.value_or(site.outstanding);
}

struct Collection {
  std::string_view type, name;
};

// "set `jobs` of module app (412 items)": census/holders.h has the words.
std::optional<Collection> collection_in(std::string_view holder) {
  constexpr std::array<std::string_view, 4> types = {"list", "set", "dict", "collections.deque"};
  const auto begin = holder.find(" `");
  const auto end = begin == std::string_view::npos ? begin : holder.find('`', begin + 2);
  if (end == std::string_view::npos) return std::nullopt;
  const auto type = holder.substr(0, begin);
  const auto owner = holder.substr(end + 1);
  const bool asyncios = owner.find(" asyncio.") != std::string_view::npos;
  if (asyncios || std::ranges::find(types, type) == types.end()) return std::nullopt;
  return Collection{type, holder.substr(begin + 2, end - begin - 2)};
}

// Of "... (412 items)", "... (1.2k items)"; 0: it does not say.
double size_in(std::string_view holder) {
  const auto at = holder.rfind('(');
  if (at == std::string_view::npos) return 0;
  const std::string text(holder.substr(at + 1));
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return number * (*end == 'k' ? 1e3 : *end == 'M' ? 1e6 : *end == 'G' ? 1e9 : 1);
}

// One that keeps a good part of them; how many, was read when there were at least half as many.
std::optional<Collection> collection_of(const SiteRow& site) {
  for (const auto& holder : site.holders) {
    const auto found = collection_in(holder);
    if (found && size_in(holder) * 4 >= static_cast<double>(site.outstanding)) return found;
  }
  return std::nullopt;
}

std::string name_of(const SiteRow& site) { return to_printable(site.identity->coroutine); }

std::string creator_name(const SiteRow& site) {
  const auto& frames = site.identity->created_at;
  for (std::size_t i = creator_of(site); i < frames.size(); i++) {
    if (!is_inner(frames[i])) return fmt::format("`{}`", to_printable(frames[i].function));
  }
  return "who created them";
}

struct Hint {
  std::string_view pattern;
  std::string text;
};
using Found = std::optional<Hint>;

// A helper of asyncio created or awaited them, and is gone.
Found left_by_helper(const SiteRow& site) {
  const PatternEvidence& evidence = *site.pattern;
  if (most(evidence.left_by_gather, evidence)) {
    return Hint{"gather-orphan",
                fmt::format("gather() raised the first exception and left `{}` running: use asyncio.TaskGroup (3.11), "
                            "or keep the tasks and cancel() those not done when gather() raises",
                            name_of(site))};
  }
  if (!creators_are_gone(site) || !few(evidence.awaited, evidence)) return std::nullopt;
  if (most(evidence.left_by_as_completed, evidence)) {
    return Hint{"as-completed-left",
                fmt::format("the loop over as_completed() was left early and `{}` runs on: keep the tasks in a list of "
                            "{} and cancel() those not done on the way out",
                            name_of(site), creator_name(site))};
  }
  if (evidence.looked_at >= 3 && created_by(site, {"shield"})) {
    return Hint{"shield-orphan",
                fmt::format("shield() kept `{}` running when its caller timed out or was cancelled: keep the task and "
                            "await or cancel() it later, or give it a time limit of its own inside the shield",
                            name_of(site))};
  }
  return std::nullopt;
}

// The function that created them lets them go: by what it uses.
Found left_by_creator(const SiteRow& site) {
  const PatternEvidence& evidence = *site.pattern;
  const Uses uses = uses_of_creator(site);
  const bool left = evidence.looked_at >= 3 && few(evidence.awaited, evidence) && creators_are_gone(site);
  // Who cancels in the same function does away with what is left: these are other tasks.
  if (!left || uses.contains("cancel")) return std::nullopt;
  if (uses.contains("wait") && (uses.contains("FIRST_COMPLETED") || uses.contains("FIRST_EXCEPTION"))) {
    return Hint{"wait-loser",
                fmt::format("asyncio.wait() returns when the first is done and leaves `{}` running: in {}, cancel() "
                            "the tasks of its `pending` set and await them",
                            name_of(site), creator_name(site))};
  }
  if (uses.contains("wait") && uses.contains("timeout=")) {
    return Hint{"wait-timeout",
                fmt::format("asyncio.wait() does not cancel `{}` when its timeout is over: in {}, cancel() the tasks "
                            "of its `pending` set and await them, or use asyncio.wait_for()",
                            name_of(site), creator_name(site))};
  }
  if (uses.contains("shield") &&
      (uses.contains("wait_for") || uses.contains("timeout") || uses.contains("timeout_at"))) {
    return Hint{"shield-orphan",
                fmt::format("shield() keeps `{}` running when the time limit in {} is over: keep the task and await or "
                            "cancel() it later, or give it a time limit of its own",
                            name_of(site), creator_name(site))};
  }
  return std::nullopt;
}

Found kept_task(const SiteRow& site) {
  const PatternEvidence& evidence = *site.pattern;
  const auto collection = collection_of(site);
  const bool unawaited = evidence.looked_at >= 3 && few(evidence.awaited, evidence);
  if (!collection || !unawaited || created_by_library(site)) return std::nullopt;
  return Hint{"task-kept", fmt::format("nobody awaits or cancels `{}`, `{}` only keeps its tasks alive: cancel() each "
                                       "when what it was started for ends, or start it in an asyncio.TaskGroup",
                                       name_of(site), to_printable(collection->name))};
}

Found pending_tasks(const SiteRow& site) {
  if (!site.pattern) return std::nullopt;
  const PatternEvidence& evidence = *site.pattern;
  if (evidence.in_circle > 0 && evidence.in_circle * 4 >= site.pending.value_or(site.outstanding) * 3) {
    return Hint{"deadlock", fmt::format("`{}` waits for tasks that wait for it in their turn: none of them can go on; "
                                        "let one of them not await the other",
                                        name_of(site))};
  }
  if (most(evidence.swallowed, evidence)) {
    return Hint{"cancel-swallowed",
                fmt::format("`{}` catches its own cancellation and goes on: let CancelledError through (`except "
                            "Exception`, or `raise` after cleaning up)",
                            name_of(site))};
  }
  // Not gone although cancelled: what it was left by is not what keeps it.
  if (site.cancel_requested.value_or(0) * 2 > site.pending.value_or(0)) return std::nullopt;
  if (auto hint = left_by_helper(site)) return hint;
  if (auto hint = left_by_creator(site)) return hint;
  return kept_task(site);
}

Found done_tasks(const SiteRow& site) {
  const auto collection = collection_of(site);
  if (!collection) return std::nullopt;
  const std::string name = to_printable(collection->name);
  const std::string remedy =
      collection->type == "set" ? fmt::format("task.add_done_callback({}.discard)", name)
      : collection->type == "dict"
          ? "remove the entry in a done callback (task.add_done_callback), or keep results instead"
          : fmt::format("keep results instead, or a set and task.add_done_callback({}.discard)", name);
  return Hint{"done-kept", fmt::format("`{}` keeps finished tasks: {}", name, remedy)};
}

Found timers(const SiteRow& site) {
  if (!site.pattern) return std::nullopt;
  const auto& uses = site.pattern->own_uses;
  if (std::ranges::find(uses, "call_later") == uses.end() && std::ranges::find(uses, "call_at") == uses.end()) {
    return std::nullopt;
  }
  return Hint{"timer-rearmed",
              fmt::format("`{}` schedules itself again each time it is called: keep the handle and cancel() it when "
                          "its object is done, or let it hold the object by a weak reference",
                          name_of(site))};
}

// Between two items, and not a variable of who is in the middle of a loop over it.
Found generators(const SiteRow& site) {
  if (!site.pattern || site.pattern->looked_at < 3 || site.pattern->awaited > 0) return std::nullopt;
  // A function has it at hand: by a variable, or in a collection of a few.
  const bool at_hand = !site.holders.empty() && site.holders.front().find("()") != std::string::npos;
  if (site.holders.empty() || (at_hand && !collection_of(site))) return std::nullopt;
  return Hint{"asyncgen-not-closed",
              fmt::format("`{}` was left before its end and not closed: `async with contextlib.aclosing({}(...)) as "
                          "items` (3.10), or await its aclose() when leaving early",
                          name_of(site), to_printable(last_part(site.identity->coroutine)))};
}

Found transports(const SiteRow& site) {
  if (!site.pattern || site.pattern->item != "subprocess") return std::nullopt;
  if (site.pattern->looked_at < 3 || !few(site.pattern->awaited, *site.pattern)) return std::nullopt;
  return Hint{"subprocess-not-waited",
              "nobody waits for these subprocesses: close their stdin or terminate() them, and await process.wait() or "
              "communicate() on every way out"};
}

// The identity's name is a title: "list `listeners` of app.Emitter".
Found containers(const SiteRow& site) {
  if (!site.pattern) return std::nullopt;
  const std::string_view title = site.identity->coroutine;
  const auto begin = title.find('`');
  const auto end = begin == std::string_view::npos ? begin : title.find('`', begin + 1);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string name = to_printable(title.substr(begin + 1, end - begin - 1));
  if (site.pattern->maxsize == std::uint64_t{0} && site.pattern->getters == std::uint64_t{0}) {
    return Hint{"queue-unbounded",
                fmt::format("`{}` has no bound and is filled faster than it is emptied: give it a maxsize, so that "
                            "put() waits, and more consumers",
                            name)};
  }
  if (site.pattern->item == "callback") {
    return Hint{"listener-kept", fmt::format("`{}` only ever gets more callbacks: remove each when its owner goes, or "
                                             "keep weakref.WeakMethod or a WeakSet",
                                             name)};
  }
  return std::nullopt;
}

}  // namespace

bool is_in_collection(const SiteRow& site) { return collection_of(site).has_value(); }

void add_hint(Finding& finding, const SiteRow& site) {
  const std::string_view kind = finding.kind;
  Found hint;
  if (kind == "task-leak" || kind == "cancel-ignored") hint = pending_tasks(site);
  if (kind == "done-held") hint = done_tasks(site);
  if (kind == "timer-leak") hint = timers(site);
  if (kind == "asyncgen-leak") hint = generators(site);
  if (kind == "transport-leak") hint = transports(site);
  if (kind == "memory-growth" && !site.allocations) hint = containers(site);
  if (!hint) return;
  finding.pattern = hint->pattern;
  finding.hint = std::move(hint->text);
}

}  // namespace asyncleak
