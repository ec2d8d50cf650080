#include "conf/network.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace postern::conf {
namespace {

bool Contains(const char* network, const char* address) {
  sockaddr_in in4{};
  in4.sin_family = AF_INET;
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  const Network net = *ParseNetwork(network).value;
  if (inet_pton(AF_INET, address, &in4.sin_addr) == 1) {
    return net.Contains(reinterpret_cast<const sockaddr*>(&in4));
  }
  EXPECT_EQ(inet_pton(AF_INET6, address, &in6.sin6_addr), 1) << address;
  return net.Contains(reinterpret_cast<const sockaddr*>(&in6));
}

TEST(Network, ContainsItsAddressesAndNoOther) {
  EXPECT_TRUE(Contains("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(Contains("10.0.0.0/8", "11.0.0.0"));
  EXPECT_TRUE(Contains("192.168.4.0/22", "192.168.7.255"));
  EXPECT_FALSE(Contains("192.168.4.0/22", "192.168.8.0"));
  EXPECT_TRUE(Contains("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(Contains("10.1.2.3", "10.1.2.4"));
  EXPECT_TRUE(Contains("0.0.0.0/0", "255.255.255.255"));
  EXPECT_TRUE(Contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(Contains("2001:db8::/33", "2001:db8:8000::1"));
  EXPECT_TRUE(Contains("::/0", "::1"));
}

TEST(Network, MappedAddressesAreIpv4) {
  EXPECT_TRUE(Contains("10.0.0.0/8", "::ffff:10.1.2.3"));
  EXPECT_TRUE(Contains("::ffff:10.0.0.0/104", "10.1.2.3"));
  EXPECT_FALSE(Contains("0.0.0.0/0", "2001:db8::1"));
  EXPECT_FALSE(Contains("127.0.0.0/8", "::1"));
}

TEST(Network, OtherFamiliesAreNowhere) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  const Network all = *ParseNetwork("::/0").value;
  EXPECT_FALSE(all.Contains(reinterpret_cast<const sockaddr*>(&un)));
  EXPECT_FALSE(all.Contains(static_cast<const sockaddr*>(nullptr)));
}

TEST(Network, TextIsCanonical) {
  EXPECT_EQ(ParseNetwork("10.0.0.0/8").value->Text(), "10.0.0.0/8");
  EXPECT_EQ(ParseNetwork("10.1.2.3").value->Text(), "10.1.2.3/32");
  EXPECT_EQ(ParseNetwork("2001:DB8:0::/32").value->Text(), "2001:db8::/32");
  EXPECT_EQ(ParseNetwork("0.0.0.0/0").value->Text(), "0.0.0.0/0");
  EXPECT_EQ(ParseNetwork("::/0").value->Text(), "::/0");
}

TEST(Network, RefusesWhatMayHaveBeenMeantOtherwise) {
  for (const char* text : {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1",
                           "10.0.0.0/8x", "10/8", "localhost", "10.0.0.5/8", "2001:db8::1/32",
                           "10.0.0.0/255.0.0.0", "10.0.0.0 /8", "10.0.0.0/99999999999"}) {
    EXPECT_FALSE(ParseNetwork(text)) << text;
    EXPECT_FALSE(ParseNetwork(text).error.empty()) << text;
  }
  EXPECT_NE(ParseNetwork("10.0.0.5/8").error.find("10.0.0.0/8"), std::string::npos);
}

}  // namespace
}  // namespace postern::conf
