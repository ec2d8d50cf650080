#include <algorithm>
#include <optional>
#include <string>

#include "filters/sasl/digest.h"
#include "filters/sasl/mechanisms.h"
#include "filters/sasl/ntlm_message.h"
#include "filters/sasl/ntlm_response.h"
#include "filters/sasl/unicode.h"

namespace postern::sasl {
namespace {

using namespace ntlm;

// Mail has no use for the session key, so that no key exchange is asked for.
constexpr uint32_t kOffered =
    kUnicode | kOem | kRequestTarget | kNtlm | kAlwaysSign | kExtendedSessionSecurity | k128 | k56;
// What is repeated of what the server chose; signing and sealing only in so far as they decide
// about the key exchange.
constexpr uint32_t kRepeated =
    kOffered | kSign | kSeal | kTargetTypeDomain | kTargetTypeServer | kTargetInfo | kKeyExchange;

// A FILETIME: units of 100 ns since 1601, little endian.
std::string FileTime(std::chrono::system_clock::time_point now) {
  constexpr int64_t kSecondsTo1970 = 11'644'473'600;
  using Ticks = std::chrono::duration<int64_t, std::ratio<1, 10'000'000>>;
  const auto since_1970 = std::chrono::duration_cast<Ticks>(now.time_since_epoch()).count();
  auto ticks = static_cast<uint64_t>(since_1970 + kSecondsTo1970 * 10'000'000);
  std::string bytes(8, '\0');
  for (char& c : bytes) {
    c = static_cast<char>(ticks & 0xff);
    ticks >>= 8;
  }
  return bytes;
}

// A user and his domain, in UTF-16LE.
struct Account {
  std::string user;
  std::string domain;
};

class Ntlm : public SimpleMechanism {
 public:
  Ntlm(Credentials credentials, const Seed& seed, std::chrono::system_clock::time_point now)
      : credentials_(std::move(credentials)),
        client_nonce_(FromSeed(seed, "NTLM client challenge").Reveal().substr(0, 8)),
        session_key_(FromSeed(seed, "NTLM session key").Reveal().substr(0, 16)),
        now_(now) {}

  Mechanism mechanism() const override { return Mechanism::kNtlm; }
  bool client_first() const override { return true; }
  Step Next(std::string_view challenge, Secret& response) override;

 private:
  enum class State : uint8_t { kStart, kChallenge, kDone };

  Step Answer(std::string_view message, Secret& response);
  Account FindAccount(const Challenge& challenge) const;
  std::string SpellDomain(std::string_view domain, const Challenge& challenge) const;
  Secret MakeResponseKey(const Challenge& challenge, const Account& account);

