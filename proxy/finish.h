// Why a session ended: one closed list, with the word for the log and whose fault it was.
#pragma once

#include <cstdint>
#include <string_view>

#include "filters/filter.h"

namespace postern {

enum class Fault : uint8_t { kClient, kBackend, kPolicy, kPostern };

enum class End : uint8_t {
  kClientClosed,  // the client ended the connection
  kServerClosed,  // the server ended the connection between answers, as after LOGOUT
  kLogout,        // Postern answered the client's goodbye
  kClientReset,
  kServerReset,
  kServerGone,     // the server ended the connection in mid-answer or before a goodbye
  kNoServer,       // none could be reached
  kServerFault,    // the server broke its protocol, or its TLS failed
  kServerRefused,  // its greeting said no
  kProtocolError,
  kInjection,
  kTooManyFailures,
  kPolicy,
  kTlsFailed,  // with the client
  kHandshakeTimeout,
  kLoginTimeout,
  kIdleTimeout,
  kGreetingTimeout,
  kAnswerTimeout,
  kProxyProtocol,  // no PROXY header where one has to be, or a malformed one
  kLimit,          // limits.connections, connections_per_ip, handshakes_per_ip
  kDrain,
  kInternal,  // Postern could not go on (out of memory or descriptors)
};

std::string_view ToString(End end);
Fault FaultOf(End end);
std::string_view ToString(Fault fault);
End FromCause(Cause cause);

}  // namespace postern
