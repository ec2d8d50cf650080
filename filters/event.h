// What a filter tells the session to count and to log. Every field that becomes a metric label
// comes from a closed list here, so nothing that a peer sends can make a new label value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "filters/mechanism.h"

namespace postern {

// How the bytes of one log-in reach Postern.
enum class Channel : uint8_t { kClear, kTls };

enum class AuthResult : uint8_t {
  kAccepted,  // the backend said yes
  kRejected,  // the backend said no to a complete log-in (never for a temporary failure)
  kBlocked,  // Postern refused it: policy, throttle or bad credentials; nothing reached the backend
  kObserved,  // would have been blocked, but `enforce: observe` let it through
  kError,  // no verdict: aborted, bad base64, mechanism missing, temporary failure, backend fault
};

// Why a command was answered by Postern and not passed on.
enum class BlockReason : uint8_t {
  kClear,        // allowed only inside TLS
  kMechanism,    // never allowed
  kNotLoggedIn,  // needs a log-in first
  kUnknown,      // no command that Postern knows
  kDenied,       // named in commands.deny (or by default, as VRFY)
  kThrottled,    // too many failures from this address
  kCredentials,  // NUL, CR, LF, controls, foreign authorization identity, overlong
};

enum class ProtocolFault : uint8_t {
  kLineTooLong,
  kNul,
  kBareLf,      // a lone LF or CR where the protocol wants CRLF
  kUnexpected,  // a command where a SASL response was due, BDAT not offered, bad base64, …
  kLiteral,     // a literal that is too long or malformed
  kBackend,     // the server broke its own protocol
};

enum class BackendFaultReason : uint8_t { kRefused, kTimeout, kReset, kGreeting, kTls, kAuth };

// One log-in came to its end. `user` is the name as the client gave it (peer text: the log escapes
// and cuts it); empty where it is not known. `reason` is a few words of ours, never peer text.
struct AuthEvent {
  Mechanism mechanism = Mechanism::kOther;
  Channel channel = Channel::kClear;
  AuthResult result = AuthResult::kError;
  std::string user;
  std::string_view reason;  // a literal
};

// A basic log-in was spoken to the backend in another mechanism.
struct RewriteEvent {
  Mechanism from = Mechanism::kBasic;
  Mechanism to = Mechanism::kBasic;
};

// `command` is its name alone, never its arguments (peer text, cut to 32 bytes by the filter).
struct BlockedEvent {
  BlockReason reason = BlockReason::kUnknown;
  std::string command;
};

struct ProtocolErrorEvent {
  ProtocolFault fault = ProtocolFault::kUnexpected;
};

// Bytes came behind STARTTLS in the clear.
struct StartTlsInjectionEvent {};

// Something that a postmaster has to mend at the backend: logged as an error. `detail` is ours.
struct BackendFaultEvent {
  BackendFaultReason reason = BackendFaultReason::kGreeting;
  std::string detail;
};

using Event = std::variant<AuthEvent, RewriteEvent, BlockedEvent, ProtocolErrorEvent,
                           StartTlsInjectionEvent, BackendFaultEvent>;

// The words of the metrics and the log for each of the lists above.
std::string_view ToString(Channel channel);
std::string_view ToString(AuthResult result);
std::string_view ToString(BlockReason reason);
std::string_view ToString(ProtocolFault fault);
std::string_view ToString(BackendFaultReason reason);

}  // namespace postern
