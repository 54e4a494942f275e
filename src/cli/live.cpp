#include "cli/live.h"

#include "cli/daemon.h"
#include "cli/doctor.h"
#include "cli/events.h"
#include "cli/exit_summary.h"
#include "cli/live_screen.h"
#include "cli/log.h"
#include "cli/outputs.h"
#include "cli/recorder.h"
#include "model/model.h"
#include "probe/environment.h"
#include "probe/privileges.h"

#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <utility>

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

// From the first sample to the last key.
class LiveView {
 public:
  LiveView(const Options& options, live::LiveSource& source, Recorder& recorder, ExitSummary& summary, Daemon& daemon)
      : options_(options),
        source_(source),
        recorder_(recorder),
        summary_(summary),
        daemon_(daemon),
        model_(options.policy),
        outputs_(options) {}

  [[nodiscard]] Result<void> open(Events& events);
  // Until the user, a signal or an option ends it. The terminal is as it was when this is destroyed.
  [[nodiscard]] Result<void> run(Events& events);
  [[nodiscard]] bool has_screen() const { return screen_.has_value(); }

 private:
  [[nodiscard]] Result<void> look();
  [[nodiscard]] Result<void> show();
  [[nodiscard]] bool enough() const { return options_.iterations && refreshes_ >= *options_.iterations; }
  // False: the user wants to leave.
  [[nodiscard]] bool take_keys(bool& delay_changed);
  void refresh();
  void tell(const LogLine& line);

  const Options& options_;
  live::LiveSource& source_;
  Recorder& recorder_;
  ExitSummary& summary_;
  Daemon& daemon_;
  Model model_;
  Outputs outputs_;
  std::optional<LiveScreen> screen_;
  Report report_;
  std::uint64_t refreshes_ = 0;
  int ended_by_ = 0;  // the signal; 0: none
};

// Error: the sample is not in the recording.
Result<void> LiveView::look() {
  Sample sample = source_.sample();
  auto recorded = recorder_.take(sample);
  report_ = model_.update(sample);
  summary_.add(report_);
  refreshes_++;
  return recorded;
}

Result<void> LiveView::open(Events& events) {
  if (auto recorded = look(); !recorded) return recorded;
  if (auto published = outputs_.publish(report_); !published) return published;
  auto screen = LiveScreen::open(options_);
  if (!screen) return fail(screen.error());
  screen_ = std::move(*screen);
  if (auto timed = events.set_delay(options_.delay_s); !timed) return timed;
  if (options_.duration_s) {
    if (auto timed = events.end_after(*options_.duration_s); !timed) return timed;
  }
  events.watch_source(source_.event_fd());
  if (screen_) events.watch_terminal(screen_->input_fd());
  daemon_.started(report_);
  return show();
}

Result<void> LiveView::show() {
  if (!screen_) return outputs_.print(report_);
  if (screen_->ui().paused) {
    screen_->draw();
  } else {
    screen_->show(report_);
  }
  return {};
}

void LiveView::tell(const LogLine& line) {
  if (screen_) return screen_->say(line.text);
  log(line.level, line.text);
}

// What goes wrong does not end the view: the next refresh may succeed (a full disk).
void LiveView::refresh() {
  if (const auto recorded = look(); !recorded) tell({Level::error, recorded.error().message});
  if (const auto news = daemon_.refreshed(report_, outputs_.publish(report_))) tell(*news);
}

bool LiveView::take_keys(bool& delay_changed) {
  return screen_->take_keys([&](Action action) {
    if (action == Action::inspect_site) inspect_selected(*screen_, source_);
    if (action == Action::change_memory) change_memory(*screen_, source_);
    if (action == Action::set_label) screen_->say(recorder_.label(screen_->ui().label));
    if (action == Action::change_delay) delay_changed = true;
  });
}

Result<void> LiveView::run(Events& events) {
  Result<void> shown;
  bool over = false;
  while (shown && !over && !outputs_.reader_gone() && !enough()) {
    const auto happened = events.wait();
    const auto signal = happened.signal ? static_cast<int>(happened.signal->ssi_signo) : 0;
    if (signal == SIGUSR1) {
      const std::string labelled = recorder_.label_by_signal();
      if (screen_) screen_->say(labelled);
    } else if (signal != 0 && signal != SIGCHLD) {
      ended_by_ = signal;
      break;
    }
    if (happened.mapping) source_.react();
    bool delay_changed = false;
    if (happened.key && screen_ && !take_keys(delay_changed)) break;
    if (delay_changed) shown = events.set_delay(screen_->ui().delay_s);
    over = happened.over;
    if (!happened.refresh && !over) continue;
    refresh();
    if (auto drawn = show(); !drawn) shown = drawn;
  }
  daemon_.stopping(ended_by_);
  return shown;
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
  auto manager = ServiceManager::from_environment();
  if (!manager) return report_error(manager.error());
  if (auto able = probe::require_environment(); !able) return report_error(able.error());
  auto events = Events::make();
  if (!events) return report_error(events.error());
  if (auto less = probe::give_up_privileges(); !less) return report_error(less.error());
  auto source = live::LiveSource::make(watch_options(options));
  if (!source) return report_error(source.error());
  if (options.verbose) describe_interpreters(stderr, source->catalog());
  auto recorder = Recorder::make(options);
  if (!recorder) return report_error(recorder.error());

  bool frames = false;
  Result<void> done;
  Daemon daemon(options, std::move(*manager));
  {
    LiveView view(options, *source, *recorder, *summary, daemon);
    done = view.open(*events);
    if (done) done = view.run(*events);
    frames = !view.has_screen();
  }  // the terminal as it was, before anything is said
  if (!done) return report_error(done.error());
  return summary->finish(frames);
}

}  // namespace asyncleak::cli
