#include "filters/smtp/smtp_command.h"

#include <gtest/gtest.h>

namespace postern::smtp {
namespace {

Verb VerbOf(std::string_view line, const FilterOptions& options = {}) {
  return ParseCommand(options, line).verb;
}

TEST(SmtpCommand, KnowsVerbsInAnyCase) {
  EXPECT_EQ(VerbOf("MAIL FROM:<a@b>"), Verb::kMail);
  EXPECT_EQ(VerbOf("rcpt to:<a@b>"), Verb::kRcpt);
  EXPECT_EQ(VerbOf("StartTLS"), Verb::kStartTls);
  EXPECT_EQ(VerbOf("TLS"), Verb::kStartTls);
  EXPECT_EQ(VerbOf("data"), Verb::kData);
}

TEST(SmtpCommand, TakesNothingElseForOne) {
  for (const char* line : {"", " NOOP", "\"NOOP\"", "{4}", "NOOPX", "MAIL\tFROM:<>", "XCLIENT a=b",
                           "X-EXPS NTLM", "BDAT:5", "\xc3\xa9"}) {
    EXPECT_EQ(VerbOf(line), Verb::kUnknown) << line;
  }
  EXPECT_EQ(VerbOf("GET / HTTP/1.1"), Verb::kHttp);
}

TEST(SmtpCommand, SplitsAtTheFirstBlank) {
  const FilterOptions options;
  const Command command = ParseCommand(options, "AUTH  PLAIN x");
  EXPECT_EQ(command.word, "AUTH");
  EXPECT_EQ(command.arguments, " PLAIN x");
  EXPECT_EQ(ParseCommand(options, "QUIT").arguments, "");
}

TEST(SmtpCommand, AllowsWhatIsNamed) {
  FilterOptions options;
  options.allow = {"XFORWARD", "X-EXPS"};
  EXPECT_EQ(VerbOf("xforward NAME=a", options), Verb::kAllowed);
  EXPECT_EQ(VerbOf("X-EXPS NTLM", options), Verb::kAuth);
  EXPECT_EQ(VerbOf("XCLIENT NAME=a", options), Verb::kUnknown);
}

TEST(SmtpCommand, AllowWinsOverTheBuiltInDeny) {
  FilterOptions options;
  options.deny = {"VRFY", "EXPN"};
  options.allow = {"VRFY"};
  EXPECT_FALSE(IsDenied(options, ParseCommand(options, "VRFY a")));
  EXPECT_TRUE(IsDenied(options, ParseCommand(options, "expn a")));
}

TEST(SmtpCommand, DenyingStartTlsDeniesItsOldName) {
  FilterOptions options;
  options.deny = {"STARTTLS"};
  EXPECT_TRUE(IsDenied(options, ParseCommand(options, "TLS")));
}

TEST(SmtpCommand, KnowsWhatMayComeBeforeTls) {
  const FilterOptions options;
  for (const char* line :
       {"EHLO", "HELO", "LHLO", "STARTTLS", "NOOP", "RSET", "QUIT", "HELP", "auth"}) {
    EXPECT_TRUE(ParseCommand(options, line).before_tls()) << line;
  }
  for (const char* line : {"MAIL", "RCPT", "DATA", "BDAT", "VRFY", "EXPN", "ETRN", "XFOO", ""}) {
    EXPECT_FALSE(ParseCommand(options, line).before_tls()) << line;
  }
}

TEST(SmtpChunk, ReadsSizes) {
  EXPECT_EQ(ParseChunk("0")->size, 0u);
  EXPECT_FALSE(ParseChunk("86")->last);
  EXPECT_TRUE(ParseChunk("86 LAST")->last);
  EXPECT_TRUE(ParseChunk("86 last")->last);
  EXPECT_EQ(ParseChunk("010")->size, 10u);
  EXPECT_EQ(ParseChunk("2147418112")->size, kMaxChunk);
}

TEST(SmtpChunk, RefusesWhatIsNone) {
  for (const char* text : {"", " ", "LAST", "-1", "+1", "0x10", "1 2", "1  LAST", "1 LAST ",
                           "1 LASTX", "2147418113", "4294967296", "9223372036854775808",
                           "18446744073709551616", "99999999999999999999999", "1.0", "1\t"}) {
    EXPECT_FALSE(ParseChunk(text)) << text;
  }
}

}  // namespace
}  // namespace postern::smtp
