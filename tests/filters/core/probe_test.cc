#include "filters/probe.h"

#include <gtest/gtest.h>

namespace postern {
namespace {

using State = Probe::State;

std::string Say(Probe& probe, std::string_view bytes, State wanted = State::kTalking) {
  std::string send;
  EXPECT_EQ(probe.OnBytes(bytes, send), wanted) << bytes;
  return send;
}

TEST(Probe, ImapToItsEnd) {
  Probe probe(Protocol::kImap, Probe::Goal::kHealth, false, "me");
  EXPECT_EQ(Say(probe, "* OK re"), "");
  EXPECT_EQ(Say(probe, "ady\r\n"), "postern CAPABILITY\r\n");
  EXPECT_EQ(Say(probe, "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\npostern OK done\r\n"),
            "postern LOGOUT\r\n");
  EXPECT_EQ(probe.capabilities(), (std::vector<std::string>{"IMAP4rev1", "AUTH=PLAIN"}));
  Say(probe, "* BYE\r\npostern OK bye\r\n", State::kDone);
}

TEST(Probe, Pop3WithoutCapa) {
  Probe probe(Protocol::kPop3, Probe::Goal::kHealth, false, "me");
  EXPECT_EQ(Say(probe, "+OK\r\n"), "CAPA\r\n");
  EXPECT_EQ(Say(probe, "-ERR what\r\n"), "QUIT\r\n");
  EXPECT_TRUE(probe.capabilities().empty());
  Say(probe, "+OK bye\r\n", State::kDone);
}

TEST(Probe, Pop3List) {
  Probe probe(Protocol::kPop3, Probe::Goal::kHealth, false, "me");
  Say(probe, "+OK\r\n");
  EXPECT_EQ(Say(probe, "+OK list\r\nTOP\r\nSASL PLAIN\r\n.\r\n"), "QUIT\r\n");
  EXPECT_EQ(probe.capabilities(), (std::vector<std::string>{"TOP", "SASL PLAIN"}));
}

TEST(Probe, SmtpLeavesOutTheName) {
  Probe probe(Protocol::kSmtp, Probe::Goal::kHealth, false, "me.example");
  EXPECT_EQ(Say(probe, "220-hello\r\n220 there\r\n"), "EHLO me.example\r\n");
  EXPECT_EQ(Say(probe, "250-old\r\n250-SIZE 100\r\n250 AUTH LOGIN\r\n"), "QUIT\r\n");
  EXPECT_EQ(probe.capabilities(), (std::vector<std::string>{"SIZE 100", "AUTH LOGIN"}));
  Say(probe, "221 bye\r\n", State::kDone);
}

TEST(Probe, WhatCameInTheClearBehindStartTlsIsDropped) {
  Probe probe(Protocol::kImap, Probe::Goal::kStartTls, true, "me");
  EXPECT_EQ(Say(probe, "* OK ready\r\n"), "postern STARTTLS\r\n");
  Say(probe, "postern OK go\r\n* CAPABILITY EVIL\r\npostern OK injected\r\n", State::kStartTls);
  std::string send;
  EXPECT_EQ(probe.OnTlsUp(send), State::kDone);
  EXPECT_TRUE(probe.capabilities().empty());
}

TEST(Probe, RefusalsAndNonsense) {
  for (const std::string_view bytes : {"* BYE full\r\n", "* PREAUTH hi\r\n", "HTTP/1.1 400\r\n"}) {
    Probe probe(Protocol::kImap, Probe::Goal::kHealth, false, "me");
    Say(probe, bytes, State::kFailed);
    EXPECT_FALSE(probe.failure().empty());
  }
  Probe refused(Protocol::kSmtp, Probe::Goal::kHealth, true, "me");
  Say(refused, "220 hi\r\n");
  EXPECT_EQ(Say(refused, "250 old\r\n"), "STARTTLS\r\n");
  Say(refused, "500 what\r\n", State::kFailed);
  Probe endless(Protocol::kPop3, Probe::Goal::kHealth, false, "me");
  Say(endless, std::string(9000, 'x'), State::kFailed);
}

}  // namespace
}  // namespace postern
