#include "model/site_kind.h"
#include "model/user_frame.h"
#include "util/signed_difference.h"
#include "util/text.h"
#include "view/diff.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>

namespace asyncleak {
namespace {

constexpr std::string_view unknown = "-";

using Cells = std::array<std::string, 8>;
constexpr std::array<std::string_view, 8> titles = {"",       "NOW",     "CHANGE",    "+/MIN",
                                                    "+BYTES", "VERDICT", "COROUTINE", "CREATED AT"};
constexpr std::size_t verdict_column = 5, coroutine_column = 6, place_column = 7;

// As format_bytes(), signed.
std::string bytes_change(double value) {
  const auto size = format_bytes(static_cast<std::uint64_t>(std::llround(std::abs(value))));
  if (value == 0) return "0";
  return (value > 0 ? "+" : "-") + size;
}

std::string change(std::int64_t value) { return value > 0 ? fmt::format("+{}", value) : fmt::format("{}", value); }

std::string mark_of(const SiteDifference& site) {
  if (!site.before.identity) return "+";
  if (!site.after.identity) return "-";
  return site.pairing == Pairing::exact ? "" : "~";
}

std::string verdict_of(const SiteDifference& site) {
  const auto& before = site.before.verdict;
  const auto& after = site.after.verdict;
  if (!after) return std::string(unknown);
  const auto now = std::string(name_of(*after));
  return !before || *before == *after ? now : fmt::format("{}>{}", name_of(*before), now);
}

std::string line_of(const std::string& file, std::optional<int> line) {
  const auto name = to_printable(base_name(file));
  return line ? fmt::format("{}:{}", name, *line) : name;
}

std::string place_of(const SiteIdentity& identity) {
  if (const Frame* frame = user_frame(identity)) return line_of(frame->file, frame->line);
  return identity.file.empty() ? std::string(unknown) : "def " + line_of(identity.file, identity.line);
}

std::string name_of_site(const SiteIdentity& identity) {
  const SiteKind kind = kind_of(identity);
  const auto name = to_printable(identity.coroutine);
  return kind == SiteKind::task ? name : fmt::format("{} {}", short_name(kind), name);
}

Cells cells_of(const SiteDifference& site) {
  const SiteIdentity& identity = site.identity();
  const bool growth_says = site.growth_per_min && site.unexplained > 0;
  return {mark_of(site),
          fmt::format("{}", site.after.outstanding),
          change(site.outstanding()),
          growth_says ? format_change(*site.growth_per_min) : std::string(unknown),
          site.bytes ? bytes_change(*site.bytes) : std::string(unknown),
          verdict_of(site),
          name_of_site(identity),
          place_of(identity)};
}

// The names share what the numbers leave.
void fit_names(std::array<int, 8>& widths, std::size_t screen) {
  if (screen == 0) return;
  constexpr int narrowest = 12;
  int used = 0;
  for (std::size_t i = 0; i < coroutine_column; ++i) used += widths[i] + 1;
  const int rest = std::max(static_cast<int>(screen) - used - 1, 2 * narrowest);
  widths[place_column] = std::min(widths[place_column], std::max(narrowest, rest - widths[coroutine_column]));
  widths[place_column] = std::min(widths[place_column], std::max(narrowest, rest / 2));
  widths[coroutine_column] = std::min(widths[coroutine_column], rest - widths[place_column]);
}

std::string line_of(const Cells& cells, const std::array<int, 8>& widths) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) line += ' ';
    const bool left = i == 0 || i >= verdict_column;
    // The end of a qualified name tells more than its beginning.
    line += left ? align_left(cut_left(cells[i], widths[i]), widths[i]) : align_right(cells[i], widths[i]);
  }
  return line.substr(0, line.find_last_not_of(' ') + 1);
}

std::string colored(const std::string& line, const SiteDifference& site, bool color) {
  const bool leaks = site.after.verdict.value_or(Verdict::fresh) == Verdict::leak;
  return color && leaks && site.unexplained > 0 ? "\033[1;31m" + line + "\033[m" : line;
}

