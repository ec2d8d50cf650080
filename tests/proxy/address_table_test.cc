#include "proxy/address_table.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <string>

namespace postern {
namespace {

using namespace std::chrono_literals;

AddressKey Key(const std::string& text) {
  sockaddr_storage address{};
  auto& v4 = reinterpret_cast<sockaddr_in&>(address);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address);
  if (inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    address.ss_family = AF_INET;
  } else {
    address.ss_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr), 1);
  }
  return *KeyOf(reinterpret_cast<const sockaddr*>(&address));
}

class AddressTableTest : public testing::Test {
 protected:
  AddressTable table_;
  AddressTable::Clock::time_point now_ = AddressTable::Clock::now();
};

TEST_F(AddressTableTest, ConnectionsAreCountedAndGivenBack) {
  const AddressKey key = Key("192.0.2.1");
  EXPECT_TRUE(table_.Connect(key, 2, now_));
  EXPECT_TRUE(table_.Connect(key, 2, now_));
  EXPECT_FALSE(table_.Connect(key, 2, now_));
  EXPECT_TRUE(table_.Connect(Key("192.0.2.2"), 2, now_));
  table_.Disconnect(key);
  EXPECT_TRUE(table_.Connect(key, 2, now_));
  EXPECT_TRUE(table_.Connect(key, 0, now_)) << "0 is no limit";
}

TEST_F(AddressTableTest, A64OfIpv6IsOneAddressAndMappedIsIpv4) {
  EXPECT_EQ(Key("2001:db8::1"), Key("2001:db8::ffff:1"));
  EXPECT_FALSE(Key("2001:db8::1") == Key("2001:db8:0:1::1"));
  EXPECT_EQ(Key("::ffff:192.0.2.1"), Key("192.0.2.1"));
}

TEST_F(AddressTableTest, FailuresThrottleUntilTheWindowHasPassed) {
  const conf::Rate rate{3, 60s};
  const AddressKey key = Key("192.0.2.1");
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(table_.Throttled(key, rate, now_));
    table_.Failed(key, rate, now_);
  }
  EXPECT_TRUE(table_.Throttled(key, rate, now_ + 59s));
  EXPECT_FALSE(table_.Throttled(Key("192.0.2.2"), rate, now_)) << "nobody pays for another";
  EXPECT_EQ(table_.ThrottledNow(rate, now_, 10).size(), 1u);
  EXPECT_FALSE(table_.Throttled(key, rate, now_ + 60s));
  table_.Failed(key, rate, now_ + 61s);
  EXPECT_FALSE(table_.Throttled(key, rate, now_ + 61s)) << "the count starts afresh";
}

TEST_F(AddressTableTest, HandshakesHaveAWindow) {
  const conf::Rate rate{2, 1s};
  const AddressKey key = Key("2001:db8::1");
  EXPECT_TRUE(table_.Handshake(key, rate, now_));
  EXPECT_TRUE(table_.Handshake(key, rate, now_));
  EXPECT_FALSE(table_.Handshake(key, rate, now_));
  EXPECT_TRUE(table_.Handshake(key, rate, now_ + 1s));
}

TEST_F(AddressTableTest, ManyAddressesPushOutTheColdestButNoneThatIsConnected) {
  const conf::Rate rate{1, 3600s};
  const AddressKey connected = Key("192.0.2.1");
  EXPECT_TRUE(table_.Connect(connected, 1, now_));
  table_.Failed(connected, rate, now_);
  for (uint32_t i = 0; i < 4 * AddressTable::kMaxAddresses; ++i) {
    AddressKey key;
    key.bytes[0] = 0x20;
    for (int b = 0; b < 4; ++b) key.bytes[4 + b] = static_cast<uint8_t>(i >> (8 * b));
    table_.Failed(key, rate, now_);
  }
  EXPECT_FALSE(table_.Connect(connected, 1, now_));
  EXPECT_TRUE(table_.Throttled(connected, rate, now_));
  EXPECT_LE(table_.ThrottledNow(rate, now_, 1'000'000).size(), AddressTable::kMaxAddresses);
}

}  // namespace
}  // namespace postern
