// CRAM-MD5 (RFC 2195), SCRAM (RFC 5802, RFC 7677) and NTLMv2 (MS-NLMP), the server's side.
#include <algorithm>
#include <array>

#include "bench/legacy_server/digest.h"
#include "bench/legacy_server/sasl.h"
#include "bench/legacy_server/text.h"

namespace postern::legacy {
namespace {

SaslStep Verdict(bool right) { return {right ? SaslState::kAccepted : SaslState::kRejected, ""}; }

class CramMd5 : public SaslMechanism {
 public:
  explicit CramMd5(const Store& store) : store_(store) {}

  SaslStep Next(std::optional<std::string_view> response) override {
    if (!response) {
      challenge_ = "<" + Hex(RandomBytes(8)) + "@legacy.example>";
      return {SaslState::kChallenge, challenge_};
    }
    size_t blank = response->rfind(' ');
    if (blank == std::string_view::npos || challenge_.empty()) return {SaslState::kMalformed, ""};
    user_ = response->substr(0, blank);
    std::optional<std::string_view> password = store_.PasswordOf(user_);
    return Verdict(password && SameWord(Hex(Hmac(Hash::kMd5, *password, challenge_)),
                                        response->substr(blank + 1)));
  }

 private:
  const Store& store_;
  std::string challenge_;
};

class Scram : public SaslMechanism {
 public:
  Scram(Hash hash, const Store& store) : hash_(hash), store_(store) {}

  SaslStep Next(std::optional<std::string_view> response) override {
    if (!response) return {SaslState::kChallenge, ""};
    if (server_first_.empty()) return First(*response);
    if (!proved_) return Final(*response);
    return Verdict(response->empty());
  }

 private:
  static constexpr uint32_t kIterations = 4096;

  // The value of an attribute ("r=…") in a message.
  static std::string_view Attribute(std::string_view message, char name) {
    for (std::string_view part : Split(message, ",")) {
      if (part.size() >= 2 && part[0] == name && part[1] == '=') return part.substr(2);
    }
    return {};
  }

  SaslStep First(std::string_view message) {
    size_t bare = message.find(",,");
    if (bare == std::string_view::npos) return {SaslState::kMalformed, ""};
    client_first_bare_ = message.substr(bare + 2);
    user_ = Attribute(client_first_bare_, 'n');
    nonce_ = std::string(Attribute(client_first_bare_, 'r')) + Hex(RandomBytes(12));
    salt_ = RandomBytes(16);
    server_first_ =
        "r=" + nonce_ + ",s=" + EncodeBase64(salt_) + ",i=" + std::to_string(kIterations);
    return {SaslState::kChallenge, server_first_};
  }

  SaslStep Final(std::string_view message) {
    size_t proof_at = message.rfind(",p=");
    std::optional<std::string_view> password = store_.PasswordOf(user_);
    if (proof_at == std::string_view::npos) return {SaslState::kMalformed, ""};
    if (!password || Attribute(message, 'r') != nonce_) return Verdict(false);
    std::string salted = Pbkdf2(hash_, *password, salt_, kIterations);
    std::string stored = Digest(hash_, Hmac(hash_, salted, "Client Key"));
    std::string signed_text = client_first_bare_ + "," + server_first_ + ",";
    signed_text += message.substr(0, proof_at);
    std::string key = Hmac(hash_, stored, signed_text);
    std::string proof = DecodeBase64(message.substr(proof_at + 3)).value_or("");
    if (proof.size() != key.size()) return Verdict(false);
    for (size_t i = 0; i < key.size(); ++i) key[i] = static_cast<char>(key[i] ^ proof[i]);
    if (Digest(hash_, key) != stored) return Verdict(false);
    proved_ = true;
    std::string signature = Hmac(hash_, Hmac(hash_, salted, "Server Key"), signed_text);
    return {SaslState::kChallenge, "v=" + EncodeBase64(signature)};
  }

