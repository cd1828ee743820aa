// SPDX-License-Identifier: EUPL-1.2
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "mock_server/clock.h"
#include "mock_server/http/message.h"

namespace mock {

enum class Ending {
  kKeepOpen,  // another request may follow on the connection
  kClose,     // FIN after all bytes
  kReset,     // RST at once
};

// Hears that the client went away while its answer was not complete.
class ExchangeListener {
 public:
  virtual ~ExchangeListener() = default;
  virtual void OnDisconnected() = 0;
};

// One request and the bytes of its answer, on a connection. Everything on the server's thread.
class Exchange {
 public:
  virtual ~Exchange() = default;
  [[nodiscard]] virtual const HttpRequest& request() const = 0;
  [[nodiscard]] virtual bool keep_alive() const = 0;

  // Hands bytes to the kernel now, or as soon as it takes them. Never blocks.
  virtual void Send(std::string_view bytes) = 0;
  virtual void Finish(Ending ending) = 0;
  // Bytes that the kernel has not taken yet.
  [[nodiscard]] virtual std::size_t Unsent() const = 0;

  // From now on `listener` hears of a disconnect; null: nobody.
  virtual void Watch(ExchangeListener* listener) = 0;
};

}  // namespace mock
