#include "sample/record.h"

#include "sample/bytes.h"

#include <unistd.h>
#include <zlib.h>
#include <algorithm>
#include <cerrno>

namespace asyncleak {
namespace {

// checksum of what follows in the head, payload bytes, payload checksum, wall, monotonic, type, bytes of
// labels, bytes of numbers
constexpr std::size_t fixed_bytes = 4 + 4 + 4 + 8 + 8 + 1 + 4 + 4;
constexpr std::size_t most_label_bytes = std::size_t{1} << 20;

// Any clock this century; sums and differences of two stay in range.
bool is_time(std::int64_t ns) { return ns >= 0 && ns < std::int64_t{1} << 62; }

std::string labels_text(const std::vector<std::string>& labels) {
  ByteWriter out;
  for (const std::string& label : labels) out.text(label);
  return out.bytes();
}

}  // namespace

std::string file_head() {
  ByteWriter out;
  out.fixed(codec_version);
  return std::string(recording_magic) + out.bytes();
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

std::string make_record(RecordType type, const Sample& sample, std::string_view numbers, std::string_view texts) {
  const std::string payload = std::string(numbers).append(texts);
  const std::string labels = labels_text(sample.labels);
  ByteWriter head;
  head.fixed(static_cast<std::uint32_t>(payload.size()));
  head.fixed(checksum(payload));
  head.fixed(sample.wall_ns);
  head.fixed(sample.monotonic_ns);
  head.fixed(type);
  head.fixed(static_cast<std::uint32_t>(labels.size()));
  head.fixed(static_cast<std::uint32_t>(numbers.size()));
  ByteWriter sum;
  sum.fixed(checksum(head.bytes() + labels));
  return sum.bytes() + head.bytes() + labels + payload;
}

std::optional<std::string> read_exactly(const Fd& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(file.get(), bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::optional<RecordPlace> read_record_head(const Fd& file, std::uint64_t offset, std::uint64_t file_bytes) {
  if (offset > file_bytes || file_bytes - offset < fixed_bytes) return std::nullopt;
  const auto fixed = read_exactly(file, offset, fixed_bytes);
  if (!fixed) return std::nullopt;
  ByteReader in(*fixed);
  RecordPlace place;
  const auto sum = in.fixed<std::uint32_t>();
  place.head.payload_bytes = in.fixed<std::uint32_t>();
  place.head.payload_checksum = in.fixed<std::uint32_t>();
  place.head.moment.wall_ns = in.fixed<std::int64_t>();
  place.head.moment.monotonic_ns = in.fixed<std::int64_t>();
  place.head.type = in.fixed<RecordType>();
  const auto label_bytes = in.fixed<std::uint32_t>();
  place.head.number_bytes = in.fixed<std::uint32_t>();
  if (place.head.number_bytes > place.head.payload_bytes) return std::nullopt;
  if (label_bytes > most_label_bytes || place.head.payload_bytes > most_payload_bytes) return std::nullopt;
  std::string labels;
  if (label_bytes > 0) {
    auto read = read_exactly(file, offset + fixed_bytes, label_bytes);
    if (!read) return std::nullopt;
    labels = std::move(*read);
  }
  if (checksum(fixed->substr(sizeof(sum)) + labels) != sum) return std::nullopt;
  if (!is_time(place.head.moment.wall_ns) || !is_time(place.head.moment.monotonic_ns)) return std::nullopt;
  if (place.head.type != RecordType::key && place.head.type != RecordType::delta) return std::nullopt;
  ByteReader texts(labels);
  while (texts.left() > 0) place.head.moment.labels.emplace_back(texts.text());
  place.begin = offset;
  place.payload = offset + fixed_bytes + label_bytes;
  place.end = place.payload + place.head.payload_bytes;
  if (!texts.ok() || place.end > file_bytes) return std::nullopt;
  return place;
}

}  // namespace asyncleak
