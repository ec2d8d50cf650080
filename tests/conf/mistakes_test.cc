// What `check` says: every mistake of a file, in one run, at its place, with what was meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "tests/conf/loading.h"

namespace postern::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Mistakes, HaveTheFormOfTheContract) {
  EXPECT_THAT(Lines(R"(tls: { certificates: [ { chain: c.pem, key: k.pem } ] }
listeners:
  - { protocol: imap, address: ":993", tls: implicit, backend: "127.0.0.1:143" }
  - { protocol: pop3, address: ":995", tls: startls, backend: "127.0.0.1:110" }
)"),
              ElementsAre("postern.yaml:4:45: listeners[1].tls: unknown mode \"startls\"; one of: "
                          "implicit, starttls, none (did you mean \"starttls\"?)"));
}

TEST(Mistakes, AreAllFoundInOneRunInTheOrderOfTheFile) {
  const auto lines = Lines(R"(wrokers: 2
drain_timeout: 30
tls: { certificates: [ { chain: c.pem, key: k.pem } ], alpn: stric }
limits: { line: lots, connections: -1, handshakes_per_ip: 5 }
listeners:
  - { protocol: imap, address: "993", tls: implicit, backend: "127.0.0.1:143" }
  - { protocol: pop, address: ":995", tls: implicit, backend: "127.0.0.1:110" }
  - { protocol: smtp, adress: ":587", tls: starttls, backend: nobody }
)");
  ASSERT_EQ(lines.size(), 11u) << testing::PrintToString(lines);
  const std::regex form(R"(postern\.yaml:\d+:\d+: [a-z_\[\]0-9.]+: .+)");
  for (const std::string& line : lines) EXPECT_TRUE(std::regex_match(line, form)) << line;
  EXPECT_THAT(lines[0], HasSubstr(":1:1: wrokers: unknown key (did you mean \"workers\"?)"));
  EXPECT_THAT(lines[1], HasSubstr(":2:16: drain_timeout: \"30\" needs a unit"));
  EXPECT_THAT(lines[2], HasSubstr(":3:62: tls.alpn: unknown mode \"stric\""));
  EXPECT_THAT(lines[3], HasSubstr(":4:17: limits.line: "));
  EXPECT_THAT(lines[4], HasSubstr(":4:36: limits.connections: "));
  EXPECT_THAT(lines[5], HasSubstr(":4:59: limits.handshakes_per_ip: "));
  EXPECT_THAT(lines[6], HasSubstr(":6:32: listeners[0].address: "));
  EXPECT_THAT(lines[7], HasSubstr(":7:17: listeners[1].protocol: unknown protocol \"pop\""));
  EXPECT_THAT(lines[8], HasSubstr(":8:5: listeners[2].address: is missing"));
  EXPECT_THAT(lines[9], HasSubstr(":8:23: listeners[2].adress: unknown key (did you mean \"addr"));
  EXPECT_THAT(lines[10], HasSubstr(":8:63: listeners[2].backend: unknown backend \"nobody\""));
}

TEST(Mistakes, AreOneLineEach) {
  EXPECT_THAT(Lines(OneListener("imap", ", backend: ~")),
              ElementsAre(HasSubstr("listeners[0].backend: has no value")));
  EXPECT_THAT(Lines(OneListener("imap", ", backend: []")),
              ElementsAre(HasSubstr("listeners[0].backend: must be a single value")));
  EXPECT_THAT(Lines(OneListener("imap", ", backend: \"\"")),
              ElementsAre(HasSubstr("listeners[0].backend: is empty")));
  EXPECT_THAT(
      Lines(OneListener("imap", ", tls: { mode: implicit, certificates: { chain: c.pem } }")),
      ElementsAre(HasSubstr("listeners[0].tls.certificates: must be a list")));
}

