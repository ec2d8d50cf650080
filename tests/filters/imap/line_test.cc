#include <gtest/gtest.h>

#include <string>

#include "filters/imap/imap_line.h"

namespace postern::imap {
namespace {

// What the scanner says when the input grows byte by byte, at the first byte where it says
// anything.
LineState Grow(std::string_view input, size_t limit) {
  LineScanner scanner;
  Line line;
  for (size_t size = 1; size <= input.size(); ++size) {
    const LineState state = scanner.Next(input.substr(0, size), limit, line);
    if (state != LineState::kPartial) return state;
  }
  return LineState::kPartial;
}

LineState Whole(std::string_view input, size_t limit) {
  LineScanner scanner;
  Line line;
  return scanner.Next(input, limit, line);
}

void Expect(std::string_view input, size_t limit, LineState state) {
  EXPECT_EQ(Whole(input, limit), state) << input;
  EXPECT_EQ(Grow(input, limit), state) << input;
}

TEST(LineScanner, SaysTheSameHoweverTheInputIsCut) {
  using std::string_view_literals::operator""sv;
  Expect("a NOOP\r\nb", 16, LineState::kWhole);
  Expect("a NOOP\nb", 16, LineState::kWhole);
  Expect("a NOOP", 16, LineState::kPartial);
  Expect("a NOOP\r", 16, LineState::kPartial);
  Expect("a NO\0OP\r\n"sv, 16, LineState::kNul);
  Expect("a\r\0\r\n"sv, 16, LineState::kBareCr);
  Expect("a\0\rb\n"sv, 16, LineState::kNul);
  Expect("a\r\r\n", 16, LineState::kBareCr);
  Expect("a\rb", 16, LineState::kBareCr);
  Expect("0123\r\n", 4, LineState::kWhole);
  Expect("01234\r\n", 4, LineState::kTooLong);
  Expect("01234\n", 4, LineState::kTooLong);
  Expect("012345678", 4, LineState::kTooLong);
  Expect("0123456\0"sv, 4, LineState::kTooLong);
}

TEST(LineScanner, LeavesTheLineEndOut) {
  LineScanner scanner;
  Line line;
  ASSERT_EQ(scanner.Next("ab\r\ncd\n", 8, line), LineState::kWhole);
  EXPECT_EQ(line.text, "ab");
  EXPECT_EQ(line.size, 4U);
  scanner.Reset();
  ASSERT_EQ(scanner.Next("cd\n", 8, line), LineState::kWhole);
  EXPECT_EQ(line.text, "cd");
  EXPECT_EQ(line.size, 3U);
}

TEST(FindLiteral, TakesWhatRfc7888Has) {
  Literal literal;
  ASSERT_EQ(FindLiteral("a LOGIN {12}", literal), Tail::kLiteral);
  EXPECT_EQ(literal.size, 12U);
  EXPECT_TRUE(literal.synchronizing);
  EXPECT_EQ(literal.brace, 8U);
  ASSERT_EQ(FindLiteral("a X (~{007+}", literal), Tail::kLiteral);
  EXPECT_EQ(literal.size, 7U);
  EXPECT_FALSE(literal.synchronizing);
  EXPECT_TRUE(literal.binary);
}

TEST(FindLiteral, DoesNotWrapAround) {
  Literal literal;
  for (const char* text : {"{18446744073709551615}", "{18446744073709551616}",
                           "{18446744073709551620}", "{99999999999999999999999999}"}) {
    ASSERT_EQ(FindLiteral(text, literal), Tail::kLiteral) << text;
    EXPECT_EQ(literal.size, Literal::kHuge) << text;
  }
  ASSERT_EQ(FindLiteral("{4294967296}", literal), Tail::kLiteral);
  EXPECT_EQ(literal.size, uint64_t{1} << 32);
}

TEST(FindLiteral, IsWaryOfWhatAServerMightTakeForOne) {
  Literal literal;
  for (const char* text : {"a {}", "a {x}", "a {5-}", "a {5++}", "a {-5}", "a { 5}", "a b{5}",
                           "a \"b {5}", "a ~~{5}"}) {
    EXPECT_EQ(FindLiteral(text, literal), Tail::kOdd) << text;
  }
  for (const char* text : {"", "a", "a }", "a {5} ", "a {5}x", "a \"{5}\""}) {
    EXPECT_EQ(FindLiteral(text, literal), Tail::kNone) << text;
  }
}

}  // namespace
}  // namespace postern::imap
