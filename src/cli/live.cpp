#include "cli/live.h"

#include "cli/doctor.h"
#include "cli/events.h"
#include "cli/outputs.h"
#include "model/model.h"
#include "probe/environment.h"
#include "view/json.h"
#include "view/screen.h"
#include "view/terminal.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <clocale>
#include <functional>
#include <optional>
#include <string_view>

namespace asyncleak::cli {

namespace {

// The screen and what it shows; keys change nothing else.
class LiveScreen {
 public:
  using Inspect = std::function<Result<Inspection>(const SiteIdentity&)>;
  using ChangeMemory = std::function<Result<live::MemoryChange>(pid_t)>;

  LiveScreen(Terminal terminal, const Options& options, Inspect inspect, ChangeMemory change_memory)
      : terminal_(std::move(terminal)), inspect_(std::move(inspect)), change_memory_(std::move(change_memory)) {
    ui_.ascii = terminal_.ascii();
    ui_.delay_s = options.delay_s;
    ui_.sort = options.sort;
  }

  [[nodiscard]] int input_fd() const { return terminal_.input_fd(); }
  [[nodiscard]] double delay_s() const { return ui_.delay_s; }
  void say(std::string message) { ui_.message = std::move(message); }

  void show(const Report& latest) {
    if (!ui_.paused) shown_ = latest;
    draw();
  }

  // False: the user wants to leave. DELAY_CHANGED: see delay_s().
  [[nodiscard]] bool take_keys(bool& delay_changed) {
    while (const auto key = terminal_.read_key()) {
      switch (handle_key(ui_, *key, shown_, terminal_.size(), inspection())) {
        case Action::none:
        case Action::redraw:
          break;
        case Action::quit:
          return false;
        case Action::write_snapshot:
          write_snapshot();
          break;
        case Action::change_memory:
          change_memory();
          break;
        case Action::inspect_site:
          inspect_selected();
          break;
        case Action::change_delay:
          delay_changed = true;
          break;
      }
    }
    draw();
    return true;
  }

 private:
  void draw() { terminal_.draw(render(shown_, ui_, terminal_.size(), inspection())); }

  [[nodiscard]] const Inspection* inspection() const { return inspection_ ? &*inspection_ : nullptr; }

  void inspect_selected() {
    const auto site =
        std::ranges::find_if(shown_.sites, [&](const SiteRow& row) { return row.identity->id == ui_.selected_site; });
    if (site == shown_.sites.end()) return;
    auto seen = inspect_(*site->identity);
    inspection_.reset();
    if (seen) {
      inspection_ = std::move(*seen);
    } else {
      ui_.message = seen.error().message;
    }
  }

  void change_memory() {
    if (!ui_.memory_pid) return;
    const pid_t pid = *ui_.memory_pid;
    const auto changed = change_memory_(pid);
    if (!changed) {
      ui_.message = changed.error().message;
      return;
    }
    const std::string_view refused = changed->in_force != changed->wanted ? ", see its warning" : "";
    ui_.message = fmt::format("memory mode of {}: {}{}", pid, name_of(changed->in_force), refused);
  }

  void write_snapshot() {
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    const auto path = fmt::format("asyncleak-{:%Y%m%dT%H%M%SZ}.json", fmt::gmtime(now));
    const auto written = write_file_atomically(path, to_json(shown_) + "\n");
    ui_.message = written ? "wrote " + path : written.error().message;
  }

  Terminal terminal_;
  Inspect inspect_;
  ChangeMemory change_memory_;
  UiState ui_;
  Report shown_;
  std::optional<Inspection> inspection_;
};

// A qualified name as a pattern that matches only itself.
std::string exactly(const std::string& name) {
  std::string glob;
  for (const char c : name) {
    if (std::string_view("*?[\\").find(c) != std::string_view::npos) glob += '\\';
    glob += c;
  }
  return glob;
}

Result<Inspection> inspect_site(live::LiveSource& source, const SiteIdentity& site) {
  InspectRequest request;
  request.pid = site.pid;
  if (site.kind == "task") request.coroutine_glob = exactly(site.coroutine);
  return source.inspect(request);
}

Result<std::optional<LiveScreen>> open_screen(const Options& options, live::LiveSource& source) {
  if (options.format != Format::automatic || isatty(STDOUT_FILENO) == 0 || isatty(STDIN_FILENO) == 0) {
    return std::nullopt;
  }
  std::setlocale(LC_ALL, "");
  auto terminal = Terminal::open({options.color, false});
  if (!terminal) return fail(terminal.error());
  return std::optional<LiveScreen>(
      std::in_place, std::move(*terminal), options,
      [&source](const SiteIdentity& site) { return inspect_site(source, site); },
      [&source](pid_t pid) { return source.change_memory(pid); });
}

}  // namespace

live::WatchOptions watch_options(const Options& options) {
  live::WatchOptions watch;
  watch.scope = {options.pids, options.comm};
  watch.session.stack_depth = options.stack_depth;
  watch.session.max_tasks = options.max_tasks;
  watch.session.max_sites = options.max_sites;
  watch.census_percent = options.census_budget_percent;
  watch.session.max_blocks = options.max_blocks;
  watch.memory = {options.memory, options.memory_lines, options.min_size, options.overhead_limit_percent};
  return watch;
}

int watch_live(const Options& options) {
  if (auto able = probe::require_environment(); !able) return report_error(able.error());
  auto events = Events::make();
  if (!events) return report_error(events.error());
  auto source = live::LiveSource::make(watch_options(options));
  if (!source) return report_error(source.error());
  if (options.verbose) describe_interpreters(stderr, source->catalog());

  Model model(options.policy);
  Outputs outputs(options);
  Report report = model.update(source->sample());
  if (auto published = outputs.publish(report); !published) return report_error(published.error());
  auto screen = open_screen(options, *source);
  if (!screen) return report_error(screen.error());
  if (auto timed = events->set_delay(options.delay_s); !timed) return report_error(timed.error());
  events->watch_source(source->event_fd());
  if (*screen) events->watch_terminal((*screen)->input_fd());

  std::uint64_t refreshes = 1;
  const auto show = [&]() -> Result<void> {
    if (!*screen) return outputs.print(report);
    (*screen)->show(report);
    return {};
  };
  auto shown = show();
  while (shown && !outputs.reader_gone() && (!options.iterations || refreshes < *options.iterations)) {
    const auto happened = events->wait();
    if (happened.signal && happened.signal->ssi_signo != SIGCHLD) break;
    if (happened.mapping) source->react();
    bool delay_changed = false;
    if (happened.key && *screen && !(*screen)->take_keys(delay_changed)) break;
    if (delay_changed) {
      if (auto timed = events->set_delay((*screen)->delay_s()); !timed) shown = timed;
    }
    if (!happened.refresh) continue;
    report = model.update(source->sample());
    refreshes++;
    if (auto published = outputs.publish(report); !published) {
      // The next refresh may succeed (a full disk); the old file is still whole.
      if (*screen) {
        (*screen)->say(published.error().message);
      } else {
        warn(published.error().message);
      }
    }
    shown = show();
  }
  screen->reset();  // the terminal as it was, before anything is said
  if (!shown) return report_error(shown.error());
  return finding_status(report, options.gate.fail_on);
}

}  // namespace asyncleak::cli
