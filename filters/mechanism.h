// The closed list of log-in mechanisms: what metrics, logs and translations name. Policy judges by
// name (filters/policy.h), since a configuration may name any SASL mechanism.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace postern {

enum class Mechanism : uint8_t {
  kBasic,  // IMAP LOGIN, POP3 USER/PASS
  kPlain,
  kLogin,
  kApop,
  kCramMd5,
  kDigestMd5,
  kNtlm,
  kScramSha1,
  kScramSha256,
  kScramSha512,
  kGssapi,
  kGssSpnego,
  kXoauth2,
  kOauthBearer,
  kDpa,
  kExternal,
  kAnonymous,
  kOtp,
  kOther,
};
inline constexpr size_t kMechanismCount = static_cast<size_t>(Mechanism::kOther) + 1;

// The IANA name (or BASIC, APOP); "other" for kOther.
std::string_view ToString(Mechanism mechanism);

// By name, in any case; kOther for every name that is not in the list.
Mechanism MechanismFromName(std::string_view name);

// Longest name of a SASL mechanism (RFC 4422, 3.1).
inline constexpr size_t kMaxMechanismName = 20;
// Whether AUTH or AUTHENTICATE can name it so: up to `longest` letters, digits, - and _. BASIC and
// APOP are names of the policy's alone.
bool IsMechanismName(std::string_view name, size_t longest = kMaxMechanismName);

// True for names that hand over the password itself: BASIC, PLAIN, LOGIN (in any case).
bool IsBasic(std::string_view name);

}  // namespace postern
