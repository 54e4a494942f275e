#include "view/allocation_text.h"

#include "model/byte_ages.h"
#include "util/text.h"
#include "view/graph.h"
#include "view/page_parts.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak {
namespace {

std::string blocks_text(std::uint64_t blocks) {
  return fmt::format("{} {}", format_whole(blocks), plural(blocks, "block"));
}

std::string price_text(const ProcessRow& row) {
  const auto& percent = row.allocation_overhead_percent;
  const auto& hits = row.allocation_hits_per_s;
  return fmt::format("{} of a core, {} hits/s", percent ? format_percent(*percent) : std::string(unknown_cell),
                     hits ? format_rate(*hits) : std::string(unknown_cell));
}

Span price_span(const ProcessRow& row) {
  const ProcessAllocations& allocations = *row.process.allocations;
  const pid_t pid = row.process.pid;
  if (!row.allocated_bytes) return {fmt::format("{}: not counted, see its warning", pid), Role::warn};
  constexpr double noticeable = 10;  // percent of a core
  const bool costly = row.allocation_overhead_percent.value_or(0) > noticeable;
  const std::string_view trouble = allocations.trouble.empty() ? "" : " (not the mode asked for, see its warning)";
  return {fmt::format("{} {}: {}{}", name_of(allocations.mode), pid, price_text(row), trouble),
          costly || !trouble.empty() ? Role::warn : Role::header};
}

// What memory can have grown by that is neither in the pools nor in a block that is not freed, or the reverse.
std::string_view reason_of(std::int64_t unexplained_bytes) {
  return unexplained_bytes > 0 ? "not explained (kept by the allocators, or mapped otherwise)"
                               : "not explained (never written to, swapped out, or from before)";
}

Role role_of_old(Verdict verdict) {
  return verdict == Verdict::leak ? Role::bad : verdict == Verdict::growing ? Role::warn : Role::strong;
}

constexpr double old_s = 60;  // what a leak is: older than a minute and not freed

void add_totals(std::vector<Line>& lines, const SiteRow& site, std::int64_t now_ns, int width) {
  const SiteAllocations& allocations = *site.allocations;
  const auto& growth = site.allocated_growth_per_min;
  const std::uint64_t old = bytes_older_than(allocations.cohorts, old_s, now_ns);
  add_labelled(lines, "Bytes",
               {{(allocations.untracked_blocks > 0 ? ">=" : "") + format_bytes(allocations.bytes), Role::header},
                {fmt::format(" in {}, {}/min; ", blocks_text(allocations.blocks),
                             growth ? format_bytes_change(*growth) : std::string(unknown_cell))},
                {format_bytes(old) + " older than a minute", role_of_old(site.allocated_verdict)}},
               width);
  Line totals = {{fmt::format("{} in {} allocated, {} in {} freed", format_bytes(allocations.allocated_bytes),
                              blocks_text(allocations.allocated_blocks), format_bytes(allocations.freed_bytes),
                              blocks_text(allocations.freed_blocks))}};
  if (allocations.untracked_blocks > 0) {
    totals.push_back({fmt::format("; {} in {} found no room in the kernel's table",
                                  format_bytes(allocations.untracked_bytes), blocks_text(allocations.untracked_blocks)),
                      Role::warn});
  }
  add_labelled(lines, "Total", totals, width);
}

void add_ages(std::vector<Line>& lines, const SiteRow& site, std::int64_t now_ns, int width, bool ascii) {
  const std::vector<AgedBytes> ages = bytes_by_age(site.allocations->cohorts, now_ns);
  if (ages.empty()) return;
  constexpr int label_width = 9, bytes_width = 9;
  const auto most = std::ranges::max(ages, {}, &AgedBytes::bytes).bytes;
  for (std::size_t i = 0; i < ages.size(); ++i) {
    const AgedBytes& age = ages[i];
    const Role role = age.from_s >= old_s && site.allocated_verdict >= Verdict::growing
                          ? role_of_old(site.allocated_verdict)
                          : Role::sparkline;
    lines.push_back(
        {{align_right(age_labels.at(i), label_width) + align_right(format_bytes(age.bytes), bytes_width) + " "},
         {bar(static_cast<double>(age.bytes), static_cast<double>(most), width - label_width - bytes_width - 1, ascii),
          role}});
  }
}

void add_allocating_lines(std::vector<Line>& lines, const SiteAllocations& allocations) {
  constexpr std::size_t shown = 10;
  lines.emplace_back();
  lines.push_back({{"Allocated by, most bytes not freed first", Role::title}});
  if (allocations.lines.empty()) lines.push_back({{"  nothing yet", Role::dim}});
  for (std::size_t i = 0; i < std::min(shown, allocations.lines.size()); ++i) {
    const AllocationLine& line = allocations.lines[i];
    constexpr int bytes_width = 9, blocks_width = 8;
    lines.push_back({{fmt::format("{}{}  ", align_right(format_bytes(line.bytes), bytes_width),
                                  align_right(format_count(line.blocks), blocks_width))},
                     {line.file.empty() ? "not known" : format_frame({line.function, line.file, line.line}),
                      line.file.empty() ? Role::dim : Role::strong},
                     {fmt::format("  of {} allocated", format_bytes(line.allocated_bytes)), Role::dim}});
  }
  if (allocations.lines.size() > shown) {
    lines.push_back({{fmt::format("  ... and {} more", allocations.lines.size() - shown), Role::dim}});
  }
}

}  // namespace

Line allocation_price_line(const Report& report) {
  std::vector<const ProcessRow*> rows;
  for (const ProcessRow& row : report.processes) {
    const auto& allocations = row.process.allocations;
    if (allocations && (row.allocated_bytes || !allocations->trouble.empty())) rows.push_back(&row);
  }
  std::ranges::stable_sort(rows, std::ranges::greater{},
                           [](const ProcessRow* row) { return row->allocation_overhead_percent.value_or(0); });
  Line line;
  for (const ProcessRow* row : rows) {
    if (!line.empty()) line.push_back({"; "});
    line.push_back(price_span(*row));
  }
  return line;
}

Line allocations_line(const ProcessRow& row, std::int64_t now_ns) {
  const ProcessAllocations& allocations = *row.process.allocations;
  Line line;
  if (row.allocated_bytes) {
    const double watched_s = std::max(0.0, static_cast<double>(now_ns - allocations.since_ns) / 1e9);
    line.push_back({fmt::format("{}, {}: ", name_of(allocations.mode), to_printable(allocations.allocator))});
    line.push_back({fmt::format("{} in {}", format_bytes(*row.allocated_bytes), blocks_text(*row.allocated_blocks)),
                    Role::header});
    line.push_back(
        {fmt::format(" allocated in the last {} and not freed; {}", format_duration(watched_s), price_text(row))});
  } else {
    line.push_back({"not counted"});
  }
  if (allocations.untracked_blocks > 0) {
    line.push_back(
        {fmt::format("; at least: {} found no room", blocks_text(allocations.untracked_blocks)), Role::warn});
  }
  if (!allocations.trouble.empty()) line.push_back({"; " + to_printable(allocations.trouble), Role::warn});
  return line;
}

Line account_line(const ProcessRow& row) {
  if (!row.account) return {};
  const MemoryAccount& account = *row.account;
  const bool all = row.process.allocations->mode == MemoryMode::all;
  Line line = {{fmt::format("RSS {} in {} = ", format_bytes_change(static_cast<double>(account.resident_bytes)),
                            format_duration(account.over_s))},
               {format_bytes_change(static_cast<double>(account.allocated_bytes)), Role::header},
               {" allocated and not freed"}};
  if (const auto& small = account.small_objects_bytes) {
    // In mode all they are among those allocated.
    line.push_back({all ? " (" : ", "});
    line.push_back({format_bytes_change(static_cast<double>(*small)), Role::header});
    line.push_back({all ? " of small objects in the pools)" : " small objects in the pools"});
  } else {
    line.push_back({", small objects not known"});
  }
  line.push_back({", "});
  line.push_back({format_bytes_change(static_cast<double>(account.unexplained_bytes)), Role::header});
  line.push_back({fmt::format(" {}", reason_of(account.unexplained_bytes))});
  return line;
}

void add_allocated(std::vector<Line>& lines, const SiteRow& site, bool by_line, std::int64_t now_ns, int width,
                   bool ascii) {
  if (!site.allocations) return;
  lines.emplace_back();
  lines.push_back({{"Allocated and not freed, by age", Role::title}});
  add_totals(lines, site, now_ns, width);
  add_ages(lines, site, now_ns, width, ascii);
  if (by_line) {
    add_allocating_lines(lines, *site.allocations);
  } else if (site.allocations->bytes > 0) {
    lines.push_back({{"  by which lines: --memory-lines", Role::dim}});
  }
}

}  // namespace asyncleak
