#include "filters/smtp/smtp_ehlo.h"

#include <gtest/gtest.h>

namespace postern::smtp {
namespace {

FilterOptions Options() {
  FilterOptions options;
  options.protocol = Protocol::kSmtp;
  options.policy = Policy({{"CRAM-MD5", Rule::kAlways}, {"NTLM", Rule::kNever}}, Rule::kTls);
  options.deny = {"VRFY", "EXPN"};
  return options;
}

TEST(SmtpEhlo, ShowsNothingButTheName) {
  const FilterOptions options = Options();
  const EhloShown shown = ShowEhlo("mail", {"X-FOO", "STARTTLS"}, {options});
  EXPECT_EQ(shown.text, "250 mail\r\n");
  EXPECT_FALSE(shown.chunking);
}

TEST(SmtpEhlo, SaysWhetherChunksMayBeSent) {
  FilterOptions options = Options();
  EXPECT_TRUE(ShowEhlo("mail", {"CHUNKING"}, {options}).chunking);
  options.deny = {"BDAT"};
  const EhloShown shown = ShowEhlo("mail", {"CHUNKING", "BINARYMIME"}, {options});
  EXPECT_FALSE(shown.chunking);
  EXPECT_EQ(shown.text, "250 mail\r\n");
}

TEST(SmtpEhlo, JudgesMechanismsByChannel) {
  const FilterOptions options = Options();
  const std::vector<std::string> lines = {"AUTH PLAIN NTLM CRAM-MD5"};
  EXPECT_EQ(ShowEhlo("m", lines, {options, Channel::kClear}).text,
            "250-m\r\n250 AUTH CRAM-MD5\r\n");
  EXPECT_EQ(ShowEhlo("m", lines, {options, Channel::kTls}).text,
            "250-m\r\n250 AUTH PLAIN CRAM-MD5\r\n");
}

TEST(SmtpEhlo, ReadsWhatTheServerCan) {
  const Capabilities read =
      ReadEhlo({"auth GSSAPI ntlm", "AUTH=LOGIN NTLM", "Chunking", "XCLIENT name ADDR", "SIZE"});
  EXPECT_EQ(read.mechanisms, (std::vector<std::string>{"GSSAPI", "ntlm", "LOGIN"}));
  EXPECT_TRUE(read.chunking);
  EXPECT_EQ(read.xclient_attributes, (std::vector<std::string>{"NAME", "ADDR"}));
}

TEST(SmtpEhlo, BoundsTheMechanismsOfOneServer) {
  std::string line = "AUTH";
  for (int i = 0; i < 5000; ++i) line += " M" + std::to_string(i);
  EXPECT_LE(ReadEhlo({line, line}).mechanisms.size(), 64u);
}

TEST(SmtpEhlo, NeverLetsExternalOrBindingThrough) {
  FilterOptions options = Options();
  options.policy = Policy({}, Rule::kAlways);
  options.observe = true;
  for (const char* name : {"EXTERNAL", "external", "SCRAM-SHA-1-PLUS", "-PLUS"}) {
    EXPECT_EQ(JudgeMechanism(options, name, Channel::kTls).verdict, Verdict::kNever) << name;
  }
}

TEST(SmtpEhlo, ObservingAllowsAndSaysSo) {
  FilterOptions options = Options();
  options.observe = true;
  const Judgement judgement = JudgeMechanism(options, "PLAIN", Channel::kClear);
  EXPECT_EQ(judgement.verdict, Verdict::kAllow);
  EXPECT_TRUE(judgement.observed);
  EXPECT_FALSE(JudgeMechanism(options, "CRAM-MD5", Channel::kClear).observed);
}

TEST(SmtpEhlo, TakesOnlyBasicLoginsAtLogin) {
  FilterOptions options = Options();
  options.connect_at_login = true;
  options.auth_hidden = {"PLAIN"};
  EXPECT_EQ(JudgeMechanism(options, "PLAIN", Channel::kTls).verdict, Verdict::kAllow);
  EXPECT_EQ(JudgeMechanism(options, "CRAM-MD5", Channel::kTls).verdict, Verdict::kNever);
}

TEST(SmtpEhlo, KnowsWhetherPosternHasSomethingToShow) {
  FilterOptions options = Options();
  EXPECT_FALSE(HasOwnToShow({options, Channel::kTls, false}));
  EXPECT_TRUE(HasOwnToShow({options, Channel::kClear, true}));
  options.to_backend = ToBackend::kLogin;
  EXPECT_FALSE(HasOwnToShow({options, Channel::kClear, false}));
  EXPECT_TRUE(HasOwnToShow({options, Channel::kTls, false}));
}

}  // namespace
}  // namespace postern::smtp
