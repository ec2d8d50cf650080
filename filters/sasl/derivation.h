// A key derivation that takes long (PBKDF2 of SCRAM): made by a mechanism, carried out on any
// thread, given back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "filters/secret.h"

namespace postern::sasl {

enum class Hash : uint8_t { kSha1, kSha256 };

// RFC 5802, 2.2: SaltedPassword := Hi(Normalize(password), salt, i).
struct Derivation {
  Hash hash = Hash::kSha256;
  Secret password;  // prepared already (SASLprep, or raw where that failed)
  std::string salt;
  uint32_t iterations = 0;  // 1 to 1,000,000: checked by the mechanism
  Secret key;               // filled in by Run

  // Pure computation; safe on any thread. Milliseconds for 4,096 iterations, up to a second for
  // 1,000,000.
  void Run();
};

}  // namespace postern::sasl
