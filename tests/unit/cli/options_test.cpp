#include "cli/options.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <iostream>
#include <sstream>

namespace asyncleak::cli {
namespace {

struct Outcome {
  std::variant<Options, int> parsed;
  std::string out, err;
};

// std::cout or std::cerr as text while this lives.
class Captured {
 public:
  explicit Captured(std::ostream& stream) : stream_(stream), before_(stream.rdbuf(text_.rdbuf())) {}
  Captured(const Captured&) = delete;
  Captured& operator=(const Captured&) = delete;
  ~Captured() { stream_.rdbuf(before_); }
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::ostream& stream_;
  std::streambuf* before_;
};

Outcome parse(std::vector<std::string> words) {
  words.insert(words.begin(), "asyncleak-top");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const Captured out(std::cout);
  const Captured err(std::cerr);
  auto parsed = parse_options(static_cast<int>(words.size()), argv.data());
  return {std::move(parsed), out.text(), err.text()};
}

Options accept(const std::vector<std::string>& words) {
  auto outcome = parse(words);
  INFO(outcome.err);
  REQUIRE(std::holds_alternative<Options>(outcome.parsed));
  CHECK(outcome.out + outcome.err == "");
  return std::get<Options>(outcome.parsed);
}

using Pids = std::vector<pid_t>;

}  // namespace

TEST_CASE("without a word: the live view of everything, with the contract's defaults") {
  const Options options = accept({});
  CHECK(options.command == Command::live);
  CHECK(options.pids.empty());
  CHECK(options.comm.empty());
  CHECK(options.delay_s == 1);
  CHECK_FALSE(options.iterations);
  CHECK(options.format == Format::automatic);
  CHECK(options.sort == "growth");
  CHECK(options.limit == 0);
  CHECK(options.stack_depth == 8);
  CHECK(options.max_tasks == 1U << 20);
  CHECK(options.max_sites == 8192);
  CHECK(options.prom_textfile.empty());
  CHECK(options.census_budget_percent == 5);
  CHECK(options.memory == MemoryMode::objects);
  CHECK_FALSE(options.memory_lines);
  CHECK(options.min_size == 0);
  CHECK(options.max_blocks == 1'048'576);
  CHECK(options.overhead_limit_percent == 50);
  CHECK(options.gate.fail_on == FailOn::automatic);
  CHECK(options.policy.warn_tasks == 100);
  CHECK(options.policy.warn_rss_percent == 50);
  CHECK(options.color);
  CHECK_FALSE(options.verbose);
}

TEST_CASE("every option of the live view, long and short") {
  CHECK(accept({"--comm", "uvicorn*"}).comm == "uvicorn*");
  CHECK(accept({"-c", "py?"}).comm == "py?");
  CHECK(accept({"--delay", "0.1"}).delay_s == 0.1);
  CHECK(accept({"-d3600"}).delay_s == 3600);
  CHECK(accept({"--iterations=5"}).iterations == 5U);
  CHECK(accept({"-n", "1"}).iterations == 1U);
  CHECK(accept({"--batch"}).format == Format::batch);
  CHECK(accept({"-b"}).format == Format::batch);
  CHECK(accept({"--json"}).format == Format::json);
  CHECK(accept({"--quiet", "--prom-textfile", "/tmp/a.prom"}).format == Format::quiet);
  CHECK(accept({"-q", "--record", "/tmp/a.alrec"}).format == Format::quiet);
  CHECK(accept({"-q", "--fail-on", "warning"}).format == Format::quiet);
  CHECK(accept({"-q", "--summary", "junit"}).format == Format::quiet);
  CHECK(accept({"--sort", "outstanding"}).sort == "outstanding");
  CHECK(accept({"-s", "pid"}).sort == "pid");
  CHECK(accept({"--limit", "7"}).limit == 7);
  CHECK(accept({"-l", "0"}).limit == 0);
  CHECK(accept({"--stack-depth", "0"}).stack_depth == 0);
  CHECK(accept({"--stack-depth", "32"}).stack_depth == 32);
  CHECK(accept({"--max-tasks", "1024"}).max_tasks == 1024);
  CHECK(accept({"--max-sites", "64"}).max_sites == 64);
  CHECK(accept({"--census-budget", "0"}).census_budget_percent == 0);
  CHECK(accept({"--census-budget", "12.5"}).census_budget_percent == 12.5);
  CHECK(accept({"--memory", "objects"}).memory == MemoryMode::objects);
  CHECK(accept({"-m", "malloc"}).memory == MemoryMode::malloc);
  CHECK(accept({"-m", "all", "--memory-lines"}).memory_lines);
  CHECK(accept({"--memory=all", "--min-size", "512"}).min_size == 512);
  CHECK(accept({"-m", "objects", "--min-size", "0"}).memory == MemoryMode::objects);
  CHECK(accept({"--max-blocks", "1024"}).max_blocks == 1024);
  CHECK(accept({"--overhead-limit", "100"}).overhead_limit_percent == 100);
  CHECK(accept({"run", "-m", "all", "--overhead-limit", "2.5", "--", "ls"}).overhead_limit_percent == 2.5);
  CHECK(accept({"--fail-on", "leak"}).gate.fail_on == FailOn::leak);
  CHECK(accept({"--fail-on", "warning"}).gate.fail_on == FailOn::warning);
  CHECK(accept({"--fail-on", "never"}).gate.fail_on == FailOn::never);
  CHECK(accept({"--warn-tasks", "0"}).policy.warn_tasks == 0);
  CHECK(accept({"--warn-rss", "12.5"}).policy.warn_rss_percent == 12.5);
  CHECK_FALSE(accept({"--no-color"}).color);
  CHECK(accept({"--verbose"}).verbose);
  CHECK(accept({"--prom-textfile", "/tmp/a.prom"}).prom_textfile == "/tmp/a.prom");
  CHECK(accept({"--prom-textfile", "here.prom"}).prom_textfile == "here.prom");
}

TEST_CASE("quiet, with nobody who would hear of it") {
  const std::string refusal =
      "asyncleak-top: --quiet goes with --prom-textfile, --record, --fail-on or --summary: nothing else would be told "
      "(see "
      "asyncleak-top --help)\n";
  for (const auto& words : std::vector<std::vector<std::string>>{{"-q"},
                                                                 {"-q", "--summary", "none"},
                                                                 {"-q", "--fail-on", "never"},
                                                                 {"replay", "a.alrec", "-q"},
                                                                 {"run", "-q", "--fail-on", "never", "--", "true"}}) {
    const auto outcome = parse(words);
    REQUIRE(std::holds_alternative<int>(outcome.parsed));
    CHECK(std::get<int>(outcome.parsed) == 2);
    CHECK(outcome.err == refusal);
  }
  CHECK(accept({"run", "-q", "--", "true"}).format == Format::quiet);  // its gate tells
  CHECK(std::get<int>(parse({"-q", "--json", "--record", "/tmp/a.alrec"}).parsed) == 2);
  CHECK(std::get<int>(parse({"-b", "-q", "--record", "/tmp/a.alrec"}).parsed) == 2);
}

TEST_CASE("processes by option, by list and as arguments") {
  CHECK(accept({"-p", "12"}).pids == Pids{12});
  CHECK(accept({"-p", "12,13,14"}).pids == Pids{12, 13, 14});
  CHECK(accept({"--pid=12", "--pid", "13"}).pids == Pids{12, 13});
  CHECK(accept({"12", "13"}).pids == Pids{12, 13});
  CHECK(accept({"-p", "12", "13"}).pids == Pids{12, 13});
  CHECK(accept({"-b", "12", "-n", "1"}).pids == Pids{12});
}

TEST_CASE("run takes the words after -- as they are") {
  const Options options = accept({"run", "--json", "-d", "0.2", "--", "python3", "-c", "--", "--json"});
  CHECK(options.command == Command::run);
  CHECK(options.format == Format::json);
  CHECK(options.delay_s == 0.2);
  CHECK(options.program == std::vector<std::string>{"python3", "-c", "--", "--json"});
}

TEST_CASE("inspect: one process, and which of its tasks") {
  const Options options = accept({"inspect", "4242"});
  CHECK(options.command == Command::inspect);
  CHECK(options.inspect.pid == 4242);
  CHECK(options.inspect.task.empty());
  CHECK(options.inspect.coroutine_glob.empty());
  CHECK_FALSE(options.inspect.older_s);
  CHECK_FALSE(options.inspect.values);
  CHECK_FALSE(options.inspect.redact);
  CHECK(options.inspect.limit == 1000);
  CHECK(options.color);

  const auto inspect = [](std::vector<std::string> words) {
    words.insert(words.begin(), {"inspect", "4242"});
    return accept(words);
  };
  CHECK(inspect({"--json"}).format == Format::json);
  CHECK(accept({"inspect", "--json", "4242"}).inspect.pid == 4242);
  CHECK(inspect({"--task", "Task-12"}).inspect.task == "Task-12");
  CHECK(inspect({"--coroutine", "Conn.*"}).inspect.coroutine_glob == "Conn.*");
  CHECK(inspect({"--older", "1.5"}).inspect.older_s == 1.5);
  CHECK(inspect({"--locals"}).inspect.values);
  CHECK(inspect({"--locals", "--redact"}).inspect.redact);
  CHECK(inspect({"-l", "7"}).inspect.limit == 7);
  CHECK(inspect({"--limit", "0"}).inspect.limit == 0);
  CHECK_FALSE(inspect({"--no-color"}).color);
}

TEST_CASE("doctor takes processes") {
  const Options options = accept({"doctor", "12", "13"});
  CHECK(options.command == Command::doctor);
  CHECK(options.pids == Pids{12, 13});
  CHECK(accept({"doctor"}).pids.empty());
}

TEST_CASE("NO_COLOR counts unless it is empty") {
  setenv("NO_COLOR", "1", 1);
  CHECK_FALSE(accept({}).color);
  setenv("NO_COLOR", "", 1);
  CHECK(accept({}).color);
  unsetenv("NO_COLOR");
}

TEST_CASE("help and version are said on stdout, with status 0") {
  for (const char* word : {"--help", "-h", "--version", "-V"}) {
    const auto outcome = parse({word});
    CHECK(std::get<int>(outcome.parsed) == 0);
    CHECK(outcome.out.find("asyncleak-top") != std::string::npos);
    CHECK(outcome.err.empty());
  }
  CHECK(parse({"--version"}).out == "asyncleak-top " ASYNCLEAK_VERSION "\n");
  const auto help = parse({"--help"}).out;
  for (const char* word : {"UINT", "FLOAT"}) CHECK(help.find(word) == std::string::npos);
}

TEST_CASE("a wrong command line is one line on stderr that names what is wrong, and status 2") {
  struct Wrong {
    std::vector<std::string> words;
    const char* said;
  };
  const std::vector<Wrong> table = {
      {{"--frobnicate"}, "--frobnicate"},
      {{"--frobnicate", "x"}, "--frobnicate"},
      {{"-x"}, "-x"},
      {{"--delay", "-1"}, "--delay: -1 is not a number from 0.1 to 3600"},
      {{"--delay", "0"}, "--delay"},
      {{"--delay", "0.05"}, "--delay"},
      {{"--delay", "3601"}, "--delay"},
      {{"--delay", "nan"}, "--delay"},
      {{"--delay", "1s"}, "--delay"},
      {{"-d"}, "--delay"},
      {{"--iterations", "0"}, "--iterations"},
      {{"--iterations", "-1"}, "--iterations"},
      {{"--iterations", "1.5"}, "--iterations"},
      {{"--batch", "--json"}, "--json"},
      {{"--sort", "beauty"}, "--sort"},
      {{"--limit", "-1"}, "--limit: -1 is not a number from 0 on"},
      {{"--limit", "x"}, "--limit"},
      {{"--census-budget", "101"}, "--census-budget"},
      {{"--census-budget", "-1"}, "--census-budget"},
      {{"inspect"}, "inspect needs one process"},
      {{"inspect", "12", "13"}, "inspect needs one process"},
      {{"inspect", "app"}, "'app' is not a process id"},
      {{"inspect", "12", "--older", "-1"}, "--older"},
      {{"inspect", "12", "--redact"}, "--redact goes with --locals"},
      {{"inspect", "12", "--batch"}, "--batch"},
      {{"inspect", "12", "--", "ls"}, "goes with 'run' only"},
      {{"--stack-depth", "33"}, "--stack-depth"},
      {{"--stack-depth", "-1"}, "--stack-depth"},
      {{"--max-tasks", "1023"}, "--max-tasks"},
      {{"--max-sites", "63"}, "--max-sites"},
      {{"-m", "some"}, "--memory: some not in {all,malloc,objects}"},
      {{"-m", "1"}, "--memory"},
      {{"-m"}, "--memory"},
      {{"--memory-lines"}, "--memory-lines goes with -m malloc or all"},
      {{"run", "--min-size", "512", "--", "ls"}, "--min-size goes with -m malloc or all"},
      {{"-m", "all", "--min-size", "-1"}, "--min-size: -1 is not a number from 0"},
      {{"--max-blocks", "1023"}, "--max-blocks"},
      {{"--overhead-limit", "0"}, "--overhead-limit: 0 is not a number from 1 to 10000"},
      {{"--overhead-limit", "10001"}, "--overhead-limit"},
      {{"inspect", "12", "-m", "all"}, "-m"},
      {{"--fail-on", "often"}, "--fail-on: often not in {leak,never,warning}"},
      {{"--fail-on", "1"}, "--fail-on"},
      {{"--warn-tasks", "-1"}, "--warn-tasks"},
      {{"--warn-rss", "0"}, "--warn-rss"},
      {{"--warn-rss", "-5"}, "--warn-rss"},
      {{"-p"}, "--pid"},
      {{"-p", "python"}, "'python' is not a process id"},
      {{"-p", "12,x"}, "'x' is not a process id"},
      {{"-p", "0"}, "'0' is not a process id"},
      {{"-p", "-3"}, "'-3' is not a process id"},
      {{"-p", "12345678901"}, "'12345678901' is not a process id"},
      {{"12x"}, "'12x' is not a process id"},
      {{"doctor", "x"}, "'x' is not a process id"},
      {{"doctor", "--json"}, "--json"},
      {{"run"}, "run needs a command"},
      {{"run", "--"}, "run needs a command"},
      {{"run", "ls"}, "ls"},
      {{"run", "-p", "1", "--", "ls"}, "-p"},
      {{"--", "ls"}, "goes with 'run' only"},
      {{"-b", "--", "12"}, "goes with 'run' only"},
      {{"doctor", "--", "ls"}, "goes with 'run' only"},
      {{"--prom-textfile", "metrics.txt"}, "--prom-textfile metrics.txt: the name must end in .prom"},
      {{"--prom-textfile", ".prom"}, "--prom-textfile"},
      {{"--prom-textfile", "/nonexistent/a.prom"}, "there is no directory /nonexistent"},
      {{"run", "--prom-textfile", "/dev/null/a.prom", "--", "ls"}, "there is no directory /dev/null"},
  };
  for (const auto& wrong : table) {
    INFO(wrong.said);
    const auto outcome = parse(wrong.words);
    REQUIRE(std::holds_alternative<int>(outcome.parsed));
    CHECK(std::get<int>(outcome.parsed) == 2);
    CHECK(outcome.out.empty());
    CHECK_THAT(outcome.err, Catch::StartsWith("asyncleak-top: ") && Catch::Contains(wrong.said));
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    CHECK(outcome.err.back() == '\n');
  }
}

}  // namespace asyncleak::cli