TEST(Mistakes, AMissingValueStandsWhereItsKeyDoes) {
  EXPECT_THAT(Lines(OneListener("imap", "", "workers:\nuser: \"\"\n")),
              ElementsAre("postern.yaml:4:1: workers: has no value; for an empty one write \"\""));
  EXPECT_THAT(Lines("tls:\n  certificates: [ { chain: c.pem, key: k.pem } ]\nlisteners:\n\n\n"),
              ElementsAre("postern.yaml:3:1: listeners: needs at least one listener"));
}

TEST(Mistakes, TheBackendOfAListenerOfNoKnownProtocol) {
  EXPECT_THAT(Lines(OneListener("pop", ", backend: nobody")),
              ElementsAre(HasSubstr("listeners[0].protocol: unknown protocol"),
                          HasSubstr("listeners[0].backend: unknown backend \"nobody\"")));
  EXPECT_THAT(
      Lines(OneListener("pop", ", backend: b", "backends: { b: { servers: [\"h:1\"] } }\n")),
      ElementsAre(HasSubstr("listeners[0].protocol: unknown protocol")));
}

TEST(Mistakes, OfTwoVersionsTheOneThatWasWrittenIsWrong) {
  const auto tls = [](std::string_view more) {
    return OneListener("imap", ", tls: { mode: implicit, " + std::string(more) + " }");
  };
  EXPECT_THAT(Said(tls("max_version: \"1.1\"")),
              HasSubstr("listeners[0].tls.max_version: min_version 1.2 is above max_version 1.1"));
  EXPECT_THAT(
      Said("tls: { certificates: [ { chain: c.pem, key: k.pem } ], max_version: \"1.1\" }\n"
           "listeners: [ { protocol: imap, address: \":1\", backend: \"127.0.0.1:9\" } ]\n"),
      HasSubstr(":1:69: tls.max_version: min_version 1.2 is above max_version 1.1"));
  EXPECT_THAT(Said(tls("min_version: \"1.3\", max_version: \"1.2\"")),
              HasSubstr("listeners[0].tls.min_version: min_version 1.3 is above max_version 1.2"));
}

TEST(Mistakes, AHostOfTheAdminAddressHasAName) {
  EXPECT_THAT(Lines(OneListener("imap", "", "admin: { hosts: [\"\"] }\n")),
              ElementsAre(HasSubstr(":4:18: admin.hosts[0]: is empty")));
}

TEST(Mistakes, MechanismsOfTheRegistryWithLongNames) {
  EXPECT_TRUE(IsGood(
      OneListener("imap", "", "auth: { mechanisms: { ECDSA-NIST256P-CHALLENGE: never } }\n")));
}

TEST(Mistakes, KeysGivenTwice) {
  EXPECT_THAT(Said(OneListener("imap", "", "drain_timeout: 1s\ndrain_timeout: 2s\n")),
              HasSubstr("postern.yaml:5:1: drain_timeout: given twice, first in line 4"));
  EXPECT_THAT(Said(OneListener("imap", ", protocol: pop3")),
              HasSubstr("listeners[0].protocol: given twice"));
  EXPECT_THAT(Said(OneListener("imap", "", "auth: { mechanisms: { NTLM: tls, ntlm: tls } }\n")),
              HasSubstr("auth.mechanisms.ntlm: given twice"));
  EXPECT_THAT(
      Said(OneListener("imap", ", backend: b",
                       "backends:\n  b: { servers: [\"h:1\"] }\n  b: { servers: [\"h:2\"] }\n")),
      HasSubstr(":6:3: backends.b: given twice"));
}

TEST(Mistakes, WhatIsBelowAKeyGivenTwiceIsNotLookedAt) {
  EXPECT_THAT(Lines("listeners: [ { protocol: lmtp, address: \":1\", tls: none } ]\n"
                    "listeners: [ { backend: \"127.0.0.1:9\" } ]\n"),
              ElementsAre(HasSubstr(":1:14: listeners[0].backend: is missing"),
                          HasSubstr(":2:1: listeners: given twice, first in line 1")));
}

