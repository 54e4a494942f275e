#include "cli/player.h"

#include "../temporary_folder.h"
#include "view/json.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <fstream>
#include <iterator>

using namespace asyncleak;
using cli::Player;
using test::TemporaryFolder;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr int minutes = 30, count = minutes * 60;

// A leak of a task a second that begins after five minutes, and a pool; the process's memory grows.
Sample sample_at(int second) {
  static const auto identity = [](std::uint64_t id, const char* name) {
    auto made = std::make_shared<SiteIdentity>();
    made->id = id;
    made->process = 1;
    made->pid = 42;
    made->coroutine = name;
    return std::shared_ptr<const SiteIdentity>(std::move(made));
  };
  static const std::vector<std::shared_ptr<const SiteIdentity>> identities = {identity(1, "leak"), identity(2, "pool")};
  Sample sample;
  sample.monotonic_ns = 7'000 * second_ns + second * second_ns;
  sample.wall_ns = 1'795'234'618 * second_ns + second * second_ns;
  if (second == 100) sample.wall_ns -= 3600 * second_ns;  // somebody set the clock
  ProcessSample& process = sample.processes.emplace_back();
  process.id = 1;
  process.pid = 42;
  process.comm = "app";
  process.tasks = Coverage::exact;
  process.rss_bytes = static_cast<std::uint64_t>(100'000'000 + 50'000 * second);
  for (const auto& each : identities) {
    SiteSample& site = sample.sites.emplace_back();
    site.identity = each;
    site.first_seen_ns = 7'000 * second_ns;
    const int alive = each->id == 1 ? std::max(0, second - 300) : 20;
    site.outstanding = static_cast<std::uint64_t>(alive);
    site.created_total = site.outstanding;
    site.last_created_ns = site.first_seen_ns + (each->id == 1 ? second * second_ns : 0);
    for (int born = each->id == 1 ? 300 : 0; each->id == 1 && born < second; ++born) {
      site.cohorts.push_back({(7'000 + born) * second_ns, (7'001 + born) * second_ns, 1});
    }
    if (each->id == 2) site.cohorts.push_back({site.first_seen_ns, site.first_seen_ns + second_ns, 20});
  }
  if (second == 400) sample.labels = {"after deploy"};
  return sample;
}

std::string write(const TemporaryFolder& folder) {
  const std::string path = folder.path() + "/a.alrec";
  auto writer = RecordingWriter::create(path, 0);
  REQUIRE(writer);
  for (int i = 0; i < count; ++i) REQUIRE(writer->write(sample_at(i)));
  return path;
}

Player open(const std::string& path, std::size_t first = 0, std::size_t last = count - 1) {
  auto recording = Recording::open(path);
  REQUIRE(recording);
  return {std::move(*recording), Policy{}, first, last};
}

}  // namespace

TEST_CASE("a recording is judged as its samples were live") {
  const TemporaryFolder folder;
  Player player = open(write(folder));
  Model live{Policy{}};
  for (int i = 0; i < count; ++i) {
    const auto report = player.next();
    REQUIRE(report);
    REQUIRE(to_json(*report) == to_json(live.update(sample_at(i))));
    REQUIRE(player.seconds() == i);
  }
  CHECK(player.at_end());
  CHECK_FALSE(player.next());
  CHECK(player.take_trouble().empty());
}

TEST_CASE("any moment can be gone to, and is judged as live by then") {
  const TemporaryFolder folder;
  const std::string path = write(folder);
  Model model{Policy{}};
  std::vector<Report> live;
  for (int i = 0; i < count; ++i) live.push_back(model.update(sample_at(i)));
  Player player = open(path);
  for (const int second : {1700, 0, 1, 599, 600, 601, 350, 360, 1000, 999, 1799, 3}) {
    const auto report = player.seek(second + 0.5);
    REQUIRE(report);
    CHECK(player.seconds() == second);
    const Report& wanted = live[static_cast<std::size_t>(second)];
    CHECK(report->monotonic_ns == wanted.monotonic_ns);
    CHECK(report->watched_s == wanted.watched_s);
    CHECK(report->interval_s == wanted.interval_s);
    for (std::size_t site = 0; site < 2; ++site) {
      CHECK(report->sites[site].verdict == wanted.sites[site].verdict);
      CHECK(report->sites[site].growth_per_min == wanted.sites[site].growth_per_min);
      CHECK(report->sites[site].oldest_s == wanted.sites[site].oldest_s);
      CHECK(report->sites[site].created_per_s == wanted.sites[site].created_per_s);
    }
    CHECK(report->processes[0].rss_baseline_bytes == wanted.processes[0].rss_baseline_bytes);
    REQUIRE(report->findings.size() == wanted.findings.size());
    for (std::size_t i = 0; i < wanted.findings.size(); ++i) CHECK(report->findings[i].kind == wanted.findings[i].kind);
  }
  (void)player.seek(500);
  CHECK(player.back());
  CHECK(player.seconds() == 499);
  CHECK(player.seek(-10));
  CHECK(player.seconds() == 0);
  CHECK_FALSE(player.back());
  CHECK(player.seek(1e9));
  CHECK(player.at_end());
}

TEST_CASE("a part of a recording begins with what is known by then and has ends") {
  const TemporaryFolder folder;
  Player player = open(write(folder), 400, 410);
  const auto first = player.next();
  REQUIRE(first);
  CHECK(first->labels == std::vector<std::string>{"after deploy"});
  CHECK(first->watched_s == 400);
  CHECK(first->created_per_s == 1.0);
  CHECK(player.seek(0));
  CHECK(player.seconds() == 400);
  CHECK(player.seek(1000));
  CHECK(player.seconds() == 410);
  CHECK(player.at_end());
}

TEST_CASE("damage in the middle is said and passed by") {
  const TemporaryFolder folder;
  const std::string path = write(folder);
  const auto byte = Recording::open(path)->offset_of(901) - 1;  // of sample 900; the next key is 960
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(byte));
    file.put('\x5a');
  }
  Player player = open(path);
  int shown = 0;
  std::string trouble;
  while (player.next()) {
    ++shown;
    if (auto now = player.take_trouble(); !now.empty()) trouble = std::move(now);
  }
  CHECK(shown == count - 60);
  CHECK(trouble.find("is damaged at byte") != std::string::npos);
}
