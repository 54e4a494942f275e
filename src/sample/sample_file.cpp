#include "sample/sample_file.h"

#include <fmt/format.h>
#include <unistd.h>
#include <cerrno>

namespace asyncleak {
namespace {

// One in two minutes at the usual delay. It is what a seek decodes at most; a key is as large as fifty other records.
constexpr int records_per_key = 120;

}  // namespace

Result<void> SampleFile::write_head() { return append(file_head()); }

Result<std::string> SampleFile::encode(const Sample& sample) {
  if (records_ >= records_per_key) stream_.reset();
  const auto type = stream_ ? RecordType::delta : RecordType::key;
  if (!stream_) {
    stream_.emplace();
    records_ = 0;
  }
  const auto encoded = stream_->encoder.encode(sample);
  auto texts = encoded.new_texts.empty() ? std::string() : stream_->compressor.piece(encoded.new_texts);
  if (!texts || encoded.numbers.size() + texts->size() > most_payload_bytes ||
      encoded.new_texts.size() > most_text_bytes) {
    stream_.reset();
    return fail(fmt::format("{}: a sample is too large for a recording", path_));
  }
  ++records_;
  return make_record(type, sample, encoded.numbers, *texts);
}

Result<void> SampleFile::append(std::string_view bytes) {
  const ssize_t written = pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
  if (written == static_cast<ssize_t>(bytes.size())) {
    size_ += bytes.size();
    return {};
  }
  // A part of it means that the disk is full: the next write would say so.
  const int error = written < 0 ? errno : ENOSPC;
  stream_.reset();
  // Where that fails, too, a reader stops at the torn record, and the next one is written over it.
  if (written > 0 && ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) {
    return fail(system_error(fmt::format("cutting {} back to its last whole sample", path_), errno));
  }
  return fail(system_error(fmt::format("writing {}", path_), error));
}

void SampleFile::move_to(SampleFile&& other) {
  fd_ = std::move(other.fd_);
  size_ = other.size_;
}

Result<void> SampleFile::copy(const SampleFile& from, std::uint64_t begin) {
  constexpr std::uint64_t at_once = 1 << 20;
  while (begin < from.size()) {
    const auto bytes = read_exactly(from.fd(), begin, std::min(at_once, from.size() - begin));
    if (!bytes) return fail(from.path_ + " could not be read again");
    if (auto done = append(*bytes); !done) return done;
    begin += bytes->size();
  }
  return {};
}

}  // namespace asyncleak
