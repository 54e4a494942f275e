#include "model/site_kind.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace asyncleak {
namespace {

struct Words {
  SiteKind kind;
  std::string_view contract, brief, one, many, is, are;
};
constexpr std::array words = {
    Words{SiteKind::task, "task", "task", "task", "tasks", "exists", "exist"},
    Words{SiteKind::coroutine, "coroutine", "coro", "coroutine", "coroutines", "was never started",
          "were never started"},
    Words{SiteKind::asyncgen, "asyncgen", "agen", "async generator", "async generators", "was started and not finished",
          "were started and not finished"},
    Words{SiteKind::timer, "timer", "timer", "scheduled callback", "scheduled callbacks", "waits", "wait"},
    Words{SiteKind::transport, "transport", "trans", "transport", "transports", "exists", "exist"},
    Words{SiteKind::alloc, "alloc", "alloc", "item", "items", "is in it", "are in it"},
};

const Words& words_of(SiteKind kind) { return words.at(static_cast<std::size_t>(kind)); }

}  // namespace

SiteKind kind_of(const SiteIdentity& identity) {
  const auto* const found =
      std::find_if(words.begin(), words.end(), [&](const Words& each) { return each.contract == identity.kind; });
  return found == words.end() ? SiteKind::task : found->kind;
}

Verdict limit_of_kind(const SiteIdentity& identity) {
  if (kind_of(identity) != SiteKind::timer) return Verdict::leak;
  if (identity.file.empty() && identity.coroutine == "cancelled") return Verdict::steady;
  // The callback of asyncio.sleep(), futures.py 3.8 to 3.15.
  return identity.coroutine == "_set_result_unless_cancelled" ? Verdict::growing : Verdict::leak;
}

std::string_view short_name(SiteKind kind) { return words_of(kind).brief; }

CountWords words_for(SiteKind kind, std::uint64_t count) {
  const Words& each = words_of(kind);
  return count == 1 ? CountWords{each.one, each.is} : CountWords{each.many, each.are};
}

std::string count_in_words(SiteKind kind, std::uint64_t count) {
  const auto [noun, verb] = words_for(kind, count);
  return fmt::format("{} {} {}", count, noun, verb);
}

}  // namespace asyncleak
