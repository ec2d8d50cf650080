#include "bench/legacy_server/sasl.h"

#include "bench/legacy_server/text.h"

namespace postern::legacy {
namespace {

// RFC 4616.
class Plain : public SaslMechanism {
 public:
  explicit Plain(const Store& store) : store_(store) {}

  SaslStep Next(std::optional<std::string_view> response) override {
    if (!response) return {SaslState::kChallenge, ""};
    size_t first = response->find('\0');
    size_t second = response->find('\0', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos) {
      return {SaslState::kMalformed, ""};
    }
    user_ = response->substr(first + 1, second - first - 1);
    bool right = store_.CheckPassword(user_, response->substr(second + 1));
    return {right ? SaslState::kAccepted : SaslState::kRejected, ""};
  }

 private:
  const Store& store_;
};

class Login : public SaslMechanism {
 public:
  explicit Login(const Store& store) : store_(store) {}

  SaslStep Next(std::optional<std::string_view> response) override {
    if (!response) return {SaslState::kChallenge, "Username:"};
    if (user_.empty()) {
      user_ = *response;
      return {user_.empty() ? SaslState::kMalformed : SaslState::kChallenge, "Password:"};
    }
    bool right = store_.CheckPassword(user_, *response);
    return {right ? SaslState::kAccepted : SaslState::kRejected, ""};
  }

 private:
  const Store& store_;
};

// Stands for any mechanism that this server does not know: a dialogue to carry, with no meaning.
class Play : public SaslMechanism {
 public:
  explicit Play(const Store& store) { user_ = store.Owner(""); }

  SaslStep Next(std::optional<std::string_view> response) override {
    if (!response) return {SaslState::kChallenge, ""};
    if (++answers_ > kChallenges) return {SaslState::kAccepted, ""};
    return {SaslState::kChallenge, "challenge " + std::to_string(answers_)};
  }

 private:
  static constexpr int kChallenges = 2;
  int answers_ = 0;
};

}  // namespace

SaslState SaslExchange::Start(std::string_view mechanism, std::optional<std::string_view> initial) {
  if (SameWord(mechanism, "PLAIN")) {
    mechanism_ = std::make_unique<Plain>(store_);
  } else if (SameWord(mechanism, "LOGIN")) {
    mechanism_ = std::make_unique<Login>(store_);
  } else {
    mechanism_ = MakeProvingMechanism(mechanism, store_);
    if (!mechanism_) mechanism_ = std::make_unique<Play>(store_);
  }
  if (!initial) return Step(std::nullopt);
  return Feed(*initial == "=" ? "" : *initial);
}

SaslState SaslExchange::Feed(std::string_view line) {
  std::optional<std::string> response = DecodeBase64(line);
  if (response) return Step(*response);
  mechanism_.reset();
  return SaslState::kMalformed;
}

SaslState SaslExchange::Step(std::optional<std::string_view> response) {
  SaslStep step = mechanism_->Next(response);
  if (step.state == SaslState::kChallenge) {
    challenge_ = EncodeBase64(step.challenge);
  } else {
    user_ = mechanism_->user();
    mechanism_.reset();
  }
  return step.state;
}

}  // namespace postern::legacy