TEST(Mistakes, UnknownKeysEverywhere) {
  for (const char* top :
       {"x: 1\n", "admin: { x: 1 }\n", "log: { x: 1 }\n", "limits: { x: 1 }\n",
        "timeouts: { x: 1 }\n", "auth: { x: 1 }\n",
        "auth: { users: [ { match: a, replace: b, x: 1 } ] }\n", "commands: { x: 1 }\n",
        "commands: { smtp: { x: 1 } }\n", "backends: { b: { x: 1 } }\n",
        "backends: { b: { servers: [ { address: \"h:1\", x: 1 } ] } }\n",
        "backends: { b: { servers: [\"h:1\"], verify: { x: 1 } } }\n",
        "backends: { b: { servers: [\"h:1\"], health: { x: 1 } } }\n"}) {
    EXPECT_THAT(Said(OneListener("imap", "", top)), HasSubstr("x: unknown key")) << top;
  }
  for (const char* more : {", x: 1", ", tls: { mode: implicit, x: 1 }", ", auth: { x: 1 }",
                           ", limits: { x: 1 }", ", timeouts: { x: 1 }", ", commands: { x: 1 }"}) {
    EXPECT_THAT(Said(OneListener("imap", more)), HasSubstr("x: unknown key")) << more;
  }
}

TEST(Mistakes, WrongKindsOfValues) {
  for (const char* top : {"workers: [1]\n",
                          "workers: 0\n",
                          "workers: 257\n",
                          "drain_timeout: {}\n",
                          "admin: yes\n",
                          "admin: []\n",
                          "admin: { address: [] }\n",
                          "admin: { hosts: x }\n",
                          "log: { level: }\n",
                          "log: { level: verbose }\n",
                          "limits: 5\n",
                          "limits: { exempt: \"10.0.0.0/8\" }\n",
                          "limits: { exempt: [ {} ] }\n",
                          "auth: { mechanisms: [BASIC] }\n",
                          "auth: { mechanisms: { BASIC: sometimes } }\n",
                          "auth: { mechanisms: { \"A B\": tls } }\n",
                          "auth: { mechanisms: { BASIC: [tls] } }\n",
                          "auth: { users: { match: a } }\n",
                          "auth: { users: [a] }\n",
                          "auth: { users: [ { match: a } ] }\n",
                          "auth: { users: [ { match: \"(\", replace: b } ] }\n",
                          "auth: { enforce: off }\n",
                          "auth: { to_backend: DIGEST-MD5 }\n",
                          "auth: { domain: [] }\n",
                          "commands: { smtp: [VRFY] }\n",
                          "commands: { smtp: { deny: VRFY } }\n",
                          "commands: { smtp: { deny: [\"X Y\"] } }\n",
                          "timeouts: { login: 0s }\n",
                          "timeouts: { login: 5 }\n",
                          "backends: []\n",
                          "backends: { \"a b\": { servers: [\"h:1\"] } }\n",
                          "backends: { b: {} }\n",
                          "backends: { b: { servers: [] } }\n",
                          "backends: { b: { servers: \"h:1\" } }\n",
                          "backends: { b: { servers: [\":1\"] } }\n",
                          "backends: { b: { servers: [\"h:1\", \"h:1\"] } }\n",
                          "backends: { b: { servers: [ { address: \"h:1\", weight: 0 } ] } }\n",
                          "backends: { b: { servers: [\"h:1\"], verify: maybe } }\n",
                          "backends: { b: { servers: [\"h:1\"], health: { fall: 0 } } }\n",
                          "backends: { b: { servers: [\"h:1\"], pipelining: sometimes } }\n",
                          "group: wheel\n",
                          "? [a]\n: b\n"}) {
    EXPECT_FALSE(IsGood(OneListener("imap", "", top))) << top;
  }
  for (const char* more :
       {", name: \"a b\"", ", name: \"\"", ", tls: [implicit]", ", require_tls: maybe",
        ", proxy_protocol: v2", ", proxy_protocol: [\"10.0.0.1/8\"]", ", bare_lf: keep",
        ", auth: []", ", backend: \"\"", ", backend: []", ", backend: \":25\"",
        ", backend: \"h:0\""}) {
    EXPECT_FALSE(IsGood(OneListener("imap", more))) << more;
  }
}

