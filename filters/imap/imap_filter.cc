#include "filters/imap/imap_filter.h"

#include <utility>

#include "filters/imap/imap_follower.h"
#include "filters/imap/imap_machine.h"
#include "filters/text.h"

namespace postern {

std::unique_ptr<Filter> MakeImapFilter(const FilterOptions& options, const SessionInfo& info) {
  return std::make_unique<imap::ImapFilter>(options, info);
}

namespace imap {

void ForwardLine(Feed& in, const Line& line, Side to) {
  if (line.size == line.text.size() + 2) return in.Forward(line.size);
  in.Forward(line.text.size());
  in.out.Send(to, "\r\n");
  in.Drop(line.size - line.text.size());
}

void ImapFilter::Enter(State state) {
  state_ = state;
  client_lines_.Reset();
  if (state != State::kCommand) return;
  used_ = 0;
  answered_early_ = false;
  literal_is_user_ = false;
  outgoing_.reset();
  speaker_.reset();
  attempt_.reset();
}

void ImapFilter::OnClientUp(Channel channel, const TlsInfo*, Actions& out) {
  channel_ = channel;
  if (!options_.connect_at_login) {
    out.Connect();
    return Enter(State::kConnecting);
  }
  out.Send(Side::kClient, "* OK [CAPABILITY " + View().Own(info_.probed) + "] " +
                              options_.hostname + " ready\r\n");
  Enter(State::kCommand);
}

void ImapFilter::OnTlsUp(const TlsInfo&, Actions&) {
  if (state_ != State::kTlsStarting) return;
  channel_ = Channel::kTls;
  Enter(State::kCommand);
}

void ImapFilter::OnServerUp(Actions&) {
  if (state_ != State::kConnecting) return;
  server_up_ = true;
  state_ = State::kGreeting;
}

void ImapFilter::OnClientBytes(std::string_view input, Actions& out) {
  Feed in(input, out);
  while (ClientStep(in)) {
  }
}

void ImapFilter::OnServerBytes(std::string_view input, Actions& out) {
  // One line that the client may have waited for at a time: what it sends in answer goes first.
  Feed in(input, out);
  while (ServerStep(in)) {
  }
}

void ImapFilter::OnDerived(std::unique_ptr<sasl::Derivation> work, Actions& out) {
  if (state_ == State::kDeriving) Carry(speaker_->OnDerived(std::move(work)), out);
}

void ImapFilter::OnGone(Side side, Actions& out) {
  if (side == Side::kClient || state_ == State::kDone) return;
  const bool client_alone = state_ == State::kCommand || state_ == State::kGathering ||
                            state_ == State::kPrompted || state_ == State::kSkipping ||
                            state_ == State::kTlsStarting;
  if (options_.connect_at_login && client_alone && !busy()) {
    // An old server may hang up after a refusal; the next log-in gets a connection of its own.
    server_ = {};
    server_lines_.Reset();
    server_up_ = own_id_sent_ = bye_seen_ = server_continues_ = false;
    server_literal_ = 0;
    return;
  }
  if (!server_up_ || state_ == State::kGreeting) {
    End(out, Cause::kNoServer, std::string(Goodbye(Protocol::kImap, Farewell::kNoServer)));
  } else if (owed_.leaving()) {
    End(out, Cause::kLogout, {});
  } else {
    const bool between_lines = server_literal_ == 0 && !server_continues_;
    const bool silent = bye_seen_ || !between_lines || state_ == State::kTlsStarting;
    End(out, Cause::kServerGone,
        silent ? "" : std::string(Goodbye(Protocol::kImap, Farewell::kServerGone)));
  }
}

bool ImapFilter::WithServer() const {
  switch (state_) {
    case State::kVerdict:
    case State::kExchange:
    case State::kResponse:
    case State::kSpeaking:
    case State::kDeriving:
    case State::kAborting:
      return true;
    default:
      return false;
  }
}

Phase ImapFilter::phase() const {
  if (state_ == State::kConnecting || state_ == State::kGreeting) return Phase::kGreeting;
  if (state_ == State::kDone && !user_.empty()) return Phase::kLoggedIn;
  return WithServer() ? Phase::kAuthenticating : Phase::kBeforeLogin;
}

Turn ImapFilter::turn() const {
  switch (state_) {
    case State::kCommand:
      return busy() ? Turn::kServer : Turn::kClient;
    case State::kGathering:
    case State::kSkipping:
    case State::kLiteral:
    case State::kRest:
    case State::kResponse:
    case State::kPrompted:
    case State::kTlsStarting:
      return Turn::kClient;
    default:
      return Turn::kServer;
  }
}

bool ImapFilter::AtRest() const {
  const bool between = state_ == State::kCommand || state_ == State::kGreeting;
  return between && !busy() && !attempt_ && server_literal_ == 0 && !server_continues_;
}

std::unique_ptr<Follower> ImapFilter::Detached() {
  return MakeImapFollower({.unauthenticate = server_.unauthenticate(),
                           .literal_plus = server_.literals_without_waiting(),
                           .one_at_a_time = !options_.pipelining});
}

bool ImapFilter::Fatal(Actions& out, ProtocolFault fault) {
  return !busy() && FatalNow(out, fault);
}

bool ImapFilter::FatalNow(Actions& out, ProtocolFault fault) {
  out.Note(ProtocolErrorEvent{fault});
  std::string_view words = "* BYE Protocol error\r\n";
  if (fault == ProtocolFault::kLineTooLong) words = "* BYE Command line too long\r\n";
  if (fault == ProtocolFault::kLiteral) words = "* BYE Literal not acceptable\r\n";
  if (fault == ProtocolFault::kNul) words = "* BYE NUL in a command\r\n";
  if (fault == ProtocolFault::kBareLf) words = "* BYE CR without LF in a command\r\n";
  End(out, Cause::kProtocolError, std::string(words));
  return false;
}

void ImapFilter::End(Actions& out, Cause cause, std::string goodbye) {
  if (attempt_) NoteAuth(AuthResult::kError, "session ended", out);
  attempt_.reset();
  speaker_.reset();
  out.Close(cause, std::move(goodbye));
  state_ = State::kDone;
}

}  // namespace imap
}  // namespace postern
