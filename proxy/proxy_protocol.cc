#include "proxy/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "proxy/socket_address.h"

namespace postern {
namespace {

constexpr std::string_view kV1Start = "PROXY ";
constexpr std::string_view kV2Signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr size_t kV2Fixed = 16;  // signature, version and command, family, length

constexpr uint8_t kLocal = 0x20;  // version 2, and the command
constexpr uint8_t kProxy = 0x21;

// Family and transport. Others are of datagrams, or of no meaning yet, and refused.
constexpr uint8_t kUnspecified = 0x00;
constexpr uint8_t kTcp4 = 0x11;
constexpr uint8_t kTcp6 = 0x21;
constexpr uint8_t kUnixStream = 0x31;

ProxyHeader NeedMore() { return {}; }

ProxyHeader Malformed() {
  ProxyHeader header;
  header.state = ProxyHeader::State::kMalformed;
  return header;
}

ProxyHeader Done(size_t size) {
  ProxyHeader header;
  header.state = ProxyHeader::State::kDone;
  header.size = size;
  return header;
}

uint8_t ByteAt(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

void Store4(const void* address, uint16_t port_in_network_order, sockaddr_storage& storage) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = port_in_network_order;
  std::memcpy(&in.sin_addr, address, sizeof(in.sin_addr));
  std::memcpy(&storage, &in, sizeof(in));
}

void Store6(const void* address, uint16_t port_in_network_order, sockaddr_storage& storage) {
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = port_in_network_order;
  std::memcpy(&in.sin6_addr, address, sizeof(in.sin6_addr));
  std::memcpy(&storage, &in, sizeof(in));
}

void StoreUnix(const char* path, sockaddr_storage& storage) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path, sizeof(un.sun_path));
  std::memcpy(&storage, &un, sizeof(un));
}

// Version 1: fields of a line, with one blank between them.

std::string_view TakeField(std::string_view& line) {
  const size_t blank = line.find(' ');
  const std::string_view field = line.substr(0, blank);
  line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
  return field;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return std::nullopt;
  uint16_t port = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return port;
}

bool ParseEnd(int family, std::string_view address, std::string_view port_text,
              sockaddr_storage& storage) {
  const std::optional<uint16_t> port = ParsePort(port_text);
  std::array<unsigned char, sizeof(in6_addr)> binary{};
  // inet_pton would stop at a NUL and be content with what is before it.
  if (!port || address.find('\0') != std::string_view::npos ||
      inet_pton(family, std::string(address).c_str(), binary.data()) != 1) {
    return false;
  }
  if (family == AF_INET) {
    Store4(binary.data(), htons(*port), storage);
  } else {
    Store6(binary.data(), htons(*port), storage);
  }
  return true;
}

ProxyHeader ParseV1(std::string_view bytes) {
  const std::string_view looked_at = bytes.substr(0, kMaxProxyV1);
  const size_t end = looked_at.find_first_of("\r\n");
  if (end == std::string_view::npos || (looked_at[end] == '\r' && end + 1 == looked_at.size())) {
    return looked_at.size() == kMaxProxyV1 ? Malformed() : NeedMore();
  }
  if (looked_at.substr(end, 2) != "\r\n") return Malformed();

  std::string_view line = looked_at.substr(kV1Start.size(), end - kV1Start.size());
  ProxyHeader header = Done(end + 2);
  const std::string_view protocol = TakeField(line);
  // What follows UNKNOWN is to be ignored.
  if (protocol == "UNKNOWN") return header;
  if (protocol != "TCP4" && protocol != "TCP6") return Malformed();
  const int family = protocol == "TCP4" ? AF_INET : AF_INET6;
  const std::string_view client = TakeField(line);
  const std::string_view server = TakeField(line);
  const std::string_view client_port = TakeField(line);
  if (!ParseEnd(family, client, client_port, header.client) ||
      !ParseEnd(family, server, line, header.server)) {
    return Malformed();
  }
  header.has_address = true;
  return header;
}

// Version 2: `block` is what the length counts: both addresses, both ports, then TLVs. False where
// it is too short for its family, or the family is none.
bool ParseAddresses(uint8_t family, std::string_view block, ProxyHeader& header) {
  const char* const data = block.data();
  const auto port_at = [data](size_t at) {
    uint16_t port = 0;
    std::memcpy(&port, data + at, sizeof(port));
    return port;
  };
  constexpr size_t kPath = sizeof(sockaddr_un::sun_path);
  switch (family) {
    case kUnspecified:
      return true;
    case kTcp4:
      if (block.size() < 12) return false;
      Store4(data, port_at(8), header.client);
      Store4(data + 4, port_at(10), header.server);
      break;
    case kTcp6:
      if (block.size() < 36) return false;
      Store6(data, port_at(32), header.client);
      Store6(data + 16, port_at(34), header.server);
      break;
    case kUnixStream:
      if (block.size() < 2 * kPath) return false;
      StoreUnix(data, header.client);
      StoreUnix(data + kPath, header.server);
      break;
    default:
      return false;
  }
  header.has_address = true;
  return true;
}

