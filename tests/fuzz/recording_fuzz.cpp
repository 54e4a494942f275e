// Recordings from strangers. The first byte chooses: the bytes of a file, as `replay` opens it; or those of samples one
// after the other, past the checksums that would stop most of what libFuzzer tries. What is read must be a sample that
// can be written again.
#include <sys/mman.h>
#include <unistd.h>
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "sample/codec.h"
#include "sample/codec_same.h"
#include "sample/recording.h"
#include "util/handle.h"

using namespace asyncleak;

namespace {

void read_file(std::string_view bytes) {
  static const Fd file(memfd_create("recording", MFD_CLOEXEC));
  if (ftruncate(file.get(), 0) != 0 || pwrite(file.get(), bytes.data(), bytes.size(), 0) < 0) std::abort();
  auto recording = Recording::open("/proc/self/fd/" + std::to_string(file.get()));
  if (!recording) {
    if (recording.error().message.empty()) std::abort();
    return;
  }
  const auto moments = recording->moments();
  if (moments.empty() || !moments[0].key) std::abort();
  (void)find_moment(moments, "12:00");
  (void)recording->read(moments.size() - 1);
  for (std::size_t i = 0; i < moments.size(); ++i) (void)recording->read(i);
}

// Each sample: a byte of size of the numbers, the numbers, the same of the texts.
void read_samples(std::string_view bytes) {
  const auto take = [&] {
    if (bytes.empty()) return std::string();
    const std::size_t size = std::min<std::size_t>(static_cast<unsigned char>(bytes.front()), bytes.size() - 1);
    const std::string taken(bytes.substr(1, size));
    bytes.remove_prefix(1 + size);
    return taken;
  };
  SampleDecoder decoder, again;
  SampleEncoder encoder;
  for (std::int64_t now_ns = 1'000'000'000'000; !bytes.empty(); now_ns += 1'000'000'000) {
    EncodedSample encoded{take(), take()};
    const SampleMoment moment{now_ns, now_ns, {}};
    const auto sample = decoder.decode(encoded, moment);
    if (!sample) return;
    const auto back = again.decode(encoder.encode(*sample), moment);
    if (!back || !same(*back, *sample)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    read_file(bytes);
  } else {
    read_samples(bytes);
  }
  return 0;
}
