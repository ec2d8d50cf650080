// Who may log in how: the precedence of names, user rewriting, the table of `check --matrix`.
#include <gtest/gtest.h>

#include <regex>

#include "conf/matrix.h"
#include "tests/conf/loading.h"

namespace postern::conf {
namespace {

Auth AuthOf(std::string_view mechanisms) {
  return Good(OneListener("imap", "", "auth: { mechanisms: " + std::string(mechanisms) + " }\n"))
      .listeners[0]
      .auth;
}

TEST(Policy, TheMostSpecificNameCounts) {
  const Auth auth = AuthOf(R"({ PLAIN: never, BASIC: always, "*": tls, NTLM: always })");
  EXPECT_EQ(RuleFor(auth, "PLAIN"), Rule::kNever);
  EXPECT_EQ(RuleFor(auth, "LOGIN"), Rule::kAlways);
  EXPECT_EQ(RuleFor(auth, "BASIC"), Rule::kAlways);
  EXPECT_EQ(RuleFor(auth, "NTLM"), Rule::kAlways);
  EXPECT_EQ(RuleFor(auth, "CRAM-MD5"), Rule::kTls);
  EXPECT_EQ(RuleFor(auth, "APOP"), Rule::kTls);
  EXPECT_EQ(RuleFor(auth, "X-UNHEARD-OF"), Rule::kTls);
}

TEST(Policy, WithoutWordsEverythingIsForTlsAlone) {
  const Auth auth = Good(OneListener("imap", "")).listeners[0].auth;
  for (const char* name : {"BASIC", "PLAIN", "LOGIN", "NTLM", "APOP", "GSSAPI", "*"}) {
    EXPECT_EQ(RuleFor(auth, name), Rule::kTls) << name;
  }
}

TEST(Policy, BasicIsNotUnderTheStar) {
  const Auth auth = AuthOf(R"({ "*": never })");
  EXPECT_EQ(RuleFor(auth, "PLAIN"), Rule::kTls);
  EXPECT_EQ(RuleFor(auth, "NTLM"), Rule::kNever);
}

TEST(Policy, NamesHaveNoCase) {
  const Auth auth = AuthOf("{ basic: never, ntlm: always, Cram-Md5: never }");
  EXPECT_EQ(RuleFor(auth, "plain"), Rule::kNever);
  EXPECT_EQ(RuleFor(auth, "Ntlm"), Rule::kAlways);
  EXPECT_EQ(RuleFor(auth, "CRAM-MD5"), Rule::kNever);
}

TEST(Policy, WhatCannotPassAProxyIsNever) {
  const Auth auth = AuthOf(R"({ "*": always, EXTERNAL: always, SCRAM-SHA-1-PLUS: always })");
  for (const char* name : {"EXTERNAL", "external", "SCRAM-SHA-1-PLUS", "scram-sha-256-plus"}) {
    EXPECT_EQ(RuleFor(auth, name), Rule::kNever) << name;
  }
}

TEST(Policy, AListenersMechanismsAreLaidOverNameByName) {
  const Config config = Good(OneListener(
      "imap", ", auth: { mechanisms: { ntlm: never, PLAIN: always } }",
      "auth: { mechanisms: { NTLM: always, CRAM-MD5: always, \"*\": never }, domain: D }\n"));
  const Auth& auth = config.listeners[0].auth;
  EXPECT_EQ(RuleFor(auth, "NTLM"), Rule::kNever);
  EXPECT_EQ(RuleFor(auth, "CRAM-MD5"), Rule::kAlways);
  EXPECT_EQ(RuleFor(auth, "PLAIN"), Rule::kAlways);
  EXPECT_EQ(RuleFor(auth, "LOGIN"), Rule::kTls);
  EXPECT_EQ(RuleFor(auth, "GSSAPI"), Rule::kNever);
  EXPECT_EQ(auth.domain, "D");
}

TEST(Users, ANameMadeToBeSlowIsNotSlow) {
  const Config config =
      Good(OneListener("imap", "", R"y(auth: { users: [ { match: "^(a+)+$", replace: "x" } ] }
)y"));
  const std::string name = std::string(500, 'a') + "!";
  EXPECT_FALSE(std::regex_search(name, config.listeners[0].auth.users[0].regex));
  EXPECT_TRUE(std::regex_search(std::string(500, 'a'), config.listeners[0].auth.users[0].regex));
}

TEST(Users, AreExpressionsAsPeopleWriteThem) {
  const auto rewritten = [](std::string_view users, const std::string& name) {
    const Config config =
        Good(OneListener("imap", "", "auth: { users: [ " + std::string(users) + " ] }\n"));
    const UserRule& rule = config.listeners[0].auth.users[0];
    return std::regex_replace(name, rule.regex, rule.replace,
                              std::regex_constants::format_first_only);
  };
  EXPECT_EQ(rewritten(R"y({ match: "@example\\.com$", replace: "" })y", "fred@example.com"),
            "fred");
  EXPECT_EQ(rewritten(R"y({ match: "(.*)@(.*)", replace: "$2\\$1" })y", "u@d"), "d\\u");
  EXPECT_EQ(rewritten(R"y({ match: "^", replace: 'EXAMPLE\' })y", "fred"), "EXAMPLE\\fred");
}

std::string Cell(const Config& config, std::string_view mechanism, bool inside_tls) {
  const Listener& listener = config.listeners[0];
  return CellOf(listener, config.backends[listener.backend], mechanism, inside_tls).Text();
}

TEST(Matrix, SaysWhatBecomesOfALogIn) {
  const Config config =
      Good(OneListener("imap", ", tls: starttls",
                       "auth: { mechanisms: { BASIC: tls, NTLM: always, \"*\": never } }\n"));
  EXPECT_EQ(Cell(config, "BASIC", false), "blocked");
  EXPECT_EQ(Cell(config, "BASIC", true), "shown, passed");
  EXPECT_EQ(Cell(config, "ntlm", false), "shown, passed");
  EXPECT_EQ(Cell(config, "GSSAPI", true), "blocked");
  EXPECT_EQ(Cell(config, "EXTERNAL", true), "blocked");
}

TEST(Matrix, AChannelThatIsNotThereHasNoWord) {
  EXPECT_EQ(Cell(Good(OneListener("imap", ", tls: implicit")), "BASIC", false), "-");
  EXPECT_EQ(Cell(Good(OneListener("imap", ", tls: none")), "BASIC", true), "-");
}

TEST(Matrix, NamesTheMechanismForTheBackend) {
  const Config ntlm = Good(OneListener("pop3", "", "auth: { to_backend: ntlm }\n"));
  EXPECT_EQ(Cell(ntlm, "BASIC", true), "shown, rewritten to NTLM");
  EXPECT_EQ(Cell(ntlm, "PLAIN", true), "shown, rewritten to NTLM");
  EXPECT_EQ(Cell(ntlm, "CRAM-MD5", true), "shown, passed");
  EXPECT_EQ(Cell(Good(OneListener("pop3", "", "auth: { to_backend: auto }\n")), "LOGIN", true),
            "shown, rewritten to auto");
  EXPECT_EQ(Cell(Good(OneListener("pop3", "", "auth: { users: [ { match: a, replace: b } ] }\n")),
                 "BASIC", true),
            "shown, rewritten to the same, as another user");
}

TEST(Matrix, KnowsWhatAProfileDoesToALogIn) {
  const auto config = [](std::string_view auth) {
    return Good(
        OneListener("imap", ", backend: e" + std::string(auth),
                    "backends: { e: { servers: [\"127.0.0.1:1\"], profile: exchange-5.5 } }\n"));
  };
  EXPECT_EQ(Cell(config(""), "PLAIN", true), "blocked");
  EXPECT_EQ(Cell(config(""), "LOGIN", true), "shown, passed");
  EXPECT_EQ(Cell(config(", auth: { domain: D }"), "PLAIN", true),
            "shown, rewritten to the same, as another user");
}

TEST(Matrix, AtLoginTakesBasicAlone) {
  const Config config =
      Good(OneListener("imap", ", backend: late",
                       "backends: { late: { servers: [\"127.0.0.1:1\"], connect: at_login } }\n"));
  EXPECT_EQ(Cell(config, "PLAIN", true), "shown, passed");
  EXPECT_EQ(Cell(config, "NTLM", true), "blocked");
}

TEST(Matrix, ObservingBlocksNothingAndSaysSo) {
  const Config config = Good(OneListener(
      "imap", ", tls: starttls", "auth: { enforce: observe, mechanisms: { \"*\": never } }\n"));
  EXPECT_EQ(Cell(config, "BASIC", false), "shown, passed, observed");
  EXPECT_EQ(Cell(config, "BASIC", true), "shown, passed");
  EXPECT_EQ(Cell(config, "NTLM", true), "shown, passed, observed");
  EXPECT_EQ(Cell(config, "EXTERNAL", true), "blocked");
}

TEST(Matrix, HasARowForEachNameThatCounts) {
  const auto imap = MatrixOf(Good(OneListener("imap", ", auth: { mechanisms: { X-OWN: never } }")));
  ASSERT_EQ(imap.size(), 1u);
  const auto has = [](const MatrixTable& table, std::string_view name) {
    return std::any_of(table.rows.begin(), table.rows.end(),
                       [&](const MatrixRow& row) { return row.mechanism == name; });
  };
  EXPECT_EQ(imap[0].rows.front().mechanism, "BASIC");
  EXPECT_EQ(imap[0].rows.back().mechanism, "*");
  EXPECT_TRUE(has(imap[0], "X-OWN"));
  EXPECT_FALSE(has(imap[0], "APOP"));
  EXPECT_TRUE(has(MatrixOf(Good(OneListener("pop3", "")))[0], "APOP"));
}

TEST(Matrix, TextIsAligned) {
  const std::string text = MatrixText(MatrixOf(Good(OneListener("pop3", ", tls: starttls"))));
  EXPECT_TRUE(
      text.starts_with("pop3-9000: pop3 at 127.0.0.1:9000, tls starttls, backend 127.0.0.1:9001\n"
                       "  mechanism      clear    tls\n"
                       "  BASIC          blocked  shown, passed\n"
                       "  PLAIN          blocked  shown, passed\n"))
      << text;
}

}  // namespace
}  // namespace postern::conf
