#include "view/motion_keys.h"

namespace asyncleak {

char32_t letter_of(Key key) {
  if (key.code == KeyCode::character) return key.character;
  if (key.code != KeyCode::function) return 0;
  switch (key.character) {
    case 1:
      return U'?';
    case 3:
      return U'/';
    case 4:
      return U'f';
    case 6:
      return U's';
    case 10:
      return U'Q';
    default:
      return 0;
  }
}

std::optional<int> movement(Key key, int page, int all) {
  switch (key.code) {
    case KeyCode::up:
      return -1;
    case KeyCode::down:
      return 1;
    case KeyCode::page_up:
      return -page;
    case KeyCode::page_down:
      return page;
    case KeyCode::home:
      return -all;
    case KeyCode::end:
      return all;
    default:
      break;
  }
  switch (letter_of(key)) {
    case U'k':
      return -1;
    case U'j':
      return 1;
    case U'g':
      return -all;
    case U'G':
      return all;
    default:
      return std::nullopt;
  }
}

bool is_back(Key key) {
  return key.code == KeyCode::escape || key.code == KeyCode::backspace || key.code == KeyCode::left;
}

bool is_enter(Key key) { return key.code == KeyCode::enter || key.code == KeyCode::right; }

}  // namespace asyncleak
