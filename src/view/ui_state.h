// What the user has chosen to look at: the whole state of the live view.
//
// Changed by view/keys, read by view/screen; the main loop sets `ascii`, `delay_s` and `sort` at
// the start and `message` after an action. Passive; holds no data of a report, so it survives it.
#pragma once

#include "view/columns.h"

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak {

enum class Page { table, site, tasks, process, findings, help, sort };
enum class Prompt { none, search, filter, label };

// Where in a recording the view is, and where the user wants it to be.
struct Playback {
  std::string file;
  double position_s = 0, length_s = 0;  // since its first moment
  std::string label;                    // the last one until then; empty: none
  double speed = 1;                     // times real time; 0: as fast as possible
  bool at_end = false;
  // Of Action::move_playback: samples, or seconds if there are none; negative: back.
  int step = 0;
  double seek_s = 0;
};

struct UiState {
  bool ascii = false;   // bars and graphs in ASCII
  bool paused = false;  // the main loop keeps giving the report it had
  double delay_s = 1;
  std::optional<Playback> playback;  // nullopt: live
  std::string message;               // shown in the bottom line until the next key
  std::string selected_finding;      // in the findings page: what it is about, as view/findings_list writes it

  Page page = Page::table;
  int finding_index = 0;          // in the findings page, where to stay when the selected one is gone
  std::vector<Page> pages_below;  // where Esc goes back through; the table is below them all
  Prompt prompt = Prompt::none;   // keys go into the text of the search or the filter
  std::string search, filter;
  std::string label;  // of the next sample, being typed, or what Action::set_label is about

  bool by_process = false;
  std::optional<pid_t> only_pid;  // sites of this process; Esc goes back to the processes
  std::string sort{default_sort};
  bool reversed = false;

  // The selection follows the thing, not the row: rows move. The index is where to stay when the
  // thing is gone.
  std::optional<std::uint64_t> selected_site;
  std::optional<pid_t> selected_pid;
  int selected_index = 0;
  std::optional<pid_t> memory_pid;  // whose memory mode Action::change_memory is about
  int first_row = 0;                // of the table; moved only as far as the selection needs
  int page_scroll = 0;              // lines, on the other pages
  int sort_choice = 0;              // in the sort page
};

}  // namespace asyncleak