  Credentials credentials_;
  std::string client_nonce_;
  Secret session_key_;
  std::chrono::system_clock::time_point now_;
  State state_ = State::kStart;
  std::string negotiate_;
};

// The server's own name for where its accounts are, in UTF-16LE.
std::string TargetName(const Challenge& challenge) {
  if ((challenge.flags & kUnicode) != 0) return std::string(challenge.target_name);
  return Utf16FromBytes(challenge.target_name);
}

// Cyrus SASL can be told by what it leaves empty: Windows fills in the target information, or (NT
// 4) has no room for it.
bool IsCyrus(const Challenge& challenge) {
  return challenge.leaves_target_info_empty && (challenge.flags & kTargetTypeServer) != 0;
}

Step Ntlm::Next(std::string_view challenge, Secret& response) {
  switch (state_) {
    case State::kStart:
      if (!challenge.empty()) return Fail("a challenge before the client's first message");
      state_ = State::kChallenge;
      negotiate_ = WriteNegotiate(kOffered);
      response = Secret(negotiate_);
      return Step::kRespond;
    case State::kChallenge:
      state_ = State::kDone;
      return Answer(challenge, response);
    case State::kDone:
      break;
  }
  return Fail(kSurprise);
}

Step Ntlm::Answer(std::string_view message, Secret& response) {
  const std::optional<Challenge> challenge = ParseChallenge(message);
  if (!challenge) return Fail("no valid CHALLENGE message");
  const Account account = FindAccount(*challenge);
  const Secret response_key = MakeResponseKey(*challenge, account);

  // A server that tells the time can check a message integrity code, and wants no LMv2 response
  // (MS-NLMP, 3.1.5.1.2).
  const bool mic = !challenge->timestamp.empty();
  const std::string time = mic ? std::string(challenge->timestamp) : FileTime(now_);
  V2 v2 = ComputeV2(response_key, challenge->nonce, client_nonce_, time,
                    WriteTargetInfo(*challenge, mic));

  Authenticate answer;
  answer.flags = (challenge->flags & kRepeated) | kRequestTarget;
  answer.mic = mic;
  answer.nt_response = std::move(v2.nt_response);
  answer.lm_response = mic ? Secret(std::string(24, '\0'))
                           : ComputeLmV2(response_key, challenge->nonce, client_nonce_);

  Secret* exported_key = &v2.session_base_key;
  if ((answer.flags & kKeyExchange) != 0 && (answer.flags & (kSign | kSeal)) != 0) {
    answer.session_key = EncryptSessionKey(v2.session_base_key, session_key_);
    exported_key = &session_key_;
  } else {
    answer.flags &= ~uint32_t{kKeyExchange};
  }

  if ((answer.flags & kUnicode) != 0) {
    answer.flags &= ~uint32_t{kOem};
    answer.user = account.user;
    answer.domain = account.domain;
  } else {
    const auto user = BytesFromUtf16(account.user);
    const auto domain = BytesFromUtf16(account.domain);
    if (!user || !domain) return Fail("the server cannot take the user's name: it has no Unicode");
    answer.user = *user;
    answer.domain = *domain;
  }
  if (answer.user.size() > kMaxName || answer.domain.size() > kMaxName) {
    return Fail("a name that is too long");
  }

  std::string authenticate = WriteAuthenticate(answer);
  if (mic) {
    authenticate.replace(kMicOffset, kMicSize,
                         ComputeMic(*exported_key, negotiate_, message, authenticate));
  }
  response = Secret::Take(authenticate);
  return Step::kRespond;
}

// A domain written in the name itself counts before the configured one, and that before the
// server's. A name with an @ is complete without one (MS-NLMP, 3.1.5.1.2: the UPN form).
Account Ntlm::FindAccount(const Challenge& challenge) const {
  std::string_view user = credentials_.user;
  std::string_view domain = credentials_.domain;
  const size_t backslash = user.find('\\');
  const size_t slash = user.find('/');
  if (backslash != std::string_view::npos) {
    domain = user.substr(0, backslash);
    user.remove_prefix(backslash + 1);
  } else if (slash != std::string_view::npos && !domain.empty()) {
    // The spelling of Exchange 5.5, domain/user or domain/user/alias: NTLM takes no alias.
    domain = user.substr(0, slash);
    user.remove_prefix(slash + 1);
    user = user.substr(0, user.find('/'));
  } else if (domain.empty()) {
    const bool complete = user.find('@') != std::string_view::npos;
    return {Utf16FromUtf8(user), complete ? std::string() : TargetName(challenge)};
  }
  return {Utf16FromUtf8(user), SpellDomain(domain, challenge)};
}

// The domain is part of what is hashed, and its case counts there: as the server spells it where it
// names the same one, else in upper case, as such names are at home. Windows takes any; Cyrus SASL
// hashes it in upper case whatever it was sent; gss-ntlmssp knows its accounts by it.
std::string Ntlm::SpellDomain(std::string_view domain, const Challenge& challenge) const {
  std::string name = Utf16FromUtf8(domain);
  MakeUpperUtf16(name);
  for (const std::string& known : {std::string(challenge.nb_domain_name), TargetName(challenge)}) {
    std::string upper = known;
    MakeUpperUtf16(upper);
    if (upper == name) return known;
  }
  return name;
}

// Cyrus SASL hashes a password byte by byte, whatever its encoding.
Secret Ntlm::MakeResponseKey(const Challenge& challenge, const Account& account) {
  const std::string_view given = credentials_.password.Reveal();
  std::string text = IsCyrus(challenge) ? Utf16FromBytes(given) : Utf16FromUtf8(given);
  const Secret password = Secret::Take(text);
  credentials_.password.Clear();
  return ResponseKey(password.Reveal(), account.user, account.domain);
}

}  // namespace

std::unique_ptr<ClientMechanism> MakeNtlm(Credentials credentials, const Seed& seed,
                                          std::chrono::system_clock::time_point now) {
  return std::make_unique<Ntlm>(std::move(credentials), seed, now);
}

}  // namespace postern::sasl