TEST(Mistakes, SectionsWithCommentsAloneAreEmptyOnes) {
  EXPECT_THAT(Lines(OneListener("imap", "", "auth:\n  # nothing yet\nlimits:\nbackends:\n")),
              IsEmpty());
}

TEST(Mistakes, AFileWithoutListeners) {
  EXPECT_THAT(Lines(""), ElementsAre("postern.yaml:1:1: is empty: at least listeners are needed"));
  EXPECT_THAT(Said("workers: 2\n"), HasSubstr("postern.yaml:1:1: listeners: is missing"));
  EXPECT_THAT(Said("listeners: []\n"), HasSubstr("listeners: needs at least one"));
  EXPECT_THAT(Said("listeners:\n"), HasSubstr("listeners: needs at least one"));
  EXPECT_THAT(Said("just words"), HasSubstr("must be a mapping"));
  EXPECT_THAT(Said("listeners: [ {} ]\n"), HasSubstr("listeners[0].protocol: is missing"));
  EXPECT_THAT(Said("listeners: [ {} ]\n"), HasSubstr("listeners[0].backend: is missing"));
}

TEST(Mistakes, BrokenYamlHasItsPlaceToo) {
  const auto lines = Lines("tls: {\n  certificates: [\nlisteners: x\n");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_TRUE(std::regex_match(lines[0], std::regex(R"(postern\.yaml:\d+:\d+: is no YAML: .+)")))
      << lines[0];
}

TEST(Mistakes, PublishNoSecrets) {
  for (const std::string& text :
       {OneListener("imap", ", password: hunter2"),
        OneListener("imap", ", backend: \"imap://u:hunter2@h\""),
        OneListener("imap", ", backend: \"u:hunter2@h:143\""),
        OneListener("imap", ", tls: *hunter2"),
        OneListener("imap", ", tls: \"-----BEGIN PRIVATE KEY-----hunter2\""),
        OneListener("imap", "", "auth: { users: [ { match: \"(hunter2\", replace: b } ] }\n"),
        OneListener("imap", "", "log: { level: \"x\\nhunter2\" }\n"),
        OneListener("imap", "", "\"my password is hunter2\": x\n"), std::string("hunter2")}) {
    EXPECT_FALSE(IsGood(text)) << text;
    EXPECT_THAT(Said(text), Not(HasSubstr("hunter2")));
  }
}

TEST(Mistakes, OfAGeneralKeyComeOnceForAllListeners) {
  EXPECT_THAT(Lines(R"(tls: { certificates: [ { chain: c.pem, key: k.pem } ], max_version: "1.1" }
listeners:
  - { protocol: imap, address: ":1", backend: "127.0.0.1:9" }
  - { protocol: imap, address: ":2", backend: "127.0.0.1:9" }
)"),
              ElementsAre(HasSubstr("min_version 1.2 is above max_version 1.1")));
}

TEST(Mistakes, OfATextFullOfThemComeInTime) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "k" + std::to_string(i) + ": x\n";
  EXPECT_EQ(Lines(text).size(), 20'001u);
}

TEST(Mistakes, NoLineIsTwoLines) {
  for (const std::string& line : Lines(OneListener(
           "imap", "", "\"a\\nb\": 1\nlog: { level: \"a\\nb\", format: \"\\e[1m\" }\n"))) {
    for (char c : line) EXPECT_GE(static_cast<unsigned char>(c), ' ') << line;
  }
}

