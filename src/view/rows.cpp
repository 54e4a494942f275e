#include "view/rows.h"

#include <algorithm>

namespace asyncleak {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool contains(std::string_view text, std::string_view needle) {
  return std::search(text.begin(), text.end(), needle.begin(), needle.end(),
                     [](char a, char b) { return lower(a) == lower(b); }) != text.end();
}

bool is_selected(const TableRow& row, const UiState& ui) {
  if (row.site != nullptr) return row.site->identity->id == ui.selected_site;
  return row.process->process.pid == ui.selected_pid;
}

}  // namespace

bool matches(const TableRow& row, std::string_view needle) {
  if (row.process != nullptr) {
    const ProcessSample& process = row.process->process;
    if (contains(process.comm, needle) || contains(process.cmdline, needle)) return true;
    if (contains(std::to_string(process.pid), needle)) return true;
  }
  if (row.site == nullptr) return false;
  const SiteIdentity& identity = *row.site->identity;
  return contains(identity.coroutine, needle) || contains(identity.file, needle) ||
         std::any_of(identity.created_at.begin(), identity.created_at.end(),
                     [&](const Frame& frame) { return contains(frame.file, needle); });
}

std::vector<TableRow> visible_rows(const Report& report, const UiState& ui) {
  std::vector<TableRow> rows;
  const auto add = [&](const TableRow& row) {
    if (ui.filter.empty() || matches(row, ui.filter)) rows.push_back(row);
  };
  if (ui.by_process) {
    for (const ProcessRow* process : sort_processes(report, ui.sort, ui.reversed)) add({nullptr, process});
  } else {
    for (const SiteRow* site : sort_rows(report, ui.sort, ui.reversed)) {
      if (!ui.only_pid || site->identity->pid == *ui.only_pid) add({site, process_of(report, *site)});
    }
  }
  return rows;
}

int selected_index(const std::vector<TableRow>& rows, const UiState& ui) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const TableRow& row) { return is_selected(row, ui); });
  if (found != rows.end()) return static_cast<int>(found - rows.begin());
  return std::clamp(ui.selected_index, 0, std::max(0, static_cast<int>(rows.size()) - 1));
}

void select_row(UiState& ui, const std::vector<TableRow>& rows, int index) {
  if (rows.empty()) return;
  ui.selected_index = std::clamp(index, 0, static_cast<int>(rows.size()) - 1);
  const TableRow& row = rows[static_cast<std::size_t>(ui.selected_index)];
  if (row.site != nullptr) {
    ui.selected_site = row.site->identity->id;
  } else {
    ui.selected_pid = row.process->process.pid;
  }
}

const SiteRow* selected_site(const Report& report, const UiState& ui) {
  const auto found = std::find_if(report.sites.begin(), report.sites.end(),
                                  [&](const SiteRow& site) { return site.identity->id == ui.selected_site; });
  return found == report.sites.end() ? nullptr : &*found;
}

const ProcessRow* selected_process(const Report& report, const UiState& ui) {
  if (!ui.by_process) {
    const SiteRow* site = selected_site(report, ui);
    return site != nullptr ? process_of(report, *site) : nullptr;
  }
  const auto found = std::find_if(report.processes.begin(), report.processes.end(),
                                  [&](const ProcessRow& row) { return row.process.pid == ui.selected_pid; });
  return found == report.processes.end() ? nullptr : &*found;
}

std::vector<const Column*> sort_columns(bool by_process) {
  std::vector<const Column*> choices;
  for (const Column& column : columns()) {
    if (!by_process || column.process_sort != nullptr) choices.push_back(&column);
  }
  return choices;
}

const Column& sort_column(const UiState& ui) {
  const Column* column = find_column(ui.sort);
  const bool usable = column != nullptr && (!ui.by_process || column->process_sort != nullptr);
  return usable ? *column : *find_column(default_sort);
}

std::string cell_text(const Column& column, const TableRow& row) {
  if (row.site != nullptr) return column.site_text(*row.site, row.process);
  return column.process_text(*row.process);
}

}  // namespace asyncleak
