// Samples onto the end of a file, one after the other, each whole or not at all.
//
// Used by recording_writer.cpp and thinning.cpp. Knows nothing of limits.
#pragma once

#include "sample/codec.h"
#include "sample/record.h"
#include "sample/stream.h"
#include "util/handle.h"
#include "util/result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace asyncleak {

class SampleFile {
 public:
  // FD is open for reading and writing, and empty.
  SampleFile(Fd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  [[nodiscard]] Result<void> write_head();
  // The next record. It goes to append() before another is made, or restart_stream() is called.
  [[nodiscard]] Result<std::string> encode(const Sample& sample);
  // Error: the file is as before.
  [[nodiscard]] Result<void> append(std::string_view bytes);
  // The next record is a key: what was encoded since the last append() is not in the file.
  void restart_stream() { stream_.reset(); }
  // Goes on in another file, which has the same last records.
  void move_to(SampleFile&& other);
  // What stands there of FROM, without looking at it.
  [[nodiscard]] Result<void> copy(const SampleFile& from, std::uint64_t begin);

  [[nodiscard]] const Fd& fd() const { return fd_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

 private:
  struct Stream {
    Compressor compressor;
    SampleEncoder encoder;
  };

  Fd fd_;
  std::string path_;
  std::uint64_t size_ = 0;
  std::optional<Stream> stream_;
  int records_ = 0;  // in the stream
};

}  // namespace asyncleak
