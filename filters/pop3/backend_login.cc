#include "filters/pop3/backend_login.h"

#include "filters/pop3/line.h"
#include "filters/sasl/apop.h"
#include "filters/text.h"

namespace postern::pop3 {

BackendLogin::BackendLogin(Mechanism mechanism, sasl::Credentials credentials,
                           const std::optional<std::string>& stamp,
                           const std::array<uint8_t, 32>& seed,
                           std::chrono::system_clock::time_point now)
    : mechanism_(mechanism) {
  if (mechanism == Mechanism::kApop && stamp) {
    std::string digest = sasl::ApopDigest(*stamp, credentials.password);
    digest_ = Secret::Take(digest);
  } else if (mechanism != Mechanism::kBasic) {
    sasl_ = sasl::MakeClientMechanism(mechanism, std::move(credentials), seed, now);
    return;
  }
  user_ = std::move(credentials.user);
  password_ = std::move(credentials.password);
}

// A bare AUTH, never with an initial response: Exchange takes none, and the line could grow over
// the 255 bytes that every server has to take (RFC 2449, 4).
std::string BackendLogin::Begin() {
  std::string line;
  if (sasl_) {
    line.append("AUTH ").append(ToString(mechanism_));
  } else if (mechanism_ == Mechanism::kApop) {
    line.append("APOP ").append(user_).append(" ").append(digest_.Reveal());
    begun_ = true;
  } else {
    line.append("USER ").append(user_);
  }
  return line.append("\r\n");
}

BackendLogin::Next BackendLogin::OnLine(std::string_view line, std::string& send) {
  switch (StatusOf(line)) {
    case Status::kContinue:
      return sasl_ ? OnChallenge(ChallengeOf(line), send) : Next::kBroken;
    case Status::kErr:
      return begun_ || mechanism_ == Mechanism::kBasic ? Next::kRefused : Next::kUnready;
    case Status::kOk:
      break;
    case Status::kOther:
      return Next::kBroken;
  }
  if (sasl_) return sasl_->Accept({}) ? Next::kAccepted : Next::kUnproven;
  if (begun_) return Next::kAccepted;
  begun_ = true;
  send.reserve(password_.size() + 8);  // so that it does not move and leave a copy behind
  send.append("PASS ").append(password_.Reveal()).append("\r\n");
  return Next::kSend;
}

BackendLogin::Next BackendLogin::OnChallenge(std::string_view text, std::string& send) {
  const bool first = !begun_;
  begun_ = true;
  Secret response;
  // Some servers put words behind the first `+` of a mechanism in which the client begins.
  if (first && sasl_->client_first()) return Respond(sasl_->Next({}, response), response, send);
  const std::optional<std::string> challenge = Base64Decode(text);
  // The prompts of LOGIN say nothing; some servers write them without base64.
  if (!challenge && mechanism_ != Mechanism::kLogin) {
    undecodable_ = true;
    return Next::kFailed;
  }
  return Respond(sasl_->Next(challenge.value_or(""), response), response, send);
}

BackendLogin::Next BackendLogin::OnDerived(std::unique_ptr<sasl::Derivation> work,
                                           std::string& send) {
  Secret response;
  return Respond(sasl_->OnDerived(std::move(work), response), response, send);
}

BackendLogin::Next BackendLogin::Respond(sasl::Step step, const Secret& response,
                                         std::string& send) {
  switch (step) {
    case sasl::Step::kDerive:
      return Next::kDerive;
    case sasl::Step::kFailed:
      return Next::kFailed;
    case sasl::Step::kRespond:
      break;
  }
  std::string text = Base64Encode(response.Reveal());
  send.reserve(text.size() + 2);
  send.append(text).append("\r\n");
  Wipe(text);
  return Next::kSend;
}

std::string_view BackendLogin::failure() const {
  return undecodable_ ? std::string_view("a challenge that is no base64") : sasl_->failure();
}

}  // namespace postern::pop3
