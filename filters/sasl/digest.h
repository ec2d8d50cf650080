// Hashes and MACs over secrets: results are Secrets, and nothing of the input stays behind.
#pragma once

#include <openssl/base.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "filters/secret.h"

namespace postern::sasl {

// Of the pieces one after the other. `md` is one of BoringSSL's EVP_MDs; the result has its size.
Secret Digest(const EVP_MD* md, std::initializer_list<std::string_view> pieces);
// RFC 2104. The key may be empty or of any length.
Secret Hmac(const EVP_MD* md, std::string_view key, std::initializer_list<std::string_view> pieces);

// 32 bytes that only the seed's owner can know, others for each label.
Secret FromSeed(const std::array<uint8_t, 32>& seed, std::string_view label);

// In time that depends on the sizes alone.
bool SameBytes(std::string_view a, std::string_view b);

// Overwrites what the functions called last have left on the stack: BoringSSL's HMAC keeps a copy
// of its key there. Done already after Digest and Hmac.
void WipeStack();

// Lower case.
Secret Hex(std::string_view bytes);

// The pieces one after the other, with no copy of one left behind.
Secret Join(std::initializer_list<std::string_view> pieces);

}  // namespace postern::sasl
