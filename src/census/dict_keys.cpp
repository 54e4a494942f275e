#include "census/dict_keys.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace asyncleak::census {
namespace {

// Larger ones are taken for garbage: 700 million entries.
constexpr std::uint64_t most_log2 = 30;

// Index tables of 3.8 to 3.10: DK_IXSIZE in Objects/dictobject.c.
std::uint64_t index_bytes(std::uint64_t size) {
  if (size <= 0xff) return size;
  if (size <= 0xffff) return 2 * size;
  return size <= 0xffffffff ? 4 * size : 8 * size;
}

}  // namespace

std::optional<DictKeys> read_keys(const Heap& heap, std::uint64_t address) {
  // The largest header of all lines is 40 bytes (3.8 to 3.10).
  std::array<std::byte, 40> header;
  if (address == 0 || !heap.memory->read(address, header)) return std::nullopt;
  const auto word = [&](std::size_t at) {
    std::uint64_t value = 0;
    if (at + sizeof value <= header.size()) std::memcpy(&value, header.data() + at, sizeof value);
    return value;
  };
  const auto byte = [&](std::size_t at) { return at < header.size() ? std::to_integer<std::uint8_t>(header[at]) : 0U; };
  const auto& layout = heap.layout;
  std::uint64_t size = 0, indices = 0;
  if (layout.keys_log2_index_bytes == AL_ABSENT) {
    size = word(heap.objects.keys_size);
    if (size == 0 || (size & (size - 1)) != 0 || size > std::uint64_t{1} << most_log2) return std::nullopt;
    indices = index_bytes(size);
  } else {
    const auto log2_size = byte(heap.objects.keys_log2_size), log2_bytes = byte(layout.keys_log2_index_bytes);
    if (log2_size > most_log2 || log2_bytes > most_log2 + 3) return std::nullopt;
    size = std::uint64_t{1} << log2_size;
    indices = std::uint64_t{1} << log2_bytes;
  }
  DictKeys keys;
  const bool general = layout.keys_kind == AL_ABSENT || byte(layout.keys_kind) == 0;
  keys.entry_size = general ? 24 : 16;  // hash, key, value; with str keys alone the hash is the str's
  keys.key_offset = general ? 8 : 0;
  keys.address = address;
  keys.entries = address + layout.keys_indices + indices;
  keys.used = word(layout.keys_entries_used);
  keys.free = word(layout.keys_entries_used - sizeof(std::uint64_t));  // dk_usable is right before dk_nentries
  keys.room = 2 * size / 3;                                            // USABLE_FRACTION
  keys.bytes = layout.keys_indices + indices + keys.room * keys.entry_size;
  keys.refcount = word(0);
  // The table of an empty dict has room for none, and says so.
  if (keys.used > keys.room || keys.free > keys.room) return std::nullopt;
  return keys;
}

bool each_key(const Heap& heap, const DictKeys& keys, const EachKey& each) {
  constexpr std::uint64_t at_once = 256;
  std::array<std::byte, at_once * 24> entries;
  for (std::uint64_t done = 0; done < keys.used; done += at_once) {
    const auto count = std::min(at_once, keys.used - done);
    const std::span<std::byte> bytes(entries.data(), count * keys.entry_size);
    if (!heap.memory->read(keys.entries + done * keys.entry_size, bytes)) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      std::array<std::uint64_t, 2> pair{};  // key, value
      std::memcpy(pair.data(), bytes.data() + i * keys.entry_size + keys.key_offset, sizeof pair);
      if (!each(done + i, pair[0], pair[1])) return true;
    }
  }
  return true;
}

}  // namespace asyncleak::census
