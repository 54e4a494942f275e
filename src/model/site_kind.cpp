#include "model/site_kind.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace asyncleak {
namespace {

struct Words {
  SiteKind kind;
  std::string_view contract, brief, one, many;
};
constexpr std::array words = {
    Words{SiteKind::task, "task", "task", "task exists", "tasks exist"},
    Words{SiteKind::coroutine, "coroutine", "coro", "coroutine was never started", "coroutines were never started"},
    Words{SiteKind::asyncgen, "asyncgen", "agen", "async generator was started and not finished",
          "async generators were started and not finished"},
    Words{SiteKind::timer, "timer", "timer", "scheduled callback waits", "scheduled callbacks wait"},
    Words{SiteKind::transport, "transport", "trans", "transport exists", "transports exist"},
    Words{SiteKind::alloc, "alloc", "alloc", "item is in it", "items are in it"},
};

const Words& words_of(SiteKind kind) { return words.at(static_cast<std::size_t>(kind)); }

}  // namespace

SiteKind kind_of(const SiteIdentity& identity) {
  const auto* const found =
      std::find_if(words.begin(), words.end(), [&](const Words& each) { return each.contract == identity.kind; });
  return found == words.end() ? SiteKind::task : found->kind;
}

std::string_view short_name(SiteKind kind) { return words_of(kind).brief; }

std::string count_in_words(SiteKind kind, std::uint64_t count) {
  return fmt::format("{} {}", count, count == 1 ? words_of(kind).one : words_of(kind).many);
}

}  // namespace asyncleak
