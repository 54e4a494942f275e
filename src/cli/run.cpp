#include "cli/run.h"

#include "cli/command_path.h"
#include "cli/doctor.h"
#include "cli/events.h"
#include "cli/live.h"
#include "cli/outputs.h"
#include "cli/recorder.h"
#include "model/model.h"
#include "probe/environment.h"
#include "view/batch.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <iostream>

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

// The terminal's own signals reach the command without us.
void pass_on(const signalfd_siginfo& signal, pid_t pid) {
  if (signal.ssi_code != SI_KERNEL) kill(pid, static_cast<int>(signal.ssi_signo));
}

}  // namespace

int run_command(const Options& options) {
  if (auto able = probe::require_environment(); !able) return report_error(able.error());
  auto events = Events::make();
  if (!events) return report_error(events.error());
  auto recorder = Recorder::make(options);
  if (!recorder) return report_error(recorder.error());
  auto child = Child::start(options.program, events->original_mask());
  if (!child) return report_error(child.error());

  auto watch = watch_options(options);
  watch.session.only_watched = true;
  watch.keep_ended = true;
  auto source = live::LiveSource::make(std::move(watch));
  if (!source) return report_error(source.error());
  if (auto watched = source->watch_tree(child->pid()); !watched) return report_error(watched.error());
  // The command's own interpreter, and those a wrapper (sh, make, env) is likely to start.
  for (const auto& name : {options.program.front(), std::string("python3"), std::string("python")}) {
    if (const auto interpreter = interpreter_of(name)) source->prepare(*interpreter);
  }
  if (options.verbose) describe_interpreters(stderr, source->catalog());
  Outputs outputs(options);
  if (auto timed = events->set_delay(options.delay_s); !timed) return report_error(timed.error());
  events->watch_source(source->event_fd());
  if (auto started = child->go(); !started) {
    auto error = within(options.program.front(), started.error());
    error.kind = ErrorKind::unobservable;
    return report_error(error);
  }

  Model model(options.policy);
  Report report;
  std::uint64_t refreshes = 0;
  std::optional<int> status;
  const auto refresh = [&] {
    Sample sample = source->sample();
    if (auto recorded = recorder->take(sample); !recorded) warn(recorded.error().message);
    report = model.update(sample);
    refreshes++;
    if (options.format != Format::automatic && (!options.iterations || refreshes <= *options.iterations)) {
      if (auto printed = outputs.print(report); !printed) warn(printed.error().message);
    }
    if (auto published = outputs.publish(report); !published) warn(published.error().message);
  };
  while (!status) {
    const auto happened = events->wait();
    if (happened.mapping) source->react();
    const auto signal = happened.signal ? static_cast<int>(happened.signal->ssi_signo) : 0;
    if (signal == SIGUSR1) {
      recorder->label_by_signal();
    } else if (signal == SIGCHLD) {
      status = child->status();
    } else if (signal != 0) {
      pass_on(*happened.signal, child->pid());
    }
    if (happened.refresh || status) refresh();
  }
  if (options.format == Format::automatic) write_batch(std::cerr, report, {options.sort, false, options.limit, 0});
  const auto fail_on = options.gate.fail_on == FailOn::automatic ? FailOn::leak : options.gate.fail_on;
  return finding_status(report, fail_on) != 0 ? 1 : *status;
}

}  // namespace asyncleak::cli
