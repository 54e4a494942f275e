#include "sample/recording.h"
#include "sample/sample_file.h"
#include "sample/thinning.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <algorithm>
#include <cerrno>

namespace asyncleak {
namespace {

// Thinning begins here, so that it is done before the limit is reached.
constexpr std::uint64_t eighths_to_thin_from = 7;

// An existing file must be a recording: what follows a mistyped option is not destroyed.
Result<void> check_replaceable(const Fd& fd, const std::string& path) {
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return fail(system_error(path, errno));
  if (!S_ISREG(status.st_mode)) {
    return fail(fmt::format("{} is not a file: a recording needs one", path), "choose another name", ErrorKind::usage);
  }
  if (status.st_size == 0) return {};
  const auto head = read_exactly(fd, 0, recording_magic.size());
  if (head && *head == recording_magic) return {};
  return fail(fmt::format("{} exists and is no recording", path), "choose another name", ErrorKind::usage);
}

}  // namespace

struct RecordingWriter::State {
  std::string path;
  std::uint64_t limit = 0;
  SampleFile file;
  std::int64_t last_ns = -1;
  std::uint64_t thin_from = 0;  // bytes
  std::optional<Thinning> thinning;

  [[nodiscard]] Result<void> begin_thinning();
  [[nodiscard]] Result<void> thin_a_little();
  [[nodiscard]] Result<void> thin_to_end();
  [[nodiscard]] Result<void> make_room(std::size_t bytes);
};

Result<void> RecordingWriter::State::begin_thinning() {
  if (thinning) return {};
  auto begun = Thinning::begin(path, file);
  if (!begun) return fail(begun.error());
  thinning.emplace(std::move(*begun));
  return {};
}

// Enough to be done, twice over, in the samples that still fit.
Result<void> RecordingWriter::State::thin_a_little() {
  if (file.size() < thin_from) return {};
  if (auto begun = begin_thinning(); !begun) return begun;
  const std::uint64_t mean = std::max<std::uint64_t>(1, file.size() / thinning->samples());
  const std::uint64_t fit = (limit - std::min(limit, file.size())) / mean;
  if (auto done = thinning->step(2 * thinning->left() / std::max<std::uint64_t>(1, fit) + 1); !done) return done;
  return thinning->left() == 0 ? thin_to_end() : Result<void>{};
}

Result<void> RecordingWriter::State::thin_to_end() {
  if (auto done = thinning->step(thinning->left()); !done) return done;
  auto done = thinning->finish(file);
  thinning.reset();
  thin_from = limit / 8 * eighths_to_thin_from;
  return done;
}

Result<void> RecordingWriter::State::make_room(std::size_t bytes) {
  while (file.size() + bytes > limit) {
    const std::uint64_t before = file.size();
    if (auto begun = begin_thinning(); !begun) return begun;
    if (auto done = thin_to_end(); !done) return done;
    if (file.size() >= before) {
      return fail(fmt::format("{} has reached its limit of {} bytes, and nothing in it can be left out", path, limit));
    }
  }
  return {};
}

RecordingWriter::RecordingWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}
RecordingWriter::RecordingWriter(RecordingWriter&&) noexcept = default;
RecordingWriter::~RecordingWriter() = default;

Result<RecordingWriter> RecordingWriter::create(const std::string& path, std::uint64_t limit_bytes) {
  // Not to wait for the reader of a FIFO, and not to empty what turns out to be something else.
  Fd fd(open(path.c_str(), O_RDWR | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0600));
  if (!fd) return fail(system_error(path, errno));
  if (auto checked = check_replaceable(fd, path); !checked) return fail(checked.error());
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(path + " is being recorded by another asyncleak-top", "choose another name", ErrorKind::usage);
  }
  // Command lines are in it.
  if (fchmod(fd.get(), 0600) != 0 || ftruncate(fd.get(), 0) != 0) return fail(system_error(path, errno));
  auto state = std::make_unique<State>(State{path, limit_bytes, SampleFile(std::move(fd), path), -1, 0, {}});
  state->thin_from = limit_bytes / 8 * eighths_to_thin_from;
  if (auto done = state->file.write_head(); !done) return fail(done.error());
  return RecordingWriter(std::move(state));
}

Result<void> RecordingWriter::write(const Sample& sample) {
  State& state = *state_;
  if (sample.monotonic_ns <= state.last_ns) return fail(state.path + ": a sample is not later than the one before");
  const bool limited = state.limit > 0;
  if (limited && !state.thin_a_little()) {
    // There is still room: again when some of it is used up.
    state.thinning.reset();
    state.thin_from = state.file.size() + state.limit / 64;
  }
  auto record = state.file.encode(sample);
  while (record && limited && state.file.size() + record->size() > state.limit) {
    auto done = state.make_room(record->size());
    state.file.restart_stream();  // what this record goes on from may have been made anew
    if (!done) {
      state.thinning.reset();
      return done;
    }
    record = state.file.encode(sample);
  }
  if (!record) return fail(record.error());
  if (auto done = state.file.append(*record); !done) return done;
  state.last_ns = sample.monotonic_ns;
  return {};
}

}  // namespace asyncleak
