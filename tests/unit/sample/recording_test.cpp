#include "sample/recording.h"

#include "../temporary_folder.h"
#include "every_field.h"
#include "sample/codec_same.h"
#include "sample/record.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

using namespace asyncleak;
using test::TemporaryFolder;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t start_ns = 5'000 * second_ns;

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// One busy site; GROWTH bytes of a text that does not compress make it as large as a test needs.
Sample sample_at(int second, std::size_t growth = 0) {
  Sample sample;
  sample.wall_ns = 1'795'234'618 * second_ns + second * second_ns;
  sample.monotonic_ns = start_ns + second * second_ns;
  sample.host = "db1";
  auto identity = std::make_shared<SiteIdentity>();
  identity->id = 7;
  identity->coroutine = "Conn.waiter";
  SiteSample& site = sample.sites.emplace_back();
  site.identity = std::move(identity);
  site.outstanding = static_cast<std::uint64_t>(second);
  if (growth > 0) {
    std::mt19937 random(static_cast<unsigned>(second));
    std::string& text = sample.processes.emplace_back().cmdline;
    for (std::size_t i = 0; i < growth; ++i) text += static_cast<char>(random());
  }
  return sample;
}

std::vector<Sample> record(const std::string& path, int count, std::size_t growth = 0) {
  auto writer = RecordingWriter::create(path, 0);
  REQUIRE(writer);
  std::vector<Sample> samples;
  for (int i = 0; i < count; ++i) {
    samples.push_back(sample_at(i, growth));
    if (i % 7 == 3) samples.back().labels = {"step " + std::to_string(i)};
    REQUIRE(writer->write(samples.back()));
  }
  return samples;
}

// Of a file that is cut or damaged: what is readable is right, and comes before what is not.
void check_prefix(const std::string& path, const std::vector<Sample>& samples, std::size_t at_least) {
  auto recording = Recording::open(path);
  std::size_t read = 0;
  if (recording) {
    REQUIRE(recording->moments().size() <= samples.size());
    for (; read < recording->moments().size(); ++read) {
      const auto sample = recording->read(read);
      if (!sample) break;
      REQUIRE(same(*sample, samples[read]));
    }
    if (read < samples.size() && read == recording->moments().size()) CHECK_FALSE(recording->trouble().empty());
  } else {
    CHECK(recording.error().message.find('\n') == std::string::npos);
  }
  REQUIRE(read >= at_least);
}

}  // namespace

TEST_CASE("what was recorded is read, in order and in any order") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  const auto samples = record(path, 200);
  auto recording = Recording::open(path);
  REQUIRE(recording);
  CHECK(recording->trouble().empty());
  const auto moments = recording->moments();
  REQUIRE(moments.size() == samples.size());
  std::size_t keys = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    CHECK(moments[i].wall_ns == samples[i].wall_ns);
    CHECK(moments[i].monotonic_ns == samples[i].monotonic_ns);
    CHECK(moments[i].labels == samples[i].labels);
    keys += moments[i].key ? 1 : 0;
    const auto sample = recording->read(i);
    REQUIRE(sample);
    CHECK(same(*sample, samples[i]));
  }
  CHECK(moments[0].key);
  CHECK(keys == 2);
  std::mt19937 random(3);
  for (int i = 0; i < 100; ++i) {
    const std::size_t index = random() % samples.size();
    CHECK(same(*recording->read(index), samples[index]));
  }
}

TEST_CASE("every field of every sample comes back from a file") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  test::Filler filler(2);
  std::vector<Sample> samples;
  {
    auto writer = RecordingWriter::create(path, 0);
    REQUIRE(writer);
    for (int i = 0; i < 150; ++i) {
      samples.push_back(filler.sample(start_ns + i));
      REQUIRE(writer->write(samples.back()));
    }
  }
  auto recording = Recording::open(path);
  REQUIRE(recording);
  REQUIRE(recording->moments().size() == samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) CHECK(same(*recording->read(i), samples[i]));
}

TEST_CASE("a recording is readable while it is written") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  auto writer = RecordingWriter::create(path, 0);
  REQUIRE(writer);
  CHECK(Recording::open(path).error().message == path + " has no sample: nothing was recorded");
  for (int i = 0; i < 5; ++i) {
    REQUIRE(writer->write(sample_at(i)));
    auto recording = Recording::open(path);
    REQUIRE(recording);
    CHECK(recording->moments().size() == static_cast<std::size_t>(i + 1));
    CHECK(recording->trouble().empty());
  }
}

