#include "cli/option_groups.h"

#include "view/columns.h"

#include <fmt/format.h>
#include <charconv>
#include <cmath>
#include <map>

namespace asyncleak::cli {

namespace {

// CLI11's own Range lets "nan" and, for unsigned numbers, "-1" pass, and stands in --help.
CLI::Validator number_from(double lowest, double highest = HUGE_VAL) {
  const auto check = [=](const std::string& text) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool number = error == std::errc{} && end == text.data() + text.size();
    if (number && value >= lowest && value <= highest) return std::string();
    const auto range = highest < HUGE_VAL ? fmt::format("to {}", highest) : std::string("on");
    return fmt::format("{} is not a number from {} {}", text, lowest, range);
  };
  return {check, ""};
}

std::vector<std::string> sort_choices() {
  std::vector<std::string> ids;
  for (const auto& column : columns()) ids.emplace_back(column.id);
  return ids;
}

// Not CLI11's CheckedTransformer: its complaint shows the numbers of the enumeration.
template <class Choice>
CLI::Option* add_choice(CLI::App& app, const char* names, Choice& target, const std::map<std::string, Choice>& choices,
                        const char* help) {
  return app
      .add_option_function<std::string>(
          names, [&target, choices](const std::string& name) { target = choices.at(name); }, help)
      ->check(CLI::IsMember(choices).description(""));
}

void add_memory_options(CLI::App& app, Options& options) {
  const std::map<std::string, MemoryMode> modes{
      {"objects", MemoryMode::objects}, {"malloc", MemoryMode::malloc}, {"all", MemoryMode::all}};
  add_choice(app, "-m,--memory", options.memory, modes,
             "Bytes that are charged to the task that allocated them: objects (none), malloc (what is asked of the C "
             "library) or all (and Python's small blocks)")
      ->type_name("MODE")
      ->default_str("objects");
  app.add_flag("--memory-lines", options.memory_lines, "With malloc or all: tell the allocating lines of Python apart");
  app.add_option("--min-size", options.min_size, "With malloc or all: leave out allocations of fewer bytes")
      ->check(number_from(0, 1 << 30))
      ->type_name("BYTES")
      ->capture_default_str();
  app.add_option("--max-blocks", options.max_blocks, "Allocations followed to their end, on the whole machine")
      ->check(number_from(1024, 1 << 27))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--overhead-limit", options.overhead_limit_percent,
                 "Stop counting the allocations of a process where that takes more of one core, in percent")
      ->check(number_from(1, 10000))
      ->type_name("PERCENT")
      ->capture_default_str();
}

// "512M" in bytes.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  constexpr std::string_view units = "KMGT";
  std::uint64_t shift = 0;
  if (const auto unit = text.empty() ? std::string_view::npos : units.find(text.back());
      unit != std::string_view::npos) {
    shift = 10 * (unit + 1);
    text.remove_suffix(1);
  }
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > UINT64_MAX >> shift) return std::nullopt;
  return value << shift;
}

void add_gate_options(CLI::App& app, Options& options) {
  const std::map<std::string, FailOn> fail_on{
      {"leak", FailOn::leak}, {"warning", FailOn::warning}, {"never", FailOn::never}};
  add_choice(app, "--fail-on", options.gate.fail_on, fail_on,
             "Exit 1 when a finding of that severity was standing at the end: leak, warning or never "
             "(default: never; run: leak)")
      ->type_name("SEVERITY");
  app.add_option("--allow", options.gate.allow, "With --fail-on: findings of coroutines that match are let pass")
      ->allow_extra_args(false)
      ->type_name("GLOB");
  app.add_option("--allow-file", options.gate.allow_file, "The same from a file: on each line a GLOB, then the reason")
      ->type_name("FILE");
  app.add_option("--min-confidence", options.gate.min_confidence_percent,
                 "With --fail-on: findings that are less sure are let pass, in percent")
      ->check(number_from(0, 100))
      ->type_name("PERCENT")
      ->capture_default_str();
  app.add_option_function<std::vector<std::string>>(
         "--summary",
         [&options](const std::vector<std::string>& texts) {
           for (const auto& text : texts) {
             const auto equals = text.find('=');
             const bool has_file = equals != std::string::npos;
             options.summaries.push_back({text.substr(0, equals), has_file ? text.substr(equals + 1) : ""});
           }
         },
         "What was found, told at the end on stderr or in FILE: table, json, junit, github or none (default: table)")
      ->allow_extra_args(false)
      ->type_name("FORMAT[=FILE]");
}

void add_record_options(CLI::App& app, Options& options) {
  app.add_option("-r,--record", options.record, "Write every sample to FILE, for replay and diff")->type_name("FILE");
  app.add_option_function<std::string>(
         "--record-limit",
         [&options](const std::string& text) {
           const auto size = parse_size(text);
           constexpr std::uint64_t least = 1 << 20;
           if (!size || *size < least) {
             throw CLI::ValidationError("--record-limit", text + " is not a size of at least 1M, as 512M or 2G");
           }
           options.record_limit = *size;
         },
         "Keep the recording below that size, by thinning what is older: 512M, 2G")
      ->type_name("SIZE");
  app.add_option("--label", options.label, "What the first moment is called; key l and SIGUSR1 label later ones")
      ->type_name("TEXT");
}

void add_threshold_options(CLI::App& app, Options& options) {
  app.add_option("--warn-tasks", options.policy.warn_tasks, "'overload' above so many pending tasks of a process")
      ->check(number_from(0))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--warn-rss", options.policy.warn_rss_percent, "'rss-growth' above so much growth of RSS, in percent")
      ->check(number_from(1))
      ->type_name("PERCENT")
      ->capture_default_str();
}