std::string moment_line(std::string_view title, const MomentName& name) {
  std::string line = fmt::format("{}  {}  {}, watched for {}", title, to_printable(name.file),
                                 format_time_utc(name.wall_ns), format_duration(name.watched_s));
  for (const std::string& label : name.labels) line += fmt::format("  \"{}\"", to_printable(label));
  return line + "\n";
}

std::string total_line(std::string_view title, const std::string& before, const std::string& after,
                       const std::string& difference) {
  return fmt::format("{:<10}{:>12}{:>12}{:>12}\n", title, before, after, difference);
}

std::string count_line(std::string_view title, std::uint64_t before, std::uint64_t after) {
  return total_line(title, fmt::format("{}", before), fmt::format("{}", after),
                    change(signed_difference(after, before)));
}

std::string bytes_line(std::string_view title, std::optional<std::uint64_t> before,
                       std::optional<std::uint64_t> after) {
  const auto text = [](const std::optional<std::uint64_t>& value) {
    return value ? format_bytes(*value) : std::string(unknown);
  };
  const bool both = before && after;
  return total_line(
      title, text(before), text(after),
      both ? bytes_change(static_cast<double>(*after) - static_cast<double>(*before)) : std::string(unknown));
}

std::string totals_text(const Difference& difference) {
  const Totals& before = difference.before;
  const Totals& after = difference.after;
  return total_line("", "BEFORE", "AFTER", "CHANGE") + count_line("processes", before.processes, after.processes) +
         count_line("tasks", before.outstanding, after.outstanding) +
         count_line("created", before.created_total, after.created_total) +
         bytes_line("RSS", before.rss_bytes, after.rss_bytes) + bytes_line("VMS", before.vms_bytes, after.vms_bytes);
}

std::string table(const std::vector<const SiteDifference*>& sites, const DiffStyle& style) {
  std::vector<Cells> rows;
  std::array<int, 8> widths{};
  for (std::size_t i = 0; i < titles.size(); ++i) widths[i] = width_of(titles[i]);
  widths[0] = 1;
  for (const SiteDifference* site : sites) {
    const Cells& cells = rows.emplace_back(cells_of(*site));
    for (std::size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width_of(cells[i]));
  }
  fit_names(widths, style.width);
  Cells head;
  std::ranges::copy(titles, head.begin());
  std::string text = line_of(head, widths) + "\n";
  bool moved = false, fresh = false, vanished = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    text += colored(line_of(rows[i], widths), *sites[i], style.color) + "\n";
    moved |= rows[i][0] == "~";
    fresh |= rows[i][0] == "+";
    vanished |= rows[i][0] == "-";
  }
  std::string legend;
  if (fresh) legend += "  + new";
  if (vanished) legend += "  - vanished";
  if (moved) legend += "  ~ moved: other lines or folders, the same functions";
  return legend.empty() ? text : text + legend.substr(2) + "\n";
}

}  // namespace

std::string diff_text(const NamedDifference& diff, const DiffStyle& style) {
  std::vector<const SiteDifference*> shown;
  for (const SiteDifference& site : diff.difference.sites) {
    if (changed(site)) shown.push_back(&site);
  }
  const std::size_t unchanged = diff.difference.sites.size() - shown.size();
  const std::size_t all = shown.size();
  if (style.limit > 0 && all > style.limit) shown.resize(style.limit);
  std::string text = moment_line("before", diff.before) + moment_line("after ", diff.after) + "\n" +
                     totals_text(diff.difference) + "\n";
  text += shown.empty() ? "no site changed\n" : table(shown, style);
  if (shown.size() < all) text += fmt::format("... and {} more that changed\n", all - shown.size());
  if (unchanged > 0) text += format_counted(unchanged, "site") + " did not change\n";
  return text;
}

}  // namespace asyncleak
