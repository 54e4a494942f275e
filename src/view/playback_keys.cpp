#include "view/playback_keys.h"

#include <algorithm>

namespace asyncleak {
namespace {

constexpr double short_seek_s = 10, long_seek_s = 600;
constexpr double slowest = 1.0 / 16, fastest = 4096;

Action move(UiState& ui, int step, double seek_s) {
  ui.playback->step = step;
  ui.playback->seek_s = seek_s;
  if (step != 0) ui.paused = true;  // a step is to be looked at
  return Action::move_playback;
}

Action change_speed(UiState& ui, double factor) {
  double& speed = ui.playback->speed;
  // As fast as possible is faster than the fastest.
  speed = std::clamp((speed == 0 ? fastest : speed) * factor, slowest, fastest);
  return Action::redraw;
}

}  // namespace

std::optional<Action> playback_key(UiState& ui, char32_t letter) {
  switch (letter) {
    case U'.':
      return move(ui, 1, 0);
    case U',':
      return move(ui, -1, 0);
    case U']':
      return move(ui, 0, short_seek_s);
    case U'[':
      return move(ui, 0, -short_seek_s);
    case U'}':
      return move(ui, 0, long_seek_s);
    case U'{':
      return move(ui, 0, -long_seek_s);
    case U'+':
      return change_speed(ui, 2);
    case U'-':
      return change_speed(ui, 0.5);
    case U'l':
      ui.message = "a recording gets its labels while it is made";
      return Action::redraw;
    case U't':
    case U'm':
      ui.message = "that needs the living process: this is a recording";
      return Action::redraw;
    default:
      return std::nullopt;
  }
}

}  // namespace asyncleak
