// What a site counts, and what that is called in a table and in a sentence.
//
// Used by this folder and src/view. The names of the contract (DESIGN.md section 2) stand in
// SiteIdentity::kind; everybody else asks here.
#pragma once

#include "model/report.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace asyncleak {

enum class SiteKind { task, coroutine, asyncgen, timer, transport, alloc };

[[nodiscard]] SiteKind kind_of(const SiteIdentity& identity);

// Some timers are never a leak of their own, however many there are. Cancelled ones wait for the loop to drop them: it
// does when there are 100 timers and half of them are cancelled (base_events.py, 3.8 to 3.15). Those of sleep() end
// with their task, which has a row. Of every other kind: leak.
[[nodiscard]] Verdict limit_of_kind(const SiteIdentity& identity);

// At most five characters: "task", "coro", "agen", "timer", "trans", "alloc".
[[nodiscard]] std::string_view short_name(SiteKind kind);

// "tasks", "exist"; "async generator", "was started and not finished".
struct CountWords {
  std::string_view noun, verb;
};
[[nodiscard]] CountWords words_for(SiteKind kind, std::uint64_t count);

// "1 task exists", "12 coroutines were never started", "3 transports are open".
[[nodiscard]] std::string count_in_words(SiteKind kind, std::uint64_t count);

}  // namespace asyncleak
