// Settings that are weaker than they look. A warning leaves a configuration good.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/conf/loading.h"

namespace postern::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// The lines about a text that must be good all the same.
std::vector<std::string> Warned(std::string_view text) {
  EXPECT_TRUE(IsGood(text)) << text << "\n" << Said(text);
  return Lines(text);
}

TEST(Warnings, NoneWhereNothingIsWeak) {
  for (const char* protocol : {"imap", "pop3", "lmtp"}) {
    EXPECT_THAT(Warned(OneListener(protocol, ", tls: starttls")), IsEmpty()) << protocol;
  }
  EXPECT_THAT(Warned(OneListener("smtp", ", require_auth: true")), IsEmpty());
}

TEST(Warnings, HaveTheFormOfTheContract) {
  EXPECT_THAT(Warned(OneListener("imap", "", "auth: { enforce: observe }\n")),
              ElementsAre("postern.yaml:4:18: auth.enforce: warning: observe refuses no log-in and "
                          "hides none: it only counts what would have been refused"));
}

TEST(Warnings, PasswordsInTheClear) {
  EXPECT_THAT(
      Warned(OneListener("imap", ", tls: starttls", "auth: { mechanisms: { BASIC: always } }\n")),
      ElementsAre(HasSubstr(":4:30: auth.mechanisms.BASIC: warning: always lets passwords")));
  EXPECT_THAT(Warned(OneListener("imap", ", tls: none, auth: { mechanisms: { plain: always } }")),
              ElementsAre(HasSubstr("listeners[0].auth.mechanisms.plain: warning:")));
  EXPECT_THAT(Warned(OneListener("imap", "", "auth: { mechanisms: { BASIC: always } }\n")),
              IsEmpty());
  EXPECT_THAT(
      Warned(OneListener("imap", ", tls: starttls", "auth: { mechanisms: { \"*\": always } }\n")),
      IsEmpty());
}

TEST(Warnings, OldVersions) {
  EXPECT_THAT(Warned(OneListener("imap", ", tls: { mode: implicit, min_version: \"1.1\" }")),
              ElementsAre(HasSubstr("listeners[0].tls.min_version: warning: TLS 1.1")));
}

TEST(Warnings, OpenRelay) {
  const auto smtp = [](std::string_view more, std::string_view keys) {
    return Warned(
        OneListener("smtp", ", backend: b" + std::string(more),
                    "backends: { b: { servers: [\"127.0.0.1:9\"]" + std::string(keys) + " } }\n"));
  };
  EXPECT_THAT(smtp("", ""),
              ElementsAre(HasSubstr(":3:59: listeners[0].backend: warning: hides from")));
  EXPECT_THAT(smtp("", ", forward_client: received"), ElementsAre(HasSubstr("open relay")));
  EXPECT_THAT(smtp("", ", forward_client: xclient"), IsEmpty());
  EXPECT_THAT(smtp("", ", proxy_protocol: v1"), IsEmpty());
  EXPECT_THAT(smtp(", require_auth: true", ""), IsEmpty());
  EXPECT_THAT(Warned(OneListener("smtp", "")), ElementsAre(HasSubstr("open relay")));
}

TEST(Warnings, BackendsInTheClear) {
  EXPECT_THAT(Warned(OneListener("imap", ", backend: \"10.0.0.5:143\"")),
              ElementsAre(HasSubstr("listeners[0].backend: warning: is not on this machine")));
  EXPECT_THAT(
      Warned(OneListener("imap", ", backend: b",
                         "backends:\n  b: { servers: [\"127.0.0.1:9\", \"10.0.0.5:143\"] }\n")),
      ElementsAre(HasSubstr(":5:33: backends.b.servers[1]: warning: is not on this machine")));
  EXPECT_THAT(Warned(OneListener("imap", ", backend: \"[::1]:143\"")), IsEmpty());
  EXPECT_THAT(Warned(OneListener("imap", ", backend: \"unix:/run/imap\"")), IsEmpty());
  EXPECT_THAT(
      Warned(OneListener("imap", ", backend: b",
                         "backends: { b: { servers: [\"10.0.0.5:993\"], tls: implicit } }\n")),
      IsEmpty());
}

TEST(Warnings, CertificatesThatNobodyLooksAt) {
  const auto verify = [](std::string_view keys) {
    return Warned(OneListener(
        "imap", ", backend: b",
        "backends: { b: { servers: [\"127.0.0.1:9\"], " + std::string(keys) + " } }\n"));
  };
  EXPECT_THAT(verify("tls: implicit, verify: off"),
              ElementsAre(HasSubstr("b.verify: warning: off")));
  EXPECT_THAT(verify("verify: { name: x }"),
              ElementsAre(HasSubstr("has no effect with tls: none")));
  EXPECT_THAT(verify("verify: off"), IsEmpty());
  EXPECT_THAT(verify("verify: { ca: \"\", name: \"\" }"), IsEmpty());
}

