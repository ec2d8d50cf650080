#include "filters/imap/imap_login.h"

#include <utility>

#include "filters/text.h"

namespace postern::imap {

ServerLogin::ServerLogin(Mechanism mechanism, std::string_view tag, Login login,
                         const std::string& domain, const ServerCapabilities& server,
                         const std::array<uint8_t, 32>& seed,
                         std::chrono::system_clock::time_point now)
    : mechanism_(mechanism), tag_(tag), server_(server), outgoing_(server) {
  if (mechanism == Mechanism::kBasic) {
    login_ = std::move(login);
    return;
  }
  sasl::Credentials credentials{std::move(login.user), std::move(login.password), domain};
  sasl_ = sasl::MakeClientMechanism(mechanism, std::move(credentials), seed, now);
}

ServerLogin::Do ServerLogin::Begin() {
  if (mechanism_ == Mechanism::kBasic) return BeginLogin();
  return sasl_ == nullptr ? Fail("mechanism not available") : BeginAuthenticate();
}

ServerLogin::Do ServerLogin::BeginLogin() {
  constexpr size_t kOverhead = 64;
  outgoing_.Reserve(tag_.size() + 2 * (login_.user.size() + login_.password.size()) + kOverhead);
  outgoing_.Append(tag_);
  outgoing_.Append(" LOGIN ");
  outgoing_.AppendString(login_.user);
  outgoing_.Append(" ");
  outgoing_.AppendString(login_.password.Reveal());
  outgoing_.Append("\r\n");
  login_.password.Clear();
  text_ = Secret(outgoing_.Next());
  return Do::kSend;
}

ServerLogin::Do ServerLogin::BeginAuthenticate() {
  std::string line = tag_ + " AUTHENTICATE " + std::string(ToString(mechanism_));
  if (!server_.sasl_ir() || !sasl_->client_first() || mechanism_ == Mechanism::kLogin) {
    line += "\r\n";
    text_ = Secret::Take(line);
    return Do::kSend;
  }
  begun_ = true;
  Secret response;
  const sasl::Step step = sasl_->Next({}, response);
  if (step != sasl::Step::kRespond) return Carry(step, response);
  std::string encoded = Base64Encode(response.Reveal());
  std::string whole;
  whole.reserve(line.size() + encoded.size() + 3);
  whole += line;
  whole += ' ';
  whole += encoded.empty() ? "=" : encoded;  // RFC 4959, 3
  whole += "\r\n";
  Wipe(encoded);
  text_ = Secret::Take(whole);
  return Do::kSend;
}

ServerLogin::Do ServerLogin::OnContinuation(std::string_view text) {
  if (mechanism_ == Mechanism::kBasic) {
    if (outgoing_.finished()) return Fail("unexpected continuation");
    text_ = Secret(outgoing_.Next());
    return Do::kSend;
  }
  Secret response;
  if (!std::exchange(begun_, true) && sasl_->client_first()) {
    // The server only says that it waits; what it says besides (Exchange: nothing) is no challenge.
    return Carry(sasl_->Next({}, response), response);
  }
  std::optional<std::string> challenge = Base64Decode(text);
  // What LOGIN's prompts say does not matter, and servers say much.
  if (!challenge && mechanism_ == Mechanism::kLogin) challenge.emplace();
  if (!challenge) return Fail("challenge is no base64");
  return Carry(sasl_->Next(*challenge, response), response);
}

ServerLogin::Do ServerLogin::OnDerived(std::unique_ptr<sasl::Derivation> work) {
  Secret response;
  return Carry(sasl_->OnDerived(std::move(work), response), response);
}

bool ServerLogin::Accept() { return complete() && (sasl_ == nullptr || sasl_->Accept({})); }

ServerLogin::Do ServerLogin::Carry(sasl::Step step, const Secret& response) {
  if (step == sasl::Step::kFailed) return Fail(sasl_->failure());
  if (step == sasl::Step::kDerive) return Do::kDerive;
  std::string line;
  line.reserve((response.size() + 2) / 3 * 4 + 2);
  std::string encoded = Base64Encode(response.Reveal());
  line += encoded;
  line += "\r\n";
  Wipe(encoded);
  text_ = Secret::Take(line);
  return Do::kSend;
}

ServerLogin::Do ServerLogin::Fail(std::string_view why) {
  failure_ = why;
  return Do::kAbort;
}

}  // namespace postern::imap
