#include "view/terminal.h"

#include "util/handle.h"
#include "view/terminal_guard.h"

#include <langinfo.h>
#include <poll.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#define NCURSES_NOMACROS 1
#define NCURSES_WIDECHAR 1
#include <curses.h>

namespace asyncleak {
namespace {

struct Look {
  Role role;
  short color;  // -1: the terminal's own
  attr_t color_attributes;
  attr_t plain_attributes;  // without colour
};

constexpr std::array looks = {
    Look{Role::normal, -1, A_NORMAL, A_NORMAL},
    Look{Role::header, -1, A_BOLD, A_BOLD},
    Look{Role::title, COLOR_GREEN, A_REVERSE, A_REVERSE},
    Look{Role::sorted, COLOR_CYAN, A_REVERSE | A_BOLD, A_REVERSE | A_BOLD},
    Look{Role::selected, COLOR_CYAN, A_REVERSE, A_REVERSE | A_BOLD},
    Look{Role::good, COLOR_GREEN, A_NORMAL, A_NORMAL},
    Look{Role::warn, COLOR_YELLOW, A_NORMAL, A_BOLD},
    Look{Role::bad, COLOR_RED, A_BOLD, A_BOLD},
    Look{Role::dim, -1, A_DIM, A_DIM},
    Look{Role::strong, -1, A_BOLD, A_BOLD},
    Look{Role::key, COLOR_CYAN, A_REVERSE, A_REVERSE},
    Look{Role::sparkline, COLOR_CYAN, A_NORMAL, A_NORMAL},
};

constexpr short pair_of(const Look& look) { return static_cast<short>(static_cast<int>(look.role) + 1); }

struct CloseFile {
  void operator()(FILE* file) const {
    if (file != stdin) std::fclose(file);
  }
};

// The bytes that undo what curses did to the terminal. tputs() would leave out the padding
// ("$<5>", terminfo(5)) but comes with term.h, whose macros (lines, columns, ...) eat our names.
std::string restore_sequence() {
  std::string sequence;
  for (const char* name : {"sgr0", "rmkx", "cnorm", "rmcup"}) {
    const char* capability = tigetstr(name);
    if (capability == nullptr || reinterpret_cast<std::intptr_t>(capability) == -1) continue;
    std::string text = capability;
    for (auto from = text.find("$<"); from != std::string::npos; from = text.find("$<")) {
      text.erase(from, text.find('>', from) - from + 1);
    }
    sequence += text;
  }
  return sequence;
}

Key translate(wint_t input, bool is_code) {
  if (!is_code) {
    switch (input) {
      case '\n':
      case '\r':
        return {KeyCode::enter};
      case '\t':
      case '\033':
        return {input == '\t' ? KeyCode::right : KeyCode::escape};
      case '\b':
      case 0x7F:
        return {KeyCode::backspace};
      case 'L' - '@':  // Ctrl-L: somebody else wrote on our screen
        clearok(curscr, TRUE);
        return {KeyCode::resize};
      default:
        return {KeyCode::character, static_cast<char32_t>(input)};
    }
  }
  if (input >= KEY_F(1) && input <= KEY_F(12)) return {KeyCode::function, input - KEY_F(0)};
  constexpr std::pair<wint_t, KeyCode> codes[] = {{KEY_UP, KeyCode::up},         {KEY_DOWN, KeyCode::down},
                                                  {KEY_LEFT, KeyCode::left},     {KEY_RIGHT, KeyCode::right},
                                                  {KEY_PPAGE, KeyCode::page_up}, {KEY_NPAGE, KeyCode::page_down},
                                                  {KEY_HOME, KeyCode::home},     {KEY_END, KeyCode::end},
                                                  {KEY_ENTER, KeyCode::enter},   {KEY_BACKSPACE, KeyCode::backspace}};
  const auto* known = std::find_if(std::begin(codes), std::end(codes), [&](auto each) { return each.first == input; });
  return {known == std::end(codes) ? KeyCode::resize : known->second};
}

}  // namespace

struct Terminal::State {
  std::unique_ptr<FILE, CloseFile> input;
  Handle<SCREEN, delscreen> screen;
  std::array<attr_t, looks.size()> attributes{};  // by role
  std::array<short, looks.size()> pairs{};
  bool ascii = false;

  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    if (!screen) return;
    endwin();
    disarm_terminal_guard();
  }

