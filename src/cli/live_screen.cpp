#include "cli/live_screen.h"

#include "util/atomic_file.h"
#include "view/json.h"
#include "view/screen.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <clocale>

namespace asyncleak::cli {

Result<std::optional<LiveScreen>> LiveScreen::open(const Options& options) {
  if (options.format != Format::automatic || isatty(STDOUT_FILENO) == 0 || isatty(STDIN_FILENO) == 0) {
    return std::nullopt;
  }
  std::setlocale(LC_ALL, "");
  auto terminal = Terminal::open({options.color, false});
  if (!terminal) return fail(terminal.error());
  return std::optional<LiveScreen>(std::in_place, std::move(*terminal), options);
}

LiveScreen::LiveScreen(Terminal terminal, const Options& options) : terminal_(std::move(terminal)) {
  ui_.ascii = terminal_.ascii();
  ui_.delay_s = options.delay_s;
  ui_.sort = options.sort;
}

const SiteRow* LiveScreen::selected_site() const {
  const auto site =
      std::ranges::find_if(shown_.sites, [&](const SiteRow& row) { return row.identity->id == ui_.selected_site; });
  return site == shown_.sites.end() ? nullptr : &*site;
}

void LiveScreen::show(const Report& report) {
  shown_ = report;
  draw();
}

void LiveScreen::draw() { terminal_.draw(render(shown_, ui_, terminal_.size(), inspection())); }

bool LiveScreen::take_keys(const Act& act) {
  while (const auto key = terminal_.read_key()) {
    const Action action = handle_key(ui_, *key, shown_, terminal_.size(), inspection());
    if (action == Action::quit) return false;
    if (action == Action::write_snapshot) {
      write_snapshot();
    } else if (action != Action::none && action != Action::redraw) {
      act(action);
    }
  }
  draw();
  return true;
}

void LiveScreen::write_snapshot() {
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  const auto path = fmt::format("asyncleak-{:%Y%m%dT%H%M%SZ}.json", fmt::gmtime(now));
  const auto written = write_file_atomically(path, to_json(shown_) + "\n");
  ui_.message = written ? "wrote " + path : written.error().message;
}

}  // namespace asyncleak::cli
