// How a recording lies in its file: a header, then records, each with a head that can be read without the rest.
//
// Used by recording_writer.cpp, recording_reader.cpp and thinning.cpp. Numbers are little-endian. Knows no Sample.
#pragma once

#include "sample/codec.h"
#include "util/handle.h"
#include "util/result.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace asyncleak {

// The first bytes of the file. As PNG's, they show whether something on the way took it for text.
inline constexpr std::string_view recording_magic =
    "\x89"
    "ALREC\r\n";
inline constexpr std::size_t file_head_bytes = 12;  // with the version
[[nodiscard]] std::string file_head();

enum class RecordType : std::uint8_t {
  key = 1,    // begins a stream: decoded without those before it
  delta = 2,  // goes on with the stream
};

struct RecordHead {
  RecordType type = RecordType::key;
  SampleMoment moment;
  std::uint32_t payload_bytes = 0, number_bytes = 0;
  std::uint32_t payload_checksum = 0;
};

// Of PAYLOAD, or of a head.
[[nodiscard]] std::uint32_t checksum(std::string_view bytes);

// A whole record: head and payload, which is NUMBERS and then TEXTS.
[[nodiscard]] std::string make_record(RecordType type, const Sample& sample, std::string_view numbers,
                                      std::string_view texts);

// Where a record stands in the file.
struct RecordPlace {
  RecordHead head;
  std::uint64_t begin = 0, payload = 0, end = 0;
};

// The record at OFFSET of a file of FILE_BYTES. nullopt: none that is whole and sound; its payload is not looked at.
[[nodiscard]] std::optional<RecordPlace> read_record_head(const Fd& file, std::uint64_t offset,
                                                          std::uint64_t file_bytes);

// Exactly SIZE bytes from OFFSET on.
[[nodiscard]] std::optional<std::string> read_exactly(const Fd& file, std::uint64_t offset, std::size_t size);

// More is not written, nor believed.
inline constexpr std::size_t most_payload_bytes = std::size_t{64} << 20;
inline constexpr std::size_t most_text_bytes = std::size_t{256} << 20;  // decompressed

}  // namespace asyncleak
