#include "sample/stream.h"

#include "util/handle.h"

#include <zstd.h>
#include <algorithm>

namespace asyncleak {
namespace {

// A minute of samples of hundreds of sites fits; a reader needs no more memory than that, whatever a file asks for.
constexpr int window_log = 21;

}  // namespace

struct Compressor::State {
  Handle<ZSTD_CCtx, ZSTD_freeCCtx> context{ZSTD_createCCtx()};
};

Compressor::Compressor() : state_(std::make_unique<State>()) {
  ZSTD_CCtx* context = state_->context.get();
  if (context == nullptr) return;
  constexpr int level = 3;
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
}
Compressor::Compressor(Compressor&&) noexcept = default;
Compressor& Compressor::operator=(Compressor&&) noexcept = default;
Compressor::~Compressor() = default;

std::optional<std::string> Compressor::piece(std::string_view bytes) {
  if (!state_->context) return std::nullopt;
  std::string out(ZSTD_compressBound(bytes.size()) + 64, '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (true) {
    const std::size_t left = ZSTD_compressStream2(state_->context.get(), &to, &in, ZSTD_e_flush);
    if (ZSTD_isError(left) != 0) return std::nullopt;
    if (left == 0) break;
    out.resize(out.size() * 2);
    to.dst = out.data();
    to.size = out.size();
  }
  out.resize(to.pos);
  return out;
}

struct Decompressor::State {
  Handle<ZSTD_DCtx, ZSTD_freeDCtx> context{ZSTD_createDCtx()};
};

Decompressor::Decompressor() : state_(std::make_unique<State>()) {
  if (state_->context) ZSTD_DCtx_setParameter(state_->context.get(), ZSTD_d_windowLogMax, window_log);
}
Decompressor::Decompressor(Decompressor&&) noexcept = default;
Decompressor& Decompressor::operator=(Decompressor&&) noexcept = default;
Decompressor::~Decompressor() = default;

std::optional<std::string> Decompressor::piece(std::string_view bytes, std::size_t most) {
  if (!state_->context) return std::nullopt;
  std::string out(std::max(bytes.size() * 4, std::size_t{1} << 14), '\0');
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  ZSTD_outBuffer to{out.data(), out.size(), 0};
  while (true) {
    const std::size_t hint = ZSTD_decompressStream(state_->context.get(), &to, &in);
    if (ZSTD_isError(hint) != 0) return std::nullopt;
    if (to.pos < to.size) {  // there is room left: all is out that is to come
      if (in.pos == in.size) break;
      continue;
    }
    if (out.size() >= most) return std::nullopt;
    out.resize(std::min(out.size() * 2, most));
    to.dst = out.data();
    to.size = out.size();
  }
  out.resize(to.pos);
  return out;
}

}  // namespace asyncleak
