// Addresses as the configuration spells them: host:port, [v6]:port, :port (any host, both
// families) and unix:/path. Plain values without I/O: a host name stays text, and who uses the
// address resolves it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace postern::conf {

// What a parser of one scalar gives back: a value, or one line that says what is wrong with it.
// The line never repeats the text that was parsed.
template <typename T>
struct Parsed {
  std::optional<T> value;
  std::string error;

  explicit operator bool() const { return value.has_value(); }
};

// sun_path of Linux holds 108 bytes with its NUL.
inline constexpr size_t kMaxUnixPath = 107;
// RFC 1035, 2.3.4: a name in text form has up to 253 characters.
inline constexpr size_t kMaxHostName = 253;

struct Address {
  enum class Kind : uint8_t { kTcp, kUnix };

  Kind kind = Kind::kTcp;
  std::string host;   // kTcp: a name in lower case, or an IP address in its shortest form without
                      // brackets; empty: every address of this machine, IPv4 and IPv6
  uint16_t port = 0;  // kTcp: 1 to 65535
  std::string path;   // kUnix: absolute

  bool any_host() const { return kind == Kind::kTcp && host.empty(); }
  bool is_unix() const { return kind == Kind::kUnix; }
  // True where `host` is a numeric address and nothing needs resolving.
  bool is_ip() const;
  // A Unix socket, 127.0.0.0/8, ::1 or the name localhost: bytes that stay on this machine.
  bool is_local() const;
  // As ParseAddress takes it: "10.0.0.5:143", "[::1]:143", ":993", "unix:/run/imap".
  std::string Text() const;

  bool operator==(const Address&) const = default;
};

// Takes the four spellings above. A port of 0, a relative or too long path, an IPv6 address
// without brackets and characters that no host name has are errors.
Parsed<Address> ParseAddress(std::string_view text);

// True where both would bind the same port of the same address: equal, or one of them is every
// address (":993", "0.0.0.0:993" for IPv4, "[::]:993" for IPv6) and covers the other.
bool Overlap(const Address& a, const Address& b);

}  // namespace postern::conf
