#include "filters/login.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using namespace std::string_view_literals;

TEST(Credentials, AnyTextButNoControls) {
  EXPECT_TRUE(IsCleanCredential("p\"a\\s {5} 100% %n"));
  EXPECT_TRUE(
      IsCleanCredential("gr\xc3\xbc\xc3\x9f"
                        "e \xff\x80"));
  EXPECT_TRUE(IsCleanCredential(""));
  for (const std::string_view bad : {"\0"sv, "a\rb"sv, "a\n"sv, "\t"sv, "\x1b"sv, "\x7f"sv}) {
    EXPECT_FALSE(IsCleanCredential(bad));
  }
}

TEST(Credentials, PlainByRfc4616) {
  const auto login = ParsePlain("\0fred\0se cret"sv);
  ASSERT_TRUE(login);
  EXPECT_EQ(login->user, "fred");
  EXPECT_EQ(login->password.Reveal(), "se cret");
  EXPECT_TRUE(ParsePlain("fred\0fred\0x"sv));
  for (const std::string_view bad :
       {""sv, "\0"sv, "\0fred"sv, "\0\0x"sv, "boss\0fred\0x"sv, "Fred\0fred\0x"sv, "\0fred\0x\0"sv,
        "\0fred\0x\0y"sv, "\0fr\ned\0x"sv, "\0fred\0x\r\nDATA"sv, "fred\0\0x"sv}) {
    EXPECT_FALSE(ParsePlain(bad));
  }
}

TEST(Credentials, LongestOnesAreTaken) {
  EXPECT_TRUE(CheckLogin(std::string(kMaxUser, 'u'), std::string(kMaxPassword, 'p')));
  EXPECT_FALSE(CheckLogin(std::string(kMaxUser + 1, 'u'), "p"));
  EXPECT_FALSE(CheckLogin("u", std::string(kMaxPassword + 1, 'p')));
  EXPECT_FALSE(CheckLogin("", "p"));
  EXPECT_TRUE(CheckLogin("u", ""));
}

UserRule MakeRule(const char* match, const char* replace) {
  return UserRule{std::regex(match, std::regex::ECMAScript), replace};
}

TEST(RewriteUser, FirstRuleThatMatchesIsTheOnlyOne) {
  FilterOptions options;
  options.users.push_back(MakeRule("@example\\.org$", ""));
  options.users.push_back(MakeRule("^(\\w+)\\.(\\w+)$", "$2_$1<$&>"));
  options.users.push_back(MakeRule("a", "b"));
  EXPECT_EQ(RewriteUser(options, "ann@example.org"), "ann");
  EXPECT_EQ(RewriteUser(options, "ann.lee"), "lee_ann<ann.lee>");
  EXPECT_EQ(RewriteUser(options, "banana"), "bbnana");
  EXPECT_EQ(RewriteUser(options, "fred"), "fred");
}

TEST(RewriteUser, RefusesWhatABackendMustNotGet) {
  FilterOptions options;
  options.users.push_back(MakeRule("^gone$", ""));
  options.users.push_back(MakeRule("^evil$", "a\r\nb"));
  options.users.push_back(MakeRule("^(long)$", "$1$1"));
  options.users.push_back(MakeRule("^x+$", std::string(kMaxUser + 1, 'y').c_str()));
  EXPECT_EQ(RewriteUser(options, "gone"), std::nullopt);
  EXPECT_EQ(RewriteUser(options, "evil"), std::nullopt);
  EXPECT_EQ(RewriteUser(options, "xx"), std::nullopt);
  EXPECT_EQ(RewriteUser(options, "long"), "longlong");
}

TEST(RewriteUser, SpellsForExchange2003) {
  FilterOptions options;
  options.spelling = UserSpelling::kDomainBackslash;
  EXPECT_EQ(RewriteUser(options, "fred"), "fred");
  options.domain = "CORP";
  EXPECT_EQ(RewriteUser(options, "fred"), "CORP\\fred");
  EXPECT_EQ(RewriteUser(options, "OTHER\\fred"), "OTHER\\fred");
  EXPECT_EQ(RewriteUser(options, "OTHER/fred"), "OTHER/fred");
  EXPECT_EQ(RewriteUser(options, "fred@corp.example"), "fred@corp.example");
}

