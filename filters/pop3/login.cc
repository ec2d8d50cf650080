// Log-ins: their commands, what is refused, what passes through, and how they end.
#include <algorithm>

#include "filters/farewell.h"
#include "filters/pop3/pop3_filter_impl.h"
#include "filters/text.h"

namespace postern::pop3 {
namespace {

// How long the last answer to too many failed log-ins is held back.
constexpr std::chrono::seconds kLastAnswerDelay{3};

constexpr std::string_view kNeedsTls = "-ERR STLS comes first: this log-in needs TLS\r\n";
constexpr std::string_view kNever = "-ERR This way to log in is not allowed\r\n";
constexpr std::string_view kThrottled =
    "-ERR [SYS/TEMP] Too many failed log-ins from your address, try again later\r\n";
constexpr std::string_view kBadBase64 = "-ERR Not valid base64\r\n";
constexpr std::string_view kGoodbye = "-ERR Too many failed log-ins\r\n";

std::string_view TrimEnd(std::string_view text) {
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Of a response that passes: what it says is nobody's business here.
bool IsBase64(std::string_view text) {
  auto message = Base64Decode(text);
  if (message) Wipe(*message);
  return message.has_value();
}

}  // namespace

// ---------------------------------------------------------------- commands

bool Pop3Filter::OnUser(const Line& line, std::string_view, Actions& out) {
  if (queue_.full() || (!options_.pipelining && owes())) return false;
  BeginLogin(Mechanism::kBasic, line.arguments());
  if (const auto refused = Refuse(line, "USER", "BASIC", out)) {
    pairing_ = Pairing::kBlocked;
    return *refused;
  }
  if (login_user_.empty()) {
    out.Drop(line.size);
    return Reply("-ERR USER needs a name\r\n", out);
  }
  if (options_.TakesLogins()) {
    pairing_ = Pairing::kTaken;
    out.Drop(line.size);
    return Reply("+OK\r\n", out);
  }
  pairing_ = Pairing::kPassed;
  return PassCommand(line, Answer::kSingle, out);
}

bool Pop3Filter::OnPass(const Line& line, std::string_view, Actions& out) {
  const bool waits = owes() && (!options_.pipelining || options_.TakesLogins());
  if (queue_.full() || waits) return false;
  mechanism_ = Mechanism::kBasic;
  if (const auto refused = Refuse(line, "PASS", "BASIC", out)) {
    ForgetLogin();
    return *refused;
  }
  if (pairing_ == Pairing::kNone || pairing_ == Pairing::kBlocked) {
    out.Note(ProtocolErrorEvent{ProtocolFault::kUnexpected});
    out.Drop(line.size);
    return Reply("-ERR USER comes first\r\n", out);
  }
  if (pairing_ == Pairing::kTaken) {
    out.Drop(line.size);
    TakeLogin(CheckLogin(login_user_, line.arguments()), out);
    return true;
  }
  pairing_ = Pairing::kNone;
  complete_ = true;
  PassCommand(line, Answer::kLogin, out);
  Enter(State::kVerdict);
  return true;
}

bool Pop3Filter::OnApop(const Line& line, std::string_view, Actions& out) {
  if (queue_.full() || (!options_.pipelining && owes())) return false;
  std::string_view arguments = line.arguments();
  BeginLogin(Mechanism::kApop, TakeWord(arguments));
  if (const auto refused = Refuse(line, "APOP", "APOP", out)) return *refused;
  complete_ = true;
  PassCommand(line, Answer::kLogin, out);
  Enter(State::kVerdict);
  return true;
}

bool Pop3Filter::OnAuth(const Line& line, std::string_view, Actions& out) {
  if (queue_.full() || (!options_.pipelining && owes())) return false;
  std::string_view initial = TrimEnd(line.arguments());
  if (initial.empty()) return ListMechanisms(line, out);
  const std::string_view name = TakeWord(initial);
  if (!IsMechanismName(name)) {
    unnamed_ = true;
    return Blocked(line, BlockReason::kUnknown, "AUTH", "-ERR Unknown mechanism\r\n", out);
  }
  const bool own = offer_.Takes(name);
  if (own && owes()) return false;
  BeginLogin(MechanismFromName(name), {});
  if (const auto refused = Refuse(line, "AUTH", name, out)) {
    unnamed_ = true;
    return *refused;
  }
  return own ? TakeAuth(line, initial, out) : PassAuth(line, initial, out);
}

bool Pop3Filter::ListMechanisms(const Line& line, Actions& out) {
  if (options_.connect_at_login) {
    out.Drop(line.size);
    return Reply(offer_.OwnMechanisms(), out);
  }
  if (line.arguments().empty() && line.text.back() != ' ') {
    return PassCommand(line, Answer::kMechanisms, out);
  }
  out.Drop(line.size);  // with blanks behind it the word might not be taken for a bare one
  out.Send(Side::kServer, "AUTH\r\n");
  queue_.Expect(Answer::kMechanisms);
  return true;
}

void Pop3Filter::BeginLogin(Mechanism mechanism, std::string_view user) {
  ForgetLogin();
  mechanism_ = mechanism;
  login_user_ = user;
}

// Refuses a log-in that may not go on: then what its handler has to say is returned. A PASS whose
// USER was refused is counted with that.
std::optional<bool> Pop3Filter::Refuse(const Line& line, std::string_view verb,
                                       std::string_view mechanism, Actions& out) {
  const bool again = verb == "PASS" && pairing_ == Pairing::kBlocked;
  const auto blocked = [&](BlockReason reason, std::string_view answer) {
    if (!again) NoteAuth(AuthResult::kBlocked, ToString(reason), out);
    return Blocked(line, reason, verb, answer, out);
  };
  bool observed = false;
  const Verdict verdict = offer_.Judge(mechanism, &observed);
  if (verdict == Verdict::kNeedsTls) return blocked(BlockReason::kClear, kNeedsTls);
  if (verdict == Verdict::kNever) return blocked(BlockReason::kMechanism, kNever);
  // Without a backend there is nobody to have a challenge from.
  if (options_.connect_at_login && !IsBasic(mechanism)) {
    return blocked(BlockReason::kMechanism, kNever);
  }
  if (!offer_.Takes(mechanism) && offer_.IsMechanismHidden(mechanism)) {
    return blocked(BlockReason::kMechanism, kNever);
  }
  if (moment().throttled) return blocked(BlockReason::kThrottled, kThrottled);
  if (observed && verb != "PASS") NoteAuth(AuthResult::kObserved, "policy", out);
  return std::nullopt;
}

// ---------------------------------------------------------------- passed through

bool Pop3Filter::PassAuth(const Line& line, std::string_view initial, Actions& out) {
  if (!initial.empty() && initial != "=" && !IsBase64(initial)) {
    out.Drop(line.size);
    RefuseBase64(out);
    return true;
  }
  if (!initial.empty()) LearnUser(initial);
  if (mechanism_ == Mechanism::kLogin && !initial.empty()) {
    // Old servers take no initial response here: the name is sent in answer to their prompt.
    initial_ = Secret(initial == "=" ? "" : initial);
    has_initial_ = true;
    out.Drop(line.size);
    out.Send(Side::kServer, "AUTH LOGIN\r\n");
  } else {
    complete_ = !initial.empty();
    PassLine(line, out);
  }
  queue_.Expect(Answer::kLogin);
  Enter(State::kVerdict);
  return true;
}

void Pop3Filter::TakeLoginAnswer(const Line& line, Actions& out) {
  const Status status = StatusOf(line.text);
  if (state_ == State::kAborting) {
    if (status != Status::kErr) return BackendBroken(out);
    out.Drop(line.size);
    Abandon(kBadBase64, out);
    return Answered(out);
  }
  if (status == Status::kContinue) return TakeChallenge(line, out);
  // A yes to what was aborted, or has not been sent yet: the server holds an open log-in.
  const bool early = status == Status::kOk && (aborted_ || has_initial_);
  if (status == Status::kOther || early) return BackendBroken(out);
  queue_.Answered();
  TakeVerdict(line, out);
}

void Pop3Filter::TakeChallenge(const Line& line, Actions& out) {
  const bool sasl = mechanism_ != Mechanism::kBasic && mechanism_ != Mechanism::kApop;
  if (!sasl || aborted_) return BackendBroken(out);
  if (!has_initial_) {
    ShowLine(line, out);
    return Enter(State::kResponse);
  }
  out.Drop(line.size);
  out.Send(Side::kServer, initial_.Reveal());
  out.Send(Side::kServer, "\r\n");
  initial_.Clear();
  has_initial_ = false;
  complete_ = true;
}

void Pop3Filter::TakeResponse(const Line& line, Actions& out) {
  if (line.text.find(' ') != std::string_view::npos) {
    out.Drop(line.size);
    return Fail(ProtocolFault::kUnexpected, out);
  }
  if (state_ == State::kResponse) return TakePassedResponse(line, out);
  TakeOwnResponse(line, out);
}

void Pop3Filter::TakePassedResponse(const Line& line, Actions& out) {
  if (line.text == "*") {
    aborted_ = true;
  } else if (!IsBase64(line.text)) {
    out.Drop(line.size);
    return RefuseBase64(out);
  } else {
    if (!complete_) LearnUser(line.text);
    complete_ = true;
  }
  PassLine(line, out);
  Enter(State::kVerdict);
}

// Other bad base64 than a command is a refused log-in, and the backend's exchange is ended.
void Pop3Filter::RefuseBase64(Actions& out) {
  out.Note(ProtocolErrorEvent{ProtocolFault::kUnexpected});
  NoteAuth(AuthResult::kError, "bad base64", out);
  unnamed_ = true;
  if (state_ == State::kResponse) {
    out.Send(Side::kServer, "*\r\n");
    return Enter(State::kAborting);
  }
  Abandon(kBadBase64, out);
}

// The user's name, for the log, from the first message of a mechanism that shows it.
void Pop3Filter::LearnUser(std::string_view response) {
  auto message = DecodeInitial(response);
  if (!message) return;
  std::string_view text = *message;
  if (mechanism_ == Mechanism::kPlain) {
    text.remove_prefix(std::min(text.find('\0'), text.size() - 1) + 1);
    login_user_ = text.substr(0, text.find('\0'));
  } else if (mechanism_ == Mechanism::kLogin) {
    login_user_ = text;
  } else if (mechanism_ == Mechanism::kCramMd5) {
    login_user_ = text.substr(0, text.rfind(' '));
  }
  Wipe(*message);
}

// ---------------------------------------------------------------- the end of a log-in

void Pop3Filter::TakeVerdict(const Line& line, Actions& out) {
  if (StatusOf(line.text) != Status::kOk) return Reject(line, out);
  NoteAuth(AuthResult::kAccepted, "", out);
  user_ = login_user_;
  ForgetLogin();
  Enter(State::kDone);
  ShowLine(line, out);
  out.Detach();
}

// Only a no to a complete log-in is a failure.
void Pop3Filter::Reject(const Line& line, Actions& out) {
  unnamed_ = mechanism_ != Mechanism::kBasic && mechanism_ != Mechanism::kApop;
  if (IsTemporary(line.text)) {
    NoteAuth(AuthResult::kError, "temporary failure", out);
  } else if (aborted_) {
    NoteAuth(AuthResult::kError, "aborted", out);
  } else if (!complete_) {
    NoteAuth(AuthResult::kError, "refused before it began", out);
  } else {
    NoteAuth(AuthResult::kRejected, "", out);
    ++failures_;
  }
  ForgetLogin();
  if (options_.max_auth_failures > 0 && failures_ >= options_.max_auth_failures) {
    out.Drop(line.size);
    Enter(State::kDone);
    std::string last = std::string(line.text) + "\r\n" + std::string(kGoodbye);
    return out.Close(Cause::kTooManyFailures, std::move(last), kLastAnswerDelay);
  }
  ShowLine(line, out);
  Enter(State::kReady);
}

// The log-in in hand is over without a verdict.
void Pop3Filter::Abandon(std::string_view answer, Actions& out) {
  ForgetLogin();
  Enter(State::kReady);
  Reply(answer, out);
}

void Pop3Filter::NoteAuth(AuthResult result, std::string_view reason, Actions& out) {
  out.Note(AuthEvent{mechanism_, offer_.channel(), result, login_user_, reason});
}

void Pop3Filter::ForgetLogin() {
  pairing_ = Pairing::kNone;
  login_user_.clear();
  initial_.Clear();
  password_.Clear();
  backend_user_.clear();
  backend_login_.reset();
  has_initial_ = complete_ = aborted_ = false;
}

}  // namespace postern::pop3
