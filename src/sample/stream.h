// A zstd stream that is cut into pieces: each can be had back as soon as those before it are.
//
// Used by recording_writer.cpp and recording_reader.cpp; the only file that includes zstd.h is stream.cpp.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace asyncleak {

class Compressor {
 public:
  Compressor();
  Compressor(Compressor&&) noexcept;
  Compressor& operator=(Compressor&&) noexcept;
  ~Compressor();
  // nullopt: no memory. The stream is of no more use then.
  [[nodiscard]] std::optional<std::string> piece(std::string_view bytes);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

class Decompressor {
 public:
  Decompressor();
  Decompressor(Decompressor&&) noexcept;
  Decompressor& operator=(Decompressor&&) noexcept;
  ~Decompressor();
  // nullopt: not a piece, or of more than MOST bytes. The stream is of no more use then.
  [[nodiscard]] std::optional<std::string> piece(std::string_view bytes, std::size_t most);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak
