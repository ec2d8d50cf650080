// Networks in CIDR form, as `proxy_protocol` and `limits.exempt` name them. An IPv4 address and its
// IPv6-mapped form (::ffff:a.b.c.d, RFC 4291, 2.5.5.2) are the same address here, because a socket
// that takes both families shows IPv4 clients in the mapped form.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "conf/address.h"

struct sockaddr;

namespace postern::conf {

class Network {
 public:
  // All addresses are kept as 16 bytes, IPv4 ones mapped. `prefix` counts bits of these 16 bytes
  // (96 to 128 for IPv4); bits behind it are taken as zero.
  Network(const std::array<uint8_t, 16>& bytes, int prefix);

  bool Contains(const std::array<uint8_t, 16>& address) const;
  // True for the first address of the network alone.
  bool StartsAt(const std::array<uint8_t, 16>& address) const;
  // AF_INET and AF_INET6; false for every other family and for a null pointer.
  bool Contains(const sockaddr* address) const;
  // "10.0.0.0/8", "2001:db8::/32".
  std::string Text() const;

  bool operator==(const Network&) const = default;

 private:
  std::array<uint8_t, 16> bytes_;
  int prefix_;
};

// "10.0.0.0/8", "2001:db8::/32"; an address without /n is that address alone. Bits behind the
// prefix that are not zero are an error: 10.0.0.5/8 may have been meant as either.
Parsed<Network> ParseNetwork(std::string_view text);

// The 16 bytes of an AF_INET or AF_INET6 address, IPv4 mapped; false for other families.
bool AddressBytes(const sockaddr* address, std::array<uint8_t, 16>& bytes);

}  // namespace postern::conf
