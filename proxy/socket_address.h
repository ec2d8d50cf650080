// Text of and about socket addresses. IPv4 clients of a socket that takes both families show as
// plain IPv4.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>

namespace postern {

// Without port or brackets; empty for a Unix socket or none.
std::string AddressText(const sockaddr_storage& address);
uint16_t AddressPort(const sockaddr_storage& address);  // 0 where there is none
// Of this end of a socket; family AF_UNSPEC where it can't be told.
sockaddr_storage LocalAddress(int fd);
// Turns an IPv4-mapped IPv6 address into IPv4; everything else stays.
sockaddr_storage Unmapped(const sockaddr_storage& address);

}  // namespace postern
