// The last words to a client, in its protocol's own form.
#pragma once

#include <cstdint>
#include <string_view>

#include "filters/options.h"

namespace postern {

enum class Farewell : uint8_t {
  kShutdown,      // drain
  kNoServer,      // no backend could be reached
  kServerGone,    // the backend went away in mid-session
  kIdle,          // timeouts.idle
  kLoginTimeout,  // timeouts.login
  kTooMany,       // limits.connections, connections_per_ip
  kFault,         // Postern could not go on
};

// One whole line with its CRLF: imap `* BYE …` ([UNAVAILABLE] where RFC 5530 has it), pop3 `-ERR …`
// ([SYS/TEMP], RFC 3206), smtp and lmtp `421 4.x.x …`. Never empty.
std::string_view Goodbye(Protocol protocol, Farewell why);

}  // namespace postern
