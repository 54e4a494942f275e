// What the metrics promise whatever runs: the size of the file, sums that are exact, counters that never fall.
#include "view/prometheus/prometheus.h"

#include "report_fixture.h"
#include "view/prometheus/family.h"
#include "view/prometheus/places.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

using namespace asyncleak;

namespace {

constexpr std::size_t promised_bytes = 2'000'000;

std::string hostile(std::size_t bytes, unsigned seed) {
  static const std::string parts[] = {"\"",       "\\",         "\n",         "\xff",         "\x1b[2J",
                                      "\xc2\x85", "{}",         ",pid=\"1\"", "\xe2\x82\xac", std::string(1, '\0'),
                                      "\r",       "# HELP x\n", "a"};
  std::mt19937 random(seed);
  std::string text = std::to_string(seed);
  while (text.size() < bytes) text += parts[random() % std::size(parts)];
  return text;
}

ProcessRow process_row(pid_t pid, const std::string& comm) {
  ProcessRow row;
  row.process.id = static_cast<std::uint32_t>(pid);
  row.process.pid = pid;
  row.process.comm = comm;
  row.process.tasks = Coverage::exact;
  row.process.rss_bytes = 1'000'000 + static_cast<std::uint64_t>(pid);
  return row;
}

// Every label and every metric at its largest: states, bytes, counters, names.
Report hostile_report(pid_t processes, std::uint64_t sites, std::size_t name_bytes) {
  Report report = example_report();
  report.processes.clear();
  report.sites.clear();
  report.findings.clear();
  for (pid_t i = 0; i < processes; ++i) {
    const auto seed = static_cast<unsigned>(i);
    ProcessRow row = process_row(4'000'000 + i, hostile(15, seed));
    ProcessSample& process = row.process;
    process.unit = hostile(255, seed);
    process.container = hostile(255, seed);
    process.inside = {hostile(100, seed), hostile(255, seed), hostile(255, seed), hostile(255, seed), 4'194'304};
    process.python = hostile(40, seed);
    process.started_wall_ns = 1'795'234'000'120'000'000;
    process.loops.resize(2);
    process.loops[0].ready = process.loops[0].timers = process.loops[1].ready = 1'000'000;
    process.allocations.emplace();
    row.allocated_bytes = 1;
    report.processes.push_back(std::move(row));
  }
  for (std::uint64_t i = 0; i < sites; ++i) {
    const auto seed = static_cast<unsigned>(i);
    const auto pid = static_cast<pid_t>(4'000'000 + i % static_cast<std::uint64_t>(processes));
    SiteRow row = site_row(i + 1, pid, hostile(name_bytes, seed), 1'000'000'000 + i);
    set_stack(row, {{"f", "/srv/" + hostile(name_bytes / 10, seed), 12}});
    row.pending = row.outstanding - 7;
    row.done = 6;  // and one that came later
    row.oldest_s = 123456.789;
    row.created_total = 18'000'000'000'000'000'000U / sites - i;
    row.destroyed_total = row.destroyed_pending = 9'000'000'000'000'000'000U / sites - i;
    row.slow_steps = SlowSteps{i, 0, 0};
    row.allocated_bytes = i;
    Finding finding = leak_finding();
    finding.pid = pid;
    finding.coroutine = row.identity->coroutine;
    finding.site = site_key(*row.identity);
    report.findings.push_back(std::move(finding));
    report.sites.push_back(std::move(row));
  }
  return report;
}

struct Series {
  std::string name, labels;
  std::string value;
};

// By the grammar of the format; a line that does not fit it is a failure.
std::vector<Series> parse(const std::string& text) {
  std::vector<Series> all;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    REQUIRE(end != std::string::npos);
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.starts_with("# HELP asyncleak_") || line.starts_with("# TYPE asyncleak_")) continue;
    Series series;
    std::size_t at = line.find_first_of("{ ");
    series.name = line.substr(0, at);
    const std::size_t labels = at;
    bool quoted = false;
    for (; line.at(at) != ' ' || quoted; ++at) {
      const auto byte = static_cast<unsigned char>(line[at]);
      if (byte < ' ' || byte == 0x7f) FAIL("a control character in " + line);
      if (quoted && line[at] == '\\') {
        ++at;
        if (std::string_view("\\\"n").find(line.at(at)) == std::string_view::npos) FAIL("a wrong escape in " + line);
      } else if (line[at] == '"') {
        quoted = !quoted;
      }
    }
    series.labels = line.substr(labels, at - labels);
    series.value = line.substr(at + 1);
    if (!series.name.starts_with("asyncleak_") || series.value.empty()) FAIL("no series: " + line);
    all.push_back(std::move(series));
  }
  return all;
}

