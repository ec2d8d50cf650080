#include "filters/sasl/digest.h"

#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>

namespace postern::sasl {
namespace {

// BoringSSL wipes what a context held when it is freed, and its results come straight into the
// string that becomes the Secret.
uint8_t* Bytes(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }

}  // namespace

Secret Digest(const EVP_MD* md, std::initializer_list<std::string_view> pieces) {
  std::string digest(EVP_MD_size(md), '\0');
  bssl::ScopedEVP_MD_CTX context;
  EVP_DigestInit_ex(context.get(), md, nullptr);
  for (const std::string_view piece : pieces) {
    EVP_DigestUpdate(context.get(), piece.data(), piece.size());
  }
  EVP_DigestFinal_ex(context.get(), Bytes(digest), nullptr);
  WipeStack();
  return Secret::Take(digest);
}

Secret Hmac(const EVP_MD* md, std::string_view key,
            std::initializer_list<std::string_view> pieces) {
  std::string mac(EVP_MD_size(md), '\0');
  unsigned size = 0;
  bssl::ScopedHMAC_CTX context;
  // BoringSSL takes a null key for "the one of last time".
  HMAC_Init_ex(context.get(), key.empty() ? "" : key.data(), key.size(), md, nullptr);
  for (const std::string_view piece : pieces) {
    HMAC_Update(context.get(), reinterpret_cast<const uint8_t*>(piece.data()), piece.size());
  }
  HMAC_Final(context.get(), Bytes(mac), &size);
  WipeStack();
  return Secret::Take(mac);
}

// Never inline: its frame has to lie where theirs were.
[[gnu::noinline]] void WipeStack() {
  std::array<uint8_t, 4096> frame;
  Wipe(frame.data(), frame.size());
}

Secret FromSeed(const std::array<uint8_t, 32>& seed, std::string_view label) {
  return Hmac(EVP_sha256(), {reinterpret_cast<const char*>(seed.data()), seed.size()}, {label});
}

bool SameBytes(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Secret Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return Secret::Take(text);
}

Secret Join(std::initializer_list<std::string_view> pieces) {
  size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  std::string text;
  text.reserve(size);
  for (const std::string_view piece : pieces) text += piece;
  return Secret::Take(text);
}

}  // namespace postern::sasl
