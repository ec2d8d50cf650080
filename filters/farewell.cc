#include "filters/farewell.h"

#include <array>
#include <cstddef>

namespace postern {
namespace {

struct Words {
  std::string_view imap;
  std::string_view pop3;
  std::string_view smtp;
};

// In the order of Farewell. RFC 5530 has UNAVAILABLE for what passes by itself; RFC 3206 SYS/TEMP;
// RFC 3463 4.3.2 (the system takes no mail now) and 4.4.2 (the connection failed or waited too
// long). An IMAP server that logs out an idle client says BYE (RFC 3501, 5.4).
constexpr std::array<Words, 7> kWords = {{
    {"* BYE Server shutting down\r\n", "-ERR [SYS/TEMP] Server shutting down\r\n",
     "421 4.3.2 Service shutting down\r\n"},
    {"* BYE [UNAVAILABLE] No server is available, try again later\r\n",
     "-ERR [SYS/TEMP] No server is available, try again later\r\n",
     "421 4.3.2 No server is available, try again later\r\n"},
    {"* BYE [UNAVAILABLE] The server has gone away, try again later\r\n",
     "-ERR [SYS/TEMP] The server has gone away, try again later\r\n",
     "421 4.3.2 The server has gone away, try again later\r\n"},
    {"* BYE Idle for too long\r\n", "-ERR Idle for too long\r\n",
     "421 4.4.2 Idle for too long\r\n"},
    {"* BYE No log-in in time\r\n", "-ERR No log-in in time\r\n",
     "421 4.4.2 No log-in in time\r\n"},
    {"* BYE [UNAVAILABLE] Too many connections, try again later\r\n",
     "-ERR [SYS/TEMP] Too many connections, try again later\r\n",
     "421 4.3.2 Too many connections, try again later\r\n"},
    {"* BYE [UNAVAILABLE] Internal error, try again later\r\n",
     "-ERR [SYS/TEMP] Internal error, try again later\r\n",
     "421 4.3.0 Internal error, try again later\r\n"},
}};
static_assert(static_cast<size_t>(Farewell::kFault) + 1 == kWords.size());

}  // namespace

std::string_view Goodbye(Protocol protocol, Farewell why) {
  const Words& words = kWords[static_cast<size_t>(why)];
  switch (protocol) {
    case Protocol::kImap:
      return words.imap;
    case Protocol::kPop3:
      return words.pop3;
    case Protocol::kSmtp:
    case Protocol::kLmtp:
      break;
  }
  return words.smtp;
}

}  // namespace postern
