#include "model/site_key.h"

#include <fmt/format.h>
#include <cstdint>
#include <string_view>

namespace asyncleak {
namespace {

// FNV-1a, 64 bits (RFC 9923): the same on every machine, as std::hash need not be.
class Hash {
 public:
  void add(std::string_view text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0);
  }
  void add(std::optional<int> line) { add(line ? std::to_string(*line) : ""); }
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001b3U; }
  std::uint64_t value_ = 0xcbf29ce484222325U;
};

}  // namespace

std::string site_key(const SiteIdentity& identity) {
  Hash hash;
  hash.add(identity.kind);
  hash.add(identity.coroutine);
  hash.add(identity.file);
  hash.add(identity.line);
  for (const Frame& frame : identity.created_at) {
    hash.add(frame.function);
    hash.add(frame.file);
    hash.add(frame.line);
  }
  return fmt::format("{:016x}", hash.value());
}

}  // namespace asyncleak
