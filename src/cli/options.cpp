#include "cli/options.h"
#include "cli/option_groups.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <iostream>

namespace asyncleak::cli {

namespace {

constexpr int usage_status = 2;

std::optional<pid_t> parse_pid(std::string_view text) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  return whole && pid > 0 ? std::optional(pid) : std::nullopt;
}

struct Parser {
  CLI::App app{"Which asyncio task leaks, who created it, since when: on running, unmodified Python processes.",
               "asyncleak-top"};
  CLI::App* run = nullptr;
  CLI::App* inspect = nullptr;
  CLI::App* replay = nullptr;
  CLI::App* diff = nullptr;
  CLI::App* doctor = nullptr;
  // Text: a number after an unknown option would else be called a bad PID, and not the option
  // unknown.
  std::vector<std::string> option_pids, listed_pids;

  explicit Parser(Options& options) {
    app.set_version_flag("-V,--version", "asyncleak-top " ASYNCLEAK_VERSION);
    app.add_option("-p,--pid", option_pids, "Only these processes (also as arguments)")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->type_name("PID,...");
    app.add_option("PID", listed_pids, "Only these processes; none: all, new ones included")->type_name("");
    app.add_option("-c,--comm", options.comm, "Only processes whose name matches")->type_name("GLOB");
    add_view_options(app, options);
    add_watch_options(app, options);

    run = app.add_subcommand("run", "Start CMD and watch it and its children from the first task on");
    run->footer("The command stands after '--': asyncleak-top run [OPTIONS] -- CMD [ARG...]");
    add_view_options(*run, options);
    add_watch_options(*run, options);

    inspect = app.add_subcommand("inspect", "One look at one process: its tasks, who waits for whom, what each holds");
    inspect->add_option("PID", listed_pids, "The process")->type_name("");
    add_inspect_options(*inspect, options);

    replay = app.add_subcommand("replay", "Show a recording as if it were live");
    add_replay_options(*replay, options);

    diff = app.add_subcommand("diff", "What became more between two moments of a recording, or two recordings");
    add_diff_options(*diff, options);

    doctor = app.add_subcommand("doctor", "Can this machine, or process, be observed; if not, what to do");
    doctor->add_option("PID", listed_pids, "Only these processes")->type_name("");
    app.footer("Exit status: 0 fine; 1 a finding matched --fail-on; 2 wrong usage; 3 nothing can be observed.");
  }
};

// CLI11's messages can span lines; the contract is one.
int refuse(std::string message) {
  std::replace(message.begin(), message.end(), '\n', ' ');
  std::cerr << "asyncleak-top: " << message << " (see asyncleak-top --help)\n";
  return usage_status;
}

std::optional<std::string> contradiction_of_arguments(const Options& options) {
  const std::size_t files = options.files.size();
  if (options.command == Command::run && options.program.empty())
    return "run needs a command: asyncleak-top run -- CMD";
  if (options.command == Command::inspect && options.pids.size() != 1)
    return "inspect needs one process: asyncleak-top inspect PID";
  if (options.command == Command::replay && files != 1) return "replay needs one file: asyncleak-top replay FILE";
  if (options.command == Command::diff && files != 1 && files != 2)
    return "diff needs one or two files: asyncleak-top diff FILE [FILE]";
  if (options.command != Command::run && !options.program.empty()) return "a command after '--' goes with 'run' only";
  return std::nullopt;
}

// A file that is to be written into a directory that is there.
std::optional<std::string> directory_missing(std::string_view option, const std::string& file) {
  const auto folder = std::filesystem::path(file).parent_path();
  if (std::error_code error; folder.empty() || std::filesystem::is_directory(folder, error)) return std::nullopt;
  return fmt::format("{} {}: there is no directory {}", option, file, folder.string());
}

std::optional<std::string> contradiction_of_files(const Options& options) {
  const std::string suffix = ".prom";
  const auto& metrics = options.prom_textfile;
  if (!metrics.empty() && (metrics.size() <= suffix.size() || !metrics.ends_with(suffix))) {
    return fmt::format("--prom-textfile {}: the name must end in .prom, or the collector ignores it", metrics);
  }
  if (options.record == "-") return "--record -: a recording needs a file, as --record today.alrec";
  if (options.record.empty() && options.record_limit > 0) return "--record-limit goes with --record";
  for (const SummaryOutput& summary : options.summaries) {
    constexpr std::array formats = {"table", "json", "junit", "github", "none"};
    if (std::ranges::find(formats, summary.format) == formats.end()) {
      return fmt::format("--summary {}: the formats are table, json, junit, github and none", summary.format);
    }
    if (auto missing = directory_missing("--summary", summary.file)) return missing;
  }
  if (auto missing = directory_missing("--record", options.record)) return missing;
  return directory_missing("--prom-textfile", metrics);
}

// A run that nobody would hear of.
bool tells_nothing(const Options& options) {
  const bool gate = options.command == Command::run
                        ? options.gate.fail_on != FailOn::never
                        : options.gate.fail_on == FailOn::leak || options.gate.fail_on == FailOn::warning;
  const bool summary = std::ranges::any_of(options.summaries, [](const auto& each) { return each.format != "none"; });
  return options.prom_textfile.empty() && options.record.empty() && !gate && !summary;
}

std::optional<std::string> find_contradiction(const Options& options) {
  if (auto wrong = contradiction_of_arguments(options)) return wrong;
  if (options.command == Command::inspect && options.inspect.redact && !options.inspect.values)
    return "--redact goes with --locals";
  if (options.memory == MemoryMode::objects && options.memory_lines) return "--memory-lines goes with -m malloc or all";
  if (options.memory == MemoryMode::objects && options.min_size > 0) return "--min-size goes with -m malloc or all";
  if (options.format == Format::quiet && tells_nothing(options))
    return "--quiet goes with --prom-textfile, --record, --fail-on or --summary: nothing else would be told";
  return contradiction_of_files(options);
}

}  // namespace

std::variant<Options, int> parse_options(int argc, char** argv) {
  Options options;
  // What stands after "--" is somebody else's command line; CLI11 does not see it.
  char** const end = argv + argc;
  char** const separator = std::find(argv, end, std::string_view("--"));
  if (separator != end) options.program.assign(separator + 1, end);

  Parser parser(options);
  try {
    parser.app.parse(static_cast<int>(separator - argv), argv);
  } catch (const CLI::Success& help_or_version) {
    return parser.app.exit(help_or_version);
  } catch (const CLI::ParseError& error) {
    return refuse(error.what());
  }
  for (const auto* texts : {&parser.option_pids, &parser.listed_pids}) {
    for (const auto& text : *texts) {
      const auto pid = parse_pid(text);
      if (!pid) return refuse(fmt::format("'{}' is not a process id", text));
      options.pids.push_back(*pid);
    }
  }
  if (parser.run->parsed()) options.command = Command::run;
  if (parser.inspect->parsed()) options.command = Command::inspect;
  if (parser.replay->parsed()) options.command = Command::replay;
  if (parser.diff->parsed()) options.command = Command::diff;
  if (parser.doctor->parsed()) options.command = Command::doctor;
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org: any value but the empty one
  if (no_color != nullptr && *no_color != '\0') options.color = false;
  if (!options.pids.empty()) options.inspect.pid = options.pids.front();
  if (const auto contradiction = find_contradiction(options)) return refuse(*contradiction);
  return options;
}

}  // namespace asyncleak::cli