TEST(Warnings, UserNamesThatAreNotSeen) {
  const auto users = [](std::string_view mechanisms, std::string_view more = "") {
    return Warned(OneListener(
        "pop3", more,
        "auth: { users: [ { match: a, replace: b } ], mechanisms: " + std::string(mechanisms) +
            " }\nbackends: { b: { servers: [\"127.0.0.1:9\"]"
            ", connect: at_login } }\n"));
  };
  EXPECT_THAT(users("{}")[0],
              HasSubstr("auth.users: warning: only basic log-ins are rewritten; those "
                        "by every mechanism"));
  EXPECT_THAT(users("{ NTLM: tls, CRAM-MD5: never, \"*\": never }")[0],
              HasSubstr("those by NTLM pass"));
  EXPECT_THAT(users("{ \"*\": never }", ", backend: b"), IsEmpty());
  EXPECT_THAT(users("{}", ", backend: b"), IsEmpty());
}

TEST(Warnings, NobodyCanLogIn) {
  EXPECT_THAT(Warned(OneListener("imap", ", tls: none")),
              ElementsAre(HasSubstr("listeners[0].tls: warning: nobody can log in here")));
  EXPECT_THAT(
      Warned(OneListener("imap", "", "auth: { mechanisms: { BASIC: never, \"*\": never } }\n")),
      ElementsAre(HasSubstr("auth.mechanisms: warning: nobody can log in")));
  EXPECT_THAT(Warned(OneListener("lmtp", ", tls: none")), IsEmpty());
}

TEST(Warnings, MechanismsThatNobodyKnows) {
  EXPECT_THAT(Warned(OneListener("imap", "", "auth: { mechanisms: { NTML: always } }\n")),
              ElementsAre(HasSubstr(":4:23: auth.mechanisms.NTML: warning: is no mechanism that is "
                                    "known here (did you mean \"NTLM\"?)")));
  EXPECT_THAT(Warned(OneListener("imap", "", "auth: { mechanisms: { SCRAM-SHA-512: tls } }\n")),
              IsEmpty());
  EXPECT_THAT(Warned(OneListener("imap", "", "auth: { mechanisms: { EXTERNAL: tls } }\n")),
              ElementsAre(HasSubstr("has no effect")));
  EXPECT_THAT(Warned(OneListener("imap", "", "auth: { mechanisms: { EXTERNAL: never } }\n")),
              IsEmpty());
}

TEST(Warnings, OfTheRest) {
  EXPECT_THAT(Said(OneListener("imap", "", "admin: { address: \":9190\" }\n")),
              HasSubstr("admin.address: warning: is not on loopback"));
  EXPECT_THAT(Said(OneListener("imap", ", proxy_protocol: [\"0.0.0.0/0\"]")),
              HasSubstr("listeners[0].proxy_protocol[0]: warning: 0.0.0.0/0 lets every client"));
  EXPECT_THAT(Said(OneListener("imap", "", "limits: { exempt: [\"::/0\"] }\n")),
              HasSubstr("limits.exempt[0]: warning: ::/0 exempts everybody"));
  EXPECT_THAT(Said(OneListener("imap", "", "limits: { line: 0 }\n")),
              HasSubstr("limits.line: warning: 0"));
  EXPECT_THAT(Said(OneListener("imap", "", "limits: { buffer: 1KiB }\n")),
              HasSubstr("limits.buffer: warning: is less than limits.line"));
  EXPECT_THAT(Said(OneListener("smtp", "", "commands: { smtp: { allow: [xclient] } }\n")),
              HasSubstr("commands.smtp.allow: warning: XCLIENT"));
  EXPECT_THAT(
      Said(OneListener("smtp", "", "commands: { smtp: { allow: [VRFY], deny: [VRFY] } }\n")),
      HasSubstr("VRFY is under deny as well"));
  EXPECT_THAT(Said(OneListener("imap", "", "backends: { b: { servers: [\"127.0.0.1:9\"] } }\n")),
              HasSubstr("backends.b: warning: no listener uses it"));
  EXPECT_THAT(
      Said(OneListener("imap", "", "auth: { users: [ { match: \"(a)\\\\1\", replace: b } ] }\n")),
      HasSubstr("users[0].match: warning: a back-reference"));
}

}  // namespace
}  // namespace postern::conf
