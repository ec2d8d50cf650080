#include "filters/sasl/derivation.h"

#include <openssl/digest.h>
#include <openssl/evp.h>

#include "filters/sasl/digest.h"

namespace postern::sasl {

void Derivation::Run() {
  const EVP_MD* const md = hash == Hash::kSha1 ? EVP_sha1() : EVP_sha256();
  const std::string_view secret = password.Reveal();
  std::string derived(EVP_MD_size(md), '\0');
  PKCS5_PBKDF2_HMAC(secret.data(), secret.size(), reinterpret_cast<const uint8_t*>(salt.data()),
                    salt.size(), iterations, md, derived.size(),
                    reinterpret_cast<uint8_t*>(derived.data()));
  WipeStack();
  key = Secret::Take(derived);
}

}  // namespace postern::sasl
