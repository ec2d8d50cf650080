// Log-ins that Postern takes from the client and speaks to the backend anew.
#include "filters/farewell.h"
#include "filters/pop3/pop3_filter_impl.h"
#include "filters/text.h"

namespace postern::pop3 {
namespace {

constexpr std::string_view kFailed = "-ERR Log-in failed\r\n";
constexpr std::string_view kCredentials = "-ERR User name or password not acceptable\r\n";
constexpr std::string_view kUnavailable = "-ERR [SYS/TEMP] Log-in not possible now, try later\r\n";

// "Username:" and "Password:", as everybody prompts in the LOGIN mechanism.
constexpr std::string_view kUserPrompt = "+ VXNlcm5hbWU6\r\n";
constexpr std::string_view kPasswordPrompt = "+ UGFzc3dvcmQ6\r\n";

}  // namespace

bool Pop3Filter::TakeAuth(const Line& line, std::string_view initial, Actions& out) {
  const bool plain = mechanism_ == Mechanism::kPlain;
  out.Drop(line.size);
  Enter(plain ? State::kPlainDue : State::kUserDue);
  if (initial.empty()) {
    out.Send(Side::kClient, plain ? "+ \r\n" : kUserPrompt);
  } else if (auto message = DecodeInitial(initial)) {
    TakeMessage(*message, out);
  } else {
    RefuseBase64(out);
  }
  return true;
}

void Pop3Filter::TakeOwnResponse(const Line& line, Actions& out) {
  out.Drop(line.size);
  if (line.text == "*") {
    NoteAuth(AuthResult::kError, "aborted", out);
    return Abandon("-ERR Log-in aborted\r\n", out);
  }
  auto message = Base64Decode(line.text);
  if (!message) return RefuseBase64(out);
  TakeMessage(*message, out);
}

void Pop3Filter::TakeMessage(std::string& message, Actions& out) {
  if (state_ == State::kUserDue) {
    login_user_ = message;
    out.Send(Side::kClient, kPasswordPrompt);
    return Enter(State::kPasswordDue);
  }
  auto login = state_ == State::kPlainDue ? ParsePlain(message) : CheckLogin(login_user_, message);
  Wipe(message);
  TakeLogin(std::move(login), out);
}

void Pop3Filter::TakeLogin(std::optional<Login> login, Actions& out) {
  if (!login) return RefuseCredentials(out);
  login_user_ = std::move(login->user);
  auto user = RewriteUser(options_, login_user_);
  if (!user) return RefuseCredentials(out);
  backend_user_ = std::move(*user);
  password_ = std::move(login->password);
  complete_ = true;
  Proceed(out);
}

void Pop3Filter::RefuseCredentials(Actions& out) {
  NoteAuth(AuthResult::kBlocked, "credentials", out);
  const std::string_view verb = mechanism_ == Mechanism::kBasic ? "PASS" : "AUTH";
  out.Note(BlockedEvent{BlockReason::kCredentials, std::string(verb)});
  Abandon(kCredentials, out);
}

// ---------------------------------------------------------------- spoken to the backend

// What has to be known before a mechanism can be chosen. USER and PASS as the client spoke them
// need nothing, APOP the greeting alone.
bool Pop3Filter::NeedsCapabilities() const {
  if (options_.to_backend == ToBackend::kApop) return false;
  return options_.to_backend != ToBackend::kSame || mechanism_ != Mechanism::kBasic;
}

bool Pop3Filter::NeedsMechanisms() const {
  return options_.to_backend != ToBackend::kSame && options_.to_backend != ToBackend::kBasic &&
         options_.to_backend != ToBackend::kApop;
}

void Pop3Filter::Proceed(Actions& out) {
  if (!server_up_) {
    Enter(State::kConnecting);
    return out.Connect();
  }
  if (NeedsCapabilities() && !backend_.knows_capabilities()) {
    return Probe("CAPA\r\n", Answer::kCapabilities, out);
  }
  if (NeedsMechanisms() && !backend_.knows_mechanisms()) {
    return Probe("AUTH\r\n", Answer::kMechanisms, out);
  }
  Speak(out);
}

void Pop3Filter::Probe(std::string_view command, Answer answer, Actions& out) {
  probing_ = answer;
  Enter(State::kProbing);
  out.Send(Side::kServer, command);
}

void Pop3Filter::Speak(Actions& out) {
  const auto to = ChooseMechanism(options_, mechanism_, backend_.mechanisms(),
                                  backend_.stamp().has_value(), backend_.has_user());
  if (!to) return RefuseForNow("the backend does not have the mechanism", out);
  // APOP has no way to say where a name with a blank ends.
  if (*to == Mechanism::kApop && backend_user_.find(' ') != std::string::npos) {
    return RefuseCredentials(out);
  }
  if (*to != mechanism_) out.Note(RewriteEvent{mechanism_, *to});
  sasl::Credentials credentials{std::move(backend_user_), std::move(password_), options_.domain};
  backend_login_ = std::make_unique<BackendLogin>(*to, std::move(credentials), backend_.stamp(),
                                                  LoginSeed(info_, logins_++), moment().now);
  std::string line = backend_login_->Begin();
  Enter(State::kSpeaking);
  out.Send(Side::kServer, line);
  Wipe(line);
}

void Pop3Filter::TakeSpoken(const Line& line, Actions& out) {
  std::string send;
  const BackendLogin::Next next = backend_login_->OnLine(line.text, send);
  CarryOn(next, send, &line, out);
}

void Pop3Filter::OnDerived(std::unique_ptr<sasl::Derivation> work, Actions& out) {
  if (state_ != State::kDeriving) return;
  std::string send;
  const BackendLogin::Next next = backend_login_->OnDerived(std::move(work), send);
  Enter(State::kSpeaking);
  CarryOn(next, send, nullptr, out);
}

// `line`: the server's, where there was one.
void Pop3Filter::CarryOn(BackendLogin::Next next, std::string& send, const Line* line,
                         Actions& out) {
  using Next = BackendLogin::Next;
  if (line != nullptr && (next == Next::kAccepted || next == Next::kRefused)) {
    return TakeVerdict(*line, out);
  }
  if (line != nullptr) out.Drop(line->size);
  switch (next) {
    case Next::kSend:
      out.Send(Side::kServer, send);
      return Wipe(send);
    case Next::kDerive:
      Enter(State::kDeriving);
      return out.Derive(backend_login_->TakeDerivation());
    case Next::kUnready:
      return RefuseForNow("the backend refused the mechanism", out);
    case Next::kFailed:
      NoteAuth(AuthResult::kError, backend_login_->failure(), out);
      out.Note(
          BackendFaultEvent{BackendFaultReason::kAuth, std::string(backend_login_->failure())});
      out.Send(Side::kServer, "*\r\n");
      return Enter(State::kGivingUp);
    case Next::kUnproven:
      NoteAuth(AuthResult::kError, "the server did not prove itself", out);
      out.Note(BackendFaultEvent{BackendFaultReason::kAuth, "the server did not prove itself"});
      return End(Cause::kServerFault, Goodbye(Protocol::kPop3, Farewell::kFault), out);
    default:
      return BackendBroken(out);
  }
}

void Pop3Filter::TakeGivenUp(const Line& line, Actions& out) {
  if (StatusOf(line.text) != Status::kErr) return BackendBroken(out);
  out.Drop(line.size);
  Abandon(kFailed, out);
}

void Pop3Filter::RefuseForNow(std::string_view reason, Actions& out) {
  NoteAuth(AuthResult::kError, reason, out);
  out.Note(BackendFaultEvent{BackendFaultReason::kAuth, std::string(reason)});
  Abandon(kUnavailable, out);
}

}  // namespace postern::pop3