std::uint64_t number(const std::string& text) {
  std::uint64_t value = 0;
  REQUIRE(std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size());
  return value;
}

std::uint64_t sum(const std::vector<Series>& all, std::string_view name) {
  std::uint64_t total = 0;
  for (const Series& series : all) total += series.name == name ? number(series.value) : 0;
  return total;
}

template <class Of>
std::uint64_t sum(const Report& report, Of of) {
  std::uint64_t total = 0;
  for (const SiteRow& row : report.sites) total += of(row);
  return total;
}

void check_sums(const Report& report, const std::vector<Series>& all) {
  CHECK(sum(all, "asyncleak_tasks") == sum(report, [](const SiteRow& row) { return row.outstanding; }));
  CHECK(sum(all, "asyncleak_tasks_created_total") ==
        sum(report, [](const SiteRow& row) { return *row.created_total; }));
  CHECK(sum(all, "asyncleak_tasks_destroyed_total") ==
        sum(report, [](const SiteRow& row) { return *row.destroyed_total; }));
}

// No set of labels twice, each metric in one piece with one HELP: else the whole file is void.
void check_unique(const std::vector<Series>& all) {
  std::map<std::string, std::size_t> seen, begun;
  std::string before;
  for (const Series& series : all) {
    if (++seen[series.name + series.labels] != 1) FAIL("twice: " + series.name + series.labels);
    if (series.name != before && ++begun[series.name] != 1) FAIL("in pieces: " + series.name);
    before = series.name;
  }
}

}  // namespace

