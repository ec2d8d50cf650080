#include "filters/text.h"

#include <gtest/gtest.h>

#include <random>

namespace postern {
namespace {

TEST(Text, ComparesWithoutCaseInAsciiAlone) {
  EXPECT_TRUE(EqualsIgnoreCase("StartTLS", "sTARTtls"));
  EXPECT_TRUE(EqualsIgnoreCase("", ""));
  EXPECT_FALSE(EqualsIgnoreCase("AUTH", "AUTH="));
  EXPECT_FALSE(EqualsIgnoreCase("[", "{"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`"));
  EXPECT_FALSE(EqualsIgnoreCase("\xc4", "\xe4"));
  EXPECT_TRUE(EqualsIgnoreCase("\xc4", "\xc4"));
}

TEST(Text, ComparesEveryByteAtEveryPlace) {
  const auto upper = [](int c) { return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c; };
  for (size_t size = 1; size <= 19; ++size) {
    for (size_t place = 0; place < size; ++place) {
      for (int first = 0; first < 256; ++first) {
        std::string a(size, 'x');
        std::string b(size, 'X');
        a[place] = static_cast<char>(first);
        for (const int second : {first, first ^ 0x20, first ^ 0x80, first + 1}) {
          b[place] = static_cast<char>(second);
          EXPECT_EQ(EqualsIgnoreCase(a, b), upper(first) == upper(second & 0xff))
              << size << ' ' << place << ' ' << first << ' ' << second;
        }
      }
    }
  }
}

TEST(Text, FindsPrefixes) {
  EXPECT_TRUE(StartsWithIgnoreCase("auth=LOGIN", "AUTH="));
  EXPECT_TRUE(StartsWithIgnoreCase("x", ""));
  EXPECT_FALSE(StartsWithIgnoreCase("AUT", "AUTH"));
}

TEST(Text, ToUpperLeavesOtherBytesAlone) {
  EXPECT_EQ(ToUpper("cram-md5 \xe4z{"), "CRAM-MD5 \xe4Z{");
}

TEST(Text, TakeWordKeepsFurtherBlanks) {
  std::string_view text = "PASS  two blanks";
  EXPECT_EQ(TakeWord(text), "PASS");
  EXPECT_EQ(text, " two blanks");
  EXPECT_EQ(TakeWord(text), "");
  EXPECT_EQ(text, "two blanks");
  EXPECT_EQ(TakeWord(text), "two");
  EXPECT_EQ(TakeWord(text), "blanks");
  EXPECT_EQ(TakeWord(text), "");
  EXPECT_TRUE(text.empty());
}

TEST(Text, Base64VectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
  };
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(Base64Encode(bytes), text);
    EXPECT_EQ(Base64Decode(text), bytes);
  }
}

TEST(Text, Base64RefusesWhatIsNotItsOneSpelling) {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "=", "Z===", "Zh==", "Zm9=", "Zm8=Zm8=", "Zm=v",
        "Zm9v\n", " Zm9", "Zm-_", "Zm9v====", "Zg==Zg==", "Zm\xc3\xa9", "*", "Zm 9"}) {
    EXPECT_EQ(Base64Decode(text), std::nullopt) << text;
  }
  EXPECT_EQ(Base64Decode(std::string_view("Zm\0v", 4)), std::nullopt);
}

TEST(Text, Base64ThereAndBack) {
  std::mt19937 random(7);
  for (size_t size = 0; size < 200; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    EXPECT_EQ(Base64Decode(Base64Encode(bytes)), bytes);
  }
}

TEST(Text, CommandNameIsPrintableAndShort) {
  EXPECT_EQ(CommandName("LOGIN"), "LOGIN");
  EXPECT_EQ(CommandName("a\x1b[31m\xff\x7f"), "a?[31m??");
  EXPECT_EQ(CommandName(std::string(500, 'x')), std::string(32, 'x'));
}

}  // namespace
}  // namespace postern
