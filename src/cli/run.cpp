#include "cli/run.h"

#include "cli/command_path.h"
#include "cli/doctor.h"
#include "cli/events.h"
#include "cli/exit_summary.h"
#include "cli/live.h"
#include "cli/outputs.h"
#include "cli/recorder.h"
#include "model/model.h"
#include "probe/environment.h"
#include "probe/privileges.h"
#include "view/batch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <iostream>
#include <utility>

namespace asyncleak::cli {

namespace {

// A child that waits for our word before it execs, so that nothing of it is missed.
class Child {
 public:
  [[nodiscard]] static Result<Child> start(const std::vector<std::string>& program, const sigset_t& mask);
  [[nodiscard]] pid_t pid() const { return pid_; }
  // Lets it exec. An error: it could not, and has ended.
  [[nodiscard]] Result<void> go();
  // Once it has ended: as a shell would say it.
  [[nodiscard]] std::optional<int> status();

 private:
  pid_t pid_ = -1;
  Fd go_;       // a byte: exec
  Fd outcome_;  // errno of a failed exec; closed by a successful one
};

Result<Child> Child::start(const std::vector<std::string>& program, const sigset_t& mask) {
  std::array<int, 2> go{};
  std::array<int, 2> outcome{};
  if (pipe2(go.data(), O_CLOEXEC) != 0 || pipe2(outcome.data(), O_CLOEXEC) != 0) {
    return fail(system_error("pipe2", errno));
  }
  Fd go_read(go[0]);
  Fd outcome_write(outcome[1]);
  Child child;
  child.go_ = Fd(go[1]);
  child.outcome_ = Fd(outcome[0]);
  std::vector<char*> arguments;
  arguments.reserve(program.size() + 1);
  for (const auto& argument : program) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  child.pid_ = fork();
  if (child.pid_ < 0) return fail(system_error("fork", errno));
  if (child.pid_ > 0) return child;

  child.go_.reset();  // our end, inherited: else our own death would not wake the child
  char word = 0;
  if (read(go_read.get(), &word, 1) != 1) _exit(127);  // we were killed before the command began
  sigprocmask(SIG_SETMASK, &mask, nullptr);
  signal(SIGPIPE, SIG_DFL);
  execvp(arguments[0], arguments.data());
  const int error = errno;
  const auto told = write(outcome_write.get(), &error, sizeof(error));
  _exit(told == sizeof(error) ? 127 : 126);
}

Result<void> Child::go() {
  const char word = 1;
  if (write(go_.get(), &word, 1) != 1) return fail(system_error("starting the command", errno));
  int error = 0;
  if (read(outcome_.get(), &error, sizeof(error)) != sizeof(error)) return {};
  waitpid(pid_, nullptr, 0);
  return fail(system_error("starting the command", error));
}

std::optional<int> Child::status() {
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// What is read and shown while the command runs.
class Watch {
 public:
  Watch(const Options& options, live::LiveSource& source, Recorder& recorder, ExitSummary& summary)
      : options_(options),
        source_(source),
        recorder_(recorder),
        summary_(summary),
        outputs_(options),
        model_(options.policy) {}

  void refresh() {
    Sample sample = source_.sample();
    if (auto recorded = recorder_.take(sample); !recorded) warn(recorded.error().message);
    report_ = model_.update(sample);
    refreshes_++;
    if (refreshes_ == 1 || report_.monotonic_ns >= held_until_ns_) summary_.add(report_);
    if (options_.format != Format::automatic && (!options_.iterations || refreshes_ <= *options_.iterations)) {
      if (auto printed = outputs_.print(report_); !printed) warn(printed.error().message);
    }
    if (auto published = outputs_.publish(report_); !published) warn(published.error().message);
  }

  // The command is about to be asked to end. What stands now is what counts, not what its shutdown leaves; unless it
  // goes on nevertheless.
  void hold() {
    constexpr std::int64_t shutdown_ns = 10'000'000'000;
    if (report_.monotonic_ns >= held_until_ns_) held_until_ns_ = report_.monotonic_ns + shutdown_ns;
  }

  void label() { recorder_.label_by_signal(); }

  [[nodiscard]] const Report& report() const { return report_; }

 private:
  const Options& options_;
  live::LiveSource& source_;
  Recorder& recorder_;
  ExitSummary& summary_;
  Outputs outputs_;
  Model model_;
  Report report_;
  std::uint64_t refreshes_ = 0;
  std::int64_t held_until_ns_ = 0;
};

// The terminal's own signals reach the command without us, and before us: what stood before is what counts.
void pass_on(const signalfd_siginfo& signal, pid_t pid, Watch& watch) {
  const bool terminal = signal.ssi_code == SI_KERNEL;
  if (!terminal) watch.refresh();
  watch.hold();
  if (!terminal) kill(pid, static_cast<int>(signal.ssi_signo));
}

// Until the command ends: its status, or 0 when its time was over.
Result<int> watch_child(Child& child, Events& events, live::LiveSource& source, Watch& watch) {
  constexpr double last_chance_s = 10;
  std::optional<int> status;
  bool asked_to_end = false;
  while (!status) {
    const auto happened = events.wait();
    if (happened.mapping) source.react();
    if (happened.over && !asked_to_end) {
      watch.refresh();
      watch.hold();
      if (auto timed = events.end_after(last_chance_s); !timed) return fail(timed.error());
    }
    if (happened.over) kill(child.pid(), std::exchange(asked_to_end, true) ? SIGKILL : SIGTERM);
    const auto signal = happened.signal ? static_cast<int>(happened.signal->ssi_signo) : 0;
    if (signal == SIGUSR1) {
      watch.label();
    } else if (signal == SIGCHLD) {
      status = child.status();
    } else if (signal != 0) {
      pass_on(*happened.signal, child.pid(), watch);
    }
    if (happened.refresh || status) watch.refresh();
  }
  return asked_to_end ? 0 : *status;
}

// The command's own interpreter, and those a wrapper (sh, make, env) is likely to start.
void prepare(live::LiveSource& source, const std::string& program) {
  for (const auto& name : {program, std::string("python3"), std::string("python")}) {
    if (const auto interpreter = interpreter_of(name)) source.prepare(*interpreter);
  }
}

}  // namespace

int run_command(const Options& options) {
  auto summary = ExitSummary::make(options);
  if (!summary) return report_error(summary.error());
  if (auto able = probe::require_environment(); !able) return report_error(able.error());
  auto events = Events::make();
  if (!events) return report_error(events.error());
  auto recorder = Recorder::make(options);
  if (!recorder) return report_error(recorder.error());
  auto child = Child::start(options.program, events->original_mask());
  if (!child) return report_error(child.error());
  if (auto less = probe::give_up_privileges(); !less) return report_error(less.error());  // the child has its own

  auto wanted = watch_options(options);
  wanted.session.only_watched = true;
  wanted.keep_ended = true;
  auto source = live::LiveSource::make(std::move(wanted));
  if (!source) return report_error(source.error());
  if (auto watched = source->watch_tree(child->pid()); !watched) return report_error(watched.error());
  prepare(*source, options.program.front());
  if (options.verbose) describe_interpreters(stderr, source->catalog());
  Watch watch(options, *source, *recorder, *summary);
  auto timed = events->set_delay(options.delay_s);
  if (timed && options.duration_s) timed = events->end_after(*options.duration_s);
  if (!timed) return report_error(timed.error());
  events->watch_source(source->event_fd());
  if (auto started = child->go(); !started) {
    auto error = within(options.program.front(), started.error());
    error.kind = ErrorKind::unobservable;
    return report_error(error);
  }

  const auto status = watch_child(*child, *events, *source, watch);
  if (!status) return report_error(status.error());
  const bool frames = options.format != Format::automatic;
  if (!frames) write_batch(std::cerr, watch.report(), {options.sort, false, options.limit, 0});
  return summary->finish(frames) != 0 ? 1 : *status;
}

}  // namespace asyncleak::cli