TEST_CASE("ten thousand sites of five hundred processes, all called by strangers: the file stays small and adds up") {
  const auto [processes, sites, bytes] = GENERATE(table<pid_t, std::uint64_t, std::size_t>(
      {{500, 10'000, 300}, {1, 10'000, 300}, {5000, 5000, 300}, {50, 500, 10'240}}));
  CAPTURE(processes, sites, bytes);
  const Report report = hostile_report(processes, sites, bytes);
  Prometheus prometheus;
  for (int refresh = 0; refresh < 2; ++refresh) {
    const std::string text = prometheus.write(report);
    CHECK(text.size() < promised_bytes);
    const auto all = parse(text);
    check_unique(all);
    check_sums(report, all);
    CHECK(sum(all, "asyncleak_findings") == sites);
    CHECK(sum(all, "asyncleak_site_bytes") == sum(report, [](const SiteRow& row) { return *row.allocated_bytes; }));
    std::uint64_t resident = 0;
    for (const ProcessRow& row : report.processes) resident += *row.process.rss_bytes;
    CHECK(sum(all, "asyncleak_process_resident_bytes") == resident);
  }
}

// For promtool, which tests/e2e/test_metrics.py asks.
TEST_CASE("the hostile report into a file", "[.]") {
  std::ofstream file(std::getenv("ASYNCLEAK_REPORT_FILE"), std::ios::binary);  // NOLINT(concurrency-mt-unsafe)
  file << Prometheus().write(hostile_report(500, 10'000, 300));
  REQUIRE(file.flush());
}

TEST_CASE("of ordinary names there is room for many") {
  Report report;
  for (pid_t pid = 1; pid <= 250; ++pid) {
    report.processes.push_back(process_row(pid, "python3"));
    report.processes.back().process.unit = "shop-worker.service";
    report.sites.push_back(site_row(static_cast<std::uint64_t>(pid) * 2, pid, "Conn.waiter", 5));
    report.sites.push_back(site_row(static_cast<std::uint64_t>(pid) * 2 + 1, pid, "Pool.worker", 5));
  }
  const std::string text = Prometheus().write(report);
  CHECK(text.find("other\"") == std::string::npos);
  CHECK(
      text.find("pid=\"250\",comm=\"python3\",unit=\"shop-worker.service\",container=\"\",coroutine=\"Pool.worker\"") !=
      std::string::npos);
}

TEST_CASE("a label is cut at a character, and says so") {
  CHECK(shortened("plain", 8) == "plain");
  CHECK(shortened("eight888", 8) == "eight888");
  CHECK(shortened("nine99999", 8) == "nine9...");
  CHECK(shortened("\"\"\"\"", 8) == R"(\"\"\"\")");
  CHECK(shortened("\"\"\"\"\"", 8) == R"(\"\"...)");
  CHECK(shortened("€€€", 8) == "€...");
  CHECK(shortened("€€", 8) == "€€");
  CHECK(shortened("a\nb\tc\x7f", 12) == "a\\nb?c?");
  CHECK(shortened("\xff\xff\xff", 8) == "�...");
  CHECK(shortened("", 8).empty());
  // Characters that get shorter do not hide that something was cut off.
  std::string control;
  for (int i = 0; i < 1000; ++i) control += "\xc2\x85";
  CHECK(shortened(control, 8) == "?????...");
}

TEST_CASE("counters never fall, series stay, and all is counted, whatever comes, grows and ends") {
  PrometheusOptions few;
  few.sites_per_process = 3;
  few.process_bytes = 12'000;
  few.task_bytes = 12'000;
  Prometheus prometheus(few);
  std::mt19937 random(11);
  std::map<std::uint64_t, SiteRow> living;
  std::map<std::string, std::uint64_t> last;  // also of series that are not there now
  std::uint64_t next_id = 1;
  std::size_t named_once = 0, others_once = 0;
  for (int refresh = 0; refresh < 400; ++refresh) {
    // A process ends now and then, with all its sites; sites begin in any.
    if (random() % 20 == 0) {
      const auto ended = static_cast<pid_t>(random() % 12 + 1);
      std::erase_if(living, [ended](const auto& entry) { return entry.second.identity->pid == ended; });
      // Who has its PID later is another process.
      std::erase_if(last, [&](const auto& entry) {
        return entry.first.find(fmt::format("pid=\"{}\"", ended)) != std::string::npos;
      });
    }
    if (random() % 3 == 0) {
      const std::uint64_t id = next_id++;
      living[id] = site_row(id, static_cast<pid_t>(random() % 12 + 1), fmt::format("job{}", id), 0);
      living[id].created_total = 0;
    }
    Report report;
    for (pid_t pid = 1; pid <= 12; ++pid) report.processes.push_back(process_row(pid, "app"));
    for (auto& [id, row] : living) {
      const std::uint64_t born = random() % (1U << random() % 12), died = random() % (born + 1);
      *row.created_total += born;
      *row.destroyed_total += died;
      row.outstanding = *row.created_total - *row.destroyed_total;
      row.verdict = random() % 50 == 0 ? Verdict::leak : Verdict::steady;
      report.sites.push_back(row);
    }
    const auto all = parse(prometheus.write(report));
    CHECK(sum(all, "asyncleak_tasks") == sum(report, [](const SiteRow& row) { return row.outstanding; }));
    std::map<std::string, std::uint64_t> now;
    for (const Series& series : all) {
      if (!series.name.ends_with("_total") || series.labels.find("pid=") == std::string::npos) continue;
      const std::string key = series.name + series.labels;
      now[key] = number(series.value);
      const auto earlier = last.find(key);
      if (earlier != last.end() && now[key] < earlier->second) FAIL(key << " fell to " << now[key]);
      named_once += key.find("coroutine=\"job") != std::string::npos ? 1 : 0;
      others_once += key.find("comm=\"other\"") != std::string::npos ? 1 : 0;
    }
    for (const auto& [key, value] : now) last[key] = value;
  }
  CHECK(named_once > 1000);
  CHECK(others_once > 100);
}

TEST_CASE("a site that becomes important later gets a series from then on, and nothing is counted twice") {
  PrometheusOptions one;
  one.sites_per_process = 1;
  Prometheus prometheus(one);
  Report report;
  report.processes = {process_row(42, "app")};
  report.sites = {site_row(1, 42, "pool", 8), site_row(2, 42, "late", 1)};
  const auto value = [&](std::string_view coroutine) {
    const std::string wanted = fmt::format("coroutine=\"{}\"", coroutine);
    for (const Series& series : parse(prometheus.write(report))) {
      const bool found = series.labels.find(wanted) != std::string::npos;
      if (series.name == "asyncleak_tasks_created_total" && found) return std::optional(number(series.value));
    }
    return std::optional<std::uint64_t>();
  };
  CHECK(value("pool") == 8);
  CHECK(value("other") == 1);
  // About as large: nothing changes hands.
  report.sites[1].outstanding = 12;
  report.sites[1].created_total = 12;
  CHECK(value("pool") == 8);
  CHECK(value("other") == 12);
  // Clearly larger: its own series begins; the others keep what they counted.
  report.sites[1].outstanding = 30;
  report.sites[1].created_total = 30;
  CHECK(value("late") == 18);
  CHECK(value("other") == 12);
  CHECK_FALSE(value("pool"));
  // A leak has the first claim, however small.
  report.sites[0].verdict = Verdict::leak;
  report.sites[0].created_total = 11;
  CHECK(value("pool") == 11);
  CHECK(value("other") == 12);
  CHECK_FALSE(value("late"));
}

TEST_CASE("what a process that ended had counted stays with the others of all") {
  PrometheusOptions none;
  none.process_bytes = 0;
  Prometheus prometheus(none);
  Report report;
  report.processes = {process_row(42, "app"), process_row(43, "app")};
  report.sites = {site_row(1, 42, "a", 5), site_row(2, 43, "b", 7)};
  auto all = parse(prometheus.write(report));
  CHECK(sum(all, "asyncleak_tasks_created_total") == 12);
  report.sites.pop_back();
  report.processes.pop_back();
  all = parse(prometheus.write(report));
  CHECK(sum(all, "asyncleak_tasks_created_total") == 12);
  CHECK(sum(all, "asyncleak_tasks") == 5);
  report.sites = {site_row(9, 43, "b", 4)};  // the same PID, another process
  CHECK(sum(parse(prometheus.write(report)), "asyncleak_tasks_created_total") == 16);
}

TEST_CASE("a process that has ended leaves no series") {
  Prometheus prometheus;
  Report report = example_report();
  CHECK(prometheus.write(report).find("pid=\"42\"") != std::string::npos);
  report.processes.erase(report.processes.begin());
  report.sites.clear();
  report.findings.clear();
  CHECK(prometheus.write(report).find("pid=\"42\"") == std::string::npos);
}

TEST_CASE("since when a finding stands does not tremble") {
  Prometheus prometheus;
  Report report = example_report();
  const auto start = [&] {
    for (const Series& series : parse(prometheus.write(report))) {
      if (series.name == "asyncleak_finding_start_time_seconds") return series.value;
    }
    return std::string();
  };
  CHECK(start() == "1795234347.623");
  report.wall_ns += 1'003'000'000;
  report.findings[0].since_s += 1;
  CHECK(start() == "1795234347.623");
  report.findings[0].since_s = 2;  // gone, and here again
  CHECK(start() == "1795234617.126");
}

TEST_CASE("places: the group's limit, the bytes, and names that grow") {
  const auto candidate = [](std::uint64_t key, std::uint64_t group, std::uint64_t size, std::size_t bytes) {
    return Candidate{key, group, {false, size, 0}, bytes};
  };
  Places places({2, 100});
  places.assign({candidate(1, 7, 10, 30), candidate(2, 7, 20, 30), candidate(3, 7, 15, 30), candidate(4, 8, 1, 30),
                 candidate(5, 9, 1, 30)});
  CHECK(places.has(2));
  CHECK(places.has(3));
  CHECK_FALSE(places.has(1));  // the third of its group
  CHECK(places.has(4));        // of equals the first
  CHECK_FALSE(places.has(5));  // no room
  places.assign({candidate(2, 7, 20, 90), candidate(3, 7, 15, 30), candidate(4, 8, 1, 30)});
  CHECK(places.has(2));
  CHECK_FALSE(places.has(3));
  CHECK_FALSE(places.has(4));
}
