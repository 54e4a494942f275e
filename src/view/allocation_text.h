// What the allocator probes counted, in words and in lines: the one wording of every text view.
//
// Used by view/batch, the screen's summary and its pages. Pure.
#pragma once

#include "view/pages.h"

#include <string>
#include <vector>

namespace asyncleak {

// "malloc 812: 3.1% of a core, 52.0k hits/s; ...": the dearest first; empty where no process's allocations are counted.
[[nodiscard]] Line allocation_price_line(const Report& report);

// Of one process: mode, allocator, how much, at what price, how complete. PROCESS has allocations.
[[nodiscard]] Line allocations_line(const ProcessRow& row, std::int64_t now_ns);
// What its resident memory grew by meanwhile, and what explains it; empty while there is nothing to compare.
[[nodiscard]] Line account_line(const ProcessRow& row);

// A site's section: totals, ages, allocating lines. Nothing where its allocations are not counted.
void add_allocated(std::vector<Line>& lines, const SiteRow& site, bool by_line, std::int64_t now_ns, int width,
                   bool ascii);

}  // namespace asyncleak
