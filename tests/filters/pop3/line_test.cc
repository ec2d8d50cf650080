#include "filters/pop3/line.h"

#include <gtest/gtest.h>

#include <string>

namespace postern::pop3 {
namespace {

using Result = LineFinder::Result;

TEST(LineFinder, FindsLinesByTheirEnd) {
  LineFinder finder;
  Line line;
  ASSERT_EQ(finder.Find("USER fred\r\nPASS x\r\n", 100, line), Result::kLine);
  EXPECT_EQ(line.text, "USER fred");
  EXPECT_EQ(line.size, 11u);
  EXPECT_TRUE(line.crlf);
  EXPECT_EQ(line.word(), "USER");
  EXPECT_EQ(line.arguments(), "fred");
  finder.Reset();
  ASSERT_EQ(finder.Find("NOOP\n", 100, line), Result::kLine);
  EXPECT_EQ(line.text, "NOOP");
  EXPECT_FALSE(line.crlf);
  EXPECT_EQ(line.arguments(), "");
}

TEST(LineFinder, GoesOnWhereItStoppedLooking) {
  const std::string input = "USER fred\r\n";
  LineFinder finder;
  Line line;
  for (size_t size = 0; size < input.size(); ++size) {
    ASSERT_EQ(finder.Find(std::string_view(input).substr(0, size), 100, line), Result::kIncomplete);
  }
  ASSERT_EQ(finder.Find(input, 100, line), Result::kLine);
  // A command that had to wait is found again.
  const std::string more = input + "NOOP\r\n";
  ASSERT_EQ(finder.Find(more, 100, line), Result::kLine);
  EXPECT_EQ(line.text, "USER fred");
}

TEST(LineFinder, CountsTheEndAmongTheBytesOfALine) {
  LineFinder finder;
  Line line;
  EXPECT_EQ(finder.Find("12345678\r\n", 10, line), Result::kLine);
  finder.Reset();
  EXPECT_EQ(finder.Find("123456789\r\n", 10, line), Result::kTooLong);
  finder.Reset();
  EXPECT_EQ(finder.Find("123456789", 10, line), Result::kIncomplete);
}

TEST(FaultOf, SeesNulAndCrInALine) {
  using namespace std::string_view_literals;
  EXPECT_EQ(FaultOf({"USER a", 8, true}), std::nullopt);
  EXPECT_EQ(FaultOf({"US\0ER"sv, 7, true}), ProtocolFault::kNul);
  EXPECT_EQ(FaultOf({"USER\ra", 8, true}), ProtocolFault::kBareLf);
  EXPECT_EQ(FaultOf({"USER a\r", 9, true}), ProtocolFault::kBareLf);
}

TEST(StatusOf, TakesOnlyWholeWords) {
  EXPECT_EQ(StatusOf("+OK"), Status::kOk);
  EXPECT_EQ(StatusOf("+ok hello"), Status::kOk);
  EXPECT_EQ(StatusOf("-ERR no"), Status::kErr);
  EXPECT_EQ(StatusOf("+"), Status::kContinue);
  EXPECT_EQ(StatusOf("+ "), Status::kContinue);
  EXPECT_EQ(StatusOf("+ OK"), Status::kContinue);
  EXPECT_EQ(StatusOf("+abc"), Status::kContinue);
  EXPECT_EQ(StatusOf("+OKAY"), Status::kOther);
  EXPECT_EQ(StatusOf(""), Status::kOther);
  EXPECT_EQ(StatusOf(" +OK"), Status::kOther);
  EXPECT_EQ(ChallengeOf("+"), "");
  EXPECT_EQ(ChallengeOf("+ "), "");
  EXPECT_EQ(ChallengeOf("+ abc"), "abc");
  EXPECT_EQ(ChallengeOf("+abc"), "abc");
}

TEST(IsTemporary, KnowsTheCodesThatAreNoVerdict) {
  EXPECT_TRUE(IsTemporary("-ERR [SYS/TEMP] later"));
  EXPECT_TRUE(IsTemporary("-ERR [sys/perm] never"));
  EXPECT_TRUE(IsTemporary("-ERR [IN-USE] locked"));
  EXPECT_TRUE(IsTemporary("-ERR [LOGIN-DELAY] slowly"));
  EXPECT_FALSE(IsTemporary("-ERR [AUTH] wrong"));
  EXPECT_FALSE(IsTemporary("-ERR wrong [SYS/TEMP]"));
  EXPECT_FALSE(IsTemporary("-ERR"));
}

}  // namespace
}  // namespace postern::pop3
