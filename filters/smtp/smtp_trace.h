// Who the client is, told to the server: a Received header (RFC 5321, 4.4) or XCLIENT (Postfix's
// XCLIENT_README).
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "filters/options.h"

namespace postern::smtp {

// What is said about a session besides its SessionInfo.
struct Trace {
  std::string_view helo;  // as the client gave it; may be empty or hostile
  bool extended = false;  // EHLO or LHLO, not HELO
  bool tls = false;
  std::string_view tls_version;
  std::string_view tls_cipher;
  bool logged_in = false;
};

// The header field with its CRLF, folded. A message whose `first` byte is a blank has no header of
// its own and would continue this one, so it ends the header.
std::string ReceivedHeader(const FilterOptions& options, const SessionInfo& info,
                           const Trace& trace, std::chrono::system_clock::time_point now,
                           char first);

// Whole XCLIENT commands, each of at most 512 bytes, with the attributes that the server knows
// (`shown`, in upper case). NAME and REVERSE_NAME are said to be unknown: else the server would
// keep Postern's own. LOGIN is left out: the server has judged the log-in itself.
std::vector<std::string> XclientCommands(const SessionInfo& info, const Trace& trace,
                                         const std::vector<std::string>& shown);

}  // namespace postern::smtp
