#include "conf/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace postern::conf {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kShape = "host:port, [v6]:port, :port or unix:/path";

Parsed<Address> Wrong(std::string message) { return {std::nullopt, std::move(message)}; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

bool IsPort(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// The shortest form of a numeric address, or nothing.
std::optional<std::string> Numeric(int family, const std::string& text) {
  std::array<uint8_t, sizeof(in6_addr)> bytes;
  std::array<char, INET6_ADDRSTRLEN> shortest;
  if (inet_pton(family, text.c_str(), bytes.data()) != 1) return std::nullopt;
  inet_ntop(family, bytes.data(), shortest.data(), shortest.size());
  return std::string(shortest.data());
}

bool IsHostName(std::string_view host) {
  if (host.size() > kMaxHostName || host.front() == '.' || host.front() == '-') return false;
  return std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

Parsed<Address> ParseUnix(std::string_view path) {
  if (path.empty() || path.front() != '/') {
    return Wrong("needs an absolute path, as in unix:/run/postern/imap");
  }
  if (path.size() > kMaxUnixPath) {
    return Wrong("is too long: the path of a socket has up to " + std::to_string(kMaxUnixPath) +
                 " bytes");
  }
  if (std::any_of(path.begin(), path.end(), [](unsigned char c) { return c < ' ' || c == 127; })) {
    return Wrong("has a control character in its path");
  }
  if (path.back() == '/') return Wrong("ends in a slash: the path is of the socket itself");
  return {Address{Address::Kind::kUnix, "", 0, std::string(path)}, ""};
}

// The host in front of a port, in the form that Address keeps; an empty one stays empty.
Parsed<std::string> ParseHost(std::string_view text) {
  const std::string host = Lower(text);
  if (host.empty()) return {host, ""};
  if (host == "*") return {std::nullopt, "has a * for its host: every address is \":port\""};
  if (host.find_first_not_of("0123456789.") == std::string::npos) {
    if (auto ip = Numeric(AF_INET, host)) return {ip, ""};
    return {std::nullopt, "has a host that is no IPv4 address"};
  }
  if (IsHostName(host)) return {host, ""};
  return {std::nullopt, "has characters in its host that no host name has"};
}

Parsed<uint16_t> ParsePort(std::string_view text) {
  unsigned port = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, port);
  if (!IsPort(text) || error != std::errc() || stop != end || port == 0 || port > 65535) {
    return {std::nullopt, "has no port from 1 to 65535 at its end"};
  }
  return {static_cast<uint16_t>(port), ""};
}

Parsed<Address> ParseBracketed(std::string_view text) {
  const size_t close = text.find(']');
  if (close == std::string_view::npos || close + 1 >= text.size() || text[close + 1] != ':') {
    return Wrong("is no address: [v6]:port, as in [::1]:993");
  }
  const auto ip = Numeric(AF_INET6, std::string(text.substr(1, close - 1)));
  if (!ip) return Wrong("has no IPv6 address between its brackets");
  const auto port = ParsePort(text.substr(close + 2));
  if (!port) return Wrong(port.error);
  return {Address{Address::Kind::kTcp, *ip, *port.value, ""}, ""};
}

// Whether binding `wide` takes what binding `narrow` wants, ports being equal.
bool Covers(const std::string& wide, const std::string& narrow) {
  if (wide.empty()) return true;
  const bool narrow_is_v6 = narrow.find(':') != std::string::npos;
  if (wide == "0.0.0.0") return !narrow_is_v6;
  return wide == "::" && (narrow_is_v6 || narrow.empty());
}

}  // namespace

bool Address::is_ip() const {
  return kind == Kind::kTcp && (Numeric(AF_INET, host) || Numeric(AF_INET6, host));
}

bool Address::is_local() const {
  if (kind == Kind::kUnix) return true;
  if (host == "localhost" || host == "::1") return true;
  const bool v4 = Numeric(AF_INET, host).has_value();
  return (v4 && host.starts_with("127.")) || host.starts_with("::ffff:127.");
}

std::string Address::Text() const {
  if (kind == Kind::kUnix) return std::string(kUnixPrefix) + path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Parsed<Address> ParseAddress(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) return ParseUnix(text.substr(kUnixPrefix.size()));
  if (text.starts_with('[')) return ParseBracketed(text);
  if (text.starts_with('/')) return Wrong("is no address: a socket is written unix:/path");
  if (text.find("//") != std::string_view::npos) {
    return Wrong("is no address: " + std::string(kShape) + ", not a URL");
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    if (IsPort(text)) return Wrong("is a port alone: put a colon before it, as in \":993\"");
    return Wrong("is no address: " + std::string(kShape));
  }
  const std::string_view before = text.substr(0, colon);
  if (before.find(':') != std::string_view::npos) {
    return Wrong("is an IPv6 address without brackets: [v6]:port, as in [::1]:993");
  }
  const auto host = ParseHost(before);
  if (!host) return Wrong(host.error);
  const auto port = ParsePort(text.substr(colon + 1));
  if (!port) return Wrong(port.error);
  return {Address{Address::Kind::kTcp, *host.value, *port.value, ""}, ""};
}

bool Overlap(const Address& a, const Address& b) {
  if (a == b) return true;
  if (a.kind != Address::Kind::kTcp || b.kind != Address::Kind::kTcp) return false;
  return a.port == b.port && (Covers(a.host, b.host) || Covers(b.host, a.host));
}

}  // namespace postern::conf
