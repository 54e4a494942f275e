// Open transports, queues and waiters: who talks to whom, and what piles up.
//
// Used by grouping.cpp and inspect. Closed transports that somebody keeps are not open ones: left out.
#pragma once

#include "census/callables.h"
#include "census/snapshot.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak::census {

struct TransportView {
  std::uint64_t address = 0;
  std::string type;                                 // "_SelectorSocketTransport"
  CallableText protocol;                            // name "?" where the transport keeps it in C
  std::string peer, sock;                           // "127.0.0.1:41234", a path, "PID 1234"; empty: not known
  std::optional<std::uint64_t> write_buffer_bytes;  // nullopt: not observed, or it has none
};

struct QueueView {
  std::string type;  // "asyncio.queues.Queue"
  std::uint64_t length = 0, getters = 0, putters = 0;
  std::optional<std::uint64_t> maxsize;  // 0: unbounded
};

struct WaitView {
  std::string type;  // "asyncio.locks.Event"
  std::uint64_t waiters = 0;
};

class Transports {
 public:
  explicit Transports(const Readers* readers)
      : objects_(&readers->objects), callables_(&readers->objects, &readers->coroutines) {}

  // nullopt: closed, gone, or half made.
  [[nodiscard]] std::optional<TransportView> transport(std::uint64_t address) const;
  [[nodiscard]] std::optional<QueueView> queue(std::uint64_t address) const;
  [[nodiscard]] std::optional<WaitView> wait(std::uint64_t address) const;  // nullopt: nobody waits

 private:
  using Address = std::optional<std::uint64_t>;
  [[nodiscard]] Address present(std::uint64_t object, std::string_view name) const;  // nullopt: None or not there
  [[nodiscard]] std::string socket_address(Address value) const;
  [[nodiscard]] std::optional<std::uint64_t> buffered(std::uint64_t transport) const;
  [[nodiscard]] std::optional<std::uint64_t> pieces(std::uint64_t buffer) const;
  [[nodiscard]] std::uint64_t length(Address object) const;

  const Objects* objects_;
  Callables callables_;
};

}  // namespace asyncleak::census
