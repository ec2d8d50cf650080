#include <openssl/digest.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "filters/sasl/digest.h"
#include "filters/sasl/mechanisms.h"
#include "filters/sasl/saslprep.h"
#include "filters/text.h"

namespace postern::sasl {
namespace {

constexpr size_t kMaxServerMessage = 4096;
constexpr uint32_t kMaxIterations = 1'000'000;  // about a second of one core

// No channel binding, no authorization identity (RFC 5802, 5.1), and its base64 for c=.
constexpr std::string_view kGs2Header = "n,,";
constexpr std::string_view kChannelBinding = "c=biws";

// saslname: a comma ends an attribute, and the equals sign escapes.
std::string EscapeUser(std::string_view user) {
  std::string escaped;
  for (const char c : user) {
    if (c == ',') {
      escaped += "=2C";
    } else if (c == '=') {
      escaped += "=3D";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

bool IsNonce(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

// posit-number: no sign, no leading zero. nullopt also above the limit.
std::optional<uint32_t> ParseIterations(std::string_view text) {
  if (text.empty() || text[0] == '0') return std::nullopt;
  uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || value > kMaxIterations) return std::nullopt;
  return value;
}

// Takes the attribute `name=…` and its comma off the front of `text`. nullopt where another comes.
std::optional<std::string_view> TakeAttribute(char name, std::string_view& text) {
  if (text.size() < 2 || text[0] != name || text[1] != '=') return std::nullopt;
  const size_t comma = text.find(',');
  const std::string_view value = text.substr(2, comma == text.npos ? text.npos : comma - 2);
  text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
  return value;
}

struct ServerFirst {
  std::string_view nonce;
  std::string salt;
  uint32_t iterations = 0;
};

// A mandatory extension (m=) stands where r= is due and is refused by that; optional ones may
// follow, and mean nothing to us.
std::optional<ServerFirst> ParseServerFirst(std::string_view message) {
  const auto nonce = TakeAttribute('r', message);
  if (!nonce || !IsNonce(*nonce)) return std::nullopt;
  const auto salt_text = TakeAttribute('s', message);
  if (!salt_text) return std::nullopt;
  auto salt = Base64Decode(*salt_text);
  if (!salt || salt->empty()) return std::nullopt;
  const auto count = TakeAttribute('i', message);
  const auto iterations = count ? ParseIterations(*count) : std::nullopt;
  if (!iterations) return std::nullopt;
  return ServerFirst{*nonce, std::move(*salt), *iterations};
}

class Scram : public ClientMechanism {
 public:
  Scram(Hash hash, Credentials credentials, std::string client_nonce)
      : hash_(hash), credentials_(std::move(credentials)), nonce_(std::move(client_nonce)) {}

  Mechanism mechanism() const override {
    return hash_ == Hash::kSha1 ? Mechanism::kScramSha1 : Mechanism::kScramSha256;
  }
  bool client_first() const override { return true; }
  Step Next(std::string_view challenge, Secret& response) override;
  std::unique_ptr<Derivation> TakeDerivation() override { return std::move(derivation_); }
  Step OnDerived(std::unique_ptr<Derivation> work, Secret& response) override;
  bool Accept(std::string_view data) override;
  std::string_view failure() const override { return failure_; }

 private:
  enum class State : uint8_t {
    kStart,
    kServerFirst,
    kDeriving,
    kServerFinal,
    kProved,
    kDenied,
    kFailed
  };

  Step SayFirst(std::string_view challenge, Secret& response);
  Step TakeServerFirst(std::string_view message);
  Step TakeServerFinal(std::string_view message, Secret& response);
  // True where `message` carries the signature that only a server that knows our key can make.
  bool IsProof(std::string_view message) const;
  Step Fail(std::string_view why);

  const EVP_MD* md() const { return hash_ == Hash::kSha1 ? EVP_sha1() : EVP_sha256(); }

  Hash hash_;
  Credentials credentials_;
  State state_ = State::kStart;
  std::string nonce_;         // ours, then the whole
  std::string auth_message_;  // grows to AuthMessage (RFC 5802, 3)
  std::unique_ptr<Derivation> derivation_;
  Secret server_signature_;
  std::string_view failure_;
};

Step Scram::Next(std::string_view challenge, Secret& response) {
  switch (state_) {
    case State::kStart:
      return SayFirst(challenge, response);
    case State::kServerFirst:
      return TakeServerFirst(challenge);
    case State::kServerFinal:
      return TakeServerFinal(challenge, response);
    case State::kDeriving:
    case State::kProved:
    case State::kDenied:
    case State::kFailed:
      break;
  }
  return Fail("a challenge more than the mechanism has");
}

Step Scram::SayFirst(std::string_view challenge, Secret& response) {
  if (!challenge.empty()) return Fail("a challenge before the client's first message");
  const Secret user = SaslPrep(credentials_.user, Prepare::kQuery);
  auth_message_ = "n=" + EscapeUser(user.Reveal()) + ",r=" + nonce_;
  response = Secret(std::string(kGs2Header) + auth_message_);
  state_ = State::kServerFirst;
  return Step::kRespond;
}

Step Scram::TakeServerFirst(std::string_view message) {
  if (message.size() > kMaxServerMessage) return Fail("a server-first-message that is too long");
  auto first = ParseServerFirst(message);
  if (!first) return Fail("no valid server-first-message, or too many iterations");
  if (!first->nonce.starts_with(nonce_) || first->nonce.size() == nonce_.size()) {
    return Fail("a server nonce that does not continue ours");
  }
  nonce_ = first->nonce;
  auth_message_.append(",").append(message);

  derivation_ = std::make_unique<Derivation>();
  derivation_->hash = hash_;
  derivation_->password = SaslPrep(credentials_.password.Reveal(), Prepare::kStored);
  derivation_->salt = std::move(first->salt);
  derivation_->iterations = first->iterations;
  credentials_.password.Clear();
  state_ = State::kDeriving;
  return Step::kDerive;
}

Step Scram::OnDerived(std::unique_ptr<Derivation> work, Secret& response) {
  if (state_ != State::kDeriving || work == nullptr || work->key.empty()) {
    return Fail("no key came of the derivation");
  }
  const std::string_view salted_password = work->key.Reveal();
  const std::string message = std::string(kChannelBinding) + ",r=" + nonce_;
  auth_message_.append(",").append(message);

  const Secret client_key = Hmac(md(), salted_password, {"Client Key"});
  const Secret stored_key = Digest(md(), {client_key.Reveal()});
  const Secret client_signature = Hmac(md(), stored_key.Reveal(), {auth_message_});
  std::string proof(client_key.Reveal());
  for (size_t i = 0; i < proof.size(); ++i) {
    proof[i] = static_cast<char>(proof[i] ^ client_signature.Reveal()[i]);
  }
  const Secret server_key = Hmac(md(), salted_password, {"Server Key"});
  server_signature_ = Hmac(md(), server_key.Reveal(), {auth_message_});

  std::string proof_text = Base64Encode(proof);
  Wipe(proof);
  response = Join({message, ",p=", Secret::Take(proof_text).Reveal()});
  state_ = State::kServerFinal;
  return Step::kRespond;
}

Step Scram::TakeServerFinal(std::string_view message, Secret& response) {
  // The server says why it will say no. The no itself is its verdict and has to be heard; an OK
  // after this is none.
  const bool denied = message.starts_with("e=");
  if (!denied && !IsProof(message)) return Fail("a wrong server signature");
  state_ = denied ? State::kDenied : State::kProved;
  response.Clear();
  return Step::kRespond;
}

bool Scram::IsProof(std::string_view message) const {
  if (message.size() > kMaxServerMessage) return false;
  const auto verifier = TakeAttribute('v', message);
  if (!verifier) return false;
  const auto signature = Base64Decode(*verifier);
  return signature && SameBytes(*signature, server_signature_.Reveal());
}

bool Scram::Accept(std::string_view data) {
  if (state_ == State::kServerFinal && IsProof(data)) state_ = State::kProved;
  if (state_ == State::kProved) return true;
  Fail("the server said OK without its signature");
  return false;
}

Step Scram::Fail(std::string_view why) {
  // The first failure is the one to tell of.
  if (state_ != State::kFailed) failure_ = why;
  state_ = State::kFailed;
  credentials_.password.Clear();
  return Step::kFailed;
}

}  // namespace

std::unique_ptr<ClientMechanism> MakeScram(Hash hash, Credentials credentials,
                                           std::string client_nonce) {
  return std::make_unique<Scram>(hash, std::move(credentials), std::move(client_nonce));
}

}  // namespace postern::sasl
