#include "conf/address.h"

#include <gtest/gtest.h>

namespace postern::conf {
namespace {

TEST(Address, TakesTheFourSpellings) {
  EXPECT_EQ(ParseAddress("10.0.0.5:143").value,
            (Address{Address::Kind::kTcp, "10.0.0.5", 143, ""}));
  EXPECT_EQ(ParseAddress("[::1]:993").value, (Address{Address::Kind::kTcp, "::1", 993, ""}));
  EXPECT_EQ(ParseAddress(":25").value, (Address{Address::Kind::kTcp, "", 25, ""}));
  EXPECT_EQ(ParseAddress("unix:/run/imap").value,
            (Address{Address::Kind::kUnix, "", 0, "/run/imap"}));
  EXPECT_EQ(ParseAddress("Mail.Example.NET:65535").value->host, "mail.example.net");
}

TEST(Address, TextIsWhatParses) {
  for (const char* text : {"10.0.0.5:143", "[2001:db8::1]:993", ":25", "unix:/run/a b", "mx:25"}) {
    EXPECT_EQ(ParseAddress(text).value->Text(), text);
  }
  EXPECT_EQ(ParseAddress("[2001:DB8:0:0::1]:1").value->Text(), "[2001:db8::1]:1");
}

TEST(Address, RefusesEverythingElse) {
  for (const char* text : {"",
                           ":",
                           "993",
                           "host",
                           "host:",
                           ":0",
                           ":65536",
                           ":-1",
                           ":99999999999",
                           "host:9x",
                           "*:993",
                           "::1:993",
                           "[::1]",
                           "[::1]993",
                           "[::g]:1",
                           "[1.2.3.4]:1",
                           "[fe80::1%eth0]:1",
                           "256.0.0.1:1",
                           "1.2.3:1",
                           "ho st:1",
                           "host_/:1",
                           "-host:1",
                           ".host:1",
                           "unix:",
                           "unix:run/imap",
                           "/run/imap",
                           "unix:/run/",
                           "imap://host:143",
                           "http://user:secret@host",
                           "host:+1",
                           "host: 1"}) {
    const auto parsed = ParseAddress(text);
    EXPECT_FALSE(parsed) << text;
    EXPECT_FALSE(parsed.error.empty()) << text;
    EXPECT_EQ(parsed.error.find("secret"), std::string::npos);
  }
  EXPECT_TRUE(ParseAddress("unix:/" + std::string(kMaxUnixPath - 1, 'a')));
  EXPECT_FALSE(ParseAddress("unix:/" + std::string(kMaxUnixPath, 'a')));
  EXPECT_FALSE(ParseAddress("unix:/a\nb"));
  EXPECT_FALSE(ParseAddress(std::string(kMaxHostName + 1, 'a') + ":1"));
}

TEST(Address, KnowsWhatStaysOnTheMachine) {
  for (const char* text : {"127.0.0.1:1", "127.8.8.8:1", "[::1]:1", "localhost:1", "unix:/a",
                           "[::ffff:127.0.0.1]:1"}) {
    EXPECT_TRUE(ParseAddress(text).value->is_local()) << text;
  }
  for (const char* text : {":1", "0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.example.net:1"}) {
    EXPECT_FALSE(ParseAddress(text).value->is_local()) << text;
  }
  EXPECT_TRUE(ParseAddress("10.0.0.1:1").value->is_ip());
  EXPECT_FALSE(ParseAddress("host:1").value->is_ip());
  EXPECT_FALSE(ParseAddress(":1").value->is_ip());
}

TEST(Address, OverlapsWhereOnePortWouldBeBoundTwice) {
  const auto overlap = [](const char* a, const char* b) {
    const Address left = *ParseAddress(a).value;
    const Address right = *ParseAddress(b).value;
    EXPECT_EQ(Overlap(left, right), Overlap(right, left));
    return Overlap(left, right);
  };
  EXPECT_TRUE(overlap(":993", ":993"));
  EXPECT_TRUE(overlap(":993", "127.0.0.1:993"));
  EXPECT_TRUE(overlap(":993", "0.0.0.0:993"));
  EXPECT_TRUE(overlap(":993", "[::]:993"));
  EXPECT_TRUE(overlap("0.0.0.0:993", "10.0.0.1:993"));
  EXPECT_TRUE(overlap("[::]:993", "[::1]:993"));
  EXPECT_TRUE(overlap("unix:/a", "unix:/a"));
  EXPECT_FALSE(overlap("0.0.0.0:993", "[::]:993"));
  EXPECT_FALSE(overlap("0.0.0.0:993", "[::1]:993"));
  EXPECT_FALSE(overlap("[::]:993", "10.0.0.1:993"));
  EXPECT_FALSE(overlap("127.0.0.1:993", "[::1]:993"));
  EXPECT_FALSE(overlap(":993", ":995"));
  EXPECT_FALSE(overlap("unix:/a", "unix:/b"));
  EXPECT_FALSE(overlap("unix:/a", ":1"));
}

}  // namespace
}  // namespace postern::conf
