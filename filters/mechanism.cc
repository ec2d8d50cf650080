#include "filters/mechanism.h"

#include <algorithm>
#include <array>

#include "filters/text.h"

namespace postern {
namespace {

// In the order of the enum.
constexpr std::array<std::string_view, kMechanismCount> kNames = {
    "BASIC",      "PLAIN",      "LOGIN",       "APOP",          "CRAM-MD5",
    "DIGEST-MD5", "NTLM",       "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512",
    "GSSAPI",     "GSS-SPNEGO", "XOAUTH2",     "OAUTHBEARER",   "DPA",
    "EXTERNAL",   "ANONYMOUS",  "OTP",         "other",
};
static_assert(kNames.back() == "other");

}  // namespace

std::string_view ToString(Mechanism mechanism) { return kNames[static_cast<size_t>(mechanism)]; }

Mechanism MechanismFromName(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (EqualsIgnoreCase(name, kNames[i])) return static_cast<Mechanism>(i);
  }
  return Mechanism::kOther;
}

bool IsMechanismName(std::string_view name, size_t longest) {
  if (EqualsIgnoreCase(name, "BASIC") || EqualsIgnoreCase(name, "APOP")) return false;
  return !name.empty() && name.size() <= longest &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

bool IsBasic(std::string_view name) {
  return EqualsIgnoreCase(name, "BASIC") || EqualsIgnoreCase(name, "PLAIN") ||
         EqualsIgnoreCase(name, "LOGIN");
}

}  // namespace postern
