#include "filters/sasl/client_mechanism.h"

#include "filters/sasl/digest.h"
#include "filters/sasl/mechanisms.h"
#include "filters/text.h"

namespace postern::sasl {
namespace {

// 144 bits in base64: printable, and without the comma that ends an attribute (RFC 5802, 5.1).
std::string MakeNonce(const Seed& seed) {
  constexpr size_t kNonceBytes = 18;
  return Base64Encode(FromSeed(seed, "SCRAM nonce").Reveal().substr(0, kNonceBytes));
}

}  // namespace

std::unique_ptr<ClientMechanism> MakeClientMechanism(Mechanism mechanism, Credentials credentials,
                                                     const Seed& seed,
                                                     std::chrono::system_clock::time_point now) {
  switch (mechanism) {
    case Mechanism::kPlain:
      return MakePlain(std::move(credentials));
    case Mechanism::kLogin:
      return MakeLogin(std::move(credentials));
    case Mechanism::kCramMd5:
      return MakeCramMd5(std::move(credentials));
    case Mechanism::kNtlm:
      return MakeNtlm(std::move(credentials), seed, now);
    case Mechanism::kScramSha1:
      return MakeScram(Hash::kSha1, std::move(credentials), MakeNonce(seed));
    case Mechanism::kScramSha256:
      return MakeScram(Hash::kSha256, std::move(credentials), MakeNonce(seed));
    default:
      return nullptr;
  }
}

}  // namespace postern::sasl