TEST(RewriteUser, SpellsForExchange55) {
  FilterOptions options;
  options.spelling = UserSpelling::kDomainSlash;
  options.domain = "CORP";
  EXPECT_EQ(RewriteUser(options, "fred"), "CORP/fred");
  EXPECT_EQ(RewriteUser(options, "fred/info"), "CORP/fred/info");
  EXPECT_EQ(RewriteUser(options, "corp/fred"), "corp/fred");
  EXPECT_EQ(RewriteUser(options, "OTHER/fred/info"), "OTHER/fred/info");
  EXPECT_EQ(RewriteUser(options, "OTHER\\fred"), "OTHER\\fred");
}

TEST(RewriteUser, RulesComeBeforeTheSpelling) {
  FilterOptions options;
  options.users.push_back(MakeRule("@.*$", ""));
  options.spelling = UserSpelling::kDomainBackslash;
  options.domain = "CORP";
  EXPECT_EQ(RewriteUser(options, "fred@example.org"), "CORP\\fred");
}

const std::vector<std::string> kAll = {"PLAIN",         "login",       "CRAM-MD5", "NTLM",
                                       "SCRAM-SHA-256", "scram-sha-1", "GSSAPI"};

TEST(ChooseMechanism, AutoGoesDownOneByOne) {
  FilterOptions options;
  options.to_backend = ToBackend::kAuto;
  std::vector<std::string> shown = kAll;
  const auto choose = [&](bool stamp, bool basic) {
    return ChooseMechanism(options, Mechanism::kBasic, shown, stamp, basic);
  };
  const auto lose = [&](std::string_view name) {
    std::erase_if(shown, [name](const std::string& other) { return other == name; });
  };
  EXPECT_EQ(choose(true, true), Mechanism::kScramSha256);
  lose("SCRAM-SHA-256");
  EXPECT_EQ(choose(true, true), Mechanism::kScramSha1);
  lose("scram-sha-1");
  EXPECT_EQ(choose(true, true), Mechanism::kNtlm);
  lose("NTLM");
  EXPECT_EQ(choose(true, true), Mechanism::kCramMd5);
  lose("CRAM-MD5");
  EXPECT_EQ(choose(true, true), Mechanism::kApop);
  EXPECT_EQ(choose(false, true), Mechanism::kBasic);
  EXPECT_EQ(choose(false, false), Mechanism::kPlain);
  lose("PLAIN");
  EXPECT_EQ(choose(false, false), Mechanism::kLogin);
  lose("login");
  EXPECT_EQ(choose(false, false), std::nullopt);
}

TEST(ChooseMechanism, NeverSomethingWeakerThanConfigured) {
  FilterOptions options;
  const std::vector<std::string> plain = {"PLAIN", "LOGIN"};
  for (const ToBackend wanted : {ToBackend::kApop, ToBackend::kCramMd5, ToBackend::kNtlm,
                                 ToBackend::kScramSha1, ToBackend::kScramSha256}) {
    options.to_backend = wanted;
    EXPECT_EQ(ChooseMechanism(options, Mechanism::kBasic, plain, false, true), std::nullopt);
  }
  options.to_backend = ToBackend::kBasic;
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kBasic, plain, false, false), std::nullopt);
  options.to_backend = ToBackend::kPlain;
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kBasic, {"LOGIN"}, true, true), std::nullopt);
}

TEST(ChooseMechanism, SameStaysWhereItCanAndElseEquallyStrong) {
  const FilterOptions options;
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kPlain, kAll, false, true), Mechanism::kPlain);
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kLogin, kAll, false, true), Mechanism::kLogin);
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kBasic, kAll, false, true), Mechanism::kBasic);
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kPlain, {}, false, true), Mechanism::kBasic);
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kBasic, {"LOGIN"}, false, false),
            Mechanism::kLogin);
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kPlain, {"NTLM"}, true, false), std::nullopt);
}

TEST(ChooseMechanism, AProfilesBansHold) {
  FilterOptions options;
  options.to_backend = ToBackend::kAuto;
  options.auth_hidden = {"PLAIN", "NTLM", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "APOP"};
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kBasic, kAll, true, false), Mechanism::kLogin);
  options.to_backend = ToBackend::kPlain;
  EXPECT_EQ(ChooseMechanism(options, Mechanism::kBasic, kAll, true, true), std::nullopt);
}

TEST(LoginSeed, DiffersByLoginAndBySession) {
  SessionInfo info;
  const auto first = LoginSeed(info, 1);
  EXPECT_NE(first, LoginSeed(info, 2));
  EXPECT_EQ(first, LoginSeed(info, 1));
  info.seed[0] = 1;
  EXPECT_NE(first, LoginSeed(info, 1));
}

}  // namespace
}  // namespace postern