TEST(Together, TlsNeedsACertificate) {
  const std::string text = R"(listeners:
  - { protocol: imap, address: ":1", tls: implicit, backend: "127.0.0.1:9" }
  - { protocol: imap, address: ":2", tls: { mode: starttls }, backend: "127.0.0.1:9" }
  - { protocol: imap, address: ":3", backend: "127.0.0.1:9" }
  - { protocol: imap, address: ":4", tls: none, backend: "127.0.0.1:9", auth: { mechanisms: { NTLM: always } } }
)";
  EXPECT_THAT(Lines(text),
              ElementsAre(HasSubstr(":2:43: listeners[0].tls: implicit needs a certificate"),
                          HasSubstr(":3:51: listeners[1].tls.mode: starttls needs a certificate"),
                          HasSubstr(":4:5: listeners[2].tls: implicit needs a certificate")));
}

TEST(Together, TlsVersionsAndClientCertificates) {
  EXPECT_THAT(Said(OneListener("imap", ", tls: { mode: implicit, max_version: \"1.1\" }")),
              HasSubstr("listeners[0].tls.max_version: min_version 1.2 is above max_version 1.1"));
  EXPECT_THAT(Said(OneListener("imap", ", tls: { mode: implicit, client_certificate: required }")),
              HasSubstr("listeners[0].tls.client_certificate: required needs a client_ca"));
  EXPECT_FALSE(IsGood(OneListener("imap", ", tls: { mode: implicit, groups: [CECPQ2] }")));
  EXPECT_FALSE(IsGood(OneListener("imap", ", tls: { mode: implicit, groups: [X25519, X25519] }")));
  EXPECT_FALSE(
      IsGood("tls: { certificates: [ { chain: c.pem } ] }\nlisteners: [ { protocol: imap, "
             "address: \":1\", backend: \"127.0.0.1:1\" } ]\n"));
  EXPECT_FALSE(
      IsGood("tls: { certificates: [ { chain: c.pem, key: \"\" } ] }\nlisteners: [ { protocol: "
             "imap, address: \":1\", backend: \"127.0.0.1:1\" } ]\n"));
}

TEST(Together, KeysThatFitOneProtocolAlone) {
  EXPECT_TRUE(IsGood(OneListener("smtp", ", tls: starttls, require_tls: false")));
  EXPECT_FALSE(IsGood(OneListener("smtp", ", tls: implicit, require_tls: false")));
  EXPECT_FALSE(IsGood(OneListener("smtp", ", tls: none, require_tls: false")));
  EXPECT_FALSE(IsGood(OneListener("imap", ", tls: starttls, require_tls: false")));
  EXPECT_FALSE(IsGood(OneListener("lmtp", ", tls: starttls, require_tls: false")));
  EXPECT_TRUE(
      IsGood(OneListener("imap", ", require_tls: true, require_auth: false, bare_lf: normalize")));
  EXPECT_TRUE(IsGood(OneListener("smtp", ", require_auth: true, bare_lf: reject")));
  for (const char* protocol : {"imap", "pop3", "lmtp"}) {
    EXPECT_FALSE(IsGood(OneListener(protocol, ", require_auth: true"))) << protocol;
    EXPECT_FALSE(IsGood(OneListener(protocol, ", bare_lf: reject"))) << protocol;
  }
  EXPECT_TRUE(IsGood(OneListener("pop3", ", auth: { to_backend: APOP }")));
  for (const char* protocol : {"imap", "smtp", "lmtp"}) {
    EXPECT_FALSE(IsGood(OneListener(protocol, ", auth: { to_backend: APOP }"))) << protocol;
    EXPECT_FALSE(IsGood(OneListener(protocol, "", "auth: { to_backend: APOP }\n"))) << protocol;
  }
  EXPECT_FALSE(IsGood(OneListener("imap", ", commands: { smtp: {} }")));
  EXPECT_FALSE(IsGood(OneListener("smtp", ", commands: { pop3: {} }")));
  EXPECT_TRUE(IsGood(OneListener("lmtp", ", commands: { smtp: {} }")));
}