ProxyHeader ParseV2(std::string_view bytes) {
  if (bytes.size() <= kV2Signature.size()) return NeedMore();
  const uint8_t command = ByteAt(bytes, 12);
  if (command != kLocal && command != kProxy) return Malformed();
  if (bytes.size() < kV2Fixed) return NeedMore();
  const size_t size = kV2Fixed + (size_t{ByteAt(bytes, 14)} << 8 | ByteAt(bytes, 15));
  if (size > kMaxProxyV2) return Malformed();
  if (bytes.size() < size) return NeedMore();
  ProxyHeader header = Done(size);
  // LOCAL: the balancer speaks for itself, whatever addresses it shows.
  if (command == kLocal) return header;
  const std::string_view block = bytes.substr(kV2Fixed, size - kV2Fixed);
  return ParseAddresses(ByteAt(bytes, 13), block, header) ? header : Malformed();
}

bool IsPrefixOf(std::string_view bytes, std::string_view whole) {
  return whole.substr(0, bytes.size()) == bytes;
}

std::string_view BytesOf(const void* data, size_t size) {
  return {static_cast<const char*>(data), size};
}

std::string MakeV2(uint8_t command, uint8_t family, std::initializer_list<std::string_view> block) {
  std::string header(kV2Signature);
  header += static_cast<char>(command);
  header += static_cast<char>(family);
  header.append(2, '\0');
  for (const std::string_view part : block) header += part;
  header[15] = static_cast<char>(header.size() - kV2Fixed);  // never over 36
  return header;
}

// `Socket` is sockaddr_in or sockaddr_in6.
template <typename Socket>
Socket As(const sockaddr_storage& storage) {
  Socket socket{};
  std::memcpy(&socket, &storage, sizeof(socket));
  return socket;
}

}  // namespace

ProxyHeader ParseProxyHeader(std::string_view bytes) {
  if (bytes.starts_with(kV1Start)) return ParseV1(bytes);
  if (bytes.starts_with(kV2Signature)) return ParseV2(bytes);
  if (IsPrefixOf(bytes, kV1Start) || IsPrefixOf(bytes, kV2Signature)) return NeedMore();
  return Malformed();
}

std::string MakeProxyHeader(ProxyVersion version, const sockaddr_storage& client,
                            const sockaddr_storage& server) {
  const sockaddr_storage from = Unmapped(client);
  const sockaddr_storage to = Unmapped(server);
  const bool known =
      from.ss_family == to.ss_family && (from.ss_family == AF_INET || from.ss_family == AF_INET6);
  if (version == ProxyVersion::kV1) {
    if (!known) return "PROXY UNKNOWN\r\n";
    return std::string(from.ss_family == AF_INET ? "PROXY TCP4 " : "PROXY TCP6 ") +
           AddressText(from) + ' ' + AddressText(to) + ' ' + std::to_string(AddressPort(from)) +
           ' ' + std::to_string(AddressPort(to)) + "\r\n";
  }
  if (!known) return MakeV2(kProxy, kUnspecified, {});
  if (from.ss_family == AF_INET) {
    const auto a = As<sockaddr_in>(from);
    const auto b = As<sockaddr_in>(to);
    return MakeV2(
        kProxy, kTcp4,
        {BytesOf(&a.sin_addr, sizeof(a.sin_addr)), BytesOf(&b.sin_addr, sizeof(b.sin_addr)),
         BytesOf(&a.sin_port, sizeof(a.sin_port)), BytesOf(&b.sin_port, sizeof(b.sin_port))});
  }
  const auto a = As<sockaddr_in6>(from);
  const auto b = As<sockaddr_in6>(to);
  return MakeV2(
      kProxy, kTcp6,
      {BytesOf(&a.sin6_addr, sizeof(a.sin6_addr)), BytesOf(&b.sin6_addr, sizeof(b.sin6_addr)),
       BytesOf(&a.sin6_port, sizeof(a.sin6_port)), BytesOf(&b.sin6_port, sizeof(b.sin6_port))});
}

std::string MakeLocalProxyHeader(ProxyVersion version) {
  if (version == ProxyVersion::kV1) return "PROXY UNKNOWN\r\n";
  return MakeV2(kLocal, kUnspecified, {});
}

}  // namespace postern
