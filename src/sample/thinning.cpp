#include "sample/thinning.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <cstdio>

namespace asyncleak {
namespace {

std::string temporary_of(const std::string& path) { return path + ".thinning"; }

// The first key in the newer half; without one all there is.
std::size_t cut_of(std::span<const RecordedMoment> moments) {
  const auto middle = moments.begin() + static_cast<std::ptrdiff_t>(moments.size() / 2);
  const auto key = std::find_if(middle, moments.end(), [](const RecordedMoment& moment) { return moment.key; });
  return static_cast<std::size_t>(key - moments.begin());
}

}  // namespace

Thinning::Thinning(std::string path, Recording from, SampleFile to)
    : path_(std::move(path)),
      temporary_(temporary_of(path_)),
      from_(std::move(from)),
      to_(std::move(to)),
      cut_(cut_of(from_.moments())) {}

Thinning::~Thinning() {
  // Moved from: no name.
  if (!done_ && !temporary_.empty()) unlink(temporary_.c_str());
}

Result<Thinning> Thinning::begin(const std::string& path, SampleFile& file) {
  auto from = Recording::open(path);
  if (!from) return fail(from.error());
  const std::string temporary = temporary_of(path);
  unlink(temporary.c_str());  // of a writer that was killed
  Fd fd(open(temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return fail(system_error(fmt::format("creating {}", temporary), errno));
  Thinning thinning(path, std::move(*from), SampleFile(std::move(fd), temporary));
  if (auto done = thinning.to_.write_head(); !done) return fail(done.error());
  // What is copied begins with a key: the next record, where there is none.
  if (thinning.cut_ == thinning.from_.moments().size()) file.restart_stream();
  return thinning;
}

Result<void> Thinning::step(std::size_t samples) {
  const auto moments = from_.moments();
  for (; samples > 0 && next_ < cut_; --samples, ++next_) {
    if (next_ % 2 != 0 && moments[next_].labels.empty()) continue;
    const auto sample = from_.read(next_);
    if (!sample) return fail(sample.error());
    const auto record = to_.encode(*sample);
    if (!record) return fail(record.error());
    if (auto done = to_.append(*record); !done) return done;
  }
  return {};
}

Result<void> Thinning::finish(SampleFile& file) {
  if (auto done = to_.copy(file, from_.offset_of(cut_)); !done) return done;
  if (fdatasync(to_.fd().get()) != 0) return fail(system_error(fmt::format("flushing {}", temporary_), errno));
  if (flock(to_.fd().get(), LOCK_EX | LOCK_NB) != 0) return fail(system_error(temporary_, errno));
  if (rename(temporary_.c_str(), path_.c_str()) != 0) {
    return fail(system_error(fmt::format("renaming {} to {}", temporary_, path_), errno));
  }
  done_ = true;
  file.move_to(std::move(to_));
  return {};
}

}  // namespace asyncleak
