// A small HTTP client for Postern's own admin address, for `postern status`. Blocks.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "conf/address.h"

namespace postern {

inline constexpr size_t kMaxHttpAnswer = 64 * 1024 * 1024;  // bytes, head included
inline constexpr std::chrono::seconds kHttpTimeout{5};      // for all of it, the resolver apart

struct HttpAnswer {
  int status = 0;     // 0: `error` says why there is none
  std::string body;   // whole
  std::string error;  // one line
};

// Every address of this machine (":9190", "0.0.0.0:9190") is asked at its loopback.
HttpAnswer HttpGet(const conf::Address& address, const std::string& path,
                   std::chrono::steady_clock::duration timeout = kHttpTimeout);

}  // namespace postern
