// The client's side before the log-in: commands and their literals.
#include <algorithm>
#include <cstring>
#include <utility>

#include "filters/imap/imap_id.h"
#include "filters/imap/imap_machine.h"
#include "filters/text.h"

namespace postern::imap {
namespace {

ProtocolFault FaultOf(LineState state) {
  switch (state) {
    case LineState::kNul:
      return ProtocolFault::kNul;
    case LineState::kBareCr:
      return ProtocolFault::kBareLf;
    default:
      return ProtocolFault::kLineTooLong;
  }
}

bool IsBlank(std::string_view text) { return text.find_first_not_of(' ') == text.npos; }

// A browser that was sent here (ALPACA): its requests must not be answered line by line.
bool IsHttp(std::string_view line) {
  const size_t version = line.rfind(" HTTP/");
  return version != line.npos && line.find(' ', version + 1) == line.npos;
}

}  // namespace

bool ImapFilter::ClientStep(Feed& in) {
  switch (state_) {
    case State::kCommand:
      return OnCommand(in);
    case State::kGathering:
      return OnGathering(in);
    case State::kSkipping:
      return OnSkipping(in);
    case State::kLiteral:
      return OnLiteral(in);
    case State::kRest:
      return OnRest(in);
    case State::kResponse:
      return OnResponse(in);
    case State::kPrompted:
      return OnPromptAnswer(in);
    default:
      return false;  // it is the server's turn, or over
  }
}

size_t ImapFilter::Left(size_t used) const {
  return options_.line_limit > used ? options_.line_limit - used : 0;
}

bool ImapFilter::OnCommand(Feed& in) {
  if (in.rest().empty() || owed_.leaving()) return false;
  Request request;
  const LineState found = client_lines_.Next(in.rest(), Left(0), request.line);
  if (found == LineState::kPartial) return false;
  if (found != LineState::kWhole) return Fatal(in.out, FaultOf(found));

  request.tail = FindLiteral(request.line.text, request.literal);
  if (request.tail == Tail::kLiteral && request.literal.size > Left(request.line.size)) {
    return Fatal(in.out, ProtocolFault::kLiteral);
  }
  const Shape shape = ReadCommand(request.line.text, request.command);
  if (shape == Shape::kNoTag) return Misread(in, request, "*");
  if (shape == Shape::kNoCommand || request.tail == Tail::kOdd) {
    return Misread(in, request, request.command.tag);
  }
  return Dispatch(in, request);
}

bool ImapFilter::Dispatch(Feed& in, const Request& request) {
  const std::string_view name = request.command.name;
  if (Names(options_.deny, name)) {
    return Block(in, request, BlockReason::kDenied, "BAD This command is not available");
  }
  const Verb verb = FindVerb(name);
  switch (verb) {
    case Verb::kCapability:
    case Verb::kNoop:
    case Verb::kLogout:
      return OnSimple(in, request, verb);
    case Verb::kStartTls:
      return OnStartTls(in, request);
    case Verb::kLogin:
      return OnLogin(in, request);
    case Verb::kAuthenticate:
      return OnAuthenticate(in, request);
    case Verb::kId:
      return OnId(in, request);
    default:
      return OnAllowed(in, request, verb);
  }
}

bool ImapFilter::OnSimple(Feed& in, const Request& request, Verb verb) {
  if (request.tail != Tail::kNone || !IsBlank(request.command.arguments)) {
    return Misread(in, request, request.command.tag);
  }
  return options_.connect_at_login ? AnswerAlone(in, request, verb) : Pass(in, request, verb);
}

// connect: at_login. There is no server to ask.
bool ImapFilter::AnswerAlone(Feed& in, const Request& request, Verb verb) {
  if (busy()) return false;
  std::string tag(request.command.tag);
  if (verb == Verb::kLogout) {
    End(in.out, Cause::kLogout, "* BYE Logging out\r\n" + tag + " OK LOGOUT completed\r\n");
    return false;
  }
  if (verb == Verb::kCapability) {
    in.out.Send(Side::kClient, "* CAPABILITY " + View().Own(info_.probed) + "\r\n");
  }
  if (verb == Verb::kId) in.out.Send(Side::kClient, "* ID NIL\r\n");
  return Reply(in, request, "OK Completed");
}

bool ImapFilter::OnStartTls(Feed& in, const Request& request) {
  if (busy()) return false;
  const bool bare = request.tail == Tail::kNone && IsBlank(request.command.arguments);
  if (!options_.starttls || channel_ == Channel::kTls || !bare) {
    return Misread(in, request, request.command.tag);
  }
  if (in.rest().size() > request.line.size) {
    // Whoever wrote these bytes was not inside TLS, and need not be the client (CVE-2011-0411).
    in.out.Note(StartTlsInjectionEvent{});
    End(in.out, Cause::kInjection, {});
    return false;
  }
  const std::string tag(request.command.tag);
  in.Drop(request.line.size);
  in.out.Send(Side::kClient, tag + " OK Begin TLS negotiation now\r\n");
  in.out.StartTls();
  Enter(State::kTlsStarting);
  return false;
}

// On a starttls listener nothing but what leads to TLS or goodbye is carried out in the clear: what
// somebody else put there would still hold inside TLS.
bool ImapFilter::OnlyForTls() const {
  return channel_ == Channel::kClear && options_.starttls && options_.require_tls &&
         !options_.observe;
}

bool ImapFilter::OnId(Feed& in, const Request& request) {
  if (OnlyForTls()) {
    return Block(in, request, BlockReason::kClear, "NO [PRIVACYREQUIRED] Only after STARTTLS");
  }
  if (request.tail == Tail::kLiteral) return Gather(in, request, Verb::kId);
  const IdVerdict verdict = JudgeId(request.command.arguments);
  if (verdict == IdVerdict::kMalformed) return Misread(in, request, request.command.tag);
  if (options_.connect_at_login) return AnswerAlone(in, request, Verb::kId);
  if (verdict == IdVerdict::kClean) return Pass(in, request, Verb::kId);
  if (busy()) return false;
  SendId(request.command.tag, request.command.arguments, in.out);
  in.Drop(request.line.size);
  return true;
}

bool ImapFilter::OnAllowed(Feed& in, const Request& request, Verb verb) {
  const bool allowed = verb != Verb::kNever && Names(options_.allow, request.command.name);
  if (!allowed || (options_.connect_at_login && !server_up_)) {
    const bool known = allowed || verb != Verb::kUnknown;
    if (!known && IsHttp(request.line.text)) return Fatal(in.out, ProtocolFault::kUnexpected);
    return Block(in, request, known ? BlockReason::kNotLoggedIn : BlockReason::kUnknown,
                 known ? "BAD Log in first" : "BAD Unknown command");
  }
  if (OnlyForTls()) {
    return Block(in, request, BlockReason::kClear, "NO [PRIVACYREQUIRED] Only after STARTTLS");
  }
  if (request.tail == Tail::kNone) return Pass(in, request, verb);
  if (busy()) return false;
  tag_.assign(request.command.tag);
  owed_.Expect(tag_, verb);
  verb_ = verb;
  login_arguments_.reset();
  return PassPiece(in, request.line, request.tail, request.literal);
}

bool ImapFilter::Pass(Feed& in, const Request& request, Verb verb) {
  const size_t capacity = options_.pipelining ? OwedAnswers::kCapacity : 1;
  if (owed_.size() >= capacity) return false;
  owed_.Expect(request.command.tag, verb);
  unnamed_ = false;
  ForwardLine(in, request.line, Side::kServer);
  client_lines_.Reset();
  return true;
}

// One line of a command with literals, once the command is known to pass.
bool ImapFilter::PassPiece(Feed& in, const Line& line, Tail tail, const Literal& literal) {
  if (tail == Tail::kOdd) return FatalNow(in.out, ProtocolFault::kLiteral);
  if (tail == Tail::kNone) {
    ForwardLine(in, line, Side::kServer);
    Enter(verb_ == Verb::kLogin && !answered_early_ ? State::kVerdict : State::kCommand);
    return true;
  }
  used_ += line.size;
  if (literal.size > Left(used_)) return FatalNow(in.out, ProtocolFault::kLiteral);
  literal_left_ = static_cast<size_t>(literal.size);
  literal_binary_ = literal.binary;
  used_ += literal_left_;
  const bool sure = login_arguments_ && !literal.binary;
  swallow_plus_ = !literal.synchronizing && !(sure && server_.TakesPlus(literal.size));
  agreed_ = false;
  if (swallow_plus_) {
    // This server would take the bytes behind `{n+}` for commands, or might, where it finds the
    // command odd (Dovecot does, LITERAL+ or not): ask it first.
    const size_t kept = line.text.size() - 2;
    in.Forward(kept);
    in.out.Send(Side::kServer, "}\r\n");
    in.Drop(line.size - kept);
  } else {
    ForwardLine(in, line, Side::kServer);
  }
  const bool waits = literal.synchronizing || swallow_plus_;
  Enter(waits ? State::kLiteralAsked : State::kLiteral);
  return true;
}

bool ImapFilter::OnLiteral(Feed& in) {
  std::string_view bytes = in.rest().substr(0, literal_left_);
  if (literal_left_ > 0 && bytes.empty()) return false;
  const size_t nul = literal_binary_ ? bytes.npos : bytes.find('\0');
  bytes = bytes.substr(0, nul);
  if (literal_is_user_ && attempt_) {
    attempt_->user.append(bytes.substr(0, kMaxUser - std::min(kMaxUser, attempt_->user.size())));
  }
  literal_left_ -= bytes.size();
  in.Forward(bytes.size());
  if (nul != bytes.npos) return FatalNow(in.out, ProtocolFault::kNul);
  if (literal_left_ > 0) return true;
  literal_is_user_ = false;
  Enter(State::kRest);
  return true;
}

bool ImapFilter::OnRest(Feed& in) {
  Line line;
  const LineState found = client_lines_.Next(in.rest(), Left(used_), line);
  if (found == LineState::kPartial) return false;
  if (found != LineState::kWhole) return FatalNow(in.out, FaultOf(found));
  Literal literal;
  const Tail tail = FindLiteral(line.text, literal);
  const bool second = login_arguments_ == 0 && line.text.substr(0, literal.brace) == " ";
  login_arguments_ = second ? std::optional(1) : std::nullopt;
  return PassPiece(in, line, tail, literal);
}

bool ImapFilter::Gather(Feed& in, const Request& request, Verb verb) {
  if (busy() || in.rest().empty()) return false;
  tag_.assign(request.command.tag);
  verb_ = verb;
  arguments_at_ = request.command.arguments.data() - request.line.text.data();
  used_ = 0;
  Enter(State::kGathering);
  return true;
}

// The command stays in the input until it is whole; `used_` of it have been looked at.
bool ImapFilter::OnGathering(Feed& in) {
  while (in.rest().size() > used_) {
    Line line;
    const LineState found = client_lines_.Next(in.rest().substr(used_), Left(used_), line);
    if (found == LineState::kPartial) return false;
    if (found != LineState::kWhole) return FatalNow(in.out, FaultOf(found));
    client_lines_.Reset();
    Literal literal;
    const Tail tail = FindLiteral(line.text, literal);
    used_ += line.size;
    if (tail == Tail::kOdd) return FatalNow(in.out, ProtocolFault::kLiteral);
    if (tail == Tail::kNone) return OnGathered(in, line.size - line.text.size());
    if (literal.size > Left(used_)) return FatalNow(in.out, ProtocolFault::kLiteral);
    used_ += static_cast<size_t>(literal.size);
    if (literal.synchronizing) in.out.Send(Side::kClient, "+ OK\r\n");
  }
  return false;
}

bool ImapFilter::OnGathered(Feed& in, size_t line_end) {
  const size_t size = used_;
  const std::string_view arguments =
      in.rest().substr(arguments_at_, size - line_end - arguments_at_);
  if (verb_ == Verb::kLogin) {
    TakeArguments(arguments, in.out);
  } else if (JudgeId(arguments) == IdVerdict::kMalformed) {
    in.out.Send(Side::kClient, tag_ + " BAD Malformed ID\r\n");
    Enter(State::kCommand);
  } else if (options_.connect_at_login) {
    in.out.Send(Side::kClient, "* ID NIL\r\n" + tag_ + " OK Completed\r\n");
    Enter(State::kCommand);
  } else {
    SendId(tag_, arguments, in.out);
  }
  in.Drop(size);
  return state_ != State::kDone;
}

void ImapFilter::SendId(std::string_view tag, std::string_view arguments, Actions& out) {
  owed_.Expect(tag, Verb::kId);
  outgoing_.emplace(server_);
  outgoing_->Append(tag);
  outgoing_->Append(" ID ");
  AppendCleanId(arguments, *outgoing_);
  outgoing_->Append("\r\n");
  out.Send(Side::kServer, outgoing_->Next());
  Enter(outgoing_->finished() ? State::kCommand : State::kSending);
}

bool ImapFilter::OnSkipping(Feed& in) {
  if (literal_left_ > 0) {
    const size_t size = std::min(literal_left_, in.rest().size());
    literal_left_ -= size;
    in.Drop(size);
    return size > 0;
  }
  Line line;
  const LineState found = client_lines_.Next(in.rest(), Left(used_), line);
  if (found == LineState::kPartial) return false;
  if (found != LineState::kWhole) return FatalNow(in.out, FaultOf(found));
  Literal literal;
  const Tail tail = FindLiteral(line.text, literal);
  in.Drop(line.size);
  used_ += line.size;
  if (tail != Tail::kLiteral || literal.synchronizing) {
    Enter(State::kCommand);
    return true;
  }
  if (literal.size > Left(used_)) return FatalNow(in.out, ProtocolFault::kLiteral);
  literal_left_ = static_cast<size_t>(literal.size);
  used_ += literal_left_;
  Enter(State::kSkipping);
  return true;
}

// Postern's own answer to a command that does not pass. Called with nothing owed.
bool ImapFilter::Reply(Feed& in, const Request& request, std::string_view words) {
  std::string answer(request.command.tag);
  answer += ' ';
  answer += words;
  answer += "\r\n";
  in.out.Send(Side::kClient, answer);
  in.Drop(request.line.size);
  Enter(State::kCommand);
  if (request.tail == Tail::kLiteral && !request.literal.synchronizing) {
    literal_left_ = static_cast<size_t>(request.literal.size);
    used_ = request.line.size + literal_left_;
    Enter(State::kSkipping);
  }
  return true;
}

bool ImapFilter::Misread(Feed& in, const Request& request, std::string_view tag) {
  if (busy()) return false;
  if (++bad_commands_ > kMaxBadCommands || IsHttp(request.line.text)) {
    return Fatal(in.out, ProtocolFault::kUnexpected);
  }
  in.out.Note(ProtocolErrorEvent{ProtocolFault::kUnexpected});
  Request answered = request;
  answered.command.tag = tag;
  return Reply(in, answered, "BAD Not a command");
}

bool ImapFilter::Block(Feed& in, const Request& request, BlockReason reason,
                       std::string_view words) {
  if (busy()) return false;
  if (++bad_commands_ > kMaxBadCommands) return Fatal(in.out, ProtocolFault::kUnexpected);
  // This may be of a literal that was refused, and a password: no word of it goes into a log.
  const bool secret = reason == BlockReason::kUnknown && unnamed_;
  in.out.Note(BlockedEvent{reason, secret ? "?" : CommandName(ToUpper(request.command.name))});
  return Reply(in, request, words);
}

}  // namespace postern::imap
