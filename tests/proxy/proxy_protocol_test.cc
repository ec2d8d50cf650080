#include "proxy/proxy_protocol.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

#include "proxy/socket_address.h"

namespace postern {
namespace {

using namespace std::string_literals;
using State = ProxyHeader::State;

sockaddr_storage Ip(const char* text, uint16_t port) {
  sockaddr_storage storage{};
  auto& four = reinterpret_cast<sockaddr_in&>(storage);
  auto& six = reinterpret_cast<sockaddr_in6&>(storage);
  if (inet_pton(AF_INET, text, &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
  } else {
    EXPECT_EQ(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
  }
  return storage;
}

std::string Text(const sockaddr_storage& address) {
  return AddressText(address) + " " + std::to_string(AddressPort(address));
}

std::string V2(char command, char family, const std::string& block) {
  return "\r\n\r\n\0\r\nQUIT\n"s + command + family + static_cast<char>(block.size() >> 8) +
         static_cast<char>(block.size()) + block;
}

const std::string kBlock4 = "\x01\x02\x03\x04\x0a\x00\x00\x01\x30\x39\x03\xe1"s;
const std::string kBlock6 =
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"s
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"s
    "\xff\xff\x00\x19"s;

// Byte by byte it never is done too early, and once done what follows does not matter.
ProxyHeader ParseInPieces(const std::string& header) {
  for (size_t size = 0; size < header.size(); ++size) {
    EXPECT_EQ(ParseProxyHeader(header.substr(0, size)).state, State::kNeedMore) << size;
  }
  const ProxyHeader parsed = ParseProxyHeader(header);
  EXPECT_EQ(parsed.state, State::kDone) << header;
  EXPECT_EQ(parsed.size, header.size());
  EXPECT_EQ(ParseProxyHeader(header + "\x16\x03\x01").size, header.size());
  EXPECT_EQ(ParseProxyHeader(header + std::string(5000, '\n')).size, header.size());
  return parsed;
}

TEST(ProxyProtocol, V1) {
  const auto four = ParseInPieces("PROXY TCP4 192.168.0.1 10.0.0.1 56324 443\r\n");
  ASSERT_TRUE(four.has_address);
  EXPECT_EQ(Text(four.client), "192.168.0.1 56324");
  EXPECT_EQ(Text(four.server), "10.0.0.1 443");
  const auto six = ParseInPieces("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
  ASSERT_TRUE(six.has_address);
  EXPECT_EQ(Text(six.client), "2001:db8::1 0");
  EXPECT_EQ(Text(six.server), "::1 65535");
  ParseInPieces(
      "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
}

TEST(ProxyProtocol, V1UnknownKeepsTheRealAddress) {
  EXPECT_FALSE(ParseInPieces("PROXY UNKNOWN\r\n").has_address);
  EXPECT_FALSE(ParseInPieces("PROXY UNKNOWN ffff::1 what ever\r\n").has_address);
  EXPECT_FALSE(ParseInPieces("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n").has_address);
}

TEST(ProxyProtocol, V1IsStrict) {
  for (const std::string& bytes : {"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 1  2\r\n"s,
                                   "PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.4 1.2.3.4 0x1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n"s,
                                   "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n"s,
                                   "PROXY TCP4 ::1 ::1 1 2\r\n"s,
                                   "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                   "PROXY TCP6 fe80::1%lo ::1 1 2\r\n"s,
                                   "PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"s,
                                   "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                   "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                   "PROXY UNKNOWNX\r\n"s,
                                   "PROXY \r\n"s,
                                   "PROXY\r\n"s,
                                   "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n"s,
                                   " PROXY UNKNOWN\r\n"s,
                                   "PROXY TCP4\t1.2.3.4 1.2.3.4 1 2\r\n"s,
                                   "GET / HTTP/1.1\r\n"s,
                                   "\x16\x03\x01"s,
                                   "a LOGIN u p\r\n"s,
                                   "\r\n\r\nX"s}) {
    EXPECT_EQ(ParseProxyHeader(bytes).state, State::kMalformed) << bytes;
  }
}

TEST(ProxyProtocol, V1IsBounded) {
  const std::string longest = "PROXY UNKNOWN " + std::string(91, 'x') + "\r\n";
  ASSERT_EQ(longest.size(), kMaxProxyV1);
  const std::string endless = "PROXY UNKNOWN " + std::string(5000, 'x');
  EXPECT_EQ(ParseProxyHeader(endless.substr(0, 106)).state, State::kNeedMore);
  EXPECT_EQ(ParseProxyHeader(endless.substr(0, 107)).state, State::kMalformed);
  EXPECT_EQ(ParseProxyHeader(endless.substr(0, 106) + "\r\n").state, State::kMalformed);
  EXPECT_EQ(ParseProxyHeader(endless).state, State::kMalformed);
}

TEST(ProxyProtocol, V2) {
  const auto four = ParseInPieces(V2('\x21', '\x11', kBlock4));
  ASSERT_TRUE(four.has_address);
  EXPECT_EQ(Text(four.client), "1.2.3.4 12345");
  EXPECT_EQ(Text(four.server), "10.0.0.1 993");
  const auto six = ParseInPieces(V2('\x21', '\x21', kBlock6));
  ASSERT_TRUE(six.has_address);
  EXPECT_EQ(Text(six.client), "2001:db8::1 65535");
  EXPECT_EQ(Text(six.server), "2001:db8::2 25");
  std::string paths(216, '\0');
  paths.replace(0, 4, "/a/b");
  paths.replace(108, 2, "/c");
  const auto local = ParseInPieces(V2('\x21', '\x31', paths));
  ASSERT_TRUE(local.has_address);
  EXPECT_EQ(local.client.ss_family, AF_UNIX);
  EXPECT_STREQ(reinterpret_cast<const sockaddr_un&>(local.client).sun_path, "/a/b");
  EXPECT_STREQ(reinterpret_cast<const sockaddr_un&>(local.server).sun_path, "/c");
}

TEST(ProxyProtocol, V2SkipsWhatFollowsTheAddresses) {
  const auto header = ParseInPieces(V2('\x21', '\x11', kBlock4 + "\x04\x00\x03" + "xyz"s));
  EXPECT_EQ(Text(header.client), "1.2.3.4 12345");
  ParseInPieces(V2('\x21', '\x11', kBlock4 + std::string(4096 - 16 - 12, '\0')));
}

TEST(ProxyProtocol, V2LocalAndUnspecifiedKeepTheRealAddress) {
  EXPECT_FALSE(ParseInPieces(V2('\x20', '\0', "")).has_address);
  EXPECT_FALSE(ParseInPieces(V2('\x20', '\x11', kBlock4)).has_address);
  EXPECT_FALSE(ParseInPieces(V2('\x20', '\x55', "abc")).has_address);
  EXPECT_FALSE(ParseInPieces(V2('\x21', '\0', "")).has_address);
  EXPECT_FALSE(ParseInPieces(V2('\x21', '\0', "whatever")).has_address);
}

TEST(ProxyProtocol, V2IsStrict) {
  for (const std::string& bytes : {
           V2('\x22', '\x11', kBlock4),  // no such command
           V2('\x11', '\x11', kBlock4),  // no such version
           V2('\x31', '\x11', kBlock4),
           V2('\x21', '\x12', kBlock4),  // datagrams
           V2('\x21', '\x10', kBlock4),
           V2('\x21', '\x41', kBlock4),                // no such family
           V2('\x21', '\x11', kBlock4.substr(0, 11)),  // too short for it
           V2('\x21', '\x21', kBlock6.substr(0, 35)),
           V2('\x21', '\x31', std::string(215, '/')),
       }) {
    EXPECT_EQ(ParseProxyHeader(bytes).state, State::kMalformed);
  }
}

TEST(ProxyProtocol, V2IsBoundedAsSoonAsItsLengthIsThere) {
  const std::string header = V2('\x21', '\x11', std::string(4096 - 16 + 1, '\0'));
  EXPECT_EQ(ParseProxyHeader(header.substr(0, 15)).state, State::kNeedMore);
  EXPECT_EQ(ParseProxyHeader(header.substr(0, 16)).state, State::kMalformed);
}

TEST(ProxyProtocol, WritesV1) {
  EXPECT_EQ(MakeProxyHeader(ProxyVersion::kV1, Ip("1.2.3.4", 12345), Ip("10.0.0.1", 993)),
            "PROXY TCP4 1.2.3.4 10.0.0.1 12345 993\r\n");
  EXPECT_EQ(MakeProxyHeader(ProxyVersion::kV1, Ip("2001:db8::1", 1), Ip("::1", 65535)),
            "PROXY TCP6 2001:db8::1 ::1 1 65535\r\n");
  EXPECT_EQ(MakeProxyHeader(ProxyVersion::kV1, Ip("::ffff:1.2.3.4", 1), Ip("10.0.0.1", 2)),
            "PROXY TCP4 1.2.3.4 10.0.0.1 1 2\r\n");
  EXPECT_EQ(MakeProxyHeader(ProxyVersion::kV1, Ip("1.2.3.4", 1), Ip("::1", 2)),
            "PROXY UNKNOWN\r\n");
  EXPECT_EQ(MakeProxyHeader(ProxyVersion::kV1, {}, {}), "PROXY UNKNOWN\r\n");
  EXPECT_EQ(MakeLocalProxyHeader(ProxyVersion::kV1), "PROXY UNKNOWN\r\n");
}

TEST(ProxyProtocol, WritesV2) {
  EXPECT_EQ(MakeProxyHeader(ProxyVersion::kV2, Ip("1.2.3.4", 12345), Ip("10.0.0.1", 993)),
            V2('\x21', '\x11', kBlock4));
  EXPECT_EQ(MakeProxyHeader(ProxyVersion::kV2, Ip("2001:db8::1", 65535), Ip("2001:db8::2", 25)),
            V2('\x21', '\x21', kBlock6));
  sockaddr_storage unix_socket{};
  unix_socket.ss_family = AF_UNIX;
  EXPECT_EQ(MakeProxyHeader(ProxyVersion::kV2, unix_socket, unix_socket), V2('\x21', '\0', ""));
  EXPECT_EQ(MakeLocalProxyHeader(ProxyVersion::kV2), V2('\x20', '\0', ""));
}

}  // namespace
}  // namespace postern
