#include "view/findings_list.h"

#include "model/site_key.h"
#include "util/text.h"
#include "view/finding_text.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak {
namespace {

// What a finding is about does not change from refresh to refresh; its place in the list does.
std::string key_of(const Finding& finding) {
  return fmt::format("{} {} {} {}", finding.kind, finding.pid, finding.site, finding.coroutine);
}

int selected_finding(const std::vector<const Finding*>& findings, const UiState& ui) {
  const auto found =
      std::ranges::find_if(findings, [&](const Finding* finding) { return key_of(*finding) == ui.selected_finding; });
  if (found != findings.end()) return static_cast<int>(found - findings.begin());
  return std::clamp(ui.finding_index, 0, std::max(0, static_cast<int>(findings.size()) - 1));
}

// Of a path that is too long the end tells more: its function goes into a line of its own.
void add_place(std::vector<Line>& lines, std::string_view label, const std::optional<Frame>& frame, int width) {
  if (!frame) return;
  const int room = width - width_of(label);
  const std::string text = format_frame(*frame);
  if (width_of(text) <= room) {
    lines.push_back({{std::string(label) + text}});
    return;
  }
  const std::string margin(label.size(), ' ');
  lines.push_back({{std::string(label) + cut_left(format_frame({"", frame->file, frame->line}), room)}});
  lines.push_back({{margin + cut_left(to_printable(frame->function), room)}});
}

void add_entry(std::vector<Line>& lines, const Report& report, const Finding& finding, bool selected, int width) {
  const auto process =
      std::ranges::find_if(report.processes, [&](const ProcessRow& row) { return row.process.pid == finding.pid; });
  const std::string comm = process == report.processes.end() ? "" : " " + to_printable(process->process.comm);
  const std::string subject = finding.coroutine.empty() ? "" : " " + to_printable(finding.coroutine);
  const std::string head = fmt::format("{} {}{}: pid {}{}, {}", word_of(finding.severity), finding.kind, subject,
                                       finding.pid, comm, standing_text(finding));
  lines.push_back({{cut_right(head, width), selected ? Role::selected : role_of(finding)}});
  constexpr int most_lines = 5, margin = 2;
  for (auto& line : wrap(finding.why, width - margin, most_lines)) {
    lines.push_back({{std::string(margin, ' ') + std::move(line)}});
  }
  add_place(lines, "  created in ", finding.created_in, width);
  add_place(lines, "  waiting in ", finding.waiting_in, width);
  if (!finding.hint.empty()) {
    for (auto& line : wrap(hint_text(finding), width - margin, most_lines)) {
      lines.push_back({{std::string(margin, ' ') + std::move(line), Role::strong}});
    }
  }
}

struct Listing {
  std::vector<Line> lines;
  std::vector<int> first_lines;  // of each finding, and of what would be the next one
};

Listing list(const Report& report, const UiState& ui, Size size) {
  const std::vector<const Finding*> findings = shown_findings(report, ui);
  const int selected = selected_finding(findings, ui);
  Listing listing;
  listing.lines = {{{findings.empty() ? "No finding stands: nothing accumulates that has been watched long enough"
                                      : "Findings, worst first (Enter: its site)",
                     Role::title}}};
  for (const Finding* finding : findings) {
    listing.first_lines.push_back(static_cast<int>(listing.lines.size()));
    const bool is_selected = static_cast<int>(listing.first_lines.size()) - 1 == selected;
    add_entry(listing.lines, report, *finding, is_selected, size.columns);
    listing.lines.emplace_back();
  }
  listing.first_lines.push_back(static_cast<int>(listing.lines.size()));
  return listing;
}

}  // namespace

std::vector<const Finding*> shown_findings(const Report& report, const UiState& ui) {
  std::vector<const Finding*> shown;
  for (const Finding& finding : report.findings) {
    if (!ui.only_pid || finding.pid == *ui.only_pid) shown.push_back(&finding);
  }
  return shown;
}

const Finding* worst_finding(const Report& report, const UiState& ui) {
  const auto shown = shown_findings(report, ui);
  return shown.empty() ? nullptr : shown.front();
}

std::vector<Line> findings_lines(const Report& report, const UiState& ui, Size size) {
  return list(report, ui, size).lines;
}

void move_finding(UiState& ui, const Report& report, Size size, int findings) {
  const auto shown = shown_findings(report, ui);
  if (shown.empty()) return;
  const int last = static_cast<int>(shown.size()) - 1;
  ui.finding_index = std::clamp(selected_finding(shown, ui) + findings, 0, last);
  const auto index = static_cast<std::size_t>(ui.finding_index);
  ui.selected_finding = key_of(*shown[index]);
  const std::vector<int> first_lines = list(report, ui, size).first_lines;
  // The title stays with the first one.
  const int first = index == 0 ? 0 : first_lines[index];
  const int lowest = first_lines[index + 1] - size.rows;
  ui.page_scroll = std::min(std::max(ui.page_scroll, lowest), first);
}

Page select_subject(UiState& ui, const Report& report) {
  const auto shown = shown_findings(report, ui);
  if (shown.empty()) return Page::table;
  const Finding& finding = *shown[static_cast<std::size_t>(selected_finding(shown, ui))];
  ui.selected_finding = key_of(finding);
  ui.selected_pid = finding.pid;
  const SiteRow* any = nullptr;
  for (const SiteRow& site : report.sites) {
    if (site.identity->pid != finding.pid) continue;
    any = &site;
    if (finding.site.empty() || site_key(*site.identity) != finding.site) continue;
    ui.selected_site = site.identity->id;
    return Page::site;
  }
  // Without rows by process the process is that of the selected site.
  if (any == nullptr && !ui.by_process) return Page::table;
  if (any != nullptr) ui.selected_site = any->identity->id;
  return Page::process;
}

}  // namespace asyncleak
