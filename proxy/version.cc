#include "proxy/version.h"

#include <fmt/format.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <spdlog/version.h>
#include <uv.h>

namespace postern {

std::string_view Version() { return POSTERN_VERSION; }

std::string VersionText() {
#if defined(SSL_GROUP_X25519_MLKEM768)
  constexpr std::string_view kGroups = "X25519MLKEM768 X25519 P-256 P-384 P-521";
#else
  constexpr std::string_view kGroups = "X25519 P-256 P-384 P-521";
#endif
  return fmt::format(
      "postern {}\nBoringSSL API {}\nlibuv {}\nlibmicrohttpd {}\nspdlog {}.{}.{}\ngroups: {}\n",
      Version(), BORINGSSL_API_VERSION, uv_version_string(), MHD_get_version(), SPDLOG_VER_MAJOR,
      SPDLOG_VER_MINOR, SPDLOG_VER_PATCH, kGroups);
}

}  // namespace postern
