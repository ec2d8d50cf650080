// The server's side before the log-in: greeting, answers, capabilities, continuations.
#include <algorithm>
#include <utility>

#include "filters/imap/imap_machine.h"
#include "filters/text.h"

namespace postern::imap {

bool ImapFilter::ServerStep(Feed& in) {
  if (state_ == State::kDone || state_ == State::kTlsStarting || in.rest().empty()) return false;
  if (server_literal_ > 0) return OnServerLiteral(in);
  Line line;
  const LineState found = server_lines_.Next(in.rest(), kMaxServerLine, line);
  if (found == LineState::kPartial) return false;
  if (found != LineState::kWhole) {
    ServerFault(in.out);
    return false;
  }
  server_lines_.Reset();

  if (server_continues_) {
    server_continues_ = false;
    if (!ExpectServerLiteral(line.text, server_swallowed_, in.out)) return false;
    server_swallowed_ ? in.Drop(line.size) : ForwardLine(in, line, Side::kClient);
    return true;
  }
  const Answer answer = ReadAnswer(line.text);
  if (state_ == State::kGreeting) {
    OnGreeting(in, line, answer);
    return false;
  }
  switch (answer.kind) {
    case Answer::Kind::kUntagged:
      return OnUntagged(in, line, answer);
    case Answer::Kind::kContinuation:
      OnContinuation(in, line, answer);
      return false;
    case Answer::Kind::kTagged:
      OnTagged(in, line, answer);
      return false;
    case Answer::Kind::kBroken:
      ServerFault(in.out);
      break;
  }
  return false;
}

bool ImapFilter::OnServerLiteral(Feed& in) {
  const auto size = static_cast<size_t>(std::min<uint64_t>(server_literal_, in.rest().size()));
  server_literal_ -= size;
  server_swallowed_ ? in.Drop(size) : in.Forward(size);
  return true;
}

// Called before the line itself goes its way. False where the session has ended.
bool ImapFilter::ExpectServerLiteral(std::string_view text, bool swallow, Actions& out) {
  Literal literal;
  if (FindLiteral(text, literal) != Tail::kLiteral) return true;
  if (literal.size == Literal::kHuge) {
    ServerFault(out);
    return false;
  }
  server_literal_ = literal.size;
  server_continues_ = true;
  server_swallowed_ = swallow;
  return true;
}

void ImapFilter::OnGreeting(Feed& in, const Line& line, const Answer& answer) {
  const bool untagged = answer.kind == Answer::Kind::kUntagged;
  if (untagged && answer.status == Status::kOk) {
    LearnFrom(answer, false);
    if (attempt_) {
      in.Drop(line.size);  // connect: at_login; the client has been greeted
    } else {
      PassAnswer(in, line, answer, false);
    }
    Prepare(in.out);
    return;
  }
  const bool refused = untagged && answer.status == Status::kBye;
  const bool preauth = untagged && answer.status == Status::kPreauth;
  in.out.Note(BackendFaultEvent{BackendFaultReason::kGreeting, refused   ? "greeting says BYE"
                                                               : preauth ? "greeting says PREAUTH"
                                                                         : "no IMAP greeting"});
  if (refused) {
    std::string bye = ShownToClient(line, answer, false);
    return End(in.out, Cause::kServerRefused, std::move(bye));
  }
  if (!preauth) in.out.Note(ProtocolErrorEvent{ProtocolFault::kBackend});
  return End(in.out, Cause::kServerFault,
             std::string(Goodbye(Protocol::kImap, Farewell::kNoServer)));
}

bool ImapFilter::OnUntagged(Feed& in, const Line& line, const Answer& answer) {
  if (answer.status == Status::kPreauth) {
    ServerFault(in.out);
    return false;
  }
  // connect: at_login. The client gets a second chance, with another connection to the server.
  const bool unheard = options_.connect_at_login && answer.status == Status::kBye;
  bye_seen_ = bye_seen_ || (answer.status == Status::kBye && !unheard);
  const bool logging_in = WithServer();
  LearnFrom(answer, logging_in);

  const bool list = EqualsIgnoreCase(answer.name, "CAPABILITY");
  const bool id = EqualsIgnoreCase(answer.name, "ID");
  // What answers a command of Postern's own, or tells more than a client is to see before its
  // log-in (connect: at_login).
  const bool swallow =
      unheard ||
      ((list || id) && (state_ == State::kAsking || (options_.connect_at_login && !logging_in)));
  // Only data has literals; the text of a status may look like one (RFC 9051, 9).
  if (answer.status == Status::kNone && !ExpectServerLiteral(line.text, swallow, in.out)) {
    return false;
  }
  if (swallow) {
    in.Drop(line.size);
  } else {
    PassAnswer(in, line, answer, logging_in);
  }
  return true;
}

void ImapFilter::OnContinuation(Feed& in, const Line& line, const Answer& answer) {
  switch (state_) {
    case State::kLiteralAsked:
      swallow_plus_ ? in.Drop(line.size) : ForwardLine(in, line, Side::kClient);
      agreed_ = true;
      Enter(State::kLiteral);
      return;
    case State::kSending:
      in.Drop(line.size);
      in.out.Send(Side::kServer, outgoing_->Next());
      if (outgoing_->finished()) Enter(State::kCommand);
      return;
    case State::kExchange:
      if (attempt_->has_held) {
        in.Drop(line.size);
        in.out.Send(Side::kServer, attempt_->held.Reveal());
        in.out.Send(Side::kServer, "\r\n");
        attempt_->held.Clear();
        attempt_->has_held = false;
        attempt_->responded = true;
        return;
      }
      ForwardLine(in, line, Side::kClient);
      Enter(State::kResponse);
      return;
    case State::kSpeaking:
      in.Drop(line.size);
      Carry(speaker_->OnContinuation(answer.text), in.out);
      return;
    case State::kAborting:
      in.Drop(line.size);
      return;
    default:
      return ServerFault(in.out);
  }
}

void ImapFilter::OnTagged(Feed& in, const Line& line, const Answer& answer) {
  const std::optional<Verb> verb = owed_.Answered(answer.tag);
  if (!verb) return ServerFault(in.out);
  switch (*verb) {
    case Verb::kOwnId:
    case Verb::kOwnCapability:
      LearnFrom(answer, false);
      if (*verb == Verb::kOwnCapability && !server_.known()) server_.GiveUp();
      in.Drop(line.size);
      Prepare(in.out);
      return;
    case Verb::kLogin:
    case Verb::kAuthenticate:
      return OnVerdict(in, line, answer);
    case Verb::kLogout:
      PassAnswer(in, line, answer, false);
      return End(in.out, Cause::kLogout, {});
    default:
      if (state_ != State::kCommand) return OnInterrupted(in, line, answer);
      PassAnswer(in, line, answer, false);
      return;
  }
}

// The answer to a command that has not gone out in full.
void ImapFilter::OnInterrupted(Feed& in, const Line& line, const Answer& answer) {
  if (attempt_) {
    if (answer.status == Status::kOk) return ServerFault(in.out);
    NoteAuth(AuthResult::kError, "no verdict", in.out);
    unnamed_ = true;
  }
  PassAnswer(in, line, answer, false);
  const bool passing = state_ == State::kLiteral || state_ == State::kRest;
  if (passing && !agreed_) {
    // What it takes the bytes behind `{n+}` for now, nobody knows.
    attempt_.reset();
    return ServerFault(in.out);
  }
  const bool dropped = state_ == State::kLiteralAsked && swallow_plus_;
  if (passing) {
    // The server has agreed to these bytes, and the rest of the line is still the command's.
    attempt_.reset();
    answered_early_ = true;
  } else if (dropped) {
    attempt_.reset();
    Enter(State::kSkipping);
  } else {
    Enter(State::kCommand);
  }
}

void ImapFilter::LearnFrom(const Answer& answer, bool logging_in) {
  const std::string_view words = FindCapabilities(answer);
  if (words.data() == nullptr) return;
  const bool behind = logging_in || (answer.kind == Answer::Kind::kTagged && WithServer());
  server_.Learn(words, behind);
}

// The line with CRLF, capabilities in it rewritten.
std::string ImapFilter::ShownToClient(const Line& line, const Answer& answer, bool logged_in) {
  const std::string_view words = FindCapabilities(answer);
  if (words.data() == nullptr) return std::string(line.text) + "\r\n";
  const size_t begin = words.data() - line.text.data();
  std::string shown(line.text.substr(0, begin));
  if (shown.back() != ' ') shown += ' ';  // the list was empty
  shown += options_.connect_at_login && !logged_in ? View().Own(info_.probed)
                                                   : View().Rewrite(words, logged_in);
  shown += line.text.substr(begin + words.size());
  return shown + "\r\n";
}

void ImapFilter::PassAnswer(Feed& in, const Line& line, const Answer& answer, bool logged_in) {
  if (answer.kind == Answer::Kind::kTagged) LearnFrom(answer, logged_in);
  if (FindCapabilities(answer).data() == nullptr) return ForwardLine(in, line, Side::kClient);
  in.out.Send(Side::kClient, ShownToClient(line, answer, logged_in));
  in.Drop(line.size);
}

void ImapFilter::ServerFault(Actions& out) {
  out.Note(ProtocolErrorEvent{ProtocolFault::kBackend});
  const bool between_lines = server_literal_ == 0 && !server_continues_;
  return End(out, Cause::kServerFault,
             between_lines ? std::string(Goodbye(Protocol::kImap, Farewell::kFault)) : "");
}

}  // namespace postern::imap
