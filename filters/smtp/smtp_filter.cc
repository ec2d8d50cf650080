#include "filters/smtp/smtp_filter.h"

#include <utility>

#include "filters/smtp/smtp_filter_impl.h"

namespace postern {

std::unique_ptr<Filter> MakeSmtpFilter(const FilterOptions& options, const SessionInfo& info) {
  return std::make_unique<smtp::SmtpFilter>(options, info);
}

namespace smtp {

SmtpFilter::SmtpFilter(const FilterOptions& options, const SessionInfo& info)
    : options_(options), info_(info), data_(options.reject_bare_lf) {}

void SmtpFilter::OnClientUp(Channel channel, const TlsInfo* tls, Actions& out) {
  channel_ = channel;
  if (tls != nullptr) {
    tls_version_ = tls->version;
    tls_cipher_ = tls->cipher;
  }
  if (!options_.connect_at_login) {
    queue_.Expect(Owed::kGreeting);
    out.Connect();
    return;
  }
  const bool lmtp = options_.protocol == Protocol::kLmtp;
  out.Send(Side::kClient,
           "220 " + options_.hostname + (lmtp ? " LMTP" : " ESMTP") + " Postern ready\r\n");
  Enter(State::kCommand);
}

// RFC 3207, 4.2: what was learned in the clear is forgotten. The server can't be made to forget its
// EHLO, so nothing that needs one passes until the client has said a new one; a transaction is
// ended there.
void SmtpFilter::OnTlsUp(const TlsInfo& tls, Actions& out) {
  channel_ = Channel::kTls;
  tls_version_ = tls.version;
  tls_cipher_ = tls.cipher;
  tls_was_started_ = true;
  greeted_ = false;
  chunking_shown_ = false;
  server_hello_ = false;
  xclient_done_ = false;
  helo_.clear();
  if (in_mail_) {
    in_mail_ = false;
    recipients_ = 0;
    chunks_begun_ = false;
    out.Send(Side::kServer, "RSET\r\n");
    queue_.Expect(Owed::kOwnReset);
  }
  Enter(State::kCommand);
}

void SmtpFilter::OnServerUp(Actions&) { server_up_ = true; }

void SmtpFilter::OnGone(Side side, Actions& out) {
  if (state_ == State::kEnded || side == Side::kClient) return;
  const bool was_up = std::exchange(server_up_, false);
  if (ending_) return CloseNow(ending_->cause, std::move(ending_->text), out);
  if (alone() && exchange_ == nullptr) {
    // It has lost patience between two log-ins: the next one finds a new connection.
    queue_.clear();
    reply_.code = 0;
    server_scanned_ = 0;
    server_hello_ = xclient_done_ = false;
    server_ = {};
    return;
  }
  if (exchange_ != nullptr) EndAuth(AuthResult::kError, "server gone", out);
  const Owed* owed = queue_.front();
  const bool greeting = !was_up || (owed != nullptr && *owed == Owed::kGreeting);
  if (greeting && was_up) {
    out.Note(BackendFaultEvent{BackendFaultReason::kGreeting, "no greeting"});
  }
  const bool within = unfinished_ || (reply_.code != 0 && reply_.fate == Fate::kPass);
  const Farewell why = greeting ? Farewell::kNoServer : Farewell::kServerGone;
  CloseNow(greeting ? Cause::kNoServer : Cause::kServerGone,
           within ? "" : std::string(Goodbye(options_.protocol, why)), out);
}

Phase SmtpFilter::phase() const {
  if (state_ == State::kGreeting) return Phase::kGreeting;
  if (logged_in_ || !options_.require_auth) return Phase::kLoggedIn;
  return exchange_ != nullptr ? Phase::kAuthenticating : Phase::kBeforeLogin;
}

Turn SmtpFilter::turn() const {
  switch (state_) {
    case State::kData:
    case State::kChunk:
    case State::kAuthResponse:
      return Turn::kClient;
    case State::kGreeting:
    case State::kHelloAsked:
    case State::kDataAsked:
    case State::kAuthAsked:
    case State::kDeriving:
      return Turn::kServer;
    case State::kCommand:
    case State::kHandshake:
    case State::kQuit:
    case State::kEnding:
    case State::kEnded:
      break;
  }
  return queue_.empty() ? Turn::kClient : Turn::kServer;
}

bool SmtpFilter::AtRest() const {
  return state_ == State::kCommand && queue_.empty() && reply_.code == 0;
}

Trace SmtpFilter::trace() const {
  Trace trace;
  trace.helo = helo_;
  trace.extended = hello_ != Verb::kHelo;
  trace.tls = channel_ == Channel::kTls;
  trace.tls_version = tls_version_;
  trace.tls_cipher = tls_cipher_;
  trace.logged_in = logged_in_;
  return trace;
}

void SmtpFilter::Reply(std::string_view text, Actions& out) {
  if (queue_.empty()) {
    out.Send(Side::kClient, text);
  } else {
    queue_.Own(std::string(text));
  }
}

void SmtpFilter::End(Cause cause, std::string_view text, Actions& out) {
  if (queue_.empty()) return CloseNow(cause, std::string(text), out);
  ending_ = Ending{cause, std::string(text)};
  Enter(State::kEnding);
}

void SmtpFilter::Fail(ProtocolFault fault, std::string_view text, Actions& out) {
  out.Note(ProtocolErrorEvent{fault});
  if (exchange_ != nullptr) EndAuth(AuthResult::kError, "broken off", out);
  End(Cause::kProtocolError, text, out);
}

void SmtpFilter::CloseNow(Cause cause, std::string text, Actions& out,
                          std::chrono::milliseconds delay) {
  Enter(State::kEnded);
  out.Close(cause, std::move(text), delay);
}

void SmtpFilter::BackendFault(BackendFaultReason reason, std::string detail, Actions& out) {
  out.Note(BackendFaultEvent{reason, std::move(detail)});
  if (exchange_ != nullptr) EndAuth(AuthResult::kError, "backend fault", out);
  CloseNow(Cause::kServerFault, std::string(Goodbye(options_.protocol, Farewell::kFault)), out);
}

void SmtpFilter::Broken(Actions& out) {
  const Owed* owed = queue_.front();
  if (owed != nullptr && *owed == Owed::kGreeting) {
    out.Note(ProtocolErrorEvent{ProtocolFault::kBackend});
    out.Note(BackendFaultEvent{BackendFaultReason::kGreeting, "no SMTP greeting"});
    if (exchange_ != nullptr) EndAuth(AuthResult::kError, "backend fault", out);
    return CloseNow(Cause::kServerFault,
                    std::string(Goodbye(options_.protocol, Farewell::kNoServer)), out);
  }
  out.Note(ProtocolErrorEvent{ProtocolFault::kBackend});
  if (exchange_ != nullptr) EndAuth(AuthResult::kError, "backend fault", out);
  const bool within = reply_.code != 0 && reply_.fate == Fate::kPass;
  CloseNow(Cause::kServerFault,
           within ? "" : std::string(Goodbye(options_.protocol, Farewell::kServerGone)), out);
}

}  // namespace smtp
}  // namespace postern
