// Every key of the schema: what it is without a word, and what a word makes of it.
#include <gtest/gtest.h>

#include "tests/conf/loading.h"

namespace postern::conf {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

TEST(Defaults, OfTheProcess) {
  const Config c = Good(OneListener("imap", ""));
  EXPECT_FALSE(c.workers);
  EXPECT_EQ(c.user, "");
  EXPECT_EQ(c.group, "");
  EXPECT_EQ(c.drain_timeout, seconds(30));
  ASSERT_TRUE(c.admin.address);
  EXPECT_EQ(c.admin.address->Text(), "127.0.0.1:9190");
  EXPECT_TRUE(c.admin.hosts.empty());
  EXPECT_EQ(c.log.level, LogLevel::kInfo);
  EXPECT_EQ(c.log.format, LogFormat::kJson);
  EXPECT_EQ(c.file, "postern.yaml");
}

TEST(Defaults, OfAListener) {
  const Listener l = Good(OneListener("imap", "")).listeners[0];
  EXPECT_EQ(l.name, "imap-9000");
  EXPECT_EQ(l.tls.mode, TlsMode::kImplicit);
  EXPECT_TRUE(l.require_tls);
  EXPECT_TRUE(l.proxy_protocol.empty());
  EXPECT_FALSE(l.require_auth);
  EXPECT_EQ(l.bare_lf, BareLf::kNormalize);
  EXPECT_EQ(l.tls.min_version, TlsVersion::kTls12);
  EXPECT_EQ(l.tls.max_version, TlsVersion::kTls13);
  EXPECT_EQ(l.tls.alpn, Alpn::kStrict);
  EXPECT_EQ(l.tls.client_certificate, ClientCertificate::kOptional);
  EXPECT_EQ(l.auth.enforce, Enforce::kOn);
  EXPECT_EQ(l.auth.to_backend, ToBackend::kSame);
  EXPECT_EQ(l.path, "listeners[0]");
}

TEST(Defaults, OfLimits) {
  const Limits l = Good(OneListener("imap", "")).listeners[0].limits;
  EXPECT_EQ(l.connections, 20000u);
  EXPECT_EQ(l.connections_per_ip, 1000u);
  EXPECT_EQ(l.handshakes_per_ip, (Rate{1200, minutes(1)}));
  EXPECT_EQ(l.auth_failures_per_ip, (Rate{20, minutes(5)}));
  EXPECT_EQ(l.auth_failures_per_session, 3u);
  EXPECT_TRUE(l.exempt.empty());
  EXPECT_EQ(l.line, 16384u);
  EXPECT_EQ(l.buffer, 65536u);
}

TEST(Defaults, OfTimeouts) {
  for (const char* protocol : {"imap", "pop3", "smtp", "lmtp"}) {
    const Timeouts t = Good(OneListener(protocol, "")).listeners[0].timeouts;
    const bool mailbox = protocol == std::string("imap") || protocol == std::string("pop3");
    EXPECT_EQ(t.handshake, seconds(10));
    EXPECT_EQ(t.login, seconds(60));
    EXPECT_EQ(t.idle, minutes(mailbox ? 35 : 5)) << protocol;
    EXPECT_EQ(t.backend_connect, seconds(5));
    EXPECT_EQ(t.backend_greeting, seconds(30));
    EXPECT_EQ(t.backend_answer(), minutes(mailbox ? 35 : 10)) << protocol;
  }
}

TEST(Defaults, OfCommands) {
  const Commands smtp = Good(OneListener("smtp", "")).listeners[0].commands;
  EXPECT_EQ(smtp.deny, (std::set<std::string, std::less<>>{"VRFY", "EXPN"}));
  EXPECT_TRUE(smtp.allow.empty());
  EXPECT_EQ(Good(OneListener("lmtp", "")).listeners[0].commands.deny.size(), 2u);
  EXPECT_TRUE(Good(OneListener("imap", "")).listeners[0].commands.deny.empty());
}

TEST(Defaults, OfABackend) {
  const Config c = Good(OneListener("imap", ""));
  ASSERT_EQ(c.backends.size(), 1u);
  const Backend& b = c.backends[0];
  EXPECT_EQ(b.name, "127.0.0.1:9001");
  EXPECT_EQ(b.protocol, Protocol::kImap);
  ASSERT_EQ(b.servers.size(), 1u);
  EXPECT_EQ(b.servers[0].name, "127.0.0.1:9001");
  EXPECT_EQ(b.servers[0].weight, 1u);
  EXPECT_EQ(b.balance, Balance::kRoundRobin);
  EXPECT_EQ(b.connect, ConnectAt::kAccept);
  EXPECT_EQ(b.tls, TlsMode::kNone);
  EXPECT_TRUE(b.verify.on);
  EXPECT_EQ(b.proxy_protocol, ProxyProtocol::kNone);
  EXPECT_EQ(b.forward_client, ForwardClient::kNone);
  EXPECT_EQ(b.profile, Profile::kGeneric);
  EXPECT_FALSE(b.pipelining);
  EXPECT_EQ(b.health.interval, seconds(5));
  EXPECT_EQ(b.health.timeout, seconds(2));
  EXPECT_EQ(b.health.rise, 2u);
  EXPECT_EQ(b.health.fall, 3u);
}

TEST(Words, OfTheProcess) {
  const Config c = Good(OneListener("imap", "", R"(workers: 4
drain_timeout: 1m
admin: { address: "unix:/run/postern/admin", hosts: [Mail.Example.NET, "::1"] }
log: { level: debug, format: text }
)"));
  EXPECT_EQ(c.workers, 4u);
  EXPECT_EQ(c.drain_timeout, minutes(1));
  EXPECT_EQ(c.admin.address->Text(), "unix:/run/postern/admin");
  EXPECT_EQ(c.admin.hosts, (std::vector<std::string>{"mail.example.net", "::1"}));
  EXPECT_EQ(c.log.level, LogLevel::kDebug);
  EXPECT_EQ(c.log.format, LogFormat::kText);
  EXPECT_FALSE(Good(OneListener("imap", "", "workers: auto\n")).workers);
  EXPECT_FALSE(Good(OneListener("imap", "", "admin: { address: \"\" }\n")).admin.address);
}

TEST(Words, OfTls) {
  const Config c = Good(R"(tls:
  certificates: [ { chain: a.pem, key: a.key, ocsp: a.ocsp }, { chain: b.pem, key: /b.key } ]
  min_version: "1.0"
  max_version: 1.2
  ciphers: "ECDHE+AESGCM"
  groups: [X25519, P-256]
  alpn: off
  session_ticket_keys: keys
  client_ca: ca.pem
  client_certificate: required
listeners:
  - { protocol: imap, address: ":1", tls: implicit, backend: "127.0.0.1:2" }
  - protocol: imap
    address: ":3"
    tls: { mode: starttls, min_version: "1.2", alpn: lenient, certificates: [ { chain: d.pem, key: d.key } ] }
    backend: "127.0.0.1:2"
)");
  const Tls& t = c.listeners[0].tls;
  EXPECT_EQ(t.certificates,
            (std::vector<Certificate>{{"a.pem", "a.key", "a.ocsp"}, {"b.pem", "/b.key", ""}}));
  EXPECT_EQ(t.min_version, TlsVersion::kTls10);
  EXPECT_EQ(t.max_version, TlsVersion::kTls12);
  EXPECT_EQ(t.ciphers, "ECDHE+AESGCM");
  EXPECT_EQ(t.groups, (std::vector<std::string>{"X25519", "P-256"}));
  EXPECT_EQ(t.alpn, Alpn::kOff);
  EXPECT_EQ(t.session_ticket_keys, "keys");
  EXPECT_EQ(t.client_ca, "ca.pem");
  EXPECT_EQ(t.client_certificate, ClientCertificate::kRequired);
  const Tls& own = c.listeners[1].tls;
  EXPECT_EQ(own.mode, TlsMode::kStarttls);
  EXPECT_EQ(own.min_version, TlsVersion::kTls12);
  EXPECT_EQ(own.alpn, Alpn::kLenient);
  EXPECT_EQ(own.certificates, (std::vector<Certificate>{{"d.pem", "d.key", ""}}));
  EXPECT_EQ(own.groups, t.groups);
  EXPECT_EQ(own.client_ca, "ca.pem");
  EXPECT_EQ(c.files.size(), 9u);
  EXPECT_EQ(c.PathOf(c.listeners[1], "tls.alpn"), "listeners[1].tls.alpn");
  EXPECT_EQ(c.PathOf(c.listeners[1], "tls.groups"), "tls.groups");
  EXPECT_EQ(c.At("tls.ciphers"), (Position{5, 12}));
}

TEST(Words, LimitsOfAListenerAreItsOwn) {
  const Config c = Good(OneListener(
      "imap", ", limits: { connections: 10, line: 1KiB, exempt: [\"10.0.0.0/8\"] }",
      "limits: { connections: 100, connections_per_ip: 7, auth_failures_per_ip: 0 }\n"));
  const Listener& l = c.listeners[0];
  EXPECT_EQ(l.limits.connections, 10u);
  EXPECT_EQ(l.limits.connections_per_ip, 7u);
  EXPECT_EQ(l.limits.line, 1024u);
  EXPECT_TRUE(l.limits.auth_failures_per_ip.off());
  EXPECT_EQ(l.limits.exempt.size(), 1u);
  EXPECT_TRUE(l.own_limits.connections);
  EXPECT_FALSE(l.own_limits.connections_per_ip);
  EXPECT_FALSE(l.own_limits.auth_failures_per_ip);
  EXPECT_EQ(c.limits.connections, 100u);
  EXPECT_TRUE(c.limits.exempt.empty());
  EXPECT_TRUE(c.Written("limits.connections"));
  EXPECT_FALSE(c.Written("limits.line"));
}

TEST(Words, WhatAPeerFillsHasAnEnd) {
  const Config c = Good(OneListener("imap", "", "limits: { line: 0, buffer: 0 }\n"));
  EXPECT_EQ(c.limits.line, kMaxLine);
  EXPECT_EQ(c.limits.buffer, kMaxBuffer);
  const Config small = Good(OneListener("imap", "", "limits: { line: 64KiB, buffer: 1KiB }\n"));
  EXPECT_EQ(small.limits.buffer, 65536u);
  EXPECT_FALSE(IsGood(OneListener("imap", "", "limits: { line: 2MiB }\n")));
}

TEST(Words, AWrittenIdleCountsForEveryProtocol) {
  EXPECT_EQ(Good(OneListener("smtp", "", "timeouts: { idle: 7m }\n")).listeners[0].timeouts.idle,
            minutes(7));
  const Timeouts own =
      Good(OneListener("smtp", ", timeouts: { idle: 20m }", "timeouts: { login: 9s }\n"))
          .listeners[0]
          .timeouts;
  EXPECT_EQ(own.idle, minutes(20));
  EXPECT_EQ(own.login, seconds(9));
  EXPECT_EQ(own.backend_answer(), minutes(20));
}

TEST(Words, OfCommands) {
  const auto deny = [](std::string_view more, std::string_view top) {
    return Good(OneListener("smtp", more, top)).listeners[0].commands;
  };
  using Names = std::set<std::string, std::less<>>;
  EXPECT_EQ(deny("", "commands: { smtp: { allow: [xexch50] } }\n").allow, Names{"XEXCH50"});
  EXPECT_EQ(deny("", "commands: { smtp: { deny: [] } }\n").deny, Names{});
  // What is denied by default gives way to what somebody wrote.
  EXPECT_EQ(deny("", "commands: { smtp: { allow: [VRFY] } }\n").deny, Names{"EXPN"});
  // Of two that were written the stricter counts.
  const Commands both = deny("", "commands: { smtp: { allow: [VRFY], deny: [VRFY] } }\n");
  EXPECT_EQ(both.allow, Names{});
  EXPECT_EQ(both.deny, Names{"VRFY"});
  // Key by key in a listener.
  const Commands own = deny(", commands: { smtp: { allow: [ETRN] } }",
                            "commands: { smtp: { allow: [X-A], deny: [HELP] } }\n");
  EXPECT_EQ(own.allow, Names{"ETRN"});
  EXPECT_EQ(own.deny, Names{"HELP"});
}

TEST(Words, OfBackends) {
  const Config c = Good(OneListener("smtp", ", backend: b, require_auth: true", R"(backends:
  b:
    servers: [ "mx1.example:25", { address: "unix:/run/mx", weight: 3 } ]
    balance: source
    connect: at_login
    tls: starttls
    verify: { ca: ca.pem, name: MX.example }
    proxy_protocol: v2
    forward_client: xclient
    profile: exchange-2003
    pipelining: false
    health: { interval: 1s, timeout: 500ms, rise: 1, fall: 5 }
)"));
  const Backend& b = c.backends[0];
  EXPECT_EQ(b.name, "b");
  ASSERT_EQ(b.servers.size(), 2u);
  EXPECT_EQ(b.servers[0].name, "mx1.example:25");
  EXPECT_EQ(b.servers[1].weight, 3u);
  EXPECT_EQ(b.balance, Balance::kSource);
  EXPECT_EQ(b.connect, ConnectAt::kLogin);
  EXPECT_EQ(b.tls, TlsMode::kStarttls);
  EXPECT_EQ(b.verify.ca, "ca.pem");
  EXPECT_EQ(b.verify.name, "mx.example");
  EXPECT_EQ(b.proxy_protocol, ProxyProtocol::kV2);
  EXPECT_EQ(b.forward_client, ForwardClient::kXclient);
  EXPECT_EQ(b.profile, Profile::kExchange2003);
  EXPECT_EQ(b.pipelining, false);
  EXPECT_EQ(b.health.timeout, milliseconds(500));
  EXPECT_EQ(b.health.fall, 5u);
}

TEST(Words, VerifyOff) {
  const auto verify = [](std::string_view text) {
    return Good(OneListener("imap", ", backend: b",
                            "backends: { b: { servers: [\"127.0.0.1:1\"], tls: implicit, verify: " +
                                std::string(text) + " } }\n"))
        .backends[0]
        .verify.on;
  };
  EXPECT_FALSE(verify("off"));
  EXPECT_FALSE(verify("false"));
  EXPECT_TRUE(verify("on"));
  EXPECT_TRUE(verify("{ ca: x.pem }"));
}

TEST(Words, EveryWordHasItsName) {
  EXPECT_EQ(Name(Protocol::kLmtp), "lmtp");
  EXPECT_EQ(Name(TlsMode::kStarttls), "starttls");
  EXPECT_EQ(Name(TlsVersion::kTls13), "1.3");
  EXPECT_EQ(Name(ToBackend::kScramSha256), "SCRAM-SHA-256");
  EXPECT_EQ(Name(ToBackend::kBasic), "BASIC");
  EXPECT_EQ(Name(Balance::kSource), "source");
  EXPECT_EQ(Name(ConnectAt::kLogin), "at_login");
  EXPECT_EQ(Name(ForwardClient::kReceived), "received");
  EXPECT_EQ(Name(Profile::kDomino), "domino");
  EXPECT_EQ(Name(LogLevel::kWarn), "warn");
  EXPECT_EQ(Name(Rule::kAlways), "always");
}

}  // namespace
}  // namespace postern::conf
