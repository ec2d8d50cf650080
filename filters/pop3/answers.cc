// The server's lines: each belongs to the command that has waited longest, to a log-in that Postern
// speaks itself, or to nobody.
#include "filters/farewell.h"
#include "filters/pop3/pop3_filter_impl.h"

namespace postern::pop3 {

// While TLS is starting nothing can be said to the client, and while a key is derived the mechanism
// can take no challenge: the server's bytes wait.
bool Pop3Filter::TakesServerLines() const {
  return state_ != State::kDone && state_ != State::kStartingTls && state_ != State::kDeriving;
}

void Pop3Filter::OnServerBytes(std::string_view input, Actions& out) {
  while (!input.empty() && TakesServerLines()) {
    Line line;
    switch (server_lines_.Find(input, kMaxServerLine, line)) {
      case LineFinder::Result::kIncomplete:
        return;
      case LineFinder::Result::kTooLong:
        return BackendBroken(out);
      case LineFinder::Result::kLine:
        break;
    }
    server_lines_.Reset();
    TakeServerLine(line, out);
    input.remove_prefix(line.size);
  }
}

void Pop3Filter::TakeServerLine(const Line& line, Actions& out) {
  if (!greeted_) return TakeGreeting(line, out);
  if (const Answer* answer = queue_.front()) return TakeAnswer(line, *answer, out);
  switch (state_) {
    case State::kProbing:
      return TakeProbed(line, out);
    case State::kSpeaking:
      return TakeSpoken(line, out);
    case State::kGivingUp:
      return TakeGivenUp(line, out);
    default:
      return TakeUnasked(line, out);
  }
}

void Pop3Filter::TakeGreeting(const Line& line, Actions& out) {
  out.Drop(line.size);
  greeted_ = true;
  const bool logging_in = state_ == State::kConnecting;
  const Status status = StatusOf(line.text);
  if (status == Status::kOk) {
    backend_.LearnGreeting(line.text);
    if (logging_in) return Proceed(out);
    Enter(State::kReady);
    return out.Send(Side::kClient, offer_.EditGreeting(line.text) + "\r\n");
  }
  if (logging_in) NoteAuth(AuthResult::kError, "the server refused the connection", out);
  if (status == Status::kErr) {
    out.Note(BackendFaultEvent{BackendFaultReason::kGreeting, "the greeting says no"});
    return End(Cause::kServerRefused, std::string(line.text) + "\r\n", out);
  }
  out.Note(BackendFaultEvent{BackendFaultReason::kGreeting, "the greeting is not POP3"});
  End(Cause::kServerFault, Goodbye(Protocol::kPop3, Farewell::kNoServer), out);
}

void Pop3Filter::TakeAnswer(const Line& line, Answer answer, Actions& out) {
  if (answer == Answer::kLogin) return TakeLoginAnswer(line, out);
  if (inside_) return TakeListed(line, answer, out);
  const Status status = StatusOf(line.text);
  if (status != Status::kOk && status != Status::kErr) return BackendBroken(out);
  switch (answer) {
    case Answer::kSingle:
    case Answer::kLogin:
      ShowLine(line, out);
      return Answered(out);
    case Answer::kQuit:
      ShowLine(line, out);
      return End(Cause::kLogout, "", out);
    case Answer::kCapabilities:
    case Answer::kMechanisms:
    case Answer::kLanguages:
      return BeginList(line, answer, status == Status::kOk, out);
  }
}

// Whatever its end was, the client gets CRLF.
void Pop3Filter::ShowLine(const Line& line, Actions& out) {
  if (line.crlf) return out.Forward(line.size);
  out.Forward(line.text.size());
  out.Send(Side::kClient, "\r\n");
  out.Drop(line.size - line.text.size());
}

void Pop3Filter::BeginList(const Line& line, Answer answer, bool ok, Actions& out) {
  if (answer == Answer::kCapabilities) backend_.BeginCapabilities(ok);
  if (answer == Answer::kMechanisms) backend_.BeginMechanisms();
  if (ok) {
    offer_.BeginList();
    inside_ = true;
    return ShowLine(line, out);
  }
  // No list there: Postern shows what it has itself (contract, section 5).
  const bool capabilities = answer == Answer::kCapabilities && offer_.HasOwnCapabilities();
  const bool mechanisms = answer == Answer::kMechanisms && offer_.HasOwnMechanisms();
  if (capabilities || mechanisms) {
    out.Drop(line.size);
    out.Send(Side::kClient,
             capabilities ? offer_.OwnCapabilities(nullptr) : offer_.OwnMechanisms());
  } else {
    ShowLine(line, out);
  }
  Answered(out);
}

void Pop3Filter::TakeListed(const Line& line, Answer answer, Actions& out) {
  const bool end = line.text == ".";
  std::string shown;
  if (answer == Answer::kLanguages) {
    ShowLine(line, out);
  } else {
    out.Drop(line.size);
  }
  if (answer == Answer::kCapabilities) {
    if (!end) backend_.LearnCapability(line.text);
    end ? offer_.EndCapabilities(shown) : offer_.EditCapability(line.text, shown);
  }
  if (answer == Answer::kMechanisms) {
    if (!end) backend_.LearnMechanism(line.text);
    end ? offer_.EndMechanisms(shown) : offer_.EditMechanism(line.text, shown);
  }
  out.Send(Side::kClient, shown);
  if (!end) return;
  inside_ = false;
  Answered(out);
}

// What Postern asked by itself, to know how the log-in in hand can be spoken.
void Pop3Filter::TakeProbed(const Line& line, Actions& out) {
  out.Drop(line.size);
  const bool capabilities = probing_ == Answer::kCapabilities;
  if (inside_ && line.text != ".") {
    return capabilities ? backend_.LearnCapability(line.text) : backend_.LearnMechanism(line.text);
  }
  if (!inside_) {
    const Status status = StatusOf(line.text);
    if (status != Status::kOk && status != Status::kErr) return BackendBroken(out);
    inside_ = status == Status::kOk;
    capabilities ? backend_.BeginCapabilities(inside_) : backend_.BeginMechanisms();
    if (inside_) return;
  }
  inside_ = false;
  Proceed(out);
}

// A server that ends an idle session may say so. Anything else that nobody asked for could be taken
// for the answer to a later command.
void Pop3Filter::TakeUnasked(const Line& line, Actions& out) {
  if (StatusOf(line.text) != Status::kErr) return BackendBroken(out);
  if (options_.connect_at_login) return out.Drop(line.size);
  ShowLine(line, out);
  End(Cause::kServerGone, "", out);
}

void Pop3Filter::Answered(Actions& out) {
  queue_.Answered();
  while (auto own = queue_.TakeOwn()) out.Send(Side::kClient, *own);
  if (state_ == State::kClosing && !owes()) End(cause_, last_words_, out);
}

void Pop3Filter::BackendBroken(Actions& out) {
  out.Note(ProtocolErrorEvent{ProtocolFault::kBackend});
  if (phase() == Phase::kAuthenticating && state_ != State::kGivingUp) {
    NoteAuth(AuthResult::kError, "the server broke the protocol", out);
  }
  const bool between = !inside_ || state_ == State::kProbing;
  End(Cause::kServerFault, between ? Goodbye(Protocol::kPop3, Farewell::kFault) : "", out);
}

}  // namespace postern::pop3
