#include "bench/legacy_server/digest.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/md4.h>
#include <openssl/rand.h>

#include <array>

namespace postern::legacy {
namespace {

const EVP_MD* Algorithm(Hash hash) {
  switch (hash) {
    case Hash::kMd4:
      return EVP_md4();
    case Hash::kMd5:
      return EVP_md5();
    case Hash::kSha1:
      return EVP_sha1();
    case Hash::kSha256:
      return EVP_sha256();
  }
  return nullptr;
}

const uint8_t* Bytes(std::string_view text) {
  return reinterpret_cast<const uint8_t*>(text.data());
}

std::string Text(const uint8_t* bytes, size_t size) {
  return std::string(reinterpret_cast<const char*>(bytes), size);
}

}  // namespace

std::string Digest(Hash hash, std::string_view bytes) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> result;
  unsigned size = 0;
  EVP_Digest(bytes.data(), bytes.size(), result.data(), &size, Algorithm(hash), nullptr);
  return Text(result.data(), size);
}

std::string Hmac(Hash hash, std::string_view key, std::string_view bytes) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> result;
  unsigned size = 0;
  HMAC(Algorithm(hash), key.data(), key.size(), Bytes(bytes), bytes.size(), result.data(), &size);
  return Text(result.data(), size);
}

std::string Pbkdf2(Hash hash, std::string_view password, std::string_view salt, uint32_t count) {
  std::array<uint8_t, EVP_MAX_MD_SIZE> result;
  size_t size = EVP_MD_size(Algorithm(hash));
  PKCS5_PBKDF2_HMAC(password.data(), password.size(), Bytes(salt), salt.size(), count,
                    Algorithm(hash), size, result.data());
  return Text(result.data(), size);
}

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (char c : bytes) {
    text += kDigits[static_cast<uint8_t>(c) >> 4];
    text += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return text;
}

std::string Md5Hex(std::string_view bytes) { return Hex(Digest(Hash::kMd5, bytes)); }

std::string RandomBytes(size_t count) {
  std::string bytes(count, '\0');
  RAND_bytes(reinterpret_cast<uint8_t*>(bytes.data()), count);
  return bytes;
}

}  // namespace postern::legacy