std::string WithBackend(std::string_view protocol, std::string_view more, std::string_view keys) {
  return OneListener(
      protocol, ", backend: b" + std::string(more),
      "backends: { b: { servers: [\"127.0.0.1:1\"], " + std::string(keys) + " } }\n");
}

TEST(Together, WaysToForwardFitTheirProtocols) {
  for (const auto& [way, protocols] :
       {std::pair(std::string("xclient"), std::string("smtp")),
        std::pair(std::string("id"), std::string("imap")),
        std::pair(std::string("received"), std::string("smtp lmtp")),
        std::pair(std::string("none"), std::string("imap pop3 smtp lmtp"))}) {
    for (const std::string protocol : {"imap", "pop3", "smtp", "lmtp"}) {
      EXPECT_EQ(IsGood(WithBackend(protocol, "", "forward_client: " + way)),
                protocols.find(protocol) != std::string::npos)
          << way << " " << protocol;
    }
  }
}

TEST(Together, ConnectingAtTheLogInNeedsALogIn) {
  EXPECT_TRUE(IsGood(WithBackend("imap", "", "connect: at_login")));
  EXPECT_TRUE(IsGood(WithBackend("pop3", "", "connect: at_login")));
  EXPECT_FALSE(IsGood(WithBackend("smtp", "", "connect: at_login")));
  EXPECT_TRUE(IsGood(WithBackend("smtp", ", require_auth: true", "connect: at_login")));
  EXPECT_FALSE(IsGood(WithBackend("lmtp", "", "connect: at_login")));
}

TEST(Together, ASocketHasNoNameToVerify) {
  const auto text = [](std::string_view keys) {
    return OneListener("imap", ", backend: b",
                       "backends: { b: { servers: [\"unix:/s\"], " + std::string(keys) + " } }\n");
  };
  EXPECT_FALSE(IsGood(text("tls: implicit")));
  EXPECT_TRUE(IsGood(text("tls: implicit, verify: off")));
  EXPECT_TRUE(IsGood(text("tls: implicit, verify: { name: mail.example }")));
  EXPECT_TRUE(IsGood(text("tls: none")));
}

std::string TwoListeners(std::string_view one, std::string_view two, std::string_view top = "") {
  return "tls: { certificates: [ { chain: c.pem, key: k.pem } ] }\nlisteners:\n  - { " +
         std::string(one) + " }\n  - { " + std::string(two) + " }\n" + std::string(top);
}

TEST(Together, EachAddressOnce) {
  const auto two = [](const std::string& a, const std::string& b) {
    return TwoListeners("protocol: imap, address: \"" + a + "\", backend: \"127.0.0.1:9\"",
                        "protocol: imap, address: \"" + b + "\", backend: \"127.0.0.1:9\"");
  };
  EXPECT_THAT(Said(two(":993", ":993")),
              HasSubstr(":4:32: listeners[1].address: \":993\" is the address of listeners[0]"));
  EXPECT_THAT(Said(two(":993", "127.0.0.1:993")), HasSubstr("overlaps with listeners[0]"));
  EXPECT_FALSE(IsGood(two("[::1]:993", "[0::1]:993")));
  EXPECT_FALSE(IsGood(two("unix:/a", "unix:/a")));
  EXPECT_FALSE(IsGood(two(":9190", ":1")));  // the admin's
  EXPECT_TRUE(IsGood(two("127.0.0.1:993", "[::1]:993")));
  EXPECT_TRUE(IsGood(two("0.0.0.0:993", "[::]:993")));
}

