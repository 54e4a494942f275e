#include "census/transports.h"

#include <fmt/format.h>

namespace asyncleak::census {

Transports::Address Transports::present(std::uint64_t object, std::string_view name) const {
  const auto value = objects_->attribute(object, name);
  const Type* type = value ? objects_->type_of(*value) : nullptr;
  return type != nullptr && type->kind != Kind::none ? value : std::nullopt;
}

std::uint64_t Transports::length(Address object) const { return object ? objects_->length(*object).value_or(0) : 0; }

// ('127.0.0.1', 41234), ('::1', 41234, 0, 0), '/run/app.sock', b'\0abstract'
std::string Transports::socket_address(Address value) const {
  const Type* type = value ? objects_->type_of(*value) : nullptr;
  if (type == nullptr) return {};
  if (type->kind == Kind::str) return objects_->text(*value).value_or("");
  if (type->kind != Kind::tuple) return {};
  std::string host;
  std::optional<std::int64_t> port;
  objects_->each_item(*value, [&](std::uint64_t item) {
    if (host.empty()) {
      host = objects_->text(item).value_or("?");
      return true;
    }
    port = objects_->integer(item);
    return false;
  });
  if (!port) return host;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, *port) : fmt::format("[{}]:{}", host, *port);
}

// The pieces of a write buffer: memoryviews or bytes (selector sockets, 3.12), (data, address) tuples (datagrams).
std::optional<std::uint64_t> Transports::pieces(std::uint64_t buffer) const {
  std::uint64_t bytes = 0;
  bool known = true;
  const bool whole = objects_->each_item(buffer, [&](std::uint64_t piece) {
    const Type* type = objects_->type_of(piece);
    if (type != nullptr && type->kind == Kind::tuple) {
      objects_->each_item(piece, [&](std::uint64_t data) {
        piece = data;
        return false;
      });
    }
    const auto size = objects_->length(piece);
    known &= size.has_value();
    bytes += size.value_or(0);
    return true;
  });
  return whole && known ? std::optional(bytes) : std::nullopt;
}

std::optional<std::uint64_t> Transports::buffered(std::uint64_t transport) const {
  const auto buffer = present(transport, "_buffer");
  const Type* type = buffer ? objects_->type_of(*buffer) : nullptr;
  if (type == nullptr) return std::nullopt;
  if (type->kind == Kind::bytearray || type->kind == Kind::bytes) return objects_->length(*buffer);
  return type->kind == Kind::deque || type->kind == Kind::list ? pieces(*buffer) : std::nullopt;
}

std::optional<TransportView> Transports::transport(std::uint64_t address) const {
  const Type* type = objects_->type_of(address);
  if (type == nullptr || type->kind != Kind::transport) return std::nullopt;
  TransportView view;
  view.address = address;
  view.type = type->qualname;
  const bool in_c = !objects_->attribute(address, "_protocol") && !objects_->attribute(address, "_ssl_protocol");
  if (in_c) {
    // Cython's, or somebody's own without asyncio's attributes: it exists, no more is known.
    if (type->module.starts_with("asyncio.")) return std::nullopt;  // half made, or torn
    view.protocol = {"?", "", std::nullopt};
    return view;
  }
  // connection_lost() lets go of the protocol (Lib/asyncio: _call_connection_lost of every transport).
  auto protocol = present(address, "_protocol");
  if (const auto ssl = present(address, "_ssl_protocol")) {
    protocol = present(*ssl, "_app_protocol");
    if (!present(*ssl, "_transport")) return std::nullopt;
  }
  const Type* protocol_type = protocol ? objects_->type_of(*protocol) : nullptr;
  if (protocol_type == nullptr) return std::nullopt;
  view.protocol = callables_.describe_class(*protocol_type);
  if (const auto extra = objects_->attribute(address, "_extra")) {
    view.peer = socket_address(objects_->entry(*extra, "peername"));
    view.sock = socket_address(objects_->entry(*extra, "sockname"));
  }
  if (const auto pid = present(address, "_pid")) {
    if (const auto number = objects_->integer(*pid)) view.peer = fmt::format("PID {}", *number);
  }
  view.write_buffer_bytes = buffered(address);
  return view;
}

std::optional<QueueView> Transports::queue(std::uint64_t address) const {
  const Type* type = objects_->type_of(address);
  const auto items = present(address, "_queue");
  const auto size = items ? objects_->length(*items) : std::nullopt;
  if (type == nullptr || type->kind != Kind::queue || !size) return std::nullopt;
  QueueView view{type->name(), *size, length(present(address, "_getters")), length(present(address, "_putters")),
                 std::nullopt};
  const auto limit = objects_->attribute(address, "_maxsize");
  const auto number = limit ? objects_->integer(*limit) : std::nullopt;
  if (number) view.maxsize = *number > 0 ? static_cast<std::uint64_t>(*number) : 0;
  return view;
}

std::optional<WaitView> Transports::wait(std::uint64_t address) const {
  const Type* type = objects_->type_of(address);
  if (type == nullptr || type->kind != Kind::sync) return std::nullopt;
  const auto waiters = length(present(address, "_waiters"));  // None until somebody waits (locks, 3.8)
  return waiters > 0 ? std::optional(WaitView{type->name(), waiters}) : std::nullopt;
}

}  // namespace asyncleak::census
