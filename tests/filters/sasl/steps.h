// What the tests of all mechanisms share.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "filters/sasl/client_mechanism.h"

namespace postern::sasl {

inline Credentials MakeCredentials(std::string_view user, std::string_view password,
                                   std::string_view domain = {}) {
  return Credentials{std::string(user), Secret(password), std::string(domain)};
}

// 1,700,000,000 s after 1970, and a seed that is always the same.
inline std::unique_ptr<ClientMechanism> MakeTestMechanism(Mechanism mechanism,
                                                          Credentials credentials) {
  std::array<uint8_t, 32> seed{};
  seed.fill(7);
  const std::chrono::system_clock::time_point now(std::chrono::seconds(1'700'000'000));
  return MakeClientMechanism(mechanism, std::move(credentials), seed, now);
}

// One step that has to give a response; a derivation is carried out on the way.
inline std::string Respond(ClientMechanism& mechanism, std::string_view challenge) {
  Secret response;
  Step step = mechanism.Next(challenge, response);
  if (step == Step::kDerive) {
    std::unique_ptr<Derivation> work = mechanism.TakeDerivation();
    work->Run();
    step = mechanism.OnDerived(std::move(work), response);
  }
  EXPECT_EQ(step, Step::kRespond) << mechanism.failure();
  return std::string(response.Reveal());
}

// One step that has to fail, with a word about it.
inline void ExpectFailure(ClientMechanism& mechanism, std::string_view challenge) {
  Secret response;
  EXPECT_EQ(mechanism.Next(challenge, response), Step::kFailed) << challenge;
  EXPECT_FALSE(mechanism.failure().empty());
  EXPECT_TRUE(response.empty());
}

}  // namespace postern::sasl
