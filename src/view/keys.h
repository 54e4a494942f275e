// The keys of the live view and what they do to what is shown.
//
// Read by view/terminal, acted on here; used by the main loop in src/cli. Pure: changes UiState
// and nothing else; what the main loop must do itself comes back as an Action.
#pragma once

#include "model/report.h"
#include "sample/inspection.h"
#include "view/frame.h"
#include "view/ui_state.h"

namespace asyncleak {

enum class KeyCode {
  character,  // Key::character
  function,   // F1, F2, ...: Key::character is the number
  up,
  down,
  left,
  right,
  page_up,
  page_down,
  home,
  end,
  enter,
  escape,
  backspace,
  resize,  // the terminal's size changed, or Ctrl-L: draw again
  hangup,  // the terminal is gone
};

struct Key {
  KeyCode code = KeyCode::character;
  char32_t character = 0;
};

enum class Action {
  none,    // nothing changed
  redraw,  // draw UiState again
  quit,
  write_snapshot,  // write the report to a file; tell the outcome in UiState::message
  change_delay,    // UiState::delay_s has a new value
  set_label,       // the next sample is called UiState::label
  move_playback,   // to another moment of the recording: UiState::playback says which
  change_memory,   // the next memory mode for UiState::memory_pid; tell the outcome in UiState::message
  inspect_site,    // look at the process of UiState::selected_site, hand the answer to render()
};

// REPORT, SIZE and INSPECTION are those of the last render(): moving about needs the rows and the page size.
Action handle_key(UiState& ui, Key key, const Report& report, Size size, const Inspection* inspection = nullptr);

}  // namespace asyncleak