TEST_CASE("cut off at any byte: what is before is read, and one sentence says so") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  const auto samples = record(path, 125);
  const std::string whole = content_of(path);
  std::vector<std::uint64_t> ends;
  {
    auto recording = Recording::open(path);
    REQUIRE(recording);
    for (std::size_t i = 1; i <= samples.size(); ++i) ends.push_back(recording->offset_of(i));
  }
  REQUIRE(ends.back() == whole.size());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto complete = std::upper_bound(ends.begin(), ends.end(), size) - ends.begin();
    const std::string cut = folder.file("cut.alrec", whole.substr(0, size));
    auto recording = Recording::open(cut);
    REQUIRE(recording.has_value() == (complete > 0));
    if (!recording) continue;
    REQUIRE(recording->moments().size() == static_cast<std::size_t>(complete));
    REQUIRE(recording->trouble().empty() == (ends[static_cast<std::size_t>(complete) - 1] == size));
    const auto last = recording->read(static_cast<std::size_t>(complete) - 1);
    REQUIRE(last);
    REQUIRE(same(*last, samples[static_cast<std::size_t>(complete) - 1]));
  }
}

TEST_CASE("a flipped bit anywhere is noticed, and what is before it is read") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  const auto samples = record(path, 10);
  const std::string whole = content_of(path);
  auto intact = Recording::open(path);
  REQUIRE(intact);
  std::size_t before = 0;
  for (std::size_t byte = 0; byte < whole.size(); ++byte) {
    while (before < samples.size() && intact->offset_of(before + 1) <= byte) ++before;
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
      check_prefix(folder.file("flipped.alrec", flipped), samples, byte < file_head_bytes ? 0 : before);
    }
  }
}

TEST_CASE("a damaged sample is an error, and the next key is read again") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  const auto samples = record(path, 130);
  std::string bytes = content_of(path);
  const auto damaged_byte = Recording::open(path)->offset_of(31) - 1;
  bytes[damaged_byte] = static_cast<char>(bytes[damaged_byte] ^ 1);
  auto recording = Recording::open(folder.file("damaged.alrec", bytes));
  REQUIRE(recording);
  CHECK(recording->read(29));
  const auto damaged = recording->read(30);
  REQUIRE_FALSE(damaged);
  CHECK(damaged.error().message.find("is damaged at byte") != std::string::npos);
  CHECK_FALSE(recording->read(31));
  CHECK(same(*recording->read(120), samples[120]));
  CHECK(same(*recording->read(5), samples[5]));
}

TEST_CASE("what is no recording is refused with what it is") {
  const TemporaryFolder folder;
  const auto message = [](const std::string& path) { return Recording::open(path).error().message; };
  const std::string foreign = folder.file("a.json", "{\"schema\": \"asyncleak/1\"}");
  CHECK(message(foreign) == foreign + " is not a recording of asyncleak-top");
  const std::string empty = folder.file("empty");
  CHECK(message(empty) == empty + " is empty");
  const std::string missing = folder.path() + "/missing";
  CHECK(message(missing) == missing + ": No such file or directory");
  CHECK(message(folder.path()) == folder.path() + " is not a file, so no recording");
  const std::string fifo = folder.path() + "/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(message(fifo) == fifo + " is not a file, so no recording");

  const std::string future = folder.file("future", std::string(recording_magic) + std::string("\x03\0\0\0", 4));
  const auto error = Recording::open(future).error();
  CHECK(error.message == future + " was recorded by a later version (format 3, this one reads up to 2)");
  CHECK(error.advice == "update asyncleak-top");
}

TEST_CASE("only a file that is no other is written to") {
  const TemporaryFolder folder;
  const auto refused = [](const std::string& path) {
    const auto writer = RecordingWriter::create(path, 0);
    return writer ? std::string() : writer.error().message;
  };
  const std::string fifo = folder.path() + "/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(refused(fifo) == fifo + " is not a file: a recording needs one");
  CHECK(refused("/dev/null") == "/dev/null is not a file: a recording needs one");
  CHECK(refused(folder.path()) == folder.path() + ": Is a directory");
  CHECK(refused(folder.path() + "/no/such") == folder.path() + "/no/such: No such file or directory");
  const std::string program = folder.file("app.py", "import asyncio\n");
  CHECK(refused(program) == program + " exists and is no recording");
  CHECK(content_of(program) == "import asyncio\n");

  const std::string path = folder.file("a.alrec");
  REQUIRE(chmod(path.c_str(), 0644) == 0);
  auto writer = RecordingWriter::create(path, 0);
  REQUIRE(writer);
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  CHECK(refused(path) == path + " is being recorded by another asyncleak-top");
  REQUIRE(writer->write(sample_at(0)));
  CHECK_FALSE(writer->write(sample_at(0)));  // not later
}

TEST_CASE("a recording begun again replaces the one before") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  record(path, 50);
  record(path, 3);
  CHECK(Recording::open(path)->moments().size() == 3);
}

