#include "filters/pop3/pop3_filter.h"

#include <algorithm>
#include <array>

#include "filters/farewell.h"
#include "filters/pop3/follower.h"
#include "filters/pop3/pop3_filter_impl.h"
#include "filters/text.h"

namespace postern {

std::unique_ptr<Filter> MakePop3Filter(const FilterOptions& options, const SessionInfo& info) {
  return std::make_unique<pop3::Pop3Filter>(options, info);
}

namespace pop3 {
namespace {

constexpr std::string_view kNeedsTls = "-ERR STLS comes first: this needs TLS\r\n";
constexpr std::string_view kUnknown = "-ERR Unknown command\r\n";

struct Entry {
  std::string_view verb;
  Pop3Filter::Handler handler;
};

// A browser that was made to speak to a mail server (ALPACA, section 5): its request line ends so.
bool IsHttp(std::string_view text) {
  const size_t version = text.rfind(" HTTP/");
  return version != std::string_view::npos &&
         text.find_first_not_of("0123456789.", version + 6) == std::string_view::npos;
}

bool Names(const std::vector<std::string>& verbs, std::string_view verb) {
  return std::any_of(verbs.begin(), verbs.end(),
                     [verb](const std::string& name) { return EqualsIgnoreCase(name, verb); });
}

}  // namespace

Pop3Filter::Pop3Filter(const FilterOptions& options, const SessionInfo& info)
    : options_(options), info_(info), offer_(options) {}

void Pop3Filter::OnClientUp(Channel channel, const TlsInfo*, Actions& out) {
  offer_.set_channel(channel);
  if (!options_.connect_at_login) return out.Connect();
  Enter(State::kReady);
  out.Send(Side::kClient, "+OK POP3 server ready\r\n");
}

// Protocol state starts afresh (RFC 2595, 4); the connection to the backend, and with it the stamp
// of its greeting, stays.
void Pop3Filter::OnTlsUp(const TlsInfo&, Actions&) {
  if (state_ != State::kStartingTls) return;
  offer_.set_channel(Channel::kTls);
  client_lines_.Reset();
  ForgetLogin();
  Enter(State::kReady);
}

void Pop3Filter::OnServerUp(Actions&) {
  server_up_ = true;
  greeted_ = false;
  server_lines_.Reset();
  backend_ = {};
}

void Pop3Filter::OnGone(Side side, Actions& out) {
  if (side == Side::kClient || state_ == State::kDone) return;
  const bool was_up = std::exchange(server_up_, false);
  switch (state_) {
    case State::kGreeting:
      if (was_up) out.Note(BackendFaultEvent{BackendFaultReason::kGreeting, "no greeting"});
      return End(Cause::kNoServer, Goodbye(Protocol::kPop3, Farewell::kNoServer), out);
    case State::kConnecting:
      if (was_up) out.Note(BackendFaultEvent{BackendFaultReason::kGreeting, "no greeting"});
      NoteAuth(AuthResult::kError, "no server", out);
      return End(Cause::kNoServer, Goodbye(Protocol::kPop3, Farewell::kNoServer), out);
    case State::kQuitting:
      if (queue_.size() == 1) return End(Cause::kLogout, "+OK Goodbye\r\n", out);
      break;
    case State::kClosing:
      return End(cause_, inside_ ? "" : last_words_, out);
    case State::kVerdict:
    case State::kResponse:
    case State::kProbing:
    case State::kSpeaking:
    case State::kDeriving:
      NoteAuth(AuthResult::kError, "the server went away", out);
      break;
    default:
      if (options_.connect_at_login && state_ != State::kGivingUp) return;
      break;
  }
  const std::string_view goodbye = Goodbye(Protocol::kPop3, Farewell::kServerGone);
  End(Cause::kServerGone, inside_ || state_ == State::kStartingTls ? "" : goodbye, out);
}

Phase Pop3Filter::phase() const {
  switch (state_) {
    case State::kGreeting:
      return Phase::kGreeting;
    case State::kVerdict:
    case State::kAborting:
    case State::kConnecting:
    case State::kProbing:
    case State::kSpeaking:
    case State::kDeriving:
    case State::kGivingUp:
      return Phase::kAuthenticating;
    case State::kDone:
      return user_.empty() ? Phase::kBeforeLogin : Phase::kLoggedIn;
    default:
      return Phase::kBeforeLogin;
  }
}

Turn Pop3Filter::turn() const {
  switch (state_) {
    case State::kReady:
      return owes() ? Turn::kServer : Turn::kClient;
    case State::kResponse:
    case State::kPlainDue:
    case State::kUserDue:
    case State::kPasswordDue:
    case State::kStartingTls:
      return Turn::kClient;
    default:
      return Turn::kServer;
  }
}

bool Pop3Filter::AtRest() const { return state_ == State::kReady && !owes() && !inside_; }

std::unique_ptr<Follower> Pop3Filter::Detached() { return MakeFollower(options_.pipelining); }

// ---------------------------------------------------------------- client lines

// True where the client may speak; else its bytes stay where they are.
bool Pop3Filter::TakesClientLines() const {
  switch (state_) {
    case State::kReady:
    case State::kResponse:
    case State::kPlainDue:
    case State::kUserDue:
    case State::kPasswordDue:
    case State::kClosing:
      return true;
    default:
      return false;
  }
}

size_t Pop3Filter::LineLimit() const {
  const size_t limit = options_.line_limit == 0 ? kMaxCommandLine : options_.line_limit;
  return state_ == State::kReady ? limit : std::max(limit, kMaxSaslLine + 2);
}

void Pop3Filter::OnClientBytes(std::string_view input, Actions& out) {
  while (!input.empty() && TakesClientLines()) {
    if (state_ == State::kClosing) return out.Drop(input.size());
    Line line;
    const std::string_view searched = input.substr(0, LineLimit());
    const std::string_view fresh =
        searched.substr(std::min(client_lines_.scanned(), searched.size()));
    const LineFinder::Result found = client_lines_.Find(input, LineLimit(), line);
    // TLS on a port without may never send a line end: its NULs are enough.
    if (found != LineFinder::Result::kLine && fresh.find('\0') != std::string_view::npos) {
      Fail(ProtocolFault::kNul, out);
      continue;
    }
    switch (found) {
      case LineFinder::Result::kIncomplete:
        return;
      case LineFinder::Result::kTooLong:
        Fail(ProtocolFault::kLineTooLong, out);
        continue;
      case LineFinder::Result::kLine:
        break;
    }
    if (!TakeClientLine(line, input.substr(line.size), out)) return;
    client_lines_.Reset();
    input.remove_prefix(line.size);
  }
}

bool Pop3Filter::TakeClientLine(const Line& line, std::string_view behind, Actions& out) {
  if (const auto fault = FaultOf(line)) {
    out.Drop(line.size);
    Fail(*fault, out);
    return true;
  }
  if (state_ == State::kReady) return TakeCommand(line, behind, out);
  TakeResponse(line, out);
  return true;
}

bool Pop3Filter::TakeCommand(const Line& line, std::string_view behind, Actions& out) {
  // Before the log-in (RFC 1939, 2449, 2595, 5034, 6856), and what would come after it.
  static constexpr std::array<Entry, 20> kVerbs = {{
      {"CAPA", &Pop3Filter::OnCapa},        {"USER", &Pop3Filter::OnUser},
      {"PASS", &Pop3Filter::OnPass},        {"STLS", &Pop3Filter::OnStls},
      {"AUTH", &Pop3Filter::OnAuth},        {"APOP", &Pop3Filter::OnApop},
      {"QUIT", &Pop3Filter::OnQuit},        {"NOOP", &Pop3Filter::OnNoop},
      {"UTF8", &Pop3Filter::OnStateful},    {"LANG", &Pop3Filter::OnStateful},
      {"STAT", &Pop3Filter::OnTransaction}, {"LIST", &Pop3Filter::OnTransaction},
      {"RETR", &Pop3Filter::OnTransaction}, {"DELE", &Pop3Filter::OnTransaction},
      {"RSET", &Pop3Filter::OnTransaction}, {"TOP", &Pop3Filter::OnTransaction},
      {"UIDL", &Pop3Filter::OnTransaction}, {"LAST", &Pop3Filter::OnTransaction},
      {"XTND", &Pop3Filter::OnTransaction}, {"RPOP", &Pop3Filter::OnTransaction},
  }};
  const std::string_view verb = line.word();
  if (Names(options_.deny, verb) && !Names(options_.allow, verb)) {
    return Blocked(line, BlockReason::kDenied, verb, "-ERR Command not available\r\n", out);
  }
  const auto* entry = std::find_if(kVerbs.begin(), kVerbs.end(), [verb](const Entry& candidate) {
    return EqualsIgnoreCase(candidate.verb, verb);
  });
  if (entry == kVerbs.end()) return TakeUnknown(line, verb, out);
  return (this->*entry->handler)(line, behind, out);
}

bool Pop3Filter::TakeUnknown(const Line& line, std::string_view verb, Actions& out) {
  if (!verb.empty() && Names(options_.allow, verb)) {
    if (offer_.HoldsBack()) return Blocked(line, BlockReason::kClear, verb, kNeedsTls, out);
    if (!options_.connect_at_login) return PassCommand(line, Answer::kSingle, out);
  }
  if (queue_.full()) return false;
  if (IsHttp(line.text) || ++unknown_ > kMaxUnknown) {
    out.Drop(line.size);
    Fail(ProtocolFault::kUnexpected, out);
    return true;
  }
  // Behind a log-in that was refused this may be a part of it: no word of it goes into a log. A
  // SASL response has no blank.
  const bool secret = unnamed_ && verb == line.text;
  return Blocked(line, BlockReason::kUnknown, secret ? "?" : verb, kUnknown, out);
}

bool Pop3Filter::OnCapa(const Line& line, std::string_view, Actions& out) {
  if (!options_.connect_at_login) return PassCommand(line, Answer::kCapabilities, out);
  if (queue_.full()) return false;
  out.Drop(line.size);
  return Reply(offer_.OwnCapabilities(info_.probed.get()), out);
}

bool Pop3Filter::OnStls(const Line& line, std::string_view behind, Actions& out) {
  if (!options_.starttls) {
    return Blocked(line, BlockReason::kUnknown, "STLS", "-ERR STLS is not offered here\r\n", out);
  }
  if (offer_.channel() == Channel::kTls) {
    return Blocked(line, BlockReason::kUnknown, "STLS", "-ERR TLS is on already\r\n", out);
  }
  if (!line.arguments().empty()) {
    return Blocked(line, BlockReason::kUnknown, "STLS", "-ERR STLS takes no argument\r\n", out);
  }
  if (owes()) return false;
  out.Drop(line.size + behind.size());
  if (!behind.empty()) {
    out.Note(StartTlsInjectionEvent{});
    End(Cause::kInjection, "", out);
    return true;
  }
  out.Send(Side::kClient, "+OK Begin TLS\r\n");
  out.StartTls();
  Enter(State::kStartingTls);
  return true;
}

bool Pop3Filter::OnNoop(const Line& line, std::string_view, Actions& out) {
  if (!options_.connect_at_login) return PassCommand(line, Answer::kSingle, out);
  if (queue_.full()) return false;
  out.Drop(line.size);
  return Reply("+OK\r\n", out);
}

// What they set at the backend would outlive STLS, before which nothing is to have happened.
bool Pop3Filter::OnStateful(const Line& line, std::string_view, Actions& out) {
  const std::string_view verb = line.word();
  if (offer_.HoldsBack()) return Blocked(line, BlockReason::kClear, verb, kNeedsTls, out);
  if (options_.connect_at_login) {
    return Blocked(line, BlockReason::kNotLoggedIn, verb, "-ERR Log in first\r\n", out);
  }
  const bool listing = EqualsIgnoreCase(verb, "LANG") &&
                       line.arguments().find_first_not_of(' ') == std::string_view::npos;
  return PassCommand(line, listing ? Answer::kLanguages : Answer::kSingle, out);
}

bool Pop3Filter::OnQuit(const Line& line, std::string_view, Actions& out) {
  if (options_.connect_at_login) {
    out.Drop(line.size);
    FinishWith(Cause::kLogout, "+OK Goodbye\r\n", out);
    return true;
  }
  if (!PassCommand(line, Answer::kQuit, out)) return false;
  Enter(State::kQuitting);
  return true;
}

bool Pop3Filter::OnTransaction(const Line& line, std::string_view, Actions& out) {
  const std::string_view verb = line.word();
  if (Names(options_.allow, verb)) return TakeUnknown(line, verb, out);
  return Blocked(line, BlockReason::kNotLoggedIn, verb, "-ERR Log in first\r\n", out);
}

// Passes a command on that the server answers. False where that has to wait.
bool Pop3Filter::PassCommand(const Line& line, Answer answer, Actions& out) {
  if (queue_.full() || (!options_.pipelining && owes())) return false;
  PassLine(line, out);
  queue_.Expect(answer);
  return true;
}

void Pop3Filter::PassLine(const Line& line, Actions& out) {
  unnamed_ = false;
  if (line.crlf) return out.Forward(line.size);
  out.Drop(line.size);
  std::string text(line.text);
  text.append("\r\n");
  out.Send(Side::kServer, text);
  Wipe(text);
}

bool Pop3Filter::Blocked(const Line& line, BlockReason reason, std::string_view verb,
                         std::string_view text, Actions& out) {
  if (queue_.full()) return false;
  out.Drop(line.size);
  out.Note(BlockedEvent{reason, CommandName(ToUpper(verb))});
  return Reply(text, out);
}

bool Pop3Filter::Reply(std::string_view text, Actions& out) {
  if (queue_.full()) return false;
  if (owes()) {
    queue_.Own(std::string(text));
  } else {
    out.Send(Side::kClient, text);
  }
  return true;
}

// ---------------------------------------------------------------- the end

void Pop3Filter::Fail(ProtocolFault fault, Actions& out) {
  if (state_ != State::kReady) NoteAuth(AuthResult::kError, "session ended", out);
  out.Note(ProtocolErrorEvent{fault});
  switch (fault) {
    case ProtocolFault::kLineTooLong:
      return FinishWith(Cause::kProtocolError, "-ERR Line too long\r\n", out);
    case ProtocolFault::kNul:
      return FinishWith(Cause::kProtocolError, "-ERR NUL in a command\r\n", out);
    case ProtocolFault::kBareLf:
      return FinishWith(Cause::kProtocolError, "-ERR CR without LF\r\n", out);
    default:
      return FinishWith(Cause::kProtocolError, "-ERR That was not expected here\r\n", out);
  }
}

// The last words come in their turn: behind what the server still owes.
void Pop3Filter::FinishWith(Cause cause, std::string_view last_words, Actions& out) {
  const bool challenged = state_ == State::kResponse;  // the owed answer will never come
  if (!owes() || challenged) return End(cause, last_words, out);
  cause_ = cause;
  last_words_ = last_words;
  Enter(State::kClosing);
}

void Pop3Filter::End(Cause cause, std::string_view goodbye, Actions& out) {
  Enter(State::kDone);
  ForgetLogin();
  out.Close(cause, std::string(goodbye));
}

}  // namespace pop3
}  // namespace postern
