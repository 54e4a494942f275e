#include "sample/codec.h"
#include "sample/record.h"
#include "sample/recording.h"
#include "sample/stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <cerrno>
#include <cstring>

namespace asyncleak {
namespace {

// The version told by what a file that is not empty begins with: an error unless that is a recording this one reads.
Result<std::uint32_t> read_head(const std::string& path, std::string_view head) {
  const std::string_view magic = head.substr(0, recording_magic.size());
  if (magic != recording_magic.substr(0, magic.size()) || magic.empty()) {
    return fail(path + " is not a recording of asyncleak-top");
  }
  if (head.size() < file_head_bytes) return fail(path + " ends before its first sample: nothing can be read");
  std::uint32_t version = 0;
  std::memcpy(&version, head.data() + recording_magic.size(), sizeof(version));
  if (version == 0) return fail(path + " is damaged in its first bytes: nothing can be read");
  if (version > codec_version) {
    return fail(fmt::format("{} was recorded by a later version (format {}, this one reads up to {})", path, version,
                            codec_version),
                "update asyncleak-top");
  }
  return version;
}

// What a read goes on with: what is known since the last key, and which moment is next.
struct Stream {
  SampleDecoder decoder;
  std::size_t next = 0;
  Decompressor decompressor{};
};

}  // namespace

struct Recording::State {
  std::string path;
  Fd file;
  std::uint32_t version = codec_version;
  std::vector<RecordedMoment> moments;
  std::vector<std::uint64_t> begins;  // of each moment's record; one more: where the last ends
  std::string trouble;

  std::optional<Stream> stream;

  void scan(std::uint64_t file_bytes);
  [[nodiscard]] Error damaged(std::size_t index) const {
    return Error{
        fmt::format("{} is damaged at byte {} (sample {} of {})", path, begins[index], index + 1, moments.size()), "",
        ErrorKind::failure};
  }
  Result<Sample> read_next();
};

void Recording::State::scan(std::uint64_t file_bytes) {
  std::uint64_t offset = file_head_bytes;
  begins.push_back(offset);
  while (auto place = read_record_head(file, offset, file_bytes)) {
    auto& moment = place->head.moment;
    if (moments.empty() ? place->head.type != RecordType::key : moment.monotonic_ns <= moments.back().monotonic_ns)
      break;
    moments.push_back(
        {moment.wall_ns, moment.monotonic_ns, std::move(moment.labels), place->head.type == RecordType::key});
    offset = place->end;
    begins.push_back(offset);
  }
  if (offset < file_bytes) {
    trouble = fmt::format("{} is cut off or damaged at byte {} of {}: the {} samples before that are shown", path,
                          offset, file_bytes, moments.size());
  }
}

Result<Sample> Recording::State::read_next() {
  const std::size_t index = stream->next;
  const auto place = read_record_head(file, begins[index], begins[index + 1]);
  if (!place) return fail(damaged(index));
  const auto payload = read_exactly(file, place->payload, place->head.payload_bytes);
  if (!payload || checksum(*payload) != place->head.payload_checksum) return fail(damaged(index));
  const std::string_view texts = std::string_view(*payload).substr(place->head.number_bytes);
  auto new_texts = texts.empty() ? std::string() : stream->decompressor.piece(texts, most_text_bytes);
  if (!new_texts) return fail(damaged(index));
  const EncodedSample encoded{payload->substr(0, place->head.number_bytes), std::move(*new_texts)};
  auto sample = stream->decoder.decode(encoded, place->head.moment);
  if (!sample) return fail(damaged(index));
  ++stream->next;
  return std::move(*sample);
}

Recording::Recording(std::unique_ptr<State> state) : state_(std::move(state)) {}
Recording::Recording(Recording&&) noexcept = default;
Recording::~Recording() = default;

Result<Recording> Recording::open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  // Not to wait for the writer of a FIFO.
  state->file = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!state->file) return fail(system_error(path, errno));
  struct stat status {};
  if (fstat(state->file.get(), &status) != 0) return fail(system_error(path, errno));
  if (!S_ISREG(status.st_mode)) return fail(path + " is not a file, so no recording");
  if (status.st_size == 0) return fail(path + " is empty");
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  const auto head = read_exactly(state->file, 0, std::min<std::uint64_t>(file_bytes, file_head_bytes));
  if (!head) return fail(path + " cannot be read");
  const auto version = read_head(path, *head);
  if (!version) return fail(version.error());
  state->version = *version;
  state->scan(file_bytes);
  if (state->moments.empty()) {
    return fail(file_bytes == file_head_bytes
                    ? path + " has no sample: nothing was recorded"
                    : path + " is cut off or damaged in its first sample: nothing can be read");
  }
  return Recording(std::move(state));
}

std::span<const RecordedMoment> Recording::moments() const { return state_->moments; }
std::uint64_t Recording::offset_of(std::size_t index) const { return state_->begins[index]; }
const std::string& Recording::trouble() const { return state_->trouble; }

Result<Sample> Recording::read(std::size_t index) {
  State& state = *state_;
  std::size_t key = index;
  while (!state.moments[key].key) --key;
  if (!state.stream || state.stream->next > index || state.stream->next <= key) {
    state.stream.emplace(Stream{SampleDecoder(state.version), key});
  }
  while (true) {
    auto sample = state.read_next();
    if (!sample) {
      state.stream.reset();
      return fail(sample.error());
    }
    if (state.stream->next > index) return sample;
  }
}

}  // namespace asyncleak