TEST(Together, NamesAreUnique) {
  const auto two = [](const std::string& a, const std::string& b) {
    return TwoListeners("protocol: imap, backend: \"127.0.0.1:9\", " + a,
                        "protocol: imap, backend: \"127.0.0.1:9\", " + b);
  };
  EXPECT_THAT(Said(two("address: \":1\", name: x", "address: \":2\", name: x")),
              HasSubstr("listeners[1].name: \"x\" is the name of listeners[0] already"));
  const Config same = Good(two("address: \"127.0.0.1:1\"", "address: \"[::1]:1\""));
  EXPECT_EQ(same.listeners[0].name, "imap-1");
  EXPECT_EQ(same.listeners[1].name, "imap-::1:1");
  const Config taken = Good(two("address: \":1\"", "address: \":2\", name: imap-1"));
  EXPECT_EQ(taken.listeners[0].name, "imap-:1");
  EXPECT_EQ(taken.listeners[1].name, "imap-1");
  const Config sockets = Good(two("address: \"unix:/run/a/s k\"", "address: \"unix:/run/b/s k\""));
  EXPECT_EQ(sockets.listeners[0].name, "imap-s_k");
  EXPECT_EQ(sockets.listeners[1].name, "imap-run_b_s_k");
}

TEST(Together, BackendsAreSharedByProtocol) {
  const Config shared = Good(TwoListeners("protocol: imap, address: \":1\", backend: \"h:9\"",
                                          "protocol: imap, address: \":2\", backend: \"H:9\""));
  EXPECT_EQ(shared.backends.size(), 1u);
  EXPECT_EQ(shared.listeners[1].backend, 0u);
  const Config apart = Good(TwoListeners("protocol: imap, address: \":1\", backend: \"h:9\"",
                                         "protocol: pop3, address: \":2\", backend: \"h:9\""));
  ASSERT_EQ(apart.backends.size(), 2u);
  EXPECT_EQ(apart.backends[0].name, "h:9");
  EXPECT_EQ(apart.backends[1].name, "h:9-pop3");
  EXPECT_THAT(Said(TwoListeners("protocol: imap, address: \":1\", backend: b",
                                "protocol: pop3, address: \":2\", backend: b",
                                "backends: { b: { servers: [\"127.0.0.1:9\"] } }\n")),
              HasSubstr("listeners[1].backend: \"b\" speaks imap (to listeners[0]) and not pop3"));
}

TEST(Together, ABackendMayHaveANameLikeAnAddress) {
  const Config c = Good(OneListener("imap", ", backend: \"h:9\"",
                                    "backends: { \"h:9\": { servers: [\"127.0.0.1:9\"] } }\n"));
  ASSERT_EQ(c.backends.size(), 1u);
  EXPECT_EQ(c.backends[0].servers[0].name, "127.0.0.1:9");
}

TEST(Together, UnknownBackendsAreGuessed) {
  EXPECT_THAT(Said(OneListener("imap", ", backend: legcy",
                               "backends: { legacy: { servers: [\"127.0.0.1:9\"] } }\n")),
              HasSubstr("unknown backend \"legcy\"; one of: legacy, or an address (did you mean "
                        "\"legacy\"?)"));
  EXPECT_THAT(Said(OneListener("imap", ", backend: legacy")), HasSubstr("there is none"));
  EXPECT_THAT(Said(OneListener("imap", ", backend: \"10.0.0.5:99999\"")), HasSubstr("no port"));
}

TEST(Aliases, ShareWhatTheyName) {
  const Config c = Good(R"(tls: { certificates: [ { chain: c.pem, key: k.pem } ] }
listeners:
  - { protocol: imap, address: ":1", limits: &small { connections: 5 }, backend: "127.0.0.1:9" }
  - { protocol: imap, address: ":2", limits: *small, backend: "127.0.0.1:9" }
)");
  EXPECT_EQ(c.listeners[1].limits.connections, 5u);
  EXPECT_EQ(c.At("listeners[1].limits"), (Position{4, 46}));
}

}  // namespace
}  // namespace postern::conf
