#include "filters/event.h"

namespace postern {

std::string_view ToString(Channel channel) {
  switch (channel) {
    case Channel::kClear:
      return "clear";
    case Channel::kTls:
      return "tls";
  }
  return "clear";
}

std::string_view ToString(AuthResult result) {
  switch (result) {
    case AuthResult::kAccepted:
      return "accepted";
    case AuthResult::kRejected:
      return "rejected";
    case AuthResult::kBlocked:
      return "blocked";
    case AuthResult::kObserved:
      return "observed";
    case AuthResult::kError:
      return "error";
  }
  return "error";
}

std::string_view ToString(BlockReason reason) {
  switch (reason) {
    case BlockReason::kClear:
      return "clear";
    case BlockReason::kMechanism:
      return "mechanism";
    case BlockReason::kNotLoggedIn:
      return "not_logged_in";
    case BlockReason::kUnknown:
      return "unknown";
    case BlockReason::kDenied:
      return "denied";
    case BlockReason::kThrottled:
      return "throttled";
    case BlockReason::kCredentials:
      return "credentials";
  }
  return "unknown";
}

std::string_view ToString(ProtocolFault fault) {
  switch (fault) {
    case ProtocolFault::kLineTooLong:
      return "line_too_long";
    case ProtocolFault::kNul:
      return "nul";
    case ProtocolFault::kBareLf:
      return "bare_lf";
    case ProtocolFault::kUnexpected:
      return "unexpected";
    case ProtocolFault::kLiteral:
      return "literal";
    case ProtocolFault::kBackend:
      return "backend";
  }
  return "unexpected";
}

std::string_view ToString(BackendFaultReason reason) {
  switch (reason) {
    case BackendFaultReason::kRefused:
      return "refused";
    case BackendFaultReason::kTimeout:
      return "timeout";
    case BackendFaultReason::kReset:
      return "reset";
    case BackendFaultReason::kGreeting:
      return "greeting";
    case BackendFaultReason::kTls:
      return "tls";
    case BackendFaultReason::kAuth:
      return "auth";
  }
  return "reset";
}

}  // namespace postern
