#include "filters/smtp/smtp_reply.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::smtp {
namespace {

TEST(SmtpReply, ReadsTheThreeForms) {
  const auto middle = ParseReplyLine("250-SIZE 5");
  ASSERT_TRUE(middle);
  EXPECT_EQ(middle->code, 250);
  EXPECT_FALSE(middle->last);
  EXPECT_EQ(middle->text, "SIZE 5");

  const auto last = ParseReplyLine("354 go");
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->last);
  EXPECT_EQ(last->text, "go");

  const auto bare = ParseReplyLine("334");
  ASSERT_TRUE(bare);
  EXPECT_TRUE(bare->last);
  EXPECT_EQ(bare->text, "");
}

TEST(SmtpReply, RefusesWhatIsNone) {
  using namespace std::string_literals;
  for (const std::string& line :
       {""s, "25"s, "ok"s, "250ok"s, "2500 ok"s, "150 wait"s, "650 what"s, "a50 x"s, "25x ok"s,
        "250\tok"s, "250 a\rb"s, "250 a\0b"s, "* OK"s, "+OK"s, " 250 ok"s, "250_ok"s}) {
    EXPECT_FALSE(ParseReplyLine(line)) << line;
  }
}

}  // namespace
}  // namespace postern::smtp
