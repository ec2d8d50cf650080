// How each mechanism of client_mechanism.h is made. Internal to filters/sasl.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>

#include "filters/sasl/client_mechanism.h"

namespace postern::sasl {

using Seed = std::array<uint8_t, 32>;

std::unique_ptr<ClientMechanism> MakePlain(Credentials credentials);  // RFC 4616
std::unique_ptr<ClientMechanism> MakeLogin(Credentials credentials);  // draft-murchison-sasl-login
std::unique_ptr<ClientMechanism> MakeCramMd5(Credentials credentials);  // RFC 2195
std::unique_ptr<ClientMechanism> MakeNtlm(Credentials credentials, const Seed& seed,
                                          std::chrono::system_clock::time_point now);  // MS-NLMP
// RFC 5802, RFC 7677. `client_nonce` as it stands in r=: printable ASCII without a comma.
std::unique_ptr<ClientMechanism> MakeScram(Hash hash, Credentials credentials,
                                           std::string client_nonce);

// What most mechanisms have in common: no derivation, no proof by the server, one failure.
class SimpleMechanism : public ClientMechanism {
 public:
  std::unique_ptr<Derivation> TakeDerivation() override { return nullptr; }
  Step OnDerived(std::unique_ptr<Derivation>, Secret&) override { return Fail(kSurprise); }
  bool Accept(std::string_view) override { return true; }
  std::string_view failure() const override { return failure_; }

 protected:
  static constexpr std::string_view kSurprise = "a challenge more than the mechanism has";

  // `why` is a literal.
  Step Fail(std::string_view why) {
    failure_ = why;
    return Step::kFailed;
  }

 private:
  std::string_view failure_;
};

}  // namespace postern::sasl
