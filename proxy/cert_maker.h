// Makes keys, self-signed certificates and signing requests, all in memory. Time comes in as an
// argument. Used by `postern cert` alone, on the main thread.
#pragma once

#include <openssl/evp.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filters/secret.h"

namespace postern {

enum class KeyKindToMake : uint8_t { kEcdsaP256, kRsa2048 };

// A host name (RFC 1123; "*." may come first; in lower case) or an IP address. Empty: fine, else
// what is wrong.
std::string NameFault(std::string_view name);

// "a,b , c" in lower case, each once, in order. Blanks around a name do not count.
std::vector<std::string> SplitNames(std::string_view list);

// Null where the library has no randomness or memory.
bssl::UniquePtr<EVP_PKEY> MakeKey(KeyKindToMake kind);

// PKCS #8 in PEM.
std::optional<Secret> KeyPem(EVP_PKEY* key);

// For a server, with `names` (each without a NameFault) in subjectAltName, good from `now` for
// `days`. nullopt: the library failed.
std::optional<std::string> SelfSignedPem(EVP_PKEY* key, const std::vector<std::string>& names,
                                         std::chrono::system_clock::time_point now, int days);
// PKCS #10 in PEM.
std::optional<std::string> RequestPem(EVP_PKEY* key, const std::vector<std::string>& names);

}  // namespace postern