  const Hash hash_;
  const Store& store_;
  std::string client_first_bare_;
  std::string server_first_;
  std::string nonce_;
  std::string salt_;
  bool proved_ = false;
};

std::string Utf16(std::string_view ascii) {
  std::string wide;
  for (char c : ascii) {
    wide += c;
    wide += '\0';
  }
  return wide;
}

// The ASCII of UTF-16LE; other characters become '?'.
std::string Narrow(std::string_view wide) {
  std::string text;
  for (size_t i = 0; i + 1 < wide.size(); i += 2) text += wide[i + 1] == 0 ? wide[i] : '?';
  return text;
}

std::string LittleEndian(uint32_t value, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

// Names and passwords in ASCII.
class Ntlm : public SaslMechanism {
 public:
  explicit Ntlm(const Store& store) : store_(store) {}

  SaslStep Next(std::optional<std::string_view> response) override {
    if (!response) return {SaslState::kChallenge, "NTLM supported"};
    if (!response->starts_with(kSignature)) return {SaslState::kMalformed, ""};
    if (challenge_.empty()) return {SaslState::kChallenge, ChallengeMessage()};
    return Authenticate(*response);
  }

 private:
  static constexpr std::string_view kSignature{"NTLMSSP\0", 8};
  static constexpr uint32_t kFlags = 0x00810201;  // UNICODE, NTLM, domain, TARGET_INFO
  static constexpr size_t kProofSize = 16;

  // MS-NLMP 2.2.1.2.
  std::string ChallengeMessage() {
    challenge_ = RandomBytes(8);
    std::string name = Utf16("LEGACY");
    std::string info;
    for (uint32_t id : {2U, 1U}) {  // domain, computer
      info += LittleEndian(id, 2) + LittleEndian(static_cast<uint32_t>(name.size()), 2) + name;
    }
    info += LittleEndian(0, 4);
    constexpr uint32_t kHeader = 48;
    auto field = [](size_t size, size_t offset) {
      auto length = LittleEndian(static_cast<uint32_t>(size), 2);
      return length + length + LittleEndian(static_cast<uint32_t>(offset), 4);
    };
    return std::string(kSignature) + LittleEndian(2, 4) + field(name.size(), kHeader) +
           LittleEndian(kFlags, 4) + challenge_ + std::string(8, '\0') +
           field(info.size(), kHeader + name.size()) + name + info;
  }

  // A length, offset pair at `at`; empty where it points outside of the message.
  static std::string_view Field(std::string_view message, size_t at) {
    if (message.size() < at + 8) return {};
    auto byte = [&](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(message[i])); };
    size_t size = byte(at) | byte(at + 1) << 8;
    size_t offset = byte(at + 4) | byte(at + 5) << 8 | byte(at + 6) << 16 | byte(at + 7) << 24;
    if (offset > message.size() || size > message.size() - offset) return {};
    return message.substr(offset, size);
  }

  // MS-NLMP 3.3.2.
  SaslStep Authenticate(std::string_view message) {
    std::string_view answer = Field(message, 20);
    std::string_view domain = Field(message, 28);
    user_ = Narrow(Field(message, 36));
    std::optional<std::string_view> password = store_.PasswordOf(user_);
    if (!password || answer.size() <= kProofSize) return Verdict(false);
    std::string key = Hmac(Hash::kMd5, Digest(Hash::kMd4, Utf16(*password)),
                           Utf16(Upper(user_)) + std::string(domain));
    std::string signed_text = challenge_ + std::string(answer.substr(kProofSize));
    return Verdict(Hmac(Hash::kMd5, key, signed_text) == answer.substr(0, kProofSize));
  }

  const Store& store_;
  std::string challenge_;
};

}  // namespace

std::unique_ptr<SaslMechanism> MakeProvingMechanism(std::string_view name, const Store& store) {
  if (SameWord(name, "CRAM-MD5")) return std::make_unique<CramMd5>(store);
  if (SameWord(name, "SCRAM-SHA-1")) return std::make_unique<Scram>(Hash::kSha1, store);
  if (SameWord(name, "SCRAM-SHA-256")) return std::make_unique<Scram>(Hash::kSha256, store);
  if (SameWord(name, "NTLM")) return std::make_unique<Ntlm>(store);
  return nullptr;
}

}  // namespace postern::legacy
