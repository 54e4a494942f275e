// A Sample as bytes, and back: only what differs from the sample before, texts once.
//
// Used by recording_writer.cpp and recording_reader.cpp. Pure; knows no files and no compression. The moment and the
// labels of a sample are not in its bytes: the record around them has those.
#pragma once

#include "sample/sample.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

// Of the bytes below: raised with every change of fields.h or of the coding.
inline constexpr std::uint32_t codec_version = 2;

struct EncodedSample {
  std::string numbers;    // as short as they get
  std::string new_texts;  // those that no sample before had; worth compressing
};

class SampleEncoder {
 public:
  SampleEncoder();
  SampleEncoder(SampleEncoder&&) noexcept;
  SampleEncoder& operator=(SampleEncoder&&) noexcept;
  ~SampleEncoder();
  [[nodiscard]] EncodedSample encode(const Sample& sample);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The moment of a sample, told beside its bytes.
struct SampleMoment {
  std::int64_t wall_ns = 0, monotonic_ns = 0;
  std::vector<std::string> labels;
};

class SampleDecoder {
 public:
  // VERSION: of the codec that encoded.
  explicit SampleDecoder(std::uint32_t version = codec_version);
  SampleDecoder(SampleDecoder&&) noexcept;
  SampleDecoder& operator=(SampleDecoder&&) noexcept;
  ~SampleDecoder();
  // The next sample of those that one SampleEncoder encoded. nullopt: it is not what that wrote; then the decoder is
  // of no more use. What is made of hostile bytes is bounded by MOST_MEMORY.
  [[nodiscard]] std::optional<Sample> decode(const EncodedSample& encoded, const SampleMoment& moment);
  static constexpr std::size_t most_memory = std::size_t{1} << 29;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak
