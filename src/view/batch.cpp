#include "view/batch.h"

#include "util/text.h"
#include "view/allocation_text.h"
#include "view/finding_text.h"
#include "view/page_parts.h"
#include "view/trust.h"

#include <fmt/format.h>
#include <algorithm>
#include <iterator>
#include <utility>

namespace asyncleak {
namespace {

bool starts_character(char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; }

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

std::string_view first_characters(std::string_view text, std::size_t count) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (starts_character(text[i]) && seen++ == count) return text.substr(0, i);
  }
  return text;
}

// Lines go out cut to the width and without trailing blanks.
class Lines {
 public:
  Lines(std::ostream& out, std::size_t width) : out_(out), width_(width) {}
  void add(std::string_view line) {
    if (width_ > 0) line = first_characters(line, width_);
    const std::size_t end = line.find_last_not_of(' ');
    out_ << line.substr(0, end == std::string_view::npos ? 0 : end + 1) << '\n';
  }

 private:
  std::ostream& out_;
  std::size_t width_;
};

std::string or_unknown(const std::optional<double>& value, std::string (*format)(double)) {
  return value ? format(*value) : std::string(unknown_cell);
}

std::string text_of(const Line& line) {
  std::string text;
  for (const Span& span : line) text += span.text;
  return text;
}

void write_header(Lines& lines, const Report& report) {
  lines.add(fmt::format("asyncleak-top - {} {} up {}, watching {} for {}", to_printable(report.host),
                        format_time_utc(report.wall_ns), format_duration(report.host_uptime_s),
                        format_counted(report.processes.size(), "process"), format_duration(report.watched_s)));
  lines.add(fmt::format("tasks: {} outstanding, {} created/s, {} destroyed/s", report.outstanding,
                        or_unknown(report.created_per_s, format_rate),
                        or_unknown(report.destroyed_per_s, format_rate)));
  lines.add(fmt::format("probes: {} hits/s, {:.0f} ns a hit, {} of one core",
                        or_unknown(report.hits_per_s, format_rate), report.probes.cost_ns_per_hit,
                        or_unknown(report.overhead_percent, format_percent)));
  if (const Line price = allocation_price_line(report); !price.empty()) lines.add("price: " + text_of(price));
  lines.add("trust: " + text_of(trust_line(report)));
}

void write_findings(Lines& lines, const Report& report) {
  if (report.findings.empty()) return;
  lines.add("");
  for (const Finding& finding : report.findings) {
    const std::string subject = finding.coroutine.empty() ? "" : " " + to_printable(finding.coroutine);
    lines.add(fmt::format("{} {}: pid {}{}: {} ({})", word_of(finding.severity), finding.kind, finding.pid, subject,
                          finding.why, standing_text(finding)));
    if (!finding.hint.empty()) lines.add("  " + hint_text(finding));
  }
}

void add_cell(std::string& line, std::string_view text, std::size_t width, Align align) {
  const std::size_t length = characters(text);
  const std::string blanks(width > length ? width - length : 0, ' ');
  if (!line.empty()) line += ' ';
  line += align == Align::right ? blanks : "";
  line += text;
  line += align == Align::left ? blanks : "";
}

void write_table(Lines& lines, const Report& report, const TableOptions& options) {
  lines.add("");
  if (report.sites.empty()) {
    lines.add(report.processes.empty() ? "no asyncio process yet" : "no task created since attach");
    return;
  }
  std::vector<const SiteRow*> rows = sort_rows(report, options.sort, options.reversed);
  const std::size_t all = rows.size();
  if (options.limit > 0 && all > options.limit) rows.resize(options.limit);

  std::vector<Column> shown;
  std::ranges::copy_if(columns(), std::back_inserter(shown), [&](const Column& c) { return has_content(c, report); });
  std::vector<std::vector<std::string>> cells(rows.size() + 1);
  std::vector<std::size_t> widths(shown.size());
  for (std::size_t row = 0; row <= rows.size(); ++row) {
    const ProcessRow* process = row == 0 ? nullptr : process_of(report, *rows[row - 1]);
    for (std::size_t i = 0; i < shown.size(); ++i) {
      cells[row].push_back(row == 0 ? std::string(shown[i].title) : shown[i].site_text(*rows[row - 1], process));
      widths[i] = std::max(widths[i], characters(cells[row][i]));
    }
  }
  for (const auto& row : cells) {
    std::string line;
    for (std::size_t i = 0; i < shown.size(); ++i) add_cell(line, row[i], widths[i], shown[i].align);
    lines.add(line);
  }
  if (rows.size() < all) lines.add(fmt::format("... and {}", format_counted(all - rows.size(), "more site")));
}

// What memory shows of each process: one line a fact, with its process, for grep.
void write_processes(Lines& lines, const Report& report) {
  bool first = true;
  for (const ProcessRow& row : report.processes) {
    const ProcessSample& process = row.process;
    const auto add = [&](std::string_view what, const std::string& text) {
      if (std::exchange(first, false)) lines.add("");
      lines.add(fmt::format("{}: pid {} {}: {}", what, process.pid, to_printable(process.comm), text));
    };
    if (process.census) add("census", text_of(census_line(process, report.monotonic_ns)));
    for (const LoopSample& loop : process.loops) add("loop", loop_text(loop));
    if (process.memory) add("memory", memory_text(process));
    if (process.allocations) add("allocations", text_of(allocations_line(row, report.monotonic_ns)));
    if (row.account) add("growth", text_of(account_line(row)));
  }
}

void write_warnings(Lines& lines, const Report& report) {
  bool first = true;
  for (const ProcessRow& row : report.processes) {
    for (const std::string& warning : row.process.warnings) {
      if (std::exchange(first, false)) lines.add("");
      lines.add(fmt::format("warning: pid {} {}: {}", row.process.pid, to_printable(row.process.comm),
                            to_printable(warning)));
    }
  }
}

}  // namespace

void write_batch(std::ostream& out, const Report& report, const TableOptions& options) {
  Lines lines(out, options.width);
  write_header(lines, report);
  write_findings(lines, report);
  write_table(lines, report, options);
  write_processes(lines, report);
  write_warnings(lines, report);
  lines.add("");
}

}  // namespace asyncleak
