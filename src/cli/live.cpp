#include "cli/live.h"

#include "cli/doctor.h"
#include "cli/events.h"
#include "cli/exit_summary.h"
#include "cli/live_screen.h"
#include "cli/outputs.h"
#include "cli/recorder.h"
#include "model/model.h"
#include "probe/environment.h"

#include <fmt/format.h>
#include <optional>
#include <string_view>

namespace asyncleak::cli {

namespace {

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

void inspect_selected(LiveScreen& screen, live::LiveSource& source) {
  const SiteRow* site = screen.selected_site();
  if (site == nullptr) return;
  auto seen = inspect_site(source, *site->identity);
  if (!seen) screen.say(seen.error().message);
  screen.show_inspection(seen ? std::optional(std::move(*seen)) : std::nullopt);
}

void change_memory(LiveScreen& screen, live::LiveSource& source) {
  if (!screen.ui().memory_pid) return;
  const pid_t pid = *screen.ui().memory_pid;
  const auto changed = source.change_memory(pid);
  if (!changed) return screen.say(changed.error().message);
  const std::string_view refused = changed->in_force != changed->wanted ? ", see its warning" : "";
  screen.say(fmt::format("memory mode of {}: {}{}", pid, name_of(changed->in_force), refused));
}

// What the keys ask of the source and the recording; of the loop: DELAY_CHANGED.
LiveScreen::Act actor(LiveScreen& screen, live::LiveSource& source, Recorder& recorder, bool& delay_changed) {
  return [&](Action action) {
    if (action == Action::inspect_site) inspect_selected(screen, source);
    if (action == Action::change_memory) change_memory(screen, source);
    if (action == Action::set_label) screen.say(recorder.label(screen.ui().label));
    if (action == Action::change_delay) delay_changed = true;
  };
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
  watch.memory = {options.memory, options.memory_lines, options.min_size, options.overhead_limit_percent,
                  static_cast<std::uint64_t>(options.slow_step_ms.value_or(0) * 1e6)};
  return watch;
}

int watch_live(const Options& options) {
  auto summary = ExitSummary::make(options);
  if (!summary) return report_error(summary.error());
  if (auto able = probe::require_environment(); !able) return report_error(able.error());
  auto events = Events::make();
  if (!events) return report_error(events.error());
  auto source = live::LiveSource::make(watch_options(options));
  if (!source) return report_error(source.error());
  if (options.verbose) describe_interpreters(stderr, source->catalog());
  auto recorder = Recorder::make(options);
  if (!recorder) return report_error(recorder.error());

  Model model(options.policy);
  Outputs outputs(options);
  Sample sample = source->sample();
  if (auto recorded = recorder->take(sample); !recorded) return report_error(recorded.error());
  Report report = model.update(sample);
  summary->add(report);
  if (auto published = outputs.publish(report); !published) return report_error(published.error());
  auto screen = LiveScreen::open(options);
  if (!screen) return report_error(screen.error());
  auto timed = events->set_delay(options.delay_s);
  if (timed && options.duration_s) timed = events->end_after(*options.duration_s);
  if (!timed) return report_error(timed.error());
  events->watch_source(source->event_fd());
  if (*screen) events->watch_terminal((*screen)->input_fd());

  std::uint64_t refreshes = 1;
  const auto show = [&]() -> Result<void> {
    if (!*screen) return outputs.print(report);
    if ((*screen)->ui().paused) {
      (*screen)->draw();
    } else {
      (*screen)->show(report);
    }
    return {};
  };
  // What does not end the view: the next refresh may succeed (a full disk).
  const auto complain = [&](const Result<void>& done) {
    if (done) return;
    if (*screen) {
      (*screen)->say(done.error().message);
    } else {
      warn(done.error().message);
    }
  };
  auto shown = show();
  bool over = false;
  while (shown && !over && !outputs.reader_gone() && (!options.iterations || refreshes < *options.iterations)) {
    const auto happened = events->wait();
    const auto signal = happened.signal ? static_cast<int>(happened.signal->ssi_signo) : 0;
    if (signal == SIGUSR1) {
      const std::string labelled = recorder->label_by_signal();
      if (*screen) (*screen)->say(labelled);
    } else if (signal != 0 && signal != SIGCHLD) {
      break;
    }
    if (happened.mapping) source->react();
    bool delay_changed = false;
    if (happened.key && *screen && !(*screen)->take_keys(actor(**screen, *source, *recorder, delay_changed))) {
      break;
    }
    if (delay_changed) {
      if (timed = events->set_delay((*screen)->ui().delay_s); !timed) shown = timed;
    }
    over = happened.over;
    if (!happened.refresh && !over) continue;
    sample = source->sample();
    complain(recorder->take(sample));
    report = model.update(sample);
    summary->add(report);
    refreshes++;
    complain(outputs.publish(report));
    shown = show();
  }
  const bool frames = !*screen;
  screen->reset();  // the terminal as it was, before anything is said
  if (!shown) return report_error(shown.error());
  return summary->finish(frames);
}

}  // namespace asyncleak::cli
