#include "cli/replay.h"

#include "cli/events.h"
#include "cli/exit_summary.h"
#include "cli/live_screen.h"
#include "cli/outputs.h"
#include "cli/player.h"
#include "util/text.h"

#include <algorithm>
#include <chrono>
#include <limits>

namespace asyncleak::cli {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

bool ends(const Happened& happened) {
  const auto signal = happened.signal ? static_cast<int>(happened.signal->ssi_signo) : 0;
  return signal != 0 && signal != SIGCHLD && signal != SIGUSR1;
}

// What a loop shows: the summary of it is the end.
struct Shown {
  ExitSummary& summary;
  std::optional<Report> report;
  std::uint64_t refreshes = 0;
  void take(std::optional<Report> next) {
    if (!next) return;
    summary.add(*next);
    report = std::move(next);
  }
  [[nodiscard]] bool enough(const Options& options) const {
    return options.iterations && refreshes >= *options.iterations;
  }
};

// One frame a sample, each at its time if a speed was asked for.
Result<void> replay_frames(const Options& options, Player& player, Events& events, Outputs& outputs, Shown& shown) {
  const double speed = options.speed.value_or(0);
  const auto begun = Clock::now();
  double begun_s = 0;
  while (!outputs.reader_gone() && !shown.enough(options)) {
    auto report = player.next();
    if (const auto trouble = player.take_trouble(); !trouble.empty()) warn(trouble);
    if (!report) return {};
    shown.take(std::move(report));
    if (shown.refreshes++ == 0) begun_s = player.seconds();
    if (auto published = outputs.publish(*shown.report); !published) return published;
    if (auto printed = outputs.print(*shown.report); !printed) return printed;
    do {
      const double left_s =
          speed > 0 && !player.at_end() ? (player.next_s() - begun_s) / speed - seconds_since(begun) : 0;
      constexpr double longest_s = 3600;
      const auto timeout_ms = static_cast<int>(std::clamp(left_s, 0.0, longest_s) * 1000);
      if (ends(events.wait(timeout_ms))) return {};
      if (left_s * 1000 < 1) break;
    } while (true);
  }
  return {};
}

// The moment shown moves on with the clock; keys move it, too.
class ScreenReplay {
 public:
  ScreenReplay(const Options& options, Player& player, LiveScreen& screen)
      : options_(options), player_(player), screen_(screen) {
    Playback playback;
    playback.file = base_name(options.files.front());
    playback.speed = options.speed.value_or(1);
    playback.length_s = player.length_s();
    screen.ui().playback = std::move(playback);
  }

  [[nodiscard]] Result<void> run(Events& events, Outputs& outputs, Shown& shown);

 private:
  void begin(Shown& shown) { take(player_.next(), shown); }
  void advance(double seconds, Shown& shown);
  void act(Action action, Events& events, Shown& shown);
  void take(std::optional<Report> report, Shown& shown);
  void tell();

  const Options& options_;
  Player& player_;
  LiveScreen& screen_;
  double position_s_ = 0;  // between two samples, too
};

void ScreenReplay::take(std::optional<Report> report, Shown& shown) {
  if (auto trouble = player_.take_trouble(); !trouble.empty()) screen_.say(std::move(trouble));
  shown.take(std::move(report));
  position_s_ = player_.seconds();
  tell();
}

void ScreenReplay::tell() {
  Playback& playback = *screen_.ui().playback;
  playback.position_s = player_.seconds();
  playback.at_end = player_.at_end();
  const auto moments = player_.recording().moments();
  playback.label.clear();
  for (std::size_t i = player_.index() + 1; i-- > 0 && playback.label.empty();) {
    if (!moments[i].labels.empty()) playback.label = moments[i].labels.back();
  }
}

// The samples of the next SECONDS of real time; where they are too many for that time, those it is enough for.
void ScreenReplay::advance(double seconds, Shown& shown) {
  const double speed = screen_.ui().playback->speed;
  const double target_s = speed > 0 ? position_s_ + seconds * speed : std::numeric_limits<double>::infinity();
  const auto begun = Clock::now();
  while (!player_.at_end() && player_.next_s() <= target_s) {
    take(player_.next(), shown);
    if (seconds_since(begun) > seconds / 2) return;
  }
  if (speed > 0) position_s_ = target_s;
}

void ScreenReplay::act(Action action, Events& events, Shown& shown) {
  if (action == Action::change_delay) {
    if (auto timed = events.set_delay(screen_.ui().delay_s); !timed) screen_.say(timed.error().message);
  }
  if (action != Action::move_playback) return;
  const Playback& wanted = *screen_.ui().playback;
  if (wanted.step > 0) {
    take(player_.next(), shown);
  } else if (wanted.step < 0) {
    take(player_.back(), shown);
  } else {
    take(player_.seek(player_.seconds() + wanted.seek_s), shown);
  }
}

Result<void> ScreenReplay::run(Events& events, Outputs& outputs, Shown& shown) {
  if (auto timed = events.set_delay(options_.delay_s); !timed) return timed;
  events.watch_terminal(screen_.input_fd());
  begin(shown);
  auto last = Clock::now();
  while (shown.report) {
    if (auto published = outputs.publish(*shown.report); !published) screen_.say(published.error().message);
    screen_.show(*shown.report);
    ++shown.refreshes;
    bool refresh = false;
    while (!refresh) {
      if (shown.enough(options_)) return {};
      const auto happened = events.wait();
      if (ends(happened)) return {};
      if (happened.key) {
        const auto acted = [&](Action action) {
          act(action, events, shown);
          screen_.show(*shown.report);
        };
        if (!screen_.take_keys(acted)) return {};
      }
      refresh = happened.refresh;
    }
    const double passed_s = seconds_since(std::exchange(last, Clock::now()));
    if (!screen_.ui().paused) advance(passed_s, shown);
  }
  return {};
}

// The part of the recording that is to be shown.
Result<Player> open_player(const Options& options) {
  auto recording = Recording::open(options.files.front());
  if (!recording) return fail(recording.error());
  const auto moments = recording->moments();
  std::size_t first = 0;
  std::size_t last = moments.size() - 1;
  for (const auto& [when, index] : {std::pair{&options.from, &first}, std::pair{&options.to, &last}}) {
    if (when->empty()) continue;
    const auto found = find_moment(moments, *when);
    if (!found) return fail(within(options.files.front(), found.error()));
    *index = *found;
  }
  if (first > last) return fail("--from is later than --to", "", ErrorKind::usage);
  return Player(std::move(*recording), options.policy, first, last);
}

}  // namespace

int show_recording(const Options& options) {
  auto summary = ExitSummary::make(options);
  if (!summary) return report_error(summary.error());
  auto player = open_player(options);
  if (!player) return report_error(player.error());
  auto events = Events::make();
  if (!events) return report_error(events.error());
  Outputs outputs(options);
  auto screen = LiveScreen::open(options);
  if (!screen) return report_error(screen.error());
  Shown shown{*summary, {}, 0};
  const std::string& trouble = player->recording().trouble();
  Result<void> done;
  if (*screen) {
    if (!trouble.empty()) (*screen)->say(trouble);
    done = ScreenReplay(options, *player, **screen).run(*events, outputs, shown);
  } else {
    done = replay_frames(options, *player, *events, outputs, shown);
  }
  const bool frames = !*screen;
  screen->reset();  // the terminal as it was, before anything is said
  if (!trouble.empty()) warn(trouble);
  if (!done) return report_error(done.error());
  if (!shown.report) return report_error(Error{options.files.front() + " has no sample that can be read", "", {}});
  return summary->finish(frames);
}

}  // namespace asyncleak::cli
