// Pieces that several pages of the live view and `inspect` are made of.
//
// Used by view/page_*.cpp and view/inspect_text.cpp. Pure.
#pragma once

#include "view/pages.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

// Of the classes of age that histograms show, youngest first.
inline constexpr std::array<std::string_view, 8> age_labels = {"     < 1s", "  1s-10s", " 10s-1m",  "  1m-10m",
                                                               " 10m-1h",   "   1h-6h", "   6h-1d", "     > 1d"};

// "Memory  RSS 104MiB: ...": the label in a column of its own, the rest wrapped beside it.
void add_labelled(std::vector<Line>& lines, std::string_view label, const Line& value, int width);

// A frame a line, INDENT columns in; the program's own stand out, asyncio's stand back.
void add_frames(std::vector<Line>& lines, const std::vector<Frame>& frames, std::string_view indent);

[[nodiscard]] Role role_of(Verdict verdict);

// A graph of at most ROWS rows below its title.
void add_history(std::vector<Line>& lines, std::string_view title, const std::vector<double>& history, int width,
                 int rows, bool ascii);

// "3 ready, 12 timers (2 cancelled), 40 transports", or why that is not known.
[[nodiscard]] std::string loop_text(const LoopSample& loop);
// "RSS 104MiB: 61.0MiB small objects in 70.0MiB of arenas, ..."
[[nodiscard]] std::string memory_text(const ProcessSample& process);
// Of the loops and the memory, a line each or more; what was not observed is left out.
void add_process_facts(std::vector<Line>& lines, const ProcessSample& process, int width);

}  // namespace asyncleak
