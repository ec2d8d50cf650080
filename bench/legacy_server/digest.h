// Hashes for log-ins, over BoringSSL. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace postern::legacy {

enum class Hash : uint8_t { kMd4, kMd5, kSha1, kSha256 };

std::string Digest(Hash hash, std::string_view bytes);
std::string Hmac(Hash hash, std::string_view key, std::string_view bytes);  // not of kMd4
std::string Pbkdf2(Hash hash, std::string_view password, std::string_view salt, uint32_t count);

std::string Hex(std::string_view bytes);
std::string Md5Hex(std::string_view bytes);
std::string RandomBytes(size_t count);

}  // namespace postern::legacy
