// The PROXY protocol, versions 1 and 2 (HAProxy's specification): who the client of a connection
// really is, read before TLS from balancers that are trusted, and written to backends that ask for
// it. Pure functions.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace postern {

struct ProxyHeader {
  enum class State : uint8_t { kNeedMore, kDone, kMalformed };

  State state = State::kNeedMore;
  size_t size = 0;            // kDone: bytes of the header
  bool has_address = false;   // false for LOCAL and UNKNOWN: the connection's own address counts
  sockaddr_storage client{};  // AF_INET, AF_INET6 or AF_UNIX
  sockaddr_storage server{};  // where the client had connected to
};

inline constexpr size_t kMaxProxyV1 = 107;   // bytes, CRLF included
inline constexpr size_t kMaxProxyV2 = 4096;  // bytes, TLVs (skipped) included

// `bytes`: everything received so far, from the first byte on. Never asks for more than the limits
// above.
ProxyHeader ParseProxyHeader(std::string_view bytes);

enum class ProxyVersion : uint8_t { kV1, kV2 };
// The header for a connection from `client` to `server`. Families that differ or are no IP address
// are written as UNKNOWN (v1) or UNSPEC (v2).
std::string MakeProxyHeader(ProxyVersion version, const sockaddr_storage& client,
                            const sockaddr_storage& server);
// For a connection of Postern's own (a health check): v2 LOCAL, v1 UNKNOWN.
std::string MakeLocalProxyHeader(ProxyVersion version);

}  // namespace postern