TEST_CASE("a limited recording keeps its whole time, its newest samples and its labels") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  constexpr std::uint64_t limit = 200'000;
  constexpr int count = 5000;
  std::vector<std::string> labels;
  std::uint64_t largest = 0;
  {
    auto writer = RecordingWriter::create(path, limit);
    REQUIRE(writer);
    for (int i = 0; i < count; ++i) {
      Sample sample = sample_at(i, 100);
      if (i % 500 == 250) labels.push_back(sample.labels.emplace_back("label " + std::to_string(i)));
      REQUIRE(writer->write(sample));
      largest = std::max(largest, static_cast<std::uint64_t>(std::filesystem::file_size(path)));
    }
  }
  CHECK(largest <= limit);
  CHECK(largest > limit * 3 / 4);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);  // nothing half done is left

  auto recording = Recording::open(path);
  REQUIRE(recording);
  CHECK(recording->trouble().empty());
  const auto moments = recording->moments();
  CHECK(moments.front().monotonic_ns == sample_at(0).monotonic_ns);
  CHECK(moments.back().monotonic_ns == sample_at(count - 1).monotonic_ns);
  CHECK(moments.size() > limit / 400);
  std::vector<std::string> kept;
  std::int64_t widest = 0;
  for (std::size_t i = 0; i < moments.size(); ++i) {
    if (i > 0) widest = std::max(widest, moments[i].monotonic_ns - moments[i - 1].monotonic_ns);
    for (const auto& label : moments[i].labels) kept.push_back(label);
    const auto second = static_cast<int>((moments[i].monotonic_ns - start_ns) / second_ns);
    const auto sample = recording->read(i);
    REQUIRE(sample);
    CHECK(sample->sites[0].outstanding == static_cast<std::uint64_t>(second));
  }
  CHECK(kept == labels);
  CHECK(widest < count / 10 * second_ns);
  // The newest are all there.
  for (std::size_t i = moments.size() - 100; i < moments.size(); ++i) {
    CHECK(moments[i].monotonic_ns - moments[i - 1].monotonic_ns == second_ns);
  }
}

TEST_CASE("a limit below one sample is said, and the file stays below it") {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/a.alrec";
  auto writer = RecordingWriter::create(path, 1000);
  REQUIRE(writer);
  REQUIRE(writer->write(sample_at(0)));
  const auto refused = writer->write(sample_at(1, 2000));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("limit of 1000 bytes") != std::string::npos);
  REQUIRE(writer->write(sample_at(2)));
  CHECK(Recording::open(path)->moments().size() == 2);
}

TEST_CASE("a full disk: the file ends with its last whole sample, and later ones are written") {
  const TemporaryFolder folder;
  if (mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=64k") != 0) return;  // not root: the e2e test has it
  struct Mounted {
    std::string path;
    ~Mounted() { umount(path.c_str()); }
  } const mounted{folder.path()};
  const std::string path = folder.path() + "/a.alrec";
  const std::string filler = folder.file("filler", std::string(30'000, 'x'));
  auto writer = RecordingWriter::create(path, 0);
  REQUIRE(writer);
  int written = 0;
  while (writer->write(sample_at(written, 500))) ++written;
  REQUIRE(written > 10);
  for (int i = 1; i < 4; ++i) {
    const auto refused = writer->write(sample_at(written + i, 500));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "writing " + path + ": No space left on device");
  }
  {
    auto recording = Recording::open(path);
    REQUIRE(recording);
    CHECK(recording->trouble().empty());
    CHECK(recording->moments().size() == static_cast<std::size_t>(written));
  }
  std::filesystem::remove(filler);
  REQUIRE(writer->write(sample_at(written + 9, 500)));
  REQUIRE(writer->write(sample_at(written + 10, 500)));
  auto recording = Recording::open(path);
  REQUIRE(recording);
  CHECK(recording->trouble().empty());
  REQUIRE(recording->moments().size() == static_cast<std::size_t>(written) + 2);
  CHECK(same(*recording->read(recording->moments().size() - 1), sample_at(written + 10, 500)));
}

TEST_CASE("a recording of the first format is read; what it has not is not known") {
  // Recorded by the program before fields were added: a holder of seven tasks, three refreshes.
  auto recording = Recording::open(TEST_DATA "/format-1.rec");
  REQUIRE(recording);
  REQUIRE(recording->moments().size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto sample = recording->read(i);
    REQUIRE(sample);
    REQUIRE(sample->processes.size() == 1);
    const ProcessSample& process = sample->processes[0];
    CHECK(process.comm == "python3");
    CHECK(process.cmdline == "/usr/bin/python3 hold.py");
    CHECK(process.python == "3.11.2");
    CHECK(process.rss_bytes.value_or(0) > 10'000'000);
    CHECK(same(process.inside, ContainerFacts{}));
    CHECK_FALSE(process.started_wall_ns);
    CHECK(std::ranges::any_of(sample->sites, [](const SiteSample& site) {
      return site.identity->coroutine == "held" && site.outstanding == 7;
    }));
  }
}
