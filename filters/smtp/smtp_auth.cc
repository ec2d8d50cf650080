// Log-ins: those that pass, and those that Postern takes and speaks to the server itself.
#include <algorithm>
#include <array>
#include <utility>

#include "filters/smtp/smtp_filter_impl.h"
#include "filters/text.h"

namespace postern::smtp {
namespace {

constexpr std::string_view kSyntax = "501 5.5.4 Syntax: AUTH mechanism [initial-response]\r\n";
constexpr std::string_view kNeedsTls =
    "538 5.7.11 Encryption required for requested authentication mechanism\r\n";
constexpr std::string_view kNever = "504 5.5.4 Unrecognized authentication type\r\n";
constexpr std::string_view kThrottled = "454 4.7.0 Too many failed log-ins, try again later\r\n";
constexpr std::string_view kBadBase64 = "501 5.5.2 Invalid base64\r\n";
constexpr std::string_view kSaslTooLong = "500 5.5.6 Authentication exchange line too long\r\n";
constexpr std::string_view kAborted = "501 5.7.0 Authentication aborted\r\n";
constexpr std::string_view kFailed = "535 5.7.8 Authentication credentials invalid\r\n";
constexpr std::string_view kUnavailable = "454 4.7.0 Temporary authentication failure\r\n";
constexpr std::string_view kTooManyFailures = "421 4.7.0 Too many failed log-ins\r\n";
constexpr std::string_view kUserPrompt = "334 VXNlcm5hbWU6\r\n";
constexpr std::string_view kPasswordPrompt = "334 UGFzc3dvcmQ6\r\n";
constexpr std::chrono::milliseconds kLastAnswerDelay{3000};

// RFC 4954, 4: an initial response of `=` is an empty one.
std::string_view Undressed(std::string_view initial) { return initial == "=" ? "" : initial; }

// True for a 5xx that judges the credentials, not the command or the mechanism (RFC 4954, 6).
bool JudgesCredentials(int code) {
  constexpr std::array kOthers = {500, 501, 502, 503, 504, 530, 534, 538};
  return code >= 500 && std::find(kOthers.begin(), kOthers.end(), code) == kOthers.end();
}

bool Has(const std::vector<std::string>& mechanisms, std::string_view name) {
  return std::any_of(mechanisms.begin(), mechanisms.end(),
                     [name](const std::string& own) { return EqualsIgnoreCase(own, name); });
}

// The user's name in the client's first response, where the mechanism shows it.
std::string_view UserIn(Mechanism mechanism, std::string_view message) {
  switch (mechanism) {
    case Mechanism::kPlain: {
      const size_t first = message.find('\0');
      if (first == std::string_view::npos) return {};
      message.remove_prefix(first + 1);
      return message.substr(0, message.find('\0'));
    }
    case Mechanism::kLogin:
      return message;
    case Mechanism::kCramMd5: {
      const size_t blank = message.rfind(' ');
      return blank == std::string_view::npos ? std::string_view() : message.substr(0, blank);
    }
    default:
      return {};
  }
}

void SendSecretLine(std::string_view base64, Actions& out) {
  std::string line;
  line.reserve(base64.size() + 2);
  line += base64;
  line += "\r\n";
  out.Send(Side::kServer, line);
  Wipe(line);
}

Secret Encoded(const Secret& message) {
  std::string base64 = Base64Encode(message.Reveal());
  return Secret::Take(base64);
}

}  // namespace

// --- The client's side

void SmtpFilter::OnAuth(const Line& line, const Command& command, Actions& out) {
  std::string_view initial = command.arguments;
  const std::string_view name = TakeWord(initial);
  if (!IsMechanismName(name) || initial.find(' ') != std::string_view::npos) {
    return RefuseAuth(line, kSyntax, out);
  }
  if (logged_in_) return RefuseAuth(line, "503 5.5.1 Already authenticated\r\n", out);
  if (in_mail_) return RefuseAuth(line, "503 5.5.1 A mail transaction is under way\r\n", out);
  if (!MayTry(line, name, out)) return;

  exchange_ = std::make_unique<Exchange>();
  exchange_->mechanism = MechanismFromName(name);
  exchange_->taken = IsTakenByPostern(options_, name);
  if (exchange_->taken) {
    BeginTaken(line, initial, out);
  } else {
    BeginPassed(line, command, name, initial, out);
  }
}

// The policy's word on a log-in, and the throttle's. False where it was refused.
bool SmtpFilter::MayTry(const Line& line, std::string_view name, Actions& out) {
  const Mechanism mechanism = MechanismFromName(name);
  const Judgement judgement = JudgeMechanism(options_, name, channel_);
  if (judgement.verdict == Verdict::kNeedsTls) {
    BlockAuth(line, mechanism, BlockReason::kClear, kNeedsTls, out);
    return false;
  }
  if (judgement.verdict == Verdict::kNever) {
    BlockAuth(line, mechanism, BlockReason::kMechanism, kNever, out);
    return false;
  }
  if (judgement.observed) {
    out.Note(AuthEvent{mechanism, channel_, AuthResult::kObserved, "", "policy"});
  }
  // Only EHLO shows what the server has.
  if (IsTakenByPostern(options_, name) && (!greeted_ || hello_ == Verb::kHelo)) {
    RefuseAuth(line, "503 5.5.1 Say EHLO first\r\n", out);
    return false;
  }
  if (moment().throttled) {
    BlockAuth(line, mechanism, BlockReason::kThrottled, kThrottled, out);
    return false;
  }
  return true;
}

void SmtpFilter::RefuseAuth(const Line& line, std::string_view text, Actions& out) {
  quiet_ = true;
  Consume(line, out);
  Reply(text, out);
}

void SmtpFilter::BlockAuth(const Line& line, Mechanism mechanism, BlockReason reason,
                           std::string_view text, Actions& out) {
  out.Note(AuthEvent{mechanism, channel_, AuthResult::kBlocked, "", ToString(reason)});
  out.Note(BlockedEvent{reason, "AUTH"});
  RefuseAuth(line, text, out);
}

// Bad base64 and overlong messages never reach the server. nullopt where the log-in has ended.
std::optional<Secret> SmtpFilter::Decode(std::string_view base64, Actions& out) {
  if (base64.size() > kMaxSaslLine) {
    out.Note(ProtocolErrorEvent{ProtocolFault::kLineTooLong});
    CancelAuth(kSaslTooLong, "message too long", out);
    return std::nullopt;
  }
  std::optional<std::string> message = Base64Decode(base64);
  if (!message) {
    out.Note(ProtocolErrorEvent{ProtocolFault::kUnexpected});
    CancelAuth(kBadBase64, "bad base64", out);
    return std::nullopt;
  }
  return Secret::Take(*message);
}

void SmtpFilter::BeginPassed(const Line& line, const Command& command, std::string_view name,
                             std::string_view initial, Actions& out) {
  const bool has_initial = !initial.empty();
  if (has_initial) {
    const std::optional<Secret> message = Decode(Undressed(initial), out);
    if (!message) return Consume(line, out);
    exchange_->user = UserOf(*message);
  }
  exchange_->began = true;
  const bool bare = line.text.size() == command.word.size() + 1 + name.size();
  if (!bare && exchange_->mechanism == Mechanism::kLogin) {
    // No standard gives LOGIN an initial response, and Exchange takes the command bare alone.
    if (has_initial) exchange_->held = Secret(Undressed(initial));
    out.Send(Side::kServer, ToUpper(command.word) + ' ' + ToUpper(name) + "\r\n");
    Consume(line, out);
  } else {
    exchange_->responses = has_initial ? 1 : 0;
    PassLine(line, out);
  }
  queue_.Expect(Owed::kAuth);
  Enter(State::kAuthAsked);
}

void SmtpFilter::BeginTaken(const Line& line, std::string_view initial, Actions& out) {
  const bool plain = exchange_->mechanism == Mechanism::kPlain;
  exchange_->wanted = plain ? Exchange::Wanted::kPlain : Exchange::Wanted::kUser;
  Consume(line, out);
  Enter(State::kAuthResponse);
  if (initial.empty()) return out.Send(Side::kClient, plain ? "334 \r\n" : kUserPrompt);
  if (const std::optional<Secret> message = Decode(Undressed(initial), out)) {
    OnTakenResponse(message->Reveal(), out);
  }
}

SmtpFilter::Taken SmtpFilter::TakeAuthResponse(std::string_view input, Actions& out) {
  const std::optional<Line> line =
      NextLine(input, std::max(options_.line_limit, kMaxSaslLine + 2), out);
  if (!line) return {0, state_ == State::kEnding};
  OnAuthResponse(*line, out);
  return {line->size, state_ != State::kEnded};
}

void SmtpFilter::OnAuthResponse(const Line& line, Actions& out) {
  if (line.text.find_first_of(" \t") != std::string_view::npos) {
    Consume(line, out);
    return Fail(ProtocolFault::kUnexpected, "500 5.5.2 An authentication response was due\r\n",
                out);
  }
  if (line.text == "*") return OnAbort(line, out);
  const std::optional<Secret> message = Decode(line.text, out);
  if (!message) return Consume(line, out);
  if (exchange_->taken) {
    Consume(line, out);
    return OnTakenResponse(message->Reveal(), out);
  }
  if (exchange_->responses == 0) exchange_->user = UserOf(*message);
  exchange_->responses += 1;
  Pass(line, Owed::kAuth, out);
  Enter(State::kAuthAsked);
}

void SmtpFilter::OnAbort(const Line& line, Actions& out) {
  if (exchange_->taken) {
    Consume(line, out);
    return CancelAuth(kAborted, "aborted", out);
  }
  exchange_->aborted = true;
  Pass(line, Owed::kAuth, out);
  Enter(State::kAuthAsked);
}

std::string SmtpFilter::UserOf(const Secret& message) const {
  return std::string(UserIn(exchange_->mechanism, message.Reveal()).substr(0, kMaxUser));
}

void SmtpFilter::OnTakenResponse(std::string_view message, Actions& out) {
  switch (exchange_->wanted) {
    case Exchange::Wanted::kPlain:
      return OnCredentials(ParsePlain(message), out);
    case Exchange::Wanted::kUser:
      // One byte more than may be is enough to refuse it.
      exchange_->user = message.substr(0, kMaxUser + 1);
      exchange_->wanted = Exchange::Wanted::kPassword;
      return out.Send(Side::kClient, kPasswordPrompt);
    case Exchange::Wanted::kPassword:
      return OnCredentials(CheckLogin(exchange_->user, message), out);
    case Exchange::Wanted::kNothing:
      return;
  }
}

void SmtpFilter::OnCredentials(std::optional<Login> login, Actions& out) {
  std::optional<std::string> user;
  if (login) user = RewriteUser(options_, login->user);
  if (!user) {
    out.Note(BlockedEvent{BlockReason::kCredentials, "AUTH"});
    EndAuth(AuthResult::kBlocked, "credentials", out);
    return out.Send(Side::kClient, kFailed);
  }
  exchange_->user = std::move(login->user);
  exchange_->password = std::move(login->password);
  exchange_->server_user = std::move(*user);
  exchange_->wanted = Exchange::Wanted::kNothing;
  Enter(State::kAuthAsked);
  ContinueLogin(out);
}

// The exchange is over before the server has judged it: where it has one open, that is ended with
// `*`, and the client is told once the server has answered.
void SmtpFilter::CancelAuth(std::string_view verdict, std::string_view reason, Actions& out) {
  if (!exchange_->began) {
    EndAuth(AuthResult::kError, reason, out);
    return out.Send(Side::kClient, verdict);
  }
  exchange_->verdict = verdict;
  exchange_->reason = reason;
  out.Send(Side::kServer, "*\r\n");
  queue_.Expect(Owed::kAuthCancel);
  Enter(State::kAuthAsked);
}

void SmtpFilter::EndAuth(AuthResult result, std::string_view reason, Actions& out) {
  quiet_ = result != AuthResult::kAccepted;
  out.Note(AuthEvent{exchange_->mechanism, channel_, result, std::move(exchange_->user), reason});
  exchange_.reset();
  Enter(State::kCommand);
}

// --- The server's side

// The next thing that a log-in taken by Postern waits for.
void SmtpFilter::ContinueLogin(Actions& out) {
  if (!server_up_) {
    queue_.Expect(Owed::kGreeting);
    return out.Connect();
  }
  if (!server_hello_) return SayHello(out);
  Speak(out);
}

std::optional<Mechanism> SmtpFilter::ChooseSpoken() const {
  const bool plain = Has(server_.mechanisms, "PLAIN") && !Has(options_.auth_hidden, "PLAIN");
  const bool login = Has(server_.mechanisms, "LOGIN") && !Has(options_.auth_hidden, "LOGIN");
  const std::optional<Mechanism> mechanism =
      ChooseMechanism(options_, exchange_->mechanism, server_.mechanisms, false, plain || login);
  if (mechanism != Mechanism::kBasic) return mechanism;
  return plain ? Mechanism::kPlain : Mechanism::kLogin;
}

void SmtpFilter::Speak(Actions& out) {
  const std::optional<Mechanism> mechanism = ChooseSpoken();
  if (!mechanism) return LoginUnavailable("the backend does not offer the mechanism", out);
  sasl::Credentials credentials;
  credentials.user = exchange_->server_user;
  credentials.password = std::move(exchange_->password);
  credentials.domain = options_.domain;
  exchange_->speaker = sasl::MakeClientMechanism(*mechanism, std::move(credentials),
                                                 LoginSeed(info_, logins_++), moment().now);
  if (exchange_->speaker == nullptr) return LoginUnavailable("no such mechanism", out);
  if (*mechanism != exchange_->mechanism) {
    out.Note(RewriteEvent{exchange_->mechanism, *mechanism});
  }
  if (exchange_->speaker->client_first()) {
    Secret response;
    if (exchange_->speaker->Next("", response) != sasl::Step::kRespond) {
      return LoginUnavailable(exchange_->speaker->failure(), out);
    }
    exchange_->held = Encoded(response);
  }
  exchange_->began = true;
  SayAuth(*mechanism, out);
}

// With the initial response where it fits (RFC 4954, 4, and RFC 5321, 4.5.3.1.4), else it answers
// the first prompt. So it does with NTLM, whose servers of old take the command bare alone.
void SmtpFilter::SayAuth(Mechanism mechanism, Actions& out) {
  constexpr size_t kMaxCommand = 512;
  std::string command = "AUTH ";
  command += ToString(mechanism);
  std::optional<Secret>& held = exchange_->held;
  if (held && mechanism != Mechanism::kNtlm && command.size() + held->size() + 3 <= kMaxCommand) {
    command.reserve(kMaxCommand);
    command += ' ';
    command += held->empty() ? std::string_view("=") : held->Reveal();
    held.reset();
    exchange_->responses = 1;
  }
  SendSecretLine(command, out);
  Wipe(command);
  queue_.Expect(Owed::kAuth);
  Enter(State::kAuthAsked);
}

void SmtpFilter::OnAuthReply(int code, Actions& out) {
  if (code == 334) return OnChallenge(out);
  OnVerdict(code, out);
}

void SmtpFilter::OnChallenge(Actions& out) {
  if (exchange_->held) {
    // Whatever the prompt says: Exchange's `334 NTLM supported` is none in base64.
    SendSecretLine(exchange_->held->Reveal(), out);
    exchange_->held.reset();
    exchange_->responses += 1;
    return queue_.Expect(Owed::kAuth);
  }
  if (!exchange_->taken) {
    out.Send(Side::kClient, Gathered());
    return Enter(State::kAuthResponse);
  }
  const std::string& line = reply_.gathered.back();
  const std::string_view text = std::string_view(line).substr(std::min<size_t>(4, line.size()));
  std::optional<std::string> challenge = Base64Decode(text);
  if (!challenge && exchange_->speaker->mechanism() == Mechanism::kLogin) challenge.emplace();
  if (!challenge) return OnBadChallenge("a challenge that is no base64", out);
  Secret response;
  const sasl::Step step = exchange_->speaker->Next(*challenge, response);
  Proceed(step, response, out);
}

void SmtpFilter::Proceed(sasl::Step step, const Secret& response, Actions& out) {
  switch (step) {
    case sasl::Step::kRespond:
      SendSecretLine(Encoded(response).Reveal(), out);
      exchange_->responses += 1;
      queue_.Expect(Owed::kAuth);
      return Enter(State::kAuthAsked);
    case sasl::Step::kDerive:
      out.Derive(exchange_->speaker->TakeDerivation());
      return Enter(State::kDeriving);
    case sasl::Step::kFailed:
      return OnBadChallenge(exchange_->speaker->failure(), out);
  }
}

void SmtpFilter::OnDerived(std::unique_ptr<sasl::Derivation> work, Actions& out) {
  if (state_ != State::kDeriving) return;
  Secret response;
  const sasl::Step step = exchange_->speaker->OnDerived(std::move(work), response);
  Proceed(step, response, out);
}

// The server broke the mechanism, or could not prove itself: a failed log-in, and its own fault.
void SmtpFilter::OnBadChallenge(std::string_view reason, Actions& out) {
  out.Note(BackendFaultEvent{BackendFaultReason::kAuth, std::string(reason)});
  CancelAuth(kFailed, "backend fault", out);
}

void SmtpFilter::OnAuthCancelReply(int code, Actions& out) {
  if (code / 100 == 2) return OnOpenLogin("yes to a cancelled log-in", out);
  const std::string_view verdict = exchange_->verdict;
  EndAuth(AuthResult::kError, exchange_->reason, out);
  out.Send(Side::kClient, verdict);
}

void SmtpFilter::OnVerdict(int code, Actions& out) {
  if (code / 100 == 2) return OnAccepted(out);
  const bool judged = exchange_->responses > 0 && !exchange_->aborted && JudgesCredentials(code);
  // What the server has against a command that the client never sent is no answer to the client.
  const bool foreign = exchange_->taken && !judged && code >= 500;
  const std::string text = foreign ? std::string(kUnavailable) : Gathered();
  if (!judged) {
    EndAuth(AuthResult::kError, exchange_->aborted ? "aborted" : "no verdict", out);
    return out.Send(Side::kClient, text);
  }
  EndAuth(AuthResult::kRejected, "", out);
  failures_ += 1;
  if (options_.max_auth_failures == 0 || failures_ < options_.max_auth_failures) {
    return out.Send(Side::kClient, text);
  }
  CloseNow(Cause::kTooManyFailures, text + std::string(kTooManyFailures), out, kLastAnswerDelay);
}

void SmtpFilter::OnAccepted(Actions& out) {
  if (exchange_->taken && !exchange_->speaker->Accept("")) {
    return OnOpenLogin("yes without having proved itself", out);
  }
  logged_in_ = true;
  user_ = exchange_->user;
  EndAuth(AuthResult::kAccepted, "", out);
  out.Send(Side::kClient, Gathered());
}

// The server holds a log-in open that must not be used.
void SmtpFilter::OnOpenLogin(std::string_view reason, Actions& out) {
  out.Note(BackendFaultEvent{BackendFaultReason::kAuth, std::string(reason)});
  EndAuth(AuthResult::kError, "backend fault", out);
  CloseNow(Cause::kServerFault,
           std::string(kFailed) + std::string(Goodbye(options_.protocol, Farewell::kFault)), out);
}

void SmtpFilter::LoginUnavailable(std::string_view reason, Actions& out) {
  out.Note(BackendFaultEvent{BackendFaultReason::kAuth, std::string(reason)});
  EndAuth(AuthResult::kError, "no mechanism", out);
  out.Send(Side::kClient, kUnavailable);
}

}  // namespace postern::smtp