  void choose_looks(bool color) {
    const bool colored = color && has_colors();
    if (colored) {
      start_color();
      use_default_colors();
    }
    for (const Look& look : looks) {
      const auto index = static_cast<std::size_t>(look.role);
      attributes.at(index) = colored ? look.color_attributes : look.plain_attributes;
      if (colored) init_pair(pair_of(look), look.color, -1);
      pairs.at(index) = colored ? pair_of(look) : short{0};
    }
  }
};

Terminal::Terminal(std::unique_ptr<State> state) : state_(std::move(state)) {}
Terminal::Terminal(Terminal&&) noexcept = default;
Terminal& Terminal::operator=(Terminal&&) noexcept = default;
Terminal::~Terminal() = default;

Result<Terminal> Terminal::open(TerminalOptions options) {
  const char* type = std::getenv("TERM");
  if (type == nullptr || *type == '\0') return fail("the terminal's type is not known", "set TERM, or use --batch");
  auto state = std::make_unique<State>();
  // As less and top do: with the standard input redirected, keys come from the terminal itself.
  state->input.reset(isatty(STDIN_FILENO) == 1 ? stdin : std::fopen("/dev/tty", "re"));
  if (!state->input) return fail(within("reading keys", system_error("/dev/tty", errno)));
  termios modes{};
  if (tcgetattr(STDOUT_FILENO, &modes) != 0) return fail(system_error("standard output as a terminal", errno));
  state->screen.reset(newterm(nullptr, stdout, state->input.get()));
  if (!state->screen) return fail(std::string("no terminal description for TERM=") + type, "use --batch");
  arm_terminal_guard(STDOUT_FILENO, modes, restore_sequence());

  cbreak();
  noecho();
  nonl();
  set_escdelay(25);  // ms: Escape alone is a key here, and nobody types an escape sequence by hand
  keypad(stdscr, TRUE);
  nodelay(stdscr, TRUE);
  curs_set(0);
  state->choose_looks(options.color);
  state->ascii = options.ascii || std::string_view(nl_langinfo(CODESET)) != "UTF-8";
  return Terminal(std::move(state));
}

Size Terminal::size() const { return {getmaxx(stdscr), getmaxy(stdscr)}; }
bool Terminal::ascii() const { return state_->ascii; }
int Terminal::input_fd() const { return fileno(state_->input.get()); }

void Terminal::draw(const ScreenFrame& frame) {
  const Size limit{std::min(frame.size().columns, size().columns), std::min(frame.size().rows, size().rows)};
  werase(stdscr);
  for (int row = 0; row < limit.rows; ++row) {
    for (int column = 0; column < limit.columns; ++column) {
      const Cell& cell = frame.at(row, column);
      if (cell.character == 0) continue;
      const bool printable = !state_->ascii || cell.character < 0x7F;
      const std::array<wchar_t, 2> text = {printable ? static_cast<wchar_t>(cell.character) : L'?', L'\0'};
      const auto look = static_cast<std::size_t>(cell.role);
      cchar_t drawn{};
      setcchar(&drawn, text.data(), state_->attributes.at(look), state_->pairs.at(look), nullptr);
      mvwadd_wch(stdscr, row, column, &drawn);  // fails at the last corner, where it has drawn and cannot move on
    }
  }
  wrefresh(stdscr);
}

std::optional<Key> Terminal::read_key() {
  wint_t input = 0;
  const int kind = wget_wch(stdscr, &input);
  if (kind != ERR) return translate(input, kind == KEY_CODE_YES);
  pollfd state{input_fd(), POLLIN, 0};
  if (poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) return Key{KeyCode::hangup};
  return std::nullopt;
}

}  // namespace asyncleak
