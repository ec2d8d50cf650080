#include "proxy/finish.h"

namespace postern {

std::string_view ToString(End end) {
  switch (end) {
    case End::kClientClosed:
      return "client_closed";
    case End::kServerClosed:
      return "server_closed";
    case End::kLogout:
      return "logout";
    case End::kClientReset:
      return "client_reset";
    case End::kServerReset:
      return "server_reset";
    case End::kServerGone:
      return "server_gone";
    case End::kNoServer:
      return "no_server";
    case End::kServerFault:
      return "server_fault";
    case End::kServerRefused:
      return "server_refused";
    case End::kProtocolError:
      return "protocol_error";
    case End::kInjection:
      return "starttls_injection";
    case End::kTooManyFailures:
      return "auth_failures";
    case End::kPolicy:
      return "policy";
    case End::kTlsFailed:
      return "tls_failed";
    case End::kHandshakeTimeout:
      return "handshake_timeout";
    case End::kLoginTimeout:
      return "login_timeout";
    case End::kIdleTimeout:
      return "idle_timeout";
    case End::kGreetingTimeout:
      return "greeting_timeout";
    case End::kAnswerTimeout:
      return "answer_timeout";
    case End::kProxyProtocol:
      return "proxy_protocol";
    case End::kLimit:
      return "limit";
    case End::kDrain:
      return "drain";
    case End::kInternal:
      break;
  }
  return "internal";
}

Fault FaultOf(End end) {
  switch (end) {
    case End::kServerReset:
    case End::kServerGone:
    case End::kNoServer:
    case End::kServerFault:
    case End::kServerRefused:
    case End::kGreetingTimeout:
    case End::kAnswerTimeout:
    case End::kServerClosed:
      return Fault::kBackend;
    case End::kTooManyFailures:
    case End::kPolicy:
    case End::kLimit:
      return Fault::kPolicy;
    case End::kDrain:
    case End::kInternal:
      return Fault::kPostern;
    default:
      return Fault::kClient;
  }
}

std::string_view ToString(Fault fault) {
  switch (fault) {
    case Fault::kClient:
      return "client";
    case Fault::kBackend:
      return "backend";
    case Fault::kPolicy:
      return "policy";
    case Fault::kPostern:
      break;
  }
  return "postern";
}

End FromCause(Cause cause) {
  switch (cause) {
    case Cause::kLogout:
      return End::kLogout;
    case Cause::kProtocolError:
      return End::kProtocolError;
    case Cause::kInjection:
      return End::kInjection;
    case Cause::kTooManyFailures:
      return End::kTooManyFailures;
    case Cause::kPolicy:
      return End::kPolicy;
    case Cause::kServerRefused:
      return End::kServerRefused;
    case Cause::kServerFault:
      return End::kServerFault;
    case Cause::kServerGone:
      return End::kServerGone;
    case Cause::kNoServer:
      break;
  }
  return End::kNoServer;
}

}  // namespace postern
