// Log-ins: what the client says, what of it passes, what Postern takes and speaks itself, and the
// server's verdict.
#include <algorithm>
#include <chrono>
#include <utility>

#include "filters/imap/imap_id.h"
#include "filters/imap/imap_machine.h"
#include "filters/text.h"

namespace postern::imap {
namespace {

// Tag of Postern's own commands. Sent only while nothing of the client's is with the server.
constexpr std::string_view kOwnTag = "postern";

constexpr std::string_view kUserPrompt = "+ VXNlcm5hbWU6\r\n";      // Username:
constexpr std::string_view kPasswordPrompt = "+ UGFzc3dvcmQ6\r\n";  // Password:

constexpr std::string_view kNotAllowed = "NO [CANNOT] This log-in is not allowed";
constexpr std::string_view kUnavailable =
    "NO [UNAVAILABLE] Logging in is not possible at the moment";

// Longer ones than RFC 4422, 3.1 allows are judged by the policy like any other.
constexpr size_t kLongestMechanismName = 64;

// Contract: the last refusal of too many is passed on late.
constexpr std::chrono::milliseconds kRefusalDelay{3000};

// The name that a first message gives away, for the log: of PLAIN, LOGIN and CRAM-MD5.
std::string_view UserOf(Mechanism mechanism, std::string_view message) {
  if (mechanism == Mechanism::kLogin) return message;
  if (mechanism == Mechanism::kPlain) {
    const size_t first = message.find('\0');
    if (first == message.npos) return {};
    message.remove_prefix(first + 1);
    return message.substr(0, message.find('\0'));
  }
  if (mechanism != Mechanism::kCramMd5) return {};
  const size_t blank = message.rfind(' ');
  return blank == message.npos ? std::string_view() : message.substr(0, blank);
}

}  // namespace

// Whether the log-in may go on; else it has been refused.
bool ImapFilter::Permit(Feed& in, const Request& request, Mechanism mechanism,
                        std::string_view name, std::string_view user) {
  const Verdict verdict = options_.policy.Judge(name, channel_);
  const auto refuse = [&](BlockReason reason, std::string_view words) {
    unnamed_ = request.tail == Tail::kLiteral;
    in.out.Note(
        AuthEvent{mechanism, channel_, AuthResult::kBlocked, std::string(user), ToString(reason)});
    in.out.Note(BlockedEvent{reason, CommandName(ToUpper(request.command.name))});
    Reply(in, request, words);
    return false;
  };
  if (verdict != Verdict::kAllow && options_.observe && !NeverPasses(name)) {
    in.out.Note(AuthEvent{mechanism, channel_, AuthResult::kObserved, std::string(user), "policy"});
  } else if (verdict == Verdict::kNeedsTls) {
    return refuse(BlockReason::kClear, "NO [PRIVACYREQUIRED] Log in inside TLS");
  } else if (verdict == Verdict::kNever) {
    return refuse(BlockReason::kMechanism, kNotAllowed);
  }
  const bool passes = !options_.TakesLogins() || !IsBasic(name);
  if (passes && Names(options_.auth_hidden, name)) {
    return refuse(BlockReason::kMechanism, kNotAllowed);
  }
  if (moment().throttled) {
    return refuse(BlockReason::kThrottled,
                  "NO [UNAVAILABLE] Too many failed log-ins from your address, try again later");
  }
  return true;
}

bool ImapFilter::OnLogin(Feed& in, const Request& request) {
  if (busy()) return false;
  if (!request.command.has_arguments) return Misread(in, request, request.command.tag);
  const std::string_view arguments = request.command.arguments;
  const bool literal = arguments.starts_with('{') || arguments.starts_with('~');
  std::string user;
  if (literal || !ArgumentReader(arguments).AString(user)) user.clear();
  user.resize(std::min(user.size(), kMaxUser));
  if (!Permit(in, request, Mechanism::kBasic, "BASIC", user)) return true;
  attempt_.emplace();
  attempt_->tag.assign(request.command.tag);
  if (options_.TakesLogins()) return Gather(in, request, Verb::kLogin);

  literal_is_user_ = literal;
  attempt_->user = std::move(user);
  verb_ = Verb::kLogin;
  login_arguments_ = CountLoginArguments(arguments.substr(0, arguments.rfind('{')));
  owed_.Expect(attempt_->tag, verb_);
  return PassPiece(in, request.line, request.tail, request.literal);
}

bool ImapFilter::OnAuthenticate(Feed& in, const Request& request) {
  if (busy()) return false;
  std::string_view rest = request.command.arguments;
  const bool has_initial = rest.find(' ') != rest.npos;
  const std::string_view name = TakeWord(rest);
  if (!IsMechanismName(name, kLongestMechanismName) || request.tail != Tail::kNone ||
      (has_initial && (rest.empty() || rest.find(' ') != rest.npos))) {
    return Misread(in, request, request.command.tag);
  }
  const Mechanism mechanism = MechanismFromName(name);
  if (!Permit(in, request, mechanism, name, {})) return true;

  attempt_.emplace();
  attempt_->tag.assign(request.command.tag);
  attempt_->mechanism = mechanism;
  const std::string_view initial = rest == "=" ? std::string_view() : rest;  // RFC 4959, 3
  if (has_initial && !IsBase64(initial)) {
    in.Drop(request.line.size);
    RefuseBase64(in.out);
    return true;
  }
  const bool basic = mechanism == Mechanism::kPlain || mechanism == Mechanism::kLogin;
  if (options_.TakesLogins() && basic) {
    in.Drop(request.line.size);
    Enter(State::kPrompted);
    if (has_initial) {
      TakeMessage(initial, in.out);
    } else {
      in.out.Send(Side::kClient, mechanism == Mechanism::kLogin ? kUserPrompt : "+ \r\n");
    }
    return state_ != State::kDone;
  }
  if (options_.connect_at_login) {
    NoteAuth(AuthResult::kBlocked, "mechanism", in.out);
    attempt_.reset();
    return Block(in, request, BlockReason::kMechanism, "NO [CANNOT] Mechanism not available");
  }
  return PassAuthenticate(in, request, has_initial ? std::optional(initial) : std::nullopt);
}

bool ImapFilter::PassAuthenticate(Feed& in, const Request& request,
                                  std::optional<std::string_view> initial) {
  const Line& line = request.line;
  owed_.Expect(attempt_->tag, Verb::kAuthenticate);
  if (initial) LearnUser(*initial);
  if (!initial || (server_.sasl_ir() && attempt_->mechanism != Mechanism::kLogin)) {
    attempt_->responded = initial.has_value();
    ForwardLine(in, line, Side::kServer);
  } else {
    // Held for the server's first `+`: it may not know SASL-IR, and Exchange takes AUTH LOGIN bare.
    attempt_->held = Secret(*initial);
    attempt_->has_held = true;
    const size_t command = line.text.rfind(' ');
    in.Forward(command);
    in.out.Send(Side::kServer, "\r\n");
    in.Drop(line.size - command);
  }
  Enter(State::kExchange);
  return true;
}

// A SASL response's line. False where it is not there yet, or was so bad that the session ended.
bool ImapFilter::ResponseLine(Feed& in, Line& line) {
  const size_t limit = std::max(options_.line_limit, kMaxSaslLine);
  switch (client_lines_.Next(in.rest(), limit, line)) {
    case LineState::kPartial:
      return false;
    case LineState::kWhole:
      break;
    case LineState::kTooLong:
      return FatalNow(in.out, ProtocolFault::kLineTooLong);
    case LineState::kNul:
      return FatalNow(in.out, ProtocolFault::kNul);
    case LineState::kBareCr:
      return FatalNow(in.out, ProtocolFault::kBareLf);
  }
  // A blank: this is a command, from somebody who sees another dialogue than we do.
  const bool command = line.text.find(' ') != line.text.npos;
  return !command || FatalNow(in.out, ProtocolFault::kUnexpected);
}

bool ImapFilter::OnResponse(Feed& in) {
  Line line;
  if (!ResponseLine(in, line)) return false;
  attempt_->aborted = line.text == "*";
  if (!attempt_->aborted && !IsBase64(line.text)) {
    in.Drop(line.size);
    in.out.Note(ProtocolErrorEvent{ProtocolFault::kUnexpected});
    in.out.Send(Side::kServer, "*\r\n");
    abort_answer_ = "BAD Invalid base64";
    abort_reason_ = "bad base64";
    Enter(State::kAborting);
    return true;
  }
  if (!attempt_->aborted) {
    LearnUser(line.text);
    attempt_->responded = true;
  }
  ForwardLine(in, line, Side::kServer);
  Enter(State::kExchange);
  return true;
}

// Postern's own exchange with the client: nothing of it has reached the server.
bool ImapFilter::OnPromptAnswer(Feed& in) {
  Line line;
  if (!ResponseLine(in, line)) return false;
  in.Drop(line.size);
  client_lines_.Reset();
  if (line.text == "*") {
    AnswerAttempt("BAD AUTHENTICATE aborted", AuthResult::kError, "aborted", in.out);
  } else if (!IsBase64(line.text)) {
    RefuseBase64(in.out);
  } else {
    TakeMessage(line.text, in.out);
  }
  return state_ != State::kDone;
}

void ImapFilter::RefuseBase64(Actions& out) {
  out.Note(ProtocolErrorEvent{ProtocolFault::kUnexpected});
  AnswerAttempt("BAD Invalid base64", AuthResult::kError, "bad base64", out);
}

// One message, known to be base64, of PLAIN or LOGIN.
void ImapFilter::TakeMessage(std::string_view message, Actions& out) {
  std::string decoded = Base64Decode(message).value_or("");
  if (attempt_->mechanism == Mechanism::kPlain) {
    TakeLogin(ParsePlain(decoded), out);
  } else if (std::exchange(attempt_->first_message, false)) {
    // Longer ones are refused with the password, unclean ones too.
    attempt_->user = decoded.substr(0, kMaxUser + 1);
    out.Send(Side::kClient, kPasswordPrompt);
  } else {
    TakeLogin(CheckLogin(attempt_->user, decoded), out);
  }
  Wipe(decoded);
}

// `user SP password` of LOGIN, literals with their bytes.
void ImapFilter::TakeArguments(std::string_view arguments, Actions& out) {
  ArgumentReader reader(arguments);
  std::string password;
  const bool whole = reader.AString(attempt_->user) && reader.Take(' ') &&
                     reader.AString(password) && reader.empty();
  if (whole) {
    TakeLogin(CheckLogin(attempt_->user, password), out);
  } else {
    AnswerAttempt("BAD LOGIN takes a user name and a password", AuthResult::kError, "malformed",
                  out);
  }
  Wipe(password);
}

void ImapFilter::TakeLogin(std::optional<Login> login, Actions& out) {
  if (login) {
    attempt_->user = login->user;
    const std::optional<std::string> spelled = RewriteUser(options_, login->user);
    if (spelled) {
      login->user = *spelled;
    } else {
      login.reset();
    }
  }
  if (!login) {
    const std::string_view command =
        attempt_->mechanism == Mechanism::kBasic ? "LOGIN" : "AUTHENTICATE";
    out.Note(BlockedEvent{BlockReason::kCredentials, std::string(command)});
    attempt_->user.resize(std::min(attempt_->user.size(), kMaxUser));
    return AnswerAttempt("NO [CANNOT] These credentials cannot be passed on", AuthResult::kBlocked,
                         "credentials", out);
  }
  attempt_->login = std::move(login);
  if (server_up_) return Prepare(out);
  out.Connect();
  Enter(State::kConnecting);
}

void ImapFilter::LearnUser(std::string_view message) {
  if (!std::exchange(attempt_->first_message, false)) return;
  std::string decoded = Base64Decode(message).value_or("");
  attempt_->user.assign(UserOf(attempt_->mechanism, decoded).substr(0, kMaxUser));
  Wipe(decoded);
}

// What has to be known of the server, or told it, before the next step.
void ImapFilter::Prepare(Actions& out) {
  if (options_.forward_client == ForwardClient::kId && !std::exchange(own_id_sent_, true)) {
    return Ask(Verb::kOwnId, OwnId(kOwnTag, info_), out);
  }
  if (!attempt_) return Enter(State::kCommand);
  if (server_.known()) return Speak(out);
  Ask(Verb::kOwnCapability, std::string(kOwnTag) + " CAPABILITY\r\n", out);
}

void ImapFilter::Ask(Verb verb, std::string_view line, Actions& out) {
  owed_.Expect(kOwnTag, verb);
  out.Send(Side::kServer, line);
  Enter(State::kAsking);
}

void ImapFilter::Speak(Actions& out) {
  const std::optional<Mechanism> mechanism = ChooseMechanism(
      options_, attempt_->mechanism, server_.mechanisms(), false, !server_.login_disabled());
  if (!mechanism) {
    out.Note(BackendFaultEvent{BackendFaultReason::kAuth,
                               "the server does not offer the mechanism of auth.to_backend"});
    return AnswerAttempt(kUnavailable, AuthResult::kError, "mechanism missing", out);
  }
  speaker_.emplace(*mechanism, attempt_->tag, std::move(*attempt_->login), options_.domain, server_,
                   LoginSeed(info_, logins_++), moment().now);
  attempt_->login.reset();
  if (*mechanism != attempt_->mechanism) out.Note(RewriteEvent{attempt_->mechanism, *mechanism});
  owed_.Expect(attempt_->tag, Verb::kAuthenticate);
  Carry(speaker_->Begin(), out);
}

void ImapFilter::Carry(ServerLogin::Do what, Actions& out) {
  switch (what) {
    case ServerLogin::Do::kSend:
      out.Send(Side::kServer, speaker_->text());
      return Enter(State::kSpeaking);
    case ServerLogin::Do::kDerive:
      out.Derive(speaker_->TakeDerivation());
      return Enter(State::kDeriving);
    case ServerLogin::Do::kAbort:
      break;
  }
  out.Note(BackendFaultEvent{BackendFaultReason::kAuth, std::string(speaker_->failure())});
  if (speaker_->mechanism() == Mechanism::kBasic) {
    ServerFault(out);
    return;
  }
  out.Send(Side::kServer, "*\r\n");
  abort_answer_ = "NO [AUTHENTICATIONFAILED] The server could not be authenticated";
  abort_reason_ = "server not authenticated";
  Enter(State::kAborting);
}

void ImapFilter::NoteAuth(AuthResult result, std::string_view reason, Actions& out) {
  out.Note(AuthEvent{attempt_->mechanism, channel_, result, attempt_->user, reason});
}

// The log-in ends with Postern's own words.
void ImapFilter::AnswerAttempt(std::string_view words, AuthResult result, std::string_view reason,
                               Actions& out) {
  NoteAuth(result, reason, out);
  std::string answer = attempt_->tag;
  answer += ' ';
  answer += words;
  answer += "\r\n";
  out.Send(Side::kClient, answer);
  Enter(State::kCommand);
}

void ImapFilter::OnVerdict(Feed& in, const Line& line, const Answer& answer) {
  const bool accepted = answer.status == Status::kOk;
  switch (state_) {
    case State::kAborting:
      // A server that says yes to the end of an exchange holds an open log-in.
      if (accepted) return ServerFault(in.out);
      in.Drop(line.size);
      AnswerAttempt(abort_answer_, AuthResult::kError, abort_reason_, in.out);
      return;
    case State::kVerdict:
    case State::kExchange:
    case State::kResponse:
    case State::kSpeaking:
    case State::kDeriving:
      return accepted ? OnAccepted(in, line, answer) : OnRefused(in, line, answer);
    default:
      return OnInterrupted(in, line, answer);
  }
}

void ImapFilter::OnAccepted(Feed& in, const Line& line, const Answer& answer) {
  if (attempt_->aborted || attempt_->has_held || state_ == State::kDeriving) {
    return ServerFault(in.out);
  }
  if (speaker_ && !speaker_->Accept()) {
    in.out.Note(BackendFaultEvent{BackendFaultReason::kAuth, "the server has not proved itself"});
    return ServerFault(in.out);
  }
  NoteAuth(AuthResult::kAccepted, {}, in.out);
  user_ = attempt_->user;
  PassAnswer(in, line, answer, true);
  in.out.Detach();
  attempt_.reset();
  speaker_.reset();
  state_ = State::kDone;
}

void ImapFilter::OnRefused(Feed& in, const Line& line, const Answer& answer) {
  if (speaker_ && speaker_->mechanism() != Mechanism::kBasic && !speaker_->complete()) {
    // It showed the mechanism, and does not take it.
    in.Drop(line.size);
    in.out.Note(BackendFaultEvent{BackendFaultReason::kAuth, "the server refused the mechanism"});
    return AnswerAttempt(kUnavailable, AuthResult::kError, "mechanism refused", in.out);
  }
  const bool complete =
      state_ == State::kVerdict || (speaker_ ? speaker_->complete() : attempt_->responded);
  const bool verdict =
      answer.status == Status::kNo && complete && !attempt_->aborted && !IsTemporary(answer.code);
  if (!verdict) {
    NoteAuth(AuthResult::kError, attempt_->aborted ? "aborted" : "no verdict", in.out);
  } else {
    NoteAuth(AuthResult::kRejected, {}, in.out);
    if (++failures_ >= options_.max_auth_failures && options_.max_auth_failures > 0) {
      std::string last = ShownToClient(line, answer, false);
      in.Drop(line.size);
      attempt_.reset();
      in.out.Close(Cause::kTooManyFailures, last + "* BYE Too many failed log-ins\r\n",
                   kRefusalDelay);
      state_ = State::kDone;
      return;
    }
  }
  PassAnswer(in, line, answer, false);
  Enter(State::kCommand);
}

}  // namespace postern::imap
