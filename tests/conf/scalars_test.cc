#include "conf/scalars.h"

#include <gtest/gtest.h>

namespace postern::conf {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(Scalars, Durations) {
  EXPECT_EQ(ParseDuration("250ms").value, milliseconds(250));
  EXPECT_EQ(ParseDuration("30s").value, seconds(30));
  EXPECT_EQ(ParseDuration("35m").value, minutes(35));
  EXPECT_EQ(ParseDuration("1h").value, hours(1));
  EXPECT_EQ(ParseDuration("0").value, milliseconds(0));
  EXPECT_EQ(ParseDuration("0s").value, milliseconds(0));
  EXPECT_EQ(ParseDuration("24000h").value, kMaxDuration);
  for (const char* text : {"", "s", "30", "30 s", "-1s", "+1s", "1.5s", "1d", "30S", "1h30m",
                           "30sec", "24001h", "999999999999999999999h", "18446744073709551615ms"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
  EXPECT_FALSE(ParseTimeout("0s"));
  EXPECT_TRUE(ParseTimeout("1ms"));
}

TEST(Scalars, Sizes) {
  EXPECT_EQ(ParseSize("16KiB").value, 16384u);
  EXPECT_EQ(ParseSize("16kib").value, 16384u);
  EXPECT_EQ(ParseSize("1MiB").value, 1048576u);
  EXPECT_EQ(ParseSize("64KB").value, 64000u);
  EXPECT_EQ(ParseSize("4096").value, 4096u);
  EXPECT_EQ(ParseSize("4096B").value, 4096u);
  EXPECT_EQ(ParseSize("0").value, 0u);
  for (const char* text : {"", "KiB", "16 KiB", "16K", "16k", "-1", "1.5MiB", "0x10", "2TiB",
                           "99999999999999999GiB"}) {
    EXPECT_FALSE(ParseSize(text)) << text;
  }
}

TEST(Scalars, Rates) {
  EXPECT_EQ(ParseRate("1200/1m").value, (Rate{1200, minutes(1)}));
  EXPECT_EQ(ParseRate("20/5m").value, (Rate{20, minutes(5)}));
  EXPECT_TRUE(ParseRate("0").value->off());
  EXPECT_TRUE(ParseRate("0/1m").value->off());
  for (const char* text :
       {"", "20", "20/", "/5m", "20/5", "20/0s", "20/10ms", "20/25h", "a/5m", "20 / 5m", "-1/5m"}) {
    EXPECT_FALSE(ParseRate(text)) << text;
  }
}

TEST(Scalars, CountsAndFlags) {
  EXPECT_EQ(ParseCount("0").value, 0u);
  EXPECT_EQ(ParseCount("20000").value, 20000u);
  for (const char* text : {"", "-1", "1.5", "1e3", "0x10", "1000000001", "ten", " 1"}) {
    EXPECT_FALSE(ParseCount(text)) << text;
  }
  for (const char* text : {"true", "True", "yes", "on", "ON"}) {
    EXPECT_EQ(ParseFlag(text).value, true) << text;
  }
  for (const char* text : {"false", "FALSE", "no", "off"}) {
    EXPECT_EQ(ParseFlag(text).value, false) << text;
  }
  for (const char* text : {"", "1", "0", "y", "maybe"}) EXPECT_FALSE(ParseFlag(text)) << text;
}

TEST(Scalars, Names) {
  EXPECT_TRUE(ParseName("imap-127.0.0.1:993_x"));
  EXPECT_FALSE(ParseName(""));
  EXPECT_FALSE(ParseName("a b"));
  EXPECT_FALSE(ParseName("a/b"));
  EXPECT_FALSE(ParseName(std::string(kMaxName + 1, 'a')));
  EXPECT_EQ(ParseMechanism("cram-md5").value, "CRAM-MD5");
  EXPECT_EQ(ParseMechanism("*").value, "*");
  EXPECT_FALSE(ParseMechanism("CRAM MD5"));
  EXPECT_FALSE(ParseMechanism(std::string(kMaxMechanism + 1, 'A')));
  EXPECT_EQ(ParseCommand("x-link2state").value, "X-LINK2STATE");
  EXPECT_FALSE(ParseCommand("X EXPS"));
  EXPECT_FALSE(ParseText("a\nb"));
  EXPECT_TRUE(ParseText("übung"));
  EXPECT_EQ(ParseHostName("Mail.Example").value, "mail.example");
  EXPECT_EQ(ParseHostName("::1").value, "::1");
  EXPECT_EQ(ParseHostName("[::1]").value, "::1");
  EXPECT_EQ(ParseHostName("").value, "");
  EXPECT_FALSE(ParseHostName("mail:993"));
  EXPECT_FALSE(ParseHostName("a b"));
}

TEST(Scalars, ExpressionsThatAreNone) {
  for (const char* text : {"(", "[a", "a{", "*", "\\", "(a)\\2", "[z-a]", "(?<=x)"}) {
    EXPECT_FALSE(ParseExpression(text)) << text;
  }
  EXPECT_FALSE(ParseExpression(std::string(kMaxExpression + 1, 'a')));
  EXPECT_FALSE(ParseExpression("((a{1000}){1000}){1000}"));
  EXPECT_TRUE(ParseExpression("^([^@]+)@example\\.com$"));
  EXPECT_TRUE(HasBackReference("(a)\\1"));
  EXPECT_FALSE(HasBackReference("(a)\\\\1"));
  EXPECT_FALSE(HasBackReference("\\d"));
}

}  // namespace
}  // namespace postern::conf