void add_format_options(CLI::App& app, Options& options) {
  app.add_flag_callback(
      "--json", [&] { options.format = Format::json; }, "One JSON object instead of text");
  app.add_option("-l,--limit", options.limit, "Rows shown; 0: all")->check(number_from(0))->type_name("N");
  app.add_flag_callback(
      "--no-color", [&] { options.color = false; }, "No colours (also: NO_COLOR in the environment)");
}

constexpr const char* when_help =
    "a label, +SECONDS from the first moment, -SECONDS before the last, HH:MM[:SS], RFC 3339";

}  // namespace

void add_view_options(CLI::App& app, Options& options) {
  app.add_option("-d,--delay", options.delay_s, "Seconds between refreshes, 0.1 to 3600")
      ->check(number_from(0.1, 3600))
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_option("-n,--iterations", options.iterations, "Stop after N refreshes")
      ->check(number_from(1))
      ->type_name("N");
  auto* batch = app.add_flag_callback(
      "-b,--batch", [&] { options.format = Format::batch; }, "Plain text frames");
  auto* json = app.add_flag_callback(
      "--json", [&] { options.format = Format::json; }, "One JSON object per refresh, a line each");
  json->excludes(batch);
  app.add_flag_callback(
         "-q,--quiet", [&] { options.format = Format::quiet; }, "No frames: only files, --fail-on and a log on stderr")
      ->excludes(batch)
      ->excludes(json);
  app.add_option("-s,--sort", options.sort, "Order of the rows: " + CLI::detail::join(sort_choices(), ", "))
      ->check(CLI::IsMember(sort_choices()).description(""))
      ->type_name("COLUMN")
      ->capture_default_str();
  app.add_option("-l,--limit", options.limit, "Rows shown; 0: all that fit")->check(number_from(0))->type_name("N");
  app.add_flag_callback(
      "--no-color", [&] { options.color = false; }, "No colours (also: NO_COLOR in the environment)");
  app.add_option("--prom-textfile", options.prom_textfile,
                 "Write metrics for node_exporter's textfile collector to FILE (*.prom) at every refresh")
      ->type_name("FILE");
}

void add_watch_options(CLI::App& app, Options& options) {
  app.add_option("--stack-depth", options.stack_depth, "Python frames kept per creation site, 0 to 32")
      ->check(number_from(0, 32))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--max-tasks", options.max_tasks, "Outstanding tasks tracked on the whole machine")
      ->check(number_from(1024, 1 << 27))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--max-sites", options.max_sites, "Creation sites tracked on the whole machine")
      ->check(number_from(64, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--census-budget", options.census_budget_percent,
                 "Share of one core for looking at the processes' memory, in percent; 0: never look")
      ->check(number_from(0, 100))
      ->type_name("PERCENT")
      ->capture_default_str();
  add_memory_options(app, options);
  add_record_options(app, options);
  app.add_option("--duration", options.duration_s, "Stop after so many seconds; run: and end the command")
      ->check(number_from(0.1))
      ->type_name("SECONDS");
  app.add_option("--slow-step", options.slow_step_ms,
                 "Measure each step of each task: 'slow-step' when one holds its loop longer, in milliseconds")
      ->check(number_from(0.1, 3600000))
      ->type_name("MS");
  add_gate_options(app, options);
  add_threshold_options(app, options);
  app.add_flag("--verbose", options.verbose, "Say on stderr how each interpreter was understood");
}

void add_inspect_options(CLI::App& app, Options& options) {
  InspectRequest& request = options.inspect;
  app.add_flag_callback(
      "--json", [&] { options.format = Format::json; }, "One JSON object instead of text");
  app.add_option("--task", request.task, "Only the task of that name, or at that address (0x...)")
      ->type_name("NAME|ADDR");
  app.add_option("--coroutine", request.coroutine_glob, "Only tasks whose coroutine's qualified name matches")
      ->type_name("GLOB");
  app.add_option("--older", request.older_s, "Only tasks at least that old")
      ->check(number_from(0))
      ->type_name("SECONDS");
  app.add_flag("--locals", request.values, "Show the values of local variables and results: the program's data");
  app.add_flag("--redact", request.redact, "With --locals: of text and numbers the type and length only");
  app.add_option("-l,--limit", request.limit, "Tasks listed; 0: all")
      ->check(number_from(0))
      ->type_name("N")
      ->capture_default_str();
  app.add_flag_callback(
      "--no-color", [&] { options.color = false; }, "No colours (also: NO_COLOR in the environment)");
}

void add_replay_options(CLI::App& app, Options& options) {
  app.add_option("FILE", options.files, "The recording")->type_name("");
  add_view_options(app, options);
  app.add_option("--speed", options.speed, "Times real time; 0: as fast as possible (default: 1 on the screen, else 0)")
      ->check(number_from(0, 100000))
      ->type_name("FACTOR");
  app.add_option("--from", options.from, std::string("Begin at ") + when_help)->type_name("WHEN");
  app.add_option("--to", options.to, "End there")->type_name("WHEN");
  add_gate_options(app, options);
  add_threshold_options(app, options);
}

void add_diff_options(CLI::App& app, Options& options) {
  app.add_option("FILE", options.files, "One recording: its first and last moment; two: their last moments")
      ->type_name("");
  app.add_option("--from", options.from, std::string("The earlier moment, of the first file: ") + when_help)
      ->type_name("WHEN");
  app.add_option("--to", options.to, "The later moment, of the last file")->type_name("WHEN");
  add_format_options(app, options);
}

}  // namespace asyncleak::cli
